//! What a sidecar decides, without doing anything.
//!
//! The configuration file's types ([`config`]) and every per-request decision, as total functions: no clock (time is an
//! argument), no environment, no files, no runtime, no network. One question per module.

pub mod address;
pub mod authorization;
pub mod caller;
pub mod claims;
pub mod code;
pub mod config;
pub mod cors;
pub mod endpoint;
pub mod forwarded;
pub mod headers;
pub mod host;
pub mod jwt;
pub mod location;
pub mod mask;
pub mod password;
pub mod path;
pub mod request_id;
pub mod route;
pub mod secret;
pub mod trace;
