//! The clients: wrk for as many requests as there can be, h2load for a steady thousand a second.

use std::fs;
use std::process::Command;

use system_tests::call::{Call, Connection};
use system_tests::component::Tree;
use system_tests::crosscall::pinned;
use tempfile::TempDir;

use crate::contestant::Running;
use crate::machine;

/// Keep-alive connections.
const CONNECTIONS: u32 = 50;

/// Requests a second of the paced load.
const PACE: u32 = 1_000;

/// How loads are run.
pub(crate) struct Load {
    tools: Tree,
    core: usize,
    pub(crate) seconds: u32,
}

/// What one run came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) requests: f64,
    pub(crate) seconds: f64,
    /// Processor time of the client, in seconds.
    pub(crate) client_cpu: f64,
    /// Processor time of the proxy, in seconds.
    pub(crate) cpu: f64,
    /// Durations of the requests in microseconds, sorted; of paced runs only.
    pub(crate) durations: Vec<u32>,
}

// === impl Load ===

impl Load {
    pub(crate) fn new(tools: Tree, core: usize, seconds: u32) -> Self {
        Self { tools, core, seconds }
    }

    /// As many requests as there can be.
    pub(crate) fn wrk(&self, target: &Running, seconds: u32) -> Sample {
        let mut command = self.pinned("usr/bin/wrk");
        command.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), "--timeout", "10s"]);
        let (written, client_cpu) = self.run(command, target);
        assert!(!written.contains("Non-2xx") && !written.contains("Socket errors"), "failed requests: {written}");
        // `123456 requests in 5.00s, …`
        let line = written.lines().find(|line| line.contains(" requests in ")).unwrap_or_else(|| panic!("{written}"));
        let (requests, rest) = line.trim().split_once(" requests in ").unwrap();
        let time = rest.split_once(',').unwrap().0;
        let seconds = time.strip_suffix('s').and_then(|time| time.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        Sample { requests: requests.parse().unwrap(), seconds, client_cpu, ..Sample::default() }
    }

    /// [`PACE`] requests a second, each measured.
    pub(crate) fn paced(&self, target: &Running) -> Sample {
        let folder = TempDir::new().unwrap();
        let log = folder.path().join("log");
        let mut command = self.pinned("usr/bin/h2load");
        command.args(["--h1", "-t1", "-m1", &format!("-c{CONNECTIONS}"), &format!("--rps={}", PACE / CONNECTIONS)]);
        command.arg(format!("--duration={}", self.seconds)).arg(format!("--log-file={}", log.display()));
        let (written, client_cpu) = self.run(command, target);
        // Start in microseconds, status, duration in microseconds.
        let log = fs::read_to_string(log).unwrap();
        let mut durations = Vec::new();
        for line in log.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            assert_eq!(fields[1], "200", "{line}: {written}");
            durations.push(fields[2].parse().unwrap());
        }
        durations.sort_unstable();
        let expected = PACE * self.seconds;
        assert!(durations.len() as f64 > f64::from(expected) * 0.9, "{} of {expected}: {written}", durations.len());
        Sample {
            requests: durations.len() as f64,
            seconds: f64::from(self.seconds),
            client_cpu,
            durations,
            ..Sample::default()
        }
    }

    /// Connections that have served one request and now do nothing.
    pub(crate) fn hold(&self, target: &Running, count: usize) -> Vec<Connection> {
        let open = |_| {
            let mut connection = Connection::open(target.address);
            assert_eq!(connection.call(&Call::get(target.path)).unwrap().status, 200);
            connection
        };
        (0..count).map(open).collect()
    }

    fn pinned(&self, program: &str) -> Command {
        let mut command = pinned(self.core, &self.tools.path(program));
        command.env("LD_LIBRARY_PATH", self.tools.libraries());
        command
    }

    /// Runs a client and says what it wrote and what it cost.
    fn run(&self, mut command: Command, target: &Running) -> (String, f64) {
        if let Some(token) = &target.token {
            command.args(["-H", &format!("Authorization: Bearer {token}")]);
        }
        let before = machine::children_cpu();
        let output = command.arg(format!("http://{}{}", target.address, target.path)).output().unwrap();
        let cpu = machine::children_cpu() - before;
        let written = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command:?}: {written}{}", String::from_utf8_lossy(&output.stderr));
        (written, cpu.as_secs_f64())
    }
}

// === impl Sample ===

impl Sample {
    /// The duration that `percent` of the requests stay below, in microseconds.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let rank = (self.durations.len() as f64 * percent / 100.0).ceil() as usize;
        f64::from(self.durations[rank.clamp(1, self.durations.len()) - 1])
    }
}
