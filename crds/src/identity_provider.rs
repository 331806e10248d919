//! `IdentityProvider`: who vouches for users?

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{CaBundle, LocalRef, SecretKeyRef, Status};
use crate::names::Permission;

/// Who vouches for people: an OpenID Connect issuer, a set of keys, an introspection endpoint, or a list of users.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "crosscall.dev",
    version = "v1alpha1",
    kind = "IdentityProvider",
    namespaced,
    cel,
    doc = "Who vouches for people: an OpenID Connect issuer, a set of keys, an introspection endpoint, or a list of users.",
    status = "Status",
    derive = "PartialEq",
    shortname = "idp",
    category = "crosscall",
    printcolumn(name = "Accepted", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].status"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Issuer", type_ = "string", json_path = ".spec.issuer"),
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
    validation = ("self.type != 'OIDC' || has(self.issuer)", "type OIDC needs issuer"),
    validation = ("self.type != 'JWKS' || has(self.jwksUri) != has(self.jwks)", "type JWKS needs exactly one of jwksUri and jwks"),
    validation = ("(self.type == 'Introspection') == has(self.introspection)", "introspection belongs to type Introspection: set both or neither"),
    validation = ("(self.type == 'Basic') == has(self.basic)", "basic belongs to type Basic: set both or neither"),
    validation = ("self.type in ['OIDC', 'JWKS'] == has(self.audiences)", "types OIDC and JWKS need audiences, other types have none"),
)]
pub struct IdentityProviderSpec {
    /// How users are vouched for.
    #[serde(rename = "type")]
    pub kind: IdentityProviderType,
    /// The `iss` of its tokens; for `OIDC` also where discovery starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^https?://"))]
    pub issuer: Option<String>,
    /// The discovery document, where it is not below the issuer as seen from the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^https?://"))]
    pub discovery_url: Option<String>,
    /// Where the keys are (RFC 7517).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^https?://"))]
    pub jwks_uri: Option<String>,
    /// The keys themselves: a JWK Set as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub jwks: Option<String>,
    /// The introspection endpoint (RFC 7662).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<Introspection>,
    /// The audiences that a token may name: any of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 512)))]
    pub audiences: Option<Vec<String>>,
    /// Which claim says what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Claims>,
    /// Certificates of the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
    /// Users with passwords.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicUsers>,
}

/// How users are vouched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(clippy::upper_case_acronyms, reason = "the names of the standards")]
pub enum IdentityProviderType {
    /// OpenID Connect discovery.
    OIDC,
    /// Keys from a URL or inline.
    JWKS,
    /// Token introspection (RFC 7662).
    Introspection,
    /// User names and passwords.
    Basic,
}

/// Which claim says what. A dot descends: `realm_access.roles`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    /// The user; default `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub user: Option<String>,
    /// The authorities; default `authorities`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub authorities: Option<String>,
    /// The scopes; default `scope`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub scopes: Option<String>,
}

/// An introspection endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Introspection {
    /// Its URL.
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^https?://"))]
    pub url: String,
    /// The client id.
    #[schemars(length(min = 1, max = 512))]
    pub client_id: String,
    /// The client secret; the entry's key defaults to `client-secret`.
    pub client_secret_ref: SecretKeyRef,
}

/// Users with passwords.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BasicUsers {
    /// A Secret: user name -> argon2id (PHC string) or bcrypt hash of the password.
    pub users_secret_ref: LocalRef,
    /// The authorities of each user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 1024))]
    pub roles: BTreeMap<String, Vec<Permission>>,
    /// Shown to people who are asked for a password; default: the provider's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[ !#-\\[\\]-~]+$"))]
    pub realm: Option<String>,
}
