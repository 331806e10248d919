//! A steady thousand requests a second, evenly spaced: far below what anybody can do, so that what is measured is the
//! way and not a queue.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use system_tests::call::{Call, Connection};
use system_tests::wait::pause;

/// Requests a second.
pub(crate) const RATE: u32 = 1_000;

/// Threads, each with its own phase and its own connections.
const THREADS: u32 = 10;

/// Connections of each thread.
const CONNECTIONS: usize = 5;

/// Calls for so many seconds and prints the duration of each request in nanoseconds, from the first byte sent to the last
/// byte read.
pub(crate) fn run(address: SocketAddr, call: &Call, seconds: u32) -> Vec<u128> {
    let start = Instant::now() + Duration::from_millis(300);
    let threads: Vec<_> = (0..THREADS)
        .map(|at| {
            let call = call.clone();
            thread::spawn(move || paced(address, &call, start + Duration::from_secs(1) / RATE * at, seconds))
        })
        .collect();
    threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
}

fn paced(address: SocketAddr, call: &Call, start: Instant, seconds: u32) -> Vec<u128> {
    let mut connections: Vec<Connection> = (0..CONNECTIONS).map(|_| Connection::open(address)).collect();
    let every = Duration::from_secs(1) * THREADS / RATE;
    let request = |turn: u32| {
        pause((start + every * turn).saturating_duration_since(Instant::now()));
        let connection = &mut connections[turn as usize % CONNECTIONS];
        let sent = Instant::now();
        let response = connection.call(call).unwrap();
        assert_eq!(response.status, 200);
        sent.elapsed().as_nanos()
    };
    (0..seconds * RATE / THREADS).map(request).collect()
}
