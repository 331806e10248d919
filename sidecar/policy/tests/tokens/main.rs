//! Tokens from the outside: keys in the forms that people have, forgeries, service accounts, published test vectors.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod attacks;
mod keys;
mod service;
mod support;
mod vectors;
