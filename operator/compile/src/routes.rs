//! How do calls go?

use std::collections::BTreeMap;
use std::rc::Rc;

use crds::{Anonymous, EnvironmentSelection, Exposure, ProxyRoute, ProxyRouteSpec, annotations};
use sidecar_policy::config;

use crate::accounts::{Account, Accounts};
use crate::apps::Directory;
use crate::authentication::{self, Providers};
use crate::backends::{self, Reach, Wanted};
use crate::claims::Age;
use crate::condition::Kind;
use crate::context::Context;
use crate::findings::{Findings, Problem};
use crate::grants::Grants;
use crate::inventory::Key;
use crate::reason::Reason;
use crate::report::Report;
use crate::rules::{self, Rules};

/// A `ProxyRoute` that is accepted.
pub(crate) struct Accepted<'a> {
    pub(crate) key: &'a Key,
    pub(crate) spec: &'a ProxyRouteSpec,
    wanted: Wanted<'a>,
    rules: Rules,
    authentication: Option<config::Authentication>,
    age: Age<'a>,
    findings: Findings,
}

/// A route that is served, and everything that its calls may need.
pub(crate) struct Served<'d, 'a> {
    pub(crate) route: config::Route,
    pub(crate) account: &'d Account<'a>,
    pub(crate) reach: Rc<Reach<'d, 'a>>,
}

/// The steps before routes.
pub(crate) struct World<'d, 'a> {
    pub(crate) context: &'d Context<'a>,
    pub(crate) providers: &'d Providers<'a>,
    pub(crate) accounts: &'d Accounts<'a>,
    pub(crate) directory: &'d Directory<'a>,
    pub(crate) grants: &'d Grants<'a>,
}

/// The routes of each app that has an accepted one: those that are served, which may be none.
pub(crate) type ByApp<'d, 'a> = BTreeMap<(&'a str, &'a str), Vec<Served<'d, 'a>>>;

/// What routes to every app of an account reach: the same for all of them.
type Shared<'d, 'a> = BTreeMap<(&'a Key, bool), Rc<Reach<'d, 'a>>>;

/// Every route.
pub(crate) fn compile<'d, 'a>(world: &World<'d, 'a>, report: &mut Report) -> ByApp<'d, 'a> {
    let (mut by_app, mut shared) = (ByApp::new(), Shared::new());
    for mut accepted in accept(world, report) {
        let served = by_app.entry((&accepted.key.namespace, accepted.spec.proxy_app.as_str())).or_default();
        served.extend(serve(world, &mut accepted, &mut shared));
        report.add(Kind::ProxyRoute, accepted.key, accepted.findings);
    }
    by_app
}

/// The routes that are accepted; the others are reported.
fn accept<'a>(world: &World<'_, 'a>, report: &mut Report) -> Vec<Accepted<'a>> {
    let mut oldest: BTreeMap<_, Vec<Accepted<'a>>> = BTreeMap::new();
    for (key, route) in &world.context.inventory.routes {
        let mut findings = Findings::default();
        let accepted = check(world, key, route, &mut findings);
        match accepted.filter(|_| findings.is_accepted()) {
            Some(accepted) => {
                let spec = &route.spec;
                let place =
                    (&key.namespace, &spec.proxy_app, spec.path_prefix.as_base(), spec.exposure == Exposure::Pod);
                oldest.entry(place).or_default().push(Accepted { findings, ..accepted });
            }
            None => report.add(Kind::ProxyRoute, key, findings),
        }
    }
    let winners = oldest.into_values().filter_map(|mut rivals| {
        rivals.sort_by_key(|route| std::cmp::Reverse(route.age));
        let winner = rivals.pop()?;
        for mut loser in rivals {
            let prefix = &loser.spec.path_prefix;
            let message = format!("the older route {} serves {prefix} already", winner.key);
            loser.findings.refuse(Problem::new(Reason::PathConflict, message).at("spec.pathPrefix"));
            report.add(Kind::ProxyRoute, loser.key, loser.findings);
        }
        Some(winner)
    });
    winners.collect()
}

/// What a route says by itself, and whether what it names is there.
fn check<'a>(
    world: &World<'_, 'a>,
    key: &'a Key,
    route: &'a ProxyRoute,
    findings: &mut Findings,
) -> Option<Accepted<'a>> {
    let (context, spec) = (world.context, &route.spec);
    let environment = findings.check(context.environments.require(&key.namespace));
    let account = key.sibling(spec.service_account_ref.name.as_str());
    match context.inventory.accounts.get(&account) {
        None => {
            let message =
                format!("there is no ProxyServiceAccount {} in namespace {}", account.name, account.namespace);
            findings
                .unresolved(Problem::new(Reason::ServiceAccountNotFound, message).at("spec.serviceAccountRef.name"));
        }
        Some(account) if account.spec.proxy_app != spec.proxy_app => {
            let message = format!(
                "the route belongs to {}, its ProxyServiceAccount to {}",
                spec.proxy_app, account.spec.proxy_app
            );
            findings.refuse(Problem::new(Reason::ProxyAppMismatch, message).at("spec.proxyApp"));
        }
        Some(_) => {}
    }
    if environment.is_some() {
        findings.check(check_environment_selection(context, key, spec));
    }
    findings.check(check_secured(spec));
    if spec.api_versions.is_some() {
        findings.refuse(Problem::not_supported("routing by API version", "spec.apiVersions"));
    }
    let authentication = spec.authentication.as_ref();
    let authentication = authentication.map(|it| authentication::compile(context, world.providers, key, it, findings));
    let wanted = findings.check(Wanted::of(spec));
    let rules = rules::compile(spec, findings);
    let age = Age::new(key, &route.metadata);
    Some(Accepted { key, spec, wanted: wanted?, rules: rules?, authentication, age, findings: Findings::default() })
}

fn check_environment_selection(context: &Context<'_>, key: &Key, spec: &ProxyRouteSpec) -> Result<(), Problem> {
    let from_path = spec.environment_selection == EnvironmentSelection::FromPath;
    if !from_path || context.environments.may_cross(&key.namespace) {
        return Ok(());
    }
    let message = format!(
        "the namespace lacks the label {}: environmentSelection FromPath needs it on namespace {}, with the value \"true\"",
        annotations::ALLOW_CROSS_ENVIRONMENT,
        key.namespace
    );
    Err(Problem::new(Reason::CrossEnvironmentNotAllowed, message).at("spec.environmentSelection"))
}

/// A route on the pod's address says who may use it: providers, or that anybody may.
fn check_secured(spec: &ProxyRouteSpec) -> Result<(), Problem> {
    let authentication = spec.authentication.as_ref();
    let says = |it: &crds::Authentication| !it.providers.is_empty() || it.anonymous == Anonymous::Allow;
    if spec.exposure == Exposure::Loopback {
        return Ok(());
    }
    if authentication.is_some_and(says) {
        return check_nobody_is_the_account(spec);
    }
    let message = match authentication {
        None => "exposed on the pod's address without authentication",
        Some(_) => {
            "exposed on the pod's address with an authentication that names neither providers nor anonymous: Allow"
        }
    };
    Err(Problem::new(Reason::NotSecured, message).at("spec.authentication"))
}

/// On the pod's address, a call without credentials goes under the service account only where that is written out twice.
fn check_nobody_is_the_account(spec: &ProxyRouteSpec) -> Result<(), Problem> {
    let open = spec.authentication.as_ref().is_some_and(|it| it.anonymous == Anonymous::Allow);
    if !spec.allow_userless || open {
        return Ok(());
    }
    let message = "exposed on the pod's address with allowUserless: whoever reaches the pod would call as the service \
                   account; drop it, or write authentication.anonymous: Allow too";
    Err(Problem::new(Reason::NotSecured, message).at("spec.allowUserless"))
}

/// The route as the sidecar serves it; `None`: its account cannot be used.
fn serve<'d, 'a>(
    world: &World<'d, 'a>,
    accepted: &mut Accepted<'a>,
    shared: &mut Shared<'d, 'a>,
) -> Option<Served<'d, 'a>> {
    let spec = accepted.spec;
    let account = ready_account(world, accepted)?;
    let reach = || Rc::new(Reach::of(&accepted.wanted, spec.environment_selection, account, world.directory));
    let reach = match accepted.wanted {
        Wanted::Any => {
            let from_path = spec.environment_selection == EnvironmentSelection::FromPath;
            Rc::clone(shared.entry((account.key, from_path)).or_insert_with(reach))
        }
        Wanted::One(_) | Wanted::Named(_) => reach(),
    };
    let (wanted, findings) = (&accepted.wanted, &mut accepted.findings);
    backends::check(world.context, wanted, account, &reach, world.directory, world.grants, findings);
    let rules = std::mem::take(&mut accepted.rules);
    let route = config::Route {
        name: accepted.key.name.clone(),
        enabled: spec.enabled,
        path_prefix: spec.path_prefix.as_base().to_owned(),
        upstream_path_prefix: spec.upstream_path_prefix.as_ref().map_or("", |prefix| prefix.as_base()).to_owned(),
        backends: reach.backends(wanted, world.directory),
        environment_selection: match spec.environment_selection {
            EnvironmentSelection::Current => config::EnvironmentSelection::Current,
            EnvironmentSelection::FromPath => config::EnvironmentSelection::FromPath,
        },
        exposed: spec.exposure == Exposure::Pod,
        account: account.key.name.clone(),
        authentication: accepted.authentication.take(),
        allow_userless: spec.allow_userless,
        cors: rules.cors,
        headers: rules.headers,
        timeouts: rules.timeouts,
    };
    Some(Served { route, account, reach })
}

fn ready_account<'d, 'a>(world: &World<'d, 'a>, accepted: &mut Accepted<'a>) -> Option<&'d Account<'a>> {
    let key = accepted.key.sibling(accepted.spec.service_account_ref.name.as_str());
    let account = world.accounts.accepted.get(&key).filter(|account| account.credential.is_some());
    if account.is_none()
        && let Some(findings) = world.accounts.findings.get(&key)
    {
        let problem = match findings.first_reason() {
            Some(Reason::KeyPending) => {
                Problem::new(Reason::KeyPending, format!("the key pair of ProxyServiceAccount {key} is not made yet"))
            }
            Some(reason) => {
                let message = format!("ProxyServiceAccount {key} cannot be used: {reason}");
                Problem::new(Reason::ServiceAccountNotReady, message)
            }
            None => Problem::new(Reason::ServiceAccountNotReady, format!("ProxyServiceAccount {key} cannot be used")),
        };
        accepted.findings.unresolved(problem.at("spec.serviceAccountRef.name"));
    }
    account
}
