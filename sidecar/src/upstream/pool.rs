//! Idle connections to one app, of one worker: the one used last is lent first.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use sidecar_policy::code::{Code, Refusal};
use tokio::time::Instant;

use super::connect::{Endpoint, Sender};
use crate::body::Upload;
use crate::seeing::metrics::Rare;

/// Kept at most, per app and worker.
const MAX_IDLE: usize = 256;
/// Shorter than the 5 s after which common servers close (Node.js, uvicorn), so that the sidecar closes first and no
/// request meets a connection that is being closed.
const IDLE: Duration = Duration::from_secs(4);

/// Idle connections to one app.
pub(crate) struct Pool {
    pub(crate) endpoint: Endpoint,
    idle: RefCell<Vec<Idle>>,
    rare: Rare,
}

struct Idle {
    sender: Sender,
    since: Instant,
}

/// A connection on loan. Dropped without being given back, it is closed.
pub(crate) struct Lease {
    pool: Rc<Pool>,
    sender: Sender,
    upload: Rc<Upload>,
}

// === impl Pool ===

impl Pool {
    pub(crate) fn new(endpoint: Endpoint, rare: Rare) -> Rc<Self> {
        Rc::new(Self { endpoint, idle: RefCell::default(), rare })
    }

    /// An idle connection that is still open.
    pub(crate) async fn reuse(&self) -> Option<Sender> {
        loop {
            let Idle { mut sender, since } = self.idle.borrow_mut().pop()?;
            if since.elapsed() > IDLE {
                // Those below are older still.
                self.idle.borrow_mut().clear();
                return None;
            }
            if sender.requests.is_ready() || (!sender.requests.is_closed() && sender.requests.ready().await.is_ok()) {
                return Some(sender);
            }
        }
    }

    /// A new connection.
    pub(crate) async fn open(&self, limit: Duration) -> Result<Sender, Refusal> {
        let opened = match tokio::time::timeout(limit, self.endpoint.connect()).await {
            Ok(opened) => opened,
            Err(_) => Err(Refusal::new(
                Code::UpstreamTimeout,
                format!("{} took no connection in {} ms", self.endpoint.name, limit.as_millis()),
            )),
        };
        let result = if opened.is_ok() { "ok" } else { "error" };
        self.rare.connects.get_or_create(&vec![("result", result)]).inc();
        opened
    }

    pub(crate) fn lend(self: &Rc<Self>, sender: Sender, upload: Rc<Upload>) -> Lease {
        Lease { pool: Rc::clone(self), sender, upload }
    }

    /// Closes connections that nobody has used for long.
    pub(crate) fn sweep(&self) {
        self.idle.borrow_mut().retain(|idle| !idle.sender.requests.is_closed() && idle.since.elapsed() <= IDLE);
    }
}

// === impl Lease ===

impl Lease {
    /// The answer is through: the connection can carry another request, if this one was sent to its end.
    pub(crate) fn give_back(self) {
        if self.sender.requests.is_closed() || !self.upload.is_done() {
            return;
        }
        let mut idle = self.pool.idle.borrow_mut();
        if idle.len() < MAX_IDLE {
            idle.push(Idle { sender: self.sender, since: Instant::now() });
        }
    }
}
