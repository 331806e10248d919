//! The handle by which a process drives its sidecar.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use sidecar_policy::config::Config;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::listeners::{Bound, Name, Plan};
use super::shared::Shared;
use super::thread::{Apply, Command, run, runtime};
use super::{admin, bind};
use crate::app::{CompileError, Compiled};
use crate::identity::Gate;
use crate::options::{AppKey, Kind, Listeners, Options};
use crate::seeing::access_log::Sink;
use crate::seeing::metrics::Metrics;
use crate::worker::Worker;

/// How long the access log has for its last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// A running sidecar: its workers and its admin address.
pub struct Sidecar {
    options: Options,
    shared: Arc<Shared>,
    workers: Vec<mpsc::UnboundedSender<Command>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    log_thread: Option<JoinHandle<()>>,
    admin: Vec<SocketAddr>,
    stop_admin: watch::Sender<bool>,
    /// By worker: sockets are registered here before anything changes.
    runtimes: Vec<Handle>,
    listening: Mutex<BTreeMap<Name, Bound>>,
    ended: watch::Receiver<Option<String>>,
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
        let (mut workers, mut threads, mut runtimes) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..options.workers.max(1) {
            let (commands, receiver) = mpsc::unbounded_channel();
            let (metrics, log, gate) = (shared.metrics.clone(), log.clone(), Arc::clone(&gate));
            let body = async move || run(Worker::new(metrics, log, gate), receiver).await;
            let (thread, runtime) = spawn(format!("worker-{number}"), &end, body).map_err(StartError::Thread)?;
            threads.push(thread);
            runtimes.push(runtime);
            workers.push(commands);
        }
        let (stop_admin, stopped) = watch::channel(false);
        let (admin, sockets) = bind_admin(&options.admin)?;
        let known = Arc::clone(&shared);
        let body = async move || admin::serve(known, sockets, stopped).await;
        let (thread, _) = spawn("admin".to_owned(), &end, body).map_err(StartError::Thread)?;
        threads.push(thread);
        let threads = Mutex::new(threads);
        let sidecar = Self {
            options,
            shared,
            workers,
            threads,
            log_thread,
            admin,
            stop_admin,
            runtimes,
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

    /// Takes nothing new, lets requests under way finish for as long as the drain time, and ends. Callers whose
    /// connections are idle have a while to send one more request each, whose answer tells them that it was the last.
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
        // The log's thread ends with the last sink, which the metrics hold. It may be stuck with its reader.
        let Self { shared, log_thread, .. } = self;
        drop(shared);
        if let Some(thread) = log_thread {
            join(thread, LAST_LINES);
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
        let Plan { next, opened, passed, closed } = Plan::new(listeners, &listening, &self.runtimes)?;
        let (done, acknowledged) = std::sync::mpsc::channel();
        for (worker, opened) in self.workers.iter().zip(opened) {
            let (apps, passed, closed, done) = (Arc::clone(&apps), passed.clone(), closed.clone(), done.clone());
            let apply = Apply { apps, opened, passed, closed, done };
            worker.send(Command::Apply(apply)).map_err(|_| ApplyError::Worker)?;
        }
        drop(done);
        for _ in &self.workers {
            acknowledged.recv().map_err(|_| ApplyError::Worker)?;
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

/// A thread with a runtime of its own. When it ends in a panic or an error, the process is told.
fn spawn<F>(
    name: String,
    end: &Arc<watch::Sender<Option<String>>>,
    body: F,
) -> std::io::Result<(JoinHandle<()>, Handle)>
where
    F: AsyncFnOnce() -> std::io::Result<()> + Send + 'static,
{
    let guard = Ended { name: name.clone(), end: Arc::clone(end) };
    let (built, building) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        let guard = guard;
        let runtime = runtime();
        // The one who waits for it is below.
        let _ = built.send(runtime.as_ref().map(|runtime| runtime.handle().clone()).map_err(std::io::Error::kind));
        let Ok(runtime) = runtime else { return };
        let ended = runtime.block_on(body());
        // Not waited for: a name that is looked up, a password that is checked.
        runtime.shutdown_background();
        match ended {
            // It was told to end.
            Ok(()) => std::mem::forget(guard),
            Err(error) => tracing::error!(%error, "a thread cannot go on"),
        }
    })?;
    let runtime = building.recv().map_err(std::io::Error::other)?;
    Ok((thread, runtime?))
}

/// Waits for a thread that may never end.
fn join(thread: JoinHandle<()>, limit: Duration) {
    let (ended, ending) = std::sync::mpsc::channel();
    let waiting = std::thread::Builder::new().name("last-lines".to_owned()).spawn(move || {
        let _ = thread.join();
        let _ = ended.send(());
    });
    if waiting.is_err() || ending.recv_timeout(limit).is_err() {
        tracing::warn!("the last lines of the access log were not taken");
    }
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
