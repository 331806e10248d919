//! How calls go.

use std::collections::BTreeSet;

use operator_compile::ConditionType::{Accepted, ResolvedRefs};
use operator_compile::{Kind, Reason};
use serde_json::{Value, json};
use sidecar_policy::config::{Backends, EnvironmentSelection, Outbound};

use crate::scene::{Outcome, Scene};

/// An account, `orders` with an alias, and `stock` that the account does not list.
fn shop() -> Scene {
    Scene::new()
        .account("demo-a/fr-api", json!({}))
        .app("demo-a/orders", json!({"aliases": ["orders_api"]}))
        .app("demo-a/stock", json!({}))
}

fn outbound(outcome: &Outcome) -> &Outbound {
    outcome.config("demo-a/fr-api").outbound.as_ref().unwrap()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn route_reaches_app_by_every_name() {
    let outcome = shop().route("demo-a/internal", json!({})).with_keys().compile();
    outcome.assert_clean();
    let outbound = outbound(&outcome);
    assert_eq!(outbound.routes[0].backends, Backends::Named(set(&["orders", "orders_api"])));
    assert_eq!(outbound.names["orders_api"]["demo"], "orders.demo");
    assert_eq!(outbound.targets["orders.demo"].url, "http://orders.demo-a.svc:80");
    assert_eq!(outbound.accounts["fr-api"].targets, set(&["orders.demo"]));
    assert_eq!(outbound.environments, set(&["demo", "local", "prod", "staging"]));
}

/// Threat K9: a bad route has its own condition and the others go on.
#[test]
fn bad_route_leaves_others_alone() {
    let outcome = shop()
        .route("demo-a/good", json!({}))
        .route("demo-a/bad", json!({"pathPrefix": "/bad", "exposure": "Pod"}))
        .route("demo-a/orphan", json!({"pathPrefix": "/orphan", "serviceAccountRef": {"name": "nobody"}}))
        .with_keys()
        .compile();
    let prefixes: Vec<&str> = outbound(&outcome).routes.iter().map(|route| route.path_prefix.as_str()).collect();
    assert_eq!(prefixes, ["/internal"]);
    assert_eq!(
        outcome.problems(),
        ["ProxyRoute demo-a/bad Accepted NotSecured", "ProxyRoute demo-a/orphan ResolvedRefs ServiceAccountNotFound"]
    );
    for conditions in outcome.0.conditions.values() {
        let types: Vec<_> = conditions.iter().map(|condition| condition.type_).collect();
        assert!(types.starts_with(&[Accepted, ResolvedRefs]), "{types:?}");
    }
}

/// Threat J7: nobody in particular is not the service account.
#[test]
fn exposed_account_is_not_for_everybody() {
    let providers = json!([{"name": "people"}]);
    for (anonymous, refused) in [("Deny", true), ("Allow", false)] {
        let authentication = json!({"providers": providers, "anonymous": anonymous});
        let spec = json!({"exposure": "Pod", "authentication": authentication, "allowUserless": true});
        let outcome = shop().route("demo-a/internal", spec).with_keys().compile();
        let problem = "ProxyRoute demo-a/internal Accepted NotSecured".to_owned();
        assert_eq!(outcome.problems().contains(&problem), refused, "{anonymous}");
    }
}

#[test]
fn each_mistake_of_a_route_is_named() {
    let modifier = |name: &str, value: &str| json!({"request": {"set": [{"name": name, "value": value}]}});
    for (spec, type_, reason, field) in [
        (json!({"proxyApp": "other"}), Accepted, Reason::ProxyAppMismatch, "spec.proxyApp"),
        (
            json!({"exposure": "Pod", "authentication": {}, "allowUserless": true}),
            Accepted,
            Reason::NotSecured,
            "spec.authentication",
        ),
        (json!({"backends": []}), Accepted, Reason::InvalidBackends, "spec.backends"),
        (json!({"backends": ["orders"], "backend": "orders"}), Accepted, Reason::InvalidBackends, "spec.backends"),
        (
            json!({"apiVersions": {"versions": {"v1": {"upstreamPathPrefix": "/v1"}}}}),
            Accepted,
            Reason::NotSupported,
            "spec.apiVersions",
        ),
        (
            json!({"headers": modifier("Authorization", "x")}),
            Accepted,
            Reason::HeaderNotAllowed,
            "spec.headers.request",
        ),
        (json!({"headers": modifier("X_Api_Key", "x")}), Accepted, Reason::HeaderNotAllowed, "spec.headers.request"),
        (json!({"headers": modifier("x-a", "a\r\nb: c")}), Accepted, Reason::InvalidHeader, "spec.headers.request"),
        (
            json!({"headers": {"response": {"add": [{"name": "X-A", "value": "1"}, {"name": "x-a", "value": "2"}]}}}),
            Accepted,
            Reason::InvalidHeader,
            "spec.headers.response.add[1].name",
        ),
        (json!({"cors": {"allowOrigins": ["shop.example"]}}), Accepted, Reason::InvalidCors, "spec.cors"),
        (json!({"timeouts": {"request": "0s"}}), Accepted, Reason::InvalidTimeout, "spec.timeouts.request"),
        (json!({"backends": ["orders", "stock"]}), ResolvedRefs, Reason::BackendNotGranted, "spec.backends[1]"),
        (json!({"backend": "nonsense"}), ResolvedRefs, Reason::BackendNotFound, "spec.backend"),
        (json!({"backend": "Orders"}), ResolvedRefs, Reason::BackendNotFound, "spec.backend"),
        (
            json!({"authentication": {"providers": [{"name": "people"}]}}),
            ResolvedRefs,
            Reason::ProviderNotFound,
            "spec.authentication.providers[0]",
        ),
    ] {
        let outcome = shop().route("demo-a/internal", spec.clone()).with_keys().compile();
        let condition = outcome.assert_only("ProxyRoute demo-a/internal", type_, reason);
        assert_eq!(condition.field.as_deref(), Some(field), "{spec}");
        assert_eq!(outcome.has_config("demo-a/fr-api"), type_ == ResolvedRefs, "{spec}");
    }
}

/// What is granted goes on beside what is not: the call to the rest is refused by the caller's own sidecar.
#[test]
fn ungranted_backend_is_known_and_refused() {
    let outcome = shop().route("demo-a/internal", json!({"backends": ["orders", "stock"]})).with_keys().compile();
    let outbound = outbound(&outcome);
    assert!(outbound.names.contains_key("stock") && outbound.targets.contains_key("stock.demo"));
    assert_eq!(outbound.accounts["fr-api"].targets, set(&["orders.demo"]));
}

/// Requirement 3.3: unknown is 404, elsewhere is 400.
#[test]
fn backend_elsewhere_is_known_without_target() {
    let outcome = Scene::new()
        .account("demo-a/fr-api", json!({"apps": ["orders", "stock"]}))
        .app("prod-a/orders", json!({}))
        .app("demo-a/stock", json!({}))
        .route("demo-a/internal", json!({"backends": ["orders", "nowhere"]}))
        .route("demo-a/any", json!({"backends": ["*"], "pathPrefix": "/any"}))
        .with_keys()
        .compile();
    let condition = outcome.assert_only("ProxyRoute demo-a/internal", ResolvedRefs, Reason::BackendNotInEnvironment);
    assert!(condition.message.starts_with("Invalid backend environment: orders, demo; "), "{}", condition.message);
    let outbound = outbound(&outcome);
    assert!(!outbound.names.contains_key("nowhere"));
    assert!(outbound.names["orders"].is_empty());
    assert_eq!(outbound.targets.keys().collect::<Vec<_>>(), ["stock.demo"]);
}

#[test]
fn unaccepted_app_is_named_as_the_cause() {
    let outcome = Scene::new()
        .account("demo-a/fr-api", json!({}))
        .app("demo-a/orders", json!({"login": {}}))
        .route("demo-a/internal", json!({}))
        .with_keys()
        .compile();
    let condition = outcome.condition(Kind::ProxyRoute, "demo-a/internal", ResolvedRefs).unwrap();
    assert_eq!(condition.reason, Reason::BackendNotFound);
    assert!(condition.message.contains("demo-a/orders, which is not accepted"), "{}", condition.message);
}

#[test]
fn older_route_keeps_its_prefix() {
    let created = |at: &str| json!({"createdAt": at, "backends": ["*"]});
    let outcome = shop()
        .route("demo-a/a", created("2026-01-02T00:00:00Z"))
        .route("demo-a/b", created("2026-01-01T00:00:00Z"))
        .with_keys()
        .compile();
    let condition = outcome.assert_only("ProxyRoute demo-a/a", Accepted, Reason::PathConflict);
    assert!(condition.message.contains("demo-a/b"), "{}", condition.message);
    assert_eq!(outbound(&outcome).routes.len(), 1);
    assert_eq!(outbound(&outcome).routes[0].name, "b");
}

/// The same prefix on the other listener, and the same prefix of another app, are other places. A route that is
/// refused by itself holds no place.
#[test]
fn prefix_is_taken_per_listener_and_app() {
    let open = json!({"exposure": "Pod", "authentication": {"anonymous": "Allow"}});
    let other = json!({"proxyApp": "eu-api", "serviceAccountRef": {"name": "eu-api"}});
    let outcome = shop()
        .account("demo-a/eu-api", json!({"proxyApp": "eu-api"}))
        .route("demo-a/loopback", json!({}))
        .route("demo-a/exposed", open)
        .route("demo-a/other", other)
        .route("demo-a/a-refused", json!({"timeouts": {"idle": "0s"}}))
        .with_keys()
        .compile();
    assert_eq!(outcome.problems(), ["ProxyRoute demo-a/a-refused Accepted InvalidTimeout"]);
    assert_eq!(outbound(&outcome).routes.len(), 2);
}

#[test]
fn missing_provider_lets_nobody_in_instead() {
    let authentication = json!({"providers": [{"name": "gone"}, {"name": "people"}]});
    let outcome = shop()
        .secret("demo-a/people", &[])
        .provider("demo-a/people", json!({}))
        .provider("demo-b/gone", json!({}))
        .secret("demo-b/people", &[])
        .route("demo-a/internal", json!({"exposure": "Pod", "authentication": authentication}))
        .with_keys()
        .compile();
    outcome.assert_only("ProxyRoute demo-a/internal", ResolvedRefs, Reason::ProviderNotFound);
    let authentication = outbound(&outcome).routes[0].authentication.as_ref().unwrap();
    assert_eq!(authentication.providers, ["people"]);
    assert_eq!(authentication.anonymous_authorities, None);
    assert_eq!(outcome.config("demo-a/fr-api").providers.keys().collect::<Vec<_>>(), ["people"]);
}

#[test]
fn anonymous_has_default_and_own_authorities() {
    for (authentication, expected) in [
        (json!({"anonymous": "Allow"}), Some(set(&["ROLE_ANONYMOUS"]))),
        (json!({"anonymous": "Allow", "anonymousAuthorities": ["ROLE_GUEST"]}), Some(set(&["ROLE_GUEST"]))),
        (json!({"anonymous": "Allow", "anonymousAuthorities": []}), Some(set(&[]))),
        (json!({"anonymousAuthorities": ["ROLE_GUEST"]}), None),
    ] {
        let outcome = shop().route("demo-a/internal", json!({"authentication": authentication})).with_keys().compile();
        let found = outbound(&outcome).routes[0].authentication.as_ref().unwrap();
        assert_eq!(found.anonymous_authorities, expected, "{authentication}");
    }
}

#[test]
fn settings_of_a_route_arrive() {
    let spec = json!({
        "enabled": false, "pathPrefix": "/", "upstreamPathPrefix": "/api", "backend": "orders_api",
        "allowUserless": true, "cors": {}, "timeouts": {"connect": "250ms"}, "retries": {"attempts": 3},
        "headers": {"request": {"set": [{"name": "X-A", "value": "1"}], "remove": ["X-B"]}},
    });
    let outcome = shop().route("demo-a/root", spec).with_keys().compile();
    outcome.assert_clean();
    let route = &outbound(&outcome).routes[0];
    assert!(!route.enabled && route.allow_userless && !route.exposed);
    assert_eq!((route.path_prefix.as_str(), route.upstream_path_prefix.as_str()), ("", "/api"));
    assert_eq!(route.backends, Backends::One("orders_api".to_owned()));
    let cors = route.cors.as_ref().unwrap();
    assert!(cors.allow_origins.is_none() && cors.allow_credentials && cors.max_age_seconds == 3600);
    assert_eq!((route.timeouts.connect_ms, route.timeouts.request_ms), (250, 60_000));
    assert_eq!(route.headers.request.set["x-a"], "1");
    assert_eq!(route.headers.request.remove, set(&["x-b"]));
}

/// Requirement 3.2: the environment comes from the path only where label, account and callee agree.
#[test]
fn path_chooses_among_granted_environments() {
    let accepting = json!({"accepts": [{"proxyApp": "fr-api", "environments": ["demo"]}]});
    let scene = Scene::new()
        .app("demo-a/orders", json!({}))
        .app("prod-a/orders", accepting)
        .namespace("staging-a", &[("crosscall.dev/env", "staging")])
        .app("staging-a/orders", json!({}))
        .account("demo-x/fr-api", json!({"environments": ["demo", "prod", "staging"]}))
        .route("demo-x/any", json!({"backends": ["orders"], "environmentSelection": "FromPath"}));
    let outcome = scene.with_keys().compile();
    let outbound = outcome.config("demo-x/fr-api").outbound.as_ref().unwrap();
    assert_eq!(outbound.routes[0].environment_selection, EnvironmentSelection::FromPath);
    assert_eq!(outbound.accounts["fr-api"].targets, set(&["orders.demo", "orders.prod"]));
    assert_eq!(outbound.names["orders"].len(), 3);
    assert_eq!(outcome.problems(), ["ProxyServiceAccount demo-x/fr-api PermissionsGranted NotAccepted"]);
}

/// An alias that is another app's name elsewhere does not widen a route that did not name it.
#[test]
fn foreign_alias_never_widens_a_route() {
    let taking = |aliases: Value| json!({"aliases": aliases, "accepts": [{"proxyApp": "fr-api", "environments": ["demo", "prod"]}]});
    let outcome = Scene::new()
        .app("demo-a/orders", taking(json!(["both", "mine"])))
        .app("prod-a/orders", taking(json!([])))
        .app("prod-a/vault", taking(json!(["both"])))
        .account("demo-x/fr-api", json!({"apps": ["orders", "vault"]}))
        .route("demo-x/any", json!({"backends": ["orders"], "environmentSelection": "FromPath"}))
        .with_keys()
        .compile();
    let outbound = outcome.config("demo-x/fr-api").outbound.as_ref().unwrap();
    assert_eq!(outbound.routes[0].backends, Backends::Named(set(&["orders", "mine"])));
}

#[test]
fn from_path_needs_a_list_of_backends() {
    let outcome = Scene::new()
        .account("demo-x/fr-api", json!({}))
        .route("demo-x/any", json!({"backend": "orders", "environmentSelection": "FromPath"}))
        .with_keys()
        .compile();
    outcome.assert_only("ProxyRoute demo-x/any", Accepted, Reason::InvalidBackends);
}

#[test]
fn account_outside_its_environment_reaches_nothing() {
    let outcome = Scene::new()
        .account("demo-a/fr-api", json!({"environments": ["prod"]}))
        .app("demo-a/orders", json!({}))
        .route("demo-a/internal", json!({}))
        .with_keys()
        .compile();
    let condition = outcome.assert_only("ProxyRoute demo-a/internal", ResolvedRefs, Reason::BackendNotGranted);
    assert!(condition.message.contains("demo is not in spec.environments"), "{}", condition.message);
    assert!(outbound(&outcome).accounts["fr-api"].targets.is_empty());
}

/// Threat K1: an account of another namespace is not there.
#[test]
fn account_of_another_namespace_is_not_found() {
    let outcome = shop().route("demo-b/internal", json!({})).with_keys().compile();
    let condition = outcome.assert_only("ProxyRoute demo-b/internal", ResolvedRefs, Reason::ServiceAccountNotFound);
    assert!(condition.message.contains("fr-api in namespace demo-b"), "{}", condition.message);
}
