//! What the API server knows without a definition: `metadata`, and the kinds of core/v1 that ours refer to.

use serde_json::{Map, Value, json};

use crate::load::Kind;

/// Every field of ObjectMeta that is not described below; they are read and left alone.
const OTHER_METADATA: [&str; 9] = [
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
];

/// A definition's schema with `metadata`, `apiVersion` and `kind` filled in; `status` is the operator's and not judged.
pub(crate) fn with_metadata(mut schema: Value, kind: Kind) -> Value {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.extend(common(kind));
        properties.insert("status".to_owned(), anything());
    }
    require(&mut schema, "metadata");
    schema
}

/// The schema of a kind of core/v1.
pub(crate) fn schema(kind: Kind) -> Value {
    let strings = json!({"type": "object", "nullable": true, "additionalProperties": {"type": "string"}});
    let mut properties = common(kind);
    let fields: &[(&str, &Value)] = match kind {
        Kind::Secret => &[
            ("data", &strings),
            ("stringData", &strings),
            ("type", &json!({"type": "string"})),
            ("immutable", &json!({"type": "boolean"})),
        ],
        Kind::ConfigMap => &[("data", &strings), ("binaryData", &strings), ("immutable", &json!({"type": "boolean"}))],
        _ => &[("spec", &anything()), ("status", &anything())],
    };
    properties.extend(fields.iter().map(|(name, schema)| ((*name).to_owned(), (*schema).clone())));
    json!({"type": "object", "required": ["metadata"], "properties": properties})
}

fn common(kind: Kind) -> Map<String, Value> {
    let word = json!({"type": "string"});
    let fields = [("apiVersion", word.clone()), ("kind", word), ("metadata", metadata(kind))];
    fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn metadata(kind: Kind) -> Value {
    let strings = json!({"type": "object", "nullable": true, "additionalProperties": {"type": "string"}});
    let mut properties = json!({
        "name": if kind == Kind::Namespace { label() } else { subdomain() },
        "namespace": label(),
        "labels": strings,
        "annotations": strings,
        "creationTimestamp": {
            "type": "string", "nullable": true, "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}",
            "description": "A time such as 2026-01-31T12:00:00Z (RFC 3339)."
        },
        "uid": {"type": "string"},
    });
    for name in OTHER_METADATA {
        properties[name] = anything();
    }
    json!({
        "type": "object", "required": ["name"], "properties": properties, "description": "Name, namespace, labels."
    })
}

fn label() -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        "description": "Up to 63 lower-case letters, digits or '-', with a letter or digit at both ends (RFC 1123)."
    })
}

fn subdomain() -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": 253,
        "pattern": r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
        "description": "Up to 253 lower-case letters, digits, '-' or '.', with a letter or digit at both ends of each \
                        part (RFC 1123)."
    })
}

fn anything() -> Value {
    json!({"x-kubernetes-preserve-unknown-fields": true})
}

fn require(schema: &mut Value, name: &str) {
    match schema["required"].as_array_mut() {
        Some(required) if required.iter().any(|present| present == name) => {}
        Some(required) => required.push(json!(name)),
        None => schema["required"] = json!([name]),
    }
}
