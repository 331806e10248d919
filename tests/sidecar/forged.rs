//! Tokens that an inbound listener must refuse. The key of the account is known here, so each attack differs from a good
//! token in one thing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use system_tests::call::{Call, Response};
use system_tests::canary::Canary;
use system_tests::crosscall::{Crosscall, Serve};
use system_tests::manifest::{Manifest, file};
use system_tests::process;
use system_tests::recorder::Recorder;
use system_tests::token::{Key, base64url, hmac};

const SUBJECT: &str = "system:crosscall:shop-local:fr-api";

/// `orders` behind its inbound listener, called by two accounts whose keys a test holds.
pub(crate) struct Forger {
    pub(crate) crosscall: Crosscall,
    pub(crate) app: Recorder,
    key: Key,
    other: Key,
    kids: Vec<String>,
}

// === impl Forger ===

impl Forger {
    pub(crate) fn start() -> Self {
        Self::with(Key::rsa(), Key::ec())
    }

    fn with(key: Key, other: Key) -> Self {
        let app = Recorder::start();
        let mut manifests = vec![
            Manifest::namespace("shop-local", "local"),
            Manifest::app("shop-local", "orders", app.port())
                .with("/endpoints/0/permissions", json!(["use_proxied_only_endpoints"])),
        ];
        for (name, key) in [("fr-api", &key), ("de-api", &other)] {
            let signed = json!({"algorithm": key.algorithm(), "keySecretRef": {"name": format!("{name}-key")}});
            manifests.push(Manifest::secret("shop-local", &format!("{name}-key"), &[("tls.key", &key.private_pem())]));
            manifests.push(Manifest::account("shop-local", name, &["orders"]).with("/credential/signedToken", signed));
            manifests.push(Manifest::route("shop-local", name, &format!("from-{name}"), &["orders"]));
        }
        let crosscall = Serve::new(file(&manifests)).start();
        let keys = crosscall.admin("/.well-known/jwks.json").json();
        let kid = |algorithm: &str| {
            let keys = keys["keys"].as_array().unwrap();
            let key = keys.iter().find(|key| key["alg"] == algorithm);
            key.unwrap_or_else(|| panic!("no {algorithm} key in {keys:?}"))["kid"].as_str().unwrap().to_owned()
        };
        let kids = vec![kid(key.algorithm()), kid(other.algorithm())];
        Self { crosscall, app, key, other, kids }
    }

    /// A call around the mechanism with a token.
    #[track_caller]
    pub(crate) fn call(&self, token: &str) -> Response {
        Call::get("/x").bearer(token).to(self.crosscall.inbound("orders"))
    }

    /// The header that the account's own tokens have.
    fn header(&self) -> Value {
        json!({"alg": self.key.algorithm(), "typ": "JWT", "kid": self.kids[0]})
    }

    /// A token of the account with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.key.sign(&self.header().to_string(), &claims.to_string())
    }

    /// A token of the account with one header changed.
    fn headed(&self, change: &Value) -> String {
        let mut header = self.header();
        header.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.key.sign(&header.to_string(), &claims().to_string())
    }

    /// A token of the account with some claims changed; `null` takes one away.
    fn claiming(&self, change: &Value) -> String {
        let mut claims = claims();
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name).map_or((), drop),
                value => claims[name] = value.clone(),
            }
        }
        self.token(&claims)
    }

    #[track_caller]
    fn assert_refused(&self, what: &str, token: &str) {
        let response = Call::get("/x").bearer(token).try_to(self.crosscall.inbound("orders"));
        // A token that no header can hold may also end in a refused head.
        let status = response.map_or(400, |response| response.status);
        assert!(matches!(status, 400 | 401 | 431), "{what}: {status}");
        self.app.assert_untouched();
    }

    /// What the attacks are held against: the same token without the attack is taken.
    #[track_caller]
    fn assert_takes(&self, token: &str) {
        let response = self.call(token);
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(self.app.next().target, "/x");
    }
}

/// What the account's own tokens say.
pub(crate) fn claims() -> Value {
    let now = now();
    json!({
        "iss": "https://crosscall.local", "sub": SUBJECT, "aud": ["orders.local"], "iat": now, "nbf": now,
        "exp": now + 300, "jti": "forged", "authorities": [], "permissions": ["use_proxied_only_endpoints"], "env": "local",
    })
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn good_token_made_here_is_taken() {
    for forger in [Forger::start(), Forger::with(Key::ec(), Key::rsa())] {
        forger.assert_takes(&forger.token(&claims()));
        forger.assert_takes(&forger.claiming(&json!({"aud": "orders.local"})));
        forger.assert_takes(&forger.claiming(&json!({"sub": "Alice", "act": {"sub": SUBJECT}})));
    }
}

/// Threat J3: unsigned tokens, and tokens whose signature is cut off.
#[test]
fn unsigned_tokens_are_refused() {
    let forger = Forger::start();
    let good = forger.token(&claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    for name in ["none", "None", "NONE", "nOnE", "", "null", "none\u{0}"] {
        let mut header = forger.header();
        header["alg"] = json!(name);
        let input = format!("{}.{}", base64url(header.to_string()), base64url(claims().to_string()));
        for signature in ["", signature, "AA"] {
            forger.assert_refused(&format!("alg {name:?}"), &format!("{input}.{signature}"));
        }
    }
    for (what, token) in [
        ("no signature", format!("{signed}.")),
        ("two parts", signed.to_owned()),
        ("four parts", format!("{good}.")),
        ("half a signature", format!("{signed}.{}", &signature[..signature.len() / 2])),
        ("another signature", format!("{signed}.{}", base64url([0; 256]))),
        ("nothing", ".".to_owned()),
        ("only dots", "..".to_owned()),
    ] {
        forger.assert_refused(what, &token);
    }
    forger.assert_takes(&good);
}

/// Threat J3: the public key as a shared secret, and the algorithm of another family.
#[test]
fn the_key_decides_the_algorithm() {
    let forger = Forger::start();
    let (pem, der) = (forger.key.public_pem(), forger.key.public_der());
    let jwks = forger.crosscall.admin("/.well-known/jwks.json").body;
    let bare: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let algorithms = [
        ("HS256", aws_lc_rs::hmac::HMAC_SHA256),
        ("HS384", aws_lc_rs::hmac::HMAC_SHA384),
        ("HS512", aws_lc_rs::hmac::HMAC_SHA512),
    ];
    let secrets: [&[u8]; 6] = [pem.as_bytes(), pem.trim_end().as_bytes(), bare.as_bytes(), &der, &jwks, b""];
    for (name, algorithm) in algorithms {
        for secret in secrets {
            let header = json!({"alg": name, "typ": "JWT", "kid": forger.kids[0]}).to_string();
            forger.assert_refused(name, &hmac(algorithm, secret, &header, &claims().to_string()));
        }
    }
    for name in
        ["RS256", "RS384", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "rs512", "RS512 ", "ES256K", "dir"]
    {
        forger.assert_refused(name, &forger.headed(&json!({"alg": name})));
    }
    forger.assert_takes(&forger.headed(&json!({})));
}

/// Threat J3: keys that a token brings along or points to are neither used nor fetched.
#[test]
fn keys_in_the_header_are_ignored() {
    let forger = Forger::start();
    let (canary, attacker) = (Canary::start(), Key::ec());
    let url = format!("http://{}/jwks.json", canary.address());
    let point = attacker.public_der();
    let (x, y) = point[point.len() - 64..].split_at(32);
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y), "alg": "ES256", "kid": forger.kids[0]});
    let chain = [base64url(attacker.public_der())];
    for brought in [
        json!({"jwk": jwk}),
        json!({"jku": url}),
        json!({"x5u": url}),
        json!({"x5c": chain}),
        json!({"jku": url, "jwk": jwk, "x5u": url, "x5c": chain}),
    ] {
        for kid in [json!({}), json!({"kid": "unknown"}), json!({"kid": url})] {
            let mut header = json!({"alg": "ES256", "typ": "JWT", "kid": forger.kids[0]});
            header.as_object_mut().unwrap().extend(brought.as_object().unwrap().clone());
            header.as_object_mut().unwrap().extend(kid.as_object().unwrap().clone());
            forger.assert_refused(&header.to_string(), &attacker.sign(&header.to_string(), &claims().to_string()));
        }
    }
    assert_eq!(canary.hits(), 0, "a key was fetched");
}

/// Threat J3: a key id is looked up as it stands.
#[test]
fn odd_key_ids_are_refused() {
    let forger = Forger::start();
    let kid = forger.kids[0].clone();
    for odd in [
        json!("../../../../dev/null"),
        json!("/proc/self/environ"),
        json!("' OR '1'='1"),
        json!("x'; DROP TABLE keys; --"),
        json!("$(id)"),
        json!("|id"),
        json!("`id`"),
        json!(format!("{kid}\u{0}")),
        json!(format!(" {kid}")),
        json!(kid.to_ascii_lowercase()),
        json!(""),
        json!("x".repeat(4_000)),
        json!([kid]),
        json!({"kid": kid}),
        json!(1),
        json!(true),
        Value::Null,
        json!(forger.kids[1]),
    ] {
        forger.assert_refused(&format!("kid {odd}"), &forger.headed(&json!({"kid": odd})));
    }
}

/// Threat J3: extensions that must be understood, other kinds of tokens, and members that stand twice.
#[test]
fn unknown_extensions_are_refused() {
    let forger = Forger::start();
    for change in [
        json!({"crit": ["exp"]}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"b64": false}),
        json!({"crit": []}),
        json!({"crit": "x"}),
        json!({"crit": ["https://evil.example/x"], "https://evil.example/x": true}),
        json!({"zip": "DEF"}),
        json!({"cty": "JWT"}),
        json!({"enc": "A256GCM"}),
    ] {
        forger.assert_refused(&change.to_string(), &forger.headed(&change));
    }
    let (header, body) = (forger.header().to_string(), claims().to_string());
    let twice = |json: &str, member: &str| json.replacen('{', &format!("{{{member},"), 1);
    for (header, body) in [
        (twice(&header, r#""alg":"none""#), body.clone()),
        (twice(&header, r#""kid":"x""#), body.clone()),
        (header.clone(), twice(&body, r#""sub":"system:crosscall:shop-local:de-api""#)),
        (header.clone(), twice(&body, r#""exp":1"#)),
        (header.clone(), body.replace("\"sub\"", "\"s\\u0075b\":\"Alice\",\"sub\"")),
        (format!("{header} "), format!("{body}{body}")),
        (header.clone(), "[]".to_owned()),
        (header.clone(), forger.token(&claims())),
        (format!("\u{feff}{header}"), body.clone()),
    ] {
        forger.assert_refused(&format!("{header} {body}"), &forger.key.sign(&header, &body));
    }
}

/// Threat J3: text that is not canonical.
#[test]
fn spellings_of_a_token_are_refused() {
    let forger = Forger::start();
    let good = forger.token(&claims());
    let (head, rest) = good.split_once('.').unwrap();
    let last = good.chars().next_back().unwrap();
    let sloppy = |c: char| char::from(u8::try_from(c).unwrap() + 1);
    for (what, token) in [
        ("padding", format!("{head}==.{rest}")),
        ("padding at the end", format!("{good}=")),
        ("a line break", format!("{head}.\t{rest}")),
        ("a space", format!("{head} .{rest}")),
        ("another last character", format!("{}{}", &good[..good.len() - 1], sloppy(last))),
        ("an invalid byte", format!("{head}.{}\u{e9}", rest)),
        ("quotes", format!("\"{good}\"")),
        ("two tokens", format!("{good}, {good}")),
        ("two schemes", format!("Bearer {good}")),
    ] {
        forger.assert_refused(what, &token);
    }
    for (scheme, status) in [("bearer", 200), ("BEARER", 200), ("Token", 401), ("Bearer:", 401), ("", 401)] {
        let call = Call::get("/x").header("Authorization", &format!("{scheme} {good}"));
        assert_eq!(call.to(forger.crosscall.inbound("orders")).status, status, "{scheme}");
        assert_eq!(forger.app.seen().len(), usize::from(status == 200), "{scheme}");
    }
}

/// Threats J2 and K2b: a token speaks only for the account whose key signed it, there and then.
#[test]
fn claims_of_somebody_else_are_refused() {
    let forger = Forger::start();
    let (now, other) = (now(), "system:crosscall:shop-local:de-api");
    for change in [
        json!({"sub": other}),
        json!({"sub": "Alice"}),
        json!({"sub": "Alice", "act": {"sub": other}}),
        json!({"act": {"sub": other}}),
        json!({"sub": other, "act": {"sub": SUBJECT}}),
        json!({"sub": "SYSTEM:crosscall:shop-local:de-api", "act": {"sub": SUBJECT}}),
        json!({"sub": null}),
        json!({"env": "prod"}),
        json!({"env": "LOCAL"}),
        json!({"env": null}),
        json!({"iss": "https://evil.example"}),
        json!({"iss": "https://crosscall.local/"}),
        json!({"iss": null}),
        json!({"aud": ["stock.local"]}),
        json!({"aud": ["orders.prod"]}),
        json!({"aud": "orders"}),
        json!({"aud": []}),
        json!({"aud": null}),
        json!({"aud": "*"}),
        json!({"exp": now - 61}),
        json!({"exp": null}),
        json!({"exp": "9999999999"}),
        json!({"exp": 99_999_999_999.5}),
        json!({"nbf": now + 120}),
        json!({"iat": now + 120}),
    ] {
        forger.assert_refused(&change.to_string(), &forger.claiming(&change));
    }
    let stolen = json!({"alg": "ES256", "typ": "JWT", "kid": forger.kids[1]}).to_string();
    forger.assert_refused("another account's key", &forger.other.sign(&stolen, &claims().to_string()));
    forger.assert_refused("an unknown key", &Key::rsa().sign(&forger.header().to_string(), &claims().to_string()));
}

/// Threat K2b: a token cannot claim a permission that the app does not honour from its account.
#[test]
fn claimed_permissions_are_cut_down() {
    let forger = Forger::start();
    let token = forger.claiming(&json!({"permissions": ["use_proxied_only_endpoints", "orders_admin"]}));
    forger.assert_takes_with(&token, "use_proxied_only_endpoints");
    let none = forger.claiming(&json!({"permissions": ["orders_admin"]}));
    forger.call(&none).assert_problem(403, "permission_missing");
    forger.app.assert_untouched();
}

impl Forger {
    #[track_caller]
    fn assert_takes_with(&self, token: &str, permissions: &str) {
        let response = self.call(token);
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(self.app.next().header("x-crosscall-permissions"), permissions);
    }
}

/// Threat J3: a token that is large or deep is refused for next to nothing.
#[test]
fn huge_tokens_cost_next_to_nothing() {
    let forger = Forger::start();
    let pad = |claims: usize| -> String {
        let many: Vec<String> = (0..claims).map(|at| format!("\"c{at}\":{at}")).collect();
        format!("{{{}}}", many.join(","))
    };
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let header = forger.header().to_string();
    let attacks = [
        ("a claim of 1 MiB", forger.claiming(&json!({"x": "x".repeat(1 << 20)}))),
        ("100,000 claims", forger.key.sign(&header, &pad(100_000))),
        ("deep claims", forger.key.sign(&header, &deep)),
        ("a deep header", forger.key.sign(&deep, &claims().to_string())),
        ("1,000 claims", forger.key.sign(&header, &pad(1_000))),
    ];
    forger.assert_takes(&forger.token(&claims()));
    let pid = forger.crosscall.pid();
    let (cpu, rss) = (process::cpu(pid), process::rss(pid));
    const ROUNDS: u32 = 20;
    for (what, token) in attacks.iter().cycle().take(attacks.len() * ROUNDS as usize) {
        forger.assert_refused(what, token);
    }
    let refusals = ROUNDS * u32::try_from(attacks.len()).unwrap();
    let each = (process::cpu(pid) - cpu) / refusals;
    // A debug build may take twice as long as a release.
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 2 } else { 1 });
    assert!(each <= limit, "{each:?} for a refusal");
    let grown = process::rss(pid).saturating_sub(rss);
    assert!(grown < 2 << 20, "{grown} bytes more after {refusals} refusals");
}
