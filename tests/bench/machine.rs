//! How quiet the machine is. Figures that were taken while others used it are taken again, or marked.

use std::fs;
use std::time::{Duration, Instant};

use system_tests::component::say;
use system_tests::process;
use system_tests::wait::pause;

use crate::contestant::Running;
use crate::load::Sample;

/// The share of the machine that others may use during a run.
const NOISE: f64 = 0.05;

/// How often a disturbed run is taken again.
const TRIES: u32 = 3;

/// How long to wait for a quiet moment.
const PATIENCE: Duration = Duration::from_secs(600);

/// A run and the share of the machine that others used meanwhile.
pub(crate) struct Run {
    pub(crate) sample: Sample,
    pub(crate) foreign: f64,
}

/// Panics on a machine where proxy and client would share a core.
pub(crate) fn assert_fit() {
    assert!(cores() >= 2, "needs two cores: one for the proxy, one for the back-end and the client");
}

/// Takes a figure when the machine is quiet; takes it again when it was disturbed, and keeps the quietest.
pub(crate) fn undisturbed(proxy: &Running, backend: u32, run: impl Fn() -> Sample) -> Run {
    let mut best: Option<Run> = None;
    for _ in 0..TRIES {
        wait_for_quiet();
        let (started, all) = (Instant::now(), busy());
        let (proxy_before, backend_before) = (proxy.cpu(), process::cpu(backend));
        let mut sample = run();
        sample.cpu = (proxy.cpu() - proxy_before).as_secs_f64();
        let own = sample.cpu + sample.client_cpu + (process::cpu(backend) - backend_before).as_secs_f64();
        let all = (busy() - all).as_secs_f64();
        let foreign = (all - own).max(0.0) / (started.elapsed().as_secs_f64() * cores() as f64);
        if best.as_ref().is_none_or(|best| foreign < best.foreign) {
            best = Some(Run { sample, foreign });
        }
        if foreign <= NOISE {
            break;
        }
    }
    best.unwrap()
}

// === impl Run ===

impl Run {
    /// Others used more of the machine than they may.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.foreign > NOISE
    }
}

/// Waits until others leave the machine alone for half a second, but not for ever.
fn wait_for_quiet() {
    let started = Instant::now();
    let mut said = false;
    loop {
        let (before, since) = (busy(), Instant::now());
        pause(Duration::from_millis(500));
        let share = (busy() - before).as_secs_f64() / (since.elapsed().as_secs_f64() * cores() as f64);
        if share <= NOISE || started.elapsed() > PATIENCE {
            return;
        }
        if !said {
            say(&format!("others use {:.0} % of the machine: waiting", share * 100.0));
            said = true;
        }
    }
}

/// Processor time that the whole machine has spent on anything (proc(5), `/proc/stat`), idling left out.
fn busy() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let fields: Vec<u32> =
        stat.lines().next().unwrap().split_whitespace().skip(1).map(|it| it.parse().unwrap_or(0)).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    process::TICK * (fields[0] + fields[1] + fields[2] + fields[5] + fields[6] + fields[7])
}

/// Processor time of the children that this process has waited for.
pub(crate) fn children_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    process::TICK * fields[13..=14].iter().map(|field| field.parse::<u32>().unwrap()).sum()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
