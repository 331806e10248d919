//! People with passwords, and those who claim to be.

use std::collections::{BTreeMap, BTreeSet};

use super::{PasswordHash, PasswordHashError};
use crate::{
    caller::{Caller, ReservedName},
    config::BasicUser,
};

/// People with passwords.
#[derive(Clone, Debug)]
pub struct Users {
    users: BTreeMap<String, KnownUser>,
    /// Stands in for people who do not exist: as costly as the costliest hash.
    stand_in: PasswordHash,
}

#[derive(Clone, Debug)]
struct KnownUser {
    hash: PasswordHash,
    roles: BTreeSet<String>,
}

/// Why a person of the configuration is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsersError {
    /// The name stands for something else.
    #[error("failed to take the user {user:?}")]
    Name {
        /// The name.
        user: String,
        /// Why.
        #[source]
        source: ReservedName,
    },
    /// The hash is not taken.
    #[error("failed to take the password hash of the user {user:?}")]
    Hash {
        /// The name.
        user: String,
        /// Why.
        #[source]
        source: PasswordHashError,
    },
}

/// A person to be, by name; whether that person exists shows only after the password was checked.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    hash: &'a PasswordHash,
    roles: Option<&'a BTreeSet<String>>,
}

// === impl Users ===

impl Users {
    /// Takes the people of a provider.
    pub fn new(users: &BTreeMap<String, BasicUser>) -> Result<Self, UsersError> {
        let users = users.iter().map(|(name, user)| Ok((name.clone(), KnownUser::read(name, user)?)));
        let users = users.collect::<Result<BTreeMap<_, _>, UsersError>>()?;
        let costliest = users.values().map(|user| &user.hash).max_by_key(|hash| hash.work());
        let stand_in = costliest.map_or_else(PasswordHash::of_nobody, PasswordHash::stand_in);
        Ok(Self { users, stand_in })
    }

    /// Finds a person, or a stand-in whose password nobody knows and takes as long to check as the costliest.
    ///
    /// Hashes of one cost for everybody make people indistinguishable by time; with hashes of several costs, people with
    /// cheaper ones can be told apart.
    pub fn lookup(&self, name: &str) -> Lookup<'_> {
        match self.users.get(name) {
            Some(user) => Lookup { hash: &user.hash, roles: Some(&user.roles) },
            None => Lookup { hash: &self.stand_in, roles: None },
        }
    }
}

impl KnownUser {
    fn read(name: &str, user: &BasicUser) -> Result<Self, UsersError> {
        let owned = || name.to_owned();
        Caller::person(name, BTreeSet::new()).map_err(|source| UsersError::Name { user: owned(), source })?;
        let hash =
            PasswordHash::parse(user.hash.expose()).map_err(|source| UsersError::Hash { user: owned(), source })?;
        Ok(Self { hash, roles: user.roles.clone() })
    }
}

// === impl Lookup ===

impl<'a> Lookup<'a> {
    /// Checks the password; the roles of the person if it is the right one. Takes as long when there is no such person.
    pub fn verify(&self, password: &[u8]) -> Option<&'a BTreeSet<String>> {
        let right = self.hash.verify(password);
        self.roles.filter(|_| right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::{
        HmacKey, Scheme,
        tests::{argon2id, bcrypt_hash},
    };

    fn users<const N: usize>(users: [(&str, &str); N]) -> Result<Users, UsersError> {
        let roles = || BTreeSet::from(["ROLE_USER".to_owned()]);
        Users::new(&users.map(|(name, hash)| (name.to_owned(), BasicUser { hash: hash.into(), roles: roles() })).into())
    }

    #[test]
    fn lookup_gives_roles_for_the_password() {
        let users = users([("Alice", &argon2id(64, 1, 1)), ("Bob", &bcrypt_hash(bcrypt::Version::TwoB))]).unwrap();
        for name in ["Alice", "Bob"] {
            let roles = users.lookup(name).verify(b"open sesame").unwrap();
            assert_eq!(roles, &BTreeSet::from(["ROLE_USER".to_owned()]));
            assert_eq!(users.lookup(name).verify(b"open"), None);
        }
        for name in ["", "alice", "Alice ", "Eve"] {
            assert_eq!(users.lookup(name).verify(b"open sesame"), None);
        }
        assert_eq!(Users::new(&BTreeMap::new()).unwrap().lookup("Eve").verify(b""), None);
    }

    #[test]
    fn bad_people_are_named_without_their_hash() {
        let error = users([("Alice", "hunter2")]).unwrap_err();
        assert_eq!(error.to_string(), "failed to take the password hash of the user \"Alice\"");
        assert!(!format!("{error:?}").contains("hunter2"));
        let error = users([("system:crosscall:shop:a", &argon2id(64, 1, 1))]).unwrap_err();
        assert_eq!(error.to_string(), "failed to take the user \"system:crosscall:shop:a\"");
    }

    /// Threat J5: hashes in logs.
    #[test]
    fn debug_output_hides_hashes_and_keys() {
        let hash = argon2id(64, 1, 1);
        let shown = format!("{:?} {:?}", users([("Alice", &hash)]).unwrap(), HmacKey::new(&[42; 32]));
        assert!(!shown.contains(&hash) && !shown.contains("42"), "{shown}");
    }

    /// Threat J8: the stand-in is of the costliest hash's scheme and cost.
    #[test]
    fn stand_in_costs_what_the_costliest_does() {
        let bcrypt4 = bcrypt_hash(bcrypt::Version::TwoY);
        let (cheap, dear) = (argon2id(64, 1, 1), argon2id(19_456, 2, 1));
        let stand_in = |hashes: [&str; 2]| match users([("A", hashes[0]), ("B", hashes[1])]).unwrap().stand_in.scheme {
            Scheme::Argon2id(hash) => hash.to_string(),
            Scheme::Bcrypt(hash) => hash.expose().to_owned(),
        };
        for hashes in [[&cheap, &dear], [&dear, &bcrypt4]] {
            let text = stand_in(hashes.map(String::as_str));
            assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        }
        let text = stand_in([&cheap, &bcrypt4]);
        assert!(text.starts_with("$2y$04$"), "{text}");
        for text in [stand_in([&dear, &cheap]), text] {
            PasswordHash::parse(&text).unwrap();
        }
    }

    /// Threat J8: time does not tell who exists.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "measures how long a check takes")]
    fn unknown_user_takes_as_long() {
        for hash in [argon2id(1_024, 1, 1), bcrypt_hash(bcrypt::Version::TwoB)] {
            let users = users([("Alice", &hash)]).unwrap();
            let mut times = [Vec::new(), Vec::new()];
            for _ in 0..1_000 {
                for (name, times) in ["Alice", "Eve"].into_iter().zip(&mut times) {
                    let start = std::time::Instant::now();
                    assert_eq!(users.lookup(name).verify(b"wrong"), None);
                    times.push(start.elapsed().as_nanos());
                }
            }
            let [known, unknown] = times.map(|mut times| {
                times.sort_unstable();
                times[times.len() / 2]
            });
            let ratio = known.max(unknown) * 100 / known.min(unknown);
            assert!(ratio <= 110, "known {known} ns, unknown {unknown} ns");
        }
    }
}
