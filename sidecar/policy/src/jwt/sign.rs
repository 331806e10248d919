//! Making tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
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

/// Signs `claims` as a JWT in compact form (RFC 7515, section 7.1) with the header `{"alg", "kid", "typ": "JWT"}`.
pub fn sign(key: &SigningKey, claims: &impl Serialize) -> Result<String, SignError> {
    let claims = serde_json::to_vec(claims).map_err(|_| SignError::Claims)?;
    let mut token = String::with_capacity(key.header.len() + claims.len() * 4 / 3 + LONGEST_USUAL_SIGNATURE);
    token.push_str(&key.header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = key.sign(token.as_bytes()).ok_or(SignError::Signature)?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// RSA of 4096 bits, in characters.
const LONGEST_USUAL_SIGNATURE: usize = 684;
