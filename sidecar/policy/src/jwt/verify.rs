//! Taking tokens: cheap refusals first, then the signature, then the claims.
//!
//! Before the signature is checked, at most the header is parsed, and both are bounded, so that a refusal costs at most
//! one signature check and a few kilobytes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{
    Algorithm, TokenError, VerifyingKey,
    json::{self, JsonError},
};

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// A token whose signature is good, and whose payload was not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The header's `kid`.
    pub kid: Option<String>,
    /// The key's algorithm, and the header's.
    pub algorithm: Algorithm,
    /// The payload, decoded.
    pub payload: Vec<u8>,
}

/// A token whose signature is good. Its claims still say nothing about time, issuer and audience.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// The header's `kid`.
    pub kid: Option<String>,
    /// The key's algorithm, and the header's.
    pub algorithm: Algorithm,
    /// The claims: no member twice, at most 16 levels.
    pub claims: Map<String, Value>,
}

struct Header {
    kid: Option<String>,
    algorithm: Algorithm,
}

/// Checks the form and the signature of a JWT (RFC 7519, section 7.2) and reads its claims.
///
/// `find` gives the key for the header's `kid`; the header's algorithm must be that key's own.
pub fn verify<'k>(
    token: &str,
    find: impl FnOnce(Option<&str>, Algorithm) -> Option<&'k VerifyingKey>,
) -> Result<Verified, TokenError> {
    let Signed { kid, algorithm, payload } = verify_signature(token, find)?;
    Ok(Verified { kid, algorithm, claims: json::object(&payload)? })
}

/// As [`verify`], for a payload of any form (RFC 7515, section 5.2).
pub fn verify_signature<'k>(
    token: &str,
    find: impl FnOnce(Option<&str>, Algorithm) -> Option<&'k VerifyingKey>,
) -> Result<Signed, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLarge);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenError::Malformed);
    };
    if header.len() > MAX_HEADER_CHARS || signature.len() > MAX_SIGNATURE_CHARS {
        return Err(TokenError::TooLarge);
    }
    let Header { kid, algorithm } = read_header(&decode(header)?)?;
    let key = find(kid.as_deref(), algorithm).ok_or(TokenError::UnknownKey)?;
    if key.algorithm() != algorithm {
        return Err(TokenError::AlgorithmNotAllowed);
    }
    let signed = &token[..header.len() + 1 + payload.len()];
    // The library that verifies takes more texts for the same bytes than the standard does.
    decode(signature)?;
    if !key.is_signature(signed.as_bytes(), signature) {
        return Err(TokenError::BadSignature);
    }
    Ok(Signed { kid, algorithm, payload: decode(payload)? })
}

/// Strict base64url (RFC 7515, section 2): no padding, no white space, no bits beyond the last byte. So there is one text
/// for each sequence of bytes.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}

fn read_header(bytes: &[u8]) -> Result<Header, TokenError> {
    let header = json::object(bytes)?;
    for name in header.keys() {
        match name.as_str() {
            "jwk" | "jku" | "x5c" | "x5u" => return Err(TokenError::EmbeddedKey),
            "crit" | "b64" | "zip" | "enc" => return Err(TokenError::UnsupportedHeader),
            _ => {}
        }
    }
    if header.get("cty").is_some_and(is_token_type) {
        return Err(TokenError::Nested);
    }
    let kid = match header.get("kid") {
        None => None,
        Some(kid) => Some(kid.as_str().ok_or(TokenError::Malformed)?.to_owned()),
    };
    let name = header.get("alg").and_then(Value::as_str).ok_or(TokenError::Malformed)?;
    let algorithm = name.parse().map_err(|_| TokenError::AlgorithmNotAllowed)?;
    Ok(Header { kid, algorithm })
}

/// RFC 7519, section 5.2; anything that is not text counts too.
fn is_token_type(content_type: &Value) -> bool {
    content_type.as_str().is_none_or(|it| it.eq_ignore_ascii_case("JWT") || it.eq_ignore_ascii_case("application/jwt"))
}

impl From<JsonError> for TokenError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::NotAnObject => Self::Malformed,
            JsonError::DuplicateMember => Self::DuplicateMember,
            JsonError::TooDeep => Self::TooDeep,
        }
    }
}

/// Enough for a thumbprint, a certificate's digest and a long key id.
const MAX_HEADER_CHARS: usize = 2 * 1024;

/// A signature of the longest RSA key, 8192 bits.
const MAX_SIGNATURE_CHARS: usize = 1366;
