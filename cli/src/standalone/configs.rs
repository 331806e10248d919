//! What the compile step gives -> what the sidecar serves in one process.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crds::EnvName;
use operator_compile::Compiled;
use sidecar::{AppKey, Kind};
use sidecar_policy::config::{Config, Outbound};

use crate::standalone::listeners::Addresses;

/// The configurations of the apps of `environments`.
pub(crate) fn choose(compiled: &Compiled, environments: &BTreeSet<EnvName>) -> BTreeMap<AppKey, Config> {
    let chosen = compiled.configs.iter().filter(|(_, config)| environments.contains(config.environment.as_str()));
    let key = |key: &operator_compile::AppKey| AppKey { namespace: key.namespace.clone(), app: key.app.clone() };
    chosen.map(|(app, config)| (key(app), config.clone())).collect()
}

/// Fills in where apps are that are reached through their inbound listener in this process. One whose listener is not
/// here, since its environment is not served, is as one that does not exist.
pub(crate) fn connect(configs: &mut BTreeMap<AppKey, Config>, addresses: &Addresses) {
    let mut inbound = BTreeMap::new();
    for (key, config) in configs.iter().filter(|(_, config)| config.inbound.is_some()) {
        // A port that the system has still to choose cannot be called yet.
        if let Some(address) = addresses.get(&(key.clone(), Kind::Inbound)).filter(|address| address.port() != 0) {
            inbound.insert((config.app.clone(), config.environment.clone()), url(*address));
        }
    }
    for outbound in configs.values_mut().filter_map(|config| config.outbound.as_mut()) {
        for target in outbound.targets.values_mut().filter(|target| target.in_process) {
            let url = inbound.get(&(target.app.clone(), target.environment.clone()));
            target.url = url.cloned().unwrap_or_default();
        }
        forget_unreachable(outbound);
    }
}

/// How a client of this process reaches a listener.
pub(crate) fn url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

fn forget_unreachable(outbound: &mut Outbound) {
    outbound.targets.retain(|_, target| !target.url.is_empty());
    let is_known = |target: &String| outbound.targets.contains_key(target);
    for account in outbound.accounts.values_mut() {
        account.targets.retain(is_known);
        account.permissions.retain(|target, _| is_known(target));
    }
    for environments in outbound.names.values_mut() {
        environments.retain(|_, target| is_known(target));
    }
    outbound.names.retain(|_, environments| !environments.is_empty());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn caller() -> Config {
        let target =
            |environment: &str| json!({"app": "orders", "environment": environment, "url": "", "inProcess": true});
        let config = json!({
            "format": 1, "app": "fr-api", "namespace": "shop", "environment": "local", "issuer": "https://i",
            "outbound": {
                "routes": [],
                "accounts": {"fr-api": {
                    "subject": "s", "roles": [], "targets": ["orders.local", "orders.demo"],
                    "permissions": {"orders.local": ["a"], "orders.demo": ["a"]},
                    "credential": {"type": "Bearer", "token": "t"},
                }},
                "names": {"orders": {"local": "orders.local", "demo": "orders.demo"}, "o": {"demo": "orders.demo"}},
                "targets": {"orders.local": target("local"), "orders.demo": target("demo")},
                "environments": ["demo", "local"],
            },
        });
        Config::parse(config.to_string().as_bytes()).unwrap()
    }

    fn callee() -> Config {
        let config = json!({
            "format": 1, "app": "orders", "namespace": "shop", "environment": "local", "issuer": "https://i",
            "inbound": {"appPort": 9001, "audience": "orders.local", "keys": {}, "endpoints": []},
        });
        Config::parse(config.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn targets_in_the_process_get_their_listener() {
        let key = |app: &str| AppKey { namespace: "shop".to_owned(), app: app.to_owned() };
        let mut configs = [(key("fr-api"), caller()), (key("orders"), callee())].into();
        let addresses = [((key("orders"), Kind::Inbound), ([0, 0, 0, 0], 4182).into())].into();
        connect(&mut configs, &addresses);
        let outbound = configs[&key("fr-api")].outbound.as_ref().unwrap();
        assert_eq!(outbound.targets["orders.local"].url, "http://127.0.0.1:4182");
        // The environment demo is not served here.
        assert!(!outbound.targets.contains_key("orders.demo"));
        assert_eq!(outbound.accounts["fr-api"].targets, ["orders.local".to_owned()].into());
        assert_eq!(outbound.names.keys().collect::<Vec<_>>(), ["orders"]);
        assert_eq!(outbound.names["orders"].keys().collect::<Vec<_>>(), ["local"]);
    }

    #[test]
    fn urls_of_listeners_can_be_called() {
        assert_eq!(url(([127, 0, 0, 1], 80).into()), "http://127.0.0.1:80");
        assert_eq!(url("[::]:80".parse().unwrap()), "http://[::1]:80");
    }
}
