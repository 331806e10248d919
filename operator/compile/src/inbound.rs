//! The side of a configuration that is called.

use std::collections::BTreeMap;

use sidecar_policy::config::{AccountKey, Inbound};

use crate::accounts::Accounts;
use crate::apps::App;
use crate::grants::Grants;
use crate::inventory::Key;

/// The inbound side of an app that has a sidecar.
pub(crate) fn compile(app: &App<'_>, accounts: &Accounts<'_>, grants: &Grants<'_>) -> Option<Inbound> {
    let listener = app.listener.as_ref()?;
    Some(Inbound {
        app_port: listener.app_port,
        audience: app.audience.clone(),
        keys: keys(app.key, accounts, grants),
        authentication: listener.authentication.clone(),
        endpoints: listener.endpoints.clone(),
        audit: listener.audit,
    })
}

/// The keys of the accounts that the app takes, each bound to its account: what a token claims beyond that is cut away.
fn keys(app: &Key, accounts: &Accounts<'_>, grants: &Grants<'_>) -> BTreeMap<String, AccountKey> {
    let mut keys = BTreeMap::new();
    for (caller, grant) in grants.callers(app) {
        let Some(account) = accounts.accepted.get(caller) else { continue };
        for (kid, jwk) in &account.keys {
            let bound = AccountKey {
                jwk: jwk.clone(),
                subject: account.subject(),
                proxy_app: account.spec.proxy_app.to_string(),
                environment: account.environment.to_string(),
                permissions: grant.permissions.clone(),
                authorities: grant.authorities.clone(),
            };
            keys.insert(kid.clone(), bound);
        }
    }
    keys
}
