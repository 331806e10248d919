//! `crosscall man`

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};

use crate::command::{CommandLine, Outcome};
use crate::terminal;

/// Print the manual page, or write the pages of all subcommands into a folder
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  crosscall man | man -l -\n  crosscall man --dir /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// The folder for crosscall.1, crosscall-lint.1 and so on
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

// === impl Man ===

impl Man {
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let command = CommandLine::command();
        if let Some(dir) = self.dir {
            std::fs::create_dir_all(&dir).with_context(|| format!("failed to make {}", dir.display()))?;
            let written = clap_mangen::generate_to(command, &dir);
            written.with_context(|| format!("failed to write into {}", dir.display()))?;
        } else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            terminal::print(&String::from_utf8_lossy(&page))?;
        }
        Ok(Outcome::Done)
    }
}
