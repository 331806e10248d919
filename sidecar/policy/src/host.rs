//! Which host a request names.

use http::Version;
use http::header::{HOST, HeaderMap};
use http::uri::Authority;

/// Why a request's host is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// None, or an empty one (RFC 9112 section 3.2).
    #[error("the request has no Host: send the header")]
    Missing,
    /// More than one.
    #[error("the request has more than one Host: send the header once")]
    Repeated,
    /// Not `host` or `host:port` (RFC 9110 section 7.2): a list, user information, a path, white space, a wrong port.
    #[error("the Host is not a host name with an optional port: send nothing else in it")]
    Malformed,
    /// `Host` and `:authority` differ (RFC 9113 section 8.3.1).
    #[error("the Host and the :authority differ: send the same in both, or leave the Host out")]
    Differs,
}

/// The host that a request names in its one `Host` header, as it was sent.
///
/// HTTP/1.1 requires it. Older and newer versions may come without (it is then empty): for HTTP/2 see
/// [`check_authority`].
pub fn check(headers: &HeaderMap, version: Version) -> Result<&str, HostError> {
    let mut values = headers.get_all(HOST).iter();
    let Some(value) = values.next() else {
        return if version == Version::HTTP_11 { Err(HostError::Missing) } else { Ok("") };
    };
    if values.next().is_some() {
        return Err(HostError::Repeated);
    }
    let host = value.to_str().map_err(|_| HostError::Malformed)?;
    if host.is_empty() {
        return Err(HostError::Missing);
    }
    if is_host_and_port(host) { Ok(host) } else { Err(HostError::Malformed) }
}

/// The host that a request of HTTP/2 names in `:authority`, or in `Host` where there is none; the two cannot differ.
pub fn check_authority<'a>(headers: &'a HeaderMap, authority: Option<&'a Authority>) -> Result<&'a str, HostError> {
    let host = check(headers, Version::HTTP_2)?;
    match authority.map(Authority::as_str) {
        None if host.is_empty() => Err(HostError::Missing),
        None => Ok(host),
        Some(authority) if !is_host_and_port(authority) => Err(HostError::Malformed),
        Some(authority) if host.is_empty() || host.eq_ignore_ascii_case(authority) => Ok(authority),
        Some(_) => Err(HostError::Differs),
    }
}

/// `uri-host [ ":" port ]` (RFC 3986 section 3.2.2), without the comma and the percent sign that a registered name could
/// hold: the first is a list to some readers, the second another name to others.
fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => return address.parse::<std::net::Ipv6Addr>().is_ok(),
        Some((address, rest)) => match rest.strip_prefix(':') {
            Some(port) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("", port),
            _ => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) if !host.is_empty() => (host, port),
            Some(_) => return false,
            None => (text, ""),
        },
    };
    host.bytes().all(is_name_byte) && is_port(port)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte)
}

/// Digits that fit in 16 bits, or none.
fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && (port.is_empty() || port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(hosts: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn takes_one_host_with_port() {
        for host in [
            "a",
            "shop.example",
            "127.0.0.1:4180",
            "[::1]",
            "[2001:db8::1]:80",
            "a_b.svc:80",
            "a:",
            "0.0.0.0=5000",
            "A.example.",
        ] {
            assert_eq!(check(&headers(&[host]), Version::HTTP_11), Ok(host));
        }
    }

    /// Threats R3 and R6: no second host, and nothing but a host.
    #[test]
    fn refuses_hosts_that_are_ambiguous() {
        for (hosts, error) in [
            (&[][..], HostError::Missing),
            (&[""], HostError::Missing),
            (&["a", "a"], HostError::Repeated),
            (&["", "a"], HostError::Repeated),
        ] {
            assert_eq!(check(&headers(hosts), Version::HTTP_11), Err(error), "{hosts:?}");
        }
        for host in [
            "a,b",
            "a, b",
            "user@a",
            "user:pw@a",
            "a/b",
            "a b",
            "a\tb",
            "a\\b",
            "a?b",
            "a#b",
            ":80",
            "a:b",
            "a:99999",
            "a:1:2",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]:x",
            "[a]",
            "[fe80::1%25eth0]",
            "http://a",
            "a%2eb",
            "é",
            "a:+1",
        ] {
            assert_eq!(check(&headers(&[host]), Version::HTTP_11), Err(HostError::Malformed), "{host:?}");
        }
    }

    #[test]
    fn only_http_11_requires_it() {
        assert_eq!(check(&headers(&[]), Version::HTTP_10), Ok(""));
        assert_eq!(check(&headers(&["a", "b"]), Version::HTTP_10), Err(HostError::Repeated));
    }

    /// Threat R6: `Host` cannot say something else than `:authority`.
    #[test]
    fn host_and_authority_agree() {
        let authority = |text: &'static str| Authority::from_static(text);
        let none = headers(&[]);
        let one = headers(&["Shop.example"]);
        assert_eq!(check_authority(&none, Some(&authority("shop.example"))), Ok("shop.example"));
        assert_eq!(check_authority(&one, Some(&authority("shop.example"))), Ok("shop.example"));
        assert_eq!(check_authority(&one, None), Ok("Shop.example"));
        assert_eq!(check_authority(&none, None), Err(HostError::Missing));
        assert_eq!(check_authority(&one, Some(&authority("evil.example"))), Err(HostError::Differs));
        assert_eq!(check_authority(&none, Some(&authority("user@shop.example"))), Err(HostError::Malformed));
    }
}
