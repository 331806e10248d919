//! `crosscall serve`, as people start it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::binary;
use crate::call::{Call, Response};
use crate::ports::free_address;
use crate::process;
use crate::wait::{LIMIT, wait_for, wait_until};

/// What is to be started.
pub struct Serve {
    manifests: String,
    environment: String,
    access_log: String,
    arguments: Vec<String>,
    core: Option<usize>,
    variables: Vec<(String, String)>,
}

/// A listener of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Outbound,
    Exposed,
    Inbound,
}

/// The running process. Dropping it kills it.
pub struct Crosscall {
    child: Child,
    folder: TempDir,
    admin: SocketAddr,
    listeners: BTreeMap<(Side, String), SocketAddr>,
}

// === impl Serve ===

impl Serve {
    /// These manifests, in environment `local`, with every access in the log.
    pub fn new(manifests: impl Into<String>) -> Self {
        Self {
            manifests: manifests.into(),
            environment: "local".to_owned(),
            access_log: "all".to_owned(),
            arguments: Vec::new(),
            core: None,
            variables: Vec::new(),
        }
    }

    /// Another environment.
    #[must_use]
    pub fn environment(mut self, environment: &str) -> Self {
        environment.clone_into(&mut self.environment);
        self
    }

    /// Which requests are logged: `all`, `errors` or `off`.
    #[must_use]
    pub fn access_log(mut self, which: &str) -> Self {
        which.clone_into(&mut self.access_log);
        self
    }

    /// Runs on one core alone.
    #[must_use]
    pub fn pinned(mut self, core: usize) -> Self {
        self.core = Some(core);
        self
    }

    /// Further arguments.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// An environment variable of the process.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until every listener serves.
    #[track_caller]
    pub fn start(self) -> Crosscall {
        let mut crosscall = self.spawn();
        wait_until("readiness", LIMIT, || {
            if let Some(status) = crosscall.child.try_wait().unwrap() {
                panic!("crosscall ended with {status}:\n{}", crosscall.stderr());
            }
            Call::get("/readyz").try_to(crosscall.admin).is_ok_and(|response| response.status == 200)
        });
        crosscall
    }

    /// Starts it; it must end by itself with an error. Returns everything that it wrote.
    #[track_caller]
    pub fn refused(self) -> String {
        let mut crosscall = self.spawn();
        let status = crosscall.wait();
        let written = format!("{}{}", crosscall.stdout(), crosscall.stderr());
        assert!(!status.success(), "accepted:\n{written}");
        written
    }

    /// Starts it and waits until it is ready or has ended.
    pub fn start_or_refuse(self) -> Result<Crosscall, String> {
        let mut crosscall = self.spawn();
        let ended = wait_for("readiness or an end", LIMIT, || match crosscall.child.try_wait().unwrap() {
            Some(_) => Some(true),
            None => {
                Call::get("/readyz").try_to(crosscall.admin).is_ok_and(|ready| ready.status == 200).then_some(false)
            }
        });
        if ended { Err(format!("{}{}", crosscall.stdout(), crosscall.stderr())) } else { Ok(crosscall) }
    }

    fn spawn(self) -> Crosscall {
        let folder = TempDir::new().unwrap();
        let manifests = folder.path().join("manifests");
        fs::create_dir(&manifests).unwrap();
        fs::write(manifests.join("manifests.yaml"), &self.manifests).unwrap();
        let admin = free_address();
        let mut command = match self.core {
            Some(core) => pinned(core, binary::path()),
            None => Command::new(binary::path()),
        };
        command.args(["serve", "--access-log", &self.access_log, "--log-format", "json"]);
        command.arg("-f").arg(&manifests);
        command.arg("--env").arg(&self.environment).arg("--admin").arg(admin.to_string());
        let listeners = needed(&self.manifests, &self.environment);
        for ((side, app), address) in &listeners {
            command.arg(side.flag()).arg(format!("{app}={address}"));
        }
        let log = |name: &str| Stdio::from(File::create(folder.path().join(name)).unwrap());
        command.args(&self.arguments).envs(self.variables).current_dir(&folder);
        command.stdin(Stdio::null()).stdout(log("stdout")).stderr(log("stderr"));
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", binary::path().display()));
        Crosscall { child, folder, admin, listeners }
    }
}

impl Side {
    fn flag(self) -> &'static str {
        match self {
            Self::Outbound => "--listen",
            Self::Exposed => "--exposed",
            Self::Inbound => "--inbound",
        }
    }
}

// === impl Crosscall ===

impl Crosscall {
    /// The outbound listener of an app.
    pub fn outbound(&self, app: &str) -> SocketAddr {
        self.listeners[&(Side::Outbound, app.to_owned())]
    }

    /// The listener for exposed routes of an app.
    pub fn exposed(&self, app: &str) -> SocketAddr {
        self.listeners[&(Side::Exposed, app.to_owned())]
    }

    /// The inbound listener of an app.
    pub fn inbound(&self, app: &str) -> SocketAddr {
        self.listeners[&(Side::Inbound, app.to_owned())]
    }

    /// What the admin listener answers.
    #[track_caller]
    pub fn admin(&self, path: &str) -> Response {
        Call::get(path).to(self.admin)
    }

    /// The admin listener.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// `/metrics` as text.
    #[track_caller]
    pub fn metrics(&self) -> String {
        let response = self.admin("/metrics");
        assert_eq!(response.status, 200);
        response.text()
    }

    /// The sum of the samples of a metric whose labels hold all of `labels` (such as `result="refused"`).
    #[track_caller]
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let metrics = self.metrics();
        let samples = metrics.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (found, rest) = series.split_once('{').unwrap_or((series, ""));
            (found == name && labels.iter().all(|label| rest.contains(label))).then(|| value.parse::<f64>().unwrap())
        });
        samples.sum()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory, in bytes.
    pub fn rss(&self) -> u64 {
        process::rss(self.pid())
    }

    /// What was written to standard output.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("stdout")).unwrap()).into_owned()
    }

    /// What was written to standard error.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("stderr")).unwrap()).into_owned()
    }

    /// The line of the access log about a request, for one direction (`outbound` or `inbound`).
    #[track_caller]
    pub fn logged(&self, request_id: &str, direction: &str) -> Value {
        wait_for(&format!("the {direction} access log line of {request_id}"), LIMIT, || {
            let stdout = self.stdout();
            let lines = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut of_request =
                lines.filter(|line| line["request_id"] == request_id && line["direction"] == direction);
            of_request.next()
        })
    }

    /// Where the manifests are.
    pub fn manifests(&self) -> std::path::PathBuf {
        self.folder.path().join("manifests")
    }

    /// Replaces the manifests in one step, as editors do.
    pub fn replace(&self, manifests: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, manifests).unwrap();
        fs::rename(new, self.manifests().join("manifests.yaml")).unwrap();
    }

    /// Asks it to end (`SIGTERM`).
    pub fn terminate(&self) {
        let killed = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status().unwrap();
        assert!(killed.success());
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the end of the process", Duration::from_secs(60), || self.child.try_wait().unwrap())
    }

    /// Everything in the folder of the process but the manifests, for searching: name and bytes.
    pub fn written(&self) -> Vec<(String, Vec<u8>)> {
        let mut written = Vec::new();
        collect(self.folder.path(), &self.manifests(), &mut written);
        written
    }
}

impl Drop for Crosscall {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let mut tail = String::new();
            for (name, text) in [("stdout", self.stdout()), ("stderr", self.stderr())] {
                let lines: Vec<&str> = text.lines().collect();
                let _ = writeln!(tail, "--- {name}\n{}", lines[lines.len().saturating_sub(15)..].join("\n"));
            }
            crate::component::say(&tail);
        }
    }
}

/// A free address for each listener that the apps of an environment need, so that processes side by side never meet at
/// the usual ports. Nothing for what is no YAML: the process says so itself.
fn needed(manifests: &str, environment: &str) -> BTreeMap<(Side, String), SocketAddr> {
    let documents = serde_yaml::Deserializer::from_str(manifests).map(Value::deserialize);
    let documents: Vec<Value> = documents.map_while(Result::ok).collect();
    let is_served = |document: &&Value| {
        documents.iter().any(|namespace| {
            namespace["kind"] == "Namespace"
                && namespace["metadata"]["name"] == document["metadata"]["namespace"]
                && namespace["metadata"]["labels"]["crosscall.dev/env"] == environment
        })
    };
    let mut listeners = BTreeMap::new();
    for document in documents.iter().filter(is_served) {
        let spec = &document["spec"];
        let (caller, callee) = (&spec["proxyApp"], &document["metadata"]["name"]);
        let needs = match document["kind"].as_str() {
            Some("ProxyRoute") if spec["exposure"] == "Pod" => vec![(Side::Outbound, caller), (Side::Exposed, caller)],
            Some("ProxyRoute") => vec![(Side::Outbound, caller)],
            Some("ProxiedApp") if !spec["appPort"].is_null() => vec![(Side::Inbound, callee)],
            _ => Vec::new(),
        };
        for (side, app) in needs.into_iter().filter_map(|(side, app)| Some((side, app.as_str()?.to_owned()))) {
            listeners.entry((side, app)).or_insert_with(free_address);
        }
    }
    listeners
}

/// A program on one core alone.
pub fn pinned(core: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.to_string()]).arg(program);
    command
}

fn collect(folder: &Path, except: &Path, written: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.path() != except) {
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), except, written);
        } else {
            written.push((entry.path().display().to_string(), fs::read(entry.path()).unwrap()));
        }
    }
}
