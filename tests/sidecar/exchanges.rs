//! What RFC 9110 says about an exchange, through both sidecars.

use serde_json::json;
use system_tests::answer::Answer;
use system_tests::call::{Call, Connection};
use system_tests::crosscall::Serve;
use system_tests::manifest::{Manifest, file};
use system_tests::recorder::{Backend, Recorded, Recorder};

use crate::shop::Shop;

/// Answers with the status that the path ends in.
fn told(request: &Recorded) -> Answer {
    match request.target.rsplit('/').next().and_then(|status| status.parse().ok()) {
        Some(304) => Answer::status(304).header("ETag", "\"a\"").header("Content-Length", "42"),
        Some(status) => Answer::status(status).header("X-Told", "yes"),
        None => Answer::ok("twelve bytes").header("ETag", "\"a\""),
    }
}

#[test]
fn status_passes_as_it_is() {
    let shop = Shop::answering(told);
    for status in
        [200, 201, 202, 206, 299, 300, 302, 400, 401, 403, 404, 405, 409, 418, 429, 451, 500, 501, 502, 503, 504, 599]
    {
        let response = shop.internal(&Call::get(&format!("/internal/orders/{status}")));
        assert_eq!((response.status, response.header("x-told")), (status, Some("yes")));
    }
}

#[test]
fn head_has_the_length_and_no_body() {
    let shop = Shop::answering(told);
    let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
    for _ in 0..2 {
        let response = connection.call(&Call::new("HEAD", "/internal/orders/x")).unwrap();
        assert_eq!((response.status, response.header("content-length")), (200, Some("12")));
        let response = connection.call(&Call::get("/internal/orders/x")).unwrap();
        assert_eq!((response.text().as_str(), response.header("content-length")), ("twelve bytes", Some("12")));
    }
}

#[test]
fn answers_without_body_end_at_once() {
    let shop = Shop::answering(told);
    let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
    for status in [204, 304, 204] {
        let response = connection.call(&Call::get(&format!("/internal/orders/{status}"))).unwrap();
        assert_eq!((response.status, response.body.len()), (status, 0));
        assert!(response.header("transfer-encoding").is_none());
        if status == 204 {
            assert!(response.header("content-length").is_none(), "RFC 9110 section 8.6");
        } else {
            assert_eq!(response.header("etag"), Some("\"a\""));
        }
    }
    assert_eq!(connection.call(&Call::get("/internal/orders/x")).unwrap().text(), "twelve bytes");
}

#[test]
fn every_method_passes() {
    let shop = Shop::start();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY", "M-SEARCH"] {
        assert_eq!(shop.internal(&Call::new(method, "/internal/orders/x")).status, 200, "{method}");
        assert_eq!(shop.orders.next().method, method);
    }
    for method in ["TRACE", "CONNECT"] {
        let status = shop.internal(&Call::new(method, "/internal/orders/x")).status;
        assert!(matches!(status, 400 | 405), "{method}: {status}");
    }
    shop.orders.assert_untouched();
}

#[test]
fn continue_is_asked_of_the_app() {
    let shop = Shop::start();
    let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
    connection
        .send(b"POST /internal/orders/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    // Nothing but the head has been sent: the 100 comes before any byte of the body.
    let interim = connection.wire().head().unwrap().unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&interim));
    connection.send(b"body");
    assert_eq!(connection.response().status, 200);
    assert_eq!(shop.orders.next().body, b"body");
}

/// Refuses bodies before they come.
struct Refusing;

impl Backend for Refusing {
    fn answer(&self, _request: &Recorded) -> Answer {
        Answer::ok("taken")
    }

    fn early(&self, head: &Recorded) -> Option<Answer> {
        (head.method == "POST").then(|| Answer::status(413).closing())
    }
}

#[test]
fn refusal_comes_before_the_body() {
    let shop = Shop::answering(Refusing);
    let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
    let length: u64 = 1 << 30;
    let head = format!(
        "POST /internal/orders/x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    );
    connection.send(head.as_bytes());
    let response = connection.response();
    assert_eq!(response.status, 413, "{}", response.text());
    assert_eq!(shop.internal(&Call::get("/internal/orders/x")).text(), "taken");
}

#[test]
fn early_answer_reaches_a_talkative_caller() {
    let shop = Shop::answering(Refusing);
    let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
    connection.send(b"POST /internal/orders/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nsome");
    assert_eq!(connection.response().status, 413);
}

#[test]
fn early_hints_pass_or_vanish() {
    let shop = Shop::answering(|_: &Recorded| Answer::ok("x").after(103, "Link", "</a>; rel=preload"));
    let response = shop.internal(&Call::get("/internal/orders/x"));
    assert_eq!((response.status, response.text().as_str()), (200, "x"));
    assert!(response.interim.iter().all(|head| head.starts_with(b"HTTP/1.1 103 ")));
}

#[test]
fn chunks_and_lengths_stay_what_they_are() {
    let shop = Shop::answering(|request: &Recorded| match request.target.as_str() {
        "/api/internal/chunked" => Answer::chunked(10, &[]),
        _ => Answer::ok("plain"),
    });
    let chunked =
        Call::post("/internal/orders/chunked", "4\r\nbody\r\n0\r\n\r\n").header("Transfer-Encoding", "chunked");
    let response = shop.internal(&chunked);
    assert_eq!((response.body.len(), response.header("transfer-encoding")), (10, Some("chunked")));
    let seen = shop.orders.next();
    assert_eq!((seen.header("transfer-encoding"), seen.body.as_slice()), ("chunked", b"body".as_slice()));
    assert_eq!(shop.internal(&Call::post("/internal/orders/plain", "body")).header("content-length"), Some("5"));
    assert_eq!(shop.orders.next().header("content-length"), "4");
    assert_eq!(shop.internal(&Call::post("/internal/orders/plain", "")).status, 200);
    assert_eq!(shop.orders.next().header("content-length"), "0");
}

#[test]
fn cookies_and_copies_pass_in_order() {
    let shop = Shop::answering(|_: &Recorded| Answer::ok("x").header("Set-Cookie", "a=1").header("Set-Cookie", "b=2"));
    let call = Call::get("/internal/orders/x")
        .header("Accept", "a/b")
        .header("Accept", "c/d")
        .header("Cookie", "k=v; l=\"w\"");
    let response = shop.internal(&call);
    assert_eq!(system_tests::wire::values(&response.fields, "set-cookie"), ["a=1", "b=2"]);
    let seen = shop.orders.next();
    assert_eq!((seen.values("accept"), seen.header("cookie")), (vec!["a/b", "c/d"], "k=v; l=\"w\""));
}

/// Threat R7: a connection on which an answer broke off is not used again.
#[test]
fn broken_answers_are_never_mixed_up() {
    let stock = Recorder::answering(|request: &Recorded| match request.target.rsplit('/').next().unwrap() {
        "short" => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
        "long" => Answer::raw(
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlongHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled",
        ),
        "nothing" => Answer::raw(""),
        "garbage" => Answer::raw("garbage\r\n\r\n"),
        "half" => Answer::raw("HTTP/1.1 200 OK\r\nContent-"),
        "chunk" => Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
        nonce => Answer::ok(nonce),
    });
    let manifests = file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::account("shop-local", "fr-api", &["stock"]),
        Manifest::route("shop-local", "fr-api", "here", &["stock"]),
        Manifest::direct_app("shop-local", "stock", stock.port()),
    ]);
    let crosscall = Serve::new(manifests).start();
    for round in 0..20 {
        for fault in ["short", "long", "nothing", "garbage", "half", "chunk"] {
            let broken = Call::get(&format!("/here/stock/{fault}")).try_to(crosscall.outbound("fr-api"));
            if let Ok(response) = broken {
                let expected = if fault == "long" { 200 } else { 502 };
                assert_eq!(response.status, expected, "{fault}");
                assert_eq!(fault == "long", response.body == b"long", "{fault}: {}", response.text());
            } else {
                assert!(matches!(fault, "short" | "chunk"), "{fault} has no answer");
            }
            let nonce = format!("nonce-{round}-{fault}");
            let response = Call::get(&format!("/here/stock/{nonce}")).to(crosscall.outbound("fr-api"));
            assert_eq!((response.status, response.text()), (200, nonce), "after {fault}");
        }
    }
}

#[test]
fn unreachable_app_is_bad_gateway() {
    let manifests = file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::account("shop-local", "fr-api", &["stock", "slow"]),
        Manifest::route("shop-local", "fr-api", "here", &["stock", "slow"])
            .with("/timeouts", json!({"request": "200ms"})),
        Manifest::direct_app("shop-local", "stock", 1),
        Manifest::direct_app("shop-local", "slow", silent()),
    ]);
    let crosscall = Serve::new(manifests).start();
    Call::get("/here/stock/x").to(crosscall.outbound("fr-api")).assert_problem(502, "upstream_unreachable");
    Call::get("/here/slow/x").to(crosscall.outbound("fr-api")).assert_problem(504, "upstream_timeout");
}

/// The port of a listener that takes connections and never answers.
fn silent() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    port
}
