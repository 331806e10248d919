//! `ProxyServiceAccount`: who calls?

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::common::{SecretKeyRef, Status};
use crate::credential::Credential;
use crate::names::{AppName, EnvName, ObjectName, Permission};

/// The identity under which a proxy app calls: its credential, roles and permissions, and where it may go.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "crosscall.dev",
    version = "v1alpha1",
    kind = "ProxyServiceAccount",
    namespaced,
    cel,
    doc = "The identity under which a proxy app calls: its credential, roles and permissions, and where it may go.",
    status = "Status",
    derive = "PartialEq",
    shortname = "psa",
    category = "crosscall",
    printcolumn(name = "Accepted", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].status"),
    printcolumn(name = "App", type_ = "string", json_path = ".spec.proxyApp"),
    printcolumn(name = "Credential", type_ = "string", json_path = ".spec.credential.type"),
    printcolumn(
        name = "Granted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"PermissionsGranted\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.status==\"False\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ProxyServiceAccountSpec {
    /// The app that calls under this account.
    pub proxy_app: AppName,
    /// The account's e-mail address, for proxied apps that know it by one. It is a claim, never the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 254), regex(pattern = r"^[^@\s,]+@[^@\s,]+$"))]
    pub email: Option<String>,
    /// The account's roles: the authorities of its calls without a user, where the proxied app's `accepts` lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub roles: Vec<Permission>,
    /// The permissions that it asks for. What holds is what the proxied app's `accepts` honours too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub permissions: Vec<Permission>,
    /// The environments that it may call.
    #[schemars(length(min = 1, max = 16))]
    pub environments: Vec<EnvName>,
    /// The proxied apps that it may call, by id or alias.
    #[schemars(length(min = 1, max = 256))]
    pub apps: Vec<AppName>,
    /// How it proves itself.
    pub credential: Credential,
    /// A key sent as `X-Api-Key` with every call; the entry's key defaults to `api-key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<ApiKey>,
    /// The Secret in which the operator keeps a key pair that it makes; default: `{name}-crosscall-key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<ObjectName>,
}

/// A static API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// The key; the entry's key defaults to `api-key`.
    pub secret_ref: SecretKeyRef,
}
