//! What the process serves now, and how it comes to serve something else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crds::EnvName;
use operator_compile::{Key, Settings};
use rustix::process::{Resource, Rlimit, setrlimit};
use sidecar::{AppKey, Listeners, Options, Sidecar};
use sidecar_policy::config::Config;

use crate::build::{self, Built};
use crate::check::{BundledError, Checker};
use crate::command::UsageError;
use crate::diagnostic::{Diagnostic, Report, Severity};
use crate::keys::{self, GenerateError};
use crate::load::{self, LoadError, Source};
use crate::standalone::args::ServeArgs;
use crate::standalone::keys::{KeyStore, Want, wants};
use crate::standalone::listeners::{Addresses, FlagError, Flags, assign, needed};
use crate::standalone::{configs, table};
use crate::terminal::Terminal;

/// How long calls under way may take when the process ends.
const DRAIN: Duration = Duration::from_secs(30);

/// A running standalone mode.
pub(crate) struct Standalone {
    plan: Plan,
    sidecar: Sidecar,
    now: Now,
}

/// What does not change while the process runs.
struct Plan {
    checker: Checker,
    paths: Vec<PathBuf>,
    settings: Settings,
    environments: BTreeSet<EnvName>,
    flags: Flags,
    admin: SocketAddr,
    started: Instant,
}

/// What is served.
struct Now {
    sources: Vec<Source>,
    diagnostics: Vec<Diagnostic>,
    keys: KeyStore,
    wants: BTreeMap<Key, Want>,
    /// As asked for; port 0 takes a free one.
    addresses: Addresses,
    configs: BTreeMap<AppKey, Config>,
}

/// Why the standalone mode does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// What was named cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Files have errors; the findings, written for people.
    #[error("{} cannot be served: {first}", paths)]
    Findings {
        /// What was named.
        paths: String,
        /// The first error, in one line.
        first: String,
        /// All of them.
        report: String,
    },
    /// A flag.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// A flag.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A key pair.
    #[error(transparent)]
    Keys(#[from] GenerateError),
    /// The build.
    #[error(transparent)]
    Bundled(#[from] BundledError),
    /// The sidecar.
    #[error("failed to start")]
    Sidecar(#[source] sidecar::StartError),
    /// The sidecar, at the second step of a start with ports that the system chose.
    #[error("failed to start")]
    Apply(#[source] sidecar::ApplyError),
}

/// What became of a look at the files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    /// They say what they said before.
    Unchanged,
    /// They are served.
    Applied,
    /// They are not taken: what was served before stays.
    Refused,
}

// === impl Plan ===

impl Plan {
    fn new(paths: &[PathBuf], args: &ServeArgs) -> Result<Self, StartError> {
        let settings = args.installation.settings(true)?;
        Ok(Self {
            checker: Checker::new()?,
            paths: paths.to_vec(),
            environments: build::known_environments(&args.env, &settings)?,
            settings,
            flags: args.flags(),
            admin: args.admin,
            started: Instant::now(),
        })
    }

    /// What is to be served: `sources`, with keys and listeners that go on from `before`.
    fn next(&self, sources: Vec<Source>, before: Option<&Now>) -> Result<Now, StartError> {
        let mut keys = before.map(|now| now.keys.clone()).unwrap_or_default();
        let (mut all_wants, now) = (BTreeMap::new(), self.started.elapsed());
        let built = build::build(&self.checker, load::parse_all(sources), &self.settings, |inventory, needed| {
            all_wants = wants(inventory, needed);
            keys.advance(&all_wants, now, keys::generate)?;
            Ok::<_, GenerateError>(keys.pairs())
        })?;
        let Built { loaded, diagnostics, compiled } = built;
        let Some(compiled) = compiled else { return Err(self.findings(&diagnostics, &loaded.sources)) };
        let configs = configs::choose(&compiled, &self.environments);
        let nowhere = Addresses::new();
        let present = before.map_or(&nowhere, |now| &now.addresses);
        let addresses = assign(&needed(&configs), &self.flags, present, self.admin);
        Ok(Now { sources: loaded.sources, diagnostics, keys, wants: all_wants, addresses, configs })
    }

    fn findings(&self, diagnostics: &[Diagnostic], sources: &[Source]) -> StartError {
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        let mut lines = errors.map(|diagnostic| diagnostic.one_line(sources));
        let (first, more) = (lines.next().unwrap_or_default(), lines.count());
        let first = if more == 0 { first } else { format!("{first} (and {more} more)") };
        let paths: Vec<String> = self.paths.iter().map(|path| path.display().to_string()).collect();
        let terminal = Terminal::detect_errors();
        let report = Report { diagnostics, sources }.human(terminal.colour, terminal.width);
        StartError::Findings { paths: paths.join(" "), first, report }
    }
}

// === impl Now ===

impl Now {
    fn listeners(&self) -> Listeners {
        Listeners { addresses: self.addresses.clone() }
    }

    /// The configurations, connected through `addresses`.
    fn connected(&self, addresses: &Addresses) -> BTreeMap<AppKey, Config> {
        let mut configs = self.configs.clone();
        configs::connect(&mut configs, addresses);
        configs
    }

    fn has_free_ports(&self) -> bool {
        self.addresses.values().any(|address| address.port() == 0)
    }
}

// === impl Standalone ===

/// Keys and passwords are in memory: a crash must not write them to a disk.
fn forbid_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps cannot be forbidden: a crash may write secrets to a disk");
    }
}

impl Standalone {
    /// Reads the files and serves them; every listener serves once this returns.
    pub(crate) fn start(
        paths: &[PathBuf],
        args: &ServeArgs,
        access_log: sidecar::AccessLog,
    ) -> Result<Self, StartError> {
        forbid_core_dumps();
        let plan = Plan::new(paths, args)?;
        let mut now = plan.next(load::read(&plan.paths)?, None)?;
        plan.flags.check(&needed(&now.configs))?;
        let options = Options { workers: args.workers.into(), admin: vec![args.admin], access_log, drain: DRAIN };
        let sidecar =
            Sidecar::start(options, &now.listeners(), now.connected(&now.addresses)).map_err(StartError::Sidecar)?;
        if now.has_free_ports() {
            let configs = now.connected(&sidecar.addresses());
            sidecar.apply(&now.listeners(), configs).map_err(StartError::Apply)?;
        }
        sidecar.set_ready();
        now.keys.delivered();
        Ok(Self { plan, sidecar, now })
    }

    /// Looks at the files again and serves what they say now, if it can be served.
    pub(crate) fn reload(&mut self) -> Reload {
        match load::read(&self.plan.paths) {
            Ok(sources) if sources == self.now.sources => Reload::Unchanged,
            Ok(sources) => self.apply(sources),
            Err(error) => self.refuse(&error),
        }
    }

    /// Moves key pairs on that are due.
    pub(crate) fn rotate(&mut self) -> Reload {
        self.apply(self.now.sources.clone())
    }

    /// How long until [`Standalone::rotate`] has something to do.
    pub(crate) fn rotation_due(&self) -> Option<Duration> {
        let elapsed = self.plan.started.elapsed();
        self.now.keys.due(&self.now.wants, elapsed).map(|due| due.saturating_sub(elapsed))
    }

    fn apply(&mut self, sources: Vec<Source>) -> Reload {
        let mut next = match self.plan.next(sources, Some(&self.now)) {
            Ok(next) => next,
            Err(StartError::Findings { first, .. }) => {
                self.sidecar.refused(&first);
                return Reload::Refused;
            }
            Err(error) => return self.refuse(&error),
        };
        if let Err(error) = self.plan.flags.check(&needed(&next.configs)) {
            tracing::warn!(%error, "a flag has no effect for now");
        }
        let guessed = self.bound(&next.addresses);
        // A refusal is counted and logged there.
        if self.sidecar.apply(&next.listeners(), next.connected(&guessed)).is_err() {
            return Reload::Refused;
        }
        // New listeners have got their ports only now.
        let bound = self.bound(&next.addresses);
        if bound != guessed && self.sidecar.apply(&next.listeners(), next.connected(&bound)).is_err() {
            return Reload::Refused;
        }
        next.keys.delivered();
        self.now = next;
        Reload::Applied
    }

    /// `addresses` with the ports that the system chose, as far as it has.
    fn bound(&self, addresses: &Addresses) -> Addresses {
        let bound = self.sidecar.addresses();
        let actual = |(name, asked): (&_, &SocketAddr)| {
            let is_free = asked.port() == 0;
            (Clone::clone(name), bound.get(name).filter(|_| is_free).copied().unwrap_or(*asked))
        };
        addresses.iter().map(actual).collect()
    }

    fn refuse(&self, error: &dyn std::error::Error) -> Reload {
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        self.sidecar.refused(&format!("{error}{source}"));
        Reload::Refused
    }

    /// What is wrong in the files that are served: warnings, and resources that have no effect.
    pub(crate) fn findings(&self, terminal: Terminal) -> String {
        let report = Report { diagnostics: &self.now.diagnostics, sources: &self.now.sources };
        report.human(terminal.colour, terminal.width)
    }

    /// Each finding in one line, for a log.
    pub(crate) fn finding_lines(&self) -> impl Iterator<Item = String> + '_ {
        self.now.diagnostics.iter().map(|diagnostic| diagnostic.one_line(&self.now.sources))
    }

    /// Where everything is served, for people.
    pub(crate) fn table(&self, terminal: Terminal) -> String {
        table::render(&self.now.configs, &self.addresses(), self.sidecar.admin_addresses(), terminal)
    }

    /// Where each app is served.
    pub(crate) fn addresses(&self) -> Addresses {
        self.sidecar.addresses()
    }

    /// What is served.
    pub(crate) fn configs(&self) -> &BTreeMap<AppKey, Config> {
        &self.now.configs
    }

    /// What was named on the command line.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.plan.paths
    }

    /// Resolves when a thread ended that should not have.
    pub(crate) async fn broken(&self) -> String {
        self.sidecar.ended().await
    }

    /// Takes nothing new, lets calls under way finish, and ends.
    pub(crate) fn shutdown(self) {
        self.sidecar.shutdown();
    }
}
