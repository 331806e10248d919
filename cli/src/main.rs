//! The command line of crosscall.
//!
//! `main` parses, runs one of [`command`] and turns its outcome into an exit code; each subcommand is a file.

mod build;
mod check;
mod command;
mod demo;
mod diagnostic;
mod keys;
mod load;
mod standalone;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::command::{CommandLine, Outcome, UsageError};

fn main() -> ExitCode {
    match CommandLine::parse().run() {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Err(error) => {
            terminal::complain(&error);
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}
