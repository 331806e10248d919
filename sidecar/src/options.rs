//! What a sidecar is told at its start.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// An app in its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppKey {
    /// The namespace.
    pub namespace: String,
    /// The app's id.
    pub app: String,
}

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Calls of the app itself, on loopback.
    Outbound,
    /// Exposed routes of the app.
    Exposed,
    /// Calls that reach the app.
    Inbound,
}

/// Where each app is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listeners {
    /// By app and kind. Port 0 takes a free one.
    pub addresses: BTreeMap<(AppKey, Kind), SocketAddr>,
}

/// Which requests are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLog {
    /// Every one.
    #[default]
    All,
    /// Those that were refused or failed.
    Errors,
    /// None.
    Off,
}

/// What holds for the life of the process.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that serve calls, each with listeners and connections of its own.
    pub workers: usize,
    /// The admin address: on loopback everything, elsewhere probes and metrics alone.
    pub admin: Vec<SocketAddr>,
    /// Which requests are logged, as JSON lines on standard output.
    pub access_log: AccessLog,
    /// How long requests in flight may take after the signal to stop.
    pub drain: Duration,
}

// === impl AppKey ===

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.app)
    }
}

// === impl Kind ===

impl Kind {
    /// The name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Exposed => "exposed",
            Self::Inbound => "inbound",
        }
    }
}
