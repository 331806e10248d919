//! Credentials that do not change: a static bearer token, a name and a password.

use http::HeaderValue;
use sidecar_policy::secret::SecretString;

use super::{AccessToken, Answer, Authorizer, AuthorizerError, Call, UnixTime};

/// The same header for every call.
pub(super) struct Fixed {
    token: AccessToken,
}

// === impl Fixed ===

impl Fixed {
    /// A static bearer token (RFC 6750).
    pub(super) fn bearer(token: &SecretString) -> Result<Self, AuthorizerError> {
        Self::new("Bearer", token.expose().trim(), "the bearer token")
    }

    /// Basic authentication (RFC 7617).
    pub(super) fn basic(username: &str, password: &SecretString) -> Result<Self, AuthorizerError> {
        use base64::Engine;
        if username.contains(':') {
            return Err(AuthorizerError::InvalidCredentials("a user name holds no colon (RFC 7617)".to_owned()));
        }
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{}", password.expose()));
        Self::new("Basic", &pair, "the user name or password")
    }

    fn new(scheme: &str, text: &str, what: &str) -> Result<Self, AuthorizerError> {
        let unusable = || {
            AuthorizerError::InvalidCredentials(format!(
                "{what} cannot stand in a header: is there a line break in the Secret?"
            ))
        };
        if text.is_empty() {
            return Err(AuthorizerError::InvalidCredentials(format!("{what} is empty")));
        }
        AccessToken::new(scheme, text, 0, None).map(|token| Self { token }).ok_or_else(unusable)
    }
}

impl Authorizer for Fixed {
    fn authorize<'a>(&'a self, _: &'a Call, _: UnixTime) -> Answer<'a> {
        Box::pin(std::future::ready(Ok(self.token.clone())))
    }

    fn renewable(&self) -> bool {
        false
    }
}

/// A static key as a header value, marked sensitive.
pub(crate) fn api_key(key: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(key.expose().trim()).ok().filter(|value| !value.is_empty())?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_encoded_once() {
        let fixed = Fixed::basic("Aladdin", &"open sesame".into()).unwrap();
        assert_eq!(fixed.token.header, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    /// Threat H3: a line break in a secret value splits no header.
    #[test]
    fn secrets_cannot_split_a_header() {
        assert!(Fixed::bearer(&"a\r\nX-Evil: 1".into()).is_err());
        assert!(Fixed::bearer(&"".into()).is_err());
        assert!(Fixed::bearer(&"token\n".into()).is_ok());
        assert!(Fixed::basic("a:b", &"p".into()).is_err());
        assert!(api_key(&"k\0".into()).is_none());
        let error = Fixed::bearer(&"hunter2\u{7f}".into()).err().unwrap();
        assert!(!error.to_string().contains("hunter2"));
    }
}
