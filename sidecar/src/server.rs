//! Threads, listeners and connections; and the handle by which the process drives them.

mod admin;
mod bind;
mod connection;
mod shared;
mod sidecar;
mod slot;
mod thread;

pub(crate) use connection::ConnectionState;
pub use sidecar::{ApplyError, Sidecar, StartError};
pub(crate) use slot::Slot;
