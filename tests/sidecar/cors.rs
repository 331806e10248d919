//! Cross-origin resource sharing, answered by the sidecar.

use serde_json::json;
use system_tests::answer::Answer;
use system_tests::call::{Call, Response};
use system_tests::crosscall::{Crosscall, Serve};
use system_tests::manifest::{Manifest, file};
use system_tests::recorder::{Recorded, Recorder};
use system_tests::wire::values;

use crate::shop::{PASSWORD, Shop};

const SHOP: &str = "https://shop.example";
const EVIL: &str = "https://evil.example";

/// A route that lets only [`SHOP`] in.
fn listed(app: &Recorder) -> Crosscall {
    let cors = json!({"allowOrigins": [SHOP], "allowMethods": ["GET"], "allowHeaders": ["x-shop"]});
    let route = Manifest::exposed("shop-local", "fr-api", "proxy", &["orders"], json!({"anonymous": "Allow"}));
    let manifests = file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::account("shop-local", "fr-api", &["orders"]),
        route.with("/cors", cors),
        Manifest::direct_app("shop-local", "orders", app.port()),
    ]);
    Serve::new(manifests).start()
}

#[track_caller]
fn assert_varies(response: &Response) {
    let vary = values(&response.fields, "vary").join(",").to_ascii_lowercase();
    assert!(vary.split(',').any(|name| name.trim() == "origin"), "Vary: {vary}");
}

/// Threat H6: a preflight is answered from the configuration and never reaches the app.
#[test]
fn preflight_never_reaches_the_app() {
    let shop = Shop::start();
    let call = Call::preflight("/proxy/orders/list", SHOP, "PUT").header("Access-Control-Request-Headers", "x-a,x-b");
    let response = shop.exposed(&call);
    assert_eq!(response.status / 100, 2);
    assert_eq!(response.header("access-control-allow-origin"), Some(SHOP));
    assert_eq!(response.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(response.header("access-control-allow-methods"), Some("PUT"));
    assert_eq!(response.header("access-control-allow-headers"), Some("x-a,x-b"));
    assert!(response.body.is_empty());
    assert_varies(&response);
    shop.orders.assert_untouched();
}

#[test]
fn refusals_carry_cors_headers() {
    let shop = Shop::start();
    let wrong = Call::get("/proxy/orders/list").header("Origin", SHOP).basic("Alice", "wrong");
    let unknown = Call::get("/proxy/nowhere/list").header("Origin", SHOP).basic("Alice", PASSWORD);
    for (call, status, code) in [(wrong, 401, "invalid_credentials"), (unknown, 404, "unknown_backend")] {
        let response = shop.exposed(&call);
        response.assert_problem(status, code);
        assert_eq!(response.header("access-control-allow-origin"), Some(SHOP));
        assert_eq!(response.header("access-control-allow-credentials"), Some("true"));
        assert_varies(&response);
    }
}

/// Threat H6: what the app says about origins is replaced.
#[test]
fn cors_of_the_app_is_replaced() {
    let shop = Shop::answering(|_: &Recorded| {
        Answer::ok("x")
            .header("Access-Control-Allow-Origin", "*")
            .header("Access-Control-Allow-Origin", EVIL)
            .header("Access-Control-Allow-Credentials", "true")
            .header("Vary", "Accept")
    });
    let response = shop.exposed(&Call::get("/proxy/orders/x").header("Origin", SHOP));
    assert_eq!(response.header("access-control-allow-origin"), Some(SHOP));
    assert_eq!(response.header("access-control-allow-credentials"), Some("true"));
    let without = shop.exposed(&Call::get("/proxy/orders/x"));
    assert_eq!(without.header("access-control-allow-origin"), None);
    for kept in [&response, &without] {
        let vary = values(&kept.fields, "vary").join(", ");
        assert!(vary.contains("Accept"), "the app's own Vary is lost: {vary}");
    }
}

/// Threat H6: `Origin: null`, several origins and never `*` together with credentials.
#[test]
fn foreign_origins_read_nothing() {
    let orders = Recorder::start();
    let crosscall = listed(&orders);
    let exposed = crosscall.exposed("fr-api");
    for origin in
        [EVIL, "null", "https://shop.example.evil.example", "http://shop.example", "https://SHOP.example", "*", ""]
    {
        let response = Call::get("/proxy/orders/x").header("Origin", origin).to(exposed);
        assert_eq!(response.header("access-control-allow-origin"), None, "{origin}");
        assert_varies(&response);
        let preflight = Call::preflight("/proxy/orders/x", origin, "GET").to(exposed);
        assert_eq!(preflight.header("access-control-allow-origin"), None, "{origin}");
        assert_varies(&preflight);
    }
    let twice = Call::get("/proxy/orders/x").header("Origin", SHOP).header("Origin", EVIL).to(exposed);
    assert_eq!(twice.header("access-control-allow-origin"), None);
    assert!(orders.seen().iter().all(|seen| seen.method == "GET"), "a preflight reached the app");
}

#[test]
fn listed_origin_is_let_in() {
    let orders = Recorder::start();
    let crosscall = listed(&orders);
    let preflight = |method: &str, header: &str| {
        let call = Call::preflight("/proxy/orders/x", SHOP, method).header("Access-Control-Request-Headers", header);
        call.to(crosscall.exposed("fr-api"))
    };
    let good = preflight("GET", "x-shop");
    assert_eq!(good.header("access-control-allow-origin"), Some(SHOP));
    assert_eq!(good.header("access-control-allow-headers").map(str::to_ascii_lowercase).as_deref(), Some("x-shop"));
    assert_eq!(
        preflight("DELETE", "x-shop").header("access-control-allow-methods").filter(|it| it.contains("DELETE")),
        None
    );
    orders.assert_untouched();
    let actual = Call::get("/proxy/orders/x").header("Origin", SHOP).to(crosscall.exposed("fr-api"));
    assert_eq!(actual.header("access-control-allow-origin"), Some(SHOP));
    assert_varies(&actual);
}

/// Threat H6: a preflight for a path that no route serves allows nothing.
#[test]
fn preflight_elsewhere_allows_nothing() {
    let shop = Shop::start();
    for target in ["/elsewhere/orders/x", "/internal/orders/x", "/"] {
        let response = shop.exposed(&Call::preflight(target, EVIL, "GET"));
        assert_eq!(response.header("access-control-allow-origin"), None, "{target}");
    }
    // The loopback route has no `cors`, so this is a plain OPTIONS call of the app.
    assert_eq!(shop.internal(&Call::preflight("/internal/orders/x", SHOP, "GET")).status, 200);
    assert_eq!(shop.orders.next().method, "OPTIONS");
}
