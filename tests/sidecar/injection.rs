//! Line breaks and control bytes in values that become headers.

use serde_json::json;
use system_tests::call::Call;
use system_tests::crosscall::Serve;
use system_tests::manifest::{Manifest, file};
use system_tests::recorder::{Recorded, Recorder};

use crate::forged::{Forger, claims};

/// Ends a line in the eyes of some reader or other.
const BREAKS: [&str; 17] = [
    "\r\n",
    "\n",
    "\r",
    "\n\n",
    "\r\n\r\n",
    "\0",
    "\u{b}",
    "\u{c}",
    "\u{1}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\r\n ",
    "\r\n\t",
    "\u{10d}\u{10a}",
    "\u{e5}\u{98}\u{8a}\u{e5}\u{98}\u{8d}",
];

/// A value that would add a header line.
fn attack(line_break: &str) -> String {
    format!("value{line_break}X-Evil: yes{line_break}x")
}

/// One header line, or none at all: nothing that begins with `X-Evil`.
#[track_caller]
fn assert_one_line(seen: &[Recorded], what: &str) {
    for request in seen {
        assert!(request.values("x-evil").is_empty(), "{what} became a header: {}", request.text());
    }
}

/// A shop whose account sends these two secrets along.
fn with_secrets(app: &Recorder, token: &str, api_key: &str) -> Serve {
    let credential = json!({"type": "Bearer", "bearer": {"secretRef": {"name": "secrets", "key": "token"}}});
    let account = Manifest::account("shop-local", "fr-api", &["stock"]).with("/credential", credential);
    Serve::new(file(&[
        Manifest::namespace("shop-local", "local"),
        account.with("/apiKey", json!({"secretRef": {"name": "secrets", "key": "api-key"}})),
        Manifest::secret("shop-local", "secrets", &[("token", token), ("api-key", api_key)]),
        Manifest::route("shop-local", "fr-api", "here", &["stock"]),
        Manifest::direct_app("shop-local", "stock", app.port()),
    ]))
}

/// Threat H3: a secret that is sent as a header stays one line, or the call is refused.
#[test]
fn secrets_never_break_out_of_a_header() {
    let app = Recorder::start();
    let plain = with_secrets(&app, "plain", "plain").start();
    assert_eq!(Call::get("/here/stock/x").to(plain.outbound("fr-api")).status, 200);
    assert_eq!(app.next().header("x-api-key"), "plain");
    for line_break in BREAKS {
        let evil = attack(line_break);
        for (token, api_key) in [(evil.as_str(), "plain"), ("plain", evil.as_str())] {
            match with_secrets(&app, token, api_key).start_or_refuse() {
                Ok(crosscall) => {
                    let status = Call::get("/here/stock/x").to(crosscall.outbound("fr-api")).status;
                    let seen = app.seen();
                    assert_eq!(seen.len(), usize::from(status == 200), "{line_break:?}: {status}");
                    assert_one_line(&seen, &format!("a secret with {line_break:?}"));
                }
                Err(written) => {
                    assert!(!written.contains("panicked"), "{written}");
                    assert!(!written.contains("X-Evil"), "a secret is quoted: {written}");
                }
            }
        }
    }
}

/// Threat H3: claims that become identity headers stay one line, or the call is refused.
#[test]
fn claims_never_break_out_of_a_header() {
    let forger = Forger::start();
    for line_break in BREAKS {
        let evil = attack(line_break);
        for change in [
            json!({"sub": evil}),
            json!({"authorities": [evil]}),
            json!({"permissions": [evil, "use_proxied_only_endpoints"]}),
            json!({"env": evil}),
        ] {
            let mut claims = claims();
            claims["act"] = json!({"sub": claims["sub"]});
            claims["sub"] = json!("Alice");
            claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let response = forger.call(&forger.token(&claims));
            let seen = forger.app.seen();
            assert_eq!(seen.len(), usize::from(response.status == 200), "{change}: {}", response.status);
            assert_one_line(&seen, &change.to_string());
        }
    }
}

/// Threat H3: a list of authorities cannot be lengthened by a comma.
#[test]
fn commas_never_add_an_authority() {
    let forger = Forger::start();
    let mut claims = claims();
    claims["act"] = json!({"sub": claims["sub"]});
    claims["sub"] = json!("Alice");
    claims["authorities"] = json!(["ROLE_USER,ROLE_ADMIN"]);
    let response = forger.call(&forger.token(&claims));
    for request in forger.app.seen() {
        let listed = request.header("x-crosscall-authorities");
        assert!(!listed.split(',').any(|name| name.trim() == "ROLE_ADMIN"), "{listed}");
    }
    assert!(matches!(response.status, 200 | 400 | 401 | 403), "{}", response.status);
}

/// Threat H3: encoded line breaks in a path stay encoded or are refused.
#[test]
fn paths_never_break_out_of_a_line() {
    let app = Recorder::start();
    let manifests = file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::account("shop-local", "fr-api", &["stock"]),
        Manifest::route("shop-local", "fr-api", "here", &["stock"]),
        Manifest::direct_app("shop-local", "stock", app.port()),
    ]);
    let crosscall = Serve::new(manifests).start();
    for line_break in BREAKS {
        let encoded: String = attack(line_break).bytes().map(|byte| format!("%{byte:02X}")).collect();
        for target in [format!("/here/stock/{encoded}"), format!("/here/stock/x?q={encoded}")] {
            let response = Call::get(&target).to(crosscall.outbound("fr-api"));
            let seen = app.seen();
            assert_eq!(seen.len(), usize::from(response.status == 200), "{target}");
            assert_one_line(&seen, &target);
            assert!(seen.iter().all(|request| target.ends_with(&request.target)), "{target} was decoded");
        }
    }
}
