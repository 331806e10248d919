//! The compile step as its callers see it: resources in, configurations and conditions out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]
#![allow(unreachable_pub, reason = "one binary of modules")]

mod accounts;
mod apps;
mod golden;
mod grants;
mod names;
mod people;
mod refused;
mod routes;
mod scene;
mod stable;
mod total;
