//! The clients: wrk for as many requests as there can be, and the steady load.

use std::process::Command;

use system_tests::call::{Call, Connection};
use system_tests::component::Tree;
use system_tests::crosscall::pinned;

use crate::contestant::Running;
use crate::machine;

/// Keep-alive connections.
const CONNECTIONS: u32 = 50;

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
    pub(crate) durations: Vec<f64>,
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
        command.args(target.token.iter().flat_map(|token| ["-H".to_owned(), format!("Authorization: Bearer {token}")]));
        command.arg(format!("http://{}{}", target.address, target.path));
        let (written, client_cpu) = run(&mut command);
        assert!(!written.contains("Non-2xx") && !written.contains("Socket errors"), "failed requests: {written}");
        // `123456 requests in 5.00s, …`
        let line = written.lines().find(|line| line.contains(" requests in ")).unwrap_or_else(|| panic!("{written}"));
        let (requests, rest) = line.trim().split_once(" requests in ").unwrap();
        let time = rest.split_once(',').unwrap().0;
        let seconds = time.strip_suffix('s').and_then(|time| time.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        Sample { requests: requests.parse().unwrap(), seconds, client_cpu, ..Sample::default() }
    }

    /// [`crate::pace::RATE`] requests a second, each measured.
    pub(crate) fn paced(&self, target: &Running) -> Sample {
        let mut command = pinned(self.core, &std::env::current_exe().unwrap());
        command.args(["pace", &target.address.to_string(), target.path, &self.seconds.to_string()]);
        command.args(target.token.iter().flat_map(|token| ["--token", token]));
        let (written, client_cpu) = run(&mut command);
        let mut durations: Vec<f64> = written.lines().map(|line| line.parse::<f64>().unwrap() / 1_000.0).collect();
        durations.sort_by(f64::total_cmp);
        let (requests, seconds) = (durations.len() as f64, f64::from(self.seconds));
        Sample { requests, seconds, client_cpu, durations, ..Sample::default() }
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
}

/// Runs a client and says what it wrote and what it cost.
fn run(command: &mut Command) -> (String, f64) {
    let before = machine::children_cpu();
    let output = command.output().unwrap();
    let cpu = machine::children_cpu() - before;
    let written = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {written}{}", String::from_utf8_lossy(&output.stderr));
    (written, cpu.as_secs_f64())
}

// === impl Sample ===

impl Sample {
    /// The duration that `percent` of the requests stay below, in microseconds.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let rank = (self.durations.len() as f64 * percent / 100.0).ceil() as usize;
        self.durations[rank.clamp(1, self.durations.len()) - 1]
    }
}
