//! Key pairs that are made anew each time, replaced by words that stay the same.

use std::collections::BTreeMap;

use operator_compile::{AccountKeys, Key};
use serde_json::{Map, Value};

/// `value` with the key ids and public keys of `made` replaced: `made-for-{account}`.
pub(super) fn put(value: Value, made: &BTreeMap<Key, AccountKeys>) -> Value {
    let mut words = BTreeMap::new();
    for (account, keys) in made {
        let (pair, kid) = (&keys.signing, format!("made-for-{account}"));
        words.insert(pair.jwk.as_str(), format!("{{\"alg\":\"{}\",\"kid\":\"{kid}\"}}", pair.algorithm));
        words.insert(pair.kid.as_str(), kid);
    }
    replace(value, &words)
}

fn replace(value: Value, words: &BTreeMap<&str, String>) -> Value {
    let word = |text: String| words.get(text.as_str()).cloned().unwrap_or(text);
    match value {
        Value::String(text) => Value::String(word(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| replace(item, words)).collect()),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| (word(key), replace(value, words)));
            Value::Object(fields.collect::<Map<String, Value>>())
        }
        other => other,
    }
}
