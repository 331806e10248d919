//! A back-end for examples and tests: it answers with what it received.
//!
//! It knows nothing of crosscall but the headers that the sidecar gives it. It verifies nothing, which is right behind a
//! sidecar and nowhere else.

mod client;
mod echo;
mod server;

pub use client::{Answer, CallError, call};
pub use echo::{Echo, echo};
pub use server::{Running, serve, spawn};
