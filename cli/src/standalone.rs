//! The mechanism in one process: files -> compile -> sidecar, again whenever a file changes.

pub(crate) mod args;
mod configs;
mod keys;
mod listeners;
mod logging;
mod run;
mod state;
mod table;
mod watch;

pub(crate) use args::ServeArgs;
pub(crate) use configs::url;
pub(crate) use listeners::Addresses;
pub(crate) use logging::start as start_log;
pub(crate) use run::{Signals, introduce, until_ended, until_told};
pub(crate) use state::{Standalone, StartError};
