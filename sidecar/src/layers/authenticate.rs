//! Who is calling?

use std::rc::Rc;
use std::sync::Arc;

use http::HeaderMap;
use sidecar_policy::authorization::{Credentials, credentials};
use sidecar_policy::caller::Caller;
use sidecar_policy::code::{Code, Refusal};
use sidecar_policy::secret::SecretString;

use crate::app::{App, Verified, Who};

/// Who is behind an outbound or exposed call.
pub(crate) enum Identity {
    /// A person, or nobody in particular.
    Person(Arc<Caller>),
    /// The service account alone.
    Account,
}

/// Who calls an outbound or exposed route.
///
/// A route that names no provider cannot verify anything. Where calls go under the service account alone, what a caller
/// presents is dropped; where it would turn the caller into somebody (`anonymousUser`), it is refused.
pub(crate) async fn outbound(app: &App, who: &Who, headers: &HeaderMap) -> Result<Identity, Refusal> {
    let unheard = who.people.is_empty() && who.allow_userless && who.anonymous.is_none();
    let presented = if unheard { None } else { credentials(headers).map_err(invalid)? };
    match presented {
        Some(Credentials::Basic { user, password }) => person(app, who, &user, &password).await.map(Identity::Person),
        Some(Credentials::Bearer(_)) => {
            Err(Refusal::new(Code::InvalidCredentials, "no provider of this route takes bearer tokens"))
        }
        None if who.allow_userless => Ok(Identity::Account),
        None => match &who.anonymous {
            Some(anonymous) => Ok(Identity::Person(Arc::clone(anonymous))),
            None => Err(Refusal::new(Code::Unauthenticated, "send the credentials of a user")),
        },
    }
}

/// Who calls the app: a service account's token, a person with a password, or nobody in particular where that is
/// allowed.
pub(crate) async fn inbound(app: &App, who: &Who, headers: &HeaderMap) -> Result<Rc<Verified>, Refusal> {
    match credentials(headers).map_err(invalid)? {
        Some(Credentials::Bearer(token)) => {
            app.verify(token).map_err(|error| Refusal::new(Code::InvalidToken, format!("{}: {error}", error.code())))
        }
        Some(Credentials::Basic { user, password }) => {
            let caller = person(app, who, &user, &password).await?;
            Ok(Rc::new(Verified::new(Caller::clone(&caller))))
        }
        None => match &who.anonymous {
            Some(anonymous) => Ok(Rc::new(Verified::new(Caller::clone(anonymous)))),
            None => {
                Err(Refusal::new(Code::Unauthenticated, "send a token of a service account, or call through a sidecar"))
            }
        },
    }
}

async fn person(app: &App, who: &Who, user: &str, password: &SecretString) -> Result<Arc<Caller>, Refusal> {
    for people in &who.people {
        if let Some(caller) = app.passwords.check(people, user, password).await? {
            return Ok(caller);
        }
    }
    Err(Refusal::new(Code::InvalidCredentials, "the user name or the password is wrong"))
}

fn invalid(error: sidecar_policy::authorization::CredentialError) -> Refusal {
    Refusal::new(Code::InvalidCredentials, error.to_string())
}
