//! A worker's thread: its runtime, its listeners, and what it is told.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::Slot;
use super::shared::Apps;
use crate::app::App;
use crate::options::{AppKey, Kind};
use crate::worker::Worker;

/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(10);
/// How long a listener waits when the process is out of file descriptors.
const OUT_OF_FILES: Duration = Duration::from_millis(50);

/// What a worker is told.
pub(super) enum Command {
    /// Serve these apps on these listeners.
    Apply(Apply),
    /// Take nothing new, finish what is under way, end.
    Stop(Duration),
}

pub(super) struct Apply {
    pub(super) apps: Apps,
    /// New listeners.
    pub(super) opened: Vec<((AppKey, Kind), StdListener)>,
    /// Listeners that are no longer wanted.
    pub(super) closed: Vec<(AppKey, Kind)>,
    /// Told when it holds.
    pub(super) done: std::sync::mpsc::Sender<std::io::Result<()>>,
}

/// What the loop of a worker holds.
struct State {
    worker: Rc<Worker>,
    views: HashMap<AppKey, Rc<App>>,
    listeners: HashMap<(AppKey, Kind), Listening>,
    drain: watch::Sender<bool>,
    open: Rc<Cell<usize>>,
}

struct Listening {
    slot: Rc<Slot>,
    accepting: JoinHandle<()>,
    /// Stops this listener alone.
    stop: watch::Sender<bool>,
}

/// A runtime for one thread.
pub(super) fn runtime() -> std::io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

/// Does what it is told until it is told to stop.
pub(super) async fn run(worker: Rc<Worker>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let (drain, _) = watch::channel(false);
    let mut state = State { worker, views: HashMap::new(), listeners: HashMap::new(), drain, open: Rc::default() };
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Apply(apply)) => {
                    let done = apply.done.clone();
                    let applied = state.apply(apply);
                    // Nobody listens any more when the process ends.
                    let _ = done.send(applied);
                }
                Some(Command::Stop(limit)) => return state.stop(limit).await,
                None => return state.stop(Duration::ZERO).await,
            },
            _ = sweep.tick() => state.worker.sweep(),
        }
    }
}

// === impl State ===

impl State {
    fn apply(&mut self, apply: Apply) -> std::io::Result<()> {
        let Apply { apps, opened, closed, .. } = apply;
        let mut views = HashMap::new();
        for (key, compiled) in apps.iter() {
            let kept = self.views.get(key).filter(|view| Arc::ptr_eq(&view.compiled, compiled));
            let view = kept.cloned().unwrap_or_else(|| App::new(&self.worker, key, Arc::clone(compiled)));
            views.insert(key.clone(), view);
        }
        self.views = views;
        for listener in closed {
            if let Some(listening) = self.listeners.remove(&listener) {
                listening.slot.set(None);
                listening.stop.send_replace(true);
            }
        }
        for (name, listener) in opened {
            let listening = self.listen(&name, listener)?;
            self.listeners.insert(name, listening);
        }
        for ((key, _), listening) in &self.listeners {
            listening.slot.set(self.views.get(key).cloned());
        }
        Ok(())
    }

    fn listen(&self, (key, kind): &(AppKey, Kind), listener: StdListener) -> std::io::Result<Listening> {
        let listener = TcpListener::from_std(listener)?;
        let slot = Slot::new(key, *kind);
        let (stop, stopped) = watch::channel(false);
        let accepting = Accepting {
            worker: Rc::clone(&self.worker),
            slot: Rc::clone(&slot),
            drain: self.drain.subscribe(),
            open: Rc::clone(&self.open),
        };
        let accepting = tokio::task::spawn_local(accepting.run(listener, stopped));
        Ok(Listening { slot, accepting, stop })
    }

    async fn stop(self, limit: Duration) {
        for listening in self.listeners.values() {
            listening.stop.send_replace(true);
        }
        for (_, listening) in self.listeners {
            if let Err(error) = listening.accepting.await {
                tracing::error!(%error, "a listener ended in an unexpected way");
            }
        }
        // Connections finish the request under way and close.
        self.drain.send_replace(true);
        let deadline = tokio::time::Instant::now() + limit;
        while self.open.get() > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if self.open.get() > 0 {
            tracing::warn!(
                connections = self.open.get(),
                "connections were cut off: they took longer than the drain time"
            );
        }
    }
}

/// The loop of one listener.
struct Accepting {
    worker: Rc<Worker>,
    slot: Rc<Slot>,
    drain: watch::Receiver<bool>,
    open: Rc<Cell<usize>>,
}

/// Counts a connection while it is open.
struct Open {
    count: Rc<Cell<usize>>,
    gauge: prometheus_client::metrics::gauge::Gauge,
}

// === impl Accepting ===

impl Accepting {
    async fn run(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, _)) => self.spawn(stream),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(OUT_OF_FILES).await;
                }
            }
        }
        // Callers that the kernel has already let in are served; closing now would reset them.
        while let Some(Ok((stream, _))) = now(listener.accept()).await {
            self.spawn(stream);
        }
    }

    /// The task ends with its connection; the count of open ones joins them at the end.
    fn spawn(&self, stream: TcpStream) {
        let open = Open::new(&self.open, &self.worker, self.slot.kind);
        let (worker, slot, drain) = (Rc::clone(&self.worker), Rc::clone(&self.slot), self.drain.clone());
        tokio::task::spawn_local(async move {
            super::connection::serve(worker, slot, stream, drain).await;
            drop(open);
        });
    }
}

/// What is there already, without waiting.
async fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        ready = future => Some(ready),
        () = std::future::ready(()) => None,
    }
}

// === impl Open ===

impl Open {
    fn new(count: &Rc<Cell<usize>>, worker: &Worker, kind: Kind) -> Self {
        count.set(count.get() + 1);
        let gauge = worker.metrics.rare.connections.get_or_create(&vec![("direction", kind.as_str())]).clone();
        gauge.inc();
        Self { count: Rc::clone(count), gauge }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.set(self.count.get().saturating_sub(1));
        self.gauge.dec();
    }
}
