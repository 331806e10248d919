//! What holds for every token, and for everything that a token or a key is made of.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sidecar_policy::{
    caller::ServiceVerifier,
    config::{AccountKey, Inbound},
    jwt::{self, Algorithm, SigningKey, VerifyingKey},
    password::PasswordHash,
};

const ACCOUNT: &str = "system:crosscall:shop:fr-api";
const NOW: u64 = 1_800_000_000;

/// With a line break it is a header and a payload, to be signed with a good key; without, a token as it comes.
pub(crate) fn holds(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let key = key();
    let public = VerifyingKey::from_jwk(&key.public_jwk().to_string()).expect("a public half is a key");
    match text.split_once('\n') {
        Some((header, payload)) => signed(&key, &public, header, payload),
        None => unsigned(&public, text),
    }
    material(text);
}

/// Nobody without the key makes a token.
fn unsigned(public: &VerifyingKey, token: &str) {
    assert!(jwt::verify_signature(token, |_, _| Some(public)).is_err(), "a forgery is taken");
}

/// Whoever has the key speaks for its account alone, and in one spelling.
fn signed(key: &SigningKey, public: &VerifyingKey, header: &str, payload: &str) {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = key.sign(message.as_bytes()).expect("an Ed25519 key signs everything");
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    let Ok(verified) = jwt::verify(&token, |_, _| Some(public)) else { return };
    let loose: serde_json::Value = serde_json::from_str(payload).expect("what is taken is JSON");
    assert_eq!(serde_json::Value::Object(verified.claims), loose);
    assert!(jwt::verify(&format!("{token}="), |_, _| Some(public)).is_err());
    let Ok(caller) = verifier(key).verify(&token, NOW) else { return };
    assert!(caller.proxied && caller.environment == "demo");
    match &caller.actor {
        None => assert_eq!(caller.subject, ACCOUNT),
        Some(actor) => {
            assert_eq!(actor, ACCOUNT);
            assert!(!caller.subject.to_ascii_lowercase().starts_with("system:"));
        }
    }
    assert!(caller.permissions.iter().all(|permission| permission == "read"));
    assert!((NOW - 60..u64::MAX).contains(&caller.expires_at));
    for (_, value) in caller.header_values() {
        assert!(value.as_bytes().iter().all(u8::is_ascii_graphic));
    }
}

/// Keys and hashes: read or refused, never a panic.
fn material(text: &str) {
    let _ = VerifyingKey::from_jwk(text);
    let _ = PasswordHash::parse(text);
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA] {
        if let Ok(key) = SigningKey::parse(text.as_bytes(), algorithm) {
            let pem = key.to_pkcs8_pem().expect("a key that was read can be written");
            let again = SigningKey::parse(pem.expose().as_bytes(), algorithm).expect("and read again");
            assert_eq!(again.kid(), key.kid());
        }
    }
}

/// A key that everybody can make: RFC 8410, section 7, with a constant for its secret.
fn key() -> SigningKey {
    let pkcs8 = [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..], &[7; 32]].concat();
    SigningKey::parse(STANDARD.encode(pkcs8).as_bytes(), Algorithm::EdDSA).expect("32 bytes are an Ed25519 key")
}

fn verifier(key: &SigningKey) -> ServiceVerifier {
    let bound = AccountKey {
        jwk: key.public_jwk().to_string(),
        subject: ACCOUNT.to_owned(),
        proxy_app: "fr-api".to_owned(),
        environment: "demo".to_owned(),
        permissions: ["read".to_owned()].into(),
        authorities: None,
    };
    let inbound = Inbound {
        app_port: 9001,
        audience: "orders.demo".to_owned(),
        keys: [(key.kid().to_owned(), bound)].into(),
        authentication: None,
        endpoints: Vec::new(),
        audit: false,
    };
    ServiceVerifier::new(&inbound, "https://crosscall.local").expect("the key is good")
}
