//! Manifests: the example that people start from, and minimal ones that a test changes in one place.

use std::fs;

use serde_json::{Value, json};

use crate::binary;

/// A manifest that is put together step by step.
#[derive(Clone, Debug)]
pub struct Manifest(Value);

/// The embedded shop with its two apps on other ports.
pub fn embedded_shop(orders: u16, stock: u16) -> String {
    let text = fs::read_to_string(binary::root().join("examples/embedded/shop.yaml")).unwrap();
    let moved = text
        .replace("appPort: 9001", &format!("appPort: {orders}"))
        .replace("http://127.0.0.1:9002", &format!("http://127.0.0.1:{stock}"));
    assert!(!moved.contains(":9002") && !moved.contains("appPort: 9001"), "the example names other ports");
    moved
}

/// A manifest of `tests/fixtures/refused` with its app on another port.
pub fn refused(name: &str, app_port: u16) -> String {
    let path = binary::root().join("tests/fixtures/refused").join(name);
    fs::read_to_string(path).unwrap().replace("appPort: 9001", &format!("appPort: {app_port}"))
}

/// Several manifests as one file.
pub fn file(manifests: &[Manifest]) -> String {
    manifests.iter().map(Manifest::document).collect()
}

// === impl Manifest ===

impl Manifest {
    /// A namespace of an environment.
    pub fn namespace(name: &str, environment: &str) -> Self {
        let labels = json!({"crosscall.dev/env": environment});
        Self(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}))
    }

    /// A Secret.
    pub fn secret(namespace: &str, name: &str, entries: &[(&str, &str)]) -> Self {
        let entries: serde_json::Map<String, Value> =
            entries.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let metadata = json!({"namespace": namespace, "name": name});
        Self(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": entries}))
    }

    /// A service account `{app}` that signs with EdDSA and may call `apps` in environment `local`.
    pub fn account(namespace: &str, app: &str, apps: &[&str]) -> Self {
        let credential = json!({"type": "SignedToken", "signedToken": {"algorithm": "EdDSA"}});
        let spec = json!({
            "proxyApp": app, "environments": ["local"], "apps": apps,
            "permissions": ["use_proxied_only_endpoints"], "credential": credential,
        });
        Self::of(namespace, "ProxyServiceAccount", app, spec)
    }

    /// A loopback route `{name}` of `app` under `/{name}` to `backends`, without users.
    pub fn route(namespace: &str, app: &str, name: &str, backends: &[&str]) -> Self {
        let spec = json!({
            "proxyApp": app, "serviceAccountRef": {"name": app}, "pathPrefix": format!("/{name}"),
            "backends": backends, "allowUserless": true,
        });
        Self::of(namespace, "ProxyRoute", name, spec)
    }

    /// An exposed route `{name}` of `app` under `/{name}` to `backends`, with this `authentication`.
    pub fn exposed(namespace: &str, app: &str, name: &str, backends: &[&str], authentication: Value) -> Self {
        let route = Self::route(namespace, app, name, backends).without("allowUserless");
        route.with("/exposure", "Pod").with("/authentication", authentication)
    }

    /// An app that is called directly, at a port of this machine.
    pub fn direct_app(namespace: &str, name: &str, port: u16) -> Self {
        Self::of(namespace, "ProxiedApp", name, json!({"url": format!("http://127.0.0.1:{port}")}))
    }

    /// An app behind its sidecar, all of whose paths take callers that came through the mechanism.
    pub fn app(namespace: &str, name: &str, app_port: u16) -> Self {
        let endpoints = json!([{"paths": ["/{*path}"], "proxiedOnly": true}]);
        Self::of(namespace, "ProxiedApp", name, json!({"appPort": app_port, "endpoints": endpoints}))
    }

    /// Users with passwords from a Secret, each with `ROLE_USER`.
    pub fn people(namespace: &str, name: &str, users: &[&str]) -> Self {
        let roles: serde_json::Map<String, Value> =
            users.iter().map(|user| ((*user).to_owned(), json!(["ROLE_USER"]))).collect();
        let basic = json!({"usersSecretRef": {"name": name}, "roles": roles});
        Self::of(namespace, "IdentityProvider", name, json!({"type": "Basic", "basic": basic}))
    }

    /// Sets what a JSON pointer (RFC 6901) names below `/spec`; objects on the way are made.
    #[must_use]
    pub fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        *walk(&mut self.0["spec"], pointer) = value.into();
        self
    }

    /// Takes away a field of `/spec`.
    #[must_use]
    pub fn without(mut self, field: &str) -> Self {
        self.0["spec"].as_object_mut().unwrap().remove(field).unwrap();
        self
    }

    /// Sets a label.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.0["metadata"]["labels"][name] = json!(value);
        self
    }

    fn of(namespace: &str, kind: &str, name: &str, spec: Value) -> Self {
        let metadata = json!({"namespace": namespace, "name": name});
        Self(json!({"apiVersion": "crosscall.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}))
    }

    /// The YAML document, with the line that separates it from the one before.
    pub fn document(&self) -> String {
        format!("---\n{}", serde_yaml::to_string(&self.0).unwrap())
    }
}

fn walk<'a>(value: &'a mut Value, pointer: &str) -> &'a mut Value {
    pointer.split('/').skip(1).fold(value, |value, field| match field.parse::<usize>() {
        Ok(index) if value.is_array() => &mut value[index],
        _ => &mut value[field],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_set_where_pointed() {
        let app =
            Manifest::app("shop", "orders", 1).with("/endpoints/0/methods", json!(["GET"])).with("/tls/verify", false);
        assert_eq!(app.0["spec"]["endpoints"][0]["methods"], json!(["GET"]));
        assert_eq!(app.0["spec"]["tls"], json!({"verify": false}));
        assert!(app.document().starts_with("---\napiVersion:"), "{}", app.document());
    }
}
