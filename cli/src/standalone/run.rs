//! The life of the process: files change, keys grow old, a signal comes.

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::standalone::Standalone;
use crate::standalone::state::Reload;
use crate::standalone::watch::watch;
use crate::terminal::{self, Terminal};

/// How long to wait when nothing is due.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// SIGTERM and SIGINT, kept from the moment that this is made.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// Serves and reloads until SIGTERM or SIGINT, then drains; a second signal ends at once. `Err`: a thread ended that
/// should not have.
pub(crate) async fn until_told(mut standalone: Standalone, mut signals: Signals) -> anyhow::Result<()> {
    let mut changes = watch(standalone.paths()).context("failed to watch the files")?;
    // What changed between the first reading and the watch has no event.
    report(standalone.reload(), &standalone);
    loop {
        let rotation = standalone.rotation_due().unwrap_or(NEVER);
        tokio::select! {
            () = changes.changed() => report(standalone.reload(), &standalone),
            () = tokio::time::sleep(rotation) => drop(standalone.rotate()),
            () = signals.next() => break,
            thread = standalone.broken() => anyhow::bail!("the thread {thread} has ended"),
        }
    }
    tracing::info!("ending: calls under way may finish, a second signal ends at once");
    tokio::select! {
        result = until_ended(standalone) => result,
        () = signals.next() => Ok(()),
    }
}

/// Drains and ends.
pub(crate) async fn until_ended(standalone: Standalone) -> anyhow::Result<()> {
    let (done, ended) = oneshot::channel();
    // The drain waits for threads, so it has one of its own. It is not joined: a second signal does not wait for it.
    std::thread::Builder::new().name("drain".to_owned()).spawn(move || {
        standalone.shutdown();
        // Nobody waits any more after a second signal.
        let _ = done.send(());
    })?;
    ended.await.context("failed to drain")
}

fn report(reload: Reload, standalone: &Standalone) {
    if reload != Reload::Applied {
        return;
    }
    tracing::info!(apps = standalone.configs().len(), "the changed files are served");
    for finding in standalone.finding_lines() {
        tracing::warn!("{finding}");
    }
}

/// Says on standard error where everything is, and what has no effect.
pub(crate) fn introduce(standalone: &Standalone) {
    let terminal = Terminal::detect_errors();
    terminal::warn(&standalone.findings(terminal));
    terminal::warn(&format!("{}\n", standalone.table(terminal)));
}

// === impl Signals ===

impl Signals {
    /// Make it before anything can be seen from outside: until then, a signal ends the process at once.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! { _ = self.terminate.recv() => {}, _ = self.interrupt.recv() => {} }
    }
}
