//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// How long anything that happens on this machine alone may take.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Looks again and again until `probe` gives something; panics when `limit` is over.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(started.elapsed() < limit, "waited {limit:?} in vain for {what}");
        pause(Duration::from_millis(5));
    }
}

/// As [`wait_for`], for a plain condition.
#[track_caller]
pub fn wait_until(what: &str, limit: Duration, mut probe: impl FnMut() -> bool) {
    wait_for(what, limit, || probe().then_some(()));
}

/// The pause between two looks at a condition, and the beat of a paced load.
#[allow(clippy::disallowed_methods, reason = "between two looks; whoever waits does so for a condition")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
