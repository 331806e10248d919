//! From the configuration file to indexes, prepared header values and parsed keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use http::HeaderValue;
use sidecar_policy::address::{UrlPolicy, check_base_url};
use sidecar_policy::caller::{Caller, ServiceVerifier};
use sidecar_policy::config::{self, Account, Authentication, Config, Provider, Timeouts};
use sidecar_policy::cors::CorsPolicy;
use sidecar_policy::endpoint::EndpointIndex;
use sidecar_policy::headers::CompiledHeaderRule;
use sidecar_policy::route::RouteIndex;

use crate::authorizer::{TokenSource, api_key, for_account};
use crate::identity::People;
use crate::seeing::metrics::Rare;
use crate::upstream::{Endpoint, client_config, server_name};

/// An app's configuration, ready for use and shared by all workers.
pub(crate) struct Compiled {
    pub(crate) config: Config,
    /// SHA-256 of the configuration, in hex: what the sidecar runs.
    pub(crate) hash: String,
    pub(crate) outbound: Option<Outbound>,
    pub(crate) inbound: Option<Inbound>,
}

pub(crate) struct Outbound {
    pub(crate) loopback: RouteIndex,
    pub(crate) exposed: RouteIndex,
    pub(crate) routes: Vec<Route>,
    pub(crate) targets: Vec<Target>,
}

pub(crate) struct Route {
    pub(crate) name: Arc<str>,
    pub(crate) enabled: bool,
    pub(crate) upstream_path_prefix: String,
    pub(crate) who: Who,
    pub(crate) cors: Option<CorsPolicy>,
    pub(crate) request_rule: CompiledHeaderRule,
    pub(crate) response_rule: CompiledHeaderRule,
    pub(crate) timeouts: Timeouts,
    pub(crate) tokens: Arc<TokenSource>,
    pub(crate) api_key: Option<HeaderValue>,
}

pub(crate) struct Target {
    /// `{app}.{environment}`.
    pub(crate) key: Arc<str>,
    pub(crate) endpoint: Endpoint,
    /// What it is told apart by, so that connections outlive a reload.
    pub(crate) identity: String,
}

/// How callers are told apart.
#[derive(Default)]
pub(crate) struct Who {
    pub(crate) people: Vec<Arc<People>>,
    pub(crate) anonymous: Option<Arc<Caller>>,
    pub(crate) allow_userless: bool,
    /// The values of `WWW-Authenticate` in a 401.
    pub(crate) challenges: Vec<HeaderValue>,
}

pub(crate) struct Inbound {
    pub(crate) verifier: ServiceVerifier,
    pub(crate) who: Who,
    pub(crate) endpoints: EndpointIndex,
    pub(crate) audit: bool,
    pub(crate) app: Target,
    pub(crate) timeouts: Timeouts,
}

/// The caller's route decides how long an answer may take; this is for callers that are no sidecars.
const TO_THE_APP: Timeouts = Timeouts { connect_ms: 5_000, request_ms: 3_600_000, idle_ms: 3_600_000 };

/// What the app ran before, from which unchanged parts are kept.
pub(crate) type Previous<'a> = Option<&'a Compiled>;

/// Why a configuration is not taken. Nothing in it is a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub(crate) struct CompileError {
    what: String,
    why: String,
}

// === impl Compiled ===

impl Compiled {
    pub(crate) fn new(config: Config, previous: Previous<'_>, rare: &Rare) -> Result<Self, CompileError> {
        let hash = hash(&config);
        let people = people(&config, previous)?;
        let outbound = config.outbound.as_ref();
        let outbound =
            outbound.map(|outbound| Outbound::new(&config, outbound, previous, &people, rare)).transpose()?;
        let inbound = config.inbound.as_ref();
        let inbound = inbound.map(|inbound| Inbound::new(&config, inbound, &people)).transpose()?;
        Ok(Self { config, hash, outbound, inbound })
    }
}

// === impl Outbound ===

impl Outbound {
    fn new(
        config: &Config,
        outbound: &config::Outbound,
        previous: Previous<'_>,
        people: &BTreeMap<String, Arc<People>>,
        rare: &Rare,
    ) -> Result<Self, CompileError> {
        let mut sources = BTreeMap::new();
        for (name, account) in &outbound.accounts {
            sources.insert(name.as_str(), source(config, name, account, previous, rare)?);
        }
        let routes = outbound.routes.iter().map(|route| {
            let tokens = sources.get(route.account.as_str());
            let tokens = tokens.ok_or_else(|| fail(&route.name, "its account is not in the configuration"))?;
            let account = &outbound.accounts[&route.account];
            Route::new(route, account, Arc::clone(tokens), people)
        });
        let targets = outbound.targets.iter().map(|(key, target)| Target::new(key, target));
        Ok(Self {
            loopback: RouteIndex::new(outbound, &config.environment, |route| !route.exposed),
            exposed: RouteIndex::new(outbound, &config.environment, |route| route.exposed),
            routes: routes.collect::<Result<_, _>>()?,
            targets: targets.collect::<Result<_, _>>()?,
        })
    }
}

/// The tokens of an account: those it had before, where nothing about it has changed.
fn source(
    config: &Config,
    name: &str,
    account: &Account,
    previous: Previous<'_>,
    rare: &Rare,
) -> Result<Arc<TokenSource>, CompileError> {
    let kept = previous
        .filter(|before| {
            // Both stand in every token.
            before.config.issuer == config.issuer && before.config.environment == config.environment
        })
        .and_then(|before| {
            let outbound = before.config.outbound.as_ref()?;
            (outbound.accounts.get(name)? == account).then_some(())?;
            let position = outbound.routes.iter().position(|route| route.account == name)?;
            Some(Arc::clone(&before.outbound.as_ref()?.routes.get(position)?.tokens))
        });
    match kept {
        Some(source) => Ok(source),
        None => {
            let authorizer =
                for_account(account, &config.issuer, &config.environment).map_err(|error| fail(name, error))?;
            Ok(TokenSource::new(account.subject.clone(), authorizer, rare.clone()))
        }
    }
}

// === impl Route ===

impl Route {
    fn new(
        route: &config::Route,
        account: &Account,
        tokens: Arc<TokenSource>,
        people: &BTreeMap<String, Arc<People>>,
    ) -> Result<Self, CompileError> {
        let rule = |rule| CompiledHeaderRule::try_from(rule).map_err(|error| fail(&route.name, error));
        let mut who = Who::new(route.authentication.as_ref(), people)?;
        who.allow_userless = route.allow_userless;
        let key = match &account.api_key {
            Some(key) => Some(api_key(key).ok_or_else(|| fail(&route.name, "the API key cannot stand in a header"))?),
            None => None,
        };
        Ok(Self {
            name: route.name.as_str().into(),
            enabled: route.enabled,
            upstream_path_prefix: route.upstream_path_prefix.clone(),
            who,
            cors: route
                .cors
                .as_ref()
                .map(CorsPolicy::try_from)
                .transpose()
                .map_err(|error| fail(&route.name, error))?,
            request_rule: rule(&route.headers.request)?,
            response_rule: rule(&route.headers.response)?,
            timeouts: route.timeouts,
            tokens,
            api_key: key,
        })
    }
}

// === impl Target ===

impl Target {
    fn new(key: &str, target: &config::Target) -> Result<Self, CompileError> {
        // The compile step has judged the URL; a loopback address in it is meant.
        let written = UrlPolicy { allow_loopback: true };
        let base = check_base_url(&target.url, &written).map_err(|error| fail(key, error))?;
        let literal = match &base.host {
            url::Host::Domain(name) => name == "localhost",
            url::Host::Ipv4(ip) => ip.is_loopback(),
            url::Host::Ipv6(ip) => ip.is_loopback(),
        };
        let host =
            HeaderValue::try_from(base.authority()).map_err(|_| fail(key, "the host cannot stand in a header"))?;
        let origin = format!("{}://{}:{}", base.scheme.as_str(), base.host, base.port);
        let mut tls = None;
        if base.scheme == sidecar_policy::address::Scheme::Https {
            let config = client_config(target.tls.as_ref()).map_err(|error| fail(key, error))?;
            let name = server_name(target.tls.as_ref(), &base.host.to_string()).map_err(|error| fail(key, error))?;
            tls = Some((Arc::new(config), name));
        }
        let identity = format!("{key} {origin} {:?}", target.tls);
        let endpoint =
            Endpoint { name: key.to_owned(), base, host, origin, tls, policy: UrlPolicy { allow_loopback: literal } };
        Ok(Self { key: key.into(), endpoint, identity })
    }
}

// === impl Inbound ===

impl Inbound {
    fn new(
        config: &Config,
        inbound: &config::Inbound,
        people: &BTreeMap<String, Arc<People>>,
    ) -> Result<Self, CompileError> {
        let app = config::Target {
            app: config.app.clone(),
            environment: config.environment.clone(),
            url: format!("http://127.0.0.1:{}", inbound.app_port),
            in_process: false,
            tls: None,
        };
        Ok(Self {
            verifier: ServiceVerifier::new(inbound, &config.issuer).map_err(|error| fail(&config.app, error))?,
            who: Who::new(inbound.authentication.as_ref(), people)?.with_tokens(),
            endpoints: EndpointIndex::new(&inbound.endpoints).map_err(|error| fail(&config.app, error))?,
            audit: inbound.audit,
            app: Target::new(&inbound.audience, &app)?,
            timeouts: TO_THE_APP,
        })
    }
}

// === impl Who ===

impl Who {
    fn new(
        authentication: Option<&Authentication>,
        people: &BTreeMap<String, Arc<People>>,
    ) -> Result<Self, CompileError> {
        let Some(authentication) = authentication else { return Ok(Self::default()) };
        let known = authentication.providers.iter().map(|name| {
            people.get(name).cloned().ok_or_else(|| fail(name, "the provider is not in the configuration"))
        });
        let known: Vec<_> = known.collect::<Result<_, _>>()?;
        Ok(Self {
            challenges: known.iter().map(|people| people.challenge.clone()).collect(),
            people: known,
            anonymous: authentication.anonymous_authorities.clone().map(|names| Arc::new(Caller::anonymous(names))),
            allow_userless: false,
        })
    }
}

impl Who {
    /// Tokens of service accounts are taken too.
    fn with_tokens(mut self) -> Self {
        self.challenges.insert(0, HeaderValue::from_static("Bearer realm=\"crosscall\""));
        self
    }
}

fn people(config: &Config, previous: Previous<'_>) -> Result<BTreeMap<String, Arc<People>>, CompileError> {
    let before = |name: &str, provider: &Provider| {
        let before = previous?;
        (before.config.providers.get(name)? == provider).then_some(())?;
        let routes = before.outbound.iter().flat_map(|outbound| outbound.routes.iter().map(|route| &route.who));
        let mut all = routes.chain(before.inbound.iter().map(|inbound| &inbound.who)).flat_map(|who| &who.people);
        all.find(|people| people.name == name).cloned()
    };
    let known = config.providers.iter().map(|(name, provider)| {
        let people = match before(name, provider) {
            Some(people) => people,
            None => Arc::new(People::new(name, provider).map_err(|error| fail(name, error))?),
        };
        Ok((name.clone(), people))
    });
    known.collect()
}

fn hash(config: &Config) -> String {
    let digest = digest::digest(&digest::SHA256, &config.to_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fail(what: &str, why: impl std::fmt::Display) -> CompileError {
    CompileError { what: what.to_owned(), why: why.to_string() }
}
