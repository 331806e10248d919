//! httpbin (served by waitress) as the app behind both sidecars.

use std::process::{Child, Stdio};

use serde_json::json;
use system_tests::call::{Call, Response};
use system_tests::component::{or_skip, python};
use system_tests::crosscall::{Crosscall, Serve};
use system_tests::manifest::{Manifest, file};
use system_tests::ports::free_address;
use system_tests::wait::{LIMIT, wait_until};
use system_tests::wire::values;

const PACKAGES: [&str; 2] = ["httpbin==0.10.4", "waitress==3.0.2"];

/// They tell the caller's own headers or paths back: other bytes behind a proxy, in the same form.
const ECHOES: [&str; 6] = ["/gzip", "/deflate", "/brotli", "/links", "/etag", "/cache"];

/// The app, and the sidecars before it.
struct Httpbin {
    app: Child,
    address: std::net::SocketAddr,
    crosscall: Crosscall,
}

// === impl Httpbin ===

impl Httpbin {
    fn start() -> Option<Self> {
        let python = or_skip(python(&PACKAGES))?;
        let address = free_address();
        let mut command = python.command();
        command.args(["-m", "waitress", "--threads=8", &format!("--listen={address}"), "httpbin:app"]);
        let app = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let orders = Manifest::app("shop-local", "orders", address.port());
        let manifests = file(&[
            Manifest::namespace("shop-local", "local"),
            Manifest::account("shop-local", "fr-api", &["orders"]),
            Manifest::route("shop-local", "fr-api", "here", &["orders"]),
            orders,
        ]);
        let crosscall = Serve::new(manifests).start();
        wait_until("httpbin", LIMIT, || Call::get("/status/200").try_to(address).is_ok());
        Some(Self { app, address, crosscall })
    }

    #[track_caller]
    fn through(&self, call: Call) -> Response {
        let target = format!("/here/orders{}", call.target());
        call.at(&target).to(self.crosscall.outbound("fr-api"))
    }
}

impl Drop for Httpbin {
    fn drop(&mut self) {
        let _ = self.app.kill();
        let _ = self.app.wait();
    }
}

#[test]
fn answers_are_those_of_the_app() {
    let Some(httpbin) = Httpbin::start() else { return };
    let paths = [
        "/bytes/100000?seed=7",
        "/stream-bytes/300000?seed=7&chunk_size=1000",
        "/range/5000?chunk_size=100",
        "/gzip",
        "/deflate",
        "/brotli",
        "/encoding/utf8",
        "/html",
        "/xml",
        "/image/png",
        "/json",
        "/robots.txt",
        "/base64/Y3Jvc3NjYWxs",
        "/links/3/1",
        "/response-headers?X-One=1&X-One=2",
        "/cookies/set?k=v",
        "/etag/abc",
        "/cache/60",
    ];
    for path in paths {
        let (mut plain, mut through) = (Call::get(path).to(httpbin.address), httpbin.through(Call::get(path)));
        assert_eq!(through.status, plain.status, "{path}");
        if ECHOES.iter().any(|echo| path.starts_with(echo)) {
            (plain.body, through.body) = (Vec::new(), Vec::new());
        }
        assert!(through.body == plain.body, "{path}: other bytes");
        for name in
            ["content-type", "content-encoding", "etag", "cache-control", "set-cookie", "x-one", "accept-ranges"]
        {
            assert_eq!(values(&through.fields, name), values(&plain.fields, name), "{name} of {path}");
        }
    }
}

#[test]
fn statuses_are_those_of_the_app() {
    let Some(httpbin) = Httpbin::start() else { return };
    for status in [200, 201, 204, 302, 304, 400, 401, 403, 404, 409, 418, 429, 500, 502, 503, 504] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let response =
                httpbin.through(Call::new(method, &format!("/status/{status}")).header("Content-Length", "0"));
            assert_eq!(response.status, status, "{method}");
        }
    }
}

#[test]
fn stream_comes_line_by_line() {
    let Some(httpbin) = Httpbin::start() else { return };
    let response = httpbin.through(Call::get("/stream/100"));
    let lines: Vec<serde_json::Value> =
        response.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<u64> = lines.iter().map(|line| line["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (0..100).collect::<Vec<u64>>());
    let delayed = httpbin.through(Call::get("/delay/1"));
    assert_eq!((delayed.status, &delayed.json()["headers"]["X-Crosscall-Env"]), (200, &json!("local")));
}

#[test]
fn app_sees_what_was_posted() {
    let Some(httpbin) = Httpbin::start() else { return };
    let body = json!({"name": "caf\u{e9}", "many": "x".repeat(100_000)});
    let call = Call::post("/post?a=1&a=2&b=%2F", body.to_string()).header("Content-Type", "application/json");
    let seen =
        httpbin.through(call.header("Authorization", "Bearer forged").header("X-Crosscall-Subject", "forged")).json();
    assert_eq!(seen["json"], body);
    assert_eq!(seen["args"], json!({"a": ["1", "2"], "b": "/"}));
    assert_eq!(seen["headers"]["X-Crosscall-Subject"], "system:crosscall:shop-local:fr-api");
    assert!(!seen.to_string().contains("forged"), "{seen}");
    let chunked = Call::post("/post", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n").header("Transfer-Encoding", "chunked");
    assert_eq!(httpbin.through(chunked.header("Content-Type", "text/plain")).json()["data"], "hello world");
}

/// Threat R5: redirects of a real app go back to the caller, on the caller's path.
#[test]
fn redirects_of_the_app_come_back() {
    let Some(httpbin) = Httpbin::start() else { return };
    for (path, expected) in
        [("/redirect/1", "/here/orders/get"), ("/relative-redirect/2", "/here/orders/relative-redirect/1")]
    {
        let response = httpbin.through(Call::get(path));
        assert_eq!((response.status, response.header("location")), (302, Some(expected)), "{path}");
    }
    let elsewhere = httpbin.through(Call::get("/redirect-to?url=http%3A%2F%2F127.0.0.1%3A1%2Fx&status_code=307"));
    assert_eq!((elsewhere.status, elsewhere.header("location")), (307, Some("http://127.0.0.1:1/x")));
}
