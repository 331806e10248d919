//! What the process, the workers and the admin address know of each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::app::Compiled;
use crate::options::AppKey;
use crate::seeing::metrics::Metrics;

/// Apps and what they run.
pub(super) type Apps = Arc<BTreeMap<AppKey, Arc<Compiled>>>;

/// Read by the admin address, written at a reload.
pub(super) struct Shared {
    pub(super) metrics: Metrics,
    ready: AtomicBool,
    apps: Mutex<Apps>,
}

// === impl Shared ===

impl Shared {
    pub(super) fn new(metrics: Metrics) -> Arc<Self> {
        Arc::new(Self { metrics, ready: AtomicBool::new(false), apps: Mutex::default() })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub(super) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    pub(super) fn apps(&self) -> Apps {
        Arc::clone(&self.apps.lock())
    }

    pub(super) fn set_apps(&self, apps: Apps) {
        *self.apps.lock() = apps;
    }
}
