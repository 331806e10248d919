//! The calls of the demo: which show something with these configurations, what must come of each, what came.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crosscall_example::Echo;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use sidecar::{AppKey, Kind};
use sidecar_policy::config::{Backends, Config, EnvironmentSelection, Inbound, Outbound, Provider, Route};

use crate::standalone::{Addresses, url};

/// A call, and what must come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// What it shows.
    pub(crate) title: String,
    /// `http://127.0.0.1:4180/internal/orders/apples`
    pub(crate) url: String,
    /// Name and password.
    pub(crate) user: Option<(String, String)>,
    expected: Expected,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Expected {
    status: u16,
    app: Option<String>,
    path: Option<String>,
    user: Option<String>,
    authorities: BTreeSet<String>,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// The status; none if there was no answer.
    pub(crate) status: Option<u16>,
    /// What the app received, if it got that far.
    pub(crate) echo: Option<Echo>,
    /// Why it did not get that far.
    pub(crate) refusal: Option<String>,
    /// What is not as expected; empty: all is well.
    pub(crate) wrong: Vec<String>,
}

/// The person of the example, whose password stands beside the hash in the file.
const PERSON: (&str, &str) = ("Alice", "abcdef123456");

/// The last segment of every call.
const RESOURCE: &str = "apples";

/// The calls that show something.
pub(crate) fn plan(configs: &BTreeMap<AppKey, Config>, addresses: &Addresses) -> Vec<Call> {
    let at = |key: &AppKey, kind: Kind| addresses.get(&(key.clone(), kind)).map(|address| url(*address));
    let mut calls = Vec::new();
    for (key, config) in configs {
        if let (Some(outbound), Some(base)) = (&config.outbound, at(key, Kind::Outbound)) {
            calls.extend(own_calls(config, outbound, &base));
            calls.extend(at(key, Kind::Exposed).into_iter().flat_map(|base| exposed_calls(config, outbound, &base)));
            calls.extend(disabled_call(outbound, &base));
        }
    }
    for (key, config) in configs {
        if let (Some(inbound), Some(base)) = (&config.inbound, at(key, Kind::Inbound)) {
            calls.extend(direct_call(config, inbound, &base));
        }
    }
    calls
}

/// The app in its own name, to each app that its first route for that reaches.
fn own_calls(config: &Config, outbound: &Outbound, base: &str) -> Vec<Call> {
    let is_own = |route: &&Route| plain(route) && !route.exposed && route.allow_userless;
    let Some(route) = outbound.routes.iter().find(is_own) else { return Vec::new() };
    let subject = outbound.accounts.get(&route.account).map(|account| account.subject.clone());
    let call = |app: String| {
        let title = format!("{} calls {app} in its own name", config.app);
        let user = subject.clone();
        Call { expected: Expected { user, ..reached(route, &app) }, title, url: target(base, route, &app), user: None }
    };
    backends(config, outbound, route).into_iter().map(call).collect()
}

/// People through the first exposed route: one with a password, one without.
fn exposed_calls(config: &Config, outbound: &Outbound, base: &str) -> Vec<Call> {
    let Some(route) = outbound.routes.iter().find(|route| plain(route) && route.exposed) else { return Vec::new() };
    let Some(app) = backends(config, outbound, route).into_iter().next() else { return Vec::new() };
    let Some(authentication) = &route.authentication else { return Vec::new() };
    let providers = authentication.providers.iter().filter_map(|name| config.providers.get(name));
    let person = providers.map(|Provider::Basic { users, .. }| users).find_map(|users| users.get(PERSON.0));
    let call = |title: String, user: Option<(&str, &str)>, name: &str, authorities: &BTreeSet<String>| {
        let (user_name, authorities) = (Some(name.to_owned()), authorities.clone());
        Call {
            title,
            url: target(base, route, &app),
            user: user.map(|(name, password)| (name.to_owned(), password.to_owned())),
            expected: Expected { user: user_name, authorities, ..reached(route, &app) },
        }
    };
    let known = person.map(|person| {
        let title = format!("{} calls {app} through {}", PERSON.0, config.app);
        call(title, Some(PERSON), PERSON.0, &person.roles)
    });
    let anonymous = authentication.anonymous_authorities.as_ref().map(|authorities| {
        call(format!("nobody in particular calls {app} through {}", config.app), None, "anonymousUser", authorities)
    });
    known.into_iter().chain(anonymous).collect()
}

fn disabled_call(outbound: &Outbound, base: &str) -> Option<Call> {
    let route = outbound.routes.iter().find(|route| !route.enabled && !route.exposed)?;
    let expected = Expected { status: 501, ..Expected::default() };
    let url = format!("{base}{}/{RESOURCE}", route.path_prefix);
    Some(Call { title: format!("the route {} is disabled", route.name), url, user: None, expected })
}

/// Past the mechanism, to an endpoint that takes only what comes through it.
fn direct_call(config: &Config, inbound: &Inbound, base: &str) -> Option<Call> {
    let endpoint = inbound.endpoints.iter().find(|endpoint| endpoint.proxied_only)?;
    let path = endpoint.paths.first()?.split('{').next()?;
    let title = format!("a call to {} past the mechanism is refused", config.app);
    let expected = Expected { status: 401, ..Expected::default() };
    Some(Call { title, url: format!("{base}{path}{RESOURCE}"), user: None, expected })
}

fn plain(route: &Route) -> bool {
    route.enabled && route.environment_selection == EnvironmentSelection::Current
}

/// The apps that a route reaches in its own environment.
fn backends(config: &Config, outbound: &Outbound, route: &Route) -> BTreeSet<String> {
    let account = outbound.accounts.get(&route.account);
    let target = |name: &String| outbound.names.get(name)?.get(&config.environment);
    let names: Vec<&String> = match &route.backends {
        Backends::One(name) => vec![name],
        Backends::Named(names) => names.iter().collect(),
        Backends::Any => outbound.names.keys().collect(),
    };
    let targets = names.into_iter().filter_map(target);
    let allowed = targets.filter(|key| account.is_some_and(|account| account.targets.contains(*key)));
    allowed.filter_map(|key| outbound.targets.get(key)).map(|target| target.app.clone()).collect()
}

fn target(base: &str, route: &Route, app: &str) -> String {
    let backend = if matches!(route.backends, Backends::One(_)) { String::new() } else { format!("/{app}") };
    format!("{base}{}{backend}/{RESOURCE}", route.path_prefix)
}

fn reached(route: &Route, app: &str) -> Expected {
    let path = format!("{}/{RESOURCE}", route.upstream_path_prefix);
    Expected { status: 200, app: Some(app.to_owned()), path: Some(path), ..Expected::default() }
}

/// Makes a call.
pub(crate) async fn make(call: &Call) -> Done {
    let answer = match call.url.parse() {
        Ok(url) => crosscall_example::call(&url, call.headers()).await.map_err(|error| error.to_string()),
        Err(_) => Err("the URL cannot be called".to_owned()),
    };
    let (status, body) = match &answer {
        Ok(answer) => (Some(answer.status.as_u16()), answer.body.clone()),
        Err(_) => (None, Default::default()),
    };
    let echo = serde_json::from_slice(&body).ok().filter(|_| status == Some(200));
    let problem: Option<Value> = serde_json::from_slice(&body).ok();
    let detail = problem.and_then(|problem| problem["detail"].as_str().map(str::to_owned));
    let refusal = if echo.is_none() { answer.err().or(detail) } else { None };
    Done { wrong: call.expected.compare(status, echo.as_ref()), status, echo, refusal }
}

// === impl Call ===

impl Call {
    /// As it is typed into a shell.
    pub(crate) fn curl(&self) -> String {
        let user = self.user.as_ref().map(|(name, password)| format!("-u {name}:{password} ")).unwrap_or_default();
        format!("curl {user}{}", self.url)
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some((name, password)) = &self.user
            && let Ok(value) =
                HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))
        {
            headers.insert(AUTHORIZATION, value);
        }
        headers
    }
}

// === impl Expected ===

impl Expected {
    /// What is not as it must be.
    fn compare(&self, status: Option<u16>, echo: Option<&Echo>) -> Vec<String> {
        let mut wrong = Vec::new();
        if status != Some(self.status) {
            wrong.push(format!("status {}", self.status));
        }
        let user = echo.and_then(user);
        for (what, expected, found) in [
            ("app", &self.app, echo.map(|echo| echo.app.as_str())),
            ("path", &self.path, echo.map(|echo| echo.path.as_str())),
            ("user", &self.user, user.as_deref()),
        ] {
            if let Some(expected) = expected.as_deref().filter(|expected| found != Some(expected)) {
                wrong.push(format!("{what} {expected}"));
            }
        }
        let found = echo.and_then(|echo| echo.authorities.as_deref()).unwrap_or_default();
        let lacks = |authority: &&String| !found.split(',').any(|one| one.trim() == authority.as_str());
        wrong.extend(self.authorities.iter().filter(lacks).map(|authority| format!("authority {authority}")));
        wrong
    }
}

/// Who calls: as the sidecar says, or as the token says where the app has no sidecar.
pub(crate) fn user(echo: &Echo) -> Option<String> {
    let subject = || echo.token.as_ref()?["sub"].as_str().map(str::to_owned);
    echo.user.clone().or_else(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named() {
        let expected = Expected {
            status: 200,
            app: Some("orders".to_owned()),
            path: Some("/api/x".to_owned()),
            user: Some("Alice".to_owned()),
            authorities: ["ROLE_A".to_owned(), "ROLE_B".to_owned()].into(),
        };
        let mut request = http::Request::get("/api/x");
        for (name, value) in [("x-crosscall-subject", "Alice"), ("x-crosscall-authorities", "ROLE_A,ROLE_B")] {
            request = request.header(name, value);
        }
        let mut echo = crosscall_example::echo("orders", &request.body(()).unwrap().into_parts().0, 0);
        assert_eq!(expected.compare(Some(200), Some(&echo)), [""; 0]);
        echo.authorities = Some("ROLE_A".to_owned());
        echo.user = None;
        assert_eq!(expected.compare(Some(200), Some(&echo)), ["user Alice", "authority ROLE_B"]);
        let all = ["status 200", "app orders", "path /api/x", "user Alice", "authority ROLE_A", "authority ROLE_B"];
        assert_eq!(expected.compare(Some(401), None), all);
    }
}
