//! What holds for every configuration file.

use sidecar_policy::{
    caller::ServiceVerifier,
    config::{Config, Credential, Provider},
    mask::masked,
    password::Users,
    secret::{MASK, SecretString},
};

/// It is refused without a quote, or it is written as it was read and shown without its secrets.
pub(crate) fn holds(data: &[u8]) {
    let config = match Config::parse(data) {
        Ok(config) => config,
        Err(error) => {
            assert!(error.to_string().is_ascii() && error.to_string().len() < 200, "the error quotes the file");
            return;
        }
    };
    let written = config.to_bytes();
    let again = Config::parse(&written).expect("what is written can be read");
    assert_eq!(again, config);
    assert_eq!(again.to_bytes(), written, "the same bytes for the same meaning");
    let shown = masked(&config);
    let counted = secrets(&config).len();
    assert!(shown.to_string().matches(MASK).count() >= counted);
    without_secrets(&config, &shown);
    for provider in config.providers.values() {
        let Provider::Basic { users, .. } = provider;
        let _ = Users::new(users);
    }
    if let Some(inbound) = &config.inbound {
        let _ = ServiceVerifier::new(inbound, &config.issuer);
    }
}

/// Masking twice is masking once: a configuration read from the masked form has nothing left but masks.
fn without_secrets(config: &Config, shown: &serde_json::Value) {
    let read = Config::parse(shown.to_string().as_bytes()).expect("the masked form is of the same shape");
    assert!(secrets(&read).iter().all(|secret| secret.expose() == MASK));
    assert_eq!(masked(&read), *shown);
    assert_eq!(secrets(&read).len(), secrets(config).len());
    assert_eq!(format!("{read:?}"), format!("{config:?}"), "debug output depends on a secret");
}

fn secrets(config: &Config) -> Vec<&SecretString> {
    let mut secrets = Vec::new();
    for account in config.outbound.iter().flat_map(|outbound| outbound.accounts.values()) {
        secrets.push(match &account.credential {
            Credential::SignedToken { private_key, .. } => private_key,
            Credential::Bearer { token } => token,
            Credential::Basic { password, .. } => password,
        });
        secrets.extend(&account.api_key);
    }
    for provider in config.providers.values() {
        let Provider::Basic { users, .. } = provider;
        secrets.extend(users.values().map(|user| &user.hash));
    }
    secrets
}
