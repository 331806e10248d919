//! Private keys: reading them in the forms that people have, and showing their public half.

use std::{collections::BTreeMap, fmt};

use aws_lc_rs::{
    digest,
    encoding::{AsDer, Pkcs8V1Der},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::EncodingKey;
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use zeroize::{Zeroize, Zeroizing};

use super::{Algorithm, KeyKind, SignError, roca};
use crate::secret::SecretString;

/// A private key with the one algorithm that it signs with.
///
/// The key is held by aws-lc-rs and jsonwebtoken, which wipe their memory when it is dropped.
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
    kid: String,
    encoding: EncodingKey,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Why a private key is not taken. Nothing here quotes the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing there.
    #[error("the key is empty: give a private key as PEM, or as base64 of its DER")]
    Empty,
    /// Longer than [`MAX_KEY_BYTES`].
    #[error("the key is larger than {MAX_KEY_BYTES} bytes: give one private key and nothing else")]
    TooLarge,
    /// Neither PEM nor base64.
    #[error(
        "the key is not readable: give PEM (PKCS#8 `PRIVATE KEY`, PKCS#1 `RSA PRIVATE KEY`, SEC1 `EC PRIVATE KEY`), or \
         base64 of its DER without the PEM lines"
    )]
    NotReadable,
    /// PEM that needs a password.
    #[error("the key is encrypted: remove its password, for example with `openssl pkcs8 -topk8 -nocrypt`")]
    Encrypted,
    /// PEM of something else.
    #[error("there is no private key among the PEM blocks: a certificate or a public key cannot sign")]
    NotPrivate,
    /// More than one private key.
    #[error("there are several private keys: give one")]
    Several,
    /// No key that any algorithm could use.
    #[error("the key is damaged or of an unknown type: {algorithm} needs {needs}")]
    Unknown {
        /// The algorithm asked for.
        algorithm: Algorithm,
        /// What it needs.
        needs: &'static str,
    },
    /// Another type or curve.
    #[error("the key is {found}, but {algorithm} needs {needs}: change the key or the algorithm")]
    WrongKind {
        /// The algorithm asked for.
        algorithm: Algorithm,
        /// What it needs.
        needs: &'static str,
        /// What was given.
        found: &'static str,
    },
    /// Fewer than 2048 bits.
    #[error("the RSA key is too short: make one of at least 2048 bits")]
    TooShort,
    /// A known weakness: a public exponent of 1, or primes that can be found (CVE-2017-15361).
    #[error("the RSA key is known to be weak: make a new one")]
    Weak,
    /// The cryptography library could not write it.
    #[error("the key cannot be written as PKCS#8")]
    Unwritable,
}

/// The longest private key that is read: an RSA key of 8192 bits is half of it as PEM.
pub const MAX_KEY_BYTES: usize = 16 * 1024;

// === impl SigningKey ===

impl SigningKey {
    /// Reads a private key for `algorithm`, from PEM (PKCS#8, PKCS#1 or SEC1) or from base64 (RFC 4648, section 4, line
    /// breaks allowed) of the DER without the PEM lines.
    ///
    /// Refused: another key type or curve than the algorithm's, RSA below 2048 bits, more than one key, an encrypted one.
    pub fn parse(material: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        let der = read_der(material)?;
        let pair = Pair::read(&der, algorithm)?;
        let kid = thumbprint(&pair.public_members());
        let encoding = pair.to_encoding_key()?;
        Ok(Self { algorithm, pair, kid, encoding })
    }

    /// The algorithm that it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key id: the SHA-256 thumbprint of the public key (RFC 7638), base64url.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The private key as PKCS#8 PEM (RFC 5958, RFC 7468): the same text for the same key, whatever form it came in.
    pub fn to_pkcs8_pem(&self) -> Result<SecretString, KeyError> {
        self.pair.to_pkcs8_pem()
    }

    /// The public key (RFC 7517) with `alg`, `use` and `kid`.
    pub fn public_jwk(&self) -> Value {
        let mut jwk = json!(self.pair.public_members());
        jwk["alg"] = self.algorithm.name().into();
        jwk["use"] = "sig".into();
        jwk["kid"] = self.kid.as_str().into();
        jwk
    }

    /// The signature of `message` (RFC 7518, section 3), without any form around it.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = jsonwebtoken::crypto::sign(message, &self.encoding, self.algorithm.into());
        signature.ok().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(SignError::Signature)
    }

    /// The key for the library that signs.
    pub(super) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm).field("kid", &self.kid).finish_non_exhaustive()
    }
}

// === impl Pair ===

impl Pair {
    fn read(der: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        let wanted = algorithm.key_kind();
        let needs = wanted.describe();
        match Self::read_kind(der, wanted) {
            Ok(pair) => pair.refuse_weak(),
            Err(error) if error.description_() == "TooSmall" => Err(KeyError::TooShort),
            Err(_) => Err(KeyKind::ALL
                .into_iter()
                .filter(|kind| *kind != wanted)
                .find(|kind| match Self::read_kind(der, *kind) {
                    Ok(_) => true,
                    Err(error) => error.description_() == "TooSmall",
                })
                .map_or(KeyError::Unknown { algorithm, needs }, |found| KeyError::WrongKind {
                    algorithm,
                    needs,
                    found: found.describe(),
                })),
        }
    }

    fn read_kind(der: &[u8], kind: KeyKind) -> Result<Self, aws_lc_rs::error::KeyRejected> {
        let ec = |curve: &'static EcdsaSigningAlgorithm| EcdsaKeyPair::from_private_key_der(curve, der).map(Self::Ec);
        match kind {
            KeyKind::Rsa => match RsaKeyPair::from_pkcs8(der) {
                Err(error) if error.description_() != "TooSmall" => RsaKeyPair::from_der(der),
                read => read,
            }
            .map(Self::Rsa),
            KeyKind::P256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            KeyKind::P384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            KeyKind::Ed25519 => Ed25519KeyPair::from_pkcs8(der).map(Self::Ed25519),
        }
    }

    fn refuse_weak(self) -> Result<Self, KeyError> {
        if let Self::Rsa(pair) = &self {
            let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
            if is_weak_rsa(&n, &e) {
                return Err(KeyError::Weak);
            }
        }
        Ok(self)
    }

    fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let unwritable = |_| KeyError::Unwritable;
        let der = match self {
            Self::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map_err(unwritable)?.as_ref().to_vec(),
            Self::Ec(pair) => pair.to_pkcs8v1().map_err(unwritable)?.as_ref().to_vec(),
            Self::Ed25519(pair) => pair.to_pkcs8v1().map_err(unwritable)?.as_ref().to_vec(),
        };
        Ok(Zeroizing::new(der))
    }

    fn to_pkcs8_pem(&self) -> Result<SecretString, KeyError> {
        let encoded = Zeroizing::new(STANDARD.encode(&*self.to_pkcs8()?));
        let mut pem = String::with_capacity(encoded.len() + encoded.len() / PEM_LINE + 64);
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(PEM_LINE));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(pem.into())
    }

    fn to_encoding_key(&self) -> Result<EncodingKey, KeyError> {
        let pem = self.to_pkcs8_pem()?;
        let pem = pem.expose().as_bytes();
        let key = match self {
            Self::Rsa(_) => EncodingKey::from_rsa_pem(pem),
            Self::Ec(_) => EncodingKey::from_ec_pem(pem),
            Self::Ed25519(_) => EncodingKey::from_ed_pem(pem),
        };
        key.map_err(|_| KeyError::Unwritable)
    }

    /// The members that make the public key (RFC 7638, section 3.2), sorted.
    fn public_members(&self) -> BTreeMap<&'static str, String> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                BTreeMap::from([("kty", "RSA".to_owned()), ("n", encode(&n)), ("e", encode(&e))])
            }
            Self::Ec(pair) => {
                // SEC 1, section 2.3.3: 0x04, then both coordinates.
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                BTreeMap::from([
                    ("kty", "EC".to_owned()),
                    ("crv", curve.to_owned()),
                    ("x", encode(x)),
                    ("y", encode(y)),
                ])
            }
            Self::Ed25519(pair) => BTreeMap::from([
                ("kty", "OKP".to_owned()),
                ("crv", "Ed25519".to_owned()),
                ("x", encode(pair.public_key().as_ref())),
            ]),
        }
    }
}

/// A public exponent that signs nothing, or primes that anybody can find. Both big-endian.
pub(super) fn is_weak_rsa(modulus: &[u8], exponent: &[u8]) -> bool {
    let even = exponent.last().is_none_or(|last| last % 2 == 0);
    even || exponent == [1] || roca::has_fingerprint(modulus)
}

/// RFC 7638: SHA-256 over the required members, sorted, without white space.
fn thumbprint(members: &BTreeMap<&'static str, String>) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, json!(members).to_string().as_bytes()))
}

/// Takes the armour off, whichever it is.
fn read_der(material: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    if material.len() > MAX_KEY_BYTES {
        return Err(KeyError::TooLarge);
    }
    let text = std::str::from_utf8(material).map_err(|_| KeyError::NotReadable)?;
    if text.trim().is_empty() {
        return Err(KeyError::Empty);
    }
    if text.contains("-----BEGIN") {
        return read_pem(text);
    }
    let packed = Zeroizing::new(text.split_ascii_whitespace().collect::<String>());
    STANDARD.decode(packed.as_bytes()).map(Zeroizing::new).map_err(|_| KeyError::NotReadable)
}

fn read_pem(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut found = None;
    for block in PrivateKeyDer::pem_slice_iter(text.as_bytes()) {
        let unreadable = if text.contains("ENCRYPTED") { KeyError::Encrypted } else { KeyError::NotReadable };
        let mut key = block.map_err(|_| unreadable)?;
        let der = Zeroizing::new(key.secret_der().to_vec());
        key.zeroize();
        if found.replace(der).is_some() {
            return Err(KeyError::Several);
        }
    }
    let missing = if text.contains("ENCRYPTED PRIVATE KEY") { KeyError::Encrypted } else { KeyError::NotPrivate };
    found.ok_or(missing)
}

const PEM_LINE: usize = 64;
