//! `crosscall serve`

use std::path::PathBuf;

use clap::Args;

use crate::command::{Outcome, UsageError};
use crate::standalone::args::AccessLog;
use crate::standalone::{self, ServeArgs, Signals, Standalone, StartError};
use crate::terminal;

/// Run the mechanism without a cluster, in one process
///
/// Serves the outbound and inbound side of every app in the files, and reloads when a file changes. A change with
/// errors is not taken: what was served before stays. Key pairs are made in memory and rotated.
///
/// /readyz of the admin address answers 200 once every listener serves.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosscall serve -f shop/\n  crosscall serve -f shop/ --listen fr-api=127.0.0.1:5000 \
                        --access-log errors\n\nPorts without flags, all on 127.0.0.1: 4180 outbound, 4181 exposed \
                        routes, 4182 inbound, then 4183 and up; 4189 admin.\nExit codes: 0 ended by a signal, 1 failed, \
                        2 wrong usage."
)]
pub(crate) struct Serve {
    /// Files, or folders with *.yaml, *.yml and *.json
    #[arg(short = 'f', long = "file", value_name = "PATH", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// Which calls are logged, as JSON lines on standard output
    #[arg(long, value_enum, default_value_t)]
    access_log: AccessLog,
    #[command(flatten)]
    serve: ServeArgs,
}

// === impl Serve ===

impl Serve {
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        standalone::start_log(self.serve.log_format);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> anyhow::Result<Outcome> {
        let signals = Signals::new()?;
        let standalone = match Standalone::start(&self.files, &self.serve, self.access_log.into()) {
            Ok(standalone) => standalone,
            Err(error) => return failed(error),
        };
        standalone::introduce(&standalone);
        standalone::until_told(standalone, signals).await?;
        Ok(Outcome::Done)
    }
}

/// Files with errors are shown with their lines; the rest in a sentence.
pub(super) fn failed(error: StartError) -> anyhow::Result<Outcome> {
    match error {
        StartError::Findings { report, .. } => {
            terminal::warn(&report);
            Ok(Outcome::Findings)
        }
        StartError::Load(error) => Err(UsageError::new(error).into()),
        StartError::Flag(error) => Err(UsageError::new(error).into()),
        StartError::Usage(error) => Err(error.into()),
        error => Err(error.into()),
    }
}
