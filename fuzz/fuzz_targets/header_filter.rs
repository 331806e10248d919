//! Headers: nothing is left of what ends at the sidecar.
#![no_main]

#[path = "../invariants/header_filter.rs"]
mod header_filter;

libfuzzer_sys::fuzz_target!(|data: &[u8]| header_filter::holds(data));
