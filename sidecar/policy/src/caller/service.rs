//! Tokens of crosscall's own service accounts: one key, one account, one environment.

use std::collections::{BTreeSet, HashMap};

use super::{Caller, is_reserved};
use crate::{
    claims::{LEEWAY_SECONDS, ServiceClaims, check_times},
    config::{AccountKey, Inbound},
    jwt::{self, JwkError, TokenError, VerifyingKey},
};

/// Verifies the tokens of the service accounts that may call this app. Keys are parsed once.
#[derive(Clone, Debug)]
pub struct ServiceVerifier {
    issuer: String,
    audience: String,
    keys: HashMap<String, BoundKey>,
}

#[derive(Clone, Debug)]
struct BoundKey {
    key: VerifyingKey,
    subject: String,
    environment: String,
    permissions: BTreeSet<String>,
    authorities: Option<BTreeSet<String>>,
}

/// A key of the configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundKeyError {
    /// Not a key.
    #[error("failed to read the key {kid} of {subject}")]
    Key {
        /// The key id.
        kid: String,
        /// The account that it is bound to.
        subject: String,
        /// What is wrong.
        #[source]
        source: JwkError,
    },
    /// The key has another id than the one that it is listed under.
    #[error("the key listed as {kid} for {subject} has another `kid`")]
    Kid {
        /// The key id that it is listed under.
        kid: String,
        /// The account that it is bound to.
        subject: String,
    },
}

// === impl ServiceVerifier ===

impl ServiceVerifier {
    /// Takes the keys of `inbound`, for tokens that the installation `issuer` stands for.
    pub fn new(inbound: &Inbound, issuer: &str) -> Result<Self, BoundKeyError> {
        let keys = inbound.keys.iter().map(|(kid, key)| Ok((kid.clone(), BoundKey::read(kid, key)?)));
        Ok(Self {
            issuer: issuer.to_owned(),
            audience: inbound.audience.clone(),
            keys: keys.collect::<Result<_, _>>()?,
        })
    }

    /// Verifies a token at `now` (seconds since 1970) and says who calls.
    ///
    /// The token must be meant for this app and environment alone: one that names other audiences too is refused, since
    /// each of those could use it here. It speaks only for the account whose key signed it: that account is the subject,
    /// or the actor for a person. Permissions and authorities are cut down to what this app honours from that account;
    /// authorities of the account itself, which its owner chooses, hold only where the app lists them.
    pub fn verify(&self, token: &str, now: u64) -> Result<Caller, TokenError> {
        let mut bound = None;
        let verified = jwt::verify(token, |kid, _| {
            bound = self.keys.get(kid?);
            bound.map(|bound| &bound.key)
        })?;
        let bound = bound.ok_or(TokenError::UnknownKey)?;
        let claims = ServiceClaims::read(&verified.claims)?;
        if claims.iss != self.issuer {
            return Err(TokenError::WrongIssuer);
        }
        if claims.aud.len() != 1 || !claims.aud.contains(&self.audience) {
            return Err(TokenError::WrongAudience);
        }
        check_times(&claims, now, LEEWAY_SECONDS)?;
        bound.caller(claims)
    }
}

// === impl BoundKey ===

impl BoundKey {
    fn read(kid: &str, bound: &AccountKey) -> Result<Self, BoundKeyError> {
        let (kid, subject) = (kid.to_owned(), bound.subject.clone());
        let key = match VerifyingKey::from_jwk(&bound.jwk) {
            Ok(key) if key.kid() == Some(kid.as_str()) => key,
            Ok(_) => return Err(BoundKeyError::Kid { kid, subject }),
            Err(source) => return Err(BoundKeyError::Key { kid, subject, source }),
        };
        Ok(Self {
            key,
            subject,
            environment: bound.environment.clone(),
            permissions: bound.permissions.clone(),
            authorities: bound.authorities.clone(),
        })
    }

    fn caller(&self, claims: ServiceClaims) -> Result<Caller, TokenError> {
        if claims.env != self.environment {
            return Err(TokenError::WrongEnvironment);
        }
        let speaks_for_itself = match &claims.act {
            None => claims.sub == self.subject,
            Some(actor) => actor.sub == self.subject && !is_reserved(&claims.sub),
        };
        if !speaks_for_itself {
            return Err(TokenError::WrongSubject);
        }
        let authorities = match (&self.authorities, &claims.act) {
            (Some(honoured), _) => &claims.authorities & honoured,
            // By default those of people hold, and those that an account gives itself do not.
            (None, Some(_)) => claims.authorities,
            (None, None) => BTreeSet::new(),
        };
        Ok(Caller {
            subject: claims.sub,
            actor: claims.act.map(|actor| actor.sub),
            authorities,
            permissions: &claims.permissions & &self.permissions,
            scopes: BTreeSet::new(),
            environment: claims.env,
            proxied: true,
            expires_at: claims.exp,
        })
    }
}
