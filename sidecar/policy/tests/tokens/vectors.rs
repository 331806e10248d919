//! Published vectors: C2SP Wycheproof, and the examples of RFC 7520 and RFC 8037.
//!
//! They lie in the folder that `CROSSCALL_VECTORS` names, below `jose/`. Where it is not set, these tests say so and
//! check nothing.

use std::{collections::HashMap, io::Write, path::Path};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::Deserialize;
use serde_json::Value;
use sidecar_policy::jwt::{self, Algorithm, KeyError, SigningKey, TokenError, VerifyingKey};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Suite {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    comment: String,
    #[serde(default)]
    public: Option<Value>,
    #[serde(default)]
    private: Option<Value>,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    tc_id: u32,
    comment: String,
    jws: Value,
    result: String,
}

/// An example of RFC 7520 or RFC 8037.
#[derive(Deserialize)]
struct Example {
    input: Input,
    output: Output,
}

#[derive(Deserialize)]
struct Input {
    payload: String,
    key: Value,
    alg: String,
}

#[derive(Deserialize)]
struct Output {
    compact: String,
}

/// What became of the cases of a suite.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    accepted: usize,
    refused: usize,
    /// Valid, but of an algorithm that is not in the list.
    unlisted: usize,
    /// Valid to the suite, but the key says another algorithm than the token.
    mismatched: usize,
}

#[expect(clippy::disallowed_methods, reason = "the vectors lie outside of the source")]
fn read<T: for<'de> Deserialize<'de>>(name: &str) -> Option<T> {
    let Some(folder) = std::env::var_os("CROSSCALL_VECTORS") else {
        // Past the test harness, which shows what a test prints only when it fails.
        let mut stderr = std::io::stderr();
        writeln!(stderr, "SKIPPED: CROSSCALL_VECTORS is not set, so {name} was not read").unwrap();
        return None;
    };
    let path = Path::new(&folder).join("jose").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_slice(&bytes).unwrap())
}

/// The public half of a key, as it would stand in a configuration.
fn public_half(key: &Value) -> Value {
    let mut key = key.clone();
    if key["kty"] != "oct" {
        key.as_object_mut().unwrap().retain(|name, _| !["d", "p", "q", "dp", "dq", "qi"].contains(&name.as_str()));
    }
    key
}

/// Reads every key of a group that can be read, as the inbound side does: one key for each key id.
fn key_set(group: &Group) -> Vec<VerifyingKey> {
    let keys = group.public.as_ref().or(group.private.as_ref()).unwrap();
    let keys = keys["keys"].as_array().cloned().unwrap_or_else(|| vec![keys.clone()]);
    keys.iter().filter_map(|key| VerifyingKey::from_jwk(&public_half(key).to_string()).ok()).collect()
}

fn judge(case: &Case, keys: &[VerifyingKey]) -> Result<Vec<u8>, TokenError> {
    let token = match &case.jws {
        Value::String(token) => token.clone(),
        other => other.to_string(),
    };
    let by_kid: HashMap<Option<&str>, &VerifyingKey> = keys.iter().map(|key| (key.kid(), key)).collect();
    jwt::verify_signature(&token, |kid, _| by_kid.get(&kid).copied()).map(|it| it.payload)
}

fn header_algorithm(case: &Case) -> Option<String> {
    let header = case.jws.as_str()?.split('.').next()?;
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header.replace('?', "")).ok()?).ok()?;
    Some(header["alg"].as_str()?.to_owned())
}

fn run(suite: &Suite) -> Tally {
    let mut tally = Tally::default();
    for group in &suite.test_groups {
        let keys = key_set(group);
        for case in &group.tests {
            let context = format!("{} {} {}", group.comment, case.tc_id, case.comment);
            let verdict = judge(case, &keys);
            if case.result != "valid" {
                assert!(verdict.is_err(), "{context} was accepted");
                tally.refused += 1;
                continue;
            }
            let listed: Option<Algorithm> = header_algorithm(case).and_then(|name| name.parse().ok());
            match (listed, verdict) {
                (Some(_), Ok(_)) => tally.accepted += 1,
                (None, Err(_)) => tally.unlisted += 1,
                (Some(algorithm), Err(TokenError::AlgorithmNotAllowed)) => {
                    assert_ne!(keys[0].algorithm(), algorithm, "{context}");
                    assert!(judge_as(case, group, algorithm).is_ok(), "{context} has a bad signature");
                    tally.mismatched += 1;
                }
                (listed, verdict) => panic!("{context}: {listed:?} {verdict:?}"),
            }
        }
    }
    let Tally { accepted, refused, unlisted, mismatched } = tally;
    assert_eq!(accepted + refused + unlisted + mismatched, suite.number_of_tests);
    tally
}

/// The verdict with a key whose `alg` is the token's.
fn judge_as(case: &Case, group: &Group, algorithm: Algorithm) -> Result<Vec<u8>, TokenError> {
    let mut key = public_half(group.public.as_ref().unwrap());
    key["alg"] = algorithm.name().into();
    judge(case, &[VerifyingKey::from_jwk(&key.to_string()).unwrap()])
}

/// Threat J1. Two valid cases (346, 350) pair a key for PS256 with a token in PS384: a key has one algorithm here, so
/// they are refused, and accepted as soon as the key says PS384.
#[test]
fn wycheproof_signatures_are_judged_alike() {
    let Some(suite) = read("json_web_signature_test.json") else { return };
    let tally = run(&suite);
    assert_eq!(tally, Tally { accepted: 32, refused: 355, unlisted: 12, mismatched: 2 });
}

/// Threat J1. Key sets with weak, damaged and unfit keys. A set that has a key id twice, or shared secrets beside public
/// keys, is of shared secrets here, and none of those is ever read.
#[test]
fn wycheproof_key_sets_are_judged_alike() {
    let Some(suite) = read("json_web_key_test.json") else { return };
    let tally = run(&suite);
    assert_eq!(tally, Tally { accepted: 1, refused: 21, unlisted: 4, mismatched: 0 });
}

#[test]
fn rfc_examples_are_verified() {
    for (name, taken) in [
        ("curve25519_jws.json", true),
        ("jws_4_1.rsa_v15_signature.json", true),
        ("jws_4_2.rsa-pss_signature.json", true),
        // P-521 is not in the list.
        ("jws_4_3.ecdsa_signature.json", false),
    ] {
        let Some(Example { input, output }) = read(name) else { return };
        let mut jwk = public_half(&input.key);
        jwk["alg"] = input.alg.as_str().into();
        let key = VerifyingKey::from_jwk(&jwk.to_string());
        assert_eq!(key.is_ok(), taken, "{name}");
        if let Ok(key) = key {
            let signed = jwt::verify_signature(&output.compact, |_, _| Some(&key)).unwrap();
            assert_eq!(signed.payload, input.payload.as_bytes(), "{name}");
        }
    }
}

#[test]
fn rfc_keys_are_read_in_public_form_only() {
    for (name, algorithm, taken) in [
        ("jwk_3_1.ec_public_key.json", "ES256", false),
        ("jwk_3_2.ec_private_key.json", "ES256", false),
        ("jwk_3_3.rsa_public_key.json", "RS256", true),
        ("jwk_3_4.rsa_private_key.json", "RS256", false),
        ("jwk_3_5.symmetric_key_mac_computation.json", "HS256", false),
        ("jwk_3_6.symmetric_key_encryption.json", "RS256", false),
    ] {
        let Some(mut jwk) = read::<Value>(name) else { return };
        assert!(VerifyingKey::from_jwk(&jwk.to_string()).is_err() || jwk.get("alg").is_some(), "{name} has no alg");
        jwk["alg"] = algorithm.into();
        assert_eq!(VerifyingKey::from_jwk(&jwk.to_string()).is_ok(), taken, "{name}");
    }
}

/// Ed25519 and RSASSA-PKCS1-v1_5 give one signature for one message.
#[test]
fn rfc_signatures_are_reproduced() {
    for (name, private_key) in
        [("curve25519_jws.json", ed25519 as fn(&Value) -> Vec<u8>), ("jws_4_1.rsa_v15_signature.json", pkcs1)]
    {
        let Some(Example { input, output }) = read(name) else { return };
        let der = STANDARD.encode(private_key(&input.key));
        let key = SigningKey::parse(der.as_bytes(), input.alg.parse().unwrap()).unwrap();
        let (message, signature) = output.compact.rsplit_once('.').unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).unwrap()), signature, "{name}");
    }
}

/// RFC 8037, appendix A.3, for the key of appendix A.1.
#[test]
fn rfc_thumbprint_is_reproduced() {
    let Some(Example { input, .. }) = read("curve25519_jws.json") else { return };
    let key = SigningKey::parse(STANDARD.encode(ed25519(&input.key)).as_bytes(), Algorithm::EdDSA).unwrap();
    assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(key.public_jwk()["x"], input.key["x"]);
}

/// The private keys of the vectors, as people would configure them.
#[test]
fn weak_private_keys_are_refused() {
    let Some(suite) = read::<Suite>("json_web_key_test.json") else { return };
    let mut seen = 0;
    for group in &suite.test_groups {
        let expected = match group.comment.as_str() {
            "jws_rsa_roca_key" => KeyError::Weak,
            "keysize_too_small" => KeyError::TooShort,
            _ => continue,
        };
        let der = pkcs1(&group.private.as_ref().unwrap()["keys"][0]);
        let error = SigningKey::parse(STANDARD.encode(der).as_bytes(), Algorithm::RS256).unwrap_err();
        assert_eq!(error, expected, "{}", group.comment);
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn rfc_rsa_private_key_is_read() {
    let Some(jwk) = read::<Value>("jwk_3_4.rsa_private_key.json") else { return };
    let key = SigningKey::parse(STANDARD.encode(pkcs1(&jwk)).as_bytes(), Algorithm::PS384).unwrap();
    assert_eq!(key.public_jwk()["n"], jwk["n"]);
}

fn decoded(jwk: &Value, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap()
}

/// RFC 8410, section 7: PKCS#8.
fn ed25519(jwk: &Value) -> Vec<u8> {
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend(decoded(jwk, "d"));
    der
}

/// RFC 8017, appendix A.1.2.
fn pkcs1(jwk: &Value) -> Vec<u8> {
    let mut content = vec![2, 1, 0];
    for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        let mut integer = decoded(jwk, name);
        if integer[0] >= 0x80 {
            integer.insert(0, 0);
        }
        content.extend(der_item(2, &integer));
    }
    der_item(0x30, &content)
}

/// X.690, section 10.1: the length in as few octets as can be.
fn der_item(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match content.len() {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [head.as_slice(), content].concat()
}
