//! The subcommands, one file each.

mod completions;
mod demo;
mod lint;
mod man;
mod render;
mod serve;

use std::fmt;

use clap::{Parser, Subcommand};

/// Authenticated calls between back-ends: the command line
///
/// Runs the mechanism without a cluster, checks resources, and shows what becomes of them.
#[derive(Debug, Parser)]
#[command(
    name = "crosscall",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 errors were found or the command failed, 2 wrong usage.",
    after_long_help = "Exit codes:\n  0  done\n  1  errors were found, or the command failed\n  2  wrong usage, or a file \
                       that was named cannot be read\n  3  the cluster cannot be reached\n\nColours are used on a \
                       terminal only; NO_COLOR turns them off."
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Lint(lint::Lint),
    Render(render::Render),
    Completions(completions::Completions),
    Man(man::Man),
}

/// How a command ended that ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing is wrong.
    Done,
    /// It found errors.
    Findings,
}

/// The command line asks for something that is not there.
#[derive(Debug)]
pub(crate) struct UsageError(anyhow::Error);

// === impl CommandLine ===

impl CommandLine {
    /// Runs the subcommand.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Serve(serve) => serve.run(),
            Command::Demo(demo) => demo.run(),
            Command::Lint(lint) => lint.run(),
            Command::Render(render) => render.run(),
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(),
        }
    }
}

// === impl UsageError ===

impl UsageError {
    pub(crate) fn new(error: impl Into<anyhow::Error>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for UsageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn reference_names_every_flag() {
        let reference = include_str!("../../docs/reference/cli.md");
        let mut missing = Vec::new();
        for command in CommandLine::command().get_subcommands() {
            let heading = format!("\n## crosscall {}\n", command.get_name());
            let Some((_, section)) = reference.split_once(&heading) else {
                missing.push(heading);
                continue;
            };
            let section = section.split("\n## ").next().unwrap();
            let flags = command.get_arguments().filter_map(|argument| argument.get_long());
            let unnamed = flags.filter(|flag| !["help", "version"].contains(flag));
            let unnamed = unnamed.filter(|flag| !section.contains(&format!("`--{flag}")));
            missing.extend(unnamed.map(|flag| format!("{}: --{flag}", command.get_name())));
        }
        assert_eq!(missing, [""; 0]);
    }
}
