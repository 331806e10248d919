//! `crosscall completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::command::{CommandLine, Outcome};
use crate::terminal;

/// Print a script that completes commands in your shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  source <(crosscall completions bash)\n  crosscall completions zsh > \
                        ~/.zfunc/_crosscall\n  crosscall completions fish > ~/.config/fish/completions/crosscall.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

// === impl Completions ===

impl Completions {
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut CommandLine::command(), "crosscall", &mut script);
        terminal::print(&String::from_utf8_lossy(&script))?;
        Ok(Outcome::Done)
    }
}
