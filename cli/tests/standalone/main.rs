//! The standalone mode as users run it: the real binary, example apps, calls over the wire.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod demo;
mod harness;
mod serve;
