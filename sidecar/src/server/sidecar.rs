//! The handle by which a process drives its sidecar.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use sidecar_policy::config::Config;
use tokio::sync::{mpsc, watch};

use super::shared::Shared;
use super::thread::{Apply, Command, run, runtime};
use super::{admin, bind};
use crate::app::{CompileError, Compiled};
use crate::identity::Gate;
use crate::options::{AppKey, Kind, Listeners, Options};
use crate::seeing::access_log::Sink;
use crate::seeing::metrics::Metrics;
use crate::worker::Worker;

/// A running sidecar: its workers and its admin address.
pub struct Sidecar {
    options: Options,
    shared: Arc<Shared>,
    workers: Vec<mpsc::UnboundedSender<Command>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    log_thread: Option<JoinHandle<()>>,
    admin: Vec<SocketAddr>,
    stop_admin: watch::Sender<bool>,
    listening: Mutex<BTreeMap<(AppKey, Kind), Bound>>,
    ended: watch::Receiver<Option<String>>,
}

/// A listener, as it was asked for and as it is.
#[derive(Clone, Copy)]
struct Bound {
    asked: SocketAddr,
    address: SocketAddr,
}

/// Why a sidecar does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A thread or its runtime.
    #[error("failed to start a thread")]
    Thread(#[source] std::io::Error),
    /// The admin address.
    #[error("failed to listen on the admin address {address}")]
    Admin {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The first configuration.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

/// Why a configuration is not taken. What was served before goes on.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It cannot be used.
    #[error("the configuration of {app} cannot be used: {why}")]
    Config {
        /// Whose.
        app: AppKey,
        /// Why; never a secret.
        why: String,
    },
    /// A new listener.
    #[error("failed to listen on {address} for {app} ({})", kind.as_str())]
    Bind {
        /// For which app.
        app: AppKey,
        /// For what.
        kind: Kind,
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A worker does not answer.
    #[error("a worker has ended")]
    Worker,
}

// === impl Sidecar ===

impl Sidecar {
    /// Starts the threads, binds every listener and serves the configurations; all of it, or nothing. It is not ready
    /// before [`Sidecar::set_ready`].
    pub fn start(
        options: Options,
        listeners: &Listeners,
        configs: BTreeMap<AppKey, Config>,
    ) -> Result<Self, StartError> {
        let (log, log_thread) = Sink::start(options.access_log).map_err(StartError::Thread)?;
        let shared = Shared::new(Metrics::new(log.clone()));
        let (end, ended) = watch::channel(None);
        let end = Arc::new(end);
        let gate = Gate::new();
        let (mut workers, mut threads) = (Vec::new(), Vec::new());
        for number in 0..options.workers.max(1) {
            let (commands, receiver) = mpsc::unbounded_channel();
            let (metrics, log, gate) = (shared.metrics.clone(), log.clone(), Arc::clone(&gate));
            let thread = spawn(format!("worker-{number}"), &end, async move || {
                run(Worker::new(metrics, log, gate), receiver).await;
            });
            threads.push(thread.map_err(StartError::Thread)?);
            workers.push(commands);
        }
        let (stop_admin, stopped) = watch::channel(false);
        let (admin, sockets) = bind_admin(&options.admin)?;
        let known = Arc::clone(&shared);
        let thread = spawn("admin".to_owned(), &end, async move || admin::serve(known, sockets, stopped).await);
        threads.push(thread.map_err(StartError::Thread)?);
        let threads = Mutex::new(threads);
        let sidecar = Self {
            options,
            shared,
            workers,
            threads,
            log_thread,
            admin,
            stop_admin,
            listening: Mutex::default(),
            ended,
        };
        sidecar.try_apply(listeners, configs)?;
        sidecar.count_taken();
        Ok(sidecar)
    }

    /// Answers 200 on `/readyz` from now on: the configuration that is meant is served.
    pub fn set_ready(&self) {
        self.shared.set_ready(true);
    }

    /// Serves these configurations on these listeners from now on, or goes on as before and says why. Requests under way
    /// end with the configuration that they began with.
    pub fn apply(&self, listeners: &Listeners, configs: BTreeMap<AppKey, Config>) -> Result<(), ApplyError> {
        let result = self.try_apply(listeners, configs);
        match &result {
            Ok(()) => self.count_taken(),
            Err(error) => self.refused(&error.to_string()),
        }
        result
    }

    /// Counts a configuration that never got as far as [`Sidecar::apply`], and says so in the log.
    pub fn refused(&self, why: &str) {
        tracing::warn!(why, "the configuration was refused: the one before stays");
        self.count_reload("refused");
    }

    /// Where each app is served.
    pub fn addresses(&self) -> BTreeMap<(AppKey, Kind), SocketAddr> {
        self.listening.lock().iter().map(|(name, bound)| (name.clone(), bound.address)).collect()
    }

    /// The admin addresses.
    pub fn admin_addresses(&self) -> &[SocketAddr] {
        &self.admin
    }

    /// Resolves when a thread has ended that should not have: the process must end too.
    pub async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(name) => name.clone().unwrap_or_default(),
            Err(_) => "every thread".to_owned(),
        }
    }

    /// Takes nothing new, lets requests under way finish for as long as the drain time, and ends.
    pub fn shutdown(self) {
        self.shared.set_ready(false);
        for worker in &self.workers {
            // A worker that has ended has nothing to finish.
            let _ = worker.send(Command::Stop(self.options.drain));
        }
        let mut threads = std::mem::take(&mut *self.threads.lock());
        let admin = threads.pop();
        for thread in threads {
            let _ = thread.join();
        }
        self.stop_admin.send_replace(true);
        if let Some(admin) = admin {
            let _ = admin.join();
        }
        // The log's thread ends with the last sink, which the metrics hold.
        let Self { shared, log_thread, .. } = self;
        drop(shared);
        if let Some(thread) = log_thread {
            let _ = thread.join();
        }
    }

    fn count_taken(&self) {
        self.shared.metrics.rare.generation.inc();
        self.count_reload("ok");
    }

    fn count_reload(&self, result: &'static str) {
        self.shared.metrics.rare.reloads.get_or_create(&vec![("result", result)]).inc();
    }

    fn try_apply(&self, listeners: &Listeners, configs: BTreeMap<AppKey, Config>) -> Result<(), ApplyError> {
        let mut listening = self.listening.lock();
        let before = self.shared.apps();
        let mut apps = BTreeMap::new();
        for (key, config) in configs {
            let previous = before.get(&key);
            let compiled = match previous.filter(|compiled| compiled.config == config) {
                Some(same) => Arc::clone(same),
                None => self.compile(&key, config, previous.map(Arc::as_ref))?,
            };
            apps.insert(key, compiled);
        }
        let apps = Arc::new(apps);
        let (next, mut opened) = self.open(listeners, &listening)?;
        let closed: Vec<_> = listening.keys().filter(|name| !next.contains_key(*name)).cloned().collect();
        let (done, acknowledged) = std::sync::mpsc::channel();
        for worker in &self.workers {
            let opened = opened.iter_mut().filter_map(|(name, sockets)| Some((name.clone(), sockets.pop()?))).collect();
            let apply = Apply { apps: Arc::clone(&apps), opened, closed: closed.clone(), done: done.clone() };
            worker.send(Command::Apply(apply)).map_err(|_| ApplyError::Worker)?;
        }
        drop(done);
        for _ in &self.workers {
            acknowledged.recv().ok().and_then(Result::ok).ok_or(ApplyError::Worker)?;
        }
        self.note_unverified(&apps);
        self.shared.set_apps(apps);
        *listening = next;
        Ok(())
    }

    fn compile(&self, key: &AppKey, config: Config, previous: Option<&Compiled>) -> Result<Arc<Compiled>, ApplyError> {
        let compiled = Compiled::new(config, previous, &self.shared.metrics.rare);
        compiled
            .map(Arc::new)
            .map_err(|why: CompileError| ApplyError::Config { app: key.clone(), why: why.to_string() })
    }

    /// The listeners that are to be, and sockets for the new ones.
    #[allow(clippy::type_complexity, reason = "names and sockets, used once")]
    fn open(
        &self,
        listeners: &Listeners,
        listening: &BTreeMap<(AppKey, Kind), Bound>,
    ) -> Result<(BTreeMap<(AppKey, Kind), Bound>, Vec<((AppKey, Kind), Vec<TcpListener>)>), ApplyError> {
        let (mut next, mut opened) = (BTreeMap::new(), Vec::new());
        for (name, asked) in &listeners.addresses {
            if let Some(bound) = listening.get(name).filter(|bound| bound.asked == *asked) {
                next.insert(name.clone(), *bound);
                continue;
            }
            let (app, kind) = name.clone();
            let (address, sockets) = bind::bind(*asked, self.workers.len()).map_err(|source| ApplyError::Bind {
                app,
                kind,
                address: *asked,
                source,
            })?;
            next.insert(name.clone(), Bound { asked: *asked, address });
            opened.push((name.clone(), sockets));
        }
        Ok((next, opened))
    }

    /// Says loudly where certificates are not verified.
    fn note_unverified(&self, apps: &BTreeMap<AppKey, Arc<Compiled>>) {
        let mut unverified = 0;
        for (key, compiled) in apps {
            for (name, target) in compiled.config.outbound.iter().flat_map(|outbound| &outbound.targets) {
                if target.url.starts_with("https:") && target.tls.as_ref().is_some_and(|tls| !tls.verify) {
                    unverified += 1;
                    tracing::warn!(app = %key, target = %name, "the certificate of this app is NOT verified (tls.verify: false): anybody on the way can read and change the calls");
                }
            }
        }
        self.shared.metrics.rare.unverified_targets.set(unverified);
    }
}

fn bind_admin(addresses: &[SocketAddr]) -> Result<(Vec<SocketAddr>, Vec<TcpListener>), StartError> {
    let mut all = (Vec::new(), Vec::new());
    for address in addresses {
        let (bound, sockets) =
            bind::bind(*address, 1).map_err(|source| StartError::Admin { address: *address, source })?;
        all.0.push(bound);
        all.1.extend(sockets);
    }
    Ok(all)
}

/// A thread with a runtime of its own. When it ends in a panic, the process is told.
fn spawn<F>(name: String, end: &Arc<watch::Sender<Option<String>>>, body: F) -> std::io::Result<JoinHandle<()>>
where
    F: AsyncFnOnce() + Send + 'static,
{
    let runtime_error = |error: std::io::Error| tracing::error!(%error, "a runtime could not be started");
    let guard = Ended { name: name.clone(), end: Arc::clone(end) };
    std::thread::Builder::new().name(name).spawn(move || {
        let guard = guard;
        match runtime() {
            Ok(runtime) => {
                runtime.block_on(body());
                // It was told to end.
                std::mem::forget(guard);
            }
            Err(error) => runtime_error(error),
        }
    })
}

/// Dropped by a thread that ends unasked.
struct Ended {
    name: String,
    end: Arc<watch::Sender<Option<String>>>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.end.send_replace(Some(std::mem::take(&mut self.name)));
    }
}
