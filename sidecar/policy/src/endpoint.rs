//! Which endpoint rule does a call meet, and does the caller satisfy it?

use std::collections::BTreeMap;

use http::Method;

use crate::caller::Caller;
use crate::code::{Code, Refusal};
use crate::config::Endpoint;
use crate::path::normal_form;

mod reading;

/// The rules of an app, indexed by path.
///
/// The most specific template wins: a literal segment before a variable one, a variable one before a catch-all. Within
/// a template the rule that lists the method wins, and `GET` stands for `HEAD` where no rule of the template lists that;
/// where none does, the call is denied, and a less specific template is not asked.
#[derive(Debug)]
pub struct EndpointIndex {
    strict: Router,
    /// The templates with all their readings, for a path as it is; `None`: each template has only one.
    loose: Option<Router>,
    /// The same for the other readings of a path: here `/a` also is the empty rest of `/a/{*rest}`.
    other: Router,
    rules: Vec<Endpoint>,
}

/// From template to the rules that name it.
type Router = matchit::Router<Vec<usize>>;

/// From template to the places (endpoint, path) that name it.
type Templates = BTreeMap<String, Vec<(usize, usize)>>;

/// Why there is no rule for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRule {
    /// No template matches, or the one that does has no rule for the method.
    #[error("no endpoint of the ProxiedApp matches this path and method")]
    Unmatched,
    /// Another reading of the path meets a rule that asks for something else, or none.
    #[error(
        "the path can be read in two ways (an encoded or doubled slash, `;`, a slash at the end, an escape), which do \
         not meet the same endpoint rule: send the plain path, or give both ways the same rule"
    )]
    Ambiguous,
}

/// Why the rules of an app are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("endpoints[{endpoint}].paths[{path}]: {reason}")]
pub struct EndpointError {
    /// Which endpoint, from 0.
    pub endpoint: usize,
    /// Which of its paths, from 0.
    pub path: usize,
    /// What is wrong and what to do.
    pub reason: String,
}

// === impl EndpointIndex ===

impl EndpointIndex {
    /// Indexes the rules; a template that is malformed or says the same as another is an error.
    pub fn new(endpoints: &[Endpoint]) -> Result<Self, EndpointError> {
        let templates = collect(endpoints)?;
        let strict = route(&templates)?;
        let loose = loosen(&templates)?;
        let other = route(&trim_bases(&loose))?;
        let odd = templates.keys().any(|template| reading::is_odd(template));
        let loose = odd.then(|| route(&loose)).transpose()?;
        Ok(Self { strict, loose, other, rules: endpoints.to_vec() })
    }

    /// The rule for a path (as received: it is brought into normal form here) and a method.
    ///
    /// The app may read the path more loosely than a rule does: a rule is only found where every reading of the path
    /// meets one that asks for the same. A path without `%`, `;`, `//` or a slash at the end has no other reading.
    pub fn find(&self, path: &str, method: &Method) -> Result<&Endpoint, NoRule> {
        let path = normal_form(path);
        let rules = self.strict.at(&path).map_err(|_| NoRule::Unmatched)?.value;
        let rule = self.covering(rules, method).next().ok_or(NoRule::Unmatched)?;
        if self.loose.is_none() && !reading::is_odd(&path) {
            return Ok(rule);
        }
        let readings = reading::readings(&path).ok_or(NoRule::Ambiguous)?;
        let own = self.loose.as_ref().unwrap_or(&self.strict);
        let routers = std::iter::once(own).chain(std::iter::repeat(&self.other));
        let agree = readings.iter().zip(routers).all(|(reading, router)| self.agrees(router, reading, method, rule));
        if agree { Ok(rule) } else { Err(NoRule::Ambiguous) }
    }

    /// Whether a reading meets rules, and none that asks for anything else.
    fn agrees(&self, router: &Router, reading: &str, method: &Method, rule: &Endpoint) -> bool {
        let Ok(matched) = router.at(reading) else { return false };
        let mut covering = self.covering(matched.value, method).peekable();
        covering.peek().is_some() && covering.all(|other| rule.asks_the_same(other))
    }

    /// Those of a template's rules that are for a method.
    fn covering<'a, 'm>(
        &'a self,
        rules: &'a [usize],
        method: &'m Method,
    ) -> impl Iterator<Item = &'a Endpoint> + use<'a, 'm> {
        let rules = rules.iter().filter_map(|rule| self.rules.get(*rule));
        let implied = *method == Method::HEAD && !rules.clone().any(|rule| rule.allows(method));
        let method = if implied { &Method::GET } else { method };
        rules.filter(move |rule| rule.allows(method))
    }
}

/// The templates in normal form, each with the places that name it.
fn collect(endpoints: &[Endpoint]) -> Result<Templates, EndpointError> {
    let mut templates = Templates::new();
    for (e, endpoint) in endpoints.iter().enumerate() {
        for (p, template) in endpoint.paths.iter().enumerate() {
            let fail = |reason: String| EndpointError { endpoint: e, path: p, reason };
            check_template(template).map_err(|reason| fail(reason.to_owned()))?;
            let places = templates.entry(normal_form(template).into_owned()).or_default();
            if let Some(other) = places.iter().find(|(o, _)| overlap(&endpoints[*o], endpoint)) {
                return Err(fail(format!(
                    "{template} is also in endpoints[{}] for the same method: merge them",
                    other.0
                )));
            }
            places.push((e, p));
        }
    }
    Ok(templates)
}

/// The templates with their readings: what an app that reads loosely takes them for. A template that is written out
/// comes before the reading of another.
fn loosen(templates: &Templates) -> Result<Templates, EndpointError> {
    let written: Templates = templates.iter().map(|(template, places)| (shape(template), places.clone())).collect();
    let mut loose = written.clone();
    for (template, places) in templates {
        let fail = |(endpoint, path): (usize, usize)| EndpointError {
            endpoint,
            path,
            reason: "a path that can be read in so many ways: write it plainly".to_owned(),
        };
        for reading in reading::readings(template).ok_or_else(|| fail(places[0]))?.iter().skip(1) {
            let shape = shape(reading);
            if !written.contains_key(&shape) {
                loose.entry(shape).or_default().extend(places);
            }
        }
    }
    Ok(loose)
}

/// The templates, and for each catch-all its base without the slash at the end, unless that is a template.
fn trim_bases(templates: &Templates) -> Templates {
    let mut trimmed = templates.clone();
    for (template, places) in templates {
        let base = catch_all_base(template).and_then(|base| base.strip_suffix('/')).filter(|base| !base.is_empty());
        if let Some(base) = base.filter(|base| !templates.contains_key(*base)) {
            trimmed.entry(base.to_owned()).or_default().extend(places);
        }
    }
    trimmed
}

fn route(templates: &Templates) -> Result<Router, EndpointError> {
    let mut router = Router::new();
    for (template, places) in templates {
        let rules: Vec<usize> = places.iter().map(|(endpoint, _)| *endpoint).collect();
        let (endpoint, path) = places[0];
        let mut insert = |template: &str| {
            let fail = |error: matchit::InsertError| EndpointError { endpoint, path, reason: error.to_string() };
            router.insert(template, rules.clone()).map_err(fail)
        };
        insert(template)?;
        // A catch-all also takes the empty rest, unless that path has a rule of its own.
        if let Some(base) = catch_all_base(template).filter(|base| !templates.contains_key(*base)) {
            insert(base)?;
        }
    }
    Ok(router)
}

/// A template with its variables numbered, so that those that match the same paths are the same text.
fn shape(template: &str) -> String {
    let mut shape = String::with_capacity(template.len());
    let mut rest = template;
    let mut count = 0;
    while let Some((before, after)) = rest.split_once('{') {
        shape.push_str(before);
        shape.push('{');
        if let Some(literal) = after.strip_prefix('{') {
            shape.push('{');
            rest = literal;
        } else {
            shape.extend(after.starts_with('*').then_some('*'));
            shape.push_str(&count.to_string());
            count += 1;
            rest = after.find('}').map_or("", |end| &after[end..]);
        }
    }
    shape.push_str(rest);
    shape
}

// === impl Endpoint ===

impl Endpoint {
    fn allows(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method.as_str())
    }

    /// Whether who satisfies one rule satisfies the other.
    fn asks_the_same(&self, other: &Self) -> bool {
        (self.public, self.proxied_only) == (other.public, other.proxied_only)
            && self.permissions == other.permissions
            && self.authorities == other.authorities
            && self.scopes == other.scopes
    }

    /// Whether the caller satisfies the rule. A public endpoint asks for nothing and should not get here.
    pub fn authorize(&self, caller: &Caller) -> Result<(), Refusal> {
        if self.proxied_only && !caller.proxied {
            return Err(Refusal::new(Code::NotProxied, "this endpoint takes only callers that came through a sidecar"));
        }
        if !self.permissions.is_empty() && self.permissions.is_disjoint(&caller.permissions) {
            return Err(missing(Code::PermissionMissing, "any of the permissions", &self.permissions));
        }
        if !self.authorities.is_empty() && self.authorities.is_disjoint(&caller.authorities) {
            return Err(missing(Code::AuthorityMissing, "any of the authorities", &self.authorities));
        }
        if !self.scopes.is_subset(&caller.scopes) {
            return Err(missing(Code::ScopeMissing, "all of the scopes", &self.scopes));
        }
        Ok(())
    }
}

// === impl NoRule ===

impl From<NoRule> for Refusal {
    fn from(reason: NoRule) -> Self {
        Self::new(Code::NoEndpoint, reason.to_string())
    }
}

fn missing(code: Code, what: &str, names: &std::collections::BTreeSet<String>) -> Refusal {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Refusal::new(code, format!("the caller needs {what} {}", names.join(", ")))
}

fn overlap(a: &Endpoint, b: &Endpoint) -> bool {
    a.methods.is_empty() || b.methods.is_empty() || !a.methods.is_disjoint(&b.methods)
}

fn check_template(template: &str) -> Result<(), &'static str> {
    if !template.starts_with('/') {
        return Err("a path starts with '/'");
    }
    if template.contains(['?', '#', '\\']) || template.bytes().any(|b| !b.is_ascii_graphic()) {
        return Err("a path holds no query, fragment, backslash, space or non-ASCII character");
    }
    if template.split('/').any(|segment| segment == "." || segment == "..") {
        return Err("a path holds no dot segment");
    }
    crate::path::check(template).map_err(|_| "a path holds no dot segment, NUL or broken escape")
}

fn catch_all_base(template: &str) -> Option<&str> {
    let start = template.rfind("{*")?;
    (template.ends_with('}') && template[..start].ends_with('/')).then(|| &template[..start])
}

#[cfg(test)]
mod tests;
