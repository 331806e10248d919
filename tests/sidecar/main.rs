//! The binary on loopback: `crosscall serve` between recording back-ends and clients that send exact bytes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod bodies;
mod calls;
mod corpora;
mod cors;
mod exchanges;
mod forged;
mod headers;
mod identity;
mod injection;
mod paths;
mod reload;
mod routing;
mod secrets;
mod shop;
mod stopping;
