//! Who vouches for people.

use operator_compile::ConditionType::{Accepted, ResolvedRefs};
use operator_compile::{Kind, Reason};
use serde_json::{Value, json};
use sidecar_policy::config::{BasicUser, Provider};

use crate::scene::{Outcome, Scene};

const HASH: &str = "$2b$10$n4AOSbZDS01yyVI/28lv6eOt6C8ASTJb0tXnjErKvNMOjbiMKXuX6";

fn scene(provider: Value, users: &[(&str, &str)]) -> Scene {
    let authentication = json!({"authentication": {"providers": [{"name": "people"}, {"name": "people"}]}});
    Scene::new().provider("demo-a/people", provider).secret("demo-a/people", users).app("demo-a/orders", authentication)
}

fn users(outcome: &Outcome) -> Vec<(&str, &BasicUser)> {
    let Provider::Basic { users, .. } = &outcome.config("demo-a/orders").providers["people"];
    users.iter().map(|(name, user)| (name.as_str(), user)).collect()
}

#[test]
fn users_have_their_hash_and_roles() {
    let roles = json!({"usersSecretRef": {"name": "people"}, "roles": {"Alice": ["ROLE_USER"]}, "realm": "Shop"});
    let hash = format!("{HASH}\n");
    let outcome = scene(json!({"basic": roles}), &[("Alice", &hash), ("Bob", HASH)]).compile();
    outcome.assert_clean();
    let found = users(&outcome);
    assert_eq!(found[0], ("Alice", &BasicUser { hash: HASH.into(), roles: ["ROLE_USER".to_owned()].into() }));
    assert_eq!(found[1], ("Bob", &BasicUser { hash: HASH.into(), roles: [].into() }));
    let inbound = outcome.config("demo-a/orders").inbound.as_ref().unwrap();
    assert_eq!(inbound.authentication.as_ref().unwrap().providers, ["people"]);
}

/// Threat J7: a bad entry locks out its own user, and nobody is a person whom another thing is named after.
#[test]
fn bad_user_is_locked_out_alone() {
    for (name, hash, reason) in [
        ("system:crosscall:demo-a:fr-api", HASH, Reason::InvalidUserName),
        ("SYSTEM:x", HASH, Reason::InvalidUserName),
        ("a:b", HASH, Reason::InvalidUserName),
        ("anonymousUser", HASH, Reason::InvalidUserName),
        ("", HASH, Reason::InvalidUserName),
        ("a\r\nb", HASH, Reason::InvalidUserName),
        ("Bob", "hunter2", Reason::InvalidPasswordHash),
        ("Bob", "", Reason::InvalidPasswordHash),
        ("Bob", "$1$abc$hunter2", Reason::InvalidPasswordHash),
    ] {
        let outcome = scene(json!({}), &[("Zoe", HASH), (name, hash)]).compile();
        let condition = outcome.assert_only("IdentityProvider demo-a/people", ResolvedRefs, reason);
        assert!(!condition.message.contains("hunter2"), "{}", condition.message);
        assert_eq!(users(&outcome).iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["Zoe"]);
    }
}

#[test]
fn roles_without_a_hash_are_said() {
    let basic = json!({"usersSecretRef": {"name": "people"}, "roles": {"Eve": ["ROLE_ADMIN"]}});
    let outcome = scene(json!({"basic": basic}), &[("Zoe", HASH)]).compile();
    let condition = outcome.assert_only("IdentityProvider demo-a/people", ResolvedRefs, Reason::UserNotFound);
    assert!(condition.message.contains("Eve") && condition.message.contains("people"));
    assert_eq!(users(&outcome).len(), 1);
}

/// The provider is not ready, so what names it says so, and its people get 401.
#[test]
fn provider_without_secret_vouches_for_nobody() {
    let basic = json!({"usersSecretRef": {"name": "elsewhere"}});
    let outcome = scene(json!({"basic": basic}), &[]).secret("demo-b/elsewhere", &[("Zoe", HASH)]).compile();
    assert_eq!(
        outcome.problems(),
        [
            "IdentityProvider demo-a/people ResolvedRefs SecretNotFound",
            "ProxiedApp demo-a/orders ResolvedRefs ProviderNotReady",
        ]
    );
    let config = outcome.config("demo-a/orders");
    let authentication = config.inbound.as_ref().unwrap().authentication.as_ref().unwrap();
    assert!(authentication.providers.is_empty() && authentication.anonymous_authorities.is_none());
    assert!(config.providers.is_empty());
}

#[test]
fn other_types_are_not_supported_yet() {
    for provider in [
        json!({"type": "OIDC", "issuer": "https://i.example", "audiences": ["a"], "basic": null}),
        json!({"type": "JWKS", "jwksUri": "https://i.example", "audiences": ["a"], "basic": null}),
        json!({"type": "Basic", "basic": null}),
    ] {
        let outcome = scene(provider.clone(), &[]).compile();
        let condition = outcome.condition(Kind::IdentityProvider, "demo-a/people", Accepted).unwrap();
        let expected = if provider["type"] == "Basic" { Reason::InvalidProvider } else { Reason::NotSupported };
        assert_eq!((condition.status, condition.reason), (false, expected));
    }
}
