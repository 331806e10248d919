//! The fuzz targets' seeds, replayed: what holds for any bytes holds for those that once mattered.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]
#![allow(clippy::disallowed_methods, reason = "reads the seeds, which the crate itself never does")]

use std::path::Path;

#[path = "../../../fuzz/invariants/authorization.rs"]
mod authorization;
#[path = "../../../fuzz/invariants/config.rs"]
mod config;
#[path = "../../../fuzz/invariants/header_filter.rs"]
mod header_filter;
#[path = "../../../fuzz/invariants/naive.rs"]
mod naive;
#[path = "../../../fuzz/invariants/request_path.rs"]
mod request_path;
#[path = "../../../fuzz/invariants/token.rs"]
mod token;

/// Replays every seed of a target, and each of them cut short everywhere.
fn replay(target: &str, holds: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut seeds = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let seed = std::fs::read(entry.unwrap().path()).unwrap();
        for length in 0..=seed.len() {
            holds(&seed[..length]);
        }
        seeds += 1;
    }
    assert!(seeds >= 10, "{seeds} seeds in {}", folder.display());
}

/// Threats R2 and R3.
#[test]
fn request_path_seeds_stay_below() {
    replay("request_path", request_path::holds);
}

/// Threats H1, H2 and H6.
#[test]
fn header_filter_seeds_leave_nothing() {
    replay("header_filter", header_filter::holds);
}

/// Threat J7.
#[test]
fn authorization_seeds_are_never_nobody() {
    replay("authorization", authorization::holds);
}

/// Threats J1, J3 and K2b.
#[test]
fn token_seeds_speak_for_one_account() {
    replay("token", token::holds);
}

/// Threat J5.
#[test]
fn config_seeds_show_no_secret() {
    replay("config", config::holds);
}
