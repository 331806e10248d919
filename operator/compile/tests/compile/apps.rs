//! Who receives, and where.

use operator_compile::ConditionType::{Accepted, ResolvedRefs};
use operator_compile::{Kind, Reason, Settings};
use serde_json::{Value, json};
use sidecar_policy::config::Target;

use crate::scene::{Outcome, Scene, standalone};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIBAAECAwQFBgcICQ==\n-----END CERTIFICATE-----\n";

fn scene(app: Value, settings: Settings) -> Scene {
    let mut scene = Scene::new()
        .account("demo-a/fr-api", json!({}))
        .app("demo-a/orders", app)
        .route("demo-a/internal", json!({"backends": ["*"]}));
    scene.settings = settings;
    scene.with_keys()
}

fn target(outcome: &Outcome) -> Option<&Target> {
    outcome.config("demo-a/fr-api").outbound.as_ref().unwrap().targets.get("orders.demo")
}

#[test]
fn addresses_come_from_service_or_url() {
    for (app, url, tls) in [
        (json!({"service": {"name": "web", "port": 81}}), "http://web.demo-a.svc:81", false),
        (json!({"service": {"name": "web", "port": 81}, "tls": {}}), "https://web.demo-a.svc:81", true),
        (json!({"url": "https://Orders.Example:443/base/"}), "https://orders.example/base", true),
        (
            json!({"url": "http://orders.demo-a.svc.cluster.local:8080"}),
            "http://orders.demo-a.svc.cluster.local:8080",
            false,
        ),
    ] {
        let outcome = scene(app.clone(), Settings::default()).compile();
        outcome.assert_clean();
        let target = target(&outcome).unwrap();
        assert_eq!((target.url.as_str(), target.in_process), (url, false));
        // Never the absence of settings, which could be read as the absence of verification.
        assert_eq!(target.tls.as_ref().map(|tls| tls.verify), tls.then_some(true), "{app}");
    }
}

/// Threats R4 and K1: where no app may be, and where another namespace's Service is.
#[test]
fn bad_addresses_are_refused() {
    for (app, field) in [
        (json!({"url": "http://169.254.169.254/latest"}), "spec.url"),
        (json!({"url": "http://user:hunter2@a.example"}), "spec.url"),
        (json!({"url": "http://localhost:9001"}), "spec.url"),
        (json!({"url": "file:///etc/passwd"}), "spec.url"),
        (json!({"url": "http://orders.prod-a.svc:80"}), "spec.url"),
        (json!({"url": "http://orders.prod-a.svc.cluster.local."}), "spec.url"),
        (json!({"url": "http://kubernetes.default.svc"}), "spec.url"),
        (json!({"url": "http://orders.prod-a"}), "spec.url"),
        (json!({"url": "http://a.example", "tls": {}}), "spec.url"),
        (json!({"url": "http://a.example", "service": {"name": "a", "port": 1}}), "spec.url"),
        (json!({"service": {"name": "a.prod-a", "port": 80}}), "spec.service.name"),
        (json!({"service": {"name": "a", "port": 0}}), "spec.service.port"),
        (json!({"service": null, "appPort": null}), "spec"),
        (json!({"service": null, "tls": {}}), "spec.tls"),
        (json!({"appPort": 0}), "spec.appPort"),
        (json!({"tls": {"serverName": "a b"}}), "spec.tls.serverName"),
    ] {
        let outcome = scene(app.clone(), Settings::default()).compile();
        let condition = outcome.assert_only("ProxiedApp demo-a/orders", Accepted, Reason::InvalidUrl);
        assert_eq!(condition.field.as_deref(), Some(field), "{app}");
        assert!(!condition.message.contains("hunter2"));
        assert_eq!(target(&outcome), None);
        assert!(!outcome.has_config("demo-a/orders"));
    }
}

#[test]
fn loopback_is_for_standalone_mode() {
    let outcome = scene(json!({"url": "http://127.0.0.1:9001"}), standalone()).compile();
    outcome.assert_clean();
    assert_eq!(target(&outcome).unwrap().url, "http://127.0.0.1:9001");
}

#[test]
fn app_without_address_depends_on_mode() {
    let app = json!({"service": null});
    let outcome = scene(app.clone(), standalone()).compile();
    let found = target(&outcome).unwrap();
    assert_eq!((found.url.as_str(), found.in_process), ("", true));

    let outcome = scene(app.clone(), Settings::default()).compile();
    outcome.assert_clean();
    assert_eq!(target(&outcome), None);
    assert!(outcome.config("demo-a/orders").inbound.is_some());
    let condition = outcome.condition(Kind::ProxiedApp, "demo-a/orders", Accepted).unwrap();
    assert!(condition.message.contains("no sidecar can call it"), "{}", condition.message);

    let outcome = scene(app, Settings::default()).route("demo-a/named", json!({"pathPrefix": "/named"})).compile();
    outcome.assert_only("ProxyRoute demo-a/named", ResolvedRefs, Reason::BackendHasNoAddress);
}

#[test]
fn unverified_tls_is_said_loudly() {
    let outcome = scene(json!({"tls": {"verify": false}}), Settings::default()).compile();
    outcome.assert_clean();
    assert!(!target(&outcome).unwrap().tls.as_ref().unwrap().verify);
    let condition = outcome.condition(Kind::ProxiedApp, "demo-a/orders", Accepted).unwrap();
    assert!(condition.message.contains("WARNING"), "{}", condition.message);
}

/// Without its own roots the app is not reached with the system's.
#[test]
fn missing_ca_bundle_closes_the_way() {
    let bundle = json!({"tls": {"caBundle": {"configMapRef": {"name": "ca"}}}});
    let outcome = scene(bundle.clone(), Settings::default()).compile();
    outcome.assert_only("ProxiedApp demo-a/orders", ResolvedRefs, Reason::ConfigMapNotFound);
    assert_eq!(target(&outcome), None);

    let mut scene = scene(bundle, Settings::default());
    let maps = &mut scene.inventory.config_maps;
    maps.insert(crate::scene::key("demo-a/ca"), [("ca.crt".to_owned(), CERTIFICATE.to_owned())].into());
    let outcome = scene.compile();
    outcome.assert_clean();
    assert_eq!(target(&outcome).unwrap().tls.as_ref().unwrap().ca_bundle.as_deref(), Some(CERTIFICATE));
}

#[test]
fn later_features_are_refused_by_name() {
    let tinyauth = |bypass: bool| {
        let service = json!({
            "endpoint": "https://t.example/", "service": "s", "accessKeySecretRef": {"name": "t"}, "bypass": bypass,
        });
        json!({"delegatedAuthorization": {"tinyauth": service}})
    };
    let scim = json!({"scim": {"url": "https://a.example", "tokenSecretRef": {"name": "t"}}});
    let authorize = json!([{"paths": ["/a"], "authorize": {"permission": "p"}}]);
    for (app, reason, field) in [
        (tinyauth(false), Reason::NotSupported, "spec.delegatedAuthorization"),
        (tinyauth(true), Reason::BypassNotAllowed, "spec.delegatedAuthorization.tinyauth.bypass"),
        (json!({"login": {}}), Reason::NotSupported, "spec.login"),
        (json!({"provisioning": scim}), Reason::NotSupported, "spec.provisioning.scim"),
        (json!({"endpoints": authorize}), Reason::NotSupported, "spec.endpoints[0].authorize"),
        (json!({"endpoints": [{"paths": ["/{"]}]}), Reason::InvalidEndpoint, "spec.endpoints[0].paths[0]"),
    ] {
        let outcome = scene(app.clone(), Settings::default()).compile();
        let condition = outcome.assert_only("ProxiedApp demo-a/orders", Accepted, reason);
        assert_eq!(condition.field.as_deref(), Some(field), "{app}");
        assert!(!outcome.has_config("demo-a/orders"));
    }
}

#[test]
fn names_that_are_no_id_are_refused() {
    let outcome = Scene::new().app("demo-a/orders.v1", json!({"service": {"name": "a", "port": 80}})).compile();
    outcome.assert_only("ProxiedApp demo-a/orders.v1", Accepted, Reason::InvalidName);
}

#[test]
fn audit_and_endpoints_arrive() {
    let app = json!({
        "enforcement": "Audit",
        "endpoints": [
            {"paths": ["/a"], "methods": ["GET"], "proxiedOnly": true, "permissions": ["p"], "scopes": ["s"]},
            {"paths": ["/b"], "access": "Public"},
        ],
    });
    let outcome = scene(app, Settings::default()).compile();
    let inbound = outcome.config("demo-a/orders").inbound.as_ref().unwrap();
    assert!(inbound.audit && inbound.app_port == 8080);
    assert!(inbound.endpoints[0].proxied_only && !inbound.endpoints[0].public);
    assert!(inbound.endpoints[1].public && inbound.endpoints[1].methods.is_empty());
}
