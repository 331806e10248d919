//! Secrets stay where they belong.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::json;
use system_tests::call::Call;
use system_tests::crosscall::{Crosscall, Serve};
use system_tests::manifest::{Manifest, file};
use system_tests::recorder::Recorder;
use system_tests::token::Key;
use system_tests::wait::{LIMIT, wait_until};

const BEARER: &str = "marker-bearer-Zq8/+~end";
const API_KEY: &str = "marker-api-key-Wv3/+end";
const BASIC: &str = "marker-basic-Ht5/+\"end";
const PASSWORD: &str = "marker-password-Jk7/+\"end";
const WRONG: &str = "marker-wrong-password-Lp2/+\"end";
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJtYXJrZXIiOiJUeDQifQ.bWFya2VyLXNpZ25hdHVyZQ";
const QUERY: &str = "marker-query-Rn9";
const COOKIE: &str = "marker-cookie-Sg6";
const RELOADED: &str = "marker-reloaded-Bd1/+\"end";

/// A secret in the forms in which it may turn up.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![
        secret.to_owned(),
        secret
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect(),
        serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
        secret.replace('"', "\\\\\\\""),
    ];
    // Base64 at each of the three offsets, without the characters that the neighbours change.
    for offset in 0..3 {
        let padded = format!("{}{secret}", "x".repeat(offset));
        for encoded in [BASE64_STANDARD.encode(&padded), BASE64_URL_SAFE_NO_PAD.encode(&padded)] {
            let encoded = encoded.trim_end_matches('=');
            forms.push(encoded[offset.div_ceil(1) * 2..encoded.len() - 2].to_owned());
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

/// Asserts that no form of any secret stands in the text.
#[track_caller]
fn assert_without(secrets: &[String], place: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in secrets {
        for form in forms(secret) {
            if let Some(at) = text.find(&form) {
                let from = text[..at].rfind('\n').map_or(0, |line| line + 1);
                panic!("{place} shows {secret:?} as {form:?}: {:.300}", &text[from..]);
            }
        }
    }
}

/// Every kind of secret there is, in one configuration.
struct Marked {
    crosscall: Crosscall,
    apps: Vec<Recorder>,
    manifests: String,
    secrets: Vec<String>,
}

// === impl Marked ===

impl Marked {
    fn start() -> Self {
        let (key, hash) = (Key::rsa().private_pem(), bcrypt::hash(PASSWORD, 4).unwrap());
        let apps: Vec<Recorder> = (0..3).map(|_| Recorder::start()).collect();
        let account = |name: &str, credential: serde_json::Value| {
            Manifest::account("shop-local", name, &["orders", "stock", "gone"]).with("/credential", credential)
        };
        let reference = |key: &str| json!({"name": "marked", "key": key});
        let mut manifests = vec![
            Manifest::namespace("shop-local", "local"),
            Manifest::secret(
                "shop-local",
                "marked",
                &[
                    ("key", &key),
                    ("bearer", BEARER),
                    ("basic", BASIC),
                    ("api", API_KEY),
                    ("username", "robot"),
                    ("password", BASIC),
                ],
            ),
            account(
                "signed",
                json!({"type": "SignedToken", "signedToken": {"algorithm": "RS512", "keySecretRef": reference("key")}}),
            ),
            account("bearer", json!({"type": "Bearer", "bearer": {"secretRef": reference("bearer")}}))
                .with("/apiKey", json!({"secretRef": reference("api")})),
            Manifest::app("shop-local", "orders", apps[0].port()),
            Manifest::direct_app("shop-local", "stock", apps[1].port()),
            // Nobody listens there: the error path.
            Manifest::direct_app("shop-local", "gone", 1),
            Manifest::people("shop-local", "people", &["Alice"]),
            Manifest::secret("shop-local", "people", &[("Alice", &hash)]),
        ];
        for name in ["signed", "bearer"] {
            manifests.push(Manifest::route("shop-local", name, &format!("{name}-here"), &["orders", "stock", "gone"]));
            let people = json!({"providers": [{"name": "people"}]});
            let exposed = Manifest::exposed("shop-local", name, &format!("{name}-proxy"), &["orders", "stock"], people);
            manifests.push(exposed);
        }
        let manifests = file(&manifests);
        let crosscall = Serve::new(&manifests).variable("RUST_LOG", "trace").start();
        let body: Vec<String> = key.lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect();
        let mut secrets: Vec<String> =
            [BEARER, API_KEY, BASIC, PASSWORD, WRONG, TOKEN, QUERY, COOKIE].map(str::to_owned).into();
        secrets.extend([body[1].clone(), body[body.len() - 2].clone(), hash]);
        Self { crosscall, apps, manifests, secrets }
    }

    /// Good and bad calls of every kind; returns everything that callers got back.
    fn exercise(&self) -> Vec<u8> {
        let mut answered = Vec::new();
        for name in ["signed", "bearer"] {
            for backend in ["orders", "stock", "gone", "nowhere", ".."] {
                let target = format!("/{name}-here/{backend}/x?token={QUERY}");
                let call = Call::post(&target, "body").header("Cookie", COOKIE).header("X-Api-Key", WRONG);
                answered.extend(call.to(self.crosscall.outbound(name)).bytes());
                let target = format!("/{name}-proxy/{backend}/x?token={QUERY}");
                for call in [
                    Call::get(&target).basic("Alice", PASSWORD),
                    Call::get(&target).basic("Alice", WRONG),
                    Call::get(&target).basic(WRONG, WRONG),
                    Call::get(&target).bearer(TOKEN),
                    Call::get(&target).header("Authorization", WRONG),
                    Call::get(&target),
                ] {
                    answered.extend(call.to(self.crosscall.exposed(name)).bytes());
                }
            }
        }
        for call in
            [Call::get("/x").bearer(TOKEN), Call::get("/x").basic("Alice", PASSWORD), Call::get("/x").bearer(BEARER)]
        {
            answered.extend(call.to(self.crosscall.inbound("orders")).bytes());
        }
        answered
    }
}

/// Threat J5: marker secrets through every flow, with every log on; nothing that is written anywhere shows one.
#[test]
fn no_secret_is_written_anywhere() {
    let marked = Marked::start();
    let answered = marked.exercise();
    let mut secrets = marked.secrets.clone();
    // What was sent on is what makes a hit possible at all.
    let arrived = marked.apps[1].seen();
    let sent: Vec<String> = arrived.iter().map(|seen| seen.header("authorization").to_owned()).collect();
    assert!(sent.iter().any(|value| value.ends_with(BEARER)), "the bearer credential was never used: {sent:?}");
    assert!(arrived.iter().any(|seen| seen.values("x-api-key") == [API_KEY]), "the API key was never used");
    let signatures =
        sent.iter().filter_map(|value| value.strip_prefix("Bearer ey")?.rsplit_once('.')).map(|(_, it)| it);
    secrets.extend(signatures.map(str::to_owned));
    assert!(secrets.len() > marked.secrets.len(), "no token was signed: {sent:?}");

    assert_without(&secrets, "an answer", &answered);
    for path in ["/metrics", "/config", "/readyz", "/healthz", "/.well-known/jwks.json"] {
        assert_without(&secrets, path, &marked.crosscall.admin(path).bytes());
    }
    let refused = "crosscall_config_reloads_total";
    let before = marked.crosscall.metric(refused, &[]);
    let broken = format!(
        "{}\n---\nstringData: {{key: '{RELOADED}', bearer: {RELOADED:?}\n  broken: [{RELOADED}\n",
        marked.manifests
    );
    marked.crosscall.replace(&broken);
    wait_until("the broken file to be looked at", LIMIT, || marked.crosscall.metric(refused, &[]) > before);
    let mistyped = marked.manifests.replace("stringData:", &format!("stringData: ['{RELOADED}']\nother:"));
    marked.crosscall.replace(&mistyped);
    wait_until("the mistyped file to be looked at", LIMIT, || marked.crosscall.metric(refused, &[]) > before + 1.0);
    secrets.push(RELOADED.to_owned());

    let mut crosscall = marked.crosscall;
    crosscall.terminate();
    crosscall.wait();
    let written = crosscall.written();
    let text: Vec<u8> = written.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    assert!(String::from_utf8_lossy(&text).contains("signed-here"), "nothing was logged");
    for (file, bytes) in written {
        assert_without(&secrets, &file, &bytes);
    }
}

/// Threat J5: neither the command line nor the environment of the process holds a secret.
#[test]
fn process_table_shows_no_secret() {
    let marked = Marked::start();
    for file in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("/proc/{}/{file}", marked.crosscall.pid())).unwrap();
        assert_without(&marked.secrets, file, &bytes);
    }
}

/// Threats J5 and J6: a credential goes to the apps of its account alone.
#[test]
fn credential_goes_to_its_apps_alone() {
    let (listed, other) = (Recorder::start(), Recorder::start());
    let credential = json!({"type": "Bearer", "bearer": {"secretRef": {"name": "marked", "key": "bearer"}}});
    let manifests = file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::secret("shop-local", "marked", &[("bearer", BEARER)]),
        Manifest::account("shop-local", "fr-api", &["stock"]).with("/credential", credential),
        Manifest::route("shop-local", "fr-api", "here", &["*"]),
        Manifest::direct_app("shop-local", "stock", listed.port()),
        Manifest::direct_app("shop-local", "other", other.port()),
    ]);
    let crosscall = Serve::new(manifests).start();
    assert_eq!(Call::get("/here/stock/x").to(crosscall.outbound("fr-api")).status, 200);
    assert_eq!(listed.next().header("authorization"), format!("Bearer {BEARER}"));
    let response = Call::get("/here/other/x").to(crosscall.outbound("fr-api"));
    assert!(matches!(response.status, 403 | 404), "{}", response.status);
    other.assert_untouched();
}

#[test]
fn forms_find_what_is_hidden() {
    let secrets = [BEARER.to_owned()];
    for text in [
        BEARER.to_owned(),
        BASE64_STANDARD.encode(format!("user:{BEARER}")),
        BASE64_STANDARD.encode(format!("x:{BEARER}!")),
        format!("{:?}", json!({"a": BEARER}).to_string()),
        json!({"a": BEARER}).to_string(),
        "?a=marker-bearer-Zq8%2F%2B~end".to_owned(),
    ] {
        assert!(std::panic::catch_unwind(|| assert_without(&secrets, "here", text.as_bytes())).is_err(), "{text}");
    }
    assert_without(&secrets, "here", b"marker-bearer");
}
