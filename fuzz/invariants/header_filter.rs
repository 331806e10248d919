//! What holds for every set of headers.

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, TE};
use http::{Method, Version};
use sidecar_policy::{config, cors, forwarded, headers, host, request_id, trace};

/// Owned by the sidecar, and left in a request nonetheless: framing, and what the sidecar takes over when it is sane.
const LEFT: [&str; 8] =
    ["host", "content-length", "transfer-encoding", "te", "trailer", "x-request-id", "traceparent", "tracestate"];

/// Each line is a header; what is none is skipped.
pub(crate) fn holds(data: &[u8]) {
    let mut original = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.trim_ascii())) {
            original.append(name, value);
        }
    }
    request(&original);
    answer(&original);
    others(&original);
}

fn request(original: &HeaderMap) {
    let mut stripped = original.clone();
    if headers::strip_request(&mut stripped).is_err() {
        assert_eq!(&stripped, original, "a refused request is left as it is");
        return;
    }
    for (name, value) in &stripped {
        assert!(!headers::owned_by_sidecar(name.as_str()) || LEFT.contains(&name.as_str()), "{name} is left");
        assert!(name != TE || value == "trailers");
    }
    assert_eq!(values(&stripped, &HOST), values(original, &HOST));
    let mut again = stripped.clone();
    assert_eq!(headers::strip_request(&mut again), Ok(()));
    assert_eq!(again, stripped, "stripping twice changes nothing");
    forwarded::apply(&mut stripped, &HeaderValue::from_static("10.0.0.7"), None, forwarded::Proto::Http);
    assert_eq!(values(&stripped, &forwarded::FOR), ["10.0.0.7"]);
}

fn answer(original: &HeaderMap) {
    let mut stripped = original.clone();
    headers::strip_response(&mut stripped);
    assert!(stripped.keys().all(|name| !name.as_str().starts_with("x-crosscall-") && name != "connection"));
    let mut again = stripped.clone();
    headers::strip_response(&mut again);
    assert_eq!(again, stripped, "stripping twice changes nothing");
    let mut trailers = original.clone();
    headers::strip_trailers(&mut trailers);
    assert!(trailers.keys().all(headers::trailer_allowed));
}

fn others(original: &HeaderMap) {
    if let Ok(host) = host::check(original, Version::HTTP_11) {
        assert!(!host.contains(['@', '/', ',', ' ', '\\', '?', '#']), "{host:?}");
    }
    let context = trace::next(original, 7, 9);
    let mut next = HeaderMap::new();
    context.apply(&mut next);
    assert_eq!(trace::next(&next, 1, 2).trace_id, context.trace_id);
    for id in original.get_all("x-request-id") {
        assert!(!request_id::is_sane(id) || id.as_bytes().iter().all(u8::is_ascii_graphic));
    }
    let rule = config::Cors {
        allow_origins: None,
        allow_methods: None,
        allow_headers: None,
        expose_headers: Default::default(),
        allow_credentials: true,
        max_age_seconds: 5,
    };
    let policy = cors::CorsPolicy::try_from(&rule).expect("an open rule is taken");
    for method in [Method::GET, Method::OPTIONS] {
        let decision = policy.decide(&method, original);
        let mut answer = original.clone();
        policy.decorate(&decision, &mut answer);
        let echoed = values(&answer, &HeaderName::from_static("access-control-allow-origin"));
        assert!(echoed.is_empty() || echoed == values(original, &HeaderName::from_static("origin")));
        assert!(answer.contains_key("vary"));
    }
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a HeaderValue> {
    headers.get_all(name).iter().collect()
}
