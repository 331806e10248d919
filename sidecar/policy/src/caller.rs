//! Who calls: what the inbound side knows after it has verified a credential.

mod headers;
mod service;

use std::collections::BTreeSet;

pub use self::{
    headers::{ACTOR, AUTHORITIES, ENVIRONMENT, IDENTITY_HEADERS, PERMISSIONS, SUBJECT},
    service::{BoundKeyError, ServiceVerifier},
};
use crate::claims::User;

/// The subject of a call without credentials, where such calls are let in.
pub const ANONYMOUS_USER: &str = "anonymousUser";

/// The authority that it has where the configuration names no other.
pub const ROLE_ANONYMOUS: &str = "ROLE_ANONYMOUS";

/// What subjects of accounts start with. No person has such a name, in any case of its letters.
pub const RESERVED_PREFIX: &str = "system:";

/// A caller whose credential was verified, or who is anonymous where that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The person, else the service account.
    pub subject: String,
    /// The service account, when it acts for a person.
    pub actor: Option<String>,
    /// What the subject may do, in the words of who vouches for it.
    pub authorities: BTreeSet<String>,
    /// What the service account may do, in the words of the callee.
    pub permissions: BTreeSet<String>,
    /// What a person's token was granted.
    pub scopes: BTreeSet<String>,
    /// Where the call comes from; empty where that is not known.
    pub environment: String,
    /// It came through the mechanism: a service account's key signed for it.
    pub proxied: bool,
    /// When the credential runs out, in seconds since 1970; `u64::MAX` for never.
    pub expires_at: u64,
}

/// A person's name that only the mechanism may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("names that are empty, start with `{RESERVED_PREFIX}` or are `{ANONYMOUS_USER}` are reserved")]
pub struct ReservedName;

/// Whether no person can have that name.
pub(crate) fn is_reserved(name: &str) -> bool {
    name.is_empty()
        || name
            .as_bytes()
            .get(..RESERVED_PREFIX.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(RESERVED_PREFIX.as_bytes()))
}

// === impl Caller ===

impl Caller {
    /// A call without credentials. Its authorities are the configuration's, by default [`ROLE_ANONYMOUS`] alone.
    pub fn anonymous(authorities: BTreeSet<String>) -> Self {
        Self::direct(ANONYMOUS_USER.to_owned(), authorities)
    }

    /// A person that a provider vouches for. Names that stand for accounts or for nobody are refused.
    pub fn person(name: &str, authorities: BTreeSet<String>) -> Result<Self, ReservedName> {
        if is_reserved(name) || name == ANONYMOUS_USER {
            return Err(ReservedName);
        }
        Ok(Self::direct(name.to_owned(), authorities))
    }

    fn direct(subject: String, authorities: BTreeSet<String>) -> Self {
        Self {
            subject,
            actor: None,
            authorities,
            permissions: BTreeSet::new(),
            scopes: BTreeSet::new(),
            environment: String::new(),
            proxied: false,
            expires_at: u64::MAX,
        }
    }

    /// The person on whose behalf the next call goes.
    pub fn to_user(&self) -> User {
        User { name: self.subject.clone(), authorities: self.authorities.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anonymous_has_only_given_authorities() {
        let caller = Caller::anonymous(BTreeSet::from([ROLE_ANONYMOUS.to_owned()]));
        assert_eq!(caller.subject, "anonymousUser");
        assert_eq!(caller.authorities, BTreeSet::from(["ROLE_ANONYMOUS".to_owned()]));
        assert!(!caller.proxied);
        assert!(caller.permissions.is_empty() && caller.scopes.is_empty());
    }

    /// Threats K2b and J7: a person named like an account, or like nobody.
    #[test]
    fn person_never_has_a_reserved_name() {
        for name in ["", "system:", "system:crosscall:shop:fr-api", "SYSTEM:x", "System:crosscall:a:b", "anonymousUser"]
        {
            assert_eq!(Caller::person(name, BTreeSet::new()), Err(ReservedName), "{name}");
        }
        for name in ["Alice", "sys", "system", "mysystem:x", "sÿstem:", "süstem:x"] {
            assert_eq!(Caller::person(name, BTreeSet::new()).map(|it| it.subject), Ok(name.to_owned()));
        }
    }

    #[test]
    fn person_becomes_the_next_calls_user() {
        let roles = BTreeSet::from(["ROLE_USER".to_owned()]);
        let caller = Caller::person("Alice", roles.clone()).unwrap();
        assert_eq!(caller.to_user(), User { name: "Alice".to_owned(), authorities: roles });
    }
}
