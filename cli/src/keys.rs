//! Key pairs of service accounts that no Secret gives.

use std::collections::BTreeMap;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use operator_compile::{AccountKeys, Inventory, Key, KeyPair, NeededKey};
use sidecar_policy::jwt::{Algorithm, KeyError, SigningKey};
use sidecar_policy::secret::SecretString;

/// Why no key pair was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GenerateError {
    /// The cryptography library failed.
    #[error("failed to make a key pair for {algorithm}")]
    Generate {
        /// For which algorithm.
        algorithm: Algorithm,
        /// It says no more.
        #[source]
        source: Unspecified,
    },
    /// It made one that is not usable.
    #[error("failed to read back a key pair for {algorithm}")]
    Read {
        /// For which algorithm.
        algorithm: Algorithm,
        /// Why.
        #[source]
        source: KeyError,
    },
}

/// A new key pair: RSA of 2048 bits, P-256, P-384 or Ed25519.
pub(crate) fn generate(algorithm: Algorithm) -> Result<KeyPair, GenerateError> {
    let der = pkcs8(algorithm).map_err(|source| GenerateError::Generate { algorithm, source })?;
    // Base64 of the DER is one of the forms that keys are read in.
    let text = SecretString::from(STANDARD.encode(der));
    let read = |source| GenerateError::Read { algorithm, source };
    let key = SigningKey::parse(text.expose().as_bytes(), algorithm).map_err(read)?;
    Ok(KeyPair {
        kid: key.kid().to_owned(),
        algorithm,
        private_key_pem: key.to_pkcs8_pem().map_err(read)?,
        jwk: key.public_jwk().to_string(),
    })
}

/// A new key pair for each account.
pub(crate) fn generate_all(
    _: &Inventory,
    needed: &BTreeMap<Key, NeededKey>,
) -> Result<BTreeMap<Key, AccountKeys>, GenerateError> {
    let pair = |(account, needed): (&Key, &NeededKey)| {
        Ok((account.clone(), AccountKeys { signing: generate(needed.algorithm)?, published: Vec::new() }))
    };
    needed.iter().map(pair).collect()
}

fn pkcs8(algorithm: Algorithm) -> Result<Vec<u8>, Unspecified> {
    let random = SystemRandom::new();
    match algorithm {
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512 => {
            let der: Pkcs8V1Der<'static> = RsaKeyPair::generate(KeySize::Rsa2048)?.as_der()?;
            Ok(der.as_ref().to_vec())
        }
        Algorithm::ES256 => {
            Ok(EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?.as_ref().to_vec())
        }
        Algorithm::ES384 => {
            Ok(EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random)?.as_ref().to_vec())
        }
        Algorithm::EdDSA => Ok(Ed25519KeyPair::generate_pkcs8v1(&random)?.as_ref().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sidecar_policy::jwt::VerifyingKey;

    use super::*;

    #[test]
    fn pairs_fit_every_algorithm() {
        let mut kids = BTreeSet::new();
        for algorithm in Algorithm::ALL {
            let pair = generate(algorithm).unwrap();
            let signing = SigningKey::parse(pair.private_key_pem.expose().as_bytes(), algorithm).unwrap();
            let verifying = VerifyingKey::from_jwk(&pair.jwk).unwrap();
            assert_eq!((verifying.kid(), signing.kid()), (Some(pair.kid.as_str()), pair.kid.as_str()));
            assert_eq!(verifying.algorithm(), algorithm);
            assert!(kids.insert(pair.kid), "the key of {algorithm} was seen before");
        }
    }
}
