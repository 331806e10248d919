//! Who a call is from, and the tokens that say so.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::{app, configs, exchange, get, header, key, listeners, outbound, read_head, start, status};
use serde_json::{Value, json};
use sidecar::{Kind, Listeners};
use sidecar_policy::jwt::{Algorithm, SigningKey};

/// The outbound configuration with a key that signs.
fn signing(app: SocketAddr) -> Value {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    let key = SigningKey::parse(STANDARD.encode(pkcs8).as_bytes(), Algorithm::EdDSA).unwrap();
    let mut config = outbound(app);
    config["outbound"]["accounts"]["fr-api"]["credential"] = json!({
        "type": "SignedToken", "algorithm": "EdDSA", "kid": key.kid(),
        "privateKey": key.to_pkcs8_pem().unwrap().expose(), "lifetimeSeconds": 300,
    });
    config
}

/// The claims of the token that the app received.
fn claims(received: &str) -> Value {
    let token = header(received, "authorization").unwrap().strip_prefix("Bearer ").unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// Threat K14: a namespace that moves to another environment keeps no token of the one before.
#[test]
fn tokens_follow_the_environment() {
    let mut config = signing(app());
    config["outbound"]["names"] = json!({"orders": {"local": "orders.local", "demo": "orders.local"}});
    let (sidecar, address) = start(&config, 1);
    let (_, received) = get(address, "/internal/orders/x", "");
    assert_eq!(claims(&received)["env"], "local");
    config["environment"] = json!("demo");
    sidecar.apply(&listeners(), configs(&config)).unwrap();
    let bound = sidecar.addresses()[&(key(), Kind::Outbound)];
    let (_, received) = get(bound, "/internal/orders/x", "");
    assert_eq!(claims(&received)["env"], "demo");
}

/// Threat D4: an app that refuses everything costs one token, not one for every call.
#[test]
fn an_app_that_refuses_costs_one_token() {
    let (sidecar, address) = start(&signing(app()), 1);
    for _ in 0..20 {
        let (head, _) = get(address, "/internal/orders/status/401", "");
        assert_eq!(status(&head), 401);
    }
    let (_, metrics) = get(sidecar.admin_addresses()[0], "/metrics", "");
    assert!(metrics.contains(r#"crosscall_token_requests_total{result="ok"} 1"#), "{metrics}");
}

/// Threat J7: what is presented and cannot be verified is never anonymous.
#[test]
fn bad_credentials_are_never_anonymous() {
    let mut config = outbound(app());
    let route = &mut config["outbound"]["routes"][0];
    route["allowUserless"] = json!(false);
    route["authentication"] = json!({"providers": [], "anonymousAuthorities": ["ROLE_ANONYMOUS"]});
    let (_sidecar, address) = start(&config, 1);
    for (headers, expected) in [
        ("", 200),
        ("Authorization: Bearer garbage\r\n", 401),
        ("Authorization: Basic YTpi\r\n", 401),
        ("Authorization: Bearer\r\n", 401),
        ("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", 401),
    ] {
        let (head, body) = get(address, "/internal/orders/x", headers);
        assert_eq!(status(&head), expected, "{headers}{body}");
    }
}

/// Threat R7: a body that the app never asked for is never filled with the caller's next request.
#[test]
fn an_unasked_body_is_not_the_next_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_sidecar, address) = start(&outbound(listener.local_addr().unwrap()), 1);
    let mut caller = TcpStream::connect(address).unwrap();
    caller.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    caller
        .write_all(b"POST /internal/orders/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 60\r\n\r\n")
        .unwrap();
    let (mut upstream, _) = listener.accept().unwrap();
    read_head(&mut upstream).unwrap();
    upstream.write_all(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(status(&read_head(&mut caller).unwrap()), 417);
    // The caller goes on as if its request had ended; the sidecar may have closed the connection by now.
    let _ = caller.write_all(b"GET /internal/orders/next HTTP/1.1\r\nHost: h\r\nCookie: secret\r\n\r\n");
    let mut rest = Vec::new();
    upstream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    upstream.read_to_end(&mut rest).unwrap();
    assert_eq!(String::from_utf8_lossy(&rest), "");
}

#[test]
fn an_unasked_upgrade_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_sidecar, address) = start(&outbound(listener.local_addr().unwrap()), 1);
    let app = std::thread::spawn(move || {
        let (mut upstream, _) = listener.accept().unwrap();
        read_head(&mut upstream).unwrap();
        upstream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n").unwrap();
        upstream
    });
    let (head, body) = get(address, "/internal/orders/x", "");
    assert_eq!(status(&head), 502, "{head}");
    assert!(body.contains("upstream_broken"), "{body}");
    drop(app.join().unwrap());
}

#[test]
fn an_app_always_learns_a_host() {
    let app = app();
    let config = json!({
        "format": 1, "app": "fr-api", "namespace": "shop", "environment": "local", "issuer": "https://crosscall.local",
        "inbound": {
            "appPort": app.port(), "audience": "fr-api.local", "keys": {},
            "endpoints": [{"paths": ["/{*path}"], "public": true}],
        },
    });
    let (sidecar, _) = start(&outbound(app), 1);
    let listeners = Listeners { addresses: [((key(), Kind::Inbound), "127.0.0.1:0".parse().unwrap())].into() };
    sidecar.apply(&listeners, configs(&config)).unwrap();
    let address = sidecar.addresses()[&(key(), Kind::Inbound)];
    let (_, received) = exchange(address, "GET /x HTTP/1.0\r\n\r\n");
    assert_eq!(header(&received, "host"), Some(format!("127.0.0.1:{}", app.port()).as_str()), "{received}");
    let (_, received) = exchange(address, "GET /x HTTP/1.1\r\nHost: orders.test\r\n\r\n");
    assert_eq!(header(&received, "host"), Some("orders.test"));
}
