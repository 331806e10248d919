//! What may be called, and by whom?

use std::collections::BTreeSet;

use crds::{Access, Permission};
use sidecar_policy::config::Endpoint;
use sidecar_policy::endpoint::EndpointIndex;

use crate::findings::Problem;
use crate::reason::Reason;

/// The rules of an app, in the order written.
pub(crate) fn compile(endpoints: &[crds::Endpoint]) -> Result<Vec<Endpoint>, Problem> {
    let endpoints: Vec<Endpoint> =
        endpoints.iter().enumerate().map(|(index, endpoint)| compile_one(index, endpoint)).collect::<Result<_, _>>()?;
    match EndpointIndex::new(&endpoints) {
        Ok(_) => Ok(endpoints),
        Err(error) => {
            let field = format!("spec.endpoints[{}].paths[{}]", error.endpoint, error.path);
            Err(Problem::new(Reason::InvalidEndpoint, error.to_string()).at(field))
        }
    }
}

fn compile_one(index: usize, endpoint: &crds::Endpoint) -> Result<Endpoint, Problem> {
    let field = |name: &str| format!("spec.endpoints[{index}].{name}");
    let invalid = |name: &str, message: &str| {
        Err(Problem::new(Reason::InvalidEndpoint, format!("{}: {message}", field(name))).at(field(name)))
    };
    if endpoint.authorize.is_some() {
        return Err(Problem::not_supported("delegated authorisation", &field("authorize")));
    }
    if endpoint.paths.is_empty() {
        return invalid("paths", "name at least one path");
    }
    let methods = endpoint.methods.iter().flatten();
    if let Some(bad) = methods.clone().find(|method| !is_method(method)) {
        return invalid("methods", &format!("{bad:?} is no method: write it in capitals, such as GET"));
    }
    // An empty list would mean "no condition" to the sidecar and "nobody" to a reader.
    for (name, empty) in [
        ("methods", endpoint.methods.as_ref().is_some_and(Vec::is_empty)),
        ("permissions", endpoint.permissions.as_ref().is_some_and(Vec::is_empty)),
        ("authorities", endpoint.authorities.as_ref().is_some_and(Vec::is_empty)),
        ("scopes", endpoint.scopes.as_ref().is_some_and(Vec::is_empty)),
    ] {
        if empty {
            return invalid(name, "the list is empty: drop the field, or name something");
        }
    }
    let asks = endpoint.permissions.is_some() || endpoint.authorities.is_some() || endpoint.scopes.is_some();
    let public = endpoint.access == Access::Public;
    if public && (asks || endpoint.proxied_only) {
        return invalid("access", "Public asks for nothing: drop proxiedOnly, permissions, authorities and scopes");
    }
    Ok(Endpoint {
        paths: endpoint.paths.clone(),
        methods: methods.cloned().collect(),
        public,
        proxied_only: endpoint.proxied_only,
        permissions: set(&endpoint.permissions),
        authorities: set(&endpoint.authorities),
        scopes: set(&endpoint.scopes),
    })
}

fn set(names: &Option<Vec<Permission>>) -> BTreeSet<String> {
    names.iter().flatten().map(Permission::to_string).collect()
}

fn is_method(method: &str) -> bool {
    (1..=20).contains(&method.len()) && method.bytes().all(|b| b.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(json: serde_json::Value) -> Option<(Reason, String)> {
        let endpoint: crds::Endpoint = serde_json::from_value(json).unwrap();
        compile(&[endpoint]).err().map(|problem| (problem.reason, problem.field.unwrap_or_default()))
    }

    /// Threat K2b: what is written as "nobody" never becomes "everybody".
    #[test]
    fn empty_lists_never_open_an_endpoint() {
        for name in ["methods", "permissions", "authorities", "scopes"] {
            let found = reason(serde_json::json!({"paths": ["/a"], name: []}));
            assert_eq!(found, Some((Reason::InvalidEndpoint, format!("spec.endpoints[0].{name}"))));
        }
    }

    #[test]
    fn public_endpoints_ask_for_nothing() {
        assert_eq!(reason(serde_json::json!({"paths": ["/a"], "access": "Public"})), None);
        for (name, value) in [("proxiedOnly", serde_json::json!(true)), ("scopes", serde_json::json!(["read"]))] {
            let found = reason(serde_json::json!({"paths": ["/a"], "access": "Public", name: value}));
            assert_eq!(found.map(|(reason, _)| reason), Some(Reason::InvalidEndpoint), "{name}");
        }
    }

    #[test]
    fn bad_templates_name_their_place() {
        let found = reason(serde_json::json!({"paths": ["/a", "/{"]}));
        assert_eq!(found, Some((Reason::InvalidEndpoint, "spec.endpoints[0].paths[1]".to_owned())));
        let found = reason(serde_json::json!({"paths": ["/a"], "methods": ["get"]}));
        assert_eq!(found, Some((Reason::InvalidEndpoint, "spec.endpoints[0].methods".to_owned())));
    }
}
