//! The log of the process, on standard error. Calls have a log of their own, which the sidecar writes.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::standalone::args::LogFormat;

/// Starts it. `RUST_LOG` says what is logged; default: `info`.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A log that is there already stays.
    let _ = match format {
        LogFormat::Text => {
            let colour =
                io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            builder.with_ansi(colour).with_target(false).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
