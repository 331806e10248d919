//! The sidecar: what happens to calls on the wire.
//!
//! Workers that share nothing on the hot path, each one thread with its own runtime, listeners, connections to apps,
//! caches and view of the configuration. Every decision is asked of `sidecar-policy`; this crate moves bytes and keeps
//! time. It knows no Kubernetes.

mod app;
mod authorizer;
mod body;
mod exchange;
mod identity;
mod layers;
mod options;
mod seeing;
mod server;
mod stack;
mod stalled;
mod upstream;
mod worker;

pub use authorizer::AuthorizerError;
pub use options::{AccessLog, AppKey, Kind, Listeners, Options};
pub use server::{ApplyError, Sidecar, StartError};
