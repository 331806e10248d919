//! What a listener serves: an app's configuration, replaced while connections go on.

use std::cell::RefCell;
use std::rc::Rc;

use crate::app::App;
use crate::options::{AppKey, Kind};

/// An app behind one listener of one worker.
pub(crate) struct Slot {
    pub(crate) kind: Kind,
    pub(crate) app: Rc<str>,
    current: RefCell<Option<Rc<App>>>,
}

// === impl Slot ===

impl Slot {
    pub(crate) fn new(key: &AppKey, kind: Kind) -> Rc<Self> {
        Rc::new(Self { kind, app: key.app.as_str().into(), current: RefCell::new(None) })
    }

    /// What holds now. A request that has begun keeps what it began with.
    pub(crate) fn current(&self) -> Option<Rc<App>> {
        self.current.borrow().clone()
    }

    pub(crate) fn set(&self, app: Option<Rc<App>>) {
        *self.current.borrow_mut() = app;
    }
}
