//! `crosscall demo`

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::command::{Outcome, serve};
use crate::demo::{self, Place};
use crate::standalone::args::AccessLog;
use crate::standalone::{self, ServeArgs, Signals, Standalone};
use crate::terminal::{self, Terminal};

/// Start example apps with the mechanism between them, and show calls to try
///
/// Serves the embedded example (or your own folder), starts an example app wherever one is expected on this machine,
/// makes each call once and shows what the app received. Then it goes on serving and reloading until Ctrl-C.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  crosscall demo\n  crosscall demo --dir shop/\n\nExit codes: 0 ended by a signal or, \
                        with --once, every call came out as expected; 1 failed; 2 wrong usage."
)]
pub(crate) struct Demo {
    /// Resources to serve [default: examples/embedded of the repository, or a copy of it]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// End after the calls: 1 if one of them did not come out as expected
    #[arg(long)]
    once: bool,
    /// Which calls are logged, as JSON lines on standard output
    #[arg(long, value_enum, default_value = "off")]
    access_log: AccessLog,
    #[command(flatten)]
    serve: ServeArgs,
}

// === impl Demo ===

impl Demo {
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        standalone::start_log(self.serve.log_format);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> anyhow::Result<Outcome> {
        let signals = Signals::new()?;
        let place = match &self.dir {
            Some(dir) => Place::Found(dir.clone()),
            None => {
                let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
                Place::find(&here).context("failed to write a copy of the example")?
            }
        };
        let files = [place.path().to_owned()];
        let standalone = match Standalone::start(&files, &self.serve, self.access_log.into()) {
            Ok(standalone) => standalone,
            Err(error) => return serve::failed(error),
        };
        let apps = demo::start_apps(standalone.configs())?;
        let outcome = self.show(standalone, signals, place.path()).await;
        drop(apps);
        outcome
    }

    async fn show(&self, standalone: Standalone, signals: Signals, folder: &Path) -> anyhow::Result<Outcome> {
        let terminal = Terminal::detect();
        let (environments, shown) = (self.serve.env.join(", "), folder.display().to_string());
        terminal::print(&demo::show_head(&environments, &shown, terminal))?;
        terminal::print(&format!("{}\n", standalone.table(terminal)))?;
        let calls = demo::plan(standalone.configs(), &standalone.addresses());
        let mut all_well = true;
        for call in &calls {
            let done = demo::make(call).await;
            all_well &= done.wrong.is_empty();
            terminal::print(&demo::show_call(call, &done, terminal))?;
        }
        if self.once {
            standalone::until_ended(standalone).await?;
            return Ok(if all_well { Outcome::Done } else { Outcome::Findings });
        }
        terminal::print(&format!("\nChange a file in {shown}: it takes effect at once. Ctrl-C ends.\n"))?;
        standalone::until_told(standalone, signals).await?;
        Ok(Outcome::Done)
    }
}
