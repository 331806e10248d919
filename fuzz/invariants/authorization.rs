//! What holds for every `Authorization` header.

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use sidecar_policy::authorization::{CredentialError, Credentials, credentials};

/// Each line is one header.
pub(crate) fn holds(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(AUTHORIZATION, value);
        }
    }
    let found = credentials(&headers);
    match headers.get_all(AUTHORIZATION).iter().count() {
        0 => assert_eq!(found, Ok(None)),
        1 => assert_ne!(found, Ok(None), "a credential that is there is never nobody"),
        _ => assert_eq!(found, Err(CredentialError::Repeated)),
    }
    match found {
        Ok(Some(Credentials::Bearer(token))) => {
            assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
            assert_eq!(format!("{:?}", Credentials::Bearer(token)), "Bearer([secret])");
        }
        Ok(Some(Credentials::Basic { user, password })) => {
            assert!(!user.is_empty() && !user.contains(':'));
            assert!(!user.contains(char::is_control) && !password.expose().contains(char::is_control));
        }
        Ok(None) | Err(_) => {}
    }
}
