//! How a service account proves itself to an app: one [`Authorizer`] per way, all behind one [`TokenSource`].
//!
//! An authorizer makes or asks for an access token; the source keeps it, renews it ahead of time, one renewal at a
//! time however many calls wait, and never hands out one that has run out or is about to.

mod fixed;
mod signed_token;
mod source;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::HeaderValue;
use sidecar_policy::claims::User;
use sidecar_policy::config::{Account, Credential};

pub(crate) use fixed::api_key;
pub(crate) use source::TokenSource;

/// Seconds since 1970.
pub(crate) type UnixTime = u64;

/// A future of an authorizer. It may run on any worker.
pub(crate) type Answer<'a> = Pin<Box<dyn Future<Output = Result<AccessToken, AuthorizerError>> + Send + 'a>>;

/// One way to prove an identity (spec of the credential: `ProxyServiceAccount.spec.credential`).
pub(crate) trait Authorizer: Send + Sync + 'static {
    /// Makes or asks for a token.
    fn authorize<'a>(&'a self, call: &'a Call, now: UnixTime) -> Answer<'a>;

    /// Renews a token. Where there is nothing like a refresh token, that is a new one.
    fn refresh<'a>(&'a self, call: &'a Call, _current: &'a AccessToken, now: UnixTime) -> Answer<'a> {
        self.authorize(call, now)
    }

    /// Whether a token has run out or would on its way.
    fn expired(&self, token: &AccessToken, now: UnixTime) -> bool {
        token.expires_at.is_some_and(|at| now.saturating_add(token.gap()) >= at)
    }

    /// Whether a new token could be better than one that an app has refused.
    fn renewable(&self) -> bool {
        true
    }
}

/// For which call a token is: with the authorizer itself, the key of every cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    /// `{app}.{environment}` of the proxied app.
    pub(crate) target: Arc<str>,
    /// The person on whose behalf.
    pub(crate) user: Option<Arc<CallUser>>,
}

/// A person, as a key of caches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallUser {
    pub(crate) name: String,
    pub(crate) authorities: Vec<String>,
}

/// A token, ready to be sent.
#[derive(Clone)]
pub(crate) struct AccessToken {
    /// The value of `Authorization`, marked sensitive.
    pub(crate) header: HeaderValue,
    /// `None`: it does not run out.
    pub(crate) expires_at: Option<UnixTime>,
    pub(crate) issued_at: UnixTime,
}

/// Why there is no token. No variant holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizerError {
    /// The client itself is not accepted: its id, its secret, its key.
    #[error("the client is not accepted: {0}")]
    InvalidClient(String),
    /// The account's name or password is not accepted.
    #[error("the credentials are not accepted: {0}")]
    InvalidCredentials(String),
    /// The authorization server said no, or something else.
    #[error("the authorization server answered {status}: {message}")]
    Authorization {
        /// Its status.
        status: u16,
        /// Its words, shortened.
        message: String,
    },
}

// === impl AccessToken ===

/// The least time a token must still be good for, unless a quarter of its life is less.
const GAP_SECONDS: u64 = 60;

impl AccessToken {
    /// `None` when the text cannot stand in a header.
    pub(crate) fn new(scheme: &str, text: &str, issued_at: UnixTime, expires_at: Option<UnixTime>) -> Option<Self> {
        let mut header = HeaderValue::try_from(format!("{scheme} {text}")).ok()?;
        header.set_sensitive(true);
        Some(Self { header, expires_at, issued_at })
    }

    fn life(&self) -> u64 {
        self.expires_at.map_or(u64::MAX, |at| at.saturating_sub(self.issued_at))
    }

    /// The seconds before its end in which it is not sent any more.
    pub(crate) fn gap(&self) -> u64 {
        GAP_SECONDS.min(self.life() / 4)
    }

    /// From when on it is renewed in the background: after half of its life, plus up to a quarter by `jitter` (0 to 1),
    /// so that many sidecars that started together do not ask together.
    pub(crate) fn renew_at(&self, jitter: f64) -> Option<UnixTime> {
        let life = self.life() as f64;
        self.expires_at.map(|_| self.issued_at.saturating_add((life * (0.5 + 0.25 * jitter.clamp(0.0, 1.0))) as u64))
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

// === impl CallUser ===

impl CallUser {
    pub(crate) fn to_user(&self) -> User {
        User { name: self.name.clone(), authorities: self.authorities.iter().cloned().collect() }
    }
}

/// The authorizer of an account.
pub(crate) fn for_account(
    account: &Account,
    issuer: &str,
    environment: &str,
) -> Result<Arc<dyn Authorizer>, AuthorizerError> {
    Ok(match &account.credential {
        Credential::SignedToken { .. } => Arc::new(signed_token::SignedToken::new(account, issuer, environment)?),
        Credential::Bearer { token } => Arc::new(fixed::Fixed::bearer(token)?),
        Credential::Basic { username, password } => Arc::new(fixed::Fixed::basic(username, password)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(life: u64) -> AccessToken {
        AccessToken::new("Bearer", "t", 1000, Some(1000 + life)).unwrap()
    }

    #[test]
    fn the_gap_is_a_quarter_at_most() {
        assert_eq!(token(300).gap(), 60);
        assert_eq!(token(100).gap(), 25);
        assert_eq!(token(2).gap(), 0);
    }

    #[test]
    fn renewal_comes_before_the_gap() {
        for life in [4, 10, 60, 300, 86_400] {
            let token = token(life);
            let gap_starts = 1000 + life - token.gap();
            for jitter in [0.0, 0.5, 1.0] {
                assert!(token.renew_at(jitter).unwrap() <= gap_starts, "life {life}");
            }
        }
    }

    #[test]
    fn debug_output_hides_the_token() {
        assert!(!format!("{:?}", AccessToken::new("Bearer", "hunter2", 0, None)).contains("hunter2"));
    }
}
