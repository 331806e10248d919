//! Public keys, as JSON Web Keys (RFC 7517).

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::{Algorithm, KeyKind, json, key::is_weak_rsa};

/// A public key with the one algorithm that it verifies.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: Option<String>,
    key: DecodingKey,
}

/// Why a JSON Web Key is not taken. Nothing here quotes the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Not one JSON object, or with a member that stands twice.
    #[error("the key is not a JSON Web Key")]
    Malformed,
    /// A member is missing.
    #[error("the key lacks the member `{0}`")]
    Missing(&'static str),
    /// A member is not of its form: not canonical base64url, of the wrong length, not a string.
    #[error("the key's member `{0}` is not of its form")]
    Invalid(&'static str),
    /// `alg` is not in the list.
    #[error(
        "the key's algorithm is not taken: use one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA"
    )]
    AlgorithmNotAllowed,
    /// `kty` or `crv` is not what `alg` needs.
    #[error("the key's type or curve does not fit its algorithm")]
    WrongKind,
    /// `use` or `key_ops` say that it is for something else.
    #[error("the key is not meant to verify signatures")]
    WrongUse,
    /// A private or shared key.
    #[error("the key holds private members: give its public half only")]
    Private,
    /// `jku` or `x5u`: keys are never fetched from where a key points to.
    #[error("the key points to another place: give the key itself")]
    Remote,
    /// RSA outside 2048 to 8192 bits, a public exponent of 1, primes that can be found, a point that is not on its curve.
    #[error("the key is weak or not a key")]
    Weak,
}

// === impl VerifyingKey ===

impl VerifyingKey {
    /// Reads a public key. `alg` is required, so that no token chooses it; `use` and `key_ops` must allow verifying where
    /// they are given (RFC 7517, section 4). Certificates beside the key (`x5c`, `x5t`) are not looked at.
    pub fn from_jwk(text: &str) -> Result<Self, JwkError> {
        let jwk = json::object(text.as_bytes()).map_err(|_| JwkError::Malformed)?;
        if PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
            return Err(JwkError::Private);
        }
        if REMOTE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
            return Err(JwkError::Remote);
        }
        check_use(&jwk)?;
        let algorithm = string(&jwk, "alg")?.parse().map_err(|_| JwkError::AlgorithmNotAllowed)?;
        let kid = if jwk.contains_key("kid") { Some(string(&jwk, "kid")?.to_owned()) } else { None };
        Ok(Self { algorithm, kid, key: read_key(&jwk, algorithm)? })
    }

    /// The algorithm that it verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its key id, where it has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether `signature` (base64url) is this key's for `message`.
    pub(super) fn is_signature(&self, message: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message, &self.key, self.algorithm.into()).unwrap_or(false)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

fn check_use(jwk: &Map<String, Value>) -> Result<(), JwkError> {
    let meant = jwk.get("use").is_none_or(|usage| usage == "sig");
    let allowed = match jwk.get("key_ops") {
        None => true,
        Some(operations) => operations.as_array().is_some_and(|list| list.iter().any(|one| one == "verify")),
    };
    if meant && allowed { Ok(()) } else { Err(JwkError::WrongUse) }
}

/// The key for the library that verifies, once it has stood the checks that the library does not make.
fn read_key(jwk: &Map<String, Value>, algorithm: Algorithm) -> Result<DecodingKey, JwkError> {
    match algorithm.key_kind() {
        KeyKind::Rsa => {
            check_rsa(jwk, algorithm)?;
            DecodingKey::from_rsa_components(string(jwk, "n")?, string(jwk, "e")?)
        }
        kind @ (KeyKind::P256 | KeyKind::P384) => {
            match kind {
                KeyKind::P256 => check_ec(jwk, "P-256", 32, &ECDSA_P256_SHA256_FIXED)?,
                _ => check_ec(jwk, "P-384", 48, &ECDSA_P384_SHA384_FIXED)?,
            }
            DecodingKey::from_ec_components(string(jwk, "x")?, string(jwk, "y")?)
        }
        KeyKind::Ed25519 => {
            expect_kind(jwk, "OKP", Some("Ed25519"))?;
            ParsedPublicKey::new(&ED25519, coordinate(jwk, "x", 32)?).map_err(|_| JwkError::Weak)?;
            DecodingKey::from_ed_components(string(jwk, "x")?)
        }
    }
    .map_err(|_| JwkError::Weak)
}

fn check_ec(
    jwk: &Map<String, Value>,
    curve: &str,
    length: usize,
    algorithm: &'static dyn VerificationAlgorithm,
) -> Result<(), JwkError> {
    expect_kind(jwk, "EC", Some(curve))?;
    // SEC 1, section 2.3.3: 0x04, then both coordinates.
    let mut point = vec![4];
    point.extend(coordinate(jwk, "x", length)?);
    point.extend(coordinate(jwk, "y", length)?);
    ParsedPublicKey::new(algorithm, point).map(drop).map_err(|_| JwkError::Weak)
}

fn check_rsa(jwk: &Map<String, Value>, algorithm: Algorithm) -> Result<(), JwkError> {
    expect_kind(jwk, "RSA", None)?;
    let (n, e) = (integer(jwk, "n")?, integer(jwk, "e")?);
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) || is_weak_rsa(&n, &e) {
        return Err(JwkError::Weak);
    }
    let parameters = rsa_parameters(algorithm).ok_or(JwkError::WrongKind)?;
    RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).map(drop).map_err(|_| JwkError::Weak)
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &RSA_PSS_2048_8192_SHA512,
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => return None,
    })
}

fn expect_kind(jwk: &Map<String, Value>, kind: &str, curve: Option<&str>) -> Result<(), JwkError> {
    let fits = string(jwk, "kty")? == kind && curve.is_none_or(|curve| jwk.get("crv").is_some_and(|it| it == curve));
    if fits { Ok(()) } else { Err(JwkError::WrongKind) }
}

fn string<'a>(jwk: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, JwkError> {
    jwk.get(name).ok_or(JwkError::Missing(name))?.as_str().ok_or(JwkError::Invalid(name))
}

fn bytes(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    URL_SAFE_NO_PAD.decode(string(jwk, name)?).map_err(|_| JwkError::Invalid(name))
}

/// RFC 7518, section 6.2.1.2: as many octets as the curve has.
fn coordinate(jwk: &Map<String, Value>, name: &'static str, length: usize) -> Result<Vec<u8>, JwkError> {
    let bytes = bytes(jwk, name)?;
    if bytes.len() == length { Ok(bytes) } else { Err(JwkError::Invalid(name)) }
}

/// RFC 7518, section 2, Base64urlUInt: no octet too many in front.
fn integer(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    let bytes = bytes(jwk, name)?;
    if bytes.first().is_some_and(|first| *first != 0) { Ok(bytes) } else { Err(JwkError::Invalid(name)) }
}

/// RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const REMOTE_MEMBERS: [&str; 2] = ["jku", "x5u"];

const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 8037, appendix A.2.
    fn ed25519() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    /// RFC 7517, appendix A.1.
    fn p256() -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "1",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        })
    }

    fn with(mut jwk: Value, name: &str, value: Value) -> Result<Option<String>, JwkError> {
        jwk[name] = value;
        VerifyingKey::from_jwk(&jwk.to_string()).map(|key| key.kid)
    }

    #[test]
    fn keys_of_the_rfcs_are_read() {
        let key = VerifyingKey::from_jwk(&ed25519().to_string()).unwrap();
        assert_eq!((key.algorithm(), key.kid()), (Algorithm::EdDSA, None));
        let key = VerifyingKey::from_jwk(&p256().to_string()).unwrap();
        assert_eq!((key.algorithm(), key.kid()), (Algorithm::ES256, Some("1")));
    }

    #[test]
    fn key_is_for_verifying_signatures() {
        assert_eq!(with(p256(), "use", json!("sig")), Ok(Some("1".to_owned())));
        assert_eq!(with(p256(), "key_ops", json!(["verify"])), Ok(Some("1".to_owned())));
        for usage in [json!("enc"), json!("SIG"), json!(null), json!(["sig"])] {
            assert_eq!(with(p256(), "use", usage), Err(JwkError::WrongUse));
        }
        for operations in [json!([]), json!(["sign"]), json!(["encrypt"]), json!("verify"), json!(null)] {
            assert_eq!(with(p256(), "key_ops", operations), Err(JwkError::WrongUse));
        }
    }

    /// Threat J3: shared-secret algorithms, and algorithms of another key.
    #[test]
    fn algorithm_fits_the_key() {
        for name in ["none", "HS256", "ES512", "ES256K", "RSA-OAEP", ""] {
            assert_eq!(with(p256(), "alg", json!(name)), Err(JwkError::AlgorithmNotAllowed), "{name}");
        }
        for name in ["RS256", "PS512", "ES384", "EdDSA"] {
            assert_eq!(with(p256(), "alg", json!(name)), Err(JwkError::WrongKind), "{name}");
        }
        assert_eq!(with(p256(), "alg", json!(1)), Err(JwkError::Invalid("alg")));
        assert_eq!(with(p256(), "kid", json!(1)), Err(JwkError::Invalid("kid")));
        assert_eq!(with(p256(), "kty", json!("OKP")), Err(JwkError::WrongKind));
        assert_eq!(with(p256(), "crv", json!("P-384")), Err(JwkError::WrongKind));
        assert_eq!(with(ed25519(), "crv", json!("Ed448")), Err(JwkError::WrongKind));
        let without_algorithm = json!({"kty": "EC", "crv": "P-256", "x": "", "y": ""});
        assert_eq!(VerifyingKey::from_jwk(&without_algorithm.to_string()).err(), Some(JwkError::Missing("alg")));
    }

    /// Threat J3: a key that would have to be fetched, or that signs.
    #[test]
    fn private_and_remote_keys_are_refused() {
        for name in PRIVATE_MEMBERS {
            assert_eq!(with(p256(), name, json!("AQAB")), Err(JwkError::Private), "{name}");
        }
        for name in REMOTE_MEMBERS {
            assert_eq!(with(p256(), name, json!("https://evil.example")), Err(JwkError::Remote), "{name}");
        }
        let shared = json!({"kty": "oct", "alg": "HS256", "k": "AAAA"});
        assert_eq!(VerifyingKey::from_jwk(&shared.to_string()).err(), Some(JwkError::Private));
    }

    #[test]
    fn damaged_members_are_refused() {
        let x = p256()["x"].as_str().unwrap().to_owned();
        for damaged in [format!("{x}="), format!("AA{x}"), x.replace('4', "5"), x[1..].to_owned(), String::new()] {
            assert!(with(p256(), "x", json!(damaged)).is_err(), "{damaged}");
        }
        assert_eq!(with(p256(), "y", p256()["x"].clone()), Err(JwkError::Weak));
        assert_eq!(with(ed25519(), "x", json!("AA")), Err(JwkError::Invalid("x")));
        for text in ["", "[]", "null", "{", r#"{"alg":"ES256","alg":"ES256"}"#] {
            assert_eq!(VerifyingKey::from_jwk(text).err(), Some(JwkError::Malformed), "{text}");
        }
    }

    #[test]
    fn weak_rsa_keys_are_refused() {
        let rsa = |bytes: usize, e: &str| {
            let modulus = URL_SAFE_NO_PAD.encode([&[0xc1], vec![0xff; bytes - 1].as_slice()].concat());
            let jwk = json!({"kty": "RSA", "alg": "RS256", "n": modulus, "e": e});
            VerifyingKey::from_jwk(&jwk.to_string()).err()
        };
        assert_eq!(rsa(256, "AQAB"), None);
        assert_eq!(rsa(255, "AQAB"), Some(JwkError::Weak));
        assert_eq!(rsa(1025, "AQAB"), Some(JwkError::Weak));
        assert_eq!(rsa(256, "AQ"), Some(JwkError::Weak));
        assert_eq!(rsa(256, "BA"), Some(JwkError::Weak));
        assert_eq!(rsa(256, "AAEAAQ"), Some(JwkError::Invalid("e")));
        assert_eq!(rsa(256, ""), Some(JwkError::Invalid("e")));
    }
}
