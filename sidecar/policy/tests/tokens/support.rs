//! Private keys for tests, made afresh in every process and never written anywhere.

use std::sync::OnceLock;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// A private key for the algorithm of that name: PKCS#8, DER. RSA keys are one key, made once; others are new.
pub(crate) fn pkcs8(algorithm: &str) -> Vec<u8> {
    let ec = |curve: &'static EcdsaSigningAlgorithm| {
        EcdsaKeyPair::generate_pkcs8(curve, &SystemRandom::new()).unwrap().as_ref().to_vec()
    };
    match algorithm {
        "ES256" => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
        "ES384" => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
        "EdDSA" => Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap().as_ref().to_vec(),
        _ => rsa().to_vec(),
    }
}

/// The RSA key of this process: PKCS#8, DER, 2048 bits.
pub(crate) fn rsa() -> &'static [u8] {
    static KEY: OnceLock<Vec<u8>> = OnceLock::new();
    KEY.get_or_init(|| {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        der.as_ref().to_vec()
    })
}

/// PEM (RFC 7468), lines of 64 characters.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The octet string within a PKCS#8 key (RFC 5958, section 2): PKCS#1 for RSA, SEC1 for EC.
pub(crate) fn inner(pkcs8: &[u8]) -> Vec<u8> {
    let (_, outer, _) = der_item(pkcs8);
    let mut rest = outer;
    loop {
        let (tag, content, after) = der_item(rest);
        if tag == 0x04 {
            return content.to_vec();
        }
        rest = after;
    }
}

/// Tag, content, and what follows (X.690, section 8.1).
fn der_item(bytes: &[u8]) -> (u8, &[u8], &[u8]) {
    let (length, start) = match bytes[1] {
        short @ 0..=0x7f => (usize::from(short), 2),
        long => {
            let count = usize::from(long & 0x7f);
            (bytes[2..2 + count].iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)), 2 + count)
        }
    };
    (bytes[0], &bytes[start..start + length], &bytes[start + length..])
}
