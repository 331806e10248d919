//! Who a caller is taken for, and what an account may.

use serde_json::json;
use system_tests::call::Call;
use system_tests::crosscall::Serve;
use system_tests::manifest::{Manifest, file, refused};
use system_tests::recorder::Recorder;

use crate::shop::{PASSWORD, Shop};

/// Alice and her password, encoded.
const ALICE: &str = "Basic QWxpY2U6YWJjZGVmMTIzNDU2";

/// Threat J7: credentials that are there but empty, broken or doubled are bad ones, never none.
#[test]
fn broken_credentials_are_never_anonymous() {
    let shop = Shop::start();
    for value in [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "Basic",
        "Basic ",
        "Basic Og==",
        "Basic =",
        "Basic !!!!",
        "Basic QWxpY2U=",
        "Basic OmFiY2RlZjEyMzQ1Ng==",
        "Bearer undefined",
        "Bearer null",
        "Bearer .",
        "Digest username=\"Alice\"",
        "Negotiate x",
        "QWxpY2U6YWJjZGVmMTIzNDU2",
        "Basic QWxpY2U6YWJjZGVmMTIzNDU2,",
        "Basic QWxpY2U6YWJjZGVmMTIzNDU2 x",
        "None",
        "Anonymous",
        "Bearer anonymousUser",
        "Basic YW5vbnltb3VzVXNlcjo=",
        "Basic YW5vbnltb3VzVXNlcjphbm9ueW1vdXNVc2Vy",
    ] {
        let response = shop.exposed(&Call::get("/proxy/orders/x").header("Authorization", value));
        assert_eq!(response.status, 401, "{value:?}: {}", response.text());
        assert!(response.header("www-authenticate").is_some(), "{value:?}");
        let response = shop.direct(&Call::get("/api/public/x").header("Authorization", value));
        assert_eq!(response.status, 401, "{value:?}: {}", response.text());
    }
    shop.orders.assert_untouched();
}

/// Threat J7: two `Authorization` headers are refused, whichever of them is good.
#[test]
fn two_authorization_headers_are_refused() {
    let shop = Shop::start();
    for (first, second) in
        [(ALICE, "Bearer x"), ("Bearer x", ALICE), (ALICE, ALICE), (ALICE, ""), ("", ALICE), ("", "")]
    {
        let call = Call::get("/proxy/orders/x").header("Authorization", first).header("authorization", second);
        let response = shop.exposed(&call);
        assert!(matches!(response.status, 400 | 401), "{first:?}, {second:?}: {}", response.status);
    }
    shop.orders.assert_untouched();
    assert_eq!(shop.exposed(&Call::get("/proxy/orders/x").header("Authorization", ALICE)).status, 200);
    assert_eq!(shop.orders.next().header("x-crosscall-subject"), "Alice");
}

/// Threat J7: what a caller says about its own authorities is not heard.
#[test]
fn callers_never_choose_their_authorities() {
    let shop = Shop::start();
    let call = Call::get("/proxy/orders/x?authorities=ROLE_ADMIN&user=Alice")
        .header("X-Crosscall-Subject", "Alice")
        .header("X-Crosscall-Authorities", "ROLE_ADMIN")
        .header("X-Authorities", "ROLE_ADMIN")
        .header("Cookie", "user=Alice; authorities=ROLE_ADMIN");
    assert_eq!(shop.exposed(&call).status, 200);
    let seen = shop.orders.next();
    assert_eq!(
        (seen.header("x-crosscall-subject"), seen.header("x-crosscall-authorities")),
        ("anonymousUser", "ROLE_ANONYMOUS")
    );
}

/// Threat J7: nobody is let in where `anonymous: Allow` is not written.
#[test]
fn nobody_is_refused_by_default() {
    let orders = Recorder::start();
    let manifests = file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::account("shop-local", "fr-api", &["orders"]),
        Manifest::exposed("shop-local", "fr-api", "proxy", &["orders"], json!({"providers": [{"name": "people"}]})),
        Manifest::direct_app("shop-local", "orders", orders.port()),
        Manifest::people("shop-local", "people", &["Alice"]),
        Manifest::secret("shop-local", "people", &[("Alice", &bcrypt::hash(PASSWORD, 4).unwrap())]),
    ]);
    let crosscall = Serve::new(manifests).start();
    let response = Call::get("/proxy/orders/x").to(crosscall.exposed("fr-api"));
    response.assert_problem(401, "unauthenticated");
    assert!(response.header("www-authenticate").unwrap().starts_with("Basic "));
    orders.assert_untouched();
    let response = Call::get("/proxy/orders/x").basic("Alice", PASSWORD).to(crosscall.exposed("fr-api"));
    assert_eq!(response.status, 200, "{}", response.text());
}

/// Threat J7: no person can carry a name that means something else.
#[test]
fn reserved_names_are_no_users() {
    let orders = Recorder::start();
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    let entries = ["anonymousUser", "Alice"].map(|name| (name, hash.as_str()));
    let manifests = |entries: &[(&str, &str)], roles: serde_json::Value| {
        file(&[
            Manifest::namespace("shop-local", "local"),
            Manifest::account("shop-local", "fr-api", &["orders"]),
            Manifest::exposed("shop-local", "fr-api", "proxy", &["orders"], json!({"providers": [{"name": "people"}]})),
            Manifest::app("shop-local", "orders", orders.port()),
            Manifest::people("shop-local", "people", &[]).with("/basic/roles", roles),
            Manifest::secret("shop-local", "people", entries),
        ])
    };
    let call = |user: &str| Call::get("/proxy/orders/x").basic(user, PASSWORD);
    let plain = Serve::new(manifests(&entries[1..], json!({}))).start();
    assert_eq!(call("Alice").to(plain.exposed("fr-api")).status, 200);
    assert_eq!(orders.next().header("x-crosscall-subject"), "Alice");
    match Serve::new(manifests(&entries, json!({"anonymousUser": ["ROLE_ADMIN"]}))).start_or_refuse() {
        Ok(crosscall) => assert_eq!(call("anonymousUser").to(crosscall.exposed("fr-api")).status, 401),
        Err(written) => assert!(written.contains("anonymousUser") && !written.contains("panicked"), "{written}"),
    }
    orders.assert_untouched();
}

/// Threat J8: the answer does not tell whether a user exists.
#[test]
fn unknown_users_get_the_same_answer() {
    let shop = Shop::start();
    let answer = |user: &str| {
        let call = Call::get("/proxy/orders/x").basic(user, "wrong").header("X-Request-ID", "same");
        let mut response = shop.exposed(&call);
        response.fields.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
        (response.status, response.fields.clone(), response.text())
    };
    assert_eq!(answer("Alice"), answer("Mallory"));
}

/// Threat K2b: an account cannot give itself a permission that the app does not honour from it.
#[test]
fn self_granted_permission_is_worth_nothing() {
    let orders = Recorder::start();
    let serve = Serve::new(refused("self-granted.yaml", orders.port())).environment("demo");
    let crosscall = serve.start();
    let response = Call::get("/admin/orders/x").to(crosscall.outbound("fr-api"));
    response.assert_problem(403, "permission_missing");
    orders.assert_untouched();
    let said = format!("{}{}", crosscall.stdout(), crosscall.stderr());
    assert!(said.contains("orders_admin"), "nothing says what is not granted: {said}");
}

/// Threat K2b: what both sides grant holds.
#[test]
fn permission_granted_by_both_sides_holds() {
    let orders = Recorder::start();
    let app = Manifest::app("shop-local", "orders", orders.port())
        .with("/accepts", json!([{"proxyApp": "fr-api", "permissions": ["orders_admin"]}]))
        .with("/endpoints/0/permissions", json!(["orders_admin"]));
    let manifests = |asked: &str| {
        file(&[
            Manifest::namespace("shop-local", "local"),
            Manifest::account("shop-local", "fr-api", &["orders"]).with("/permissions", json!([asked])),
            Manifest::route("shop-local", "fr-api", "here", &["orders"]),
            app.clone(),
        ])
    };
    for (asked, status) in [("orders_admin", 200), ("use_proxied_only_endpoints", 403)] {
        let crosscall = Serve::new(manifests(asked)).start();
        assert_eq!(Call::get("/here/orders/x").to(crosscall.outbound("fr-api")).status, status, "{asked}");
        assert_eq!(orders.seen().len(), usize::from(status == 200), "{asked}");
    }
}

/// Threat K2b: an app that names other callers takes nobody else.
#[test]
fn app_refuses_callers_it_does_not_name() {
    let orders = Recorder::start();
    let app = Manifest::app("shop-local", "orders", orders.port());
    let manifests = file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::account("shop-local", "fr-api", &["orders"]),
        Manifest::route("shop-local", "fr-api", "here", &["orders"]),
        app.with("/accepts", json!([{"proxyApp": "de-api"}])),
    ]);
    let crosscall = Serve::new(manifests).start();
    let response = Call::get("/here/orders/x").to(crosscall.outbound("fr-api"));
    assert!(matches!(response.status, 401 | 403 | 404), "{}", response.status);
    orders.assert_untouched();
}
