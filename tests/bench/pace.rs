//! A steady thousand requests a second, evenly spaced: far below what anybody can do, so that what is measured is the
//! way and not a queue.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use system_tests::call::Call;
use system_tests::wait::pause;

use crate::backend::BODY;

/// Requests a second.
pub(crate) const RATE: u32 = 1_000;

/// Threads, each with its own phase and its own connections.
const THREADS: u32 = 10;

/// Connections of each thread.
const CONNECTIONS: usize = 5;

/// Calls for so many seconds and returns the duration of each request in nanoseconds, from the first byte sent to the last
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
    let connect = |_| {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    };
    let mut connections: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect();
    let every = Duration::from_secs(1) * THREADS / RATE;
    let (bytes, mut buffer) = (call.bytes(address), vec![0; 16 * 1024]);
    let request = |turn: u32| {
        pause((start + every * turn).saturating_duration_since(Instant::now()));
        let connection = &mut connections[turn as usize % CONNECTIONS];
        let sent = Instant::now();
        connection.write_all(&bytes).unwrap();
        read_answer(connection, &mut buffer);
        sent.elapsed().as_nanos()
    };
    (0..seconds * RATE / THREADS).map(request).collect()
}

/// Reads one answer of the back-end, and no more than it takes: the client is not what is measured.
fn read_answer(connection: &mut TcpStream, buffer: &mut [u8]) {
    let mut used = 0;
    let end = loop {
        let read = connection.read(&mut buffer[used..]).unwrap();
        assert!(read > 0, "the connection was closed");
        used += read;
        if let Some(end) = buffer[..used].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
    };
    assert!(buffer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&buffer[..end]));
    connection.read_exact(&mut buffer[used..end + BODY]).unwrap();
}
