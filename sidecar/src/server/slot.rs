//! What a listener serves: an app's configuration, replaced while connections go on.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::app::App;
use crate::options::{AppKey, Kind};

/// An app behind one listener of one worker, and behind the connections that came through it.
pub(crate) struct Slot {
    pub(crate) kind: Kind,
    pub(crate) app: Rc<str>,
    current: RefCell<Option<Rc<App>>>,
    /// When idle connections are closed, once it is known that they must be.
    closing: watch::Sender<Option<Instant>>,
}

// === impl Slot ===

impl Slot {
    pub(crate) fn new(key: &AppKey, kind: Kind) -> Rc<Self> {
        let (closing, _) = watch::channel(None);
        Rc::new(Self { kind, app: key.app.as_str().into(), current: RefCell::new(None), closing })
    }

    /// What holds now. A request that has begun keeps what it began with.
    pub(crate) fn current(&self) -> Option<Rc<App>> {
        self.current.borrow().clone()
    }

    pub(crate) fn set(&self, app: Option<Rc<App>>) {
        *self.current.borrow_mut() = app;
    }

    /// Every answer is its connection's last from now on; connections that are still idle at `at` are closed then.
    pub(super) fn retire(&self, at: Instant) {
        self.closing.send_modify(|closing| *closing = Some(closing.map_or(at, |before| before.min(at))));
    }

    pub(super) fn is_retired(&self) -> bool {
        self.closing.borrow().is_some()
    }

    /// Resolves when idle connections are to be closed.
    pub(super) async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        loop {
            let at = *closing.borrow_and_update();
            tokio::select! {
                () = sleep_until(at.unwrap_or_else(Instant::now)), if at.is_some() => return,
                changed = closing.changed() => if changed.is_err() { return },
            }
        }
    }
}
