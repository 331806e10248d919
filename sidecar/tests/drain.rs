//! The end of a sidecar: what callers lose by it, and how long it takes, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod common;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::{app, configs, connect, get, header, is_closed, key, listeners, outbound, read_head, say, start, status};
use serde_json::json;
use sidecar::{AccessLog, Kind, Options, Sidecar};

const CALL: &str = "GET /internal/orders/x HTTP/1.1\r\nHost: h\r\n\r\n";
/// Set in the process whose log nobody reads.
const UNREAD: &str = "CROSSCALL_TEST_UNREAD_LOG";

#[test]
fn idle_callers_may_send_once_more() {
    for workers in [1, 2] {
        let (sidecar, address) = start(&outbound(app()), workers);
        let mut held: Vec<_> = (0..20).map(|_| connect(address)).collect();
        for stream in &mut held {
            assert_eq!(status(&say(stream, CALL).0), 200);
        }
        let stopping = stop(sidecar, address);
        for stream in &mut held {
            let (head, _) = say(stream, CALL);
            assert_eq!((status(&head), header(&head, "connection")), (200, Some("close")), "{head}");
            assert!(is_closed(stream));
        }
        stopping.join().unwrap();
    }
}

#[test]
fn idle_connections_do_not_hold_the_end() {
    let (sidecar, address) = start(&outbound(app()), 1);
    let (mut silent, mut idle) = (connect(address), connect(address));
    assert_eq!(status(&say(&mut idle, CALL).0), 200);
    let begun = Instant::now();
    sidecar.shutdown();
    // The drain time is 10 s.
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert!(is_closed(&mut silent));
    assert!(is_closed(&mut idle));
}

#[test]
fn it_is_not_ready_while_it_drains() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (sidecar, address) = start(&outbound(listener.local_addr().unwrap()), 1);
    let admin = sidecar.admin_addresses()[0];
    assert_eq!(status(&get(admin, "/readyz", "").0), 200);
    let mut caller = connect(address);
    caller.write_all(CALL.as_bytes()).unwrap();
    let (mut upstream, _) = listener.accept().unwrap();
    read_head(&mut upstream).unwrap();
    let stopping = stop(sidecar, address);
    assert_eq!(status(&get(admin, "/readyz", "").0), 503);
    upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(status(&read_head(&mut caller).unwrap()), 200);
    stopping.join().unwrap();
}

#[test]
fn a_password_check_does_not_hold_the_end() {
    let mut config = outbound(app());
    let hash = format!("$2b$13${}", ".".repeat(53));
    config["providers"] =
        json!({"people": {"type": "Basic", "realm": "r", "users": {"alice": {"hash": hash, "roles": []}}}});
    config["outbound"]["routes"][0]["authentication"] = json!({"providers": ["people"]});
    let options = Options { drain: Duration::from_millis(20), ..options(AccessLog::Off) };
    let sidecar = Sidecar::start(options, &listeners(), configs(&config)).unwrap();
    let address = sidecar.addresses()[&(key(), Kind::Outbound)];
    let basic = "GET /internal/orders/x HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YWxpY2U6d3Jvbmc=\r\n\r\n";
    let mut caller = TcpStream::connect(address).unwrap();
    let begun = Instant::now();
    assert_eq!(status(&say(&mut caller, basic).0), 401);
    let check = begun.elapsed();
    caller.write_all(basic.as_bytes()).unwrap();
    let begun = Instant::now();
    sidecar.shutdown();
    let end = begun.elapsed();
    assert!(read_head(&mut caller).is_none(), "the check was through before the end");
    assert!(end < check / 2 + Duration::from_millis(20), "it took {end:?}, a check {check:?}");
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_the_end() {
    if std::env::var_os(UNREAD).is_some() {
        fill_the_log();
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_log_that_nobody_reads_does_not_hold_the_end", "--nocapture"])
        .env(UNREAD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it never ended");
        }
        std::thread::yield_now();
    };
    assert_eq!(status.code(), Some(7));
}

/// More lines than a pipe holds, and then the end.
#[allow(clippy::disallowed_methods, reason = "the test harness would write to the same pipe")]
fn fill_the_log() -> ! {
    let config = outbound(app());
    let sidecar = Sidecar::start(options(AccessLog::All), &listeners(), configs(&config)).unwrap();
    let address = sidecar.addresses()[&(key(), Kind::Outbound)];
    let mut caller = connect(address);
    // Each line holds the path.
    let call = format!("GET /internal/orders/{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(4096));
    for _ in 0..64 {
        assert_eq!(status(&say(&mut caller, &call).0), 200);
    }
    drop(caller);
    sidecar.shutdown();
    std::process::exit(7);
}

fn options(access_log: AccessLog) -> Options {
    let admin = vec!["127.0.0.1:0".parse().unwrap()];
    Options { workers: 1, admin, access_log, drain: Duration::from_secs(10) }
}

/// Returns once nobody is let in any more.
fn stop(sidecar: Sidecar, address: SocketAddr) -> JoinHandle<()> {
    let stopping = std::thread::spawn(move || sidecar.shutdown());
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    stopping
}
