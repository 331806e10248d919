//! Which app is served where.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sidecar::{AppKey, Kind};
use sidecar_policy::config::Config;

use crate::check::suggest::did_you_mean;

/// Where apps are served: by app and kind.
pub(crate) type Addresses = BTreeMap<(AppKey, Kind), SocketAddr>;

/// `APP=ADDR` of the command line, by kind; `APP` may be `NAMESPACE/APP`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// In the order written.
    pub(crate) addresses: Vec<(Kind, AppAddress)>,
}

/// `APP=ADDR`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppAddress {
    app: String,
    address: SocketAddr,
}

/// Why a flag is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FlagError {
    /// There is no such app, or it has no listener of this kind.
    #[error("{flag} names `{app}`: {hint}")]
    UnknownApp {
        /// `--listen`
        flag: &'static str,
        /// What it names.
        app: String,
        /// What it could name.
        hint: String,
    },
    /// Apps of two namespaces have the name.
    #[error("{flag} names `{app}`, which several namespaces have: write one of {candidates}")]
    Ambiguous {
        /// `--listen`
        flag: &'static str,
        /// What it names.
        app: String,
        /// With their namespaces.
        candidates: String,
    },
    /// Whoever reaches the outbound listener calls under the app's account.
    #[error("--listen {app}={address} is not on loopback: anybody could call as {app}; expose a route in its place")]
    NotLoopback {
        /// The app.
        app: String,
        /// The address.
        address: SocketAddr,
    },
}

/// The ports of the interface: the first listener of each kind, and what is never given to one.
const FIRST: [(Kind, u16); 3] = [(Kind::Outbound, 4180), (Kind::Exposed, 4181), (Kind::Inbound, 4182)];
const RESERVED: [u16; 2] = [4189, 4190];
/// Where counting up begins.
const FURTHER: u16 = 4183;

/// The listeners that configurations need: outbound for calls of the app itself, exposed for routes on the pod's
/// address, inbound for calls that reach it.
pub(crate) fn needed(configs: &BTreeMap<AppKey, Config>) -> BTreeSet<(AppKey, Kind)> {
    let mut needed = BTreeSet::new();
    for (key, config) in configs {
        let outbound = config.outbound.as_ref();
        let is_exposed = outbound.is_some_and(|outbound| outbound.routes.iter().any(|route| route.exposed));
        let kinds = [
            (Kind::Outbound, outbound.is_some()),
            (Kind::Exposed, is_exposed),
            (Kind::Inbound, config.inbound.is_some()),
        ];
        needed.extend(kinds.into_iter().filter(|(_, wanted)| *wanted).map(|(kind, _)| (key.clone(), kind)));
    }
    needed
}

/// An address for each listener: the flag's, else the one that it has in `present`, else the next port. Flags that name
/// nothing are passed over: [`Flags::check`] complains about them.
pub(crate) fn assign(
    needed: &BTreeSet<(AppKey, Kind)>,
    flags: &Flags,
    present: &Addresses,
    admin: SocketAddr,
) -> Addresses {
    let mut addresses = Addresses::new();
    for name in needed {
        if let Some(address) = flags.get(needed, name).or_else(|| present.get(name).copied()) {
            addresses.insert(name.clone(), address);
        }
    }
    for (kind, first) in FIRST {
        for name in needed.iter().filter(|name| name.1 == kind) {
            if addresses.contains_key(name) {
                continue;
            }
            let taken: BTreeSet<u16> = addresses.values().chain([&admin]).map(SocketAddr::port).collect();
            let others = FIRST.map(|(_, port)| port);
            let is_free = |port: &u16| !taken.contains(port) && !RESERVED.contains(port);
            let further = (FURTHER..u16::MAX).filter(|port| !others.contains(port));
            let port = std::iter::once(first).chain(further).find(is_free).unwrap_or(0);
            addresses.insert(name.clone(), SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        }
    }
    addresses
}

// === impl Flags ===

impl Flags {
    /// The first flag that names no listener.
    pub(crate) fn check(&self, needed: &BTreeSet<(AppKey, Kind)>) -> Result<(), FlagError> {
        for (kind, AppAddress { app, address }) in &self.addresses {
            let candidates: Vec<&AppKey> =
                needed.iter().filter(|(_, other)| other == kind).map(|(key, _)| key).collect();
            let matching: Vec<String> =
                candidates.iter().filter(|key| names(app, key)).map(ToString::to_string).collect();
            let (flag, app) = (flag(*kind), app.clone());
            match matching.as_slice() {
                [] => return Err(FlagError::UnknownApp { flag, hint: hint(&app, &candidates), app }),
                [_] if *kind == Kind::Outbound && !address.ip().is_loopback() => {
                    return Err(FlagError::NotLoopback { app, address: *address });
                }
                [_] => {}
                _ => return Err(FlagError::Ambiguous { flag, app, candidates: matching.join(", ") }),
            }
        }
        Ok(())
    }

    /// What a flag says about a listener; nothing if it could mean another one too.
    fn get(&self, needed: &BTreeSet<(AppKey, Kind)>, (key, kind): &(AppKey, Kind)) -> Option<SocketAddr> {
        let is_only = |app: &str| needed.iter().filter(|(key, other)| other == kind && names(app, key)).count() == 1;
        let mut flags = self.addresses.iter().rev().filter(|(other, _)| other == kind);
        flags.find(|(_, flag)| names(&flag.app, key) && is_only(&flag.app)).map(|(_, flag)| flag.address)
    }
}

fn names(flag: &str, key: &AppKey) -> bool {
    flag == key.app || flag == key.to_string()
}

fn flag(kind: Kind) -> &'static str {
    match kind {
        Kind::Outbound => "--listen",
        Kind::Exposed => "--exposed",
        Kind::Inbound => "--inbound",
    }
}

fn hint(app: &str, candidates: &[&AppKey]) -> String {
    let names: Vec<&str> = candidates.iter().map(|key| key.app.as_str()).collect();
    match did_you_mean(app, names.iter().copied()) {
        Some(hint) => hint,
        None if names.is_empty() => "no app has such a listener".to_owned(),
        None => format!("the apps with such a listener are {}", names.join(", ")),
    }
}

// === impl AppAddress ===

impl std::str::FromStr for AppAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (app, address) = text.split_once('=').ok_or("write APP=ADDR, such as fr-api=127.0.0.1:4180")?;
        let address = address.parse().map_err(|_| format!("`{address}` is not an address such as 127.0.0.1:4180"))?;
        Ok(Self { app: app.to_owned(), address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4189);

    fn key(name: &str) -> AppKey {
        let (namespace, app) = name.split_once('/').unwrap_or(("shop", name));
        AppKey { namespace: namespace.to_owned(), app: app.to_owned() }
    }

    fn listeners(names: &[(&str, Kind)]) -> BTreeSet<(AppKey, Kind)> {
        names.iter().map(|(app, kind)| (key(app), *kind)).collect()
    }

    fn flags(flags: &[(Kind, &str)]) -> Flags {
        Flags { addresses: flags.iter().map(|(kind, text)| (*kind, text.parse().unwrap())).collect() }
    }

    /// `app kind port`, sorted.
    fn ports(needed: &BTreeSet<(AppKey, Kind)>, flags: &Flags, present: &Addresses) -> Vec<String> {
        let addresses = assign(needed, flags, present, ADMIN);
        addresses.iter().map(|((key, kind), address)| format!("{} {} {address}", key.app, kind.as_str())).collect()
    }

    #[test]
    fn first_of_each_kind_has_its_port() {
        let needed = listeners(&[("fr-api", Kind::Outbound), ("fr-api", Kind::Exposed), ("orders", Kind::Inbound)]);
        let expected =
            ["fr-api outbound 127.0.0.1:4180", "fr-api exposed 127.0.0.1:4181", "orders inbound 127.0.0.1:4182"];
        assert_eq!(ports(&needed, &Flags::default(), &Addresses::new()), expected);
    }

    #[test]
    fn further_listeners_skip_reserved_ports() {
        let names: Vec<String> = (0..9).map(|number| format!("app-{number}")).collect();
        let all: Vec<(&str, Kind)> = names.iter().map(|name| (name.as_str(), Kind::Inbound)).collect();
        let found = ports(&listeners(&all), &Flags::default(), &Addresses::new());
        let ports: Vec<&str> = found.iter().map(|line| line.rsplit(':').next().unwrap()).collect();
        assert_eq!(ports, ["4182", "4183", "4184", "4185", "4186", "4187", "4188", "4191", "4192"]);
    }

    #[test]
    fn flags_come_first() {
        let needed = listeners(&[("a", Kind::Inbound), ("b", Kind::Inbound), ("c", Kind::Inbound)]);
        let flags = flags(&[(Kind::Inbound, "a=127.0.0.1:4183"), (Kind::Outbound, "b=127.0.0.1:1")]);
        let expected = ["a inbound 127.0.0.1:4183", "b inbound 127.0.0.1:4182", "c inbound 127.0.0.1:4184"];
        assert_eq!(ports(&needed, &flags, &Addresses::new()), expected);
    }

    #[test]
    fn listeners_stay_over_reloads() {
        let before = assign(&listeners(&[("m", Kind::Inbound)]), &Flags::default(), &Addresses::new(), ADMIN);
        let after = listeners(&[("a", Kind::Inbound), ("m", Kind::Inbound)]);
        let expected = ["a inbound 127.0.0.1:4183", "m inbound 127.0.0.1:4182"];
        assert_eq!(ports(&after, &Flags::default(), &before), expected);
    }

    #[test]
    fn flags_must_name_a_listener() {
        let needed = listeners(&[("fr-api", Kind::Outbound), ("orders", Kind::Inbound)]);
        let check = |kind, text: &str| flags(&[(kind, text)]).check(&needed).map_err(|error| error.to_string());
        assert_eq!(check(Kind::Outbound, "fr-api=127.0.0.1:1"), Ok(()));
        assert_eq!(check(Kind::Outbound, "shop/fr-api=127.0.0.1:1"), Ok(()));
        let cases = [
            (Kind::Outbound, "fr_api=127.0.0.1:1", "--listen names `fr_api`: did you mean fr-api?"),
            (Kind::Inbound, "x=127.0.0.1:1", "--inbound names `x`: the apps with such a listener are orders"),
            (Kind::Exposed, "fr-api=127.0.0.1:1", "--exposed names `fr-api`: no app has such a listener"),
            (
                Kind::Outbound,
                "fr-api=0.0.0.0:1",
                "--listen fr-api=0.0.0.0:1 is not on loopback: anybody could call as fr-api; expose a route in its place",
            ),
        ];
        for (kind, text, message) in cases {
            assert_eq!(check(kind, text), Err(message.to_owned()));
        }
    }

    #[test]
    fn one_name_in_two_namespaces_needs_both() {
        let needed = listeners(&[("a/orders", Kind::Inbound), ("b/orders", Kind::Inbound)]);
        let message = "--inbound names `orders`, which several namespaces have: write one of a/orders, b/orders";
        let error = flags(&[(Kind::Inbound, "orders=127.0.0.1:1")]).check(&needed).unwrap_err();
        assert_eq!(error.to_string(), message);
        let flags = flags(&[(Kind::Inbound, "b/orders=127.0.0.1:1")]);
        assert_eq!(flags.check(&needed), Ok(()));
        assert_eq!(assign(&needed, &flags, &Addresses::new(), ADMIN)[&(key("b/orders"), Kind::Inbound)].port(), 1);
    }
}
