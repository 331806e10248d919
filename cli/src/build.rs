//! Files -> what the compile step makes of them, with every finding at its place. `lint`, `render` and the standalone
//! mode differ only in what they do with it.

mod advice;
mod problems;

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use crds::EnvName;
use operator_compile::{AccountKeys, Compiled, Inventory, Key, NeededKey, Settings};

use crate::check::Checker;
use crate::check::suggest::did_you_mean;
use crate::command::UsageError;
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::keys::{self, GenerateError};
use crate::load::Loaded;

/// What was made of files.
#[derive(Debug)]
pub(crate) struct Built {
    /// The files and their objects.
    pub(crate) loaded: Loaded,
    /// Findings, in the order of files and lines.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// `None` if an object has an error by itself: syntax, structure, rules.
    pub(crate) compiled: Option<Compiled>,
}

/// The settings of an installation, as flags.
#[derive(Clone, Debug, Args)]
pub(crate) struct InstallationArgs {
    /// The environments of the installation, if not demo, local, prod and staging
    #[arg(long, value_name = "ENV,…", value_delimiter = ',')]
    environments: Vec<String>,
    /// The `iss` of the tokens that service accounts sign
    #[arg(long, value_name = "URL", default_value = "https://crosscall.local")]
    issuer: String,
}

/// For `lint`: what works but is doubtful is found too. Of the environments `only`, or of all if there are none.
pub(crate) fn lint(
    checker: &Checker,
    loaded: Loaded,
    settings: &Settings,
    only: &BTreeSet<EnvName>,
) -> Result<Built, GenerateError> {
    let (inventory, diagnostics) = checker.check(&loaded);
    let advice = advice::find(&loaded, &inventory);
    let mut built = finish(loaded, inventory, diagnostics, settings, keys::generate_all)?;
    if built.compiled.is_some() {
        // A field that is refused needs no advice.
        let is_new = |one: &Diagnostic| {
            let mut others = built.diagnostics.iter();
            others.all(|other| (&other.resource, &other.field) != (&one.resource, &one.field))
        };
        let advice: Vec<Diagnostic> = advice.into_iter().filter(is_new).collect();
        built.diagnostics.extend(advice);
    }
    built.diagnostics.retain(|diagnostic| concerns(diagnostic, &built.loaded, only));
    diagnostic::sort(&mut built.diagnostics);
    Ok(built)
}

/// Compiles what has no error by itself. `make_keys` gives the key pairs that are needed.
pub(crate) fn build<E>(
    checker: &Checker,
    loaded: Loaded,
    settings: &Settings,
    make_keys: impl FnOnce(&Inventory, &BTreeMap<Key, NeededKey>) -> Result<BTreeMap<Key, AccountKeys>, E>,
) -> Result<Built, E> {
    let (inventory, diagnostics) = checker.check(&loaded);
    finish(loaded, inventory, diagnostics, settings, make_keys)
}

fn finish<E>(
    loaded: Loaded,
    mut inventory: Inventory,
    mut diagnostics: Vec<Diagnostic>,
    settings: &Settings,
    make_keys: impl FnOnce(&Inventory, &BTreeMap<Key, NeededKey>) -> Result<BTreeMap<Key, AccountKeys>, E>,
) -> Result<Built, E> {
    diagnostics.extend(loaded.diagnostics.iter().cloned());
    let is_sound = diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error);
    let mut compiled = None;
    if is_sound {
        let needed = operator_compile::compile(&inventory, settings).needed_keys;
        inventory.key_pairs = make_keys(&inventory, &needed)?;
        let result = operator_compile::compile(&inventory, settings);
        diagnostics.extend(problems::diagnostics(&result, &loaded));
        compiled = Some(result);
    }
    diagnostic::sort(&mut diagnostics);
    Ok(Built { loaded, diagnostics, compiled })
}

/// The finding is about a resource of one of the environments `only`, or about none in particular.
fn concerns(diagnostic: &Diagnostic, loaded: &Loaded, only: &BTreeSet<EnvName>) -> bool {
    let Some(resource) = diagnostic.resource.as_ref().filter(|_| !only.is_empty()) else { return true };
    let label = loaded.environment(&resource.namespace);
    only.iter().any(|environment| Some(environment.as_str()) == label)
}

/// The environments that the user named, each of them one of the installation's.
pub(crate) fn known_environments(names: &[String], settings: &Settings) -> Result<BTreeSet<EnvName>, UsageError> {
    let known = |name: &String| {
        let found = settings.environments.iter().find(|known| known.as_str() == name);
        found.cloned().ok_or_else(|| {
            let names: Vec<&str> = settings.environments.iter().map(EnvName::as_str).collect();
            let hint = did_you_mean(name, names.iter().copied());
            let hint = hint.unwrap_or_else(|| format!("the environments are {}", names.join(", ")));
            UsageError::new(anyhow::anyhow!("unknown environment `{name}`: {hint}"))
        })
    };
    names.iter().map(known).collect()
}

// === impl InstallationArgs ===

impl InstallationArgs {
    /// For the compile step; `standalone`: without a cluster.
    pub(crate) fn settings(&self, standalone: bool) -> Result<Settings, UsageError> {
        let mut settings = Settings { standalone, issuer: self.issuer.clone(), ..Settings::default() };
        if !self.environments.is_empty() {
            let parsed: Result<_, _> = self.environments.iter().cloned().map(EnvName::try_from).collect();
            settings.environments = parsed.map_err(UsageError::new)?;
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::Report;
    use crate::load::{Source, parse_all};

    const EXAMPLE: &str = include_str!("../../examples/embedded/shop.yaml");

    /// The example with some characters replaced, dropped or put in.
    fn damaged() -> impl Strategy<Value = String> {
        let piece = prop_oneof!["[\\PC]", "[:{}\\[\\]\"'|>&*!#,\\n\\t\\r-]", Just(String::new()), Just("é".to_owned())];
        let damage = (0..EXAMPLE.len(), 0..4_usize, piece);
        proptest::collection::vec(damage, 1..4).prop_map(|damages| {
            let mut text: Vec<char> = EXAMPLE.chars().collect();
            for (at, dropped, piece) in damages {
                let at = at.min(text.len());
                text.splice(at..(at + dropped).min(text.len()), piece.chars());
            }
            text.into_iter().collect()
        })
    }

    proptest! {
        #[test]
        fn damaged_files_have_findings_never_panics(text in damaged()) {
            thread_local!(static CHECKER: Checker = Checker::new().expect("the definitions of this build"));
            let loaded = parse_all(vec![Source { path: "shop.yaml".into(), text }]);
            let settings = Settings { standalone: true, ..Settings::default() };
            let built = CHECKER.with(|checker| {
                build(checker, loaded, &settings, |_, _| Ok::<_, Infallible>(BTreeMap::new())).expect("no keys to make")
            });
            let report = Report { diagnostics: &built.diagnostics, sources: &built.loaded.sources };
            let shown = report.human(true, 80);
            prop_assert_eq!(report.errors() + report.warnings() == 0, shown.is_empty());
            prop_assert!(!shown.contains("$2b$10$n4AOSbZDS01yyVI"), "a line of a Secret is shown: {}", shown);
        }
    }
}
