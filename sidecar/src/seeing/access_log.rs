//! One JSON line per request on standard output, written by a thread of its own.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::options::AccessLog;

/// Lines that wait for the writer; past that they are dropped and counted, so that a slow disk never slows a call.
const QUEUE: usize = 8192;

/// A line.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    /// Milliseconds since 1970.
    pub(crate) timestamp: u64,
    pub(crate) request_id: String,
    pub(crate) trace_id: String,
    pub(crate) direction: &'static str,
    pub(crate) app: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<&'a str>,
    pub(crate) method: &'a str,
    /// Without the query, which may hold secrets.
    pub(crate) path: &'a str,
    /// Absent where the caller went away before there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) audited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<&'a str>,
    pub(crate) peer: String,
    pub(crate) bytes_sent: u64,
    pub(crate) duration_us: u64,
    pub(crate) completed: bool,
}

/// Takes lines from every worker.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    which: AccessLog,
    lines: Option<SyncSender<Vec<u8>>>,
    dropped: Arc<AtomicU64>,
}

// === impl Sink ===

impl Sink {
    /// Starts the writer; it ends when every clone of the sink is gone.
    pub(crate) fn start(which: AccessLog) -> std::io::Result<(Self, Option<JoinHandle<()>>)> {
        let dropped = Arc::new(AtomicU64::new(0));
        if which == AccessLog::Off {
            return Ok((Self { which, lines: None, dropped }, None));
        }
        let (sender, receiver) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("access-log".to_owned()).spawn(move || write_lines(&receiver))?;
        Ok((Self { which, lines: Some(sender), dropped }, Some(thread)))
    }

    pub(crate) fn which(&self) -> AccessLog {
        self.which
    }

    /// Lines that were dropped because the writer was behind.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn timestamp(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn write(&self, entry: &Entry<'_>) {
        let (Some(lines), Ok(mut line)) = (&self.lines, serde_json::to_vec(entry)) else { return };
        line.push(b'\n');
        if let Err(TrySendError::Full(_)) = lines.try_send(line) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write_lines(lines: &Receiver<Vec<u8>>) {
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout());
    loop {
        let line = match lines.try_recv() {
            Ok(line) => line,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                // Nothing waits: show what is there, then sleep until there is more.
                let _ = out.flush();
                let Ok(line) = lines.recv() else { break };
                line
            }
        };
        if out.write_all(&line).is_err() {
            // Standard output is gone; so is the log, but not the service.
            return;
        }
    }
    let _ = out.flush();
}
