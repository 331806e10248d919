//! Which apps does a route reach?

use std::collections::BTreeSet;

use crds::{EnvName, EnvironmentSelection, ProxyRouteSpec};
use sidecar_policy::config::Backends;

use crate::accounts::Account;
use crate::apps::{App, Directory};
use crate::context::Context;
use crate::findings::{Findings, Problem};
use crate::grants::Grants;
use crate::inventory::Key;
use crate::reason::Reason;

/// What a route says, in one of three ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    One(&'a str),
    /// With the index in `spec.backends`.
    Named(Vec<(usize, &'a str)>),
    Any,
}

/// Where a route's calls may end.
pub(crate) struct Reach<'d, 'a> {
    /// The environments that they may go to.
    pub(crate) environments: BTreeSet<&'a EnvName>,
    /// The apps in them, whether the account is granted them or not.
    pub(crate) apps: Vec<&'d App<'a>>,
    /// Names that the route or its account writes and that stand for an app in another environment alone.
    pub(crate) elsewhere: BTreeSet<&'a str>,
}

// === impl Wanted ===

impl<'a> Wanted<'a> {
    pub(crate) fn of(spec: &'a ProxyRouteSpec) -> Result<Self, Problem> {
        let invalid = |message: &str, field: &str| Err(Problem::new(Reason::InvalidBackends, message).at(field));
        let from_path = spec.environment_selection == EnvironmentSelection::FromPath;
        match (&spec.backends, &spec.backend) {
            (None, Some(_)) if from_path => invalid(
                "environmentSelection FromPath needs backends: the path names backend and environment",
                "spec.backend",
            ),
            (None, Some(name)) => Ok(Self::One(name.as_str())),
            (Some(names), None) if names.is_empty() => invalid("backends is empty", "spec.backends"),
            (Some(names), None) if names.iter().any(crds::BackendName::is_any) => Ok(Self::Any),
            (Some(names), None) => Ok(Self::Named(names.iter().map(crds::BackendName::as_str).enumerate().collect())),
            _ => invalid("set exactly one of backends (a list, or [\"*\"]) and backend", "spec.backends"),
        }
    }

    /// The names that the route writes itself, with the place of each.
    fn literals(&self) -> Vec<(String, &'a str)> {
        match self {
            Self::One(name) => vec![("spec.backend".to_owned(), *name)],
            Self::Named(names) => {
                names.iter().map(|(index, name)| (format!("spec.backends[{index}]"), *name)).collect()
            }
            Self::Any => Vec::new(),
        }
    }
}

// === impl Reach ===

impl<'d, 'a> Reach<'d, 'a> {
    pub(crate) fn of(
        wanted: &Wanted<'a>,
        selection: EnvironmentSelection,
        account: &Account<'a>,
        directory: &'d Directory<'a>,
    ) -> Self {
        let environments = match selection {
            EnvironmentSelection::Current => [account.environment].into(),
            EnvironmentSelection::FromPath => account.environments.clone(),
        };
        let names: BTreeSet<&'a str> = match wanted {
            Wanted::Any => account.spec.apps.iter().map(crds::AppName::as_str).collect(),
            _ => wanted.literals().into_iter().map(|(_, name)| name).collect(),
        };
        let find = |name: &&'a str| environments.iter().filter_map(|env| directory.find(name, env)).collect::<Vec<_>>();
        let apps = names.iter().flat_map(find).collect();
        let is_elsewhere = |name: &&'a str| find(name).is_empty() && directory.knows(name);
        let elsewhere = names.iter().copied().filter(is_elsewhere).collect();
        Self { environments, apps, elsewhere }
    }

    /// What the sidecar compares the path with: what is written, and the further names of the same apps. A further name
    /// that stands for another app in any of the environments is left out: it would widen the route.
    pub(crate) fn backends(&self, wanted: &Wanted<'a>, directory: &Directory<'a>) -> Backends {
        let literals = match wanted {
            Wanted::Any => return Backends::Any,
            Wanted::One(name) => return Backends::One((*name).to_owned()),
            Wanted::Named(names) => names.iter().map(|(_, name)| *name),
        };
        let own: BTreeSet<&Key> = self.apps.iter().map(|app| app.key).collect();
        let is_own = |name: &&str| {
            let found = self.environments.iter().filter_map(|environment| directory.find(name, environment));
            found.into_iter().all(|app| own.contains(app.key))
        };
        let further = self.apps.iter().flat_map(|app| app.names()).filter(is_own);
        Backends::Named(further.chain(literals).map(str::to_owned).collect())
    }
}

/// What cannot be called of what the route names.
pub(crate) fn check<'a>(
    context: &Context<'a>,
    wanted: &Wanted<'a>,
    account: &Account<'a>,
    reach: &Reach<'_, 'a>,
    directory: &Directory<'a>,
    grants: &Grants<'a>,
    findings: &mut Findings,
) {
    for (field, name) in wanted.literals() {
        let found = reach.environments.iter().filter_map(|environment| directory.find(name, environment));
        let found: Vec<&App<'a>> = found.collect();
        let problem = if found.is_empty() {
            Some(missing(context, name, account, directory))
        } else {
            refused(name, account, &found, grants)
        };
        if let Some(problem) = problem {
            findings.unresolved(problem.at(field));
        }
    }
}

fn missing<'a>(context: &Context<'a>, name: &str, account: &Account<'a>, directory: &Directory<'a>) -> Problem {
    let environment = account.environment;
    if let Some(owner) = context.claims.app(environment, name).filter(|key| !directory.apps.contains_key(key)) {
        let message =
            format!("the backend {name} is the ProxiedApp {owner}, which is not accepted: see its conditions");
        return Problem::new(Reason::BackendNotFound, message);
    }
    if directory.knows(name) {
        let message = format!("Invalid backend environment: {name}, {environment}");
        return Problem::new(Reason::BackendNotInEnvironment, message);
    }
    Problem::new(Reason::BackendNotFound, format!("there is no ProxiedApp with the name {name} in any environment"))
}

/// Why none of the apps that a name stands for can be called, if none can.
fn refused(name: &str, account: &Account<'_>, found: &[&App<'_>], grants: &Grants<'_>) -> Option<Problem> {
    let answers: Vec<_> = found.iter().map(|app| (app, grants.answer(account.key, app.key))).collect();
    let key = account.key;
    let given = || answers.iter().filter(|(_, answer)| matches!(answer, Some(Some(_)))).map(|(app, _)| app);
    if let Some(app) = given().next() {
        let message = format!("the ProxiedApp {} has no address: neither service nor url", app.key);
        let lost = given().all(|app| app.target.is_none());
        return lost.then(|| Problem::new(Reason::BackendHasNoAddress, message));
    }
    if let Some((app, _)) = answers.iter().find(|(_, answer)| answer.is_some()) {
        let proxy_app = &account.spec.proxy_app;
        let message = format!("the backend {name}: {} does not take {proxy_app}: its spec.accepts could", app.key);
        return Some(Problem::new(Reason::NotAccepted, message));
    }
    let environment = account.environment;
    let message = if account.spec.environments.contains(environment) {
        format!("the backend {name} is not in spec.apps of the ProxyServiceAccount {key}")
    } else {
        format!("the backend {name}: {environment} is not in spec.environments of the ProxyServiceAccount {key}")
    };
    Some(Problem::new(Reason::BackendNotGranted, message))
}
