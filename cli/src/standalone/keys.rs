//! The key pairs of a process: made when they are needed, kept while it runs, replaced with overlap.
//!
//! ```text
//!            due                    delivered                lifetime + skew later
//! signing ---------> next published ----------> next signs, ------------------> the old one
//!                                               old still known                 is forgotten
//! ```
//!
//! Time is an argument: how long the process has run.

use std::collections::BTreeMap;
use std::time::Duration;

use operator_compile::{AccountKeys, Inventory, Key, KeyPair, NeededKey, PublicKey};
use sidecar_policy::jwt::Algorithm;

/// How much longer than its tokens a key is known: the leeway of verifiers.
const SKEW: Duration = Duration::from_secs(60);

/// How soon a published key signs.
const STEP: Duration = Duration::from_secs(1);

/// The key pairs of all accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyStore {
    rings: BTreeMap<Key, Ring>,
}

/// What an account asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    /// What it signs with.
    pub(crate) algorithm: Algorithm,
    /// How often the pair is replaced.
    pub(crate) rotate_every: Duration,
    /// The life of a token.
    pub(crate) lifetime: Duration,
    /// The annotation `crosscall.dev/rotate`: another value asks for a new pair now.
    pub(crate) demand: Option<String>,
}

/// The keys of one account.
#[derive(Clone, Debug)]
struct Ring {
    signing: KeyPair,
    since: Duration,
    /// The longest life of a token that `signing` may have signed.
    lifetime: Duration,
    demand: Option<String>,
    next: Option<Next>,
    retired: Vec<Retired>,
}

/// A pair that will sign.
#[derive(Clone, Debug)]
struct Next {
    pair: KeyPair,
    /// Every verifier knows it.
    delivered: bool,
}

/// A key that signs no more.
#[derive(Clone, Debug)]
struct Retired {
    key: PublicKey,
    until: Duration,
}

/// What each account that needs a key pair asks for.
pub(crate) fn wants(inventory: &Inventory, needed: &BTreeMap<Key, NeededKey>) -> BTreeMap<Key, Want> {
    let want = |(key, needed): (&Key, &NeededKey)| {
        let account = inventory.accounts.get(key);
        let token = account.and_then(|account| account.spec.credential.signed_token.as_ref());
        let annotations = account.and_then(|account| account.metadata.annotations.as_ref());
        let want = Want {
            algorithm: needed.algorithm,
            rotate_every: needed.rotate_every,
            lifetime: token.map(|token| Duration::from_millis(token.lifetime.millis())).unwrap_or_default(),
            demand: annotations.and_then(|all| all.get(crds::annotations::ROTATE)).cloned(),
        };
        (key.clone(), want)
    };
    needed.iter().map(want).collect()
}

// === impl KeyStore ===

impl KeyStore {
    /// Moves every account one step on. `make` makes a pair.
    pub(crate) fn advance<E>(
        &mut self,
        wants: &BTreeMap<Key, Want>,
        now: Duration,
        mut make: impl FnMut(Algorithm) -> Result<KeyPair, E>,
    ) -> Result<(), E> {
        self.rings.retain(|key, _| wants.contains_key(key));
        for (key, want) in wants {
            match self.rings.get_mut(key) {
                Some(ring) => ring.advance(want, now, &mut make)?,
                None => drop(self.rings.insert(key.clone(), Ring::new(make(want.algorithm)?, want, now))),
            }
        }
        Ok(())
    }

    /// What the last step published is known to every verifier.
    pub(crate) fn delivered(&mut self) {
        for next in self.rings.values_mut().filter_map(|ring| ring.next.as_mut()) {
            next.delivered = true;
        }
    }

    /// For the compile step.
    pub(crate) fn pairs(&self) -> BTreeMap<Key, AccountKeys> {
        self.rings.iter().map(|(key, ring)| (key.clone(), ring.keys())).collect()
    }

    /// When the next step is due.
    pub(crate) fn due(&self, wants: &BTreeMap<Key, Want>, now: Duration) -> Option<Duration> {
        let due = |(key, ring): (&Key, &Ring)| ring.due(wants.get(key)?, now);
        self.rings.iter().filter_map(due).min()
    }
}

// === impl Ring ===

impl Ring {
    fn new(signing: KeyPair, want: &Want, now: Duration) -> Self {
        let (lifetime, demand) = (want.lifetime, want.demand.clone());
        Self { signing, since: now, lifetime, demand, next: None, retired: Vec::new() }
    }

    fn advance<E>(
        &mut self,
        want: &Want,
        now: Duration,
        make: &mut impl FnMut(Algorithm) -> Result<KeyPair, E>,
    ) -> Result<(), E> {
        self.retired.retain(|retired| retired.until > now);
        self.next.take_if(|next| next.pair.algorithm != want.algorithm);
        if let Some(next) = self.next.take_if(|next| next.delivered) {
            let old = std::mem::replace(&mut self.signing, next.pair);
            let until = now + self.lifetime.max(want.lifetime) + SKEW;
            self.retired.push(Retired { key: PublicKey { kid: old.kid, jwk: old.jwk }, until });
            (self.since, self.lifetime) = (now, want.lifetime);
        } else if self.next.is_none() && self.is_due(want, now) {
            self.next = Some(Next { pair: make(want.algorithm)?, delivered: false });
            self.demand.clone_from(&want.demand);
        }
        self.lifetime = self.lifetime.max(want.lifetime);
        Ok(())
    }

    fn is_due(&self, want: &Want, now: Duration) -> bool {
        now >= self.since + want.rotate_every || self.signing.algorithm != want.algorithm || self.demand != want.demand
    }

    fn due(&self, want: &Want, now: Duration) -> Option<Duration> {
        if self.next.is_some() {
            return Some(now + STEP);
        }
        let retired = self.retired.iter().map(|retired| retired.until);
        retired.chain([self.since + want.rotate_every]).min()
    }

    fn keys(&self) -> AccountKeys {
        let next = self.next.iter().map(|Next { pair, .. }| PublicKey { kid: pair.kid.clone(), jwk: pair.jwk.clone() });
        let retired = self.retired.iter().map(|retired| retired.key.clone());
        AccountKeys { signing: self.signing.clone(), published: next.chain(retired).collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(minutes: u32) -> Duration {
        MINUTE * minutes
    }

    fn want() -> Want {
        Want { algorithm: Algorithm::ES256, rotate_every: MINUTE * 60, lifetime: MINUTE * 5, demand: None }
    }

    /// A store of one account, and numbers for its keys in the order made.
    #[derive(Default)]
    struct Store {
        store: KeyStore,
        made: usize,
    }

    impl Store {
        /// `signing | published`, after a step.
        fn step(&mut self, want: &Want, now: Duration) -> String {
            let make = |algorithm| {
                self.made += 1;
                let (kid, jwk) = (format!("k{}", self.made), String::new());
                Ok::<_, Infallible>(KeyPair { kid, algorithm, private_key_pem: "".into(), jwk })
            };
            self.store.advance(&wants_of(want), now, make).unwrap();
            let keys = self.store.pairs().remove(&account()).unwrap();
            let published: Vec<String> = keys.published.into_iter().map(|key| key.kid).collect();
            format!("{} | {}", keys.signing.kid, published.join(" "))
        }
    }

    fn account() -> Key {
        Key::new("shop", "fr-api")
    }

    fn wants_of(want: &Want) -> BTreeMap<Key, Want> {
        [(account(), want.clone())].into()
    }

    #[test]
    fn keys_stay_over_reloads() {
        let mut store = Store::default();
        for minute in [0, 1, 59] {
            assert_eq!(store.step(&want(), at(minute)), "k1 | ");
            store.store.delivered();
        }
        assert_eq!(store.made, 1);
    }

    #[test]
    fn rotation_publishes_signs_and_retires() {
        let mut store = Store::default();
        store.step(&want(), at(0));
        assert_eq!(store.step(&want(), at(60)), "k1 | k2");
        // Not known to all yet, so it does not sign.
        assert_eq!(store.step(&want(), at(61)), "k1 | k2");
        store.store.delivered();
        assert_eq!(store.step(&want(), at(62)), "k2 | k1");
        // Five minutes of life and one of skew after it signed last.
        assert_eq!(store.step(&want(), at(67)), "k2 | k1");
        assert_eq!(store.step(&want(), at(68)), "k2 | ");
    }

    #[test]
    fn old_key_outlives_the_longest_token() {
        let mut store = Store::default();
        store.step(&Want { lifetime: MINUTE * 30, ..want() }, at(0));
        store.step(&want(), at(60));
        store.store.delivered();
        store.step(&want(), at(61));
        assert_eq!(store.step(&want(), at(61 + 30)), "k2 | k1");
        assert_eq!(store.step(&want(), at(61 + 31)), "k2 | ");
    }

    #[test]
    fn another_algorithm_overlaps_too() {
        let mut store = Store::default();
        store.step(&want(), at(0));
        let eddsa = Want { algorithm: Algorithm::EdDSA, ..want() };
        assert_eq!(store.step(&eddsa, at(1)), "k1 | k2");
        store.store.delivered();
        assert_eq!(store.step(&eddsa, at(2)), "k2 | k1");
        assert_eq!(store.store.pairs()[&account()].signing.algorithm, Algorithm::EdDSA);
    }

    #[test]
    fn demand_rotates_once() {
        let mut store = Store::default();
        store.step(&want(), at(0));
        let demand = Want { demand: Some("now".to_owned()), ..want() };
        assert_eq!(store.step(&demand, at(1)), "k1 | k2");
        store.store.delivered();
        assert_eq!(store.step(&demand, at(2)), "k2 | k1");
        assert_eq!(store.step(&demand, at(3)), "k2 | k1");
    }

    #[test]
    fn due_is_the_next_change() {
        let (mut store, wants) = (Store::default(), wants_of(&want()));
        store.step(&want(), at(0));
        assert_eq!(store.store.due(&wants, at(10)), Some(at(60)));
        store.step(&want(), at(60));
        assert_eq!(store.store.due(&wants, at(60)), Some(at(60) + STEP));
        store.store.delivered();
        store.step(&want(), at(61));
        assert_eq!(store.store.due(&wants, at(61)), Some(at(67)));
    }

    #[test]
    fn keys_of_gone_accounts_are_forgotten() {
        let mut store = Store::default();
        store.step(&want(), at(0));
        let none = |_| -> Result<KeyPair, Infallible> { unreachable!("no account needs a key") };
        store.store.advance(&BTreeMap::new(), at(1), none).unwrap();
        assert_eq!(store.store.pairs(), BTreeMap::new());
        assert_eq!(store.step(&want(), at(2)), "k2 | ");
    }
}
