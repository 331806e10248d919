//! One mistake a file: the condition, reason and message that its first line promises.

use operator_compile::ConditionType::{Accepted, PermissionsGranted, ResolvedRefs};
use operator_compile::{Kind, Reason};

use crate::scene::{Scene, documents};

fn scene(yaml: &str) -> Scene {
    Scene::load(&documents(yaml)).with_keys()
}

macro_rules! refused {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/fixtures/refused/", $name, ".yaml"))
    };
}

#[test]
fn each_mistake_gets_its_reason() {
    for (yaml, object, type_, reason, words) in [
        (
            refused!("bypass-in-prod"),
            "ProxiedApp shop-prod/orders",
            Accepted,
            Reason::BypassNotAllowed,
            &["delegatedAuthorization.tinyauth.bypass is for environment local only"][..],
        ),
        (
            refused!("cross-environment"),
            "ProxyRoute demo-a/any",
            Accepted,
            Reason::CrossEnvironmentNotAllowed,
            &["the namespace lacks the label crosscall.dev/allow-cross-environment"],
        ),
        (
            refused!("name-conflict"),
            "ProxiedApp demo-b/purchases",
            Accepted,
            Reason::NameConflict,
            &["demo-a/orders", "orders_api"],
        ),
        (
            refused!("no-service-account"),
            "ProxyRoute demo-a/orphan",
            ResolvedRefs,
            Reason::ServiceAccountNotFound,
            &["eu-tools", "demo-a"],
        ),
        (
            refused!("not-secured"),
            "ProxyRoute demo-a/open",
            Accepted,
            Reason::NotSecured,
            &["exposed on the pod's address without authentication"],
        ),
        (
            refused!("self-granted"),
            "ProxyServiceAccount demo-a/fr-api",
            PermissionsGranted,
            Reason::PermissionNotGranted,
            &["orders_admin", "demo-a/orders"],
        ),
    ] {
        let outcome = scene(yaml).compile();
        let condition = outcome.assert_only(object, type_, reason);
        for word in words {
            assert!(condition.message.contains(word), "{object}: {}", condition.message);
        }
        assert!(condition.field.as_deref().is_some_and(|field| field.starts_with("spec.")), "{object}");
    }
}

#[test]
fn namespace_without_environment_is_named() {
    let outcome = scene(refused!("no-environment")).compile();
    let expected = "Cannot determine current environment: namespace plain has no label crosscall.dev/env";
    for (kind, at) in [(Kind::ProxyRoute, "plain/internal"), (Kind::ProxyServiceAccount, "plain/fr-api")] {
        let condition = outcome.condition(kind, at, Accepted).unwrap();
        assert_eq!((condition.reason, condition.message.as_str()), (Reason::NoEnvironment, expected));
    }
    assert_eq!(outcome.problems().len(), 2);
    assert!(outcome.0.configs.is_empty());
}

#[test]
fn environment_outside_the_set_is_refused() {
    let yaml = refused!("self-granted").replace("crosscall.dev/env: demo", "crosscall.dev/env: qa");
    let outcome = scene(&yaml).compile();
    let condition = outcome.condition(Kind::ProxyRoute, "demo-a/admin", Accepted).unwrap();
    assert_eq!(condition.reason, Reason::UnknownEnvironment);
    assert!(condition.message.contains("demo, local, prod, staging"), "{}", condition.message);
    assert!(outcome.0.configs.is_empty());
}

/// The schema refuses it first; whoever compiles without a schema gets the same words.
#[test]
fn two_credentials_are_refused_without_schema() {
    let outcome = scene(refused!("two-credentials")).compile();
    let condition = outcome.assert_only("ProxyServiceAccount demo-a/fr-api", Accepted, Reason::InvalidCredential);
    assert_eq!(condition.message, "credential.type is SignedToken, so only credential.signedToken may be set");
    assert_eq!(condition.field.as_deref(), Some("spec.credential.bearer"));
}

/// Threat K2b: the account's key reaches the callee without the permission that the account gave itself.
#[test]
fn self_granted_permission_reaches_no_verifier() {
    let outcome = scene(refused!("self-granted")).compile();
    let inbound = outcome.config("demo-a/orders").inbound.clone().unwrap();
    let permissions: Vec<_> = inbound.keys.values().map(|key| key.permissions.clone()).collect();
    assert_eq!(permissions, [["use_proxied_only_endpoints".to_owned()].into()]);
    let outbound = outcome.config("demo-a/fr-api").outbound.clone().unwrap();
    assert!(!outbound.accounts["fr-api"].permissions["orders.demo"].contains("orders_admin"));
}
