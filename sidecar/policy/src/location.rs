//! Where does a redirect of the app lead, seen by the caller?

/// What the caller used and what it stands for at the app.
#[derive(Clone, Copy, Debug)]
pub struct Mapping<'a> {
    /// The app's origin, `http://orders.shop-prod.svc:80`, in lower case.
    pub origin: &'a str,
    /// The path at the app below which the route stays: base path and upstream prefix, without a slash at the end.
    pub upstream_prefix: &'a str,
    /// The caller's path that stands for it: route prefix and backend, without a slash at the end.
    pub caller_prefix: &'a str,
}

/// A `Location` on the app's own base, rewritten to the caller's path; `None`: pass it on as it is.
///
/// A location on the app's origin, but outside the prefix, has no path at the caller: only its path is left, so that
/// no internal name leaks. A relative reference (RFC 3986, 4.2) that is no absolute path needs no rewriting.
///
/// What is left always is a path on the caller's own origin: where it would name a host, `/.` before it keeps it a path
/// (RFC 3986, 4.2 and 5.2.4).
pub fn rewrite(location: &str, mapping: &Mapping<'_>) -> Option<String> {
    if names_a_host(location) {
        return None;
    }
    let path = if location.starts_with('/') { location } else { strip_origin(location, mapping.origin)? };
    let below =
        path.strip_prefix(mapping.upstream_prefix).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
    let (prefix, rest) = match below {
        Some(rest) => (mapping.caller_prefix, rest),
        None if path.len() == location.len() => return None,
        None => ("", path),
    };
    let rewritten = format!("{prefix}{rest}");
    Some(if names_a_host(&rewritten) {
        format!("/.{rewritten}")
    } else if rewritten.starts_with('/') {
        rewritten
    } else {
        format!("/{rewritten}")
    })
}

/// Whether a reference begins with a host (`//host`, RFC 3986, 4.2). Browsers read `\` as `/`, and skip tabs and line
/// breaks (WHATWG URL, 4.4).
fn names_a_host(reference: &str) -> bool {
    let mut bytes = reference.bytes().filter(|byte| !matches!(byte, b'\t' | b'\r' | b'\n'));
    let mut slash = || matches!(bytes.next(), Some(b'/' | b'\\'));
    slash() && slash()
}

/// The part behind the origin, where the location is on it. A port that is the scheme's default may be left out.
fn strip_origin<'a>(location: &'a str, origin: &str) -> Option<&'a str> {
    let short = origin.strip_prefix("http:").and_then(|_| origin.strip_suffix(":80"));
    let short = short.or_else(|| origin.strip_prefix("https:").and_then(|_| origin.strip_suffix(":443")));
    [Some(origin), short].into_iter().flatten().find_map(|origin| {
        let head = location.get(..origin.len())?;
        let rest = location.get(origin.len()..)?;
        (head.eq_ignore_ascii_case(origin) && (rest.is_empty() || rest.starts_with(['/', '?', '#']))).then_some(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPPING: Mapping<'static> = Mapping {
        origin: "http://orders.shop-prod.svc:80",
        upstream_prefix: "/api/internal",
        caller_prefix: "/internal/orders",
    };

    #[test]
    fn locations_on_the_app_are_rewritten() {
        for (from, to) in [
            ("http://orders.shop-prod.svc:80/api/internal/x?y#z", "/internal/orders/x?y#z"),
            ("HTTP://Orders.shop-prod.svc/api/internal/x", "/internal/orders/x"),
            ("/api/internal/x", "/internal/orders/x"),
            ("/api/internal", "/internal/orders"),
            ("http://orders.shop-prod.svc:80/elsewhere", "/elsewhere"),
            ("http://orders.shop-prod.svc:80", "/"),
        ] {
            assert_eq!(rewrite(from, &MAPPING).as_deref(), Some(to), "{from}");
        }
    }

    #[test]
    fn other_locations_pass_as_they_are() {
        for location in [
            "https://elsewhere.example/",
            "x/y",
            "../x",
            "//evil/api/internal",
            "/\\evil/api/internal",
            "/\t/evil/api/internal",
            "\\\\evil",
            "/elsewhere",
            "/api/internals",
            "",
            "http://orders.shop-prod.svc:8080/api/internal",
            "http://orders.shop-prod.svc:80.evil/",
        ] {
            assert_eq!(rewrite(location, &MAPPING), None, "{location}");
        }
    }

    /// Threat R4: no redirect leaves the site that the app did not send off it.
    #[test]
    fn rewritten_locations_name_no_host() {
        let bare = Mapping { upstream_prefix: "/api", caller_prefix: "", ..MAPPING };
        for (from, to) in [
            ("/api//evil.test", "/.//evil.test"),
            ("/api/\\evil.test", "/./\\evil.test"),
            ("/api/\t/evil.test", "/./\t/evil.test"),
            ("http://orders.shop-prod.svc//evil.test/", "/.//evil.test/"),
            ("http://orders.shop-prod.svc/\\evil.test/", "/./\\evil.test/"),
            ("http://orders.shop-prod.svc:80/\t/evil.test/", "/./\t/evil.test/"),
            ("http://orders.shop-prod.svc/api//evil.test", "/.//evil.test"),
            ("/api/evil.test//", "/evil.test//"),
        ] {
            let rewritten = rewrite(from, &bare).unwrap();
            assert_eq!(rewritten, to, "{from}");
            for base in ["http://shop.example/", "https://shop.example/a/b?c"] {
                let base = url::Url::parse(base).unwrap();
                assert_eq!(base.join(&rewritten).unwrap().host_str(), Some("shop.example"), "{from}");
            }
        }
        let below = "http://orders.shop-prod.svc/api/internal//evil.test";
        assert_eq!(rewrite(below, &MAPPING).as_deref(), Some("/internal/orders//evil.test"));
    }

    #[test]
    fn empty_prefixes_lead_to_the_root() {
        let bare = Mapping { upstream_prefix: "/api", caller_prefix: "", ..MAPPING };
        for (from, to) in [("/api", "/"), ("/api?x", "/?x"), ("/api#x", "/#x")] {
            assert_eq!(rewrite(from, &bare).as_deref(), Some(to), "{from}");
        }
    }
}
