//! The main job, on the example that people start from.

use serde_json::json;
use system_tests::call::Call;

use crate::shop::{ACCOUNT, PASSWORD, Shop};

#[test]
fn internal_call_arrives_with_identity() {
    let shop = Shop::start();
    let response = shop.internal(&Call::get("/internal/orders/v1/list?a=%20b&a=2"));
    assert_eq!((response.status, response.text().as_str()), (200, "recorded"));
    let seen = shop.orders.next();
    assert_eq!(seen.target, "/api/internal/v1/list?a=%20b&a=2");
    assert_eq!(seen.header("x-crosscall-subject"), ACCOUNT);
    // The account's own roles are honoured only where the app lists them.
    assert_eq!(seen.header("x-crosscall-authorities"), "");
    assert_eq!(seen.header("x-crosscall-permissions"), "use_proxied_only_endpoints");
    assert_eq!(seen.header("x-crosscall-env"), "local");
    assert_eq!(seen.header("x-forwarded-proto"), "http");
    assert_eq!(response.header("x-request-id"), Some(seen.header("x-request-id")));
}

#[test]
fn alias_and_id_reach_one_app() {
    let shop = Shop::start();
    for name in ["orders", "orders_api", "orders-api"] {
        assert_eq!(shop.internal(&Call::get(&format!("/internal/{name}/x"))).status, 200, "{name}");
        assert_eq!(shop.orders.next().target, "/api/internal/x", "{name}");
    }
    for name in ["Orders", "ORDERS_API", "ordersapi"] {
        shop.internal(&Call::get(&format!("/internal/{name}/x"))).assert_problem(404, "unknown_backend");
    }
    shop.orders.assert_untouched();
}

#[test]
fn path_at_the_prefix_is_root() {
    let shop = Shop::start();
    for target in ["/internal/orders", "/internal/orders/"] {
        assert_eq!(shop.internal(&Call::get(target)).status, 200);
        assert_eq!(shop.orders.next().target, "/api/internal/", "{target}");
    }
}

#[test]
fn app_without_sidecar_gets_the_token() {
    let shop = Shop::start();
    assert_eq!(shop.internal(&Call::get("/internal/stock/levels")).status, 200);
    let seen = shop.stock.next();
    assert_eq!(seen.target, "/api/internal/levels");
    let token = seen.header("authorization").strip_prefix("Bearer ").unwrap();
    assert_eq!(token.split('.').count(), 3, "{token}");
}

#[test]
fn user_is_named_to_the_app() {
    let shop = Shop::start();
    let response = shop.exposed(&Call::get("/proxy/orders/list").basic("Alice", PASSWORD));
    assert_eq!(response.status, 200, "{}", response.text());
    let seen = shop.orders.next();
    assert_eq!(seen.target, "/api/public/list");
    assert_eq!(seen.header("x-crosscall-subject"), "Alice");
    assert_eq!(seen.header("x-crosscall-actor"), ACCOUNT);
    let mut authorities: Vec<&str> = seen.header("x-crosscall-authorities").split(',').map(str::trim).collect();
    authorities.sort_unstable();
    assert_eq!(authorities, ["ROLE_USER", "ROLE_WONDERLAND"]);
}

/// Threat J7: anonymous is one fixed name with configured authorities.
#[test]
fn nobody_is_the_anonymous_user() {
    let shop = Shop::start();
    assert_eq!(shop.exposed(&Call::get("/proxy/orders/list")).status, 200);
    let seen = shop.orders.next();
    assert_eq!(seen.header("x-crosscall-subject"), "anonymousUser");
    assert_eq!(seen.header("x-crosscall-authorities"), "ROLE_ANONYMOUS");
}

#[test]
fn wrong_password_is_never_anonymous() {
    let shop = Shop::start();
    for (user, password) in [("Alice", "wrong"), ("Nobody", PASSWORD), ("alice", PASSWORD), ("Alice", "")] {
        let response = shop.exposed(&Call::get("/proxy/orders/list").basic(user, password));
        response.assert_problem(401, "invalid_credentials");
        let challenge = response.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Basic "), "{challenge}");
    }
    shop.orders.assert_untouched();
}

#[test]
fn disabled_route_answers_not_implemented() {
    let shop = Shop::start();
    for target in ["/legacy/orders/x", "/legacy/nowhere/x", "/legacy"] {
        let response = shop.internal(&Call::get(target));
        assert_eq!(response.status, 501, "{target}");
        assert!(response.text().contains("The proxy is disabled."), "{}", response.text());
    }
    shop.orders.assert_untouched();
}

#[test]
fn unknown_names_are_not_found() {
    let shop = Shop::start();
    shop.internal(&Call::get("/internal/nowhere/x")).assert_problem(404, "unknown_backend");
    shop.internal(&Call::get("/internal")).assert_problem(404, "unknown_backend");
    shop.internal(&Call::get("/elsewhere/orders/x")).assert_problem(404, "unknown_route");
    shop.internal(&Call::get("/internals/orders/x")).assert_problem(404, "unknown_route");
    shop.exposed(&Call::get("/proxy/stock/x")).assert_problem(404, "unknown_backend");
    shop.orders.assert_untouched();
    shop.stock.assert_untouched();
}

#[test]
fn routes_keep_to_their_listener() {
    let shop = Shop::start();
    assert_eq!(shop.exposed(&Call::get("/internal/orders/x")).status, 404);
    assert_eq!(shop.exposed(&Call::get("/legacy/orders/x")).status, 404);
    assert_eq!(shop.internal(&Call::get("/proxy/orders/x")).status, 404);
    shop.orders.assert_untouched();
}

#[test]
fn call_around_the_mechanism_is_refused() {
    let shop = Shop::start();
    let response = shop.direct(&Call::get("/api/internal/x"));
    response.assert_problem(401, "unauthenticated");
    assert!(response.header("www-authenticate").unwrap().starts_with("Bearer"));
    shop.direct(&Call::get("/api/public/x")).assert_problem(401, "unauthenticated");
    shop.direct(&Call::get("/api/public/x").basic("Alice", PASSWORD)).assert_problem(401, "invalid_credentials");
    shop.orders.assert_untouched();
}

#[test]
fn public_endpoint_takes_everybody() {
    let shop = Shop::start();
    assert_eq!(shop.direct(&Call::get("/healthz")).status, 200);
    let seen = shop.orders.next();
    assert_eq!(seen.target, "/healthz");
    assert_eq!(seen.values("x-crosscall-subject"), [""; 0]);
}

#[test]
fn what_no_rule_matches_is_denied() {
    let shop = Shop::start();
    // The route's own prefix leads to a rule, but not with this method.
    let response = shop.exposed(&Call::new("DELETE", "/proxy/orders/list").basic("Alice", PASSWORD));
    response.assert_problem(403, "no_endpoint");
    assert_eq!(shop.direct(&Call::get("/api/other")).status, 401);
    assert_eq!(shop.direct(&Call::get("/healthz/x")).status, 401);
    shop.orders.assert_untouched();
}

#[test]
fn denials_stand_in_log_and_metrics() {
    let shop = Shop::start();
    let call = Call::get("/proxy/orders/list?q=hidden").basic("Alice", "wrong").header("X-Request-ID", "denied-1");
    assert_eq!(shop.exposed(&call).status, 401);
    let line = shop.crosscall.logged("denied-1", "exposed");
    assert_eq!((&line["status"], &line["code"]), (&json!(401), &json!("invalid_credentials")), "{line}");
    assert_eq!((&line["path"], &line["method"]), (&json!("/proxy/orders/list"), &json!("GET")), "{line}");
    let denied = |code: &str| shop.crosscall.metric("crosscall_denials_total", &[&format!("code=\"{code}\"")]);
    assert!(denied("invalid_credentials") >= 1.0, "{}", shop.crosscall.metrics());
    assert!(denied("permission_missing") < 1.0);
}

#[test]
fn one_request_id_joins_both_sides() {
    let shop = Shop::start();
    let call = Call::get("/proxy/orders/list").basic("Alice", PASSWORD).header("X-Request-ID", "joined-1");
    assert_eq!(shop.exposed(&call).header("x-request-id"), Some("joined-1"));
    assert_eq!(shop.orders.next().header("x-request-id"), "joined-1");
    let (out, inside) = (shop.crosscall.logged("joined-1", "exposed"), shop.crosscall.logged("joined-1", "inbound"));
    for (line, app) in [(&out, "fr-api"), (&inside, "orders")] {
        assert_eq!(
            (&line["app"], &line["status"], &line["user"]),
            (&json!(app), &json!(200), &json!("Alice")),
            "{line}"
        );
        assert!(line["duration_us"].is_u64(), "{line}");
    }
    assert_eq!(out["route"], "public", "{out}");
}

#[test]
fn admin_shows_health_keys_and_config() {
    let shop = Shop::start();
    assert_eq!(shop.crosscall.admin("/healthz").status, 200);
    let keys = shop.crosscall.admin("/.well-known/jwks.json").json();
    let [key] = keys["keys"].as_array().unwrap().as_slice() else { panic!("one account, one key: {keys}") };
    assert_eq!((&key["kty"], &key["alg"]), (&json!("RSA"), &json!("RS512")), "{key}");
    for private in ["d", "p", "q", "dp", "dq", "qi"] {
        assert!(key.get(private).is_none(), "{private} of a private key is shown");
    }
    let config = shop.crosscall.admin("/config").text();
    assert!(config.contains("/api/internal") && !config.contains("PRIVATE KEY") && !config.contains("$2b$10"));
}

/// Threat R2: the admin endpoints have a listener of their own.
#[test]
fn callers_never_reach_the_admin() {
    let shop = Shop::start();
    for path in ["/config", "/metrics", "/readyz", "/.well-known/jwks.json"] {
        assert_eq!(shop.internal(&Call::get(path)).status, 404, "{path}");
        assert_eq!(shop.exposed(&Call::get(path)).status, 404, "{path}");
        assert_eq!(shop.direct(&Call::get(path)).status, 401, "{path}");
    }
}
