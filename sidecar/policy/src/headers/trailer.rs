//! Which fields may come after the body.

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue, TRAILER};

use super::names;

/// Whether a field may be a trailer (RFC 9110 section 6.5.1), in either direction: nothing that frames, routes,
/// authenticates, modifies the request, or says how the content is to be read, and nothing that the sidecar owns.
pub fn trailer_allowed(name: &HeaderName) -> bool {
    !belongs_before_the_body(name) && !name.as_str().starts_with("access-control-") && !names::is_owned(name.as_str())
}

/// Takes out of a trailer section what may not be a trailer. Allocates only when there is something to take out.
pub fn strip_trailers(trailers: &mut HeaderMap) {
    let refused: Vec<_> = trailers.keys().filter(|name| !trailer_allowed(name)).cloned().collect();
    for name in refused {
        trailers.remove(name);
    }
}

/// Leaves in `Trailer` only names that may be trailers, and drops it when none is left.
pub(super) fn cut_down(headers: &mut HeaderMap) {
    let mut allowed = Vec::new();
    let mut refused = false;
    for value in headers.get_all(TRAILER) {
        for name in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            match HeaderName::from_bytes(name) {
                Ok(name) if trailer_allowed(&name) => allowed.push(name),
                _ => refused = true,
            }
        }
    }
    if !refused {
        return;
    }
    let names: Vec<_> = allowed.iter().map(HeaderName::as_str).collect();
    match HeaderValue::try_from(names.join(", ")) {
        Ok(value) if !value.is_empty() => headers.insert(TRAILER, value),
        _ => headers.remove(TRAILER),
    };
}

/// Fields of the standards that only mean something before the body.
fn belongs_before_the_body(name: &HeaderName) -> bool {
    matches!(
        *name,
        // Request modifiers: controls and conditionals
        header::CACHE_CONTROL
            | header::EXPECT
            | header::MAX_FORWARDS
            | header::PRAGMA
            | header::RANGE
            | header::IF_MATCH
            | header::IF_NONE_MATCH
            | header::IF_MODIFIED_SINCE
            | header::IF_UNMODIFIED_SINCE
            | header::IF_RANGE
            // Authentication
            | header::COOKIE
            | header::SET_COOKIE
            | header::WWW_AUTHENTICATE
            | header::ORIGIN
            // Control data of answers
            | header::AGE
            | header::DATE
            | header::EXPIRES
            | header::LOCATION
            | header::RETRY_AFTER
            | header::VARY
            | header::WARNING
            | header::STRICT_TRANSPORT_SECURITY
            // How the content is to be read
            | header::CONTENT_ENCODING
            | header::CONTENT_TYPE
            | header::CONTENT_RANGE
            | header::CONTENT_DISPOSITION
            | header::CONTENT_SECURITY_POLICY
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_cut(values: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRAILER, HeaderValue::from_static(value));
        }
        cut_down(&mut headers);
        headers.get_all(TRAILER).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    /// Threat H1: no identity, and no framing, as a trailer.
    #[test]
    fn trailers_hold_only_what_may() {
        let mut trailers = HeaderMap::new();
        let refused = [
            "authorization",
            "x-crosscall-subject",
            "x_crosscall_subject",
            "x-forwarded-for",
            "x-api-key",
            "content-length",
            "transfer-encoding",
            "host",
            "trailer",
            "te",
            "connection",
            "set-cookie",
            "cookie",
            "access-control-allow-origin",
            "x-request-id",
            "if-match",
            "location",
        ];
        let allowed = ["grpc-status", "grpc-message", "digest", "server-timing", "etag", "x-checksum"];
        for name in refused.iter().chain(&allowed) {
            trailers.append(*name, HeaderValue::from_static("1"));
        }
        strip_trailers(&mut trailers);
        let mut left: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        let mut expected = allowed;
        expected.sort_unstable();
        assert_eq!(left, expected);
    }

    #[test]
    fn announcement_is_cut_to_allowed() {
        assert_eq!(after_cut(&["grpc-status, Digest"]), ["grpc-status, Digest"]);
        assert_eq!(after_cut(&["grpc-status, Authorization", "Digest"]), ["grpc-status, digest"]);
        assert_eq!(after_cut(&["content-length"]), Vec::<String>::new());
        assert_eq!(after_cut(&["no name"]), Vec::<String>::new());
    }
}
