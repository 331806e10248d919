//! Tokens that somebody forged. All of them are refused, each for its own reason, and cheaply.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use sidecar_policy::jwt::{self, Algorithm, MAX_TOKEN_BYTES, SigningKey, TokenError, Verified, VerifyingKey};

use crate::support;

/// A key that the verifier knows, in the hands of somebody who can put any bytes into a token.
struct Forger {
    key: SigningKey,
    public: VerifyingKey,
    encoding: EncodingKey,
}

impl Forger {
    fn new() -> Self {
        let pkcs8 = support::pkcs8("ES256");
        let key = SigningKey::parse(STANDARD.encode(&pkcs8).as_bytes(), Algorithm::ES256).unwrap();
        let public = VerifyingKey::from_jwk(&key.public_jwk().to_string()).unwrap();
        Self { key, public, encoding: EncodingKey::from_ec_der(&pkcs8) }
    }

    /// A token with a good signature over any header and payload.
    fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        self.sign_text(&format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload)))
    }

    fn sign_text(&self, message: &str) -> String {
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.encoding, jsonwebtoken::Algorithm::ES256).unwrap();
        format!("{message}.{signature}")
    }

    fn header(&self) -> Value {
        json!({"alg": "ES256", "kid": self.key.kid(), "typ": "JWT"})
    }

    fn header_with(&self, name: &str, value: Value) -> String {
        let mut header = self.header();
        header[name] = value;
        header.to_string()
    }

    fn verify(&self, token: &str) -> Result<Verified, TokenError> {
        jwt::verify(token, |kid, _| (kid == self.public.kid()).then_some(&self.public))
    }

    #[track_caller]
    fn refuses(&self, token: &str, expected: TokenError) {
        let shown = &token[..token.len().min(80)];
        assert_eq!(self.verify(token).map(|it| it.claims), Err(expected), "{shown}");
    }
}

const PAYLOAD: &str = r#"{"sub":"Alice"}"#;

#[test]
fn honest_token_is_taken() {
    let forger = Forger::new();
    let token = forger.sign(forger.header().to_string(), PAYLOAD);
    assert_eq!(Value::Object(forger.verify(&token).unwrap().claims), json!({"sub": "Alice"}));
}

/// Threat J3: alg none.
#[test]
fn alg_none_is_refused() {
    let forger = Forger::new();
    for name in ["none", "None", "NONE", "nOnE", "", "null", "\u{0}none"] {
        let signed = forger.sign(forger.header_with("alg", json!(name)), PAYLOAD);
        let (message, _) = signed.rsplit_once('.').unwrap();
        forger.refuses(&signed, TokenError::AlgorithmNotAllowed);
        forger.refuses(&format!("{message}."), TokenError::AlgorithmNotAllowed);
        forger.refuses(message, TokenError::Malformed);
    }
    for other in [json!(null), json!(["ES256"]), json!({"ES256": 1}), json!(256)] {
        forger.refuses(&forger.sign(forger.header_with("alg", other), PAYLOAD), TokenError::Malformed);
    }
    forger.refuses(&forger.sign("{}", PAYLOAD), TokenError::Malformed);
}

/// Threat J3: shared-secret algorithm with the public key as its secret.
#[test]
fn public_key_as_secret_is_refused() {
    let rsa = SigningKey::parse(STANDARD.encode(support::rsa()).as_bytes(), Algorithm::RS256).unwrap();
    let public = VerifyingKey::from_jwk(&rsa.public_jwk().to_string()).unwrap();
    let jwk = rsa.public_jwk();
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let secrets = [
        jwk.to_string().into_bytes(),
        support::pem("PUBLIC KEY", &modulus).into_bytes(),
        support::pem("RSA PUBLIC KEY", &modulus).into_bytes(),
        modulus,
        Vec::new(),
    ];
    for secret in secrets {
        for algorithm in
            [jsonwebtoken::Algorithm::HS256, jsonwebtoken::Algorithm::HS384, jsonwebtoken::Algorithm::HS512]
        {
            let mut header = jsonwebtoken::Header::new(algorithm);
            header.kid = Some(rsa.kid().to_owned());
            let token = jsonwebtoken::encode(&header, &json!({}), &EncodingKey::from_secret(&secret)).unwrap();
            let judged = jwt::verify(&token, |_, _| Some(&public));
            assert_eq!(judged.map(|it| it.claims), Err(TokenError::AlgorithmNotAllowed));
        }
    }
}

/// Threat J3: another algorithm than the key's, of the same family and of another.
#[test]
fn algorithm_is_the_keys_own() {
    let rsa = |algorithm| SigningKey::parse(STANDARD.encode(support::rsa()).as_bytes(), algorithm).unwrap();
    let public = VerifyingKey::from_jwk(&rsa(Algorithm::RS256).public_jwk().to_string()).unwrap();
    for algorithm in Algorithm::ALL.into_iter().filter(|it| *it != Algorithm::RS256) {
        let key = match algorithm {
            Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => {
                SigningKey::parse(STANDARD.encode(support::pkcs8(algorithm.name())).as_bytes(), algorithm).unwrap()
            }
            _ => rsa(algorithm),
        };
        let token = jwt::sign(&key, &json!({})).unwrap();
        let judged = jwt::verify(&token, |_, _| Some(&public));
        assert_eq!(judged.map(|it| it.claims), Err(TokenError::AlgorithmNotAllowed), "{algorithm}");
    }
}

/// Threat J3: `jwk`, `jku`, `x5u`, `x5c` in the header.
#[test]
fn key_in_the_header_is_refused() {
    let (forger, other) = (Forger::new(), Forger::new());
    for (name, value) in [
        ("jwk", other.key.public_jwk()),
        ("jwk", forger.key.public_jwk()),
        ("jku", json!("https://evil.example/jwks.json")),
        ("jku", json!(null)),
        ("x5u", json!("https://evil.example/chain.pem")),
        ("x5c", json!(["MIIB"])),
    ] {
        let header = forger.header_with(name, value);
        forger.refuses(&other.sign(&header, PAYLOAD), TokenError::EmbeddedKey);
        forger.refuses(&forger.sign(&header, PAYLOAD), TokenError::EmbeddedKey);
    }
}

/// Threat J3: `kid` as path, SQL or shell.
#[test]
fn kid_is_a_name_and_no_more() {
    let forger = Forger::new();
    for kid in [
        "../../../../dev/null",
        "/proc/self/environ",
        "file:///etc/passwd",
        "' UNION SELECT 'secret' --",
        "x' OR '1'='1",
        "| id",
        "$(touch /tmp/x)",
        "`id`",
        "",
        "\0",
        "*",
        "%00",
    ] {
        forger.refuses(&forger.sign(forger.header_with("kid", json!(kid)), PAYLOAD), TokenError::UnknownKey);
    }
    for kid in [json!(null), json!(1), json!([forger.key.kid()]), json!({"$ne": ""})] {
        forger.refuses(&forger.sign(forger.header_with("kid", kid), PAYLOAD), TokenError::Malformed);
    }
    forger.refuses(&forger.sign(r#"{"alg":"ES256"}"#, PAYLOAD), TokenError::UnknownKey);
}

/// Threat J3: unknown `crit`, `b64: false`, compressed and encrypted tokens.
#[test]
fn header_extensions_are_refused() {
    let forger = Forger::new();
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(null)),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
    ] {
        forger.refuses(&forger.sign(forger.header_with(name, value), PAYLOAD), TokenError::UnsupportedHeader);
    }
    let header = json!({"alg": "ES256", "kid": forger.key.kid(), "crit": ["b64"], "b64": false}).to_string();
    let message = format!("{}.{{}}", URL_SAFE_NO_PAD.encode(header));
    forger.refuses(&forger.sign_text(&message), TokenError::UnsupportedHeader);
}

/// Threat J3: duplicate members, in the header and in the claims.
#[test]
fn member_named_twice_is_refused() {
    let forger = Forger::new();
    let kid = forger.key.kid();
    for header in [
        format!(r#"{{"alg":"none","alg":"ES256","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"ES256","kid":"x","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"ES256","kid":"{kid}","\u006bid":"x"}}"#),
    ] {
        forger.refuses(&forger.sign(header, PAYLOAD), TokenError::DuplicateMember);
    }
    for payload in [
        r#"{"sub":"Alice","sub":"system:crosscall:shop:fr-api"}"#,
        r#"{"exp":1,"exp":4102444800}"#,
        r#"{"act":{"sub":"a","sub":"b"}}"#,
        r#"{"x":1,"\u0078":2}"#,
    ] {
        forger.refuses(&forger.sign(forger.header().to_string(), payload), TokenError::DuplicateMember);
    }
}

/// Threat J3: a token within a token.
#[test]
fn nested_token_is_refused() {
    let forger = Forger::new();
    let inner = forger.sign(forger.header().to_string(), PAYLOAD);
    for content_type in [json!("JWT"), json!("jwt"), json!("application/jwt"), json!(null)] {
        forger.refuses(&forger.sign(forger.header_with("cty", content_type), &inner), TokenError::Nested);
    }
    forger.refuses(&forger.sign(forger.header().to_string(), &inner), TokenError::Malformed);
}

/// Threat J3: 1 MiB token, 10⁵ claims, deep JSON.
#[test]
fn oversized_tokens_are_refused() {
    let forger = Forger::new();
    let header = forger.header().to_string();
    let many = format!("{{{}}}", (0..100_000).map(|n| format!("\"c{n}\":{n}")).collect::<Vec<_>>().join(","));
    forger.refuses(&"a".repeat(1 << 20), TokenError::TooLarge);
    forger.refuses(&".".repeat(1 << 20), TokenError::TooLarge);
    forger.refuses(&forger.sign(&header, many), TokenError::TooLarge);
    forger.refuses(&forger.sign(&header, "[".repeat(100_000)), TokenError::TooLarge);
    forger.refuses(&forger.sign(&header, format!(r#"{{"a":{}"#, "[".repeat(5_000))), TokenError::TooDeep);
    forger.refuses(&forger.sign(format!(r#"{{"a":{}"#, "[".repeat(1_000)), PAYLOAD), TokenError::TooDeep);
    forger.refuses(&forger.sign(forger.header_with("x", json!("y".repeat(2_000))), PAYLOAD), TokenError::TooLarge);
    forger.refuses(&forger.sign(format!("{header}{}", " ".repeat(2_000)), PAYLOAD), TokenError::TooLarge);
    let signed = forger.sign(&header, PAYLOAD);
    forger.refuses(&format!("{signed}{}", "A".repeat(2_000)), TokenError::TooLarge);
}

#[test]
fn longest_token_is_taken() {
    let forger = Forger::new();
    let filled = |length: usize| {
        let payload = format!(r#"{{"sub":"{}"}}"#, "a".repeat(length));
        forger.sign(forger.header().to_string(), payload)
    };
    let length = (1..).find(|&length| filled(length + 3).len() > MAX_TOKEN_BYTES).unwrap();
    assert!(filled(length).len() <= MAX_TOKEN_BYTES && filled(length).len() > MAX_TOKEN_BYTES - 8);
    assert!(forger.verify(&filled(length)).is_ok());
    forger.refuses(&filled(length + 8), TokenError::TooLarge);
}

/// Threat J1: base64url that is not canonical.
#[test]
fn second_spelling_of_a_token_is_refused() {
    let forger = Forger::new();
    // Lengths that leave unused bits in the last character of every part.
    let mut header = forger.header().to_string();
    while header.len().is_multiple_of(3) {
        header.push(' ');
    }
    let token = forger.sign(&header, r#"{"sub":"Al"}  "#.trim_end().replace('A', "AA"));
    assert!(forger.verify(&token).is_ok());
    let parts: Vec<&str> = token.split('.').collect();
    for index in 0..3 {
        for changed in respellings(parts[index]) {
            let mut forged = parts.clone();
            forged[index] = &changed;
            // A good signature over the other spelling, where the spelling is signed.
            let signed = if index < 2 { forger.sign_text(&forged[..2].join(".")) } else { forged.join(".") };
            forger.refuses(&signed, TokenError::Malformed);
            forger
                .refuses(&forged.join("."), if index == 1 { TokenError::BadSignature } else { TokenError::Malformed });
        }
    }
}

/// Other texts for the same bytes, to a lenient reader.
fn respellings(part: &str) -> Vec<String> {
    let (start, last) = part.split_at(part.len() - 1);
    let next = char::from(last.as_bytes()[0] + 1);
    let mut all =
        vec![format!("{part}="), format!("{part}=="), format!(" {part}"), format!("{part}\n"), format!("{part}%3d")];
    if !part.len().is_multiple_of(4) {
        all.push(format!("{start}{next}"));
    }
    let standard = part.replace('-', "+").replace('_', "/");
    if standard != part {
        all.push(standard);
    }
    all
}

#[test]
fn other_numbers_of_parts_are_refused() {
    let forger = Forger::new();
    let token = forger.sign(forger.header().to_string(), PAYLOAD);
    let json_form = json!({"payload": "e30", "protected": "e30", "signature": ""}).to_string();
    for text in ["", ".", "..", "...", "....", "a", "a.b", "é.é.é", "\0.\0.\0", "Bearer x.y.z", &json_form] {
        assert!(forger.verify(text).is_err(), "{text}");
    }
    for text in [format!("{token}."), format!(".{token}"), format!("{token}.e30"), format!("{token}.e30.e30")] {
        forger.refuses(&text, TokenError::Malformed);
    }
}

#[test]
fn changed_part_is_refused() {
    let (forger, other) = (Forger::new(), Forger::new());
    let token = forger.sign(forger.header().to_string(), PAYLOAD);
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let admin = URL_SAFE_NO_PAD.encode(r#"{"sub":"admin"}"#);
    forger.refuses(&format!("{header}.{admin}.{signature}"), TokenError::BadSignature);
    forger.refuses(&format!("{header}..{signature}"), TokenError::BadSignature);
    forger.refuses(&format!("{header}.{payload}."), TokenError::BadSignature);
    forger.refuses(&format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode([0; 64])), TokenError::BadSignature);
    forger.refuses(&other.sign(forger.header().to_string(), PAYLOAD), TokenError::BadSignature);
    forger.refuses(&other.sign(other.header().to_string(), PAYLOAD), TokenError::UnknownKey);
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for bit in 0..raw.len() * 8 {
        let mut flipped = raw.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let forged = format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(flipped));
        forger.refuses(&forged, TokenError::BadSignature);
    }
}

#[test]
fn claims_that_are_no_object_are_refused() {
    let forger = Forger::new();
    for payload in ["", "null", "[]", "1", "\"x\"", "{", "{}{}", r#"{"exp":1e400}"#, "{\"a\":\"\u{0}\"}"] {
        forger.refuses(&forger.sign(forger.header().to_string(), payload), TokenError::Malformed);
    }
    forger.refuses(&forger.sign(forger.header().to_string(), b"{\"a\":\"\xff\"}"), TokenError::Malformed);
    forger.refuses(&forger.sign(b"\xff\xfe{}", PAYLOAD), TokenError::Malformed);
}

/// Threat J3: at most 1 ms of CPU for a refusal.
#[test]
#[expect(clippy::disallowed_methods, reason = "measures how long a refusal takes")]
fn refusals_take_less_than_a_millisecond() {
    let (forger, other) = (Forger::new(), Forger::new());
    let header = forger.header().to_string();
    for (name, token) in [
        ("1 MiB", "a".repeat(1 << 20)),
        ("dots", ".".repeat(MAX_TOKEN_BYTES)),
        ("header of lists", forger.sign(format!(r#"{{"a":[{}0]}}"#, "[],".repeat(490)), PAYLOAD)),
        ("header of members", forger.sign(format!("{{{}}}", members(180)), PAYLOAD)),
        ("deep header", forger.sign(format!(r#"{{"a":{}"#, "[".repeat(1_400)), PAYLOAD)),
        ("bad signature", other.sign(&header, PAYLOAD)),
        ("bad signature, long payload", other.sign(&header, "a".repeat(5_500))),
    ] {
        assert!(forger.verify(&token).is_err(), "{name}");
        // The least of many, so that a busy machine does not count.
        let least = (0..50).map(|_| {
            let start = std::time::Instant::now();
            let refused = forger.verify(&token).is_err();
            (start.elapsed(), refused)
        });
        let (least, _) = least.min().unwrap();
        assert!(least.as_micros() < 1_000, "{name}: {least:?}");
    }
}

fn members(count: usize) -> String {
    (0..count).map(|number| format!("\"{number}\":0")).collect::<Vec<_>>().join(",")
}
