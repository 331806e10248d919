//! How a service account proves itself: a union by `type`, one struct per way.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{CaBundle, LocalRef, SecretKeyRef};
use crate::duration::Duration;

/// How the account proves itself: `type`, and the one field that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = Rule::new("self.type != 'SignedToken' || has(self.signedToken)").message("credential.type is SignedToken, so set credential.signedToken"),
    validation = Rule::new("self.type != 'ClientCredentials' || has(self.clientCredentials)").message("credential.type is ClientCredentials, so set credential.clientCredentials"),
    validation = Rule::new("self.type != 'CognitoSrp' || has(self.cognitoSrp)").message("credential.type is CognitoSrp, so set credential.cognitoSrp"),
    validation = Rule::new("self.type != 'Basic' || has(self.basic)").message("credential.type is Basic, so set credential.basic"),
    validation = Rule::new("self.type != 'Bearer' || has(self.bearer)").message("credential.type is Bearer, so set credential.bearer"),
    validation = Rule::new("self.type != 'KubernetesToken' || has(self.kubernetesToken)").message("credential.type is KubernetesToken, so set credential.kubernetesToken"),
    validation = Rule::new("self.type != 'TokenExchange' || has(self.tokenExchange)").message("credential.type is TokenExchange, so set credential.tokenExchange"),
    validation = Rule::new("[has(self.signedToken), has(self.clientCredentials), has(self.cognitoSrp), has(self.basic), has(self.bearer), has(self.kubernetesToken), has(self.tokenExchange)].filter(x, x).size() == 1")
        .message(Message::Expression("'credential.type is ' + self.type + ', so only credential.' + self.type.substring(0, 1).lowerAscii() + self.type.substring(1) + ' may be set'".into())),
)]
pub struct Credential {
    /// Which way.
    #[serde(rename = "type")]
    pub kind: CredentialType,
    /// A JWT that the sidecar signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_token: Option<SignedToken>,
    /// An access token from an OAuth 2.0 token endpoint (RFC 6749, 4.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_credentials: Option<ClientCredentials>,
    /// A token of an AWS Cognito user pool, got with SRP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cognito_srp: Option<CognitoSrp>,
    /// HTTP basic authentication (RFC 7617).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicCredential>,
    /// A static bearer token (RFC 6750).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<BearerCredential>,
    /// A projected, audience-bound token of the pod's Kubernetes service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_token: Option<KubernetesToken>,
    /// The user's token exchanged for one of the target's (RFC 8693).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_exchange: Option<TokenExchange>,
}

/// The ways to prove an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CredentialType {
    /// `signedToken`.
    SignedToken,
    /// `clientCredentials`.
    ClientCredentials,
    /// `cognitoSrp`.
    CognitoSrp,
    /// `basic`.
    Basic,
    /// `bearer`.
    Bearer,
    /// `kubernetesToken`.
    KubernetesToken,
    /// `tokenExchange`.
    TokenExchange,
}

/// A JWT that the sidecar signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedToken {
    /// The signature algorithm (RFC 7518, RFC 8037).
    #[serde(default)]
    pub algorithm: SignatureAlgorithm,
    /// The life of a token, from 10s to 24h.
    #[serde(default = "default_lifetime")]
    pub lifetime: Duration,
    /// How often the operator makes a new key pair; only for keys that it made itself.
    #[serde(default = "default_rotate_every")]
    pub rotate_every: Duration,
    /// A private key that you give: PEM (PKCS#1 or PKCS#8), or the base64 of its DER without the PEM lines. The key of
    /// the entry defaults to `tls.key`. Without it the key pair is made and rotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_secret_ref: Option<SecretKeyRef>,
}

/// The signature algorithms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[allow(clippy::upper_case_acronyms, reason = "the names of RFC 7518")]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    #[default]
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

/// An access token from an OAuth 2.0 token endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.tokenUrl) || has(self.issuer)", "clientCredentials: set tokenUrl, or issuer to discover it"))]
pub struct ClientCredentials {
    /// The token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub token_url: Option<String>,
    /// The issuer, whose discovery document names the token endpoint (RFC 8414).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub issuer: Option<String>,
    /// The client id.
    #[schemars(length(min = 1, max = 512))]
    pub client_id: String,
    /// The client secret; the entry's key defaults to `client-secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<SecretKeyRef>,
    /// How the client authenticates at the token endpoint.
    #[serde(default)]
    pub auth_method: ClientAuthMethod,
    /// The private key for `private_key_jwt`; the entry's key defaults to `tls.key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_secret_ref: Option<SecretKeyRef>,
    /// The scopes to ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub scopes: Vec<String>,
    /// The `audience` parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub audience: Option<String>,
    /// The `resource` parameter (RFC 8707).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub resource: Option<String>,
    /// Further parameters of the token request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub parameters: BTreeMap<String, String>,
    /// Certificates of the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
    /// What differs in one environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub environments: BTreeMap<String, ClientCredentialsOverride>,
}

/// What differs in one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientCredentialsOverride {
    /// The token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub token_url: Option<String>,
    /// The issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub issuer: Option<String>,
    /// The client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub client_id: Option<String>,
    /// The client secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<SecretKeyRef>,
    /// The `audience` parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub audience: Option<String>,
    /// The scopes to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub scopes: Option<Vec<String>>,
}

/// How an OAuth client authenticates (RFC 6749 2.3, RFC 7523, OpenID Connect Core 9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClientAuthMethod {
    /// `client_secret_basic`.
    #[default]
    ClientSecretBasic,
    /// `client_secret_post`.
    ClientSecretPost,
    /// `private_key_jwt`.
    PrivateKeyJwt,
}

/// A token of an AWS Cognito user pool, got with SRP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CognitoSrp {
    /// The region, such as `eu-west-1`.
    #[schemars(length(min = 1, max = 64))]
    pub region: String,
    /// The user pool, such as `eu-west-1_AbCdEf`.
    #[schemars(length(min = 1, max = 128))]
    pub user_pool_id: String,
    /// The app client.
    #[schemars(length(min = 1, max = 256))]
    pub client_id: String,
    /// The app client's secret, where it has one; the entry's key defaults to `client-secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<SecretKeyRef>,
    /// A Secret with the entries `username` and `password`.
    pub secret_ref: LocalRef,
    /// The service's URL, if not AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub endpoint: Option<String>,
}

/// HTTP basic authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BasicCredential {
    /// A Secret with the entries `username` and `password` (type `kubernetes.io/basic-auth`).
    pub secret_ref: LocalRef,
}

/// A static bearer token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BearerCredential {
    /// The token; the entry's key defaults to `token`.
    pub secret_ref: SecretKeyRef,
}

/// A projected, audience-bound token of the pod's Kubernetes service account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesToken {
    /// The token's audience.
    #[schemars(length(min = 1, max = 512))]
    pub audience: String,
    /// The token's life, 10m at least.
    #[serde(default = "default_token_life")]
    pub expiration: Duration,
}

/// The user's token exchanged for one of the target's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.tokenUrl) || has(self.issuer)", "tokenExchange: set tokenUrl, or issuer to discover it"))]
pub struct TokenExchange {
    /// The token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub token_url: Option<String>,
    /// The issuer, whose discovery document names the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub issuer: Option<String>,
    /// The client id.
    #[schemars(length(min = 1, max = 512))]
    pub client_id: String,
    /// The client secret; the entry's key defaults to `client-secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<SecretKeyRef>,
    /// The `audience` parameter; default: `{app}.{environment}` of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub audience: Option<String>,
    /// The scopes to ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub scopes: Vec<String>,
    /// Certificates of the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
}

fn default_lifetime() -> Duration {
    Duration::minutes(5)
}

fn default_rotate_every() -> Duration {
    Duration::hours(720)
}

fn default_token_life() -> Duration {
    Duration::hours(1)
}
