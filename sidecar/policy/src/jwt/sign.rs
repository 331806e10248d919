//! Making tokens.

use jsonwebtoken::{Header, errors::ErrorKind};
use serde::Serialize;

use super::SigningKey;

/// Why a token could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The claims are not JSON.
    #[error("the claims cannot be written as JSON")]
    Claims,
    /// The cryptography library failed.
    #[error("the signature could not be made")]
    Signature,
}

/// Signs `claims` as a JWT in compact form (RFC 7515, section 7.1) with the header `{"typ": "JWT", "alg", "kid"}`.
pub fn sign(key: &SigningKey, claims: &impl Serialize) -> Result<String, SignError> {
    let header = Header { kid: Some(key.kid().to_owned()), ..Header::new(key.algorithm().into()) };
    jsonwebtoken::encode(&header, claims, key.encoding()).map_err(|error| match error.kind() {
        ErrorKind::Json(_) => SignError::Claims,
        _ => SignError::Signature,
    })
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{rand::SystemRandom, signature::Ed25519KeyPair};
    use base64::{
        Engine,
        engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
    };

    use super::*;
    use crate::jwt::Algorithm;

    fn key() -> SigningKey {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        SigningKey::parse(STANDARD.encode(pkcs8).as_bytes(), Algorithm::EdDSA).unwrap()
    }

    #[test]
    fn header_names_algorithm_key_and_type() {
        let key = key();
        let token = sign(&key, &serde_json::json!({"a": 1})).unwrap();
        let parts: Vec<Vec<u8>> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
        let header: serde_json::Value = serde_json::from_slice(&parts[0]).unwrap();
        assert_eq!(header, serde_json::json!({"alg": "EdDSA", "kid": key.kid(), "typ": "JWT"}));
        assert_eq!(parts[1], br#"{"a":1}"#);
        assert_eq!(parts[2].len(), 64);
    }

    #[test]
    fn claims_that_are_no_json_are_refused() {
        let claims = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert_eq!(sign(&key(), &claims), Err(SignError::Claims));
    }
}
