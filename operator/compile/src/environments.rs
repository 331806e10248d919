//! Which environment does a namespace belong to?

use std::collections::{BTreeMap, BTreeSet};

use crds::{EnvName, annotations};

use crate::findings::Problem;
use crate::inventory::Inventory;
use crate::reason::Reason;
use crate::settings::Settings;

/// The environments of all namespaces.
pub(crate) struct Environments<'a> {
    inventory: &'a Inventory,
    known: &'a BTreeSet<EnvName>,
    by_namespace: BTreeMap<&'a str, &'a EnvName>,
}

// === impl Environments ===

impl<'a> Environments<'a> {
    pub(crate) fn new(inventory: &'a Inventory, settings: &'a Settings) -> Self {
        let known = &settings.environments;
        let environment = |labels: &BTreeMap<String, String>| known.get(labels.get(annotations::ENVIRONMENT)?.as_str());
        let by_namespace = inventory
            .namespaces
            .iter()
            .filter_map(|(name, namespace)| Some((name.as_str(), environment(&namespace.labels)?)))
            .collect();
        Self { inventory, known, by_namespace }
    }

    /// The environment of a namespace, if it has one that is known.
    pub(crate) fn of(&self, namespace: &str) -> Option<&'a EnvName> {
        self.by_namespace.get(namespace).copied()
    }

    /// The environment of a namespace, or why it has none.
    pub(crate) fn require(&self, namespace: &str) -> Result<&'a EnvName, Problem> {
        self.of(namespace).ok_or_else(|| {
            let labels = self.inventory.namespaces.get(namespace).map(|namespace| &namespace.labels);
            match labels.map(|labels| labels.get(annotations::ENVIRONMENT)) {
                None => Problem::new(
                    Reason::NoEnvironment,
                    format!("Cannot determine current environment: there is no namespace {namespace}"),
                ),
                Some(None) => Problem::new(
                    Reason::NoEnvironment,
                    format!(
                        "Cannot determine current environment: namespace {namespace} has no label {}",
                        annotations::ENVIRONMENT
                    ),
                ),
                Some(Some(label)) => Problem::new(
                    Reason::UnknownEnvironment,
                    format!("namespace {namespace}: the environment {label:?} is not one of {}", self.list()),
                ),
            }
        })
    }

    /// Whether the installation knows an environment.
    pub(crate) fn known(&self, name: &str) -> Option<&'a EnvName> {
        self.known.get(name)
    }

    /// Whether calls from a namespace may leave its environment: an administrator's label says so.
    pub(crate) fn may_cross(&self, namespace: &str) -> bool {
        let labels = self.inventory.namespaces.get(namespace).map(|namespace| &namespace.labels);
        labels.and_then(|labels| labels.get(annotations::ALLOW_CROSS_ENVIRONMENT)).is_some_and(|value| value == "true")
    }

    /// Every environment, for messages.
    pub(crate) fn list(&self) -> String {
        self.known.iter().map(EnvName::as_str).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Namespace;

    fn inventory(labels: &[(&str, &str)]) -> Inventory {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Inventory { namespaces: [("shop".to_owned(), Namespace { labels })].into(), ..Inventory::default() }
    }

    #[test]
    fn environment_is_one_of_closed_set() {
        let settings = Settings::default();
        for (labels, expected) in [
            (&[("crosscall.dev/env", "prod")][..], Ok("prod")),
            (&[("crosscall.dev/env", "Prod")], Err(Reason::UnknownEnvironment)),
            (&[("crosscall.dev/env", "prod ")], Err(Reason::UnknownEnvironment)),
            (&[("crosscall.dev/env", "")], Err(Reason::UnknownEnvironment)),
            (&[("env", "prod")], Err(Reason::NoEnvironment)),
        ] {
            let inventory = inventory(labels);
            let found = Environments::new(&inventory, &settings).require("shop").map(EnvName::as_str);
            assert_eq!(found.map_err(|problem| problem.reason), expected, "{labels:?}");
        }
    }

    #[test]
    fn only_the_word_true_crosses() {
        let settings = Settings::default();
        for (value, expected) in [("true", true), ("True", false), ("1", false), ("", false)] {
            let inventory = inventory(&[("crosscall.dev/allow-cross-environment", value)]);
            assert_eq!(Environments::new(&inventory, &settings).may_cross("shop"), expected, "{value}");
        }
    }
}
