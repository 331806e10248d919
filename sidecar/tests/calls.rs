//! A sidecar in this process, an app that shows what it received, and callers that send exact bytes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use sidecar::{AccessLog, AppKey, Kind, Listeners, Options, Sidecar};
use sidecar_policy::config::Config;

/// An app that answers every request with the head that it received.
fn app() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || echo(stream.unwrap()));
        }
    });
    address
}

fn echo(mut stream: TcpStream) {
    while let Some(head) = read_head(&mut stream) {
        let status = if head.contains("/status/401") { "401 Unauthorized" } else { "200 OK" };
        let location = if head.contains("/redirect") { "Location: /api/internal/elsewhere\r\n" } else { "" };
        let answer = format!("HTTP/1.1 {status}\r\n{location}Content-Length: {}\r\n\r\n{head}", head.len());
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read_head(stream: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Sends exact bytes and reads one answer: its head and its body.
fn exchange(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let head = read_head(&mut stream).unwrap();
    let length = header(&head, "content-length").map_or(0, |value| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8_lossy(&body).into_owned())
}

fn get(address: SocketAddr, path: &str, headers: &str) -> (String, String) {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: caller.test\r\n{headers}\r\n"))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

fn outbound(app: SocketAddr) -> Value {
    let route = |name: &str, prefix: &str, more: Value| {
        let mut route = json!({
            "name": name, "enabled": true, "pathPrefix": prefix, "upstreamPathPrefix": "/api/internal",
            "backends": {"named": ["orders", "orders_api"]}, "environmentSelection": "Current",
            "exposed": false, "account": "fr-api", "allowUserless": true,
        });
        for (key, value) in more.as_object().unwrap() {
            route[key] = value.clone();
        }
        route
    };
    json!({
        "format": 1, "app": "fr-api", "namespace": "shop", "environment": "local", "issuer": "https://crosscall.local",
        "outbound": {
            "routes": [
                route("internal", "/internal", json!({})),
                route("legacy", "/legacy", json!({"enabled": false})),
                route("scripts", "/scripts", json!({"cors": {"allowCredentials": true, "maxAgeSeconds": 60}})),
            ],
            "accounts": {"fr-api": {
                "subject": "system:crosscall:shop:fr-api", "roles": [], "targets": ["orders.local"],
                "permissions": {}, "credential": {"type": "Bearer", "token": "the-token"},
            }},
            "names": {"orders": {"local": "orders.local"}, "orders_api": {"local": "orders.local"}},
            "targets": {"orders.local": {"app": "orders", "environment": "local", "url": format!("http://{app}")}},
            "environments": ["local"],
        },
    })
}

fn key() -> AppKey {
    AppKey { namespace: "shop".into(), app: "fr-api".into() }
}

fn start(config: &Value, workers: usize) -> (Sidecar, SocketAddr) {
    let options = Options {
        workers,
        admin: vec!["127.0.0.1:0".parse().unwrap()],
        access_log: AccessLog::Off,
        drain: Duration::from_secs(10),
    };
    let sidecar = Sidecar::start(options, &listeners(), configs(config)).unwrap();
    let address = sidecar.addresses()[&(key(), Kind::Outbound)];
    (sidecar, address)
}

fn listeners() -> Listeners {
    Listeners { addresses: [((key(), Kind::Outbound), "127.0.0.1:0".parse().unwrap())].into() }
}

fn configs(config: &Value) -> BTreeMap<AppKey, Config> {
    let config = Config::parse(&serde_json::to_vec(config).unwrap()).unwrap();
    [(key(), config)].into()
}

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
