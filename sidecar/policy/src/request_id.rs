//! Whether a caller's request id is kept.

use http::HeaderValue;

/// The longest request id that is kept, in bytes.
pub const MAX_LENGTH: usize = 128;

/// One to [`MAX_LENGTH`] token characters (RFC 9110 section 5.6.2): safe in a log line, a header and a URL's query.
/// Anything else is replaced.
pub fn is_sane(value: &HeaderValue) -> bool {
    (1..=MAX_LENGTH).contains(&value.len()) && value.as_bytes().iter().copied().all(is_token)
}

/// `tchar` of RFC 9110 section 5.6.2.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threat H5: no line break, no flood, no other alphabet.
    #[test]
    fn only_short_tokens_are_sane() {
        let sane = |bytes: &[u8]| HeaderValue::from_bytes(bytes).is_ok_and(|value| is_sane(&value));
        for id in ["a", "0190b0e5-7e5c-7cc0-8000-000000000000", "!#$%&'*+-.^_`|~", &"x".repeat(128)] {
            assert!(sane(id.as_bytes()), "{id}");
        }
        for id in [
            "",
            "a b",
            "a\tb",
            "a,b",
            "{}",
            "\"a\"",
            "a\nb",
            "a\r\nlevel=error",
            "é",
            "a/b",
            "<b>",
            &"x".repeat(129),
            &"x".repeat(65_536),
        ] {
            assert!(!sane(id.as_bytes()), "{id}");
        }
        assert!(!sane(b"\xff"));
    }
}
