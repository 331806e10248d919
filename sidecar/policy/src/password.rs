//! Passwords of people: hashes that are bounded in cost, and look-ups that take as long for nobody as for somebody.

mod cache;
mod users;

use std::fmt;

use argon2::{
    ARGON2ID_IDENT, Argon2, Params, PasswordVerifier,
    password_hash::phc::{self, Output, Salt},
};

pub use self::{
    cache::{HmacKey, cache_key},
    users::{Lookup, Users, UsersError},
};
use crate::secret::SecretString;

/// The hash of a password: argon2id (RFC 9106, as a PHC string) or bcrypt (`$2a$`, `$2b$`, `$2y$`).
///
/// bcrypt sees the first 72 bytes of a password alone, as it does everywhere.
#[derive(Clone)]
pub struct PasswordHash {
    scheme: Scheme,
}

#[derive(Clone)]
enum Scheme {
    Argon2id(Box<phc::PasswordHash>),
    Bcrypt(SecretString),
}

/// Why a hash is not taken. Nothing here quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// Neither argon2id nor bcrypt.
    #[error("the hash is neither argon2id (`$argon2id$v=19$…`) nor bcrypt (`$2a$`, `$2b$`, `$2y$`)")]
    UnknownScheme,
    /// Damaged.
    #[error("the hash is damaged: make it again")]
    Malformed,
    /// Costs so much that a few log-ins would stop the sidecar.
    #[error(
        "the hash is too costly to check: at most {MAX_ARGON2_MEMORY_KIB} KiB, {MAX_ARGON2_PASSES} passes and \
         {MAX_ARGON2_LANES} lanes for argon2id, cost {MAX_BCRYPT_COST} for bcrypt"
    )]
    TooCostly,
}

/// The most memory of an argon2id hash, in KiB (RFC 9106, section 4, second recommended option).
pub const MAX_ARGON2_MEMORY_KIB: u32 = 64 * 1024;
/// The most passes of an argon2id hash.
pub const MAX_ARGON2_PASSES: u32 = 8;
/// The most lanes of an argon2id hash.
pub const MAX_ARGON2_LANES: u32 = 8;
/// The highest cost of a bcrypt hash.
pub const MAX_BCRYPT_COST: u32 = 14;
/// The longest password that is checked, in bytes; a longer one is wrong.
pub const MAX_PASSWORD_BYTES: usize = 1024;

// === impl PasswordHash ===

impl PasswordHash {
    /// Reads a hash and refuses one that costs too much to check.
    pub fn parse(text: &str) -> Result<Self, PasswordHashError> {
        if text.starts_with("$argon2id$") {
            parse_argon2id(text)
        } else if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            parse_bcrypt(text)
        } else {
            Err(PasswordHashError::UnknownScheme)
        }
    }

    /// Whether the password is the one. Costs what the hash says; a password beyond [`MAX_PASSWORD_BYTES`] is wrong.
    pub fn verify(&self, password: &[u8]) -> bool {
        if password.len() > MAX_PASSWORD_BYTES {
            return false;
        }
        match &self.scheme {
            Scheme::Argon2id(hash) => Argon2::default().verify_password(password, hash.as_ref()).is_ok(),
            Scheme::Bcrypt(hash) => bcrypt::verify(password, hash.expose()).unwrap_or(false),
        }
    }

    /// Where there is nobody at all.
    fn of_nobody() -> Self {
        Self { scheme: Scheme::Bcrypt(format!("$2b$10${}", ".".repeat(BCRYPT_REST)).into()) }
    }

    /// The same scheme and cost, and the hash of nothing that anybody knows.
    fn stand_in(&self) -> Self {
        let scheme = match &self.scheme {
            Scheme::Argon2id(hash) => Scheme::Argon2id(Box::new(phc::PasswordHash {
                salt: hash.salt.and_then(|salt| Salt::new(&vec![0; salt.len()]).ok()),
                hash: hash.hash.and_then(|output| Output::new(&vec![0; output.len()]).ok()),
                ..hash.as_ref().clone()
            })),
            Scheme::Bcrypt(hash) => {
                let prefix = hash.expose().get(..BCRYPT_PREFIX).unwrap_or_default();
                Scheme::Bcrypt(format!("{prefix}{}", ".".repeat(BCRYPT_REST)).into())
            }
        };
        Self { scheme }
    }

    /// Roughly how long a check takes: KiB written, and for bcrypt what takes as long.
    fn work(&self) -> u64 {
        match &self.scheme {
            Scheme::Argon2id(hash) => {
                Params::try_from(hash.as_ref()).map_or(0, |it| u64::from(it.m_cost()) * u64::from(it.t_cost()))
            }
            Scheme::Bcrypt(hash) => {
                let cost = bcrypt_cost(hash.expose()).unwrap_or_default().min(MAX_BCRYPT_COST);
                BCRYPT_ROUND_KIB << cost
            }
        }
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.scheme {
            Scheme::Argon2id(_) => "argon2id",
            Scheme::Bcrypt(_) => "bcrypt",
        })
    }
}

fn parse_argon2id(text: &str) -> Result<PasswordHash, PasswordHashError> {
    let hash = phc::PasswordHash::new(text).map_err(|_| PasswordHashError::Malformed)?;
    let params = Params::try_from(&hash).map_err(|_| PasswordHashError::Malformed)?;
    if hash.algorithm != ARGON2ID_IDENT || hash.version != Some(ARGON2_VERSION) {
        return Err(PasswordHashError::UnknownScheme);
    }
    let long_enough = hash.hash.is_some_and(|output| output.len() >= MIN_ARGON2_OUTPUT);
    if hash.salt.is_none() || !long_enough {
        return Err(PasswordHashError::Malformed);
    }
    let bounded = params.m_cost() <= MAX_ARGON2_MEMORY_KIB
        && params.t_cost() <= MAX_ARGON2_PASSES
        && params.p_cost() <= MAX_ARGON2_LANES;
    if bounded {
        Ok(PasswordHash { scheme: Scheme::Argon2id(Box::new(hash)) })
    } else {
        Err(PasswordHashError::TooCostly)
    }
}

fn parse_bcrypt(text: &str) -> Result<PasswordHash, PasswordHashError> {
    match bcrypt_cost(text) {
        None => Err(PasswordHashError::Malformed),
        Some(cost) if cost > MAX_BCRYPT_COST => Err(PasswordHashError::TooCostly),
        Some(cost) if cost < MIN_BCRYPT_COST => Err(PasswordHashError::Malformed),
        Some(_) => Ok(PasswordHash { scheme: Scheme::Bcrypt(text.into()) }),
    }
}

fn bcrypt_cost(text: &str) -> Option<u32> {
    text.parse::<bcrypt::HashParts>().ok().map(|parts| parts.get_cost())
}

/// RFC 9106 has version 0x13.
const ARGON2_VERSION: phc::Decimal = 0x13;
/// In bytes.
const MIN_ARGON2_OUTPUT: usize = 16;
const MIN_BCRYPT_COST: u32 = 4;
/// `$2b$10$`.
const BCRYPT_PREFIX: usize = 7;
/// The salt and the hash, in characters.
const BCRYPT_REST: usize = 53;
/// One round of bcrypt takes about as long as writing so many KiB does for argon2id.
const BCRYPT_ROUND_KIB: u64 = 16;

#[cfg(test)]
pub(crate) mod tests {
    use argon2::{Algorithm, PasswordHasher, Version};

    use super::*;

    pub(super) fn argon2id(memory_kib: u32, passes: u32, lanes: u32) -> String {
        let params = Params::new(memory_kib, passes, lanes, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash: phc::PasswordHash = argon2.hash_password_with_salt(b"open sesame", b"saltsaltsaltsalt").unwrap();
        hash.to_string()
    }

    pub(super) fn bcrypt_hash(version: bcrypt::Version) -> String {
        bcrypt::hash_with_salt(b"open sesame", 4, [7; 16]).unwrap().format_for_version(version)
    }

    #[test]
    fn both_schemes_know_the_password() {
        use bcrypt::Version::{TwoA, TwoB, TwoY};
        for hash in [argon2id(64, 1, 1), argon2id(256, 2, 2), bcrypt_hash(TwoA), bcrypt_hash(TwoB), bcrypt_hash(TwoY)] {
            let parsed = PasswordHash::parse(&hash).unwrap();
            assert!(parsed.verify(b"open sesame"), "{hash}");
            for wrong in [&b"open sesamE"[..], b"", b"open sesame ", &[0xff; MAX_PASSWORD_BYTES], &[b'a'; 1 << 20]] {
                assert!(!parsed.verify(wrong), "{hash}");
            }
        }
    }

    /// What `htpasswd -nbB` and the reference implementation of argon2 print.
    #[test]
    fn hashes_of_other_tools_are_read() {
        // The test vector of the bcrypt crate, from the reference implementation.
        let bcrypt = PasswordHash::parse("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW").unwrap();
        assert!(bcrypt.verify(b"U*U") && !bcrypt.verify(b"U*U*"));
        // phc-winner-argon2, test.c: argon2id, version 0x13.
        let argon2 = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let argon2 = PasswordHash::parse(argon2).unwrap();
        assert!(argon2.verify(b"password") && !argon2.verify(b"Password"));
    }

    /// Threat D1: a hash that costs gigabytes or minutes.
    #[test]
    fn absurd_costs_are_refused() {
        let argon2 =
            |params: &str| format!("$argon2id$v=19${params}$c2FsdHNhbHRzYWx0$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0");
        for (text, expected) in [
            (argon2("m=65536,t=8,p=8"), None),
            (argon2("m=65537,t=1,p=1"), Some(PasswordHashError::TooCostly)),
            (argon2("m=4294967295,t=1,p=1"), Some(PasswordHashError::TooCostly)),
            (argon2("m=1024,t=9,p=1"), Some(PasswordHashError::TooCostly)),
            (argon2("m=1024,t=1,p=9"), Some(PasswordHashError::TooCostly)),
            (argon2("m=99999999999,t=1,p=1"), Some(PasswordHashError::Malformed)),
            (argon2("m=0,t=0,p=0"), Some(PasswordHashError::Malformed)),
            (bcrypt_hash(bcrypt::Version::TwoB).replace("$04$", "$14$"), None),
            (bcrypt_hash(bcrypt::Version::TwoB).replace("$04$", "$15$"), Some(PasswordHashError::TooCostly)),
            (bcrypt_hash(bcrypt::Version::TwoB).replace("$04$", "$31$"), Some(PasswordHashError::TooCostly)),
            (bcrypt_hash(bcrypt::Version::TwoB).replace("$04$", "$99$"), Some(PasswordHashError::TooCostly)),
            (bcrypt_hash(bcrypt::Version::TwoB).replace("$04$", "$00$"), Some(PasswordHashError::Malformed)),
        ] {
            assert_eq!(PasswordHash::parse(&text).err(), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let good = argon2id(64, 1, 1);
        for text in [
            "",
            "open sesame",
            "{SHA}x",
            "$1$x$y",
            "$apr1$x$y",
            "$2x$04$x",
            "$2b$04$tooshort",
            "$6$x$y",
            &good.replace("argon2id", "argon2i"),
            &good.replace("argon2id", "argon2d"),
            &good.replace("v=19", "v=16"),
            &good.replace("$v=19", ""),
            &good[..good.len() - 30],
            good.rsplit_once('$').unwrap().0,
            "$argon2id$",
            "$2b$04$aaaaaaaaaaaaaaaaaaaaa£aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(PasswordHash::parse(text).is_err(), "{text}");
        }
    }
}
