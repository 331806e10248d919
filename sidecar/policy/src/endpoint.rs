//! Which endpoint rule does a call meet, and does the caller satisfy it?

use std::collections::BTreeMap;

use http::Method;

use crate::caller::Caller;
use crate::code::{Code, Refusal};
use crate::config::Endpoint;
use crate::path::normal_form;

/// The rules of an app, indexed by path.
///
/// The most specific template wins: a literal segment before a variable one, a variable one before a catch-all. Within
/// a template the rule that lists the method wins; where none does, the call is denied, and a less specific template
/// is not asked.
#[derive(Debug)]
pub struct EndpointIndex {
    router: matchit::Router<Vec<usize>>,
    rules: Vec<Endpoint>,
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
        let mut templates: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
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
        let mut router = matchit::Router::new();
        for (template, places) in &templates {
            let rules: Vec<usize> = places.iter().map(|(endpoint, _)| *endpoint).collect();
            let (endpoint, path) = places[0];
            let mut insert = |template: &str| {
                router.insert(template, rules.clone()).map_err(|error| EndpointError {
                    endpoint,
                    path,
                    reason: error.to_string(),
                })
            };
            insert(template)?;
            // A catch-all also takes the empty rest, unless that path has a rule of its own.
            if let Some(base) = catch_all_base(template).filter(|base| !templates.contains_key(*base)) {
                insert(base)?;
            }
        }
        Ok(Self { router, rules: endpoints.to_vec() })
    }

    /// The rule for a path (as received: it is brought into normal form here) and a method.
    pub fn find(&self, path: &str, method: &Method) -> Option<&Endpoint> {
        let path = normal_form(path);
        let matched = self.router.at(&path).ok()?;
        matched.value.iter().map(|rule| &self.rules[*rule]).find(|rule| rule.allows(method))
    }
}

// === impl Endpoint ===

impl Endpoint {
    fn allows(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method.as_str())
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
mod tests {
    use super::*;

    fn endpoint(path: &str, methods: &[&str]) -> Endpoint {
        Endpoint {
            paths: vec![path.to_owned()],
            methods: methods.iter().map(|m| (*m).to_owned()).collect(),
            public: false,
            proxied_only: false,
            permissions: [path.to_owned()].into(),
            authorities: [].into(),
            scopes: [].into(),
        }
    }

    fn found(index: &EndpointIndex, path: &str, method: Method) -> Option<String> {
        index.find(path, &method).map(|rule| rule.paths[0].clone())
    }

    #[test]
    fn the_most_specific_template_wins() {
        let index = EndpointIndex::new(&[
            endpoint("/api/{*path}", &[]),
            endpoint("/api/v1/apples/{name}", &["GET"]),
            endpoint("/api/v1/apples/pie", &[]),
        ])
        .unwrap();
        assert_eq!(found(&index, "/api/x/y", Method::GET).as_deref(), Some("/api/{*path}"));
        assert_eq!(found(&index, "/api/v1/apples/green", Method::GET).as_deref(), Some("/api/v1/apples/{name}"));
        assert_eq!(found(&index, "/api/v1/apples/pie", Method::PUT).as_deref(), Some("/api/v1/apples/pie"));
        assert_eq!(found(&index, "/api/v1/apples/green", Method::PUT), None);
        assert_eq!(found(&index, "/other", Method::GET), None);
        assert_eq!(found(&index, "/", Method::GET), None);
    }

    #[test]
    fn a_catch_all_takes_the_empty_rest() {
        let index = EndpointIndex::new(&[endpoint("/api/{*path}", &[])]).unwrap();
        assert!(found(&index, "/api/", Method::GET).is_some());
        assert!(found(&index, "/api", Method::GET).is_none());
        assert!(found(&index, "/apis/", Method::GET).is_none());
    }

    #[test]
    fn escapes_of_plain_letters_match() {
        let index = EndpointIndex::new(&[endpoint("/api/internal/x", &[])]).unwrap();
        assert!(found(&index, "/api/%69nternal/x", Method::GET).is_some());
        assert!(found(&index, "/api%2finternal/x", Method::GET).is_none());
        assert!(found(&index, "/api/internal;v=1/x", Method::GET).is_none());
    }

    #[test]
    fn the_same_path_splits_by_method() {
        let index = EndpointIndex::new(&[endpoint("/a", &["GET"]), endpoint("/a", &["POST"])]).unwrap();
        assert!(found(&index, "/a", Method::POST).is_some());
        assert!(found(&index, "/a", Method::DELETE).is_none());
        let error = EndpointIndex::new(&[endpoint("/a", &["GET"]), endpoint("/a", &[])]).unwrap_err();
        assert_eq!((error.endpoint, error.path), (1, 0));
    }

    #[test]
    fn malformed_templates_are_refused() {
        for bad in ["a", "/a?b", "/a#b", "/a/../b", "/%2e%2e/b", "/{", "/{*x}/y", "/a b", "/{a}{b}", "/\u{e9}"] {
            assert!(EndpointIndex::new(&[endpoint(bad, &[])]).is_err(), "{bad}");
        }
    }

    #[test]
    fn any_permission_and_all_scopes() {
        let mut rule = endpoint("/a", &[]);
        rule.permissions = ["p".to_owned(), "q".to_owned()].into();
        rule.scopes = ["read".to_owned(), "write".to_owned()].into();
        let mut caller = Caller::person("alice", [].into()).unwrap();
        assert_eq!(rule.authorize(&caller).unwrap_err().code, Code::PermissionMissing);
        caller.permissions = ["q".to_owned()].into();
        caller.scopes = ["read".to_owned()].into();
        assert_eq!(rule.authorize(&caller).unwrap_err().code, Code::ScopeMissing);
        caller.scopes.insert("write".to_owned());
        assert_eq!(rule.authorize(&caller), Ok(()));
        rule.proxied_only = true;
        assert_eq!(rule.authorize(&caller).unwrap_err().code, Code::NotProxied);
        rule.proxied_only = false;
        rule.authorities = ["ROLE_X".to_owned()].into();
        assert_eq!(rule.authorize(&caller).unwrap_err().code, Code::AuthorityMissing);
    }
}
