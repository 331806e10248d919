//! A JWT that the sidecar signs with the account's key.

use std::sync::Arc;

use sidecar_policy::claims::{TokenRequest, service_claims};
use sidecar_policy::config::{Account, Credential};
use sidecar_policy::jwt::{SigningKey, sign};

use super::{AccessToken, Answer, Authorizer, AuthorizerError, Call, UnixTime};

/// Signs tokens. RSA costs half a millisecond and more, so it happens on a thread for blocking work.
pub(super) struct SignedToken {
    inner: Arc<Inner>,
}

struct Inner {
    key: SigningKey,
    account: Account,
    issuer: String,
    environment: String,
    lifetime_seconds: u64,
}

// === impl SignedToken ===

impl SignedToken {
    pub(super) fn new(account: &Account, issuer: &str, environment: &str) -> Result<Self, AuthorizerError> {
        let Credential::SignedToken { algorithm, private_key, lifetime_seconds, .. } = &account.credential else {
            return Err(AuthorizerError::InvalidClient("the credential is not of type SignedToken".to_owned()));
        };
        let key = SigningKey::parse(private_key.expose().as_bytes(), *algorithm)
            .map_err(|error| AuthorizerError::InvalidClient(error.to_string()))?;
        let inner = Inner {
            key,
            account: account.clone(),
            issuer: issuer.to_owned(),
            environment: environment.to_owned(),
            lifetime_seconds: *lifetime_seconds,
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Authorizer for SignedToken {
    fn authorize<'a>(&'a self, call: &'a Call, now: UnixTime) -> Answer<'a> {
        let (inner, call) = (Arc::clone(&self.inner), call.clone());
        Box::pin(async move {
            tokio::task::spawn_blocking(move || inner.make(&call, now)).await.unwrap_or_else(|_| {
                Err(AuthorizerError::InvalidClient("signing was cut off: the sidecar is stopping".to_owned()))
            })
        })
    }
}

// === impl Inner ===

impl Inner {
    fn make(&self, call: &Call, now: UnixTime) -> Result<AccessToken, AuthorizerError> {
        let user = call.user.as_ref().map(|user| user.to_user());
        let request = TokenRequest {
            issuer: &self.issuer,
            account: &self.account,
            environment: &self.environment,
            target: &call.target,
            user: user.as_ref(),
            lifetime_seconds: self.lifetime_seconds,
        };
        let claims = service_claims(&request, now, uuid::Uuid::now_v7().to_string());
        let text = sign(&self.key, &claims).map_err(|error| AuthorizerError::InvalidClient(error.to_string()))?;
        let expires_at = Some(now.saturating_add(self.lifetime_seconds));
        AccessToken::new("Bearer", &text, now, expires_at)
            .ok_or_else(|| AuthorizerError::InvalidClient("the token cannot stand in a header".to_owned()))
    }
}
