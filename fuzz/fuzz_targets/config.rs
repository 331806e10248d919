//! Configuration files: refused without a quote, or shown without their secrets.
#![no_main]

#[path = "../invariants/config.rs"]
mod config;

libfuzzer_sys::fuzz_target!(|data: &[u8]| config::holds(data));
