//! What a process takes, from `/proc`.

use std::fs;
use std::time::Duration;

/// The unit of times in `/proc/PID/stat`: hundredths of a second on every Linux that is in use.
pub const TICK: Duration = Duration::from_millis(10);

/// Resident memory, in bytes.
pub fn rss(pid: u32) -> u64 {
    status(pid, "VmRSS")
}

/// The most resident memory since the start or since [`reset_peak`], in bytes.
pub fn peak_rss(pid: u32) -> u64 {
    status(pid, "VmHWM")
}

/// Forgets the peak (proc(5), `clear_refs`, 5).
pub fn reset_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
}

/// Processor time in user and kernel mode so far.
pub fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name may hold spaces and brackets; what follows its last bracket does not.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u32 = fields[11..=12].iter().map(|field| field.parse::<u32>().unwrap()).sum();
    TICK * ticks
}

/// A process and everything that it started, and so on.
pub fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut at = 0;
    while let Some(parent) = family.get(at) {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        family.extend(children.split_whitespace().map(|child| child.parse::<u32>().unwrap()));
        at += 1;
    }
    family
}

fn status(pid: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}
