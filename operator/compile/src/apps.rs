//! Who receives, and where?

use std::collections::BTreeMap;

use crds::{AppName, Enforcement, EnvName, ProxiedApp, ProxiedAppSpec};
use sidecar_policy::config::{Authentication, Endpoint, Target};

use crate::authentication::{self, Providers};
use crate::claims::names_of;
use crate::condition::{ConditionType, Kind};
use crate::context::Context;
use crate::findings::{Findings, Problem};
use crate::inventory::Key;
use crate::reason::Reason;
use crate::report::Report;
use crate::{endpoints, targets};

/// A `ProxiedApp` that is accepted.
pub(crate) struct App<'a> {
    pub(crate) key: &'a Key,
    pub(crate) resource: &'a ProxiedApp,
    pub(crate) environment: &'a EnvName,
    /// `{app}.{environment}`: the key of its target, and the audience of tokens for it.
    pub(crate) audience: String,
    /// `None`: nobody can call it through a route.
    pub(crate) target: Option<Target>,
    /// `None`: it has no sidecar.
    pub(crate) listener: Option<Listener>,
}

/// The side of an app that its own sidecar serves.
pub(crate) struct Listener {
    pub(crate) app_port: u16,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) authentication: Option<Authentication>,
    pub(crate) audit: bool,
}

/// The apps by name: which app a name stands for in which environment.
pub(crate) struct Directory<'a> {
    pub(crate) apps: BTreeMap<&'a Key, App<'a>>,
    by_name: BTreeMap<&'a str, BTreeMap<&'a EnvName, &'a Key>>,
}

// === impl App ===

impl<'a> App<'a> {
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        names_of(self.key, self.resource).into_iter()
    }

    pub(crate) fn spec(&self) -> &'a ProxiedAppSpec {
        &self.resource.spec
    }
}

// === impl Directory ===

impl<'a> Directory<'a> {
    fn new(apps: Vec<App<'a>>) -> Self {
        let mut by_name: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for app in &apps {
            for name in app.names() {
                by_name.entry(name).or_default().insert(app.environment, app.key);
            }
        }
        Self { apps: apps.into_iter().map(|app| (app.key, app)).collect(), by_name }
    }

    /// The app that a name stands for in an environment.
    pub(crate) fn find(&self, name: &str, environment: &EnvName) -> Option<&App<'a>> {
        self.apps.get(*self.by_name.get(name)?.get(environment)?)
    }

    /// Whether a name stands for an app in any environment.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }
}

/// Every app that is accepted.
pub(crate) fn compile<'a>(context: &Context<'a>, providers: &Providers<'a>, report: &mut Report) -> Directory<'a> {
    let mut apps = Vec::new();
    for (key, app) in &context.inventory.apps {
        let mut findings = Findings::default();
        apps.extend(compile_one(context, providers, key, app, &mut findings).filter(|_| findings.is_accepted()));
        report.add(Kind::ProxiedApp, key, findings);
    }
    Directory::new(apps)
}

fn compile_one<'a>(
    context: &Context<'a>,
    providers: &Providers<'_>,
    key: &'a Key,
    resource: &'a ProxiedApp,
    findings: &mut Findings,
) -> Option<App<'a>> {
    let spec = &resource.spec;
    let authentication = spec.authentication.as_ref();
    let authentication = authentication.map(|it| authentication::compile(context, providers, key, it, findings));
    let environment = findings.check(context.environments.require(&key.namespace))?;
    findings.check(check_name(key))?;
    findings.check(context.claims.check_app(environment, key, resource))?;
    findings.check(check_bypass(environment, spec))?;
    check_supported(spec, findings);
    check_accepts(context, spec, findings);
    let target = targets::compile(context, key, spec, environment.as_str(), findings);
    let endpoints = findings.check(endpoints::compile(&spec.endpoints))?;
    let listener = findings.check(app_port(spec))?.map(|app_port| Listener {
        app_port,
        endpoints,
        authentication,
        audit: spec.enforcement == Enforcement::Audit,
    });
    if listener.as_ref().is_some_and(|listener| listener.endpoints.is_empty()) {
        findings.note(ConditionType::Accepted, "it has no endpoints, so every call is denied");
    }
    let audience = format!("{}.{environment}", key.name);
    Some(App { key, resource, environment, audience, target, listener })
}

fn check_name(key: &Key) -> Result<(), Problem> {
    match AppName::try_from(key.name.as_str()) {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = format!("the name of a ProxiedApp is the app's id: {error}");
            Err(Problem::new(Reason::InvalidName, message).at("metadata.name"))
        }
    }
}

fn check_bypass(environment: &EnvName, spec: &ProxiedAppSpec) -> Result<(), Problem> {
    let bypass = spec.delegated_authorization.as_ref().is_some_and(|delegated| delegated.tinyauth.bypass);
    if !bypass || environment.as_str() == "local" {
        return Ok(());
    }
    let message =
        format!("delegatedAuthorization.tinyauth.bypass is for environment local only, not for {environment}");
    Err(Problem::new(Reason::BypassNotAllowed, message).at("spec.delegatedAuthorization.tinyauth.bypass"))
}

fn check_supported(spec: &ProxiedAppSpec, findings: &mut Findings) {
    if spec.delegated_authorization.is_some() {
        findings.refuse(Problem::not_supported("delegated authorisation", "spec.delegatedAuthorization"));
    }
    if spec.login.is_some() {
        findings.refuse(Problem::not_supported("a login page", "spec.login"));
    }
    if spec.provisioning.as_ref().is_some_and(|provisioning| provisioning.scim.is_some()) {
        findings.refuse(Problem::not_supported("provisioning over SCIM", "spec.provisioning.scim"));
    }
}

/// An environment that does not exist grants nothing; it is said, since it is a slip of the pen.
fn check_accepts(context: &Context<'_>, spec: &ProxiedAppSpec, findings: &mut Findings) {
    for (index, accepts) in spec.accepts.iter().flatten().enumerate() {
        for (position, name) in accepts.environments.iter().flatten().enumerate() {
            if context.environments.known(name.as_str()).is_none() {
                let message = format!("the environment {name} is not one of {}", context.environments.list());
                let field = format!("spec.accepts[{index}].environments[{position}]");
                findings.unresolved(Problem::new(Reason::UnknownEnvironment, message).at(field));
            }
        }
    }
}

fn app_port(spec: &ProxiedAppSpec) -> Result<Option<u16>, Problem> {
    match spec.app_port {
        Some(0) => Err(Problem::new(Reason::InvalidUrl, "appPort is 0").at("spec.appPort")),
        port => Ok(port),
    }
}
