//! What a sidecar decides, without doing anything.
//!
//! The configuration file's types ([`config`]) and every per-request decision, as total functions: no clock (time is an
//! argument), no environment, no files, no runtime, no network. One question per module.

pub mod caller;
pub mod claims;
pub mod config;
pub mod headers;
pub mod jwt;
pub mod password;
pub mod path;
pub mod secret;
