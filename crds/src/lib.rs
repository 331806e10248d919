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

#[cfg(test)]
mod tests {
    use super::*;

    /// The YAML as it is committed.
    const COMMITTED: [&str; 4] = [
        include_str!("../yaml/identityproviders.crosscall.dev.yaml"),
        include_str!("../yaml/proxiedapps.crosscall.dev.yaml"),
        include_str!("../yaml/proxyroutes.crosscall.dev.yaml"),
        include_str!("../yaml/proxyserviceaccounts.crosscall.dev.yaml"),
    ];

    #[test]
    fn committed_yaml_is_what_types_say() {
        for (definition, committed) in definitions().iter().zip(COMMITTED) {
            assert_eq!(to_yaml(definition).unwrap(), committed, "run `just crds`: {}", file_name(definition));
        }
    }

    #[test]
    fn every_kind_is_easy_to_find() {
        let mut short = std::collections::BTreeSet::new();
        for definition in definitions() {
            let names = &definition.spec.names;
            assert_eq!(definition.spec.group, GROUP);
            assert_eq!(definition.spec.scope, "Namespaced");
            assert_eq!(names.categories.as_deref(), Some(&["crosscall".to_owned()][..]));
            for name in names.short_names.iter().flatten() {
                assert!(short.insert(name.clone()), "{name} twice");
                assert!(!["sa", "pa", "svc", "ns"].contains(&name.as_str()), "{name} shadows a kind of Kubernetes");
            }
            let version = &definition.spec.versions[0];
            assert_eq!((version.name.as_str(), version.served, version.storage), (VERSION, true, true));
            assert!(version.subresources.as_ref().is_some_and(|sub| sub.status.is_some()));
            let columns = version.additional_printer_columns.as_deref().unwrap_or_default();
            assert!(
                columns.iter().any(|column| column.name == "Accepted")
                    && columns.iter().any(|column| column.name == "Age")
            );
        }
    }

    #[test]
    fn a_credential_is_exactly_one_kind() {
        let rules = |credential: serde_json::Value| Credential::validate_cel(&credential, None);
        let signed = serde_json::json!({"type": "SignedToken", "signedToken": {"algorithm": "ES256"}});
        assert!(rules(signed.clone()).is_ok());
        let mut two = signed.clone();
        two["bearer"] = serde_json::json!({"secretRef": {"name": "t"}});
        let errors = rules(two).unwrap_err();
        let message = "credential.type is SignedToken, so only credential.signedToken may be set";
        assert!(format!("{errors:?}").contains(message), "{errors:?}");
        let mut other = signed;
        other["type"] = serde_json::json!("Basic");
        assert!(rules(other).is_err());
    }
}
