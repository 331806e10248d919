//! Tests of the rule.

use super::*;

fn open() -> Cors {
    Cors {
        allow_origins: None,
        allow_methods: None,
        allow_headers: None,
        expose_headers: ["x-total".to_owned(), "etag".to_owned()].into(),
        allow_credentials: true,
        max_age_seconds: 600,
    }
}

fn narrow() -> Cors {
    Cors {
        allow_origins: Some(["https://shop.example".to_owned()].into()),
        allow_methods: Some(["GET".to_owned(), "PUT".to_owned()].into()),
        allow_headers: Some(["authorization".to_owned(), "x-custom".to_owned()].into()),
        ..open()
    }
}

fn policy(cors: &Cors) -> CorsPolicy {
    CorsPolicy::try_from(cors).unwrap()
}

fn map(headers: &[(&'static str, &str)]) -> HeaderMap {
    headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

/// A map whose repeated names are kept.
fn repeated(headers: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    map
}

fn preflight(cors: &Cors, origin: &str, method: &str, headers: Option<&str>) -> CorsDecision {
    let mut request = map(&[("origin", origin), ("access-control-request-method", method)]);
    if let Some(headers) = headers {
        request.insert("access-control-request-headers", HeaderValue::from_str(headers).unwrap());
    }
    policy(cors).decide(&Method::OPTIONS, &request)
}

#[track_caller]
fn answer(decision: CorsDecision) -> HeaderMap {
    match decision {
        CorsDecision::Preflight(answer) => answer,
        other => panic!("no answer: {other:?}"),
    }
}

/// Threat H6: a preflight is answered here, and the origin is echoed, never `*`.
#[test]
fn preflight_echoes_what_is_asked() {
    let asked = "x-custom, authorization";
    let answer = answer(preflight(&open(), "https://a.example:8443", "PATCH", Some(asked)));
    let expected = map(&[
        ("access-control-allow-origin", "https://a.example:8443"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "PATCH"),
        ("access-control-allow-headers", asked),
        ("access-control-max-age", "600"),
        ("vary", PREFLIGHT_VARY),
    ]);
    assert_eq!(answer, expected);
}

#[test]
fn preflight_lists_what_is_configured() {
    let answer = answer(preflight(&narrow(), "https://shop.example", "PUT", Some("x-other")));
    assert_eq!(answer["access-control-allow-methods"], "GET, PUT");
    assert_eq!(answer["access-control-allow-headers"], "authorization, x-custom");
    assert!(!answer.contains_key("access-control-expose-headers"));
}

/// Threat H6: an origin or method that is not listed gets no header that allows anything.
#[test]
fn preflight_of_strangers_is_refused() {
    for (origin, method) in [
        ("https://evil.example", "GET"),
        ("https://shop.example.evil.example", "GET"),
        ("http://shop.example", "GET"),
        ("https://shop.example:444", "GET"),
        ("https://SHOP.example", "GET"),
        ("null", "GET"),
        ("", "GET"),
        ("https://shop.example", "DELETE"),
        ("https://shop.example", "get"),
    ] {
        let decision = preflight(&narrow(), origin, method, None);
        assert_eq!(decision, CorsDecision::Refused, "{origin} {method}");
        let mut headers = HeaderMap::new();
        policy(&narrow()).decorate(&decision, &mut headers);
        assert_eq!(headers, map(&[("vary", "Origin")]));
    }
    for (method, headers) in
        [("TRACE", None), ("CONNECT", None), ("GE T", None), ("GET", Some("x-a: b")), ("GET", Some("a\u{e9}"))]
    {
        assert_eq!(preflight(&open(), "https://a", method, headers), CorsDecision::Refused, "{method} {headers:?}");
    }
}

/// Threat H6: `null` is let in where everybody is, and cannot be listed.
#[test]
fn null_origin_is_never_listed() {
    assert_eq!(answer(preflight(&open(), "null", "GET", None))["access-control-allow-origin"], "null");
    let cors = Cors { allow_origins: Some(["null".to_owned()].into()), ..open() };
    assert!(CorsPolicy::try_from(&cors).is_err());
}

/// Threat H6: several origins are never let in, and what is no origin is not echoed.
#[test]
fn ambiguous_origins_are_not_shared() {
    let open = policy(&open());
    let two = repeated(&[("origin", "https://a"), ("origin", "https://a")]);
    assert_eq!(open.decide(&Method::GET, &two), CorsDecision::Unshared);
    let mut asking = two;
    asking.insert("access-control-request-method", HeaderValue::from_static("GET"));
    assert_eq!(open.decide(&Method::OPTIONS, &asking), CorsDecision::Refused);
    for origin in [
        "",
        "*",
        "https://",
        "://a",
        "https://a, https://b",
        "https://a/",
        "https://a b",
        "a",
        "NULL",
        "https://user@a",
    ] {
        assert_eq!(open.decide(&Method::GET, &map(&[("origin", origin)])), CorsDecision::Unshared, "{origin:?}");
    }
}

#[test]
fn only_real_preflights_are_answered() {
    let policy = policy(&open());
    let asking = [("access-control-request-method", "GET")];
    assert_eq!(policy.decide(&Method::OPTIONS, &map(&asking)), CorsDecision::NotCors);
    assert_eq!(policy.decide(&Method::GET, &HeaderMap::new()), CorsDecision::NotCors);
    let origin = CorsDecision::Actual(HeaderValue::from_static("https://a"));
    assert_eq!(policy.decide(&Method::OPTIONS, &map(&[("origin", "https://a")])), origin);
    assert_eq!(policy.decide(&Method::POST, &map(&[("origin", "https://a"), asking[0]])), origin);
}

/// Threat H6: the app's own words about origins are replaced, and `Vary: Origin` is always there.
#[test]
fn answers_say_only_what_the_rule_says() {
    let app = repeated(&[
        ("access-control-allow-origin", "*"),
        ("access-control-allow-origin", "https://evil"),
        ("access-control-allow-private-network", "true"),
        ("access-control-expose-headers", "set-cookie"),
        ("vary", "accept-encoding"),
        ("etag", "1"),
    ]);
    let policy = policy(&open());
    let mut headers = app.clone();
    policy.decorate(&CorsDecision::Actual(HeaderValue::from_static("https://a")), &mut headers);
    let shared = repeated(&[
        ("access-control-allow-origin", "https://a"),
        ("access-control-allow-credentials", "true"),
        ("access-control-expose-headers", "etag, x-total"),
        ("vary", "accept-encoding"),
        ("vary", "Origin"),
        ("etag", "1"),
    ]);
    assert_eq!(headers, shared);
    for decision in [CorsDecision::NotCors, CorsDecision::Unshared, CorsDecision::Refused] {
        let mut headers = app.clone();
        policy.decorate(&decision, &mut headers);
        assert_eq!(headers, repeated(&[("vary", "accept-encoding"), ("vary", "Origin"), ("etag", "1")]));
    }
}

#[test]
fn vary_is_merged_and_not_doubled() {
    let policy = policy(&open());
    for value in ["*", "Origin", "accept, ORIGIN"] {
        let mut headers = map(&[("vary", value)]);
        policy.decorate(&CorsDecision::NotCors, &mut headers);
        assert_eq!(headers, map(&[("vary", value)]));
    }
}

#[test]
fn decorating_an_answered_preflight_changes_nothing() {
    let decision = preflight(&narrow(), "https://shop.example", "GET", None);
    let mut headers = answer(decision.clone());
    let before = headers.clone();
    policy(&narrow()).decorate(&decision, &mut headers);
    assert_eq!(headers, before);
}

#[test]
fn without_credentials_none_are_allowed() {
    let policy = policy(&Cors { allow_credentials: false, ..open() });
    let mut headers = map(&[("access-control-allow-credentials", "true")]);
    policy.decorate(&CorsDecision::Actual(HeaderValue::from_static("https://a")), &mut headers);
    assert!(!headers.contains_key("access-control-allow-credentials"));
    assert_eq!(headers["access-control-allow-origin"], "https://a");
}

#[test]
fn several_request_header_lines_are_joined() {
    let request = repeated(&[
        ("origin", "https://a"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "x-a"),
        ("access-control-request-headers", "x-b,x-c"),
    ]);
    let answer = answer(policy(&open()).decide(&Method::OPTIONS, &request));
    assert_eq!(answer["access-control-allow-headers"], "x-a, x-b,x-c");
}

#[test]
fn broken_entries_are_named() {
    let set = |entry: &str| Some([entry.to_owned()].into());
    for cors in [
        Cors { allow_origins: set("*"), ..open() },
        Cors { allow_origins: set("https://a/"), ..open() },
        Cors { allow_origins: set("a.example"), ..open() },
        Cors { allow_methods: set("GET, PUT"), ..open() },
        Cors { allow_headers: set("x a"), ..open() },
        Cors { expose_headers: ["x\r\ny".to_owned()].into(), ..open() },
    ] {
        assert!(CorsPolicy::try_from(&cors).is_err(), "{cors:?}");
    }
}
