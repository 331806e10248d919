//! Threads, listeners and connections; and the handle by which the process drives them.

mod admin;
mod bind;
mod connection;
mod listeners;
mod listening;
mod shared;
mod sidecar;
mod slot;
mod thread;
mod watched;

pub use sidecar::{ApplyError, Sidecar, StartError};
pub(crate) use slot::Slot;
pub(crate) use watched::ConnectionState;
