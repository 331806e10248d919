//! Calls, refusals, reloads and drains, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod common;

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use common::{app, configs, exchange, get, header, key, listeners, outbound, read_head, start, status};
use serde_json::{Value, json};
use sidecar::Kind;

#[test]
fn a_call_arrives_with_the_credential() {
    let (_sidecar, address) = start(&outbound(app()), 1);
    let (head, received) = get(address, "/internal/orders_api/x/y?a=%2F&b", "Authorization: Bearer forged\r\n");
    assert_eq!(status(&head), 200, "{head}{received}");
    assert!(received.starts_with("GET /api/internal/x/y?a=%2F&b HTTP/1.1\r\n"), "{received}");
    assert_eq!(header(&received, "authorization"), Some("Bearer the-token"));
    assert_eq!(header(&received, "x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(header(&received, "x-forwarded-host"), Some("caller.test"));
    assert_eq!(header(&received, "x-request-id"), header(&head, "x-request-id"));
    assert_eq!(header(&received, "traceparent").map(str::len), Some(55));
    assert!(!received.contains("forged"));
}

#[test]
fn refusals_are_problem_documents() {
    let (_sidecar, address) = start(&outbound(app()), 1);
    for (path, expected, code) in [
        ("/legacy/orders/x", 501, "proxy_disabled"),
        ("/nowhere", 404, "unknown_route"),
        ("/internal/nobody/x", 404, "unknown_backend"),
        ("/internal/orders/../x", 400, "invalid_path"),
        ("/internal/orders/a%2e%2e/%2e%2e/x", 400, "invalid_path"),
        ("/internal/orders/x#y", 400, "invalid_path"),
        ("http://evil.test/internal/orders/x", 400, "invalid_path"),
        ("*", 400, "invalid_path"),
    ] {
        let (head, body) = get(address, path, "");
        assert_eq!(status(&head), expected, "{path}: {head}{body}");
        assert_eq!(header(&head, "content-type"), Some("application/problem+json"), "{path}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["code"], code, "{path}");
        assert_eq!(body["request_id"], header(&head, "x-request-id").unwrap());
    }
}

#[test]
fn preflights_end_at_the_sidecar() {
    let (_sidecar, address) = start(&outbound("127.0.0.1:1".parse().unwrap()), 1);
    let (head, _) = exchange(
        address,
        "OPTIONS /scripts/orders/x HTTP/1.1\r\nHost: h\r\nOrigin: https://a.test\r\nAccess-Control-Request-Method: PUT\r\n\r\n",
    );
    assert_eq!(status(&head), 204, "{head}");
    assert_eq!(header(&head, "access-control-allow-origin"), Some("https://a.test"));
    // The app does not answer; the refusal can be read by the script all the same.
    let (head, _) = get(address, "/scripts/orders/x", "Origin: https://a.test\r\n");
    assert_eq!(status(&head), 502);
    assert_eq!(header(&head, "access-control-allow-origin"), Some("https://a.test"));
}

#[test]
fn redirects_lead_back_through_the_sidecar() {
    let (_sidecar, address) = start(&outbound(app()), 1);
    let (head, _) = get(address, "/internal/orders/redirect", "");
    assert_eq!(header(&head, "location"), Some("/internal/orders/elsewhere"));
}

#[test]
fn a_new_configuration_holds_at_once() {
    let (first, second) = (app(), app());
    let (sidecar, address) = start(&outbound(first), 2);
    let mut held = TcpStream::connect(address).unwrap();
    held.write_all(b"GET /internal/orders/x HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(read_head(&mut held).is_some());
    let mut config = outbound(second);
    config["outbound"]["routes"][0]["enabled"] = json!(false);
    sidecar.apply(&listeners(), configs(&config)).unwrap();
    assert_eq!(sidecar.addresses()[&(key(), Kind::Outbound)], address);
    let (head, _) = get(address, "/internal/orders/x", "");
    assert_eq!(status(&head), 501);
    sidecar.shutdown();
}

#[test]
fn an_unusable_configuration_is_not_taken() {
    let (sidecar, address) = start(&outbound(app()), 1);
    let mut config = outbound(app());
    config["outbound"]["targets"]["orders.local"]["url"] = json!("ftp://nowhere");
    assert!(sidecar.apply(&listeners(), configs(&config)).is_err());
    let (head, _) = get(address, "/internal/orders/x", "");
    assert_eq!(status(&head), 200);
    let (_, metrics) = get(sidecar.admin_addresses()[0], "/metrics", "");
    assert!(metrics.contains(r#"crosscall_config_reloads_total{result="refused"} 1"#), "{metrics}");
}

#[test]
fn the_admin_address_shows_no_secret() {
    let (sidecar, address) = start(&outbound(app()), 1);
    get(address, "/internal/orders/x", "");
    for path in ["/config", "/metrics", "/readyz", "/healthz", "/.well-known/jwks.json"] {
        let (head, body) = get(sidecar.admin_addresses()[0], path, "");
        assert_eq!(status(&head), 200, "{path}");
        assert!(!body.contains("the-token"), "{path}: {body}");
    }
}

#[test]
fn requests_under_way_finish_at_shutdown() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (sidecar, address) = start(&outbound(listener.local_addr().unwrap()), 1);
    let mut caller = TcpStream::connect(address).unwrap();
    caller.write_all(b"GET /internal/orders/x HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let (mut upstream, _) = listener.accept().unwrap();
    read_head(&mut upstream).unwrap();
    let stopping = std::thread::spawn(move || sidecar.shutdown());
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    let head = read_head(&mut caller).unwrap();
    assert_eq!(status(&head), 200);
    assert_eq!(header(&head, "connection"), Some("close"));
    stopping.join().unwrap();
}
