//! The steps, in order.

use std::collections::{BTreeMap, BTreeSet};

use sidecar_policy::config::{Config, FORMAT, Inbound, Outbound, Provider};

use crate::authentication::Providers;
use crate::condition::{AppKey, Compiled, Kind};
use crate::context::Context;
use crate::inventory::{Inventory, Key};
use crate::report::Report;
use crate::routes::World;
use crate::settings::Settings;
use crate::{accounts, apps, grants, inbound, outbound, providers, routes};

/// Compiles everything. Total: whatever the inventory holds, there is an answer.
pub fn compile(inventory: &Inventory, settings: &Settings) -> Compiled {
    let mut report = Report::default();
    let context = Context::new(inventory, settings);
    let providers = providers::compile(&context, &mut report);
    let directory = apps::compile(&context, &providers, &mut report);
    let mut accounts = accounts::compile(&context);
    let grants = grants::compile(&mut accounts, &directory);

    let world =
        World { context: &context, providers: &providers, accounts: &accounts, directory: &directory, grants: &grants };
    let by_app = routes::compile(&world, &mut report);

    let mut halves: BTreeMap<AppKey, (Option<Outbound>, Option<Inbound>)> = BTreeMap::new();
    for ((namespace, app), served) in by_app {
        let key = AppKey { namespace: namespace.to_owned(), app: app.to_owned() };
        halves.entry(key).or_default().0 = Some(outbound::compile(&context, &grants, served));
    }
    for app in directory.apps.values().filter(|app| app.listener.is_some()) {
        let key = AppKey { namespace: app.key.namespace.clone(), app: app.key.name.clone() };
        halves.entry(key).or_default().1 = inbound::compile(app, &accounts, &grants);
    }
    let configs = halves.into_iter().filter_map(|(key, halves)| {
        let config = config(&context, &providers, &key, halves)?;
        Some((key, config))
    });
    let configs = configs.collect();

    let needed = accounts.accepted.iter().filter_map(|(key, account)| Some(((*key).clone(), account.needed_key?)));
    let needed_keys = needed.collect();
    for (key, findings) in accounts.findings {
        report.add(Kind::ProxyServiceAccount, key, findings);
    }
    Compiled { configs, conditions: report.into_conditions(), needed_keys }
}

fn config(
    context: &Context<'_>,
    providers: &Providers<'_>,
    key: &AppKey,
    (outbound, inbound): (Option<Outbound>, Option<Inbound>),
) -> Option<Config> {
    let providers = named_providers(providers, key, outbound.as_ref(), inbound.as_ref());
    Some(Config {
        format: FORMAT,
        app: key.app.clone(),
        namespace: key.namespace.clone(),
        // Nothing is accepted in a namespace without an environment.
        environment: context.environments.of(&key.namespace)?.to_string(),
        issuer: context.settings.issuer.clone(),
        outbound,
        inbound,
        providers,
    })
}

/// The providers that this app's routes or its own side name.
fn named_providers(
    providers: &Providers<'_>,
    app: &AppKey,
    outbound: Option<&Outbound>,
    inbound: Option<&Inbound>,
) -> BTreeMap<String, Provider> {
    let routes = outbound.into_iter().flat_map(|outbound| &outbound.routes);
    let routes = routes.filter_map(|route| route.authentication.as_ref());
    let authentications = routes.chain(inbound.and_then(|inbound| inbound.authentication.as_ref()));
    let names: BTreeSet<&String> = authentications.flat_map(|authentication| &authentication.providers).collect();
    let find = |name: &String| providers.get(&Key::new(&app.namespace, name)).cloned();
    names.into_iter().filter_map(|name| Some((name.clone(), find(name)?))).collect()
}
