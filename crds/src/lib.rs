//! The custom resources of `crosscall.dev/v1alpha1`: one file per kind, and the names that they are made of.
//!
//! This crate is data: types, schema, CEL rules, defaults. It refuses to know a cluster, a file or a clock. The YAML
//! in `crds/yaml` is generated from it by the binary `crdgen`; a doc comment on a field is that field's description.

#![allow(unreachable_pub, reason = "the schema derive nests a copy of each type")]
#![allow(clippy::duplicated_attributes, reason = "printer columns repeat their type, as the derive wants it")]

pub mod annotations;
pub mod common;
pub mod credential;
pub mod duration;
pub mod identity_provider;
pub mod names;
pub mod proxied_app;
pub mod proxy_route;
pub mod proxy_service_account;

pub use common::*;
pub use credential::*;
pub use duration::Duration;
pub use identity_provider::*;
pub use names::*;
pub use proxied_app::*;
pub use proxy_route::*;
pub use proxy_service_account::*;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The API group of every kind.
pub const GROUP: &str = "crosscall.dev";
/// The served and stored version.
pub const VERSION: &str = "v1alpha1";

/// The definitions of the four kinds, in the order of their names.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![IdentityProvider::crd(), ProxiedApp::crd(), ProxyRoute::crd(), ProxyServiceAccount::crd()]
}

/// A definition as a YAML document, as it stands in `crds/yaml`.
pub fn to_yaml(definition: &CustomResourceDefinition) -> Result<String, serde_yaml::Error> {
    serde_yaml::to_string(definition)
}

/// The file name of a definition: `proxyroutes.crosscall.dev.yaml`.
pub fn file_name(definition: &CustomResourceDefinition) -> String {
    format!("{}.yaml", definition.metadata.name.as_deref().unwrap_or_default())
}
