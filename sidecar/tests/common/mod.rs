//! A sidecar in this process, an app that shows what it received, and callers that send exact bytes.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use sidecar::{AccessLog, AppKey, Kind, Listeners, Options, Sidecar};
use sidecar_policy::config::Config;

/// An app that answers every request with the head that it received.
pub(crate) fn app() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || echo(stream.unwrap()));
        }
    });
    address
}

pub(crate) fn echo(mut stream: TcpStream) {
    while let Some(head) = read_head(&mut stream) {
        let status = if head.contains("/status/401") { "401 Unauthorized" } else { "200 OK" };
        let location = if head.contains("/redirect") { "Location: /api/internal/elsewhere\r\n" } else { "" };
        let answer = format!("HTTP/1.1 {status}\r\n{location}Content-Length: {}\r\n\r\n{head}", head.len());
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

pub(crate) fn read_head(stream: &mut TcpStream) -> Option<String> {
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
pub(crate) fn exchange(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    say(&mut stream, request)
}

/// Sends exact bytes on a connection that is there, and reads one answer: its head and its body.
pub(crate) fn say(stream: &mut TcpStream, request: &str) -> (String, String) {
    stream.write_all(request.as_bytes()).unwrap();
    let head = read_head(stream).unwrap();
    let length = header(&head, "content-length").map_or(0, |value| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8_lossy(&body).into_owned())
}

/// A connection on which nothing has been said.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// The other end has closed the connection in an orderly way.
pub(crate) fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0))
}

pub(crate) fn get(address: SocketAddr, path: &str, headers: &str) -> (String, String) {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: caller.test\r\n{headers}\r\n"))
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

pub(crate) fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

pub(crate) fn outbound(app: SocketAddr) -> Value {
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

pub(crate) fn key() -> AppKey {
    AppKey { namespace: "shop".into(), app: "fr-api".into() }
}

pub(crate) fn start(config: &Value, workers: usize) -> (Sidecar, SocketAddr) {
    let options = Options {
        workers,
        admin: vec!["127.0.0.1:0".parse().unwrap()],
        access_log: AccessLog::Off,
        drain: Duration::from_secs(10),
    };
    let sidecar = Sidecar::start(options, &listeners(), configs(config)).unwrap();
    sidecar.set_ready();
    let address = sidecar.addresses()[&(key(), Kind::Outbound)];
    (sidecar, address)
}

pub(crate) fn listeners() -> Listeners {
    Listeners { addresses: [((key(), Kind::Outbound), "127.0.0.1:0".parse().unwrap())].into() }
}

pub(crate) fn configs(config: &Value) -> BTreeMap<AppKey, Config> {
    let config = Config::parse(&serde_json::to_vec(config).unwrap()).unwrap();
    [(key(), config)].into()
}
