//! Inventories for tests: from manifests, or built resource by resource.

use std::collections::BTreeMap;

use operator_compile::{
    AccountKeys, AppKey, Compiled, Condition, ConditionType, Inventory, Key, KeyPair, Kind, Namespace, ObjectRef,
    Reason, Settings, compile,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sidecar_policy::config::Config;
use sidecar_policy::jwt::{Algorithm, SigningKey};
use sidecar_policy::secret::SecretString;

/// Keys for tests alone.
pub const EC_KEYS: [&str; 2] = [include_str!("keys/one.pem"), include_str!("keys/two.pem")];
/// The same, RSA.
pub const RSA_KEY: &str = include_str!("keys/rsa.pem");

/// An inventory in the making.
#[derive(Clone, Default)]
pub struct Scene {
    pub inventory: Inventory,
    pub settings: Settings,
}

/// What came out, with short ways to look at it.
pub struct Outcome(pub Compiled);

/// The documents of a manifest.
pub fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap()
}

/// `namespace/name`.
pub fn key(text: &str) -> Key {
    let (namespace, name) = text.split_once('/').unwrap();
    Key::new(namespace, name)
}

// === impl Scene ===

impl Scene {
    /// Two namespaces in demo, one in prod, one in demo that may call other environments.
    pub fn new() -> Self {
        let crossing = [("crosscall.dev/env", "demo"), ("crosscall.dev/allow-cross-environment", "true")];
        Self::default()
            .namespace("demo-a", &[("crosscall.dev/env", "demo")])
            .namespace("demo-b", &[("crosscall.dev/env", "demo")])
            .namespace("prod-a", &[("crosscall.dev/env", "prod")])
            .namespace("demo-x", &crossing)
    }

    /// A manifest; documents that do not have the shape of their kind are dropped, as are kinds that do not matter.
    pub fn load(documents: &[Value]) -> Self {
        let mut scene = Self { settings: standalone(), ..Self::default() };
        for document in documents {
            scene.insert(document);
        }
        scene
    }

    pub fn namespace(mut self, name: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.inventory.namespaces.insert(name.to_owned(), Namespace { labels });
        self
    }

    /// An account of `fr-api` that lists its own environment, `demo` and `prod`, and may call `orders`; `spec` is laid
    /// over that.
    pub fn account(self, at: &str, spec: Value) -> Self {
        let default = json!({
            "proxyApp": "fr-api", "environments": ["demo", "prod"], "apps": ["orders"],
            "permissions": ["use_proxied_only_endpoints"],
            "credential": {"type": "SignedToken", "signedToken": {"algorithm": "ES256"}},
        });
        self.resource("ProxyServiceAccount", at, default, spec)
    }

    /// A route of `fr-api` under its account to `orders` below `/internal`; `spec` is laid over that.
    pub fn route(self, at: &str, spec: Value) -> Self {
        let mut default = json!({
            "proxyApp": "fr-api", "serviceAccountRef": {"name": "fr-api"}, "pathPrefix": "/internal",
        });
        if spec.get("backend").is_none() && spec.get("backends").is_none() {
            default["backends"] = json!(["orders"]);
        }
        self.resource("ProxyRoute", at, default, spec)
    }

    /// An app with a Service of its name, and a sidecar; `spec` is laid over that.
    pub fn app(self, at: &str, spec: Value) -> Self {
        let name = key(at).name;
        let mut default = json!({"appPort": 8080, "endpoints": [{"paths": ["/{*path}"]}]});
        if spec.get("url").is_none() {
            default["service"] = json!({"name": name, "port": 80});
        }
        self.resource("ProxiedApp", at, default, spec)
    }

    pub fn provider(self, at: &str, spec: Value) -> Self {
        let default = json!({"type": "Basic", "basic": {"usersSecretRef": {"name": "people"}}});
        self.resource("IdentityProvider", at, default, spec)
    }

    pub fn secret(mut self, at: &str, entries: &[(&str, &str)]) -> Self {
        let entries = entries.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value)));
        self.inventory.secrets.insert(key(at), entries.collect());
        self
    }

    /// `null` in `spec` takes a default away; `createdAt` is the resource's age.
    fn resource(mut self, kind: &str, at: &str, mut default: Value, spec: Value) -> Self {
        let Key { namespace, name } = key(at);
        let mut metadata = json!({"name": name, "namespace": namespace});
        for (name, value) in spec.as_object().unwrap() {
            match (name.as_str(), value) {
                ("createdAt", time) => metadata["creationTimestamp"] = time.clone(),
                (name, Value::Null) => drop(default.as_object_mut().unwrap().remove(name)),
                (name, value) => default[name] = value.clone(),
            }
        }
        let document =
            json!({"apiVersion": "crosscall.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": default});
        assert!(self.insert(&document), "{document:#}");
        self
    }

    fn insert(&mut self, document: &Value) -> bool {
        let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let at = Key::new(text("/metadata/namespace"), text("/metadata/name"));
        let inventory = &mut self.inventory;
        match text("/kind").as_str() {
            "Namespace" => {
                let labels = strings(document.pointer("/metadata/labels"));
                inventory.namespaces.insert(at.name, Namespace { labels });
                true
            }
            "Secret" => {
                let entries = strings(document.get("stringData")).into_iter().map(|(name, value)| (name, value.into()));
                inventory.secrets.insert(at, entries.collect());
                true
            }
            "ProxyServiceAccount" => add(&mut inventory.accounts, at, document),
            "ProxyRoute" => add(&mut inventory.routes, at, document),
            "ProxiedApp" => add(&mut inventory.apps, at, document),
            "IdentityProvider" => add(&mut inventory.providers, at, document),
            _ => false,
        }
    }

    /// Gives every account that needs a key pair one of its own, made up from a real public key.
    pub fn with_keys(mut self) -> Self {
        for account in compile(&self.inventory, &self.settings).needed_keys.into_keys() {
            let pair = made_up_pair(&format!("key-of-{account}"));
            self.inventory.key_pairs.insert(account, AccountKeys { signing: pair, published: Vec::new() });
        }
        self
    }

    pub fn compile(&self) -> Outcome {
        Outcome(compile(&self.inventory, &self.settings))
    }
}

// === impl Outcome ===

impl Outcome {
    /// The configuration of `namespace/app`.
    pub fn config(&self, at: &str) -> &Config {
        let Key { namespace, name } = key(at);
        let found = self.0.configs.get(&AppKey { namespace, app: name });
        found.unwrap_or_else(|| panic!("no configuration for {at}; there are {:?}", self.0.configs.keys()))
    }

    pub fn has_config(&self, at: &str) -> bool {
        let Key { namespace, name } = key(at);
        self.0.configs.contains_key(&AppKey { namespace, app: name })
    }

    pub fn condition(&self, kind: Kind, at: &str, type_: ConditionType) -> Option<&Condition> {
        let conditions = &self.0.conditions[&ObjectRef::new(kind, key(at))];
        conditions.iter().find(|condition| condition.type_ == type_)
    }

    /// Every problem: `ProxyRoute demo-a/x Accepted NotSecured`.
    pub fn problems(&self) -> Vec<String> {
        let line = |(object, condition): (&ObjectRef, &Condition)| {
            format!("{object} {} {}", condition.type_, condition.reason)
        };
        self.0.problems().map(line).collect()
    }

    /// The one problem that there is.
    #[track_caller]
    pub fn only_problem(&self) -> (&ObjectRef, &Condition) {
        let problems: Vec<_> = self.0.problems().collect();
        let [problem] = problems.as_slice() else { panic!("expected one problem, found {:#?}", self.0.conditions) };
        *problem
    }

    #[track_caller]
    pub fn assert_only(&self, object: &str, type_: ConditionType, reason: Reason) -> &Condition {
        let (found, condition) = self.only_problem();
        assert_eq!((found.to_string().as_str(), condition.type_, condition.reason), (object, type_, reason));
        condition
    }

    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.problems().is_empty(), "{:#?}", self.0.problems().collect::<Vec<_>>());
    }
}

/// Without a cluster.
pub fn standalone() -> Settings {
    Settings { standalone: true, ..Settings::default() }
}

/// A pair with a real key.
pub fn real_pair(pem: &str, algorithm: Algorithm) -> KeyPair {
    let key = SigningKey::parse(pem.as_bytes(), algorithm).unwrap();
    KeyPair {
        kid: key.kid().to_owned(),
        algorithm,
        private_key_pem: key.to_pkcs8_pem().unwrap(),
        jwk: key.public_jwk().to_string(),
    }
}

/// A pair whose public half is a real key under another id, and whose private half is none.
pub fn made_up_pair(kid: &str) -> KeyPair {
    let mut jwk: Value = serde_json::from_str(&real_pair(EC_KEYS[0], Algorithm::ES256).jwk).unwrap();
    jwk["kid"] = kid.into();
    let (kid, jwk) = (kid.to_owned(), jwk.to_string());
    KeyPair { kid, algorithm: Algorithm::ES256, private_key_pem: "made up".into(), jwk }
}

fn add<T: DeserializeOwned>(map: &mut BTreeMap<Key, T>, at: Key, document: &Value) -> bool {
    serde_json::from_value(document.clone()).map(|resource| map.insert(at, resource)).is_ok()
}

fn strings(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
