//! The harness of the system tests: the real binary on loopback, a strict back-end that records what reaches it, a
//! client that sends exact bytes, and outside components in a cache folder.
//!
//! Everything here blocks and panics with a sentence when something is not as expected: it is only used by tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

pub mod answer;
mod binary;
pub mod call;
pub mod canary;
pub mod component;
pub mod crosscall;
pub mod manifest;
pub mod pattern;
pub mod ports;
pub mod process;
pub mod recorder;
pub mod token;
pub mod vectors;
pub mod wait;
pub mod wire;
