//! Where an app may be: the base URLs that resources may name, and the addresses that may be dialled.
//!
//! A URL is judged twice. [`check_base_url`] judges what is written, when it is compiled; [`dial_allowed`] judges each
//! address that its host resolves to, when a connection is opened, since a name can come to mean something else.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::path;

/// What is let in beyond other machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UrlPolicy {
    /// This machine itself: standalone mode, and the app beside the sidecar.
    pub allow_loopback: bool,
}

/// How the app is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// A base URL that has been judged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// A name in lower case ASCII, or an address.
    pub host: Host<String>,
    /// The port, also where the URL leaves it to the scheme.
    pub port: u16,
    /// Starts with `/` and does not end with it; empty for the root.
    pub path: String,
}

/// Why a base URL is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not `http://` or `https://` and a host.
    #[error("the URL is not `http://` or `https://` with a host: write it like `https://orders.example:8443/api`")]
    NotHttp,
    /// The URL standard does not take it, or it holds white space, a control character or a backslash.
    #[error("the URL is not well formed: write it like `https://orders.example:8443/api`")]
    Malformed,
    /// A user name or password.
    #[error("the URL holds a user name or password: put credentials into a Secret")]
    UserInfo,
    /// A query or a fragment.
    #[error("the URL holds a query or a fragment: a base URL ends with its path")]
    QueryOrFragment,
    /// A host with other characters than letters, digits, `-`, `.` and `_`.
    #[error("the URL's host is no host name: use letters, digits, dashes and dots")]
    Host,
    /// Port 0.
    #[error("the URL's port is 0: name the port that the app listens on")]
    Port,
    /// A path that may not be forwarded to.
    #[error("the URL's path cannot be forwarded to")]
    Path(#[source] path::PathError),
    /// A host or address that no app may have.
    #[error("the URL names {0}: name the app's own host")]
    Forbidden(Forbidden),
}

/// What no app's host may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Where clouds hand out credentials, or link-local.
    #[error("a metadata service or a link-local address")]
    Metadata,
    /// This machine.
    #[error("this machine itself (loopback)")]
    Loopback,
    /// Nobody or everybody.
    #[error("an unspecified, broadcast or multicast address")]
    NotUnicast,
}

/// Judges a base URL.
pub fn check_base_url(url: &str, policy: &UrlPolicy) -> Result<BaseUrl, UrlError> {
    // The URL standard repairs these in silence; nobody writes them by accident.
    if url.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
        return Err(UrlError::Malformed);
    }
    let (scheme, rest) = url.split_once("://").ok_or(UrlError::NotHttp)?;
    let scheme = Scheme::read(scheme).ok_or(UrlError::NotHttp)?;
    if rest.contains(['?', '#']) {
        return Err(UrlError::QueryOrFragment);
    }
    let (authority, raw_path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    if authority.is_empty() {
        return Err(UrlError::NotHttp);
    }
    if authority.contains('@') {
        return Err(UrlError::UserInfo);
    }
    // The URL standard resolves dot segments in silence, so they are looked for before.
    path::check(raw_path).map_err(UrlError::Path)?;
    let url = Url::parse(url).map_err(|_| UrlError::Malformed)?;
    let host = url.host().ok_or(UrlError::NotHttp)?.to_owned();
    check_host(&host, policy)?;
    let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(UrlError::Port)?;
    path::check(url.path()).map_err(UrlError::Path)?;
    Ok(BaseUrl { scheme, host, port, path: url.path().trim_end_matches('/').to_owned() })
}

/// Whether a connection to this address may be opened. An IPv4 address inside an IPv6 one counts as itself.
pub fn dial_allowed(ip: IpAddr, policy: &UrlPolicy) -> bool {
    check_ip(ip, policy).is_ok()
}

fn check_host(host: &Host<String>, policy: &UrlPolicy) -> Result<(), UrlError> {
    match host {
        Host::Ipv4(ip) => check_ip((*ip).into(), policy).map_err(UrlError::Forbidden),
        Host::Ipv6(ip) => check_ip((*ip).into(), policy).map_err(UrlError::Forbidden),
        Host::Domain(name) => check_name(name, policy),
    }
}

fn check_name(name: &str, policy: &UrlPolicy) -> Result<(), UrlError> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || name.split('.').any(str::is_empty) || !name.bytes().all(known) {
        return Err(UrlError::Host);
    }
    if METADATA_NAMES.contains(&name) {
        return Err(UrlError::Forbidden(Forbidden::Metadata));
    }
    let loopback = LOOPBACK_NAMES.contains(&name) || name.ends_with(".localhost");
    if loopback && !policy.allow_loopback {
        return Err(UrlError::Forbidden(Forbidden::Loopback));
    }
    Ok(())
}

fn check_ip(ip: IpAddr, policy: &UrlPolicy) -> Result<(), Forbidden> {
    let forbidden = match ip {
        IpAddr::V4(ip) => forbidden_v4(ip),
        IpAddr::V6(ip) => match embedded_v4(ip) {
            Some(inner) => forbidden_v4(inner),
            None => forbidden_v6(ip),
        },
    };
    match forbidden {
        None => Ok(()),
        Some(Forbidden::Loopback) if policy.allow_loopback => Ok(()),
        Some(forbidden) => Err(forbidden),
    }
}

fn forbidden_v4(ip: Ipv4Addr) -> Option<Forbidden> {
    if ip.is_link_local() || METADATA_V4.contains(&ip) {
        Some(Forbidden::Metadata)
    } else if ip.is_loopback() {
        Some(Forbidden::Loopback)
    } else if ip.octets()[0] == 0 || ip.is_broadcast() || ip.is_multicast() {
        // All of 0.0.0.0/8 is "this host on this network" (RFC 1122 section 3.2.1.3).
        Some(Forbidden::NotUnicast)
    } else {
        None
    }
}

fn forbidden_v6(ip: Ipv6Addr) -> Option<Forbidden> {
    if ip.is_unicast_link_local() || METADATA_V6.contains(&ip) {
        Some(Forbidden::Metadata)
    } else if ip.is_loopback() {
        Some(Forbidden::Loopback)
    } else if ip.is_unspecified() || ip.is_multicast() {
        Some(Forbidden::NotUnicast)
    } else {
        None
    }
}

/// The IPv4 address that packets to an IPv6 address end up at: mapped, compatible and translated ones (RFC 4291 section
/// 2.5.5, RFC 7915), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056).
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = || Some(Ipv4Addr::from_bits(ip.to_bits() as u32));
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _]
        | [0, 0, 0, 0, 0xffff, 0, _, _]
        | [0x64, 0xff9b, 0, 0, 0, 0, _, _]
        | [0x64, 0xff9b, 1, ..] => last(),
        [0x2002, high, low, ..] => Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))),
        _ => None,
    }
}

/// Amazon, Google and others by name; all are also reached by a link-local address.
const METADATA_NAMES: [&str; 5] =
    ["metadata.google.internal", "metadata.goog", "metadata", "instance-data", "instance-data.ec2.internal"];
/// What `/etc/hosts` of common systems calls this machine.
const LOOPBACK_NAMES: [&str; 5] = ["localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback"];
/// Metadata services that are not link-local: Alibaba Cloud, Azure, Oracle Cloud.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
/// Amazon, Google.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

// === impl Scheme ===

impl Scheme {
    /// As it is written in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL need not name.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme.as_str()))
    }
}

// === impl BaseUrl ===

impl BaseUrl {
    /// The host, and the port where it is not the scheme's own: the value of `Host`.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests;
