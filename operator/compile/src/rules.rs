//! What else a route does to a call: headers, cross-origin answers, timeouts.

use std::collections::{BTreeMap, BTreeSet};

use crds::{Duration, Header, HeaderModifier, ProxyRouteSpec};
use sidecar_policy::config::{Cors, HeaderRule, HeaderRules, Timeouts};
use sidecar_policy::cors::CorsPolicy;
use sidecar_policy::headers::{CompiledHeaderRule, HeaderRuleError};

use crate::findings::{Findings, Problem};
use crate::reason::Reason;

/// What else a route does to a call.
#[derive(Default)]
pub(crate) struct Rules {
    pub(crate) headers: HeaderRules,
    pub(crate) cors: Option<Cors>,
    pub(crate) timeouts: Timeouts,
}

/// The rules of a route; every mistake is found, not only the first.
pub(crate) fn compile(spec: &ProxyRouteSpec, findings: &mut Findings) -> Option<Rules> {
    let rule = |modifier: Option<&HeaderModifier>, field: &str| modifier.map(|it| header_rule(it, field)).transpose();
    let headers = spec.headers.as_ref();
    let request = rule(headers.and_then(|headers| headers.request.as_ref()), "spec.headers.request");
    let response = rule(headers.and_then(|headers| headers.response.as_ref()), "spec.headers.response");
    let (request, response) = (findings.check(request), findings.check(response));
    let cors = findings.check(spec.cors.as_ref().map(cors).transpose());
    let timeouts = findings.check(timeouts(spec.timeouts.as_ref()));
    let headers = HeaderRules { request: request?.unwrap_or_default(), response: response?.unwrap_or_default() };
    Some(Rules { headers, cors: cors?, timeouts: timeouts? })
}

fn header_rule(modifier: &HeaderModifier, field: &str) -> Result<HeaderRule, Problem> {
    let remove: BTreeSet<String> = modifier.remove.iter().map(|name| name.to_ascii_lowercase()).collect();
    let rule = HeaderRule {
        set: pairs(&modifier.set, &format!("{field}.set"))?,
        add: pairs(&modifier.add, &format!("{field}.add"))?,
        remove,
    };
    match CompiledHeaderRule::try_from(&rule) {
        Ok(_) => Ok(rule),
        Err(error) => {
            let reason = match error {
                HeaderRuleError::Owned(_) => Reason::HeaderNotAllowed,
                HeaderRuleError::Name(_) | HeaderRuleError::Value(_) => Reason::InvalidHeader,
            };
            Err(Problem::new(reason, error.to_string()).at(field))
        }
    }
}

fn pairs(headers: &[Header], field: &str) -> Result<BTreeMap<String, String>, Problem> {
    let mut pairs = BTreeMap::new();
    for (index, header) in headers.iter().enumerate() {
        if pairs.insert(header.name.to_ascii_lowercase(), header.value.clone()).is_some() {
            let message = format!("{:?} stands twice in {field}: name each header once", header.name);
            return Err(Problem::new(Reason::InvalidHeader, message).at(format!("{field}[{index}].name")));
        }
    }
    Ok(pairs)
}

fn cors(cors: &crds::Cors) -> Result<Cors, Problem> {
    // `*` in a list says what no list says: all of them.
    let listed = |entries: &Option<Vec<String>>| entries.clone().filter(|it| !it.iter().any(|entry| entry == "*"));
    let set = |entries: &Option<Vec<String>>| listed(entries).map(|it| it.into_iter().collect::<BTreeSet<_>>());
    let lower = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect::<BTreeSet<_>>();
    let compiled = Cors {
        allow_origins: set(&cors.allow_origins),
        allow_methods: set(&cors.allow_methods),
        allow_headers: listed(&cors.allow_headers).as_deref().map(lower),
        expose_headers: lower(&cors.expose_headers),
        allow_credentials: cors.allow_credentials,
        max_age_seconds: cors.max_age.seconds(),
    };
    match CorsPolicy::try_from(&compiled) {
        Ok(_) => Ok(compiled),
        Err(error) => Err(Problem::new(Reason::InvalidCors, error.to_string()).at("spec.cors")),
    }
}

fn timeouts(timeouts: Option<&crds::Timeouts>) -> Result<Timeouts, Problem> {
    let default = Timeouts::default();
    let millis = |timeout: Option<&Duration>, default: u64, name: &str| match timeout.map(Duration::millis) {
        Some(0) => {
            let message = format!("the timeout {name} is 0: nothing would ever be in time");
            Err(Problem::new(Reason::InvalidTimeout, message).at(format!("spec.timeouts.{name}")))
        }
        millis => Ok(millis.unwrap_or(default)),
    };
    Ok(Timeouts {
        connect_ms: millis(timeouts.and_then(|it| it.connect.as_ref()), default.connect_ms, "connect")?,
        request_ms: millis(timeouts.and_then(|it| it.request.as_ref()), default.request_ms, "request")?,
        idle_ms: millis(timeouts.and_then(|it| it.idle.as_ref()), default.idle_ms, "idle")?,
    })
}
