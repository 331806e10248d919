//! The configuration file: the contract between the compile step and the sidecar.
//!
//! One file per app, JSON, byte-stable (sorted maps, no optional noise). It holds secrets (private keys, password
//! hashes, static credentials), so it is only ever written to a `Secret` or kept in memory; [`crate::mask`] makes the
//! form that may be shown. Everything in it is already resolved: the sidecar looks nothing up and decides nothing
//! that the compile step could have decided.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::secret::SecretString;

/// The version of the file format that this build reads and writes.
pub const FORMAT: u32 = 1;

/// What one app's sidecar does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// [`FORMAT`]; another number is refused.
    pub format: u32,
    /// The app's id.
    pub app: String,
    /// The namespace that the app lives in.
    pub namespace: String,
    /// The environment of that namespace.
    pub environment: String,
    /// The `iss` of the tokens that service accounts of this installation sign.
    pub issuer: String,
    /// Calls that leave the pod; absent when the app calls nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound: Option<Outbound>,
    /// Calls that reach the pod; absent when the app is not called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbound: Option<Inbound>,
    /// Who vouches for people, by the name that routes and the inbound side use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub providers: BTreeMap<String, Provider>,
}

/// Calls that leave the pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Outbound {
    /// The routes, sorted by path prefix.
    pub routes: Vec<Route>,
    /// The service accounts that routes name, by name.
    pub accounts: BTreeMap<String, Account>,
    /// Every name (id or alias) that resolves in some environment, with the app id it stands for in each
    /// environment: name -> environment -> key of `targets`.
    pub names: BTreeMap<String, BTreeMap<String, String>>,
    /// Where apps are, by `{app}.{environment}` (which is also the audience of a token for it).
    pub targets: BTreeMap<String, Target>,
    /// Every environment that the installation knows.
    pub environments: BTreeSet<String>,
}

/// How calls below one path prefix go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// The name of the `ProxyRoute`.
    pub name: String,
    /// `false`: every call is answered 501.
    pub enabled: bool,
    /// Where the sidecar serves it: starts with `/`, no slash at the end; empty for the root.
    pub path_prefix: String,
    /// Put before the path at the proxied app; same form.
    pub upstream_path_prefix: String,
    /// Which proxied apps it reaches.
    pub backends: Backends,
    /// Where the environment comes from.
    pub environment_selection: EnvironmentSelection,
    /// `true`: served on the pod's address, not on loopback.
    pub exposed: bool,
    /// The key of `accounts` under which its calls go.
    pub account: String,
    /// How people are told apart; `None` on a loopback route that names no provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Calls without a user go under the service account alone.
    pub allow_userless: bool,
    /// Cross-origin resource sharing; absent: the sidecar does not touch it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// Header rules.
    #[serde(default, skip_serializing_if = "HeaderRules::is_empty")]
    pub headers: HeaderRules,
    /// Timeouts.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// Which proxied apps a route reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Backends {
    /// No backend segment in the path: `{pathPrefix}/{path}` goes to this app (an id or alias in `names`).
    One(String),
    /// The first segment names one of these (ids and aliases in `names`, aliases already listed).
    Named(BTreeSet<String>),
    /// The first segment is any name in `names` that the service account may call.
    Any,
}

/// Where a call's environment comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnvironmentSelection {
    /// The caller's own; nothing in the request can change it.
    Current,
    /// The path segment after the backend.
    FromPath,
}

/// A service account and its credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Account {
    /// `system:crosscall:{namespace}:{name}`: its subject in tokens.
    pub subject: String,
    /// Its e-mail address, for callees that know accounts by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Its roles: the authorities of a call without a user.
    pub roles: BTreeSet<String>,
    /// What it may reach: keys of `targets`. Anything else is refused before a credential is touched.
    pub targets: BTreeSet<String>,
    /// The permissions that its calls carry, by key of `targets` (what both sides grant).
    pub permissions: BTreeMap<String, BTreeSet<String>>,
    /// How it proves itself.
    pub credential: Credential,
    /// Sent as `X-Api-Key` with every call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<SecretString>,
}

/// How a service account proves itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Credential {
    /// A JWT that the sidecar signs.
    #[serde(rename_all = "camelCase")]
    SignedToken {
        /// The signature algorithm (RFC 7518), such as `ES256`.
        algorithm: crate::jwt::Algorithm,
        /// The key id: the RFC 7638 SHA-256 thumbprint of the public key.
        kid: String,
        /// The private key: PKCS#8 PEM.
        private_key: SecretString,
        /// The life of a token, in seconds.
        lifetime_seconds: u64,
    },
    /// A static bearer token.
    #[serde(rename_all = "camelCase")]
    Bearer {
        /// The token.
        token: SecretString,
    },
    /// HTTP basic authentication (RFC 7617).
    #[serde(rename_all = "camelCase")]
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: SecretString,
    },
}

/// Where an app is in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// The app's id.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// The base URL, without a slash at the end: `http://orders.shop-prod.svc:80`. Empty in standalone mode for an
    /// app that is reached through its inbound listener in the same process (`inProcess`).
    pub url: String,
    /// Reached through its inbound listener in the same process (standalone mode); the process fills in `url`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_process: bool,
    /// TLS to the app, for `https` URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// How the app's certificate is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// `false`: any certificate is taken (said loudly in status and log).
    pub verify: bool,
    /// PEM certificates that replace the system's roots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<String>,
    /// The name that the certificate must carry, if not the URL's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
}

/// How people are told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authentication {
    /// Keys of `providers`, asked in this order.
    pub providers: Vec<String>,
    /// A call without credentials is the user `anonymousUser` with these authorities; `None`: 401.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous_authorities: Option<BTreeSet<String>>,
}

/// Who vouches for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Provider {
    /// User names and password hashes.
    #[serde(rename_all = "camelCase")]
    Basic {
        /// The realm shown in `WWW-Authenticate`.
        realm: String,
        /// By user name.
        users: BTreeMap<String, BasicUser>,
    },
}

/// A person with a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BasicUser {
    /// An argon2id (PHC string) or bcrypt hash.
    pub hash: SecretString,
    /// The user's authorities.
    pub roles: BTreeSet<String>,
}

/// Cross-origin resource sharing (Fetch standard).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cors {
    /// Origins that are let in, compared as serialised; `None`: every origin is echoed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_origins: Option<BTreeSet<String>>,
    /// `None`: whatever the preflight asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_methods: Option<BTreeSet<String>>,
    /// Lower-case names; `None`: whatever the preflight asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_headers: Option<BTreeSet<String>>,
    /// Response headers that scripts may read.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub expose_headers: BTreeSet<String>,
    /// Cookies and `Authorization` may be sent.
    pub allow_credentials: bool,
    /// How long a preflight may be kept, in seconds.
    pub max_age_seconds: u64,
}

/// Header rules, in Gateway API's terms. Names are lower case and never a header that the sidecar owns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderRules {
    /// On the way to the proxied app.
    #[serde(default, skip_serializing_if = "HeaderRule::is_empty")]
    pub request: HeaderRule,
    /// On the way back.
    #[serde(default, skip_serializing_if = "HeaderRule::is_empty")]
    pub response: HeaderRule,
}

/// One direction of [`HeaderRules`]: remove, then set, then add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderRule {
    /// Replaces every value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// One more value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub add: BTreeMap<String, String>,
    /// Dropped.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub remove: BTreeSet<String>,
}

/// Timeouts, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timeouts {
    /// To open a connection, name resolution and TLS included.
    pub connect_ms: u64,
    /// From the last byte of the request to the head of the answer.
    pub request_ms: u64,
    /// Without a byte of a body in either direction.
    pub idle_ms: u64,
}

/// Calls that reach the pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inbound {
    /// The app's port on `127.0.0.1`.
    pub app_port: u16,
    /// `{app}.{environment}`: what the `aud` of a token must name.
    pub audience: String,
    /// The keys of the service accounts that may call, by key id.
    pub keys: BTreeMap<String, AccountKey>,
    /// How people are told apart, for calls that do not come through the mechanism.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// What may be called, and by whom; what none matches is denied.
    pub endpoints: Vec<Endpoint>,
    /// `true`: a denied call goes through and is counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub audit: bool,
}

/// A verification key, bound to the one account that it speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountKey {
    /// The public key (RFC 7517) as JSON text, with `alg` and `kid`.
    pub jwk: String,
    /// The account's subject, `system:crosscall:{namespace}:{name}`.
    pub subject: String,
    /// The proxy app that the account belongs to.
    pub proxy_app: String,
    /// The environment that it calls from.
    pub environment: String,
    /// The permissions that hold: what both sides grant. A token's claim is cut down to these.
    pub permissions: BTreeSet<String>,
    /// The authorities that are honoured from this caller; `None`: all of people, none of the account itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<BTreeSet<String>>,
}

/// A rule of an app: paths, methods, and who may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    /// Path templates: `/api/v1/apples/{name}`, `/api/{*path}`.
    pub paths: Vec<String>,
    /// Empty: every method.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub methods: BTreeSet<String>,
    /// Open to everybody, without identity.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub public: bool,
    /// Only callers that came through the mechanism.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proxied_only: bool,
    /// Any of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub permissions: BTreeSet<String>,
    /// Any of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub authorities: BTreeSet<String>,
    /// All of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub scopes: BTreeSet<String>,
}

// === impl Config ===

impl Config {
    /// Reads a file. The error names the place in the file and never quotes a value, since values may be secret.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let config: Self = serde_json::from_slice(bytes).map_err(|error| ConfigError::Syntax {
            line: error.line(),
            column: error.column(),
            category: match error.classify() {
                serde_json::error::Category::Io => "read error",
                serde_json::error::Category::Syntax => "not JSON",
                serde_json::error::Category::Data => "a field is missing, unknown or of the wrong type",
                serde_json::error::Category::Eof => "cut short",
            },
        })?;
        if config.format == FORMAT { Ok(config) } else { Err(ConfigError::Format { found: config.format }) }
    }

    /// Writes it: the same bytes for the same meaning.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("plain data with string keys is always JSON")
    }
}

/// Why a configuration file is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON, or not of the shape.
    #[error("the configuration is not readable at line {line}, column {column}: {category}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What kind of mistake.
        category: &'static str,
    },
    /// Another format.
    #[error("the configuration has format {found}, this build reads format {FORMAT}: upgrade the older side")]
    Format {
        /// What the file says.
        found: u32,
    },
}

// === impl HeaderRules ===

impl HeaderRules {
    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.request.is_empty() && self.response.is_empty()
    }
}

impl HeaderRule {
    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }
}

// === impl Timeouts ===

impl Default for Timeouts {
    /// 5 s to connect, 60 s for the head of the answer, 5 min without a byte.
    fn default() -> Self {
        Self { connect_ms: 5_000, request_ms: 60_000, idle_ms: 300_000 }
    }
}
