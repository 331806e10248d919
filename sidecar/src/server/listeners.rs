//! Which listeners there are, and what it takes to have others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::bind;
use super::sidecar::ApplyError;
use crate::options::{AppKey, Kind, Listeners};

/// Whose listener it is.
pub(super) type Name = (AppKey, Kind);

/// A listener, as it was asked for and as it is.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    asked: SocketAddr,
    pub(super) address: SocketAddr,
}

/// The listeners that are to be, and the way there.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) next: BTreeMap<Name, Bound>,
    /// By worker: a socket for each new listener, registered with the worker's runtime.
    pub(super) opened: Vec<Vec<(Name, TcpListener)>>,
    /// Listeners that are another's from now on: from, to. An address that stays in use is never given up in between.
    pub(super) passed: Vec<(Name, Name)>,
    pub(super) closed: Vec<Name>,
}

// === impl Plan ===

impl Plan {
    /// Binds what is new. Nothing has changed when it fails.
    pub(super) fn new(
        asked: &Listeners,
        listening: &BTreeMap<Name, Bound>,
        runtimes: &[Handle],
    ) -> Result<Self, ApplyError> {
        let mut plan = Self { opened: runtimes.iter().map(|_| Vec::new()).collect(), ..Self::default() };
        let stays = |name: &Name, bound: &Bound| asked.addresses.get(name).is_some_and(|asked| bound.serves(*asked));
        let mut free: BTreeSet<_> =
            listening.iter().filter(|(name, bound)| !stays(name, bound)).map(|(name, _)| name.clone()).collect();
        for (name, asked) in &asked.addresses {
            let kept = listening.get(name).filter(|bound| bound.serves(*asked));
            let passed = || free.iter().find(|from| listening.get(*from).is_some_and(|bound| bound.address == *asked));
            let address = if let Some(bound) = kept {
                bound.address
            } else if let Some(from) = passed().cloned() {
                free.remove(&from);
                plan.passed.push((from, name.clone()));
                *asked
            } else {
                plan.open(name, *asked, runtimes)?
            };
            plan.next.insert(name.clone(), Bound { asked: *asked, address });
        }
        plan.closed = free.into_iter().collect();
        Ok(plan)
    }

    fn open(&mut self, name: &Name, asked: SocketAddr, runtimes: &[Handle]) -> Result<SocketAddr, ApplyError> {
        let failed = |source| ApplyError::Bind { app: name.0.clone(), kind: name.1, address: asked, source };
        let (address, sockets) = bind::bind(asked, runtimes.len()).map_err(failed)?;
        for ((socket, runtime), opened) in sockets.into_iter().zip(runtimes).zip(&mut self.opened) {
            let _entered = runtime.enter();
            opened.push((name.clone(), TcpListener::from_std(socket).map_err(failed)?));
        }
        Ok(address)
    }
}

// === impl Bound ===

impl Bound {
    /// The address was asked for in these words, or by the number that it got.
    fn serves(&self, asked: SocketAddr) -> bool {
        self.asked == asked || self.address == asked
    }
}
