//! A worker's thread: its runtime, its listeners, and what it is told.

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Slot;
use super::listeners::Name;
use super::listening::Listening;
use super::shared::Apps;
use crate::app::App;
use crate::options::AppKey;
use crate::worker::Worker;

/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(10);
/// How long callers whose connections are idle have to send one more request, and learn from its answer that the
/// connection ends.
const GRACE: Duration = Duration::from_secs(2);

/// What a worker is told.
pub(super) enum Command {
    /// Serve these apps on these listeners.
    Apply(Apply),
    /// Take nothing new, finish what is under way, end.
    Stop(Duration),
}

/// What changes. Nothing of it can fail.
pub(super) struct Apply {
    pub(super) apps: Apps,
    /// New listeners, registered with this worker's runtime.
    pub(super) opened: Vec<(Name, TcpListener)>,
    /// Listeners that are another's from now on: from, to.
    pub(super) passed: Vec<(Name, Name)>,
    /// Listeners that are no longer wanted.
    pub(super) closed: Vec<Name>,
    /// Told when it holds.
    pub(super) done: std::sync::mpsc::Sender<()>,
}

/// What the loop of a worker holds.
struct State {
    worker: Rc<Worker>,
    views: HashMap<AppKey, Rc<App>>,
    listeners: HashMap<Name, Listening>,
    /// The loops of the listeners.
    accepting: JoinSet<io::Result<()>>,
    /// What the connections still have whose listener has gone.
    retired: Vec<(AppKey, Rc<Slot>)>,
    /// Connections that are open.
    open: Rc<watch::Sender<usize>>,
}

/// A runtime for one thread.
pub(super) fn runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

/// Does what it is told until it is told to stop. An error is the end of a listener that should go on.
pub(super) async fn run(worker: Rc<Worker>, mut commands: mpsc::UnboundedReceiver<Command>) -> io::Result<()> {
    let mut state = State::new(worker);
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Apply(apply)) => state.apply(apply),
                Some(Command::Stop(limit)) => {
                    state.stop(limit).await;
                    return Ok(());
                }
                None => {
                    state.stop(Duration::ZERO).await;
                    return Ok(());
                }
            },
            Some(ended) = state.accepting.join_next() => ended??,
            _ = sweep.tick() => state.sweep(),
        }
    }
}

// === impl State ===

impl State {
    fn new(worker: Rc<Worker>) -> Self {
        let (open, _) = watch::channel(0);
        Self {
            worker,
            views: HashMap::new(),
            listeners: HashMap::new(),
            accepting: JoinSet::new(),
            retired: Vec::new(),
            open: Rc::new(open),
        }
    }

    fn apply(&mut self, apply: Apply) {
        let Apply { apps, opened, passed, closed, done } = apply;
        self.view(&apps);
        let grace = Instant::now() + GRACE;
        for name in closed {
            if let Some(listening) = self.take(&name, grace) {
                listening.stop();
            }
        }
        // All are taken before one is given: two apps may change places.
        let passed: Vec<_> = passed.into_iter().filter_map(|(from, to)| Some((to, self.take(&from, grace)?))).collect();
        for ((key, kind), listening) in passed {
            listening.pass_to(Slot::new(&key, kind));
            self.listeners.insert((key, kind), listening);
        }
        for (name, listener) in opened {
            self.listen(name, listener);
        }
        self.fill();
        // Nobody listens any more when the process ends.
        let _ = done.send(());
    }

    fn view(&mut self, apps: &Apps) {
        let mut views = HashMap::new();
        for (key, compiled) in apps.iter() {
            let kept = self.views.get(key).filter(|view| Arc::ptr_eq(&view.compiled, compiled));
            let view = kept.cloned().unwrap_or_else(|| App::new(&self.worker, key, Arc::clone(compiled)));
            views.insert(key.clone(), view);
        }
        self.views = views;
    }

    /// Its connections are led to their end.
    fn take(&mut self, name: &Name, grace: Instant) -> Option<Listening> {
        let listening = self.listeners.remove(name)?;
        let slot = listening.slot();
        slot.retire(grace);
        self.retired.push((name.0.clone(), slot));
        Some(listening)
    }

    fn listen(&mut self, name: Name, listener: TcpListener) {
        let (listening, accepting) = Listening::new(&self.worker, Slot::new(&name.0, name.1), &self.open);
        self.accepting.spawn_local(accepting.run(listener));
        self.listeners.insert(name, listening);
    }

    /// Every connection has what holds now. An app that has gone altogether keeps what it had last, until the few
    /// connections to it that are left are closed.
    fn fill(&mut self) {
        for ((key, _), listening) in &self.listeners {
            listening.slot().set(self.views.get(key).cloned());
        }
        for (key, slot) in &self.retired {
            if let Some(view) = self.views.get(key) {
                slot.set(Some(Rc::clone(view)));
            }
        }
    }

    fn sweep(&mut self) {
        self.worker.sweep();
        self.retired.retain(|(_, slot)| Rc::strong_count(slot) > 1);
    }

    async fn stop(&mut self, limit: Duration) {
        let grace = Instant::now() + GRACE.min(limit / 2);
        for listening in self.listeners.values() {
            listening.slot().retire(grace);
            listening.stop();
        }
        for (_, slot) in &self.retired {
            slot.retire(grace);
        }
        while let Some(ended) = self.accepting.join_next().await {
            if let Err(error) = ended.map_err(io::Error::from).flatten() {
                tracing::error!(%error, "a listener ended in an unexpected way");
            }
        }
        let mut open = self.open.subscribe();
        if tokio::time::timeout(limit, open.wait_for(|open| *open == 0)).await.is_err() {
            let connections = *self.open.borrow();
            tracing::warn!(connections, "connections were cut off: they took longer than the drain time");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::identity::Gate;
    use crate::options::{AccessLog, Kind};
    use crate::seeing::access_log::Sink;
    use crate::seeing::metrics::Metrics;

    #[test]
    fn a_dead_listener_ends_its_worker() {
        let (log, _) = Sink::start(AccessLog::Off).unwrap();
        let metrics = Metrics::new(log.clone());
        let ended = runtime().unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            socket2::SockRef::from(&listener).shutdown(std::net::Shutdown::Both).unwrap();
            let (commands, receiver) = mpsc::unbounded_channel();
            let (done, _) = std::sync::mpsc::channel();
            let name = (AppKey { namespace: "shop".into(), app: "fr-api".into() }, Kind::Outbound);
            let (apps, opened) = (Arc::new(BTreeMap::new()), vec![(name, listener)]);
            let apply = Apply { apps, opened, passed: Vec::new(), closed: Vec::new(), done };
            assert!(commands.send(Command::Apply(apply)).is_ok());
            let run = run(Worker::new(metrics, log, Gate::new()), receiver);
            tokio::time::timeout(Duration::from_secs(10), run).await.expect("the worker goes on")
        });
        assert!(ended.is_err());
    }
}
