//! Which headers go on.
//!
//! Two rules, both directions. What belongs to one connection ends with it (RFC 9110 section 7.6.1). What says who is
//! calling, or changes what is asked for behind the sidecar's back, is the sidecar's to write: the caller's own is
//! dropped here, and the sidecar adds its own afterwards, so that nothing a caller writes into `Connection` can remove it.

mod names;
mod rule;
mod trailer;

use http::HeaderMap;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TE, TRANSFER_ENCODING};

pub use names::owned_by_sidecar;
use names::{Kind, Known};
pub use rule::{CompiledHeaderRule, HeaderRuleError, apply_rule};
pub use trailer::{strip_trailers, trailer_allowed};

/// Why a request's headers are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A name with `_` that many applications cannot tell from a header of the sidecar or of the connection.
    #[error("the header {0} reads like one with dashes that callers may not set: rename or leave it out")]
    Ambiguous(HeaderName),
    /// `Transfer-Encoding` other than exactly one `chunked` (RFC 9112 section 6.1).
    #[error("the Transfer-Encoding is not one plain `chunked`: send the body chunked or with a Content-Length")]
    TransferEncoding,
}

/// Takes out of a request what ends here.
///
/// Dropped: hop-by-hop headers and what `Connection` names; credentials and everything that claims an identity, an
/// address or another target (see [`owned_by_sidecar`]). `TE` stays where it asks for trailers, as `te: trailers`, and
/// `Trailer` with the names that may be trailers. `Host`, `Content-Length` and `Transfer-Encoding: chunked` stay, whatever
/// `Connection` says: they frame the message. (Without the latter, hyper's client would send a `GET` whose length is
/// unknown without its body. HTTP/2 knows no such header: take it out there.)
///
/// On an error the headers are as they were. Doing it twice changes nothing more. Allocates only where `Connection` or
/// unusual headers name what is to be dropped.
pub fn strip_request(headers: &mut HeaderMap) -> Result<(), HeaderError> {
    let found = survey(headers, Direction::Request);
    if let Some(name) = found.ambiguous {
        return Err(HeaderError::Ambiguous(name));
    }
    if found.known.has(Known::TRANSFER_ENCODING) && !is_one_chunked(headers) {
        return Err(HeaderError::TransferEncoding);
    }
    drop_found(headers, &found);
    if found.known.has(Known::TE) {
        if asks_for_trailers(headers) {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        } else {
            headers.remove(TE);
        }
    }
    Ok(())
}

/// Takes out of an answer what ends here: hop-by-hop headers, what `Connection` names, `Transfer-Encoding` (the server
/// frames the body again), and whatever the app calls `x-crosscall-…`.
///
/// With a `Transfer-Encoding` goes the `Content-Length`, which it overrides (RFC 9112 section 6.3): the body was read by
/// the former, and the latter would cut it short.
pub fn strip_response(headers: &mut HeaderMap) {
    let found = survey(headers, Direction::Response);
    drop_found(headers, &found);
    for (index, name) in [(Known::TE, TE), (Known::TRANSFER_ENCODING, TRANSFER_ENCODING)] {
        if found.known.has(index) {
            headers.remove(name);
        }
    }
    if found.known.has(Known::TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
}

/// Which way a message goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Response,
}

/// What one pass over the names found.
#[derive(Default)]
struct Found {
    /// Headers of the table that are there.
    known: Known,
    /// Those of them that go.
    dropped: Known,
    /// Others that go: known by how their name begins, or named by `Connection`.
    others: Vec<HeaderName>,
    /// A twin, in a request.
    ambiguous: Option<HeaderName>,
}

fn survey(headers: &HeaderMap, direction: Direction) -> Found {
    let mut found = Found::default();
    for name in headers.keys() {
        let text = name.as_str();
        match names::lookup(text) {
            Some(index) => {
                found.known.add(index);
                if goes(names::kind(index), direction) {
                    found.dropped.add(index);
                }
            }
            None if direction == Direction::Request => {
                if names::claims_identity(text) {
                    found.others.push(name.clone());
                } else if names::is_twin(text) {
                    found.ambiguous = Some(name.clone());
                }
            }
            None if names::is_ours(text) => found.others.push(name.clone()),
            None => {}
        }
    }
    if found.known.has(Known::CONNECTION) {
        named_by_connection(headers, &mut found.others);
    }
    found
}

/// Whether a header of this kind ends here.
fn goes(kind: Kind, direction: Direction) -> bool {
    match kind {
        Kind::Hop => true,
        Kind::Identity => direction == Direction::Request,
        Kind::Framing | Kind::Negotiated | Kind::Added => false,
    }
}

fn named_by_connection(headers: &HeaderMap, names: &mut Vec<HeaderName>) {
    let options = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    for option in options.map(<[u8]>::trim_ascii) {
        if option.eq_ignore_ascii_case(b"keep-alive") || option.eq_ignore_ascii_case(b"close") {
            continue;
        }
        if let Ok(name) = HeaderName::from_bytes(option)
            && !names::stays_whatever_is_named(&name)
            && headers.contains_key(&name)
        {
            names.push(name);
        }
    }
}

fn drop_found(headers: &mut HeaderMap, found: &Found) {
    for name in found.dropped.names() {
        headers.remove(name);
    }
    for name in &found.others {
        headers.remove(name);
    }
    if found.known.has(Known::TRAILER) {
        trailer::cut_down(headers);
    }
}

/// Exactly one `chunked`.
fn is_one_chunked(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(TRANSFER_ENCODING).iter();
    values.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked")) && values.next().is_none()
}

/// `trailers` among the transfer codings that the sender takes (RFC 9110 section 10.1.4).
fn asks_for_trailers(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(TE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    codings.map(<[u8]>::trim_ascii).any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use http::header::{HOST, TRAILER};
    use proptest::prelude::*;

    use super::*;

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    /// What is left of a request, sorted.
    fn stripped(headers: &[(&str, &str)]) -> Vec<String> {
        let mut headers = map(headers);
        strip_request(&mut headers).unwrap();
        lines(&headers)
    }

    fn lines(headers: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    #[test]
    fn ordinary_headers_go_through() {
        let ordinary = [
            ("accept", "*/*"),
            ("content-length", "3"),
            ("content-type", "text/plain"),
            ("cookie", "a=b"),
            ("host", "a"),
            ("my_header", "1"),
            ("origin", "https://a"),
            ("x-custom", "1"),
            ("x-request-id", "r"),
        ];
        assert_eq!(stripped(&ordinary), ordinary.map(|(name, value)| format!("{name}: {value}")));
    }

    /// Threat H1: whatever claims an identity is dropped, every copy of it.
    #[test]
    fn identity_of_the_caller_is_dropped() {
        for name in [
            "Authorization",
            "X-Api-Key",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-User",
            "Forwarded",
            "X-Real-IP",
            "True-Client-IP",
            "CF-Connecting-IP",
            "X-Client-IP",
            "X-Cluster-Client-IP",
            "X-Original-URL",
            "X-Rewrite-URL",
            "X-Original-Forwarded-For",
            "X-HTTP-Method-Override",
            "X-HTTP-Method",
            "X-Method-Override",
            "X-Envoy-Original-Path",
            "X-Envoy-External-Address",
            "X-Crosscall-Subject",
            "X-Crosscall-Anything-Else",
            "X-Remote-User",
            "X-Auth-Request-Email",
            "Client-Cert",
            "SSL-Client-Verify",
        ] {
            assert_eq!(stripped(&[(name, "admin"), (name, "root"), ("accept", "*/*")]), ["accept: */*"], "{name}");
        }
    }

    /// Threat H1: a twin with `_` is refused, and nothing is changed.
    #[test]
    fn twins_with_underscores_are_refused() {
        for name in [
            "x_api_key",
            "X_Forwarded_For",
            "x-forwarded_user",
            "transfer_encoding",
            "content_length",
            "x_crosscall_subject",
            "x_real-ip",
            "proxy_connection",
            "x_request_id",
            "true_client_ip",
        ] {
            let mut headers = map(&[(name, "1"), ("connection", "close")]);
            let error = strip_request(&mut headers).unwrap_err();
            assert_eq!(error, HeaderError::Ambiguous(HeaderName::from_bytes(name.as_bytes()).unwrap()));
            assert_eq!(headers.len(), 2);
        }
    }

    /// Threat H2: hop-by-hop headers and what `Connection` names are dropped.
    #[test]
    fn hop_by_hop_headers_are_dropped() {
        let request = [
            ("connection", "close, x-secret-hop"),
            ("connection", "X-Other ,, upgrade"),
            ("x-secret-hop", "1"),
            ("x-other", "2"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authenticate", "Basic"),
            ("proxy-authorization", "Basic YTpi"),
            ("te", "gzip"),
            ("upgrade", "websocket"),
            ("http2-settings", "AAMAAABkAAQ"),
            ("x-kept", "3"),
        ];
        assert_eq!(stripped(&request), ["x-kept: 3"]);
    }

    /// Threat H2: `Connection` cannot remove what frames the message, nor what is added later.
    #[test]
    fn connection_cannot_name_the_framing() {
        let options =
            "authorization, x-request-id, x-forwarded-proto, host, content-length, transfer-encoding, te, trailer";
        let mut headers = map(&[("connection", options), ("host", "a"), ("content-length", "5"), ("te", "trailers")]);
        headers.insert(TRAILER, HeaderValue::from_static("grpc-status"));
        strip_request(&mut headers).unwrap();
        assert_eq!(lines(&headers), ["content-length: 5", "host: a", "te: trailers", "trailer: grpc-status"]);
        headers.insert("x-request-id", HeaderValue::from_static("ours"));
        strip_request(&mut headers).unwrap();
        assert!(headers.contains_key("x-request-id"));
    }

    #[test]
    fn te_is_cut_down_to_trailers() {
        assert_eq!(stripped(&[("te", "trailers")]), ["te: trailers"]);
        assert_eq!(stripped(&[("te", "gzip"), ("te", "deflate;q=0.5, Trailers")]), ["te: trailers"]);
        assert_eq!(stripped(&[("te", "gzip"), ("connection", "TE")]), Vec::<String>::new());
    }

    /// Threat H4: one plain `chunked`, or nothing.
    #[test]
    fn transfer_encoding_is_one_plain_chunked() {
        assert_eq!(stripped(&[("transfer-encoding", "Chunked")]), ["transfer-encoding: Chunked"]);
        for values in [
            &["gzip, chunked"][..],
            &["chunked", "chunked"],
            &["chunked, chunked"],
            &["identity"],
            &[""],
            &["xchunked"],
        ] {
            let headers: Vec<_> = values.iter().map(|value| ("transfer-encoding", *value)).collect();
            assert_eq!(strip_request(&mut map(&headers)), Err(HeaderError::TransferEncoding), "{values:?}");
        }
    }

    /// Threats H1 and H2, on the way back.
    #[test]
    fn answers_lose_hops_and_our_names() {
        let mut headers = map(&[
            ("connection", "x-hop, content-length, set-cookie2"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("x-crosscall-decision", "allowed"),
            ("x-forwarded-for", "kept on answers"),
            ("content-length", "5"),
            ("trailer", "grpc-status, set-cookie"),
            ("set-cookie", "a=b"),
            ("set-cookie", "c=d"),
        ]);
        strip_response(&mut headers);
        let left = [
            "content-length: 5",
            "set-cookie: a=b",
            "set-cookie: c=d",
            "trailer: grpc-status",
            "x-forwarded-for: kept on answers",
        ];
        assert_eq!(lines(&headers), left);
    }

    /// Threat H4: the length that the encoding overrides does not go on.
    #[test]
    fn encoded_answers_lose_their_length() {
        for encoding in ["chunked", "gzip, chunked", "identity"] {
            let mut headers = map(&[("transfer-encoding", encoding), ("content-length", "5"), ("etag", "a")]);
            strip_response(&mut headers);
            assert_eq!(lines(&headers), ["etag: a"], "{encoding}");
        }
    }

    /// Names that matter, and some that do not.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            proptest::sample::select(names::all()).prop_map(str::to_owned),
            "x-(crosscall|forwarded|envoy|custom)-[a-z]{1,4}",
            "[a-z_-]{1,12}",
        ]
    }

    proptest! {
        /// Threats H1 and H2: nothing is left to strip after stripping.
        #[test]
        fn stripping_twice_changes_nothing(
            headers in proptest::collection::vec((name(), prop_oneof![name(), "[a-z, ]{0,16}"]), 0..12),
        ) {
            let pairs: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let original = map(&pairs);
            let mut once = original.clone();
            match strip_request(&mut once) {
                Ok(()) => {
                    for name in once.keys() {
                        prop_assert!(!names::claims_identity(name.as_str()), "{}", name);
                        prop_assert!(names::lookup(name.as_str()).is_none_or(|index| !goes(names::kind(index), Direction::Request)), "{}", name);
                    }
                    for kept in [HOST, CONTENT_LENGTH] {
                        prop_assert_eq!(once.contains_key(&kept), original.contains_key(&kept));
                    }
                    let mut twice = once.clone();
                    prop_assert_eq!(strip_request(&mut twice), Ok(()));
                    prop_assert_eq!(twice, once);
                }
                Err(_) => prop_assert_eq!(&once, &original),
            }
            let mut answer = original.clone();
            strip_response(&mut answer);
            let mut again = answer.clone();
            strip_response(&mut again);
            prop_assert_eq!(again, answer);
        }
    }
}
