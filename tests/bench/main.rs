//! Compares crosscall with nginx, and both with no proxy at all, in one run on one machine.
//!
//! The proxy has a core of its own; the back-end and the client share another. Each figure is a median of several short
//! runs in which the contestants take turns, so that ratios hold where absolute figures drift. `README.md` beside this
//! file says what is measured.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod backend;
mod contestant;
mod load;
mod machine;
mod pace;
mod report;

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use clap::{Parser, Subcommand};
use system_tests::call::Call;
use system_tests::component::{say, tree};
use system_tests::crosscall::pinned;
use system_tests::ports::free_address;
use system_tests::wait::{LIMIT, wait_until};

use contestant::{Contestant, Running, Work};
use load::{Load, Sample};
use report::Results;

/// The core of the back-end and the client.
const CLIENT_CORE: usize = 0;

/// Compares crosscall with nginx.
#[derive(Parser)]
struct Arguments {
    /// How often each figure is taken.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// How long each run lasts, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Who takes part.
    #[arg(long, value_delimiter = ',', default_values = ["direct", "nginx", "crosscall"])]
    contestants: Vec<Contestant>,
    /// What this program starts itself as.
    #[command(subcommand)]
    part: Option<Part>,
}

/// Processes of their own, so that each can be pinned to its core.
#[derive(Subcommand)]
#[command(hide = true)]
enum Part {
    /// The app behind the proxies.
    Backend {
        /// Where it listens.
        listen: SocketAddr,
    },
    /// The steady load; prints the duration of each request in nanoseconds.
    Pace {
        /// Where it calls.
        address: SocketAddr,
        /// The path that it asks for.
        path: String,
        /// How long, in seconds.
        seconds: u32,
        /// The bearer token that it calls with.
        #[arg(long)]
        token: Option<String>,
    },
}

/// The back-end's process.
struct Backend {
    child: Child,
    address: SocketAddr,
}

// === impl Backend ===

impl Backend {
    fn start() -> Self {
        let address = free_address();
        let mut command = pinned(CLIENT_CORE, &std::env::current_exe().unwrap());
        let child = command.args(["backend", &address.to_string()]).stdin(Stdio::null()).spawn().unwrap();
        wait_until("the back-end", LIMIT, || Call::get("/").try_to(address).is_ok());
        Self { child, address }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn main() {
    let arguments = Arguments::parse();
    match &arguments.part {
        Some(Part::Backend { listen }) => backend::serve(*listen),
        Some(Part::Pace { address, path, seconds, token }) => {
            let call = Call::get(path);
            let call = token.iter().fold(call, |call, token| call.bearer(token));
            let durations: Vec<String> = pace::run(*address, &call, *seconds).iter().map(u128::to_string).collect();
            std::io::stdout().write_all(durations.join("\n").as_bytes()).unwrap();
        }
        None => compare(&arguments),
    }
}

/// The whole comparison.
fn compare(arguments: &Arguments) {
    machine::assert_fit();
    let tools = tree(&["wrk", "nginx"]).unwrap_or_else(|missing| panic!("{}", missing.skipped()));
    let load = Load::new(tools.clone(), CLIENT_CORE, arguments.seconds);
    let backend = Backend::start();
    let mut results = Results::default();
    for round in 1..=arguments.rounds {
        for work in Work::ALL {
            for contestant in arguments.contestants.iter().filter(|contestant| contestant.does(work)) {
                say(&format!("round {round} of {}: {}, {}", arguments.rounds, work.name(), contestant.name()));
                let running = contestant.start(work, backend.address, &tools);
                measure(&load, &backend, work, *contestant, &running, &mut results);
            }
        }
    }
    say(&results.table(arguments.rounds, arguments.seconds));
}

/// Every figure of one contestant at one work.
fn measure(
    load: &Load,
    backend: &Backend,
    work: Work,
    contestant: Contestant,
    running: &Running,
    results: &mut Results,
) {
    let idle = running.rss();
    load.wrk(running, 1);
    let saturated = machine::undisturbed(running, backend.child.id(), || load.wrk(running, load.seconds));
    results.add(work, contestant, &saturated, |run| {
        let Sample { requests, seconds, cpu, .. } = run;
        vec![("requests/s", *requests / *seconds), ("CPU s per 100,000 requests", *cpu / *requests * 100_000.0)]
    });
    let paced = machine::undisturbed(running, backend.child.id(), || load.paced(running));
    results.add(work, contestant, &paced, |run| {
        vec![("p50 at 1,000/s, µs", run.percentile(50.0)), ("p99 at 1,000/s, µs", run.percentile(99.0))]
    });
    if work == Work::Plain && contestant != Contestant::Direct {
        let held = load.hold(running, 1_000);
        let full = running.rss();
        drop(held);
        results.memory(contestant, idle, full);
    }
}
