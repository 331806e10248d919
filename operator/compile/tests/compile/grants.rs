//! A grant has two sides, and neither can widen it alone.

use operator_compile::ConditionType::{PermissionsGranted, ResolvedRefs};
use operator_compile::{Kind, Reason};
use serde_json::{Value, json};

use crate::scene::{Outcome, Scene};

const BASE: &str = "use_proxied_only_endpoints";

/// What holds: `None`, the app does not take the account; else the permissions, and the authorities that are honoured.
type Grant = Option<(Vec<String>, Option<Vec<String>>)>;

fn granted(account_at: &str, account: Value, app_at: &str, app: Value) -> (Grant, Outcome) {
    let outcome = Scene::new().account(account_at, account).app(app_at, app).with_keys().compile();
    let inbound = outcome.config(app_at).inbound.as_ref().unwrap();
    let bound = inbound.keys.values().next().map(|key| {
        let authorities = key.authorities.clone().map(|names| names.into_iter().collect());
        (key.permissions.iter().cloned().collect(), authorities)
    });
    (bound, outcome)
}

fn grant(permissions: &[&str]) -> Grant {
    Some((permissions.iter().map(ToString::to_string).collect(), None))
}

/// Threat K2b: the rule of section 2, side by side.
#[test]
fn what_holds_is_the_intersection() {
    let asks = |permissions: &[&str]| json!({"permissions": permissions});
    let accepts = |entries: Value| json!({"accepts": entries});
    for (account, app, expected) in [
        // Without `accepts`: the same environment, the default permission.
        (asks(&[BASE, "admin"]), json!({}), grant(&[BASE])),
        (asks(&["admin"]), json!({}), grant(&[])),
        (asks(&[]), json!({}), grant(&[])),
        (json!({"apps": ["stock"]}), json!({}), None),
        (json!({"environments": ["prod"]}), json!({}), None),
        // With `accepts`: who is named, and what is honoured.
        (asks(&[BASE]), accepts(json!([])), None),
        (asks(&[BASE]), accepts(json!([{"proxyApp": "other"}])), None),
        (asks(&[BASE]), accepts(json!([{"proxyApp": "FR-API"}])), None),
        (asks(&[BASE, "admin"]), accepts(json!([{"proxyApp": "fr-api"}])), grant(&[BASE])),
        (asks(&[BASE, "admin"]), accepts(json!([{"proxyApp": "fr-api", "permissions": ["admin"]}])), grant(&["admin"])),
        (asks(&["x"]), accepts(json!([{"proxyApp": "fr-api", "permissions": ["admin", BASE]}])), grant(&[])),
        (asks(&[BASE]), accepts(json!([{"proxyApp": "fr-api", "permissions": []}])), grant(&[])),
        (asks(&[BASE]), accepts(json!([{"proxyApp": "fr-api", "environments": ["prod"]}])), None),
        (asks(&[BASE]), accepts(json!([{"proxyApp": "fr-api", "environments": ["prod", "demo"]}])), grant(&[BASE])),
        (json!({"apps": ["stock"]}), accepts(json!([{"proxyApp": "fr-api"}])), None),
        // Several entries for one app add up, each where it speaks of the caller's environment.
        (
            asks(&["a", "b", "c"]),
            accepts(json!([
                {"proxyApp": "fr-api", "permissions": ["a"]},
                {"proxyApp": "fr-api", "permissions": ["b"]},
                {"proxyApp": "fr-api", "permissions": ["c"], "environments": ["prod"]},
            ])),
            grant(&["a", "b"]),
        ),
    ] {
        let (found, _) = granted("demo-a/fr-api", account.clone(), "demo-a/orders", app.clone());
        assert_eq!(found, expected, "{account} and {app}");
    }
}

/// Threat R1: to cross an environment takes the label, the account and the callee.
#[test]
fn crossing_takes_three_consents() {
    let accepting = json!({"accepts": [{"proxyApp": "fr-api", "environments": ["demo"]}]});
    let listing = json!({"environments": ["prod"]});
    let not_listing = json!({"environments": ["demo"]});
    for (account_at, account, app, expected) in [
        ("demo-x/fr-api", &listing, &accepting, grant(&[BASE])),
        ("demo-a/fr-api", &listing, &accepting, None),
        ("demo-x/fr-api", &not_listing, &accepting, None),
        ("demo-x/fr-api", &listing, &json!({}), None),
        ("demo-x/fr-api", &listing, &json!({"accepts": [{"proxyApp": "fr-api"}]}), None),
    ] {
        let (found, _) = granted(account_at, account.clone(), "prod-a/orders", app.clone());
        assert_eq!(found, expected, "{account_at} {account} and {app}");
    }
}

#[test]
fn authorities_of_people_are_narrowed() {
    for (accepts, expected) in [
        (json!([{"proxyApp": "fr-api", "authorities": ["ROLE_A"]}]), Some(vec!["ROLE_A"])),
        (json!([{"proxyApp": "fr-api", "authorities": []}]), Some(vec![])),
        (
            json!([{"proxyApp": "fr-api", "authorities": ["ROLE_A"]}, {"proxyApp": "fr-api", "authorities": ["ROLE_B"]}]),
            Some(vec!["ROLE_A", "ROLE_B"]),
        ),
        (json!([{"proxyApp": "fr-api", "authorities": ["ROLE_A"]}, {"proxyApp": "fr-api"}]), None),
    ] {
        let (found, _) = granted("demo-a/fr-api", json!({}), "demo-a/orders", json!({"accepts": accepts}));
        let expected = expected.map(|names: Vec<&str>| names.into_iter().map(str::to_owned).collect());
        assert_eq!(found.unwrap().1, expected, "{accepts}");
    }
}

/// Threat J6: a callee that does not take the caller gets no credential of it.
#[test]
fn refusing_callee_is_no_target() {
    let outcome = Scene::new()
        .account("demo-a/fr-api", json!({}))
        .route("demo-a/internal", json!({}))
        .app("demo-a/orders", json!({"accepts": [{"proxyApp": "other"}]}))
        .with_keys()
        .compile();
    let outbound = outcome.config("demo-a/fr-api").outbound.as_ref().unwrap();
    assert!(outbound.accounts["fr-api"].targets.is_empty());
    assert!(outbound.names.contains_key("orders"), "the call is refused, not unknown");
    let condition = outcome.condition(Kind::ProxyServiceAccount, "demo-a/fr-api", PermissionsGranted).unwrap();
    assert_eq!((condition.status, condition.reason), (false, Reason::NotAccepted));
    assert!(condition.message.contains("demo-a/orders") && condition.message.contains("fr-api"));
    let condition = outcome.condition(Kind::ProxyRoute, "demo-a/internal", ResolvedRefs).unwrap();
    assert_eq!(condition.reason, Reason::NotAccepted);
    assert_eq!(condition.field.as_deref(), Some("spec.backends[0]"));
}

/// A permission that one of several apps honours is given; where it is not is said beside it.
#[test]
fn permission_for_one_app_is_granted() {
    let outcome = Scene::new()
        .account("demo-a/fr-api", json!({"apps": ["orders", "stock"], "permissions": [BASE, "admin"]}))
        .app("demo-a/orders", json!({"accepts": [{"proxyApp": "fr-api", "permissions": [BASE, "admin"]}]}))
        .app("demo-a/stock", json!({}))
        .with_keys()
        .compile();
    outcome.assert_clean();
    let condition = outcome.condition(Kind::ProxyServiceAccount, "demo-a/fr-api", PermissionsGranted).unwrap();
    assert!(condition.message.contains("admin is not honoured by demo-a/stock"), "{}", condition.message);
}

#[test]
fn apps_may_be_named_by_alias() {
    let account = json!({"apps": ["orders_api"]});
    let (found, outcome) = granted("demo-a/fr-api", account, "demo-b/orders", json!({"aliases": ["orders_api"]}));
    assert_eq!(found, grant(&[BASE]));
    outcome.assert_clean();
}

#[test]
fn key_is_bound_to_its_account() {
    let (_, outcome) = granted("demo-x/fr-api", json!({}), "demo-a/orders", json!({}));
    let inbound = outcome.config("demo-a/orders").inbound.as_ref().unwrap();
    assert_eq!(inbound.audience, "orders.demo");
    let key = &inbound.keys["key-of-demo-x/fr-api"];
    assert_eq!((key.subject.as_str(), key.proxy_app.as_str()), ("system:crosscall:demo-x:fr-api", "fr-api"));
    assert_eq!(key.environment, "demo");
}
