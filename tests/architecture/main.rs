//! The rules of the house, as tests: who may depend on whom, how big a file may be, and which documents must keep
//! step with the tree. The reasons stand in ARCHITECTURE.md.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod crates;
mod documents;
mod sources;
mod threats;
mod tree;
