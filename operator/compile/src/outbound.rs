//! The side of a configuration that calls others.
//!
//! A sidecar gets what its own routes need and nothing else: neither the rest of the installation's apps nor, where the
//! environment is forced, those of other environments.

use std::collections::{BTreeMap, BTreeSet};

use sidecar_policy::config;

use crate::accounts::Account;
use crate::apps::App;
use crate::backends::Reach;
use crate::context::Context;
use crate::grants::Grants;
use crate::routes::Served;

/// The outbound side of one app.
pub(crate) fn compile(context: &Context<'_>, grants: &Grants<'_>, served: Vec<Served<'_, '_>>) -> config::Outbound {
    let environments = context.settings.environments.iter().map(ToString::to_string);
    let mut outbound = config::Outbound {
        routes: Vec::new(),
        accounts: BTreeMap::new(),
        names: BTreeMap::new(),
        targets: BTreeMap::new(),
        environments: environments.collect(),
    };
    let mut seen = BTreeSet::new();
    for Served { route, account, reach } in served {
        // What routes to every app of one account reach is the same for all of them.
        let from_path = route.environment_selection == config::EnvironmentSelection::FromPath;
        if route.backends != config::Backends::Any || seen.insert((account.key, from_path)) {
            add(&mut outbound, grants, account, &reach);
        }
        outbound.routes.push(route);
    }
    outbound.routes.sort_by_cached_key(|route| (route.path_prefix.clone(), route.exposed, route.name.clone()));
    outbound
}

/// What the calls of one route may need.
fn add(outbound: &mut config::Outbound, grants: &Grants<'_>, account: &Account<'_>, reach: &Reach<'_, '_>) {
    let Some(credential) = &account.credential else { return };
    let entry = outbound.accounts.entry(account.key.name.clone());
    let compiled = entry.or_insert_with(|| new_account(account, credential));
    for app in &reach.apps {
        if let Some(target) = &app.target {
            if let Some(Some(grant)) = grants.answer(account.key, app.key)
                && compiled.targets.insert(app.audience.clone())
            {
                compiled.permissions.insert(app.audience.clone(), grant.permissions.clone());
            }
            outbound.targets.insert(app.audience.clone(), target.clone());
        }
        add_names(&mut outbound.names, app);
    }
    for name in &reach.elsewhere {
        outbound.names.entry((*name).to_owned()).or_default();
    }
}

/// A name without a target in an environment is known, and an invalid one there.
fn add_names(names: &mut BTreeMap<String, BTreeMap<String, String>>, app: &App<'_>) {
    for name in app.names() {
        let environments = names.entry(name.to_owned()).or_default();
        if app.target.is_some() {
            environments.insert(app.environment.to_string(), app.audience.clone());
        }
    }
}

fn new_account(account: &Account<'_>, credential: &config::Credential) -> config::Account {
    config::Account {
        subject: account.subject(),
        email: account.spec.email.clone(),
        roles: account.spec.roles.iter().map(ToString::to_string).collect(),
        targets: BTreeSet::new(),
        permissions: BTreeMap::new(),
        credential: credential.clone(),
        api_key: account.api_key.clone(),
    }
}
