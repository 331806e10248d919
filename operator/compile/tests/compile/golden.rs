//! What the example manifests compile to, for people to read.

use operator_compile::{AccountKeys, Settings};
use serde_json::json;
use sidecar_policy::jwt::Algorithm;
use sidecar_policy::mask::masked;

use crate::scene::{EC_KEYS, Outcome, RSA_KEY, Scene, documents, key, real_pair};

pub const EMBEDDED: &str = include_str!("../../../../examples/embedded/shop.yaml");
pub const CLUSTER: &str = include_str!("../../../../examples/cluster/shop.yaml");

fn compiled(yaml: &str, settings: Settings, account: &str, pem: &str, algorithm: Algorithm) -> Outcome {
    let mut scene = Scene::load(&documents(yaml));
    scene.settings = settings;
    let keys = AccountKeys { signing: real_pair(pem, algorithm), published: Vec::new() };
    scene.inventory.key_pairs.insert(key(account), keys);
    scene.compile()
}

pub fn embedded() -> Outcome {
    let settings = crate::scene::standalone();
    compiled(EMBEDDED, settings, "shop-local/fr-api", RSA_KEY, Algorithm::RS512)
}

pub fn cluster() -> Outcome {
    compiled(CLUSTER, Settings::default(), "shop-prod/fr-api", EC_KEYS[0], Algorithm::ES256)
}

fn check(name: &str, outcome: &Outcome) {
    let conditions: Vec<String> = outcome
        .0
        .conditions
        .iter()
        .flat_map(|(object, conditions)| conditions.iter().map(move |it| (object, it)))
        .map(|(object, it)| format!("{object}: {}={} {}: {}", it.type_, it.status, it.reason, it.message))
        .collect();
    insta::with_settings!({
        snapshot_path => "../../../../tests/golden/compile",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        for (app, config) in &outcome.0.configs {
            insta::assert_snapshot!(format!("{name}.{}.{}", app.namespace, app.app), format!("{:#}", masked(config)));
        }
        insta::assert_snapshot!(format!("{name}.conditions"), conditions.join("\n"));
    });
}

#[test]
fn embedded_shop_compiles_as_reviewed() {
    check("embedded", &embedded());
}

#[test]
fn cluster_shop_compiles_as_reviewed() {
    check("cluster", &cluster());
}

/// Nothing is found in the examples.
#[test]
fn shops_compile_without_a_problem() {
    embedded().assert_clean();
    cluster().assert_clean();
    assert_eq!(embedded().0.configs.len(), 2);
    assert_eq!(cluster().0.configs.len(), 3);
}

/// Before the operator has made the key, everything else is there.
#[test]
fn pending_key_costs_its_routes_alone() {
    let outcome = Scene::load(&documents(EMBEDDED)).compile();
    assert_eq!(
        outcome.problems(),
        [
            "ProxyRoute shop-local/internal ResolvedRefs KeyPending",
            "ProxyRoute shop-local/legacy ResolvedRefs KeyPending",
            "ProxyRoute shop-local/public ResolvedRefs KeyPending",
            "ProxyServiceAccount shop-local/fr-api ResolvedRefs KeyPending",
        ]
    );
    assert!(outcome.config("shop-local/fr-api").outbound.as_ref().unwrap().routes.is_empty());
    assert!(outcome.config("shop-local/orders").inbound.as_ref().unwrap().keys.is_empty());
    let needed = &outcome.0.needed_keys[&key("shop-local/fr-api")];
    assert_eq!((needed.algorithm, needed.rotate_every.as_secs()), (Algorithm::RS512, 720 * 3600));
}

/// Lesson: a sidecar gets its own app's routes and nothing of other environments.
#[test]
fn prod_knows_nothing_of_staging() {
    let config = json!(masked(cluster().config("shop-prod/fr-api"))).to_string();
    assert!(!config.contains("shop-staging") && !config.contains("orders.staging"));
}
