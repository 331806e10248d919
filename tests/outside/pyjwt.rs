//! PyJWT as the judge of the tokens that an app without a sidecar gets.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};
use system_tests::call::Call;
use system_tests::component::{Python, or_skip, python};
use system_tests::crosscall::Serve;
use system_tests::manifest::{Manifest, embedded_shop, file};
use system_tests::recorder::Recorder;

const PACKAGES: [&str; 2] = ["PyJWT[crypto]==2.15.1", "cryptography==50.0.2"];

/// Reads `{token, jwks, audience, algorithms}` and prints the claims, or `{"refused": …}`.
const VERIFY: &str = r#"
import json, sys, jwt
asked = json.load(sys.stdin)
try:
    kid = jwt.get_unverified_header(asked["token"])["kid"]
    key = jwt.PyJWKSet.from_dict(asked["jwks"])[kid]
    claims = jwt.decode(asked["token"], key, algorithms=asked["algorithms"], audience=asked["audience"],
                        issuer="https://crosscall.local", options={"require": ["exp", "iat", "nbf", "jti", "sub"]})
    print(json.dumps({"claims": claims, "header": jwt.get_unverified_header(asked["token"])}))
except Exception as error:
    print(json.dumps({"refused": type(error).__name__}))
"#;

fn verify(python: &Python, token: &str, jwks: &Value, audience: &str, algorithm: &str) -> Value {
    let mut command = python.command();
    let mut child = command.args(["-c", VERIFY]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let asked = json!({"token": token, "jwks": jwks, "audience": audience, "algorithms": [algorithm]});
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn token_holds_for_another_library() {
    let Some(python) = or_skip(python(&PACKAGES)) else { return };
    let (orders, stock) = (Recorder::start(), Recorder::start());
    let crosscall = Serve::new(embedded_shop(orders.port(), stock.port())).start();
    assert_eq!(Call::get("/internal/stock/x").to(crosscall.outbound("fr-api")).status, 200);
    let seen = stock.next();
    let token = seen.header("authorization").strip_prefix("Bearer ").unwrap();
    let jwks = crosscall.admin("/.well-known/jwks.json").json();

    let judged = verify(&python, token, &jwks, "stock.local", "RS512");
    let claims = &judged["claims"];
    assert_eq!(judged["header"]["alg"], "RS512", "{judged}");
    assert_eq!(claims["sub"], "system:crosscall:shop-local:fr-api", "{judged}");
    assert_eq!((&claims["env"], &claims["aud"]), (&json!("local"), &json!(["stock.local"])));
    assert_eq!(claims["authorities"], json!(["api_proxy_service_account"]));
    assert_eq!(claims["permissions"], json!(["use_proxied_only_endpoints"]));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);

    assert_eq!(verify(&python, token, &jwks, "orders.local", "RS512"), json!({"refused": "InvalidAudienceError"}));
    assert_eq!(verify(&python, token, &jwks, "stock.local", "RS256"), json!({"refused": "InvalidAlgorithmError"}));
}

#[test]
fn every_algorithm_holds_for_another_library() {
    let Some(python) = or_skip(python(&PACKAGES)) else { return };
    let stock = Recorder::start();
    let algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    let mut manifests =
        vec![Manifest::namespace("shop-local", "local"), Manifest::direct_app("shop-local", "stock", stock.port())];
    for algorithm in algorithms {
        let app = algorithm.to_ascii_lowercase();
        let account = Manifest::account("shop-local", &app, &["stock"]);
        manifests.push(account.with("/credential/signedToken/algorithm", algorithm));
        manifests.push(Manifest::route("shop-local", &app, &format!("as-{app}"), &["stock"]));
    }
    let crosscall = Serve::new(file(&manifests)).start();
    let jwks = crosscall.admin("/.well-known/jwks.json").json();
    for algorithm in algorithms {
        let app = algorithm.to_ascii_lowercase();
        let response = Call::get(&format!("/as-{app}/stock/x")).to(crosscall.outbound(&app));
        assert_eq!(response.status, 200, "{algorithm}: {}", response.text());
        let seen = stock.next();
        let token = seen.header("authorization").strip_prefix("Bearer ").unwrap();
        let judged = verify(&python, token, &jwks, "stock.local", algorithm);
        assert_eq!(judged["claims"]["sub"], format!("system:crosscall:shop-local:{app}"), "{algorithm}: {judged}");
    }
}
