//! Whatever the inventory holds, there is an answer, and the sidecar takes it.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use sidecar_policy::caller::ServiceVerifier;
use sidecar_policy::config::{Config, Provider};
use sidecar_policy::cors::CorsPolicy;
use sidecar_policy::endpoint::EndpointIndex;
use sidecar_policy::headers::CompiledHeaderRule;
use sidecar_policy::password::Users;
use sidecar_policy::route::RouteIndex;

use crate::golden::{CLUSTER, EMBEDDED};
use crate::scene::{Outcome, Scene, documents, standalone};

/// One change somewhere below one of the documents.
#[derive(Clone, Debug)]
struct Change {
    document: Index,
    place: Index,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Drop,
    Put(Value),
    Copy(Index),
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec![
            "",
            "*",
            "/",
            "..",
            "a.b",
            "orders",
            "stock",
            "orders_api",
            "fr-api",
            "people",
            "prod",
            "demo",
            "local",
            "staging",
            "true",
            "system:x",
            "http://169.254.169.254",
            "http://a.example",
            "https://a.example",
            "FromPath",
            "Pod",
            "Allow",
            "Public",
            "Audit",
            "Bearer",
            "Basic",
            "OIDC",
            "ES256",
            "0s",
            "99999h",
            "/{",
            "/{*p}",
            "/{x}",
            "GET",
            "a\r\nb",
            "\u{0}",
            "authorization",
            "shop-local",
            "shop-prod",
            "\u{1F980}",
            "$2b$10$",
        ])
        .prop_map(Value::from),
        prop::sample::select(vec![
            json!(null),
            json!(true),
            json!(false),
            json!(0),
            json!(-1),
            json!(65535),
            json!([]),
            json!({}),
            json!(["*"]),
            json!([{}]),
            json!({"name": "people"}),
            json!({"inline": "x"}),
            json!({"verify": false}),
            json!(["orders"]),
        ]),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let what = prop_oneof![
        1 => Just(What::Drop),
        3 => values().prop_map(What::Put),
        2 => any::<Index>().prop_map(What::Copy),
    ];
    let change = (any::<Index>(), any::<Index>(), what);
    prop::collection::vec(change.prop_map(|(document, place, what)| Change { document, place, what }), 1..6)
}

/// Every place below a value, as JSON pointers.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| places(value, format!("{at}/{name}"), found)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| places(value, format!("{at}/{index}"), found));
        }
        _ => {}
    }
    found.push(at);
}

fn apply(documents: &mut [Value], change: &Change) {
    let at = change.document.index(documents.len());
    let mut found = Vec::new();
    places(&documents[at], String::new(), &mut found);
    let place = found[change.place.index(found.len())].clone();
    let value = match &change.what {
        What::Drop => {
            let (parent, name) = place.rsplit_once('/').unwrap_or_default();
            match documents[at].pointer_mut(parent) {
                Some(Value::Object(map)) => drop(map.remove(name)),
                Some(Value::Array(list)) => drop(name.parse().ok().map(|index: usize| list.remove(index))),
                _ => {}
            }
            return;
        }
        What::Put(value) => value.clone(),
        What::Copy(from) => {
            let from = &documents[from.index(documents.len())];
            from.pointer(&place).cloned().unwrap_or_default()
        }
    };
    if let Some(target) = documents[at].pointer_mut(&place) {
        *target = value;
    }
}

/// What the sidecar does with a configuration before it takes it.
fn assert_taken(config: &Config) {
    assert_eq!(Config::parse(&config.to_bytes()).as_ref(), Ok(config));
    for Provider::Basic { users, .. } in config.providers.values() {
        Users::new(users).unwrap();
    }
    if let Some(inbound) = &config.inbound {
        ServiceVerifier::new(inbound, &config.issuer).unwrap();
        EndpointIndex::new(&inbound.endpoints).unwrap();
    }
    let Some(outbound) = &config.outbound else { return };
    RouteIndex::new(outbound, &config.environment, |_| true);
    for route in &outbound.routes {
        assert!(outbound.accounts.contains_key(&route.account), "{route:?}");
        route.cors.as_ref().map(CorsPolicy::try_from).transpose().unwrap();
        CompiledHeaderRule::try_from(&route.headers.request).unwrap();
        CompiledHeaderRule::try_from(&route.headers.response).unwrap();
        assert!(!route.exposed || route.authentication.is_some(), "threat: an open route, {route:?}");
    }
    let targets = outbound.names.values().flat_map(|environments| environments.values());
    for key in targets.chain(outbound.accounts.values().flat_map(|account| &account.targets)) {
        assert!(outbound.targets.contains_key(key), "{key}");
    }
}

fn assert_sound(outcome: &Outcome) {
    outcome.0.configs.values().for_each(assert_taken);
    for (object, conditions) in &outcome.0.conditions {
        let mut types: Vec<_> = conditions.iter().map(|condition| condition.type_).collect();
        types.dedup();
        assert_eq!(types.len(), conditions.len(), "{object}");
        assert!(conditions.len() >= 2 && conditions.iter().all(|it| !it.message.is_empty()), "{object}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Threat K9: no resource stops the step, and nothing that it writes stops a sidecar.
    #[test]
    fn changed_shops_never_stop_it(changes in changes(), on_cluster in any::<bool>()) {
        let mut documents = [documents(EMBEDDED), documents(CLUSTER)].concat();
        for change in &changes {
            apply(&mut documents, change);
        }
        let mut scene = Scene::load(&documents);
        if !on_cluster {
            scene.settings = standalone();
        }
        assert_sound(&scene.compile());
        let scene = scene.with_keys();
        let outcome = scene.compile();
        assert_sound(&outcome);
        let resources = &scene.inventory;
        let count = resources.accounts.len() + resources.routes.len() + resources.apps.len() + resources.providers.len();
        prop_assert_eq!(outcome.0.conditions.len(), count, "every resource has its conditions");
    }
}

#[test]
fn nothing_in_gives_nothing_out() {
    let outcome = Scene::default().compile();
    assert!(outcome.0.configs.is_empty() && outcome.0.conditions.is_empty() && outcome.0.needed_keys.is_empty());
}
