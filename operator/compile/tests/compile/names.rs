//! Who owns an app's name.

use operator_compile::ConditionType::{Accepted, ResolvedRefs};
use operator_compile::{Kind, Reason};
use serde_json::{Value, json};

use crate::scene::{Outcome, Scene};

const OLD: &str = "2026-01-01T00:00:00Z";
const NEW: &str = "2026-01-02T00:00:00Z";

fn created(at: &str) -> Value {
    json!({"createdAt": at})
}

#[track_caller]
fn assert_conflict(outcome: &Outcome, loser: &str, owner: &str) {
    let condition = outcome.assert_only(loser, Accepted, Reason::NameConflict);
    assert!(condition.message.contains(owner), "{}", condition.message);
}

#[test]
fn older_app_keeps_the_name() {
    for (a, b, loser, owner) in [
        (OLD, NEW, "ProxiedApp demo-b/orders", "ProxiedApp demo-a/orders"),
        (NEW, OLD, "ProxiedApp demo-a/orders", "ProxiedApp demo-b/orders"),
        (OLD, OLD, "ProxiedApp demo-b/orders", "ProxiedApp demo-a/orders"),
    ] {
        let outcome = Scene::new().app("demo-a/orders", created(a)).app("demo-b/orders", created(b)).compile();
        assert_conflict(&outcome, loser, owner);
        assert_eq!(outcome.0.configs.len(), 1);
    }
}

/// What is not created yet is younger than everything that is.
#[test]
fn uncreated_app_never_takes_a_name() {
    let outcome = Scene::new().app("demo-a/orders", json!({})).app("demo-b/orders", created(NEW)).compile();
    assert_conflict(&outcome, "ProxiedApp demo-a/orders", "demo-b/orders");
}

#[test]
fn aliases_are_names_too() {
    let alias = json!({"aliases": ["x", "orders"], "createdAt": NEW});
    let outcome = Scene::new().app("demo-a/orders", created(OLD)).app("demo-a/purchases", alias).compile();
    assert_conflict(&outcome, "ProxiedApp demo-a/purchases", "demo-a/orders");
    assert_eq!(outcome.only_problem().1.field.as_deref(), Some("spec.aliases[1]"));
}

#[test]
fn names_are_free_in_each_environment() {
    let outcome = Scene::new().app("demo-a/orders", json!({})).app("prod-a/orders", json!({})).compile();
    outcome.assert_clean();
}

/// A name stays where it is while its owner has another mistake.
#[test]
fn refused_owner_still_holds_its_name() {
    let outcome = Scene::new()
        .app("demo-a/orders", json!({"createdAt": OLD, "login": {}}))
        .app("demo-b/orders", created(NEW))
        .compile();
    assert_eq!(
        outcome.problems(),
        ["ProxiedApp demo-a/orders Accepted NotSupported", "ProxiedApp demo-b/orders Accepted NameConflict"]
    );
}

/// Threat K2b: a tenant speaks under another app's name.
#[test]
fn foreign_account_cannot_speak_as_another_app() {
    let scene = Scene::new()
        .account("demo-a/fr-api", created(OLD))
        .account("demo-b/impostor", created(NEW))
        .route("demo-b/internal", json!({"serviceAccountRef": {"name": "impostor"}}))
        .app("demo-a/orders", json!({"accepts": [{"proxyApp": "fr-api"}]}))
        .with_keys();
    // Even with a key in its Secret from a time before.
    let pair = crate::scene::made_up_pair("of-impostor");
    let keys = operator_compile::AccountKeys { signing: pair, published: Vec::new() };
    let mut scene = scene;
    scene.inventory.key_pairs.insert(crate::scene::key("demo-b/impostor"), keys);
    let outcome = scene.compile();

    let condition = outcome.condition(Kind::ProxyServiceAccount, "demo-b/impostor", Accepted).unwrap();
    assert_eq!((condition.status, condition.reason), (false, Reason::NameConflict));
    assert!(condition.message.contains("demo-a/fr-api"), "{}", condition.message);
    let condition = outcome.condition(Kind::ProxyRoute, "demo-b/internal", ResolvedRefs).unwrap();
    assert_eq!(condition.reason, Reason::ServiceAccountNotReady);
    let keys: Vec<_> = outcome.config("demo-a/orders").inbound.as_ref().unwrap().keys.keys().collect();
    assert_eq!(keys, ["key-of-demo-a/fr-api"]);
    assert!(!outcome.0.needed_keys.contains_key(&crate::scene::key("demo-b/impostor")));
}

/// Threat K2b: the name of an app that is called is as little free for callers.
#[test]
fn app_and_account_share_one_claim() {
    let outcome =
        Scene::new().app("demo-a/fr-api", created(OLD)).account("demo-b/fr-api", created(NEW)).with_keys().compile();
    assert_conflict(&outcome, "ProxyServiceAccount demo-b/fr-api", "ProxiedApp demo-a/fr-api");
    let outcome =
        Scene::new().app("demo-a/fr-api", created(NEW)).account("demo-b/fr-api", created(OLD)).with_keys().compile();
    assert_conflict(&outcome, "ProxiedApp demo-a/fr-api", "ProxyServiceAccount demo-b/fr-api");
}

#[test]
fn one_namespace_may_claim_both_sides() {
    let outcome = Scene::new()
        .app("demo-a/fr-api", json!({}))
        .app("demo-a/orders", json!({}))
        .account("demo-a/fr-api", created(OLD))
        .account("demo-a/second", created(NEW))
        .route("demo-a/internal", json!({}))
        .with_keys()
        .compile();
    outcome.assert_clean();
    let config = outcome.config("demo-a/fr-api");
    assert!(config.outbound.is_some() && config.inbound.is_some());
}
