//! A request on its way through the sidecar: what the proxied app sees of a caller who lies.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue};
use sidecar_policy::forwarded::{self, Proto, Trusted};
use sidecar_policy::headers::{HeaderError, owned_by_sidecar, strip_request, strip_trailers, trailer_allowed};
use sidecar_policy::trace;

/// What the sidecar writes for the proxied app.
const OURS: [&str; 8] = [
    "authorization",
    "x-api-key",
    "x-request-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "traceparent",
    "x-crosscall-subject",
];

/// Names by which callers try to be somebody else, somewhere else.
const SPOOFED: [&str; 20] = [
    "Authorization",
    "X-Api-Key",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-User",
    "Forwarded",
    "X-Real-IP",
    "X-Client-IP",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Originating-IP",
    "X-Remote-User",
    "X-HTTP-Method-Override",
    "CF-Connecting-IP",
    "True-Client-IP",
    "X-Crosscall-Subject",
    "X-Crosscall-Permissions",
];

fn name(text: &str) -> HeaderName {
    HeaderName::from_bytes(text.as_bytes()).unwrap()
}

/// Strips a request and adds what the sidecar adds.
fn forward(mut headers: HeaderMap) -> Result<HeaderMap, HeaderError> {
    strip_request(&mut headers)?;
    let ours = HeaderValue::from_static("ours");
    forwarded::apply(&mut headers, &ours, Some(ours.clone()), Proto::Http);
    trace::next(&headers, 1, 2).apply(&mut headers);
    for name in ["authorization", "x-api-key", "x-request-id", "x-crosscall-subject"] {
        headers.insert(name, ours.clone());
    }
    Ok(headers)
}

/// The caller's value is nowhere, and each header of the sidecar is there once.
#[track_caller]
fn only_ours(headers: &HeaderMap) {
    for (name, value) in headers {
        assert!(!value.as_bytes().windows(4).any(|four| four == b"evil"), "{name}: {value:?}");
    }
    for name in OURS {
        assert_eq!(headers.get_all(name).iter().count(), 1, "{name}");
    }
}

/// Threat H1: in any case, once or twice, the proxied app sees the sidecar's value alone.
#[test]
fn spoofed_headers_never_get_through() {
    for spoofed in SPOOFED {
        for spelling in [spoofed.to_owned(), spoofed.to_lowercase(), spoofed.to_uppercase()] {
            for copies in [1, 2] {
                let mut headers = HeaderMap::new();
                for _ in 0..copies {
                    headers.append(name(&spelling), HeaderValue::from_static("evil"));
                }
                only_ours(&forward(headers).unwrap());
            }
        }
    }
}

/// Threat H1: a twin with `_` is refused, wherever the `_` stands.
#[test]
fn twins_of_spoofed_headers_are_refused() {
    for spoofed in SPOOFED.iter().filter(|spoofed| spoofed.contains('-')) {
        for twin in [spoofed.replace('-', "_"), spoofed.replacen('-', "_", 1)] {
            let mut headers = HeaderMap::new();
            headers.insert(name(&twin), HeaderValue::from_static("evil"));
            assert_eq!(forward(headers), Err(HeaderError::Ambiguous(name(&twin))));
        }
    }
}

/// Threat H1: nothing that is spoofed in the headers can come after the body instead.
#[test]
fn spoofed_trailers_never_get_through() {
    let mut trailers = HeaderMap::new();
    for spoofed in SPOOFED {
        for spelling in [spoofed.to_owned(), spoofed.replace('-', "_")] {
            assert!(!trailer_allowed(&name(&spelling)), "{spelling}");
            assert!(owned_by_sidecar(&spelling), "{spelling}");
            trailers.append(name(&spelling), HeaderValue::from_static("evil"));
        }
    }
    strip_trailers(&mut trailers);
    assert!(trailers.is_empty());
}

/// Threat H2: naming the sidecar's headers in `Connection` removes none of them.
#[test]
fn connection_removes_nothing_of_ours() {
    for named in OURS.iter().chain(&["host", "content-length", "connection", "te"]) {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("shop"));
        headers.insert("content-length", HeaderValue::from_static("5"));
        headers.insert(CONNECTION, HeaderValue::from_str(&format!("close, {named} ,x-hop")).unwrap());
        headers.insert("x-hop", HeaderValue::from_static("evil"));
        headers.append(name(named), HeaderValue::from_static("5"));
        if *named != "host" && *named != "content-length" {
            headers.append(name(named), HeaderValue::from_static("evil"));
        }
        let forwarded = forward(headers).unwrap();
        only_ours(&forwarded);
        assert!(forwarded.contains_key("host") && forwarded.contains_key("content-length"), "{named}");
        assert!(!forwarded.contains_key(CONNECTION), "{named}");
    }
}

/// Threat H1: only a caller that is believed is, and its addresses come before the peer's.
#[test]
fn trusted_callers_are_taken_out_beforehand() {
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
    headers.insert("x-forwarded-host", HeaderValue::from_static("shop.example"));
    let trusted = Trusted::take(&mut headers);
    strip_request(&mut headers).unwrap();
    trusted.apply(&mut headers, &HeaderValue::from_static("10.0.0.7"), None, Proto::Https);
    let seen: Vec<_> = [forwarded::FOR, forwarded::HOST, forwarded::PROTO].map(|name| headers[name].clone()).into();
    assert_eq!(seen, ["192.0.2.1, 10.0.0.7", "shop.example", "https"]);
}
