//! `ProxyRoute`: how do an app's calls go?

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{Authentication, LocalRef, Status};
use crate::duration::Duration;
use crate::names::{AppName, BackendName, PathPrefix};

/// How the calls of a proxy app below one path prefix go: to which apps, in which environment, under which account.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "crosscall.dev",
    version = "v1alpha1",
    kind = "ProxyRoute",
    namespaced,
    cel,
    doc = "How the calls of a proxy app below one path prefix go: to which apps, in which environment, under which account.",
    status = "Status",
    derive = "PartialEq",
    shortname = "prt",
    category = "crosscall",
    printcolumn(name = "Accepted", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].status"),
    printcolumn(
        name = "Resolved",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"ResolvedRefs\")].status"
    ),
    printcolumn(name = "App", type_ = "string", json_path = ".spec.proxyApp"),
    printcolumn(name = "Prefix", type_ = "string", json_path = ".spec.pathPrefix"),
    printcolumn(name = "Enabled", type_ = "boolean", json_path = ".spec.enabled"),
    printcolumn(name = "Exposure", type_ = "string", priority = 1, json_path = ".spec.exposure"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.status==\"False\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.backends) != has(self.backend)", "set exactly one of backends (a list, or [\"*\"]) and backend"),
    validation = ("self.environmentSelection != 'FromPath' || has(self.backends)", "environmentSelection FromPath needs backends: the path names backend and environment"),
)]
pub struct ProxyRouteSpec {
    /// The app whose sidecar serves the route.
    pub proxy_app: AppName,
    /// The ProxyServiceAccount of the same namespace under which the calls go.
    pub service_account_ref: LocalRef,
    /// `false` answers every call with 501.
    #[serde(default = "default_true")]
    pub enabled: bool,
    /// Where the sidecar serves it, such as `/internal`; `/` is the root.
    pub path_prefix: PathPrefix,
    /// Put before the path at the proxied app, such as `/api/internal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_path_prefix: Option<PathPrefix>,
    /// The proxied apps that it reaches, by id or alias; the first segment below the prefix names one. `["*"]` is
    /// every app that the service account may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub backends: Option<Vec<BackendName>>,
    /// The one proxied app that it reaches, without a segment that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<AppName>,
    /// `Current` forces the environment of the route's namespace. `FromPath` takes it from the segment after the
    /// backend; it needs the namespace label `crosscall.dev/allow-cross-environment: "true"`.
    #[serde(default)]
    pub environment_selection: EnvironmentSelection,
    /// `Loopback` serves the app's own pod only. `Pod` serves the pod's address and needs `authentication`.
    #[serde(default)]
    pub exposure: Exposure,
    /// How people are told apart. Required where `exposure` is `Pod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Lets calls without a user go under the service account alone. With `exposure: Pod` it also needs
    /// `authentication.anonymous: Allow`, since anybody may then use the account.
    #[serde(default)]
    pub allow_userless: bool,
    /// Cross-origin resource sharing, answered by the sidecar. `{}` lets every origin in, with credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// Header rules, in both directions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Headers>,
    /// Timeouts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    /// Retries, where they are safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    /// Several versions of an API side by side, each with its own `upstreamPathPrefix`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_versions: Option<ApiVersions>,
}

/// Where a call's environment comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EnvironmentSelection {
    /// The route's namespace.
    #[default]
    Current,
    /// The path segment after the backend.
    FromPath,
}

/// Who can reach the route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Exposure {
    /// The app's own pod.
    #[default]
    Loopback,
    /// Whoever reaches the pod's address.
    Pod,
}

/// Cross-origin resource sharing (Fetch standard).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cors {
    /// The origins that are let in, such as `https://shop.example`; default, and `*`: every origin, echoed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 512)))]
    pub allow_origins: Option<Vec<String>>,
    /// The methods; default: whatever a preflight asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), inner(regex(pattern = "^[A-Z]{1,20}$")))]
    pub allow_methods: Option<Vec<String>>,
    /// The request headers; default: whatever a preflight asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_|~-]{1,128}$")))]
    pub allow_headers: Option<Vec<String>>,
    /// The response headers that scripts may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_|~-]{1,128}$")))]
    pub expose_headers: Vec<String>,
    /// Whether cookies and `Authorization` may be sent.
    #[serde(default = "default_true")]
    pub allow_credentials: bool,
    /// How long a browser may keep a preflight.
    #[serde(default = "default_max_age")]
    pub max_age: Duration,
}

/// Header rules, in Gateway API's terms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Headers {
    /// On the way to the proxied app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<HeaderModifier>,
    /// On the way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<HeaderModifier>,
}

/// What happens to headers: remove, then set, then add. Headers that the sidecar owns cannot be named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeaderModifier {
    /// Replaces every value of the header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub set: Vec<Header>,
    /// Adds one more value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub add: Vec<Header>,
    /// Drops the header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_|~-]{1,128}$")))]
    pub remove: Vec<String>,
}

/// A header and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The field name.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_|~-]+$"))]
    pub name: String,
    /// The field value: visible ASCII and spaces.
    #[schemars(length(max = 4096), regex(pattern = "^([!-~]([ -~]*[!-~])?)?$"))]
    pub value: String,
}

/// Timeouts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// To open a connection; default 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Duration>,
    /// From the last byte of the request to the head of the answer; default 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Duration>,
    /// Without a byte of a body in either direction; default 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
}

/// Retries, where they are safe: an idempotent method, or nothing sent yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retries {
    /// How often a call is tried again at most.
    #[schemars(range(min = 0, max = 10))]
    pub attempts: u32,
    /// How many retries there may be for a hundred calls.
    #[serde(default = "default_budget")]
    #[schemars(range(min = 0, max = 100))]
    pub budget_percent: u32,
}

/// Several versions of an API side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!has(self.default) || self.default in self.versions", "apiVersions.default must be one of apiVersions.versions"))]
pub struct ApiVersions {
    /// By version, such as `v1`.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 16))]
    pub versions: BTreeMap<String, ApiVersion>,
    /// The version of a call that names none; without it such a call is 404.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub default: Option<String>,
    /// The header that names the version; default: the first path segment below the backend does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_|~-]+$"))]
    pub header: Option<String>,
}

/// One version of an API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiVersion {
    /// Put before the path at the proxied app.
    pub upstream_path_prefix: PathPrefix,
}

fn default_true() -> bool {
    true
}

fn default_max_age() -> Duration {
    Duration::hours(1)
}

fn default_budget() -> u32 {
    20
}
