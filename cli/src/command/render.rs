//! `crosscall render`

mod placeholders;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use operator_compile::{AccountKeys, AppKey, Compiled, Key};
use serde_json::{Map, Value, json};
use sidecar_policy::config::Config;

use crate::build::{self, Built, InstallationArgs};
use crate::check::Checker;
use crate::check::suggest::did_you_mean;
use crate::command::{Outcome, UsageError};
use crate::diagnostic::Report;
use crate::terminal::{self, Terminal};
use crate::{
    keys::{self, GenerateError},
    load,
};

/// Show what files of resources compile to: each app's configuration, and the conditions of each resource
///
/// Key pairs that the operator would make stand as placeholders, so the output is the same each time; with
/// --show-secrets they are made, and every secret is shown.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosscall render -f shop/\n  crosscall render -f shop/ --env prod --app fr-api -o \
                        json\n\nExit codes: 0 done, 1 the files have errors of their own, 2 wrong usage."
)]
pub(crate) struct Render {
    /// Files, or folders with *.yaml, *.yml and *.json; - is standard input
    #[arg(short = 'f', long = "file", value_name = "PATH", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// Apps of this environment only
    #[arg(long, value_name = "ENV")]
    env: Vec<String>,
    /// This app only: APP or NAMESPACE/APP
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Compile as on a cluster: no URL on loopback, and a called app needs `service` or `url`
    #[arg(long)]
    cluster: bool,
    /// How it is written
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Show secrets: private keys, passwords' hashes, tokens
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    installation: InstallationArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    /// YAML.
    #[default]
    Yaml,
    /// JSON.
    Json,
}

// === impl Render ===

impl Render {
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let settings = self.installation.settings(!self.cluster)?;
        let environments = build::known_environments(&self.env, &settings)?;
        let loaded = load::parse_all(load::read(&self.files).map_err(UsageError::new)?);
        let mut made = BTreeMap::new();
        let built = build::build(&Checker::new()?, loaded, &settings, |inventory, needed| {
            made = keys::generate_all(inventory, needed)?;
            Ok::<_, GenerateError>(made.clone())
        })?;
        let Some(compiled) = &built.compiled else { return findings(&built) };
        let chosen = |key: &AppKey, config: &Config| {
            let in_environment = environments.is_empty() || environments.contains(config.environment.as_str());
            in_environment && self.app.as_deref().is_none_or(|app| is(key, app))
        };
        let configs: BTreeMap<&AppKey, &Config> =
            compiled.configs.iter().filter(|(key, config)| chosen(key, config)).collect();
        if let Some(app) = self.app.as_deref().filter(|_| configs.is_empty()) {
            return Err(unknown_app(app, compiled).into());
        }
        let document = json!({
            "apps": self.apps(&configs, &made),
            "conditions": conditions(compiled),
        });
        terminal::print(&match self.output {
            Output::Yaml => serde_yaml::to_string(&document)?,
            Output::Json => format!("{document:#}\n"),
        })?;
        Ok(Outcome::Done)
    }

    fn apps(&self, configs: &BTreeMap<&AppKey, &Config>, made: &BTreeMap<Key, AccountKeys>) -> Value {
        let shown = |config: &Config| match self.show_secrets {
            true => serde_json::to_value(config).unwrap_or_default(),
            false => placeholders::put(sidecar_policy::mask::masked(config), made),
        };
        Value::Object(configs.iter().map(|(key, config)| (key.to_string(), shown(config))).collect())
    }
}

/// `app` or `namespace/app`
fn is(key: &AppKey, name: &str) -> bool {
    key.app == name || key.to_string() == name
}

fn unknown_app(app: &str, compiled: &Compiled) -> UsageError {
    let names: Vec<String> = compiled.configs.keys().map(ToString::to_string).collect();
    let apps = compiled.configs.keys().map(|key| key.app.as_str());
    let hint = did_you_mean(app, apps).unwrap_or_else(|| format!("the apps are {}", names.join(", ")));
    UsageError::new(anyhow::anyhow!("no app `{app}` here: {hint}"))
}

/// By kind and name, then by type.
fn conditions(compiled: &Compiled) -> Value {
    let mut all = Map::new();
    for (object, conditions) in &compiled.conditions {
        let list = conditions.iter().map(|condition| {
            json!({
                "type": condition.type_.name(),
                "status": if condition.status { "True" } else { "False" },
                "reason": condition.reason.name(),
                "message": condition.message,
            })
        });
        all.insert(object.to_string(), list.collect());
    }
    Value::Object(all)
}

fn findings(built: &Built) -> anyhow::Result<Outcome> {
    let terminal = Terminal::detect();
    let report = Report { diagnostics: &built.diagnostics, sources: &built.loaded.sources };
    terminal::warn(&report.human(terminal.colour, terminal.width));
    Ok(Outcome::Findings)
}
