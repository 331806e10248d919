//! Credentials: read, or refused; never taken for nobody.
#![no_main]

#[path = "../invariants/authorization.rs"]
mod authorization;

libfuzzer_sys::fuzz_target!(|data: &[u8]| authorization::holds(data));
