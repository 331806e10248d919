//! Tokens: nobody forges one, and its signer speaks for one account.
#![no_main]

#[path = "../invariants/token.rs"]
mod token;

libfuzzer_sys::fuzz_target!(|data: &[u8]| token::holds(data));
