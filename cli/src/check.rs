//! Objects -> an inventory for the compile step, checked as the API server would check them: structure, CEL rules,
//! names; and a few things that only files can get wrong.

mod bundled;
mod core;
mod inventory;
mod rules;
mod schema;
mod structure;
pub(crate) mod suggest;
mod words;

use std::collections::BTreeMap;

use operator_compile::Inventory;

use crate::diagnostic::{Diagnostic, Severity};
use crate::load::{Kind, Loaded, Object};

use self::bundled::Bundled;
pub(crate) use self::bundled::BundledError;

/// Checks objects. It is costly to make (the CEL rules are compiled), so make one and keep it.
#[derive(Debug)]
pub(crate) struct Checker {
    kinds: BTreeMap<Kind, Bundled>,
}

// === impl Checker ===

impl Checker {
    /// From the definitions that this build carries.
    pub(crate) fn new() -> Result<Self, BundledError> {
        Ok(Self { kinds: bundled::all()? })
    }

    /// Checks every object. What has an error is missing from the inventory, so compile only if there is none:
    /// whatever refers to it would be reported too.
    pub(crate) fn check(&self, loaded: &Loaded) -> (Inventory, Vec<Diagnostic>) {
        let mut inventory = Inventory::default();
        let mut diagnostics = duplicates(loaded);
        for object in &loaded.objects {
            let (value, mut found) = self.check_one(object);
            if let Some(value) = value
                && let Err(diagnostic) = inventory::add(&mut inventory, object, value)
            {
                found.push(*diagnostic);
            }
            diagnostics.append(&mut found);
        }
        (inventory, diagnostics)
    }

    /// The object as JSON if it has no error, and what is wrong with it.
    fn check_one(&self, object: &Object) -> (Option<serde_json::Value>, Vec<Diagnostic>) {
        let Some(bundled) = self.kinds.get(&object.kind) else { return (None, Vec::new()) };
        let (value, mut diagnostics) = structure::check(object, &bundled.schema);
        let is_sound = |found: &[Diagnostic]| found.iter().all(|one| one.severity != Severity::Error);
        // Rules speak of fields by type: they are of no use before the structure holds.
        if is_sound(&diagnostics)
            && let Some(rules) = &bundled.rules
        {
            diagnostics.append(&mut rules.check(object, &value));
        }
        let value = is_sound(&diagnostics).then_some(value);
        (value, diagnostics)
    }
}

/// An object that stands in the files twice: the second is an error.
fn duplicates(loaded: &Loaded) -> Vec<Diagnostic> {
    let (mut seen, mut found) = (BTreeMap::new(), Vec::new());
    for object in loaded.objects.iter().filter(|object| !object.name.is_empty()) {
        let key = (object.kind, &object.namespace, &object.name);
        let place = object.place("metadata.name");
        let Some((source, line)) = seen.insert(key, (object.source, place.line)) else { continue };
        let path = loaded.sources.get(source.0).map(|source| source.path.display().to_string()).unwrap_or_default();
        let message = format!("{} is already at {path}:{line}", object.title());
        let diagnostic = Diagnostic::new(Severity::Error, "duplicate_resource", message);
        found.push(diagnostic.at(object, "metadata.name", place).help("delete one of them, or give it another name"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Source, parse_all};

    fn check(text: &str) -> Vec<(String, String, Option<String>)> {
        let loaded = parse_all(vec![Source { path: "a.yaml".into(), text: text.to_owned() }]);
        let (_, diagnostics) = Checker::new().unwrap().check(&loaded);
        diagnostics.into_iter().map(|it| (it.code.to_owned(), it.message, it.field)).collect()
    }

    #[test]
    fn rules_are_checked_after_structure() {
        let route = |rest: &str| {
            format!(
                "apiVersion: crosscall.dev/v1alpha1\nkind: ProxyRoute\nmetadata: {{name: a, namespace: b}}\nspec: \
                 {{proxyApp: a, serviceAccountRef: {{name: a}}, pathPrefix: /x{rest}}}\n"
            )
        };
        assert_eq!(check(&route(", backends: [a]")), []);
        let codes = |text: &str| check(text).into_iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(codes(&route("")), ["rule"]);
        assert_eq!(codes(&route(", enabled: 3")), ["wrong_type"]);
    }

    #[test]
    fn second_of_two_equal_names_is_refused() {
        let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
        let found = check(&format!("{text}---\n{text}"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1, "Namespace a is already at a.yaml:3");
    }
}
