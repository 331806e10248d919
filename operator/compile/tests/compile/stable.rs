//! The same meaning gives the same bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use crate::golden::{CLUSTER, EMBEDDED};
use crate::scene::{Scene, documents};

fn bytes(documents: &[Value]) -> BTreeMap<String, Vec<u8>> {
    let compiled = Scene::load(documents).with_keys().compile().0;
    compiled.configs.iter().map(|(app, config)| (app.to_string(), config.to_bytes())).collect()
}

fn both_shops() -> Vec<Value> {
    [documents(EMBEDDED), documents(CLUSTER)].concat()
}

/// Reorders the entries of a list that means a set.
fn rotate(document: &mut Value, pointer: &str, by: usize) {
    if let Some(Value::Array(list)) = document.pointer_mut(pointer)
        && !list.is_empty()
    {
        let by = by % list.len();
        list.rotate_left(by);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_of_resources_changes_nothing(swaps in prop::collection::vec((any::<Index>(), any::<Index>()), 0..40)) {
        let mut documents = both_shops();
        let expected = bytes(&documents);
        for (a, b) in swaps {
            let (a, b) = (a.index(documents.len()), b.index(documents.len()));
            documents.swap(a, b);
        }
        prop_assert_eq!(bytes(&documents), expected);
    }

    #[test]
    fn order_within_sets_changes_nothing(by in 0_usize..7) {
        let mut documents = both_shops();
        let expected = bytes(&documents);
        for document in &mut documents {
            for pointer in ["backends", "apps", "environments", "permissions", "roles", "aliases", "accepts"] {
                rotate(document, &format!("/spec/{pointer}"), by);
            }
        }
        prop_assert_eq!(bytes(&documents), expected);
    }
}

#[test]
fn compiling_twice_gives_the_same_bytes() {
    assert_eq!(bytes(&both_shops()), bytes(&both_shops()));
    assert_eq!(bytes(&both_shops()).len(), 5);
}
