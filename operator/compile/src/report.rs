//! What was found, resource by resource.

use std::collections::BTreeMap;

use crate::condition::{Condition, Kind, ObjectRef};
use crate::findings::Findings;
use crate::inventory::Key;

/// What was found, resource by resource.
#[derive(Default)]
pub(crate) struct Report {
    conditions: BTreeMap<ObjectRef, Vec<Condition>>,
}

// === impl Report ===

impl Report {
    /// Everything about one resource.
    pub(crate) fn add(&mut self, kind: Kind, key: &Key, findings: Findings) {
        self.conditions.insert(ObjectRef::new(kind, key.clone()), findings.into_conditions());
    }

    pub(crate) fn into_conditions(self) -> BTreeMap<ObjectRef, Vec<Condition>> {
        self.conditions
    }
}
