//! Which request targets are served, and where they go.
//!
//! A target is judged on the bytes that are forwarded: nothing is normalised on the way out, and what two readers could
//! understand differently is refused. Only [`normal_form`] changes anything, and only for comparing with rules.

mod normal;
mod scan;

use http::uri::PathAndQuery;
use http::{Method, Uri};

pub use normal::normal_form;

/// Why a request target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Absolute-form, authority-form, asterisk-form (RFC 9112 section 3.2), or a path without its first slash.
    #[error("the request target is not a path: send only the path, starting with `/`")]
    NotOriginForm,
    /// `.` or `..` as a segment, plain or encoded.
    #[error("the path holds a dot segment: send the path that is meant, without `.` and `..`")]
    DotSegment,
    /// `\`, plain or encoded.
    #[error("the path holds a backslash: separate segments with `/`")]
    Backslash,
    /// NUL, plain or encoded.
    #[error("the path holds a NUL: leave it out")]
    Nul,
    /// A carriage return or a line feed, encoded.
    #[error("the path holds an encoded line break: leave it out")]
    LineBreak,
    /// A control byte, plain.
    #[error("the path holds a control byte: leave it out")]
    Control,
    /// `%` without two hexadecimal digits after it.
    #[error("the path holds a `%` that starts no escape: write it as `%25`")]
    BadEscape,
    /// An ASCII character in more bytes than UTF-8 allows (RFC 3629 section 3).
    #[error("the path holds an overlong UTF-8 form: send the plain character")]
    Overlong,
    /// `#`, or a `?` inside the path.
    #[error("the path holds a plain `#` or `?`: write them as `%23` and `%3F`")]
    Delimiter,
    /// Longer than [`http::Uri`] holds (65,534 bytes), or a byte that it refuses.
    #[error("the path and query do not form a request target: shorten them and escape what is not plain ASCII")]
    NotATarget,
}

/// The path of a request of HTTP/1, as it was sent.
///
/// Only origin-form is served (RFC 9112 section 3.2.1). For HTTP/2, whose `:scheme` and `:authority` also stand in the
/// URI, use [`check_pseudo_path`].
pub fn check_target<'a>(method: &Method, uri: &'a Uri) -> Result<&'a str, PathError> {
    if uri.scheme().is_some() || uri.authority().is_some() {
        return Err(PathError::NotOriginForm);
    }
    check_pseudo_path(method, uri)
}

/// The path of a request of HTTP/2 (its `:path`, RFC 9113 section 8.3.1), as it was sent. Never `*`, never `CONNECT`.
pub fn check_pseudo_path<'a>(method: &Method, uri: &'a Uri) -> Result<&'a str, PathError> {
    if *method == Method::CONNECT {
        return Err(PathError::NotOriginForm);
    }
    let path = uri.path_and_query().map_or("", PathAndQuery::path);
    check(path)?;
    Ok(path)
}

/// Whether a raw path means the same to everybody who reads it.
///
/// Refused: dot segments, plain or encoded, any number of times, in any mix, also with an encoded slash as separator or
/// with parameters (`..;x`); backslash, NUL and line breaks, plain or encoded; overlong UTF-8; broken escapes; control
/// bytes; `#` and `?`. Let through: an encoded slash, doubled slashes, parameters, escapes that are not UTF-8.
///
/// One pass and no allocation, except for a path that holds an encoded `%`.
pub fn check(path: &str) -> Result<(), PathError> {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return Err(PathError::NotOriginForm);
    }
    if scan::is_plain(bytes) { Ok(()) } else { scan::check(bytes) }
}

/// Cuts a path after its first segment: `/orders/x/y` is `orders` and `/x/y`, `/orders` is `orders` and nothing.
pub fn first_segment(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    match path.bytes().position(|byte| byte == b'/') {
        Some(at) => path.split_at(at),
        None => (path, ""),
    }
}

/// The target at the proxied app: `base`, then `prefix`, then `rest`, then the query byte for byte.
///
/// `base` and `prefix` start with `/` and do not end with it, or are empty; `rest` starts with `/`, or is empty and then
/// stands for `/`. It must have passed [`check`]: then the result lies below `base` and `prefix` for every reader. The
/// one allocation is the target itself.
pub fn join(base: &str, prefix: &str, rest: &str, query: Option<&str>) -> Result<PathAndQuery, PathError> {
    let rest = if rest.is_empty() { "/" } else { rest };
    if !rest.starts_with('/') {
        return Err(PathError::NotOriginForm);
    }
    if rest.bytes().any(|byte| matches!(byte, b'?' | b'#')) {
        return Err(PathError::Delimiter);
    }
    let length = base.len() + prefix.len() + rest.len() + query.map_or(0, |query| query.len() + 1);
    let mut target = String::with_capacity(length);
    target.push_str(base);
    target.push_str(prefix);
    target.push_str(rest);
    if let Some(query) = query {
        target.push('?');
        target.push_str(query);
    }
    let target = PathAndQuery::try_from(target).map_err(|_| PathError::NotATarget)?;
    // A `#` would have been cut off together with what follows it.
    if target.as_str().len() == length { Ok(target) } else { Err(PathError::Delimiter) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refuses(path: &str, error: PathError) {
        assert_eq!(check(path), Err(error), "{path:?}");
    }

    fn accepts(path: &str) {
        assert_eq!(check(path), Ok(()), "{path:?}");
    }

    /// Threat R2: dot segments in every spelling.
    #[test]
    fn refuses_dot_segments_however_spelled() {
        for path in [
            "/..",
            "/../",
            "/.",
            "/./a",
            "/a/..",
            "/a/./b",
            "/%2e",
            "/%2E%2e/",
            "/.%2e/a",
            "/a/%2e.",
            "/a%2f..",
            "/a%2F%2e%2e%2fb",
            "/..;x/a",
            "/..;",
            "/.;a/b",
            "/%2e%2e;/",
            "/..%3bx/",
            "/..%3f",
            "/..%23/",
            "/%252e%252e/",
            "/%25252e./",
            "/a%252f..",
            "/%25%32%65/",
            "/%25%32%35%32%65",
            "/%c0%2e%c0%2e/",
            "/%c0%2e",
            "/..%c1%1cadmin",
            "/..%e0%40%af",
        ] {
            refuses(path, PathError::DotSegment);
        }
    }

    /// Threat R2: backslash, NUL and line breaks, also encoded more than once.
    #[test]
    fn refuses_backslash_nul_and_breaks() {
        for path in ["/a\\b", "/a%5cb", "/a%5Cb", "/a%255c", "/%25255c"] {
            refuses(path, PathError::Backslash);
        }
        for path in ["/%00", "/prod%00", "/a%2500"] {
            refuses(path, PathError::Nul);
        }
        for path in ["/a%0d", "/a%0A", "/a%250a"] {
            refuses(path, PathError::LineBreak);
        }
        for path in ["/a\0", "/a\r\n", "/\t", "/\u{7f}"] {
            refuses(path, PathError::Control);
        }
    }

    #[test]
    fn refuses_overlong_utf8_forms() {
        for path in [
            "/%c0%ae",
            "/%C0%AF",
            "/%c1%9c",
            "/%c0%80",
            "/%e0%80%ae",
            "/%e0%80%af",
            "/%e0%81%9c",
            "/%f0%80%80%ae",
            "/%f8%80%80%80%af",
            "/%fc%80%80%80%80%af",
            "/%25c0%25ae",
            "/a%c0%8d%c0%8ab",
            "/%c0%a52e",
        ] {
            refuses(path, PathError::Overlong);
        }
    }

    #[test]
    fn refuses_escapes_that_are_broken() {
        for path in ["/%", "/%2", "/%zz", "/%u002e", "/%%32%65", "/a%c0%9v", "/100%", "/%2 e"] {
            refuses(path, PathError::BadEscape);
        }
    }

    #[test]
    fn refuses_what_is_no_path() {
        for path in ["", "a", "*", "..", "http://a/"] {
            refuses(path, PathError::NotOriginForm);
        }
        refuses("/a#b", PathError::Delimiter);
        refuses("/a?b", PathError::Delimiter);
    }

    #[test]
    fn accepts_what_means_one_thing() {
        for path in [
            "/",
            "//",
            "/a//b",
            "/a%2Fb",
            "/%2f",
            "/a;v=1/b",
            "/;/a",
            "/.../a",
            "/.well-known/x",
            "/..a",
            "/a..",
            "/a.",
            "/%2ehidden",
            "/%E9",
            "/caf%C3%A9",
            "/%E9/x",
            "/%C0/x/y",
            "/100%25",
            "/%2541",
            "/a%3Fb%23c",
            "/été",
            "/~%7e",
            "/a%20b",
            "/%e0%a4%85",
            "/%25",
            "/%2525",
        ] {
            accepts(path);
        }
    }

    /// Threat R3: nothing but a path is a target.
    #[test]
    fn refuses_targets_that_name_a_host() {
        let target = |method: Method, uri: &str| {
            let uri: Uri = uri.parse().unwrap();
            check_target(&method, &uri).map(str::to_owned)
        };
        assert_eq!(target(Method::GET, "/a/b?c=d"), Ok("/a/b".to_owned()));
        for uri in ["http://evil/", "http://evil/orders/x", "evil:80", "evil", "*"] {
            assert_eq!(target(Method::GET, uri), Err(PathError::NotOriginForm), "{uri}");
            assert_eq!(target(Method::OPTIONS, uri), Err(PathError::NotOriginForm), "{uri}");
            assert_eq!(target(Method::CONNECT, uri), Err(PathError::NotOriginForm), "{uri}");
        }
        assert_eq!(target(Method::CONNECT, "/a"), Err(PathError::NotOriginForm));
    }

    #[test]
    fn pseudo_path_ignores_the_authority() {
        let uri: Uri = "https://shop.example/a/b?c".parse().unwrap();
        assert_eq!(check_pseudo_path(&Method::GET, &uri), Ok("/a/b"));
        let uri: Uri = "https://shop.example/a/../b".parse().unwrap();
        assert_eq!(check_pseudo_path(&Method::GET, &uri), Err(PathError::DotSegment));
    }

    #[test]
    fn first_segment_keeps_the_slash() {
        for (path, expected) in [
            ("/orders/x/y", ("orders", "/x/y")),
            ("/orders", ("orders", "")),
            ("/orders/", ("orders", "/")),
            ("/", ("", "")),
            ("//evil/x", ("", "/evil/x")),
            ("", ("", "")),
            ("/a%2Fb/c", ("a%2Fb", "/c")),
        ] {
            assert_eq!(first_segment(path), expected, "{path:?}");
        }
    }

    #[test]
    fn join_puts_the_parts_together() {
        let joined =
            |base, prefix, rest, query| join(base, prefix, rest, query).map(|target| target.as_str().to_owned());
        assert_eq!(joined("", "", "", None), Ok("/".to_owned()));
        assert_eq!(joined("/base", "/api", "", None), Ok("/base/api/".to_owned()));
        assert_eq!(joined("/base", "/api", "/x%2Fy", Some("q=%20&r")), Ok("/base/api/x%2Fy?q=%20&r".to_owned()));
        assert_eq!(joined("", "/api", "/x", Some("")), Ok("/api/x?".to_owned()));
        assert_eq!(joined("", "", "x", None), Err(PathError::NotOriginForm));
        assert_eq!(joined("", "", "/x?y", None), Err(PathError::Delimiter));
        assert_eq!(joined("", "", "/x", Some("y#z")), Err(PathError::Delimiter));
        assert_eq!(joined("", "", "/x y", None), Err(PathError::NotATarget));
        let long = format!("/{}", "a".repeat(70_000));
        assert_eq!(joined("", "", &long, None), Err(PathError::NotATarget));
    }

    /// A path in pieces that matter to somebody.
    fn path() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("/"),
            Just("."),
            Just(".."),
            Just("%2e"),
            Just("%2F"),
            Just("%5c"),
            Just("\\"),
            Just("%25"),
            Just("2e"),
            Just("%c0"),
            Just("%ae"),
            Just("%e0%80"),
            Just("%af"),
            Just(";"),
            Just("a"),
            Just("%41"),
            Just("%E9"),
            Just("%"),
            Just("#"),
            Just("?"),
            Just("é"),
            Just("%00"),
            Just("%0d"),
            Just("-"),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
    }

    proptest! {
        /// Threat R2: the plain scan never lets through what the full one refuses.
        #[test]
        fn plain_scan_agrees_with_full(path in path()) {
            if scan::is_plain(path.as_bytes()) {
                prop_assert_eq!(scan::check(path.as_bytes()), Ok(()));
            }
        }

        /// Threat R2: a joined target lies below its base and prefix.
        #[test]
        fn join_stays_below_its_base(rest in path(), query in proptest::option::of("[a-z=&%/.]{0,8}")) {
            if check(&rest).is_ok() && let Ok(target) = join("/base", "/api/v1", &rest, query.as_deref()) {
                prop_assert!(target.path().starts_with("/base/api/v1/"));
                prop_assert_eq!(&target.path()["/base/api/v1".len()..], rest.as_str());
                prop_assert_eq!(target.query(), query.as_deref());
                prop_assert_eq!(check(target.path()), Ok(()));
            }
        }

        #[test]
        fn accepted_paths_print_as_read(path in path()) {
            if check(&path).is_ok() {
                let uri: Uri = path.parse().unwrap();
                prop_assert_eq!(uri.to_string(), path.as_str());
                prop_assert_eq!(check_target(&Method::GET, &uri), Ok(path.as_str()));
            }
        }

        #[test]
        fn check_takes_any_text(path in ".*") {
            if check(&path).is_ok() {
                prop_assert!(path.starts_with('/'));
            }
        }
    }
}
