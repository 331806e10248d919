//! Headers that callers and apps may not set.

use system_tests::answer::Answer;
use system_tests::call::{Call, Connection, Response};
use system_tests::recorder::{Recorded, Recorder};
use system_tests::wire::values;

use crate::shop::Shop;

/// What no header that reaches an app may hold in these tests.
const EVIL: &str = "evil";

/// Headers by which servers and frameworks take an identity, an address or another target from a request.
const SPOOFED: [&str; 44] = [
    "Authorization",
    "Proxy-Authorization",
    "X-Api-Key",
    "X-Crosscall-Subject",
    "X-Crosscall-Actor",
    "X-Crosscall-Authorities",
    "X-Crosscall-Permissions",
    "X-Crosscall-Env",
    "X-Crosscall-Anything",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Server",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Uri",
    "Forwarded",
    "X-Real-IP",
    "X-Client-IP",
    "X-Remote-IP",
    "X-Remote-Addr",
    "X-Remote-User",
    "Remote-User",
    "X-Originating-IP",
    "X-Cluster-Client-IP",
    "X-Original-URL",
    "X-Original-Host",
    "X-Rewrite-URL",
    "X-Host",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "True-Client-IP",
    "Client-IP",
    "CF-Connecting-IP",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-WebAuth-User",
    "X-Goog-IAP-JWT-Assertion",
    "Client-Cert",
];

/// A header as a caller might spell it.
fn variants(name: &str) -> Vec<String> {
    let mixed = |(at, c): (usize, char)| if at % 2 == 0 { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
    vec![
        name.to_owned(),
        name.to_ascii_lowercase(),
        name.to_ascii_uppercase(),
        name.chars().enumerate().map(mixed).collect(),
        name.replace('-', "_"),
        name.to_ascii_lowercase().replace('-', "_"),
        name.replacen('-', "_", 1),
    ]
}

#[track_caller]
fn assert_clean(seen: &[Recorded], sent: &str) {
    for request in seen {
        let text = request.text().to_ascii_lowercase();
        assert!(!text.contains(EVIL), "{sent} arrived: {text}");
        assert!(request.trailers.iter().all(|(_, value)| !value.contains(EVIL)), "{sent}: {:?}", request.trailers);
    }
}

/// Calls `send` with every spelling of every header, once and twice, and looks at what arrives.
fn spoof(app: &Recorder, send: impl Fn(&Call) -> Response) -> usize {
    let mut arrived = 0;
    for name in SPOOFED.iter().flat_map(|name| variants(name)) {
        for copies in [1, 2] {
            let call = (0..copies).fold(Call::get("/"), |call, _| call.header(&name, EVIL));
            let response = send(&call);
            let seen = app.seen();
            assert!(response.status == 200 || (400..500).contains(&response.status), "{name}: {}", response.status);
            assert_eq!(seen.len(), usize::from(response.status == 200), "{name}");
            assert_clean(&seen, &name);
            arrived += seen.len();
        }
    }
    arrived
}

/// The same call below another path.
fn at<'a>(target: &'a str, send: impl Fn(&Call) -> Response + 'a) -> impl Fn(&Call) -> Response + 'a {
    move |call| send(&call.clone().at(target))
}

/// Threat H1: identity headers of a caller, in every spelling, never reach an app that is called directly.
#[test]
fn callers_never_set_identity_outbound() {
    let shop = Shop::start();
    let arrived = spoof(&shop.stock, at("/internal/stock/x", |call| shop.internal(call)));
    assert!(arrived > SPOOFED.len(), "only {arrived} calls were let through without the header");
    assert_eq!(shop.internal(&Call::get("/internal/stock/x")).status, 200);
    assert!(shop.stock.next().header("authorization").starts_with("Bearer ey"));
}

/// Threat H1: nor an app behind its sidecar, neither through the mechanism nor around it.
#[test]
fn callers_never_set_identity_inbound() {
    let shop = Shop::start();
    let through = spoof(&shop.orders, at("/internal/orders/x", |call| shop.internal(call)));
    let around = spoof(&shop.orders, at("/healthz", |call| shop.direct(call)));
    assert!(through > SPOOFED.len() && around > SPOOFED.len(), "{through}, {around}");
}

/// Threat H1: nor as a trailer.
#[test]
fn callers_never_set_identity_in_trailers() {
    let shop = Shop::start();
    for name in SPOOFED {
        let body = format!("1\r\nx\r\n0\r\n{name}: {EVIL}\r\nX-Checksum: fine\r\n\r\n");
        let call = Call::post("/internal/stock/x", body)
            .header("Transfer-Encoding", "chunked")
            .header("TE", "trailers")
            .header("Trailer", &format!("{name}, X-Checksum"));
        let response = shop.internal(&call);
        let seen = shop.stock.seen();
        assert_eq!(seen.len(), usize::from(response.status == 200), "{name}: {}", response.status);
        assert_clean(&seen, name);
        for request in &seen {
            assert_eq!(values(&request.trailers, "x-checksum"), ["fine"], "{name}");
            assert!(!request.values("trailer").concat().to_ascii_lowercase().contains(&name.to_ascii_lowercase()));
        }
    }
}

/// Threat H2: `Connection` names what the sidecar adds, and removes nothing of it.
#[test]
fn connection_removes_nothing_of_ours() {
    let shop = Shop::start();
    let ours = "authorization, x-request-id, x-forwarded-proto, x-forwarded-host, x-forwarded-for, host, content-length, \
                traceparent, x-crosscall-subject";
    for spelling in [ours.to_owned(), ours.to_ascii_uppercase(), format!("close, {ours}")] {
        let call =
            Call::post("/internal/stock/x", "body").header("Connection", &spelling).header("X-Request-ID", "kept-1");
        assert_eq!(shop.internal(&call).status, 200);
        let seen = shop.stock.next();
        assert!(seen.header("authorization").starts_with("Bearer ey"));
        assert_eq!(seen.header("x-forwarded-proto"), "http");
        assert_eq!((seen.header("content-length"), seen.body.as_slice()), ("4", b"body".as_slice()));
        for name in ["x-request-id", "x-forwarded-host", "x-forwarded-for", "host", "traceparent"] {
            assert!(!seen.header(name).is_empty(), "{name}");
        }
        let call = Call::get("/internal/orders/x").header("Connection", &spelling);
        assert_eq!(shop.internal(&call).status, 200);
        assert!(shop.orders.next().header("x-crosscall-subject").starts_with("system:"));
    }
}

/// Threat H2: what belongs to the caller's connection ends with it.
#[test]
fn hop_by_hop_headers_end_here() {
    let shop = Shop::start();
    let hops = ["Keep-Alive", "Proxy-Connection", "HTTP2-Settings", "Proxy-Authorization", "X-Mine", "X-Also-Mine"];
    let call =
        Call::get("/internal/stock/x").header("Connection", "X-Mine").header("Connection", "keep-alive, X-ALSO-mine");
    let call = hops.iter().fold(call, |call, name| call.header(name, EVIL)).header("TE", "gzip, trailers;q=0.5, evil");
    assert_eq!(shop.internal(&call.header("X-Ordinary", "stays")).status, 200);
    let seen = shop.stock.next();
    assert_clean(std::slice::from_ref(&seen), "a hop-by-hop header");
    assert_eq!(seen.header("x-ordinary"), "stays");
}

/// Threat H2: the same on the way back.
#[test]
fn answers_lose_hop_by_hop_headers() {
    let shop = Shop::answering(|_: &Recorded| {
        Answer::ok("x")
            .header("Connection", "X-Mine, X-Request-ID, Content-Length, Content-Type")
            .header("X-Mine", EVIL)
            .header("Keep-Alive", EVIL)
            .header("Proxy-Connection", EVIL)
            .header("X-Crosscall-Subject", EVIL)
            .header("X-Ordinary", "stays")
    });
    let response = shop.internal(&Call::get("/internal/orders/x").header("X-Request-ID", "kept-2"));
    assert_eq!((response.status, response.text().as_str()), (200, "x"));
    assert!(response.fields.iter().all(|(_, value)| !value.contains(EVIL)), "{:?}", response.fields);
    assert_eq!(response.header("x-request-id"), Some("kept-2"));
    assert_eq!(response.header("x-ordinary"), Some("stays"));
    assert_eq!(response.header("content-length"), Some("1"));
}

/// Threat H5: only a sane token is taken as a request id.
#[test]
fn bad_request_ids_are_replaced() {
    let shop = Shop::start();
    for sane in ["a", "0198c5f0-7a5e-7cc3-98c4-dc0c0c07398f", "A.b_c~d", &"x".repeat(128)] {
        let response = shop.internal(&Call::get("/internal/stock/x").header("X-Request-ID", sane));
        assert_eq!(response.header("x-request-id"), Some(sane));
        assert_eq!(shop.stock.next().header("x-request-id"), sane);
    }
    let bad = [
        "",
        "a b",
        "a\",\"user\":\"root",
        "a\tb",
        "caf\u{e9}",
        "<script>",
        "a,b",
        "{}",
        &"x".repeat(129),
        &"x".repeat(8_192),
    ];
    for id in bad {
        let response = shop.internal(&Call::get("/internal/stock/x").header("X-Request-ID", id));
        let new = response.header("x-request-id").unwrap();
        assert_ne!(new, id);
        assert!(is_uuid7(new), "{new}");
        assert_eq!(shop.stock.next().header("x-request-id"), new);
        shop.crosscall.logged(new, "outbound");
    }
    let twice = Call::get("/internal/stock/x").header("X-Request-ID", "one").header("X-Request-ID", "two");
    assert!(is_uuid7(shop.internal(&twice).header("x-request-id").unwrap()));
    shop.stock.next();
    let endless = Call::get("/internal/stock/x").header("X-Request-ID", &"x".repeat(64 * 1024));
    let response = shop.internal(&endless);
    assert!(matches!(response.status, 200 | 400 | 431), "{}", response.status);
    let lines = shop.crosscall.stdout();
    assert!(lines.lines().all(|line| line.len() < 4_096), "a log line without a limit");
    assert!(
        lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
        "a line that is no JSON"
    );
}

/// RFC 9562 section 5.7.
fn is_uuid7(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        && groups[2].starts_with('7')
        && groups[3].starts_with(['8', '9', 'a', 'b'])
}

/// Threat H4: heads that two parsers could read differently are refused.
#[test]
fn unclear_heads_are_refused() {
    let shop = Shop::start();
    for (what, head) in [
        ("no Host", "\r\n"),
        ("an empty Host", "Host:\r\n\r\n"),
        ("two Hosts", "Host: a\r\nHost: b\r\n\r\n"),
        ("a list of Hosts", "Host: a, b\r\n\r\n"),
        ("a Host with user", "Host: a@b\r\n\r\n"),
        ("a Host with path", "Host: a/b\r\n\r\n"),
        ("a folded line", "Host: a\r\nX-A: b\r\n c\r\n\r\n"),
        ("NUL in a value", "Host: a\r\nX-A: b\0c\r\n\r\n"),
        ("CR in a value", "Host: a\r\nX-A: b\rc\r\n\r\n"),
        ("space in a name", "Host: a\r\nX A: b\r\n\r\n"),
        ("no name", "Host: a\r\n: b\r\n\r\n"),
        ("a chunk size too large", "Host: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
    ] {
        let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
        connection.send(format!("POST /internal/stock/x HTTP/1.1\r\n{head}").as_bytes());
        // No answer but an end is a refusal too.
        let status = connection.try_response("POST").map_or(400, |response| response.status);
        assert!((400..500).contains(&status), "{what}: {status}");
        shop.stock.assert_untouched();
    }
}

/// Threat H4: after a request whose end is unclear nothing more is read from its connection.
#[test]
fn unclear_ends_close_the_connection() {
    let shop = Shop::start();
    let hidden = "GET /internal/stock/hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    let chunked = format!("0\r\n\r\n{hidden}");
    let length = hidden.len();
    for (lines, body) in [
        (format!("Content-Length: 0\r\nContent-Length: {length}"), hidden),
        ("Content-Length: +0".to_owned(), hidden),
        ("Content-Length: 0, 5".to_owned(), hidden),
        ("Content-Length: 0x0".to_owned(), hidden),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked".to_owned(), &chunked),
        ("Transfer-Encoding: gzip, chunked".to_owned(), &chunked),
        ("Transfer-Encoding: chunked, identity".to_owned(), &chunked),
        ("Transfer-Encoding: xchunked".to_owned(), &chunked),
        ("Transfer-Encoding: \u{b}chunked".to_owned(), &chunked),
        ("Transfer-Encoding : chunked".to_owned(), &chunked),
        ("Transfer_Encoding: chunked\r\nContent-Length: 0".to_owned(), hidden),
        (format!("Content_Length: {length}\r\nContent-Length: 0"), hidden),
    ] {
        let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
        connection.send(format!("POST /internal/stock/x HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{body}").as_bytes());
        if let Ok(response) = connection.try_response("POST") {
            assert!((400..500).contains(&response.status), "{lines}: {}", response.status);
            assert_eq!(response.header("connection"), Some("close"), "{lines}: the rest is read as a request");
        }
        let rest = connection.wire().rest().unwrap_or_default();
        assert_eq!(rest, b"", "{lines}: the rest was served");
        shop.stock.assert_untouched();
    }
}

/// Threat H4: a length beside an encoding ends the connection, so that nothing hides behind it.
#[test]
fn length_beside_encoding_hides_nothing() {
    let shop = Shop::start();
    for order in
        [["Content-Length: 4", "Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", "Content-Length: 4"]]
    {
        let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
        let head = format!("POST /internal/stock/x HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n", order.join("\r\n"));
        let hidden = "GET /internal/stock/hidden HTTP/1.1\r\nHost: a\r\n\r\n";
        connection.send(format!("{head}0\r\n\r\n{hidden}").as_bytes());
        let _ = connection.try_response("POST");
        let _ = connection.wire().rest();
        for request in shop.stock.seen() {
            assert_eq!(request.target, "/api/internal/x", "smuggled");
        }
    }
}
