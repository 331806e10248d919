//! People with passwords: checked away from the workers, a few at a time, and remembered.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use quick_cache::unsync::Cache;
use sidecar_policy::caller::Caller;
use sidecar_policy::code::{Code, Refusal};
use sidecar_policy::config::Provider;
use sidecar_policy::password::{HmacKey, Users, cache_key};
use sidecar_policy::secret::SecretString;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::seeing::metrics::Rare;

/// A right password is remembered this long, so a changed hash takes hold at once (the configuration is another) and a
/// person who is removed is out at once.
const REMEMBERED: Duration = Duration::from_secs(300);
/// People remembered per worker.
const CAPACITY: usize = 4096;
/// Checks that may wait; more are answered 503 at once.
const QUEUE: usize = 64;

/// The people of one provider.
pub(crate) struct People {
    pub(crate) name: String,
    users: Users,
    /// The value of `WWW-Authenticate` (RFC 7617, 2).
    pub(crate) challenge: HeaderValue,
    /// Keys what is remembered: another provider, or another state of it, has another key.
    key: HmacKey,
}

/// Checks passwords for all workers: as many at a time as there are cores to spare.
pub(crate) struct Gate {
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// One worker's way to the gate, and what it remembers.
pub(crate) struct Passwords {
    gate: Arc<Gate>,
    right: RefCell<Cache<[u8; 32], Remembered>>,
    rare: Rare,
}

/// Who it was, and until when that is believed.
type Remembered = (Arc<Caller>, Instant);

/// Why the people of a provider are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PeopleError {
    /// A name or hash.
    #[error("{0}")]
    Users(String),
    /// The realm.
    #[error("the realm cannot stand in a header")]
    Realm,
    /// No randomness.
    #[error("the system gives no random bytes")]
    Random,
}

// === impl People ===

impl People {
    pub(crate) fn new(name: &str, provider: &Provider) -> Result<Self, PeopleError> {
        let Provider::Basic { realm, users } = provider;
        let users = Users::new(users).map_err(|error| PeopleError::Users(with_cause(&error)))?;
        let realm: String = realm.chars().filter(|c| !matches!(c, '"' | '\\')).collect();
        let challenge = HeaderValue::try_from(format!("Basic realm=\"{realm}\", charset=\"UTF-8\""));
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| PeopleError::Random)?;
        Ok(Self {
            name: name.to_owned(),
            users,
            challenge: challenge.map_err(|_| PeopleError::Realm)?,
            key: HmacKey::new(&random),
        })
    }

    fn check(&self, user: &str, password: &SecretString) -> Option<Caller> {
        let roles = self.users.lookup(user).verify(password.expose().as_bytes())?;
        Caller::person(user, roles.clone()).ok()
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", with_cause(source)),
        None => error.to_string(),
    }
}

// === impl Gate ===

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let (at_once, waiting) = (Semaphore::new(cores.div_ceil(2)), Semaphore::new(QUEUE));
        Arc::new(Self { at_once: Arc::new(at_once), waiting: Arc::new(waiting) })
    }
}

// === impl Passwords ===

impl Passwords {
    pub(crate) fn new(gate: Arc<Gate>, rare: Rare) -> Self {
        Self { gate, right: RefCell::new(Cache::new(CAPACITY)), rare }
    }

    /// Who it is; `None` when the password is wrong or there is no such person, which takes the same time.
    pub(crate) async fn check(
        &self,
        people: &Arc<People>,
        user: &str,
        password: &SecretString,
    ) -> Result<Option<Arc<Caller>>, Refusal> {
        let key = cache_key(&people.key, user, password.expose().as_bytes());
        if let Some((caller, until)) = self.right.borrow_mut().get(&key)
            && Instant::now() < *until
        {
            return Ok(Some(Arc::clone(caller)));
        }
        let caller = self.check_hash(people, user, password).await?.map(Arc::new);
        let result = if caller.is_some() { "right" } else { "wrong" };
        self.rare.password_checks.get_or_create(&vec![("result", result)]).inc();
        if let Some(caller) = &caller {
            self.right.borrow_mut().insert(key, (Arc::clone(caller), Instant::now() + REMEMBERED));
        }
        Ok(caller)
    }

    async fn check_hash(
        &self,
        people: &Arc<People>,
        user: &str,
        password: &SecretString,
    ) -> Result<Option<Caller>, Refusal> {
        let overloaded = || {
            self.rare.password_checks.get_or_create(&vec![("result", "shed")]).inc();
            Refusal::new(Code::Overloaded, "too many passwords wait to be checked: try again")
        };
        let waiting = Arc::clone(&self.gate.waiting).try_acquire_owned().map_err(|_| overloaded())?;
        let turn = Arc::clone(&self.gate.at_once).acquire_owned().await.map_err(|_| overloaded())?;
        let (people, user, password) = (Arc::clone(people), user.to_owned(), password.clone());
        let check = move || {
            // A caller that goes away does not stop the work: its place is free when the work is done.
            let _held = (waiting, turn);
            people.check(&user, &password)
        };
        tokio::task::spawn_blocking(check).await.map_err(|_| overloaded())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidecar_policy::config::BasicUser;

    /// bcrypt of `password`, cost 10.
    const HASH: &str = "$2b$10$n4AOSbZDS01yyVI/28lv6eOt6C8ASTJb0tXnjErKvNMOjbiMKXuX6";

    fn people() -> Arc<People> {
        let user = BasicUser { hash: HASH.into(), roles: ["ROLE_USER".to_owned()].into() };
        let provider = Provider::Basic { realm: "people".into(), users: [("Alice".to_owned(), user)].into() };
        Arc::new(People::new("people", &provider).unwrap())
    }

    #[tokio::test]
    async fn a_right_password_is_remembered() {
        let rare = Rare::default();
        let passwords = Passwords::new(Gate::new(), rare.clone());
        let people = people();
        for _ in 0..3 {
            let caller = passwords.check(&people, "Alice", &"abcdef123456".into()).await.unwrap().unwrap();
            assert_eq!(caller.subject, "Alice");
        }
        assert_eq!(rare.password_checks.get_or_create(&vec![("result", "right")]).get(), 1);
        for _ in 0..2 {
            assert!(passwords.check(&people, "Alice", &"wrong".into()).await.unwrap().is_none());
        }
        assert_eq!(rare.password_checks.get_or_create(&vec![("result", "wrong")]).get(), 2);
    }

    /// Threat D1: a caller that goes away does not make room for another hash.
    #[tokio::test]
    async fn the_gate_is_held_until_the_hash_is_done() {
        let gate = Gate::new();
        let free = gate.at_once.available_permits();
        let passwords = Passwords::new(Arc::clone(&gate), Rare::default());
        let (people, password) = (people(), "wrong".into());
        {
            let mut check = Box::pin(passwords.check(&people, "Alice", &password));
            while gate.at_once.available_permits() == free {
                assert!(poll_once(check.as_mut()).await.is_none());
            }
        }
        assert_eq!(gate.at_once.available_permits(), free - 1);
        while gate.at_once.available_permits() < free {
            tokio::task::yield_now().await;
        }
    }

    /// Polls once.
    async fn poll_once<F: Future + Unpin>(future: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            done = future => Some(done),
            () = tokio::task::yield_now() => None,
        }
    }
}
