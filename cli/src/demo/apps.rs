//! The apps behind the mechanism.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Context;
use crosscall_example::Running;
use http::Uri;
use sidecar::AppKey;
use sidecar_policy::config::Config;

/// Starts an example app wherever a configuration expects one on this machine.
pub(crate) fn start(configs: &BTreeMap<AppKey, Config>) -> anyhow::Result<Vec<Running>> {
    let start = |(address, app): (SocketAddr, String)| {
        crosscall_example::spawn(&app, address)
            .with_context(|| format!("failed to start the example app {app} on {address}"))
    };
    expected(configs).into_iter().map(start).collect()
}

/// The apps by address: behind an inbound listener, or called directly at a URL on loopback.
fn expected(configs: &BTreeMap<AppKey, Config>) -> BTreeMap<SocketAddr, String> {
    let mut apps = BTreeMap::new();
    for config in configs.values() {
        if let Some(inbound) = &config.inbound {
            apps.insert(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), inbound.app_port), config.app.clone());
        }
        for target in config.outbound.iter().flat_map(|outbound| outbound.targets.values()) {
            if let Some(address) = loopback(&target.url).filter(|_| !target.in_process) {
                apps.insert(address, target.app.clone());
            }
        }
    }
    apps
}

fn loopback(url: &str) -> Option<SocketAddr> {
    let url: Uri = url.parse().ok()?;
    let authority = url.authority().filter(|_| url.scheme_str() == Some("http"))?;
    let ip = match authority.host() {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.trim_matches(['[', ']']).parse().ok()?,
    };
    ip.is_loopback().then(|| SocketAddr::new(ip, authority.port_u16().unwrap_or(80)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_urls_on_loopback_count() {
        assert_eq!(loopback("http://127.0.0.1:9002/base"), Some(([127, 0, 0, 1], 9002).into()));
        assert_eq!(loopback("http://localhost"), Some(([127, 0, 0, 1], 80).into()));
        assert_eq!(loopback("http://[::1]:1"), Some("[::1]:1".parse().unwrap()));
        for other in ["https://127.0.0.1:1", "http://10.0.0.1:1", "http://orders.example", ""] {
            assert_eq!(loopback(other), None, "{other}");
        }
    }
}
