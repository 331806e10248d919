//! `crosscall lint`

use std::path::PathBuf;

use clap::Args;

use crate::build::{self, InstallationArgs};
use crate::check::Checker;
use crate::command::{Outcome, UsageError};
use crate::diagnostic::{Format, Report};
use crate::load;
use crate::terminal::{self, Terminal};

/// Check files of resources, without a cluster
///
/// Checks syntax, fields, the rules of the definitions, and what the operator would say about the resources together:
/// the same checks as on a cluster, each with file, line and field. What resources make of each other is looked at
/// once each of them is right by itself.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  crosscall lint -f shop/\n  crosscall lint -f shop/ --cluster --env prod\n  \
                        kubectl kustomize overlays/prod | crosscall lint --cluster -f -\n\nExit codes: 0 nothing but \
                        warnings, 1 errors, 2 wrong usage.")]
pub(crate) struct Lint {
    /// Files, or folders with *.yaml, *.yml and *.json; - is standard input
    #[arg(short = 'f', long = "file", value_name = "PATH", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// Report on the resources of these environments only
    #[arg(long, value_name = "ENV")]
    env: Vec<String>,
    /// Judge as on a cluster: no URL on loopback, and a called app needs `service` or `url`
    #[arg(long)]
    cluster: bool,
    /// How findings are written
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// Let warnings fail too
    #[arg(long)]
    deny_warnings: bool,
    #[command(flatten)]
    installation: InstallationArgs,
}

// === impl Lint ===

impl Lint {
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let settings = self.installation.settings(!self.cluster)?;
        let environments = build::known_environments(&self.env, &settings)?;
        let loaded = load::parse_all(load::read(&self.files).map_err(UsageError::new)?);
        let built = build::lint(&Checker::new()?, loaded, &settings, &environments)?;
        let report = Report { diagnostics: &built.diagnostics, sources: &built.loaded.sources };
        match self.output {
            Format::Human => {
                let terminal = Terminal::detect();
                terminal::print(&report.human(terminal.colour, terminal.width))?;
                if built.diagnostics.is_empty() {
                    let (resources, files) = (built.loaded.objects.len(), built.loaded.sources.len());
                    terminal::print(&format!("nothing found in {}\n", counted(resources, files)))?;
                }
            }
            Format::Json => terminal::print(&format!("{:#}\n", report.json()))?,
        }
        let failed = report.errors() > 0 || (self.deny_warnings && report.warnings() > 0);
        Ok(if failed { Outcome::Findings } else { Outcome::Done })
    }
}

fn counted(resources: usize, files: usize) -> String {
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!("{} of {}", plural(resources, "resource"), plural(files, "file"))
}
