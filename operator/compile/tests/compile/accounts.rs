//! Who calls, and how that is proved.

use operator_compile::ConditionType::{Accepted, ResolvedRefs};
use operator_compile::{AccountKeys, Kind, PublicKey, Reason};
use serde_json::{Value, json};
use sidecar_policy::config::{Account, Credential};
use sidecar_policy::jwt::Algorithm;

use crate::scene::{EC_KEYS, Outcome, RSA_KEY, Scene, key, made_up_pair, real_pair};

fn scene(credential: Value) -> Scene {
    Scene::new()
        .account("demo-a/fr-api", json!({"credential": credential, "email": "fr@shop.example", "roles": ["svc"]}))
        .app("demo-a/orders", json!({}))
        .route("demo-a/internal", json!({}))
}

fn account(outcome: &Outcome) -> &Account {
    &outcome.config("demo-a/fr-api").outbound.as_ref().unwrap().accounts["fr-api"]
}

fn bearer() -> Value {
    json!({"type": "Bearer", "bearer": {"secretRef": {"name": "t"}}})
}

fn given_key(algorithm: &str) -> Value {
    json!({"type": "SignedToken", "signedToken": {"algorithm": algorithm, "keySecretRef": {"name": "k"}}})
}

#[test]
fn static_credentials_come_from_their_secret() {
    let outcome = scene(bearer()).secret("demo-a/t", &[("token", "abc\n")]).compile();
    outcome.assert_clean();
    assert_eq!(account(&outcome).credential, Credential::Bearer { token: "abc".into() });
    assert_eq!(account(&outcome).subject, "system:crosscall:demo-a:fr-api");
    assert_eq!(account(&outcome).email.as_deref(), Some("fr@shop.example"));
    assert!(outcome.config("demo-a/orders").inbound.as_ref().unwrap().keys.is_empty());
    assert!(outcome.0.needed_keys.is_empty());

    let basic = json!({"type": "Basic", "basic": {"secretRef": {"name": "b"}}});
    let outcome = scene(basic).secret("demo-a/b", &[("username", "u"), ("password", "p:w\n")]).compile();
    outcome.assert_clean();
    assert_eq!(account(&outcome).credential, Credential::Basic { username: "u".to_owned(), password: "p:w".into() });
}

/// Threat J5: what is missing or wrong is named, never its value.
#[test]
fn mistakes_in_secrets_are_named() {
    let basic = json!({"type": "Basic", "basic": {"secretRef": {"name": "b"}}});
    for (scene, reason, words) in [
        (scene(bearer()), Reason::SecretNotFound, ["Secret t", "demo-a"]),
        (scene(bearer()).secret("demo-b/t", &[("token", "x")]), Reason::SecretNotFound, ["Secret t", "demo-a"]),
        (scene(bearer()).secret("demo-a/t", &[("tok", "x")]), Reason::SecretKeyMissing, ["Secret t", "entry token"]),
        (
            scene(bearer()).secret("demo-a/t", &[("token", "hunter2 x")]),
            Reason::SecretValueInvalid,
            ["entry token", "t"],
        ),
        (
            scene(basic.clone()).secret("demo-a/b", &[("username", "u")]),
            Reason::SecretKeyMissing,
            ["Secret b", "entry password"],
        ),
        (
            scene(basic).secret("demo-a/b", &[("username", "hunter2:x"), ("password", "hunter2")]),
            Reason::SecretValueInvalid,
            ["Secret b", "entry username"],
        ),
        (scene(given_key("ES256")), Reason::SecretNotFound, ["Secret k", "demo-a"]),
        (
            scene(given_key("ES256")).secret("demo-a/k", &[("tls.key", "hunter2")]),
            Reason::KeyInvalid,
            ["Secret k", "entry tls.key"],
        ),
        (scene(given_key("ES256")).secret("demo-a/k", &[("tls.key", RSA_KEY)]), Reason::KeyInvalid, ["RSA", "ES256"]),
    ] {
        let outcome = scene.compile();
        let condition = outcome.condition(Kind::ProxyServiceAccount, "demo-a/fr-api", ResolvedRefs).unwrap();
        assert_eq!(condition.reason, reason, "{}", condition.message);
        for word in words {
            assert!(condition.message.contains(word), "{}", condition.message);
        }
        let route = outcome.condition(Kind::ProxyRoute, "demo-a/internal", ResolvedRefs).unwrap();
        assert_eq!(route.reason, Reason::ServiceAccountNotReady);
        assert!(outcome.config("demo-a/fr-api").outbound.as_ref().unwrap().routes.is_empty());
        assert!(!format!("{:?}", outcome.0).contains("hunter2"));
    }
}

#[test]
fn given_key_is_known_to_the_callee() {
    for (algorithm, pem) in [("ES256", EC_KEYS[0]), ("PS384", RSA_KEY)] {
        let outcome = scene(given_key(algorithm)).secret("demo-a/k", &[("tls.key", pem)]).compile();
        outcome.assert_clean();
        let expected = real_pair(pem, algorithm.parse().unwrap());
        let Credential::SignedToken { kid, private_key, lifetime_seconds, .. } = &account(&outcome).credential else {
            panic!("{:?}", account(&outcome).credential)
        };
        assert_eq!((kid, private_key, *lifetime_seconds), (&expected.kid, &expected.private_key_pem, 300));
        let inbound = outcome.config("demo-a/orders").inbound.as_ref().unwrap();
        assert_eq!(inbound.keys[kid].jwk, expected.jwk);
        assert!(outcome.0.needed_keys.is_empty());
    }
}

#[test]
fn refused_credentials_say_which_field() {
    let lifetime = |lifetime: &str| json!({"type": "SignedToken", "signedToken": {"lifetime": lifetime}});
    let kubernetes = json!({"type": "KubernetesToken", "kubernetesToken": {"audience": "a"}});
    for (credential, reason, field) in [
        (lifetime("9s"), Reason::InvalidLifetime, "spec.credential.signedToken.lifetime"),
        (lifetime("24h1s"), Reason::InvalidLifetime, "spec.credential.signedToken.lifetime"),
        (json!({"type": "SignedToken"}), Reason::InvalidCredential, "spec.credential"),
        (json!({"type": "Basic", "signedToken": {}}), Reason::InvalidCredential, "spec.credential.signedToken"),
        (kubernetes, Reason::NotSupported, "spec.credential.type"),
    ] {
        let outcome = scene(credential.clone()).with_keys().compile();
        let condition = outcome.condition(Kind::ProxyServiceAccount, "demo-a/fr-api", Accepted).unwrap();
        assert_eq!((condition.reason, condition.field.as_deref()), (reason, Some(field)), "{credential}");
        assert!(outcome.0.needed_keys.is_empty());
    }
    for good in ["10s", "24h"] {
        scene(lifetime(good)).with_keys().compile().assert_clean();
    }
}

/// Without the key that belongs to every call there is no call, rather than one without it.
#[test]
fn missing_api_key_stops_the_account() {
    let with_api_key = |scene: Scene| {
        let spec = json!({"apiKey": {"secretRef": {"name": "a"}}});
        scene.account("demo-a/fr-api", spec).app("demo-a/orders", json!({})).route("demo-a/internal", json!({}))
    };
    let outcome = with_api_key(Scene::new()).with_keys().compile();
    let condition = outcome.condition(Kind::ProxyServiceAccount, "demo-a/fr-api", ResolvedRefs).unwrap();
    assert_eq!(condition.reason, Reason::SecretNotFound);
    assert!(outcome.config("demo-a/fr-api").outbound.as_ref().unwrap().accounts.is_empty());
    let outcome = with_api_key(Scene::new()).secret("demo-a/a", &[("api-key", "k-1")]).with_keys().compile();
    outcome.assert_clean();
    assert_eq!(account(&outcome).api_key, Some("k-1".into()));
}

/// Requirement 6.2: a new key is known to every verifier before it signs, an old one after it did.
#[test]
fn published_keys_reach_every_verifier() {
    let mut scene = scene(json!({"type": "SignedToken", "signedToken": {}}));
    let old = made_up_pair("old");
    let published = vec![PublicKey { kid: old.kid, jwk: old.jwk }];
    let keys = AccountKeys { signing: made_up_pair("new"), published };
    scene.inventory.key_pairs.insert(key("demo-a/fr-api"), keys);
    let outcome = scene.compile();
    outcome.assert_clean();
    let inbound = outcome.config("demo-a/orders").inbound.as_ref().unwrap();
    assert_eq!(inbound.keys.keys().collect::<Vec<_>>(), ["new", "old"]);
    let Credential::SignedToken { kid, .. } = &account(&outcome).credential else { panic!() };
    assert_eq!(kid, "new");
}

/// A damaged key costs its account, not the verifiers that would read it.
#[test]
fn damaged_public_key_reaches_no_verifier() {
    for jwk in ["", "{}", "hello", "{\"kty\":\"oct\",\"k\":\"AA\",\"kid\":\"bad\",\"alg\":\"HS256\"}"] {
        let mut scene = scene(json!({"type": "SignedToken", "signedToken": {}}));
        let published = vec![PublicKey { kid: "bad".to_owned(), jwk: jwk.to_owned() }];
        let keys = AccountKeys { signing: made_up_pair("good"), published };
        scene.inventory.key_pairs.insert(key("demo-a/fr-api"), keys);
        let outcome = scene.compile();
        outcome.assert_only("ProxyServiceAccount demo-a/fr-api", ResolvedRefs, Reason::KeyInvalid);
        let inbound = outcome.config("demo-a/orders").inbound.as_ref().unwrap();
        assert_eq!(inbound.keys.keys().collect::<Vec<_>>(), ["good"]);
        assert_eq!(account(&outcome).targets.len(), 1);
    }
}

/// The sidecar refuses a configuration whose keys do not fit, so such a pair is none.
#[test]
fn pair_that_does_not_fit_is_none() {
    let good = made_up_pair("good");
    let renamed = operator_compile::KeyPair { kid: "other".to_owned(), ..good.clone() };
    let mismatched = operator_compile::KeyPair { algorithm: Algorithm::EdDSA, ..good };
    for signing in [renamed, mismatched] {
        let mut scene = scene(json!({"type": "SignedToken", "signedToken": {}}));
        let keys = AccountKeys { signing, published: Vec::new() };
        scene.inventory.key_pairs.insert(key("demo-a/fr-api"), keys);
        let outcome = scene.compile();
        let condition = outcome.condition(Kind::ProxyServiceAccount, "demo-a/fr-api", ResolvedRefs).unwrap();
        assert_eq!(condition.reason, Reason::KeyInvalid);
        assert!(outcome.config("demo-a/orders").inbound.as_ref().unwrap().keys.is_empty());
        assert!(outcome.config("demo-a/fr-api").outbound.as_ref().unwrap().routes.is_empty());
    }
}

/// Threat K2b: naming another account's public key neither takes it over nor silences it.
#[test]
fn named_key_stays_with_its_holder() {
    let real = real_pair(EC_KEYS[0], Algorithm::ES256);
    let theft = AccountKeys {
        signing: made_up_pair("own"),
        published: vec![PublicKey { kid: real.kid.clone(), jwk: real.jwk.clone() }],
    };
    let pretence = AccountKeys {
        signing: operator_compile::KeyPair { private_key_pem: "nothing".into(), ..real.clone() },
        published: Vec::new(),
    };
    for keys in [theft, pretence] {
        let mut scene = Scene::new()
            .account("demo-a/fr-api", json!({"createdAt": "2026-01-02T00:00:00Z"}))
            .account("demo-b/thief", json!({"proxyApp": "thief", "createdAt": "2026-01-01T00:00:00Z"}))
            .app("demo-a/orders", json!({}));
        let own = AccountKeys { signing: real.clone(), published: Vec::new() };
        scene.inventory.key_pairs = [(key("demo-a/fr-api"), own), (key("demo-b/thief"), keys)].into();
        let outcome = scene.compile();
        outcome.assert_only("ProxyServiceAccount demo-b/thief", ResolvedRefs, Reason::KeyInUse);
        let inbound = outcome.config("demo-a/orders").inbound.as_ref().unwrap();
        assert_eq!(inbound.keys[&real.kid].subject, "system:crosscall:demo-a:fr-api");
    }
}

/// A key speaks for one account, also where one Secret is named twice.
#[test]
fn shared_key_belongs_to_the_older() {
    let account = |at: &str| json!({"credential": given_key("ES256"), "createdAt": at});
    let outcome = Scene::new()
        .account("demo-a/fr-api", account("2026-01-02T00:00:00Z"))
        .account("demo-a/older", account("2026-01-01T00:00:00Z"))
        .secret("demo-a/k", &[("tls.key", EC_KEYS[1])])
        .app("demo-a/orders", json!({}))
        .route("demo-a/internal", json!({}))
        .compile();
    assert_eq!(
        outcome.problems(),
        [
            "ProxyRoute demo-a/internal ResolvedRefs ServiceAccountNotReady",
            "ProxyServiceAccount demo-a/fr-api ResolvedRefs KeyInUse",
        ]
    );
    let keys = &outcome.config("demo-a/orders").inbound.as_ref().unwrap().keys;
    let subjects: Vec<_> = keys.values().map(|key| key.subject.as_str()).collect();
    assert_eq!(subjects, ["system:crosscall:demo-a:older"]);
}

#[test]
fn unknown_environment_of_account_is_said() {
    let outcome = Scene::new()
        .account("demo-a/fr-api", json!({"environments": ["demo", "qa"]}))
        .app("demo-a/orders", json!({}))
        .with_keys()
        .compile();
    let condition = outcome.assert_only("ProxyServiceAccount demo-a/fr-api", ResolvedRefs, Reason::UnknownEnvironment);
    assert_eq!(condition.field.as_deref(), Some("spec.environments[1]"));
    assert_eq!(outcome.config("demo-a/orders").inbound.as_ref().unwrap().keys.len(), 1);
}
