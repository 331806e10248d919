//! A configuration that may be shown: on the admin port, by `crosscall render`.
//!
//! Masked is what has the type [`crate::secret::SecretString`], wherever it stands, so a field that is added later needs
//! no care here.

use serde_json::Value;

use crate::{config::Config, secret::while_masked};

/// The configuration as JSON, with [`crate::secret::MASK`] in place of every secret.
pub fn masked(config: &Config) -> Value {
    while_masked(|| serde_json::to_value(config)).expect("plain data with string keys is always JSON")
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde_json::json;

    use super::*;

    /// Every place of the configuration that holds a secret, each with a marker. A quote and a line break show whether
    /// the escaped form leaks.
    fn config() -> Config {
        let account = |credential: Value| {
            json!({
                "subject": "system:crosscall:shop:fr-api", "roles": [], "targets": [], "permissions": {},
                "credential": credential, "apiKey": marker("apikey"),
            })
        };
        let config = json!({
            "format": 1, "app": "fr-api", "namespace": "shop", "environment": "demo", "issuer": "https://i",
            "outbound": {
                "routes": [], "names": {}, "targets": {}, "environments": ["demo"],
                "accounts": {
                    "signed": account(json!({
                        "type": "SignedToken", "algorithm": "ES256", "kid": "k1", "privateKey": marker("key"),
                        "lifetimeSeconds": 300,
                    })),
                    "bearer": account(json!({"type": "Bearer", "token": marker("token")})),
                    "basic": account(json!({"type": "Basic", "username": "u", "password": marker("password")})),
                },
            },
            "providers": {
                "people": {
                    "type": "Basic", "realm": "r", "users": {"Alice": {"hash": marker("hash"), "roles": ["ROLE_USER"]}},
                },
            },
        });
        Config::parse(config.to_string().as_bytes()).unwrap()
    }

    fn marker(name: &str) -> String {
        format!("MARKER-{name}\n\"quoted\"")
    }

    const MARKERS: [&str; 5] = ["apikey", "key", "token", "password", "hash"];

    #[track_caller]
    fn assert_no_secret(shown: &str) {
        for name in MARKERS {
            let raw = marker(name);
            let escaped = serde_json::to_string(&raw).unwrap();
            for form in [&raw, escaped.trim_matches('"'), &STANDARD.encode(&raw), &format!("MARKER-{name}")] {
                assert!(!shown.contains(form), "{name} leaks");
            }
        }
        assert!(!shown.contains("MARKER"), "a secret leaks");
    }

    /// Threat J5: secrets in what is shown.
    #[test]
    fn masked_form_holds_no_secret() {
        let shown = masked(&config());
        assert_no_secret(&shown.to_string());
        assert_eq!(shown["outbound"]["accounts"]["signed"]["credential"]["privateKey"], "***");
        assert_eq!(shown["outbound"]["accounts"]["signed"]["credential"]["kid"], "k1");
        assert_eq!(shown["providers"]["people"]["users"]["Alice"], json!({"hash": "***", "roles": ["ROLE_USER"]}));
        assert_eq!(shown.to_string().matches("***").count(), 7);
    }

    /// Threat J5: secrets in logs.
    #[test]
    fn debug_form_holds_no_secret() {
        assert_no_secret(&format!("{:?} {:#?}", config(), config()));
    }

    #[test]
    fn file_form_keeps_the_secrets() {
        let written = String::from_utf8(config().to_bytes()).unwrap();
        assert_eq!(written.matches("MARKER").count(), 7);
        assert_eq!(Config::parse(written.as_bytes()).unwrap(), config());
    }
}
