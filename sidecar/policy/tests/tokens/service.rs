//! Tokens of service accounts at the callee: one key speaks for one account in one environment.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sidecar_policy::{
    caller::{Caller, ServiceVerifier},
    claims::{TokenRequest, User, service_claims},
    config::{Account, AccountKey, Config, Credential, Inbound},
    jwt::{self, Algorithm, SigningKey, TokenError},
};

use crate::support;

const ISSUER: &str = "https://crosscall.local";
const NOW: u64 = 1_800_000_000;
const A: &str = "system:crosscall:shop:account-a";
const B: &str = "system:crosscall:shop:account-b";

/// The callee `orders.demo`, which takes accounts A (from demo) and B (from staging).
struct Callee {
    a: SigningKey,
    b: SigningKey,
    inbound: Inbound,
}

impl Callee {
    fn new() -> Self {
        let (a, b) = (new_key(), new_key());
        let keys = [
            (a.kid().to_owned(), account_key(&a, A, "demo", None)),
            (b.kid().to_owned(), account_key(&b, B, "staging", Some(names(["ROLE_USER"])))),
        ];
        let inbound = Inbound {
            app_port: 9001,
            audience: "orders.demo".to_owned(),
            keys: keys.into(),
            authentication: None,
            endpoints: Vec::new(),
            audit: false,
        };
        Self { a, b, inbound }
    }

    fn verify(&self, token: &str, now: u64) -> Result<Caller, TokenError> {
        ServiceVerifier::new(&self.inbound, ISSUER).unwrap().verify(token, now)
    }

    /// What is said of A's good claims with some of them changed, signed by A.
    fn verify_with(&self, changes: &Value) -> Result<Caller, TokenError> {
        self.verify(&jwt::sign(&self.a, &changed(changes)).unwrap(), NOW)
    }
}

fn new_key() -> SigningKey {
    SigningKey::parse(STANDARD.encode(support::pkcs8("EdDSA")).as_bytes(), Algorithm::EdDSA).unwrap()
}

fn account_key(
    key: &SigningKey,
    subject: &str,
    environment: &str,
    authorities: Option<BTreeSet<String>>,
) -> AccountKey {
    AccountKey {
        jwk: key.public_jwk().to_string(),
        subject: subject.to_owned(),
        proxy_app: "fr-api".to_owned(),
        environment: environment.to_owned(),
        permissions: names(["read", "use_proxied_only_endpoints"]),
        authorities,
    }
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

fn good() -> Value {
    json!({
        "iss": ISSUER, "sub": A, "aud": ["orders.demo"], "iat": NOW, "nbf": NOW, "exp": NOW + 300, "jti": "1",
        "authorities": ["caller"], "permissions": ["read"], "env": "demo",
    })
}

/// A member that is null is left out.
fn changed(changes: &Value) -> Value {
    let mut claims = good();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

#[test]
fn account_speaks_for_itself() {
    let expected = Caller {
        subject: A.to_owned(),
        actor: None,
        authorities: names([]),
        permissions: names(["read"]),
        scopes: BTreeSet::new(),
        environment: "demo".to_owned(),
        proxied: true,
        expires_at: NOW + 300,
    };
    assert_eq!(Callee::new().verify_with(&json!({})), Ok(expected));
}

#[test]
fn account_acts_for_a_person() {
    let caller = Callee::new().verify_with(&json!({"sub": "Alice", "act": {"sub": A}, "authorities": ["ROLE_USER"]}));
    let caller = caller.unwrap();
    assert_eq!((caller.subject.as_str(), caller.actor.as_deref()), ("Alice", Some(A)));
    assert_eq!(caller.authorities, names(["ROLE_USER"]));
    assert!(caller.proxied);
}

#[test]
fn signer_and_verifier_agree() {
    let callee = Callee::new();
    let account = Account {
        subject: B.to_owned(),
        email: Some("b@shop.example".to_owned()),
        roles: names(["caller"]),
        targets: names(["orders.demo"]),
        permissions: BTreeMap::from([("orders.demo".to_owned(), names(["read"]))]),
        credential: Credential::Bearer { token: "unused".into() },
        api_key: None,
    };
    let alice = User { name: "Alice".to_owned(), authorities: names(["ROLE_USER", "ROLE_ADMIN"]) };
    for user in [None, Some(&alice)] {
        let request = TokenRequest {
            issuer: ISSUER,
            account: &account,
            environment: "staging",
            target: "orders.demo",
            user,
            lifetime_seconds: 300,
        };
        let token = jwt::sign(&callee.b, &service_claims(&request, NOW, "1".to_owned())).unwrap();
        let caller = callee.verify(&token, NOW).unwrap();
        assert_eq!(caller.subject, user.map_or(B, |user| &user.name));
        assert_eq!(caller.actor.as_deref(), user.map(|_| B));
        assert_eq!(caller.environment, "staging");
    }
}

/// Threat K2b: permissions and authorities that the callee does not honour.
#[test]
fn claims_are_cut_to_the_grant() {
    let callee = Callee::new();
    let wide = json!({"permissions": ["read", "orders_admin"], "authorities": ["ROLE_USER", "ROLE_ADMIN"]});
    let from_a = callee.verify_with(&wide).unwrap();
    assert_eq!(from_a.permissions, names(["read"]));
    // Nothing is listed for A: what it says of itself does not hold, what it says of a person does.
    assert_eq!(from_a.authorities, names([]));
    let mut of_a_person = wide.clone();
    of_a_person["sub"] = json!("Alice");
    of_a_person["act"] = json!({"sub": A});
    assert_eq!(callee.verify_with(&of_a_person).unwrap().authorities, names(["ROLE_ADMIN", "ROLE_USER"]));
    let mut claims = changed(&wide);
    claims["sub"] = json!(B);
    claims["env"] = json!("staging");
    let from_b = callee.verify(&jwt::sign(&callee.b, &claims).unwrap(), NOW).unwrap();
    assert_eq!(from_b.permissions, names(["read"]));
    assert_eq!(from_b.authorities, names(["ROLE_USER"]));
}

/// Threat K2b: A's key that claims to be B, to act for B, to be B acting, or a person that nobody sent.
#[test]
fn key_speaks_for_its_account_alone() {
    let callee = Callee::new();
    for changes in [
        json!({"sub": B}),
        json!({"sub": "Alice"}),
        json!({"sub": "anonymousUser"}),
        json!({"sub": format!("{A} ")}),
        json!({"sub": A.to_uppercase()}),
        json!({"sub": "Alice", "act": {"sub": B}}),
        json!({"sub": A, "act": {"sub": B}}),
        json!({"sub": B, "act": {"sub": A}}),
        json!({"sub": B, "act": {"sub": B}}),
        json!({"sub": A, "act": {"sub": A}}),
        json!({"sub": B.to_uppercase(), "act": {"sub": A}}),
        json!({"sub": "system:", "act": {"sub": A}}),
        json!({"sub": "Alice", "act": {"sub": B, "act": {"sub": A}}}),
    ] {
        assert_eq!(callee.verify_with(&changes), Err(TokenError::WrongSubject), "{changes}");
    }
}

/// Threat K2b: A's key under B's key id, and the other way round.
#[test]
fn key_id_of_another_does_not_help() {
    let callee = Callee::new();
    let token = |key: &SigningKey| jwt::sign(key, &good()).unwrap();
    let (from_a, from_b) = (token(&callee.a), token(&callee.b));
    let header_of_b = from_b.split('.').next().unwrap();
    let (_, rest_of_a) = from_a.split_once('.').unwrap();
    assert_eq!(callee.verify(&format!("{header_of_b}.{rest_of_a}"), NOW), Err(TokenError::BadSignature));
    assert_eq!(callee.verify(&from_b, NOW), Err(TokenError::WrongEnvironment));
    assert_eq!(callee.verify(&jwt::sign(&new_key(), &good()).unwrap(), NOW), Err(TokenError::UnknownKey));
}

/// Threats J2 and K2b: another environment than the key's.
#[test]
fn key_speaks_from_its_environment_alone() {
    let callee = Callee::new();
    for environment in ["staging", "prod", "Demo", "demo ", "DEMO"] {
        assert_eq!(
            callee.verify_with(&json!({"env": environment})),
            Err(TokenError::WrongEnvironment),
            "{environment}"
        );
    }
}

/// Threat J2: audience × issuer × environment × time; one cell of each is good.
#[test]
fn one_cell_of_the_matrix_is_good() {
    let callee = Callee::new();
    let mut taken = 0;
    for audience in ["orders.demo", "orders.staging", "stock.demo", "orders", "Orders.demo", "orders.demo."] {
        for issuer in [ISSUER, "https://other", "https://crosscall.local/", "HTTPS://crosscall.local"] {
            for environment in ["demo", "staging", "prod"] {
                for exp in [NOW + 300, NOW - 61, NOW - 1_000_000, 0] {
                    let claims = json!({"aud": [audience], "iss": issuer, "env": environment, "exp": exp});
                    taken += usize::from(callee.verify_with(&claims).is_ok());
                }
            }
        }
    }
    assert_eq!(taken, 1);
    assert_eq!(callee.verify_with(&json!({"iss": "https://other"})), Err(TokenError::WrongIssuer));
    assert_eq!(callee.verify_with(&json!({"exp": NOW - 61})), Err(TokenError::Expired));
}

/// Threat J2: tokens for several apps.
#[test]
fn audience_is_this_app_alone() {
    let callee = Callee::new();
    assert!(callee.verify_with(&json!({"aud": "orders.demo"})).is_ok());
    for audience in [json!(["orders.demo", "stock.demo"]), json!([]), json!("stock.demo"), json!(["*"])] {
        assert_eq!(callee.verify_with(&json!({"aud": audience})), Err(TokenError::WrongAudience), "{audience}");
    }
}

/// Threat J2: expired, not yet valid, clock skew.
#[test]
fn times_hold_within_the_leeway() {
    let callee = Callee::new();
    let token = jwt::sign(&callee.a, &good()).unwrap();
    for (now, expected) in [
        (NOW - 61, Some(TokenError::NotYetValid)),
        (NOW - 60, None),
        (NOW, None),
        (NOW + 359, None),
        (NOW + 360, Some(TokenError::Expired)),
        (NOW + 400 * 86_400, Some(TokenError::Expired)),
        (0, Some(TokenError::NotYetValid)),
    ] {
        assert_eq!(callee.verify(&token, now).err(), expected, "{now}");
    }
    assert_eq!(callee.verify_with(&json!({"nbf": NOW + 61})), Err(TokenError::NotYetValid));
    assert_eq!(callee.verify_with(&json!({"iat": NOW + 61})), Err(TokenError::NotYetValid));
    assert_eq!(callee.verify_with(&json!({"nbf": u64::MAX, "exp": u64::MAX})), Err(TokenError::NotYetValid));
}

/// Threats J2 and J3: exp as string, fraction, negative or missing; other claims missing.
#[test]
fn claims_are_of_their_types() {
    let callee = Callee::new();
    for value in [json!((NOW + 300).to_string()), json!(1.9e9), json!(-1), json!(true), json!([NOW]), json!({})] {
        assert_eq!(callee.verify_with(&json!({"exp": value})), Err(TokenError::InvalidClaim("exp")), "{value}");
    }
    for name in ["iss", "sub", "aud", "iat", "nbf", "exp", "jti", "env"] {
        assert_eq!(callee.verify_with(&json!({name: null})), Err(TokenError::MissingClaim(name)));
    }
    assert_eq!(callee.verify_with(&json!({"permissions": "read"})), Err(TokenError::InvalidClaim("permissions")));
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    let mut callee = Callee::new();
    let jwk = callee.a.public_jwk().to_string();
    callee.inbound.keys = [("other".to_owned(), account_key(&callee.a, A, "demo", None))].into();
    let error = ServiceVerifier::new(&callee.inbound, ISSUER).unwrap_err();
    assert_eq!(error.to_string(), format!("the key listed as other for {A} has another `kid`"));
    let key = AccountKey { jwk: jwk.replace("EdDSA", "HS256"), ..account_key(&callee.a, A, "demo", None) };
    callee.inbound.keys = [(callee.a.kid().to_owned(), key)].into();
    let error = ServiceVerifier::new(&callee.inbound, ISSUER).unwrap_err();
    assert_eq!(error.to_string(), format!("failed to read the key {} of {A}", callee.a.kid()));
}

#[test]
fn configuration_without_keys_knows_nobody() {
    let callee = Callee::new();
    let text = json!({
        "format": 1, "app": "orders", "namespace": "shop", "environment": "demo", "issuer": ISSUER,
        "inbound": {"appPort": 9001, "audience": "orders.demo", "keys": {}, "endpoints": []},
    });
    let config = Config::parse(text.to_string().as_bytes()).unwrap();
    let verifier = ServiceVerifier::new(&config.inbound.unwrap(), &config.issuer).unwrap();
    assert_eq!(verifier.verify(&jwt::sign(&callee.a, &good()).unwrap(), NOW), Err(TokenError::UnknownKey));
}
