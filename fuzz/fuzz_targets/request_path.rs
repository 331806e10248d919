//! Request targets: refused, or below their base for everybody.
#![no_main]

#[path = "../invariants/naive.rs"]
mod naive;
#[path = "../invariants/request_path.rs"]
mod request_path;

libfuzzer_sys::fuzz_target!(|data: &[u8]| request_path::holds(data));
