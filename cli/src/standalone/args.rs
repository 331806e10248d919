//! What the standalone mode is told on the command line.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};

use crate::build::InstallationArgs;
use crate::standalone::listeners::{AppAddress, Flags};

/// The flags that `serve` and `demo` share.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArgs {
    /// The environments that are served
    #[arg(long, value_name = "ENV", default_value = "local")]
    pub(crate) env: Vec<String>,
    /// Where an app sends its calls, on loopback
    #[arg(long, value_name = "APP=ADDR")]
    listen: Vec<AppAddress>,
    /// Where an app's exposed routes are served
    #[arg(long, value_name = "APP=ADDR")]
    exposed: Vec<AppAddress>,
    /// Where an app is called
    #[arg(long, value_name = "APP=ADDR")]
    inbound: Vec<AppAddress>,
    /// Where probes, metrics and the configuration are
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4189")]
    pub(crate) admin: SocketAddr,
    /// Threads that serve calls
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: u16,
    /// How the process logs, on standard error
    #[arg(long, value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,
    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
}

/// How a log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Which calls are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccessLog {
    /// Every one.
    #[default]
    All,
    /// Those that were refused or failed.
    Errors,
    /// None.
    Off,
}

// === impl ServeArgs ===

impl ServeArgs {
    pub(crate) fn flags(&self) -> Flags {
        use sidecar::Kind::{Exposed, Inbound, Outbound};
        let kinds = [(Outbound, &self.listen), (Exposed, &self.exposed), (Inbound, &self.inbound)];
        let addresses = kinds.into_iter().flat_map(|(kind, flags)| flags.iter().map(move |flag| (kind, flag.clone())));
        Flags { addresses: addresses.collect() }
    }
}

impl From<AccessLog> for sidecar::AccessLog {
    fn from(access_log: AccessLog) -> Self {
        match access_log {
            AccessLog::All => Self::All,
            AccessLog::Errors => Self::Errors,
            AccessLog::Off => Self::Off,
        }
    }
}
