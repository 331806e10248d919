//! The schemas and rules that this build carries, by kind.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::check::core;
use crate::check::rules::Rules;
use crate::check::schema::{Schema, SchemaError};
use crate::load::Kind;

/// What a kind is checked against.
#[derive(Debug)]
pub(crate) struct Bundled {
    /// Its structure.
    pub(crate) schema: Schema,
    /// Its CEL rules; none for kinds of core/v1.
    pub(crate) rules: Option<Rules>,
}

/// A definition that this build carries and cannot use: a mistake in the build, not of the user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundledError {
    /// Its schema.
    #[error("the definition of {kind} cannot be used")]
    Schema {
        /// Which.
        kind: Kind,
        /// Why.
        #[source]
        source: SchemaError,
    },
    /// It is not there.
    #[error("there is no definition of {kind}")]
    Missing {
        /// Which.
        kind: Kind,
    },
}

/// Every kind that counts.
pub(crate) fn all() -> Result<BTreeMap<Kind, Bundled>, BundledError> {
    let mut kinds = BTreeMap::new();
    let definitions: Vec<Value> =
        crds::definitions().iter().filter_map(|definition| serde_json::to_value(definition).ok()).collect();
    for kind in Kind::OURS {
        let definition = definitions.iter().find(|definition| definition["spec"]["names"]["kind"] == kind.name());
        let schema = definition.map(|definition| &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]);
        let schema = schema.ok_or(BundledError::Missing { kind })?;
        let rules = Some(Rules::new(schema));
        kinds.insert(kind, Bundled { schema: parse(kind, &core::with_metadata(schema.clone(), kind))?, rules });
    }
    for kind in Kind::CORE {
        kinds.insert(kind, Bundled { schema: parse(kind, &core::schema(kind))?, rules: None });
    }
    Ok(kinds)
}

fn parse(kind: Kind, schema: &Value) -> Result<Schema, BundledError> {
    Schema::parse(schema).map_err(|source| BundledError::Schema { kind, source })
}
