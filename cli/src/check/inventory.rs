//! Checked objects -> the inventory of the compile step.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use operator_compile::{Inventory, Key, Namespace};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sidecar_policy::secret::SecretString;

use crate::diagnostic::{Diagnostic, Severity};
use crate::load::{Kind, Object};

/// Adds an object whose structure holds.
pub(crate) fn add(inventory: &mut Inventory, object: &Object, value: Value) -> Result<(), Box<Diagnostic>> {
    let key = Key::new(&object.namespace, &object.name);
    match object.kind {
        Kind::ProxyServiceAccount => drop(inventory.accounts.insert(key, typed(object, value)?)),
        Kind::ProxyRoute => drop(inventory.routes.insert(key, typed(object, value)?)),
        Kind::ProxiedApp => drop(inventory.apps.insert(key, typed(object, value)?)),
        Kind::IdentityProvider => drop(inventory.providers.insert(key, typed(object, value)?)),
        Kind::ConfigMap => drop(inventory.config_maps.insert(key, strings(&value["data"]))),
        Kind::Secret => drop(inventory.secrets.insert(key, secret(object, &value)?)),
        Kind::Namespace => {
            let labels = strings(&value["metadata"]["labels"]);
            inventory.namespaces.insert(object.name.clone(), Namespace { labels });
        }
    }
    Ok(())
}

/// The resource itself. Types refuse some values that no schema can name.
fn typed<T: DeserializeOwned>(object: &Object, value: Value) -> Result<T, Box<Diagnostic>> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let field = error.path().to_string();
        let place = object.place(&field);
        Box::new(Diagnostic::new(Severity::Error, "invalid_value", error.inner().to_string()).at(object, &field, place))
    })
}

fn strings(map: &Value) -> BTreeMap<String, String> {
    let entries = map.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Entries that are text: `data` decoded, then `stringData` over it.
fn secret(object: &Object, value: &Value) -> Result<BTreeMap<String, SecretString>, Box<Diagnostic>> {
    let mut entries = BTreeMap::new();
    for (key, encoded) in strings(&value["data"]) {
        // As Go's decoder: line breaks are passed over.
        let encoded: String = encoded.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
        let bytes = STANDARD.decode(encoded).map_err(|_| {
            let field = format!("data[{key}]");
            let message = "the value is not base64".to_owned();
            let help = "encode it, or move it to `stringData`";
            Box::new(
                Diagnostic::new(Severity::Error, "invalid_value", message)
                    .at(object, &field, place(object, &key))
                    .help(help),
            )
        })?;
        // What is not text cannot be a credential of ours.
        if let Ok(text) = String::from_utf8(bytes) {
            entries.insert(key, SecretString::from(text));
        }
    }
    let plain = strings(&value["stringData"]);
    entries.extend(plain.into_iter().map(|(key, value)| (key, SecretString::from(value))));
    Ok(entries)
}

fn place(object: &Object, key: &str) -> crate::load::Span {
    let entry = object.node.get("data").and_then(|data| data.entry(key));
    entry.map_or(object.node.span, |entry| entry.value.span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Checker;
    use crate::load::{Source, parse_all};

    fn check(text: &str) -> (Inventory, Vec<Diagnostic>) {
        let loaded = parse_all(vec![Source { path: "a.yaml".into(), text: text.to_owned() }]);
        Checker::new().unwrap().check(&loaded)
    }

    #[test]
    fn secrets_are_decoded_and_overlaid() {
        let (inventory, found) = check(
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: shop}\ndata:\n  a: aGVs\n  b: |\n    aGVs\n    \
             bG8=\n  binary: /w==\nstringData: {a: other}\n",
        );
        assert_eq!(found, []);
        let secret = &inventory.secrets[&Key::new("shop", "s")];
        let shown: Vec<(&str, &str)> = secret.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
        assert_eq!(shown, [("a", "other"), ("b", "hello")]);
    }

    #[test]
    fn bad_base64_is_not_quoted() {
        let (_, found) = check("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  a.b: hunter2!\n");
        assert_eq!((found[0].message.as_str(), found[0].span.unwrap().line), ("the value is not base64", 5));
    }

    #[test]
    fn values_that_types_refuse_have_a_place() {
        let (inventory, found) = check(
            "apiVersion: crosscall.dev/v1alpha1\nkind: ProxyRoute\nmetadata: {name: a}\nspec:\n  proxyApp: a\n  \
             serviceAccountRef: {name: a}\n  pathPrefix: /a/..\n  backends: [a]\n",
        );
        assert!(inventory.routes.is_empty());
        assert_eq!(found[0].field.as_deref(), Some("spec.pathPrefix"));
        assert_eq!((found[0].span.unwrap().line, found[0].span.unwrap().column), (7, 15));
    }

    #[test]
    fn labels_and_namespaces_are_read() {
        let (inventory, found) = check(
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {crosscall.dev/env: local}}\n---\napiVersion: \
             v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop}\ndata: {ca.crt: PEM}\n",
        );
        assert_eq!(found, []);
        assert_eq!(inventory.namespaces["shop"].labels["crosscall.dev/env"], "local");
        assert_eq!(inventory.config_maps[&Key::new("shop", "c")]["ca.crt"], "PEM");
    }
}
