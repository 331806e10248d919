//! `ProxiedApp`: who receives, and who may?

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{Authentication, CaBundle, LocalRef, SecretKeyRef, Status};
use crate::names::{AppName, EnvName, ObjectName, Permission};

/// An app that is called: where it is, from whom it takes calls, and who may call which of its endpoints. Its name is
/// the app's id.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "crosscall.dev",
    version = "v1alpha1",
    kind = "ProxiedApp",
    namespaced,
    cel,
    doc = "An app that is called: where it is, from whom it takes calls, and who may call which of its endpoints.",
    status = "Status",
    derive = "PartialEq",
    shortname = "pxa",
    category = "crosscall",
    validation = Rule::new("self.metadata.name.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$') && self.metadata.name.size() <= 63").message("the name of a ProxiedApp is the app's id: up to 63 lower-case letters, digits or '-'"),
    printcolumn(name = "Accepted", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].status"),
    printcolumn(name = "Aliases", type_ = "string", json_path = ".spec.aliases"),
    printcolumn(name = "Port", type_ = "integer", json_path = ".spec.appPort"),
    printcolumn(name = "Enforcement", type_ = "string", json_path = ".spec.enforcement"),
    printcolumn(name = "URL", type_ = "string", priority = 1, json_path = ".spec.url"),
    printcolumn(name = "Reason", type_ = "string", priority = 1, json_path = ".status.conditions[?(@.status==\"False\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.appPort) || has(self.url) || has(self.service)", "say where the app is: appPort (behind its own sidecar), service or url"),
    validation = ("!(has(self.url) && has(self.service))", "set only one of url and service"),
    validation = ("!has(self.tls) || has(self.url) || has(self.service)", "tls belongs to url or service"),
)]
pub struct ProxiedAppSpec {
    /// Further names that resolve to the app.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub aliases: Vec<AppName>,
    /// The app's pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// The Service of the same namespace through which it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceRef>,
    /// The URL through which it is reached, where that is no Service: `https://orders.example/base`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^https?://"))]
    pub url: Option<String>,
    /// TLS to the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The port on which the app itself listens, on loopback, behind its sidecar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub app_port: Option<u16>,
    /// Which proxy apps it takes, and what it honours from them. Without it: every proxy app of the same environment
    /// whose account names this app, with the permission `use_proxied_only_endpoints`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub accepts: Option<Vec<Accepts>>,
    /// How people are told apart who do not come through the mechanism.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// What may be called, and by whom. What none of them matches is denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub endpoints: Vec<Endpoint>,
    /// `Audit` lets a call through that would be denied, and counts it.
    #[serde(default)]
    pub enforcement: Enforcement,
    /// An authorisation service that is asked per call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated_authorization: Option<DelegatedAuthorization>,
    /// Sign-in pages that the sidecar serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    /// How service accounts are made known to the app's own user store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning: Option<Provisioning>,
}

/// A Service of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRef {
    /// Its name.
    pub name: ObjectName,
    /// Its port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
}

/// TLS to the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.verify || !has(self.caBundle)", "tls.caBundle is of no use with tls.verify false"))]
pub struct Tls {
    /// `false` takes any certificate: only for tests, and said in status.
    #[serde(default = "default_true")]
    pub verify: bool,
    /// Certificates that replace the system's roots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
    /// The name that the certificate must carry, if not the host of the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub server_name: Option<String>,
}

/// A proxy app whose calls are taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accepts {
    /// The proxy app.
    pub proxy_app: AppName,
    /// The environments that it may call from; default: the app's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub environments: Option<Vec<EnvName>>,
    /// The permissions honoured from it; default: `use_proxied_only_endpoints` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub permissions: Option<Vec<Permission>>,
    /// The authorities honoured from it; default: all of people, none of the account's own roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub authorities: Option<Vec<Permission>>,
}

/// A rule: paths, methods, and who may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.access != 'Public' || !(has(self.proxiedOnly) && self.proxiedOnly) && !has(self.permissions) && !has(self.authorities) && !has(self.scopes) && !has(self.authorize)", "access Public asks for nothing: drop proxiedOnly, permissions, authorities, scopes and authorize, or the access"))]
pub struct Endpoint {
    /// Path templates: `/api/v1/apples/{name}`, `/api/{*path}` (the rest, which may be empty). The most specific wins.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 512), regex(pattern = "^/")))]
    pub paths: Vec<String>,
    /// The methods; default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(regex(pattern = "^[A-Z]{1,20}$")))]
    pub methods: Option<Vec<String>>,
    /// Takes only callers that came through the mechanism.
    #[serde(default)]
    pub proxied_only: bool,
    /// The caller needs any of these permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub permissions: Option<Vec<Permission>>,
    /// The caller needs any of these authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub authorities: Option<Vec<Permission>>,
    /// The caller's token needs all of these scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub scopes: Option<Vec<Permission>>,
    /// `Public` is open to everybody, without identity.
    #[serde(default)]
    pub access: Access,
    /// What the authorisation service is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorize: Option<Authorize>,
}

/// Who an endpoint is open to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Access {
    /// An identity is needed.
    #[default]
    Restricted,
    /// Everybody.
    Public,
}

/// What becomes of a call that is denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Enforcement {
    /// It is refused.
    #[default]
    Enforce,
    /// It goes through and is counted.
    Audit,
}

/// What the authorisation service is asked about a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authorize {
    /// The permission, such as `GetApple`.
    pub permission: Permission,
    /// The resource's type, such as `apples`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub resource_type: Option<String>,
    /// The resource; path variables in braces: `{name}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub resource: Option<String>,
}

/// An authorisation service that is asked per call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DelegatedAuthorization {
    /// A tinyauth service.
    pub tinyauth: Tinyauth,
}

/// A tinyauth service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tinyauth {
    /// Its base URL, with a slash at the end.
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^https?://"))]
    pub endpoint: String,
    /// The service's name in permissions and ARNs.
    #[schemars(length(min = 1, max = 128))]
    pub service: String,
    /// A Secret with the entries `access-key-id` and `secret-access-key`.
    pub access_key_secret_ref: LocalRef,
    /// The partition of ARNs.
    #[serde(default = "default_partition")]
    #[schemars(length(min = 1, max = 128))]
    pub partition: String,
    /// The region of ARNs.
    #[serde(default = "default_region")]
    #[schemars(length(min = 1, max = 128))]
    pub region: String,
    /// What a refused caller gets.
    #[serde(default)]
    pub mode: TinyauthMode,
    /// `false` takes any certificate: only for tests.
    #[serde(default = "default_true")]
    pub verify: bool,
    /// Certificates that replace the system's roots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
    /// Lets every call through without asking: only in environment `local`.
    #[serde(default)]
    pub bypass: bool,
}

/// What a caller gets whom tinyauth refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TinyauthMode {
    /// 401 with the JSON answer.
    #[default]
    Unauthorized,
    /// 302 to the login page.
    Login,
    /// The decision goes to the app in a header.
    Report,
}

/// Sign-in pages that the sidecar serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// The IdentityProvider whose authorization endpoint people are sent to; default: tinyauth's login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<LocalRef>,
    /// The client secret of the sign-in client; the entry's key defaults to `client-secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<SecretKeyRef>,
    /// The sign-in client's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub client_id: Option<String>,
}

/// How service accounts are made known to the app's own user store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Provisioning {
    /// `true` reports the plan and writes nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// SCIM 2.0 (RFC 7644).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim: Option<Scim>,
}

/// The app's SCIM endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scim {
    /// Its base URL.
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^https?://"))]
    pub url: String,
    /// The bearer token; the entry's key defaults to `token`.
    pub token_secret_ref: SecretKeyRef,
    /// Certificates that replace the system's roots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
    /// What becomes of users whose account is gone.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// What becomes of users whose account is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// They stay.
    #[default]
    Retain,
    /// Those that were made for it are deleted.
    Delete,
}

fn default_true() -> bool {
    true
}

fn default_partition() -> String {
    "tinyauth".to_owned()
}

fn default_region() -> String {
    "default".to_owned()
}
