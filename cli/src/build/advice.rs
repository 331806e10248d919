//! What works, and is perhaps not meant.

use crds::{ProxiedAppSpec, ProxyRouteSpec};
use operator_compile::{Inventory, Key};

use crate::diagnostic::{Diagnostic, Severity};
use crate::load::{Kind, Loaded, Object};

/// A warning for each resource that deserves one.
pub(super) fn find(loaded: &Loaded, inventory: &Inventory) -> Vec<Diagnostic> {
    loaded.objects.iter().flat_map(|object| of(object, inventory)).collect()
}

fn of(object: &Object, inventory: &Inventory) -> Vec<Diagnostic> {
    let key = Key::new(&object.namespace, &object.name);
    let found = match object.kind {
        Kind::ProxyRoute => inventory.routes.get(&key).map(|route| of_route(object, &route.spec)),
        Kind::ProxiedApp => inventory.apps.get(&key).map(|app| of_app(object, &app.spec)),
        _ => None,
    };
    found.unwrap_or_default()
}

fn of_route(object: &Object, route: &ProxyRouteSpec) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if !route.enabled {
        let message = "the route is disabled: every call is answered 501 `The proxy is disabled.`";
        found.push(warning(object, "route_disabled", message, "spec.enabled"));
    }
    if route.cors.as_ref().is_some_and(|cors| cors.allow_origins.is_none() && cors.allow_credentials) {
        let message = "every origin is allowed together with credentials";
        let help = "name the origins in `allowOrigins`, or set `allowCredentials: false`";
        found.push(warning(object, "cors_any_origin", message, "spec.cors").help(help));
    }
    found
}

fn of_app(object: &Object, app: &ProxiedAppSpec) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if app.tls.as_ref().is_some_and(|tls| !tls.verify) {
        let message = "the app's certificate is not verified: whoever answers gets the calls and their credentials";
        let help = "give the certificates of its authority in `tls.caBundle`";
        found.push(warning(object, "tls_not_verified", message, "spec.tls.verify").help(help));
    }
    let tinyauth = app.delegated_authorization.as_ref().map(|delegated| &delegated.tinyauth);
    if tinyauth.is_some_and(|tinyauth| tinyauth.bypass) {
        let message = "the authorisation service is not asked: every call is let through";
        found.push(warning(object, "authorization_bypassed", message, "spec.delegatedAuthorization.tinyauth.bypass"));
    }
    found
}

fn warning(object: &Object, code: &'static str, message: &str, field: &str) -> Diagnostic {
    Diagnostic::new(Severity::Warning, code, message).at(object, field, object.place(field))
}
