//! Where a call goes: only to the app and the environment that the configuration says.

use serde_json::json;
use system_tests::answer::Answer;
use system_tests::call::{Call, Connection};
use system_tests::canary::Canary;
use system_tests::crosscall::{Crosscall, Serve};
use system_tests::manifest::{Manifest, file};
use system_tests::recorder::{Recorded, Recorder};
use system_tests::wire::latin1;

const ENVIRONMENTS: [&str; 4] = ["local", "demo", "prod", "staging"];

/// One `orders` for each environment, and an app in `local` that may cross to `staging` alone: `prod` takes nobody from
/// outside, and the account does not list `demo`, which would take it.
struct Environments {
    crosscall: Crosscall,
    orders: Vec<Recorder>,
}

// === impl Environments ===

impl Environments {
    fn start() -> Self {
        let mut manifests = Vec::new();
        let mut orders = Vec::new();
        for environment in ENVIRONMENTS {
            let (namespace, recorder) = (format!("shop-{environment}"), Recorder::start());
            let allowed = if environment == "local" { "true" } else { "false" };
            manifests.push(
                Manifest::namespace(&namespace, environment).label("crosscall.dev/allow-cross-environment", allowed),
            );
            let app =
                Manifest::direct_app(&namespace, "orders", recorder.port()).with("/aliases", json!(["orders_api"]));
            let accepts = json!([{"proxyApp": "fr-api", "environments": ["local"]}]);
            manifests.push(if environment == "prod" { app } else { app.with("/accepts", accepts) });
            orders.push(recorder);
        }
        let account = Manifest::account("shop-local", "fr-api", &["orders"]);
        manifests.push(account.with("/environments", json!(["local", "staging", "prod"])));
        manifests.push(Manifest::route("shop-local", "fr-api", "here", &["orders"]));
        let across = Manifest::route("shop-local", "fr-api", "across", &["orders"]);
        manifests.push(across.with("/environmentSelection", "FromPath"));
        let crosscall = Serve::new(file(&manifests)).start();
        Self { crosscall, orders }
    }

    /// Calls and says where it arrived: the index of the environment, and the target.
    fn call(&self, target: &str) -> (u16, Vec<(&'static str, String)>) {
        let status = Call::get(target).to(self.crosscall.outbound("fr-api")).status;
        let arrived = self.orders.iter().zip(ENVIRONMENTS).flat_map(|(recorder, environment)| {
            recorder.seen().into_iter().map(move |seen| (environment, seen.target))
        });
        (status, arrived.collect())
    }
}

/// A name in the spellings that some reader or other takes for the same.
fn spellings(name: &str) -> Vec<String> {
    let full_width: String = name.chars().map(|c| char::from_u32(c as u32 + 0xfee0).unwrap()).collect();
    let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let escaped_wide: String = full_width.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let (first, rest) = name.split_at(1);
    vec![
        name.to_owned(),
        name.to_ascii_uppercase(),
        format!("{}{rest}", first.to_ascii_uppercase()),
        format!("%{:02x}{rest}", first.as_bytes()[0]),
        format!("%25{:02x}{rest}", first.as_bytes()[0]),
        encoded,
        latin1(full_width.as_bytes()),
        escaped_wide,
        format!("{name}."),
        format!("{name}%20"),
        format!("%20{name}"),
        format!("{name};x"),
        format!("{name};"),
        format!("{name}%00"),
        format!("{name}%2f"),
        format!("{name}%2F..%2F{name}"),
        format!("{name}%0a"),
        format!("{name}%09"),
        format!("{name}%c2%a0"),
        format!("{name}\u{ad}"),
        format!("x/../{name}"),
        format!("x/%2e%2e/{name}"),
        format!("./{name}"),
        format!("/{name}"),
        format!("{name}@local"),
        format!("{name}:80"),
        format!("{name}?env={name}"),
        format!("{name}#"),
        format!("{name}*"),
        format!("*{name}"),
        "*".to_owned(),
    ]
}

/// Threat R1: with `environmentSelection: Current` nothing in the request changes the environment.
#[test]
fn no_spelling_leaves_the_environment() {
    let environments = Environments::start();
    let mut arrived_here = 0;
    for name in ENVIRONMENTS.iter().flat_map(|name| spellings(name)) {
        for target in [
            format!("/here/orders/{name}/x"),
            format!("/here/orders.{name}/x"),
            format!("/here/{name}/orders/x"),
            format!("/here/orders_api/x?env={name}"),
        ] {
            let (status, arrived) = environments.call(&target);
            let expected = target.strip_prefix("/here/orders_api").or_else(|| target.strip_prefix("/here/orders"));
            match arrived.as_slice() {
                [] => assert!((400..500).contains(&status), "{target:?}: {status}"),
                [("local", path)] => {
                    assert_eq!(Some(path.as_str()), expected, "bytes change on the way");
                    arrived_here += 1;
                }
                elsewhere => panic!("{target:?} reached {elsewhere:?}"),
            }
        }
    }
    assert!(arrived_here > 2 * ENVIRONMENTS.len(), "only {arrived_here} calls arrived at all");
}

/// Threat R1: headers do not choose an environment either.
#[test]
fn no_header_chooses_the_environment() {
    let environments = Environments::start();
    let names =
        ["X-Env", "X-Environment", "X-Crosscall-Env", "Crosscall-Env", "X-Forwarded-Host", "Host", "X-Original-URL"];
    for (name, value) in
        names.iter().flat_map(|name| ["prod", "orders.prod", "/here/orders/prod"].map(|value| (*name, value)))
    {
        let _ = Call::get("/here/orders/x").header(name, value).to(environments.crosscall.outbound("fr-api"));
        for (recorder, environment) in environments.orders.iter().zip(ENVIRONMENTS).skip(1) {
            assert!(recorder.seen().is_empty(), "{name}: {value} reached {environment}");
        }
    }
}

/// Threat R1: a route may name the environment in the path only where both sides and the label allow it.
#[test]
fn crossing_needs_both_sides() {
    let environments = Environments::start();
    let own = environments.call("/across/orders/local/x/y?z");
    assert_eq!(own, (200, vec![("local", "/x/y?z".to_owned())]));
    let granted = environments.call("/across/orders/staging/x/y?z");
    assert_eq!(granted, (200, vec![("staging", "/x/y?z".to_owned())]));
    for name in ENVIRONMENTS.iter().flat_map(|name| spellings(name)) {
        let (status, arrived) = environments.call(&format!("/across/orders/{name}/x"));
        match arrived.as_slice() {
            [] => assert!((400..500).contains(&status), "{name:?}: {status}"),
            [(environment @ ("local" | "staging"), _)] => {
                let plain = name == *environment || name == format!("{environment}?env={environment}");
                assert!(plain, "{name:?} is not the name of {environment}");
            }
            elsewhere => panic!("{name:?} reached {elsewhere:?}"),
        }
    }
}

#[test]
fn unknown_environment_is_named_back() {
    let environments = Environments::start();
    let response = Call::get("/across/orders/qa/x").to(environments.crosscall.outbound("fr-api"));
    response.assert_problem(400, "invalid_environment");
    assert!(response.text().contains("Invalid backend environment: orders, qa"), "{}", response.text());
}

/// Threat R3: the backend segment is looked up as it stands and never becomes a host.
#[test]
fn no_part_becomes_a_host() {
    let (orders, canary) = (Recorder::start(), Canary::start());
    let crosscall = Serve::new(file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::account("shop-local", "fr-api", &["orders"]),
        Manifest::route("shop-local", "fr-api", "here", &["*"]),
        Manifest::direct_app("shop-local", "orders", orders.port()),
    ]));
    let crosscall = crosscall.start();
    let (evil, port) = (canary.address(), canary.address().port());
    let backends = [
        format!("{evil}"),
        format!("orders@{evil}"),
        format!("orders:{port}"),
        format!("orders%40{evil}"),
        format!("/{evil}"),
        format!("//{evil}"),
        format!("http://{evil}"),
        format!("http:%2f%2f{evil}"),
        format!("http%3A%2F%2F{evil}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("localhost:{port}"),
        format!("0x7f000001:{port}"),
        format!("orders#@{evil}"),
        format!("orders?@{evil}"),
        format!("orders\\@{evil}"),
        format!("orders.{evil}"),
        "%6frders".to_owned(),
        "orders%00".to_owned(),
        "orders.".to_owned(),
        "[::1]".to_owned(),
        "169.254.169.254".to_owned(),
        "metadata.google.internal".to_owned(),
        "kubernetes.default.svc".to_owned(),
    ];
    for backend in &backends {
        let target = format!("/here/{backend}/x");
        let response = Call::get(&target).to(crosscall.outbound("fr-api"));
        if backend.starts_with("orders?") {
            assert_eq!((response.status, orders.next().target), (200, format!("/?@{evil}/x")));
        } else {
            assert!((400..500).contains(&response.status), "{target}: {}", response.status);
        }
    }
    assert_eq!(canary.hits(), 0, "a path became a host");
    orders.assert_untouched();
}

/// Threat R3: absolute-form, authority-form and a foreign `Host` lead nowhere else.
#[test]
fn target_forms_lead_nowhere_else() {
    let (orders, canary) = (Recorder::start(), Canary::start());
    let manifests = file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::account("shop-local", "fr-api", &["orders"]),
        Manifest::route("shop-local", "fr-api", "here", &["orders"]),
        Manifest::direct_app("shop-local", "orders", orders.port()),
    ]);
    let crosscall = Serve::new(manifests).start();
    let address = crosscall.outbound("fr-api");
    let evil = canary.address();
    for line in [
        format!("GET http://{evil}/here/orders/x HTTP/1.1"),
        format!("GET http://{address}/here/orders/x HTTP/1.1"),
        format!("GET HTTP://user@{evil}/here/orders/x HTTP/1.1"),
        format!("CONNECT {evil} HTTP/1.1"),
        format!("CONNECT {address} HTTP/1.1"),
        "OPTIONS * HTTP/1.1".to_owned(),
        format!("GET {evil} HTTP/1.1"),
        "GET orders/x HTTP/1.1".to_owned(),
        "TRACE /here/orders/x HTTP/1.1".to_owned(),
    ] {
        let mut connection = Connection::open(address);
        connection.send(format!("{line}\r\nHost: {address}\r\n\r\n").as_bytes());
        let status = connection.try_response("GET").map(|response| response.status);
        assert!(status.as_ref().map_or(true, |status| matches!(status, 400 | 404 | 405)), "{line}: {status:?}");
    }
    orders.assert_untouched();
    let response = Call::get("/here/orders/x").header("Host", &evil.to_string()).to(address);
    assert_eq!(response.status, 200);
    assert_ne!(orders.next().header("host"), evil.to_string(), "the caller chooses the Host");
    assert_eq!(canary.hits(), 0);
}

/// Threat R5: redirects go back to the caller, and none is followed.
#[test]
fn redirects_are_never_followed() {
    let canary = Canary::start();
    let evil = format!("http://{}/steal", canary.address());
    let location = evil.clone();
    let stock = Recorder::answering(move |request: &Recorded| {
        let status = request.target.rsplit('/').next().and_then(|it| it.parse().ok()).unwrap();
        Answer::status(status).header("Location", &location)
    });
    let manifests = file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::account("shop-local", "fr-api", &["stock"]),
        Manifest::route("shop-local", "fr-api", "here", &["stock"]),
        Manifest::direct_app("shop-local", "stock", stock.port()),
    ]);
    let crosscall = Serve::new(manifests).start();
    for status in [301, 302, 303, 307, 308] {
        let response = Call::get(&format!("/here/stock/{status}")).to(crosscall.outbound("fr-api"));
        assert_eq!((response.status, response.header("location")), (status, Some(evil.as_str())));
        assert_eq!(stock.seen().len(), 1, "{status}");
    }
    assert_eq!(canary.hits(), 0, "a redirect was followed");
}

/// Threat R5: a `Location` on the app's base becomes the caller's path.
#[test]
fn location_becomes_the_callers_path() {
    let stock = Recorder::answering(|request: &Recorded| {
        let own = format!("http://{}", request.header("host"));
        let location = match request.target.rsplit('/').next().unwrap() {
            "absolute" => format!("{own}/base/api/next?a=b#c"),
            "path" => "/base/api/next".to_owned(),
            "outside" => "/elsewhere".to_owned(),
            _ => "next".to_owned(),
        };
        Answer::status(302).header("Location", &location)
    });
    let app = Manifest::direct_app("shop-local", "stock", stock.port());
    let manifests = file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::account("shop-local", "fr-api", &["stock"]),
        Manifest::route("shop-local", "fr-api", "here", &["stock"]).with("/upstreamPathPrefix", "/api"),
        app.with("/url", format!("http://{}/base", stock.address())),
    ]);
    let crosscall = Serve::new(manifests).start();
    for (path, expected) in [("absolute", "/here/stock/next?a=b#c"), ("path", "/here/stock/next"), ("relative", "next")]
    {
        let response = Call::get(&format!("/here/stock/{path}")).to(crosscall.outbound("fr-api"));
        assert_eq!(response.header("location"), Some(expected), "{path}");
    }
    let outside = Call::get("/here/stock/outside").to(crosscall.outbound("fr-api"));
    assert!(
        !outside.header("location").unwrap_or_default().contains(&stock.port().to_string()),
        "an internal name leaks"
    );
}

/// Threat R5: what an outsider reads about a failure names no address inside.
#[test]
fn outsiders_never_read_internal_addresses() {
    let manifests = file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::account("shop-local", "fr-api", &["gone"]),
        Manifest::exposed("shop-local", "fr-api", "here", &["gone"], json!({"anonymous": "Allow"})),
        // Nobody listens there.
        Manifest::direct_app("shop-local", "gone", 1),
    ]);
    let crosscall = Serve::new(manifests).start();
    let response = Call::get("/here/gone/x").to(crosscall.exposed("fr-api"));
    response.assert_problem(502, "upstream_unreachable");
    assert!(!response.text().contains("127.0.0.1"), "{}", response.text());
}
