//! The credentials that a caller sends.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap};
use zeroize::Zeroizing;

use crate::secret::SecretString;

/// Credentials of one `Authorization` header. `Debug` shows neither token nor password.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// A bearer token (RFC 6750 section 2.1).
    Bearer(&'a str),
    /// A user name, which is not empty, and a password, which may be (RFC 7617 section 2).
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: SecretString,
    },
}

/// Why an `Authorization` header is refused. Nothing of it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// More than one header.
    #[error("the request has more than one Authorization header: send one")]
    Repeated,
    /// No scheme, or nothing after it.
    #[error("the Authorization header is not a scheme and a credential: send both, with one space between")]
    Malformed,
    /// Neither `Bearer` nor `Basic`.
    #[error("the Authorization scheme is not known here: use Bearer or Basic")]
    UnsupportedScheme,
    /// Not `token68` (RFC 9110 section 11.2).
    #[error("the bearer token holds bytes that no token has: send it as it was issued")]
    BearerToken,
    /// Not base64 of `user:password` in UTF-8 without control characters.
    #[error("the basic credentials are not base64 of `user:password`: encode both in UTF-8 with a colon between")]
    BasicEncoding,
    /// No user name.
    #[error("the basic credentials have no user name: send one")]
    EmptyUser,
}

/// The credentials of a request; `None` where it has no `Authorization` header.
pub fn credentials(headers: &HeaderMap) -> Result<Option<Credentials<'_>>, CredentialError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(CredentialError::Repeated);
    }
    let text = value.to_str().map_err(|_| CredentialError::Malformed)?;
    let (scheme, credential) = text.split_once(' ').ok_or(CredentialError::Malformed)?;
    let credential = credential.trim_matches(' ');
    if scheme.is_empty() || credential.is_empty() {
        return Err(CredentialError::Malformed);
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        bearer(credential).map(Some)
    } else if scheme.eq_ignore_ascii_case("basic") {
        basic(credential).map(Some)
    } else {
        Err(CredentialError::UnsupportedScheme)
    }
}

/// `token68`: one or more characters, then padding.
fn bearer(token: &str) -> Result<Credentials<'_>, CredentialError> {
    let characters = token.trim_end_matches('=').as_bytes();
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    if characters.is_empty() || !characters.iter().all(known) {
        return Err(CredentialError::BearerToken);
    }
    Ok(Credentials::Bearer(token))
}

fn basic(encoded: &str) -> Result<Credentials<'static>, CredentialError> {
    let decoded = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| CredentialError::BasicEncoding)?);
    let text = std::str::from_utf8(&decoded).map_err(|_| CredentialError::BasicEncoding)?;
    let (user, password) = text.split_once(':').ok_or(CredentialError::BasicEncoding)?;
    if text.chars().any(char::is_control) {
        return Err(CredentialError::BasicEncoding);
    }
    if user.is_empty() {
        return Err(CredentialError::EmptyUser);
    }
    Ok(Credentials::Basic { user: user.to_owned(), password: password.into() })
}

// === impl Credentials ===

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer(_) => f.write_str("Bearer([secret])"),
            Self::Basic { user, password } => {
                f.debug_struct("Basic").field("user", user).field("password", password).finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, CredentialError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        credentials(&headers).map(|found| {
            found.map(|credentials| match credentials {
                Credentials::Bearer(token) => format!("bearer {token}"),
                Credentials::Basic { user, password } => format!("basic {user} {}", password.expose()),
            })
        })
    }

    fn basic_of(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn reads_bearer_and_basic() {
        assert_eq!(read(&[]), Ok(None));
        for (value, expected) in [
            ("Bearer a.b-c_~+/==", "bearer a.b-c_~+/=="),
            ("bEARER  x", "bearer x"),
            (&basic_of("user:pass"), "basic user pass"),
            (&basic_of("user:pass").replace("Basic", "bASIC"), "basic user pass"),
            (&basic_of("u:p:q"), "basic u p:q"),
            (&basic_of("user:"), "basic user "),
            (&basic_of("jörg:pässword"), "basic jörg pässword"),
        ] {
            assert_eq!(read(&[value]), Ok(Some(expected.to_owned())), "{value}");
        }
    }

    /// Threat J7: an empty, broken or doubled credential is an error, never nobody.
    #[test]
    fn bad_credentials_are_never_absent() {
        use CredentialError::*;
        for (value, error) in [
            ("", Malformed),
            ("Bearer", Malformed),
            ("Bearer ", Malformed),
            (" x", Malformed),
            ("Basic   ", Malformed),
            ("é x", Malformed),
            ("Bearer\tx", Malformed),
            ("Bearer a b", BearerToken),
            ("Bearer a,b", BearerToken),
            ("Bearer =", BearerToken),
            ("Bearer a=b", BearerToken),
            ("Bearer \"a\"", BearerToken),
            ("Basic !", BasicEncoding),
            ("Basic dXNlcjpwYXNz=", BasicEncoding),
            ("Basic dTpw dTpw", BasicEncoding),
            (&basic_of("nocolon"), BasicEncoding),
            (&basic_of("user:a\nb"), BasicEncoding),
            (&basic_of("us\0er:a"), BasicEncoding),
            ("Basic /zpw", BasicEncoding),
            (&basic_of(":password"), EmptyUser),
            (&basic_of(":"), EmptyUser),
            ("Digest a=b", UnsupportedScheme),
            ("Negotiate YII=", UnsupportedScheme),
            ("BearerX a", UnsupportedScheme),
        ] {
            assert_eq!(read(&[value]), Err(error), "{value:?}");
        }
        assert_eq!(read(&["Bearer a", "Bearer a"]), Err(Repeated));
        assert_eq!(read(&["", "Bearer a"]), Err(Repeated));
    }

    /// Threat J5: neither token nor password is shown.
    #[test]
    fn debug_output_shows_no_secret() {
        assert_eq!(format!("{:?}", Credentials::Bearer("hunter2")), "Bearer([secret])");
        let basic = Credentials::Basic { user: "u".to_owned(), password: "hunter2".into() };
        assert_eq!(format!("{basic:?}"), "Basic { user: \"u\", password: [secret] }");
    }

    proptest! {
        #[test]
        fn basic_credentials_are_read_back(user in "[^:\\pC]{1,8}", password in "[^\\pC]{0,8}") {
            prop_assert_eq!(read(&[&basic_of(&format!("{user}:{password}"))]), Ok(Some(format!("basic {user} {password}"))));
        }
    }
}
