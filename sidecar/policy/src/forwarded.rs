//! What the next hop is told about where a call came from: `X-Forwarded-For`, `-Host` and `-Proto`.
//!
//! [`crate::headers::strip_request`] drops what the caller sent. A caller that has proved to be a sidecar is believed:
//! take its headers out beforehand with [`Trusted::take`], and write them back with [`Trusted::apply`].

use std::net::IpAddr;

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// How the caller reached the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proto {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// The forwarded headers of a caller that is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trusted {
    addresses: Vec<HeaderValue>,
    host: Option<HeaderValue>,
    proto: Option<Proto>,
}

/// The name of the header with the addresses that a call came through.
pub const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The name of the header with the host that the caller named.
pub const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The name of the header with the scheme that the caller used.
pub const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A peer's address as a header value, to be made once per connection. An IPv4 address inside an IPv6 one is shown as
/// IPv4.
pub fn peer_value(ip: IpAddr) -> HeaderValue {
    HeaderValue::try_from(ip.to_canonical().to_string()).expect("an address is visible ASCII")
}

/// Sets the forwarded headers to the sidecar's own values, exactly one each; without a host, none for it.
pub fn apply(headers: &mut HeaderMap, peer: &HeaderValue, host: Option<HeaderValue>, proto: Proto) {
    headers.insert(FOR, peer.clone());
    headers.insert(PROTO, proto.value());
    match host {
        Some(host) => headers.insert(HOST, host),
        None => headers.remove(HOST),
    };
}

// === impl Trusted ===

impl Trusted {
    /// Takes them out of a request. A host or scheme that is there more than once, or a scheme that is none, counts as
    /// absent.
    pub fn take(headers: &mut HeaderMap) -> Self {
        let trusted = Self {
            addresses: headers.get_all(FOR).iter().filter(|value| !value.is_empty()).cloned().collect(),
            host: only(headers, &HOST).cloned(),
            proto: only(headers, &PROTO).and_then(Proto::read),
        };
        for name in [FOR, HOST, PROTO] {
            headers.remove(name);
        }
        trusted
    }

    /// Writes them back: its host and scheme, with the sidecar's own where it said none, and the peer after its
    /// addresses. Exactly one header each.
    pub fn apply(self, headers: &mut HeaderMap, peer: &HeaderValue, host: Option<HeaderValue>, proto: Proto) {
        let addresses = match self.addresses.as_slice() {
            [] => peer.clone(),
            addresses => append(addresses, peer),
        };
        apply(headers, &addresses, self.host.or(host), self.proto.unwrap_or(proto));
    }
}

// === impl Proto ===

impl Proto {
    fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }

    fn read(value: &HeaderValue) -> Option<Self> {
        match value.as_bytes() {
            value if value.eq_ignore_ascii_case(b"http") => Some(Self::Http),
            value if value.eq_ignore_ascii_case(b"https") => Some(Self::Https),
            _ => None,
        }
    }
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn append(addresses: &[HeaderValue], peer: &HeaderValue) -> HeaderValue {
    let length = addresses.iter().map(|value| value.len() + 2).sum::<usize>() + peer.len();
    let mut list = Vec::with_capacity(length);
    for value in addresses {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(peer.as_bytes());
    HeaderValue::try_from(list).expect("header values and commas are a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: HeaderValue = HeaderValue::from_static("10.0.0.7");

    fn value(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    fn all(headers: &HeaderMap) -> [Vec<&str>; 3] {
        [FOR, HOST, PROTO].map(|name| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect())
    }

    /// Threat H1: what an untrusted caller sent is replaced, and each header is there once.
    #[test]
    fn own_values_replace_the_callers() {
        let mut headers = HeaderMap::new();
        for name in [FOR, FOR, HOST, PROTO, PROTO] {
            headers.append(name, value("evil"));
        }
        apply(&mut headers, &PEER, Some(value("shop")), Proto::Http);
        assert_eq!(all(&headers), [vec!["10.0.0.7"], vec!["shop"], vec!["http"]]);
        apply(&mut headers, &PEER, None, Proto::Https);
        assert_eq!(all(&headers), [vec!["10.0.0.7"], vec![], vec!["https"]]);
    }

    #[test]
    fn trusted_values_are_kept_and_extended() {
        let mut headers = HeaderMap::new();
        headers.append(FOR, value("192.0.2.1, 192.0.2.2"));
        headers.append(FOR, value("192.0.2.3"));
        headers.append(HOST, value("shop.example"));
        headers.append(PROTO, value("https"));
        let trusted = Trusted::take(&mut headers);
        assert!(headers.is_empty());
        trusted.apply(&mut headers, &PEER, Some(value("inner")), Proto::Http);
        assert_eq!(
            all(&headers),
            [vec!["192.0.2.1, 192.0.2.2, 192.0.2.3, 10.0.0.7"], vec!["shop.example"], vec!["https"]]
        );
    }

    #[test]
    fn ambiguous_trusted_values_count_as_absent() {
        let mut headers = HeaderMap::new();
        for name in [HOST, HOST] {
            headers.append(name, value("a"));
        }
        headers.append(PROTO, value("gopher"));
        headers.append(FOR, value(""));
        Trusted::take(&mut headers).apply(&mut headers, &PEER, Some(value("inner")), Proto::Http);
        assert_eq!(all(&headers), [vec!["10.0.0.7"], vec!["inner"], vec!["http"]]);
    }

    #[test]
    fn mapped_addresses_are_shown_plain() {
        for (ip, shown) in [("10.0.0.7", "10.0.0.7"), ("::ffff:10.0.0.7", "10.0.0.7"), ("2001:db8::1", "2001:db8::1")] {
            assert_eq!(peer_value(ip.parse().unwrap()), shown);
        }
    }
}
