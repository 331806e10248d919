//! Private keys in every form that people have them, and tokens in every algorithm, judged by another library too.

use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, jwk::Jwk};
use serde_json::{Value, json};
use sidecar_policy::jwt::{self, Algorithm, KeyError, SigningKey, TokenError, Verified, VerifyingKey};

use crate::support;

fn new_key(algorithm: Algorithm) -> SigningKey {
    parse(&STANDARD.encode(support::pkcs8(algorithm.name())), algorithm).unwrap()
}

fn parse(material: &str, algorithm: Algorithm) -> Result<SigningKey, KeyError> {
    SigningKey::parse(material.as_bytes(), algorithm)
}

fn public(key: &SigningKey) -> VerifyingKey {
    VerifyingKey::from_jwk(&key.public_jwk().to_string()).unwrap()
}

fn verify(token: &str, key: &VerifyingKey) -> Result<Verified, TokenError> {
    jwt::verify(token, |kid, _| (kid == key.kid()).then_some(key))
}

fn claims() -> Value {
    json!({"sub": "Alice", "aud": ["orders.demo"], "exp": 4_102_444_800_u64})
}

#[test]
fn every_algorithm_signs_and_verifies() {
    for algorithm in Algorithm::ALL {
        let key = new_key(algorithm);
        let verified = verify(&jwt::sign(&key, &claims()).unwrap(), &public(&key)).unwrap();
        assert_eq!(Value::Object(verified.claims), claims(), "{algorithm}");
        assert_eq!(verified.kid.as_deref(), Some(key.kid()), "{algorithm}");
        assert_eq!(verified.algorithm, algorithm);
    }
}

/// Threat J1: a second judge takes what is signed here.
#[test]
fn another_library_takes_the_tokens() {
    for algorithm in Algorithm::ALL {
        let key = new_key(algorithm);
        let jwk: Jwk = serde_json::from_value(key.public_jwk()).unwrap();
        let mut validation = Validation::new(algorithm.name().parse().unwrap());
        validation.set_audience(&["orders.demo"]);
        let token = jwt::sign(&key, &claims()).unwrap();
        let judged = jsonwebtoken::decode::<Value>(&token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).unwrap();
        assert_eq!(judged.claims, claims(), "{algorithm}");
        assert_eq!(judged.header.kid.as_deref(), Some(key.kid()));
        assert_eq!(judged.header.typ.as_deref(), Some("JWT"));
    }
}

/// Threat J1: what a second library signs is taken here.
#[test]
fn tokens_of_another_library_are_taken() {
    for algorithm in Algorithm::ALL {
        let key = new_key(algorithm);
        let pem = key.to_pkcs8_pem().unwrap();
        let encoding = match algorithm {
            Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_pem(pem.expose().as_bytes()),
            Algorithm::EdDSA => EncodingKey::from_ed_pem(pem.expose().as_bytes()),
            _ => EncodingKey::from_rsa_pem(pem.expose().as_bytes()),
        };
        let mut header = Header::new(algorithm.name().parse().unwrap());
        header.kid = Some(key.kid().to_owned());
        let token = jsonwebtoken::encode(&header, &claims(), &encoding.unwrap()).unwrap();
        assert_eq!(Value::Object(verify(&token, &public(&key)).unwrap().claims), claims(), "{algorithm}");
    }
}

#[test]
fn every_form_is_the_same_key() {
    for (algorithm, label) in [
        (Algorithm::RS256, Some("RSA PRIVATE KEY")),
        (Algorithm::PS512, Some("RSA PRIVATE KEY")),
        (Algorithm::ES256, Some("EC PRIVATE KEY")),
        (Algorithm::ES384, Some("EC PRIVATE KEY")),
        (Algorithm::EdDSA, None),
    ] {
        let pkcs8 = support::pkcs8(algorithm.name());
        let pem = support::pem("PRIVATE KEY", &pkcs8);
        let wrapped = pem.lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>().join("\n");
        let mut forms = vec![
            pem.clone(),
            pem.replace('\n', "\r\n"),
            format!("\n  \n{pem}\n\n"),
            STANDARD.encode(&pkcs8),
            format!(" {}\n", STANDARD.encode(&pkcs8)),
            wrapped.replace('\n', "\r\n"),
        ];
        if let Some(label) = label {
            let inner = support::inner(&pkcs8);
            let old = support::pem(label, &inner);
            forms.push(format!("{}{old}", support::pem("EC PARAMETERS", &[6, 1, 0])));
            forms.extend([old, STANDARD.encode(&inner)]);
        }
        let first = parse(&pem, algorithm).unwrap();
        for (number, form) in forms.iter().enumerate() {
            let key = parse(form, algorithm).unwrap_or_else(|error| panic!("{algorithm}, form {number}: {error}"));
            assert_eq!(key.public_jwk(), first.public_jwk(), "{algorithm}, form {number}");
            assert_eq!(key.to_pkcs8_pem(), first.to_pkcs8_pem(), "{algorithm}, form {number}");
        }
        let again = parse(first.to_pkcs8_pem().unwrap().expose(), algorithm).unwrap();
        assert_eq!(again.kid(), first.kid());
    }
}

#[test]
fn public_half_has_no_private_member() {
    for algorithm in Algorithm::ALL {
        let jwk = new_key(algorithm).public_jwk();
        let names: Vec<&str> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        let expected: &[&str] = match algorithm {
            Algorithm::ES256 | Algorithm::ES384 => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            Algorithm::EdDSA => &["alg", "crv", "kid", "kty", "use", "x"],
            _ => &["alg", "e", "kid", "kty", "n", "use"],
        };
        assert_eq!(names, expected, "{algorithm}");
    }
}

#[test]
fn thumbprint_is_that_of_another_library() {
    for algorithm in Algorithm::ALL {
        let key = new_key(algorithm);
        let jwk: Jwk = serde_json::from_value(key.public_jwk()).unwrap();
        assert_eq!(key.kid(), jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(), "{algorithm}");
    }
}

#[test]
fn key_of_another_kind_is_named() {
    for (made_for, asked_for, expected) in [
        (
            "ES256",
            Algorithm::ES384,
            "the key is an EC key on the curve P-256, but ES384 needs an EC key on the curve P-384",
        ),
        (
            "ES384",
            Algorithm::ES256,
            "the key is an EC key on the curve P-384, but ES256 needs an EC key on the curve P-256",
        ),
        ("RS256", Algorithm::EdDSA, "the key is an RSA key, but EdDSA needs an Ed25519 key"),
        ("EdDSA", Algorithm::PS256, "the key is an Ed25519 key, but PS256 needs an RSA key"),
        ("ES256", Algorithm::RS256, "the key is an EC key on the curve P-256, but RS256 needs an RSA key"),
    ] {
        let error = parse(&STANDARD.encode(support::pkcs8(made_for)), asked_for).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

/// Threat J5: key material in errors.
#[test]
fn what_is_no_key_is_refused_unquoted() {
    let pkcs8 = support::pkcs8("ES256");
    let pem = support::pem("PRIVATE KEY", &pkcs8);
    let text = STANDARD.encode(&pkcs8);
    for (material, expected) in [
        (String::new(), KeyError::Empty),
        (" \n".to_owned(), KeyError::Empty),
        ("A".repeat(17_000), KeyError::TooLarge),
        (format!("{text}!"), KeyError::NotReadable),
        (format!("hunter2-{text}"), KeyError::NotReadable),
        (pem.replace("-----END PRIVATE KEY-----", ""), KeyError::NotReadable),
        (pem.replace("MIG", "M!G"), KeyError::NotReadable),
        (support::pem("ENCRYPTED PRIVATE KEY", &pkcs8), KeyError::Encrypted),
        (pem.replace("KEY-----\nM", "KEY-----\nProc-Type: 4,ENCRYPTED\n\nM"), KeyError::Encrypted),
        (support::pem("CERTIFICATE", &pkcs8), KeyError::NotPrivate),
        (support::pem("PUBLIC KEY", &pkcs8), KeyError::NotPrivate),
        (format!("{pem}{pem}"), KeyError::Several),
        (STANDARD.encode(&pkcs8[..pkcs8.len() - 1]), unknown("an EC key on the curve P-256")),
        (STANDARD.encode([0x30; 64]), unknown("an EC key on the curve P-256")),
        (STANDARD.encode("hunter2"), unknown("an EC key on the curve P-256")),
    ] {
        let error = parse(&material, Algorithm::ES256).unwrap_err();
        assert_eq!(error, expected, "{error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2") && !shown.contains(&text[..24]), "{error} quotes the key");
    }
    assert_eq!(SigningKey::parse(&pkcs8, Algorithm::ES256).unwrap_err(), KeyError::NotReadable);
}

fn unknown(needs: &'static str) -> KeyError {
    KeyError::Unknown { algorithm: Algorithm::ES256, needs }
}

/// Threat J5: key material in logs.
#[test]
fn debug_output_hides_the_key() {
    for algorithm in Algorithm::ALL {
        let key = new_key(algorithm);
        let pem = key.to_pkcs8_pem().unwrap();
        let shown = format!("{key:?} {pem:?}");
        let body = pem.expose().lines().nth(1).unwrap();
        assert!(!shown.contains(body) && shown.contains(key.kid()), "{shown}");
    }
}
