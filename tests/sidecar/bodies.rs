//! Long bodies through both sidecars: as they are, as fast as the slower side takes them, and never held whole.

use std::io::Write as _;

use system_tests::answer::{Answer, Progress};
use system_tests::call::{Call, Connection};
use system_tests::pattern;
use system_tests::process;
use system_tests::recorder::Recorded;
use system_tests::wire::values;

use crate::shop::Shop;

const MIB: u64 = 1 << 20;
const LENGTH: u64 = 64 * MIB;
const MEMORY: u64 = 8 * MIB;

/// Runs it and asserts that resident memory never grew by more than [`MEMORY`] meanwhile.
#[track_caller]
fn within_memory(shop: &Shop, exchange: impl FnOnce()) {
    // Whatever a first call sets up is not what is measured.
    assert_eq!(shop.internal(&Call::get("/internal/orders/first")).status, 200);
    shop.orders.seen();
    let pid = shop.crosscall.pid();
    process::reset_peak(pid);
    let before = process::rss(pid);
    exchange();
    let grown = process::peak_rss(pid).saturating_sub(before);
    assert!(grown < MEMORY, "{} KiB more than before", grown / 1024);
}

/// Reads a body that must be the pattern, and returns its length and its trailers.
fn read_pattern(connection: &mut Connection) -> (u64, Vec<(String, String)>) {
    let (head, framing) = connection.try_head("GET").unwrap();
    assert_eq!(head.status, 200, "{}", String::from_utf8_lossy(&head.head));
    let mut length = 0;
    let trailers = connection.wire().body(framing, &mut |bytes| {
        assert!(pattern::matches(length, bytes), "other bytes near {length}");
        length += bytes.len() as u64;
    });
    (length, trailers.unwrap())
}

/// Sends the pattern, in chunks if so wanted.
fn send_pattern(connection: &mut Connection, chunked: bool) {
    let mut stream = connection.wire().stream();
    let mut sent = 0;
    while sent < LENGTH {
        let piece = pattern::piece(sent, (LENGTH - sent).min(48 * 1024));
        if chunked {
            stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
        }
        stream.write_all(piece).unwrap();
        if chunked {
            stream.write_all(b"\r\n").unwrap();
        }
        sent += piece.len() as u64;
    }
}

#[test]
fn long_download_passes_with_its_length() {
    let shop = Shop::answering(|request: &Recorded| match request.target.as_str() {
        "/api/internal/long" => Answer::pattern(LENGTH, &Progress::default()),
        _ => Answer::ok("first"),
    });
    within_memory(&shop, || {
        let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
        connection.send(b"GET /internal/orders/long HTTP/1.1\r\nHost: a\r\n\r\n");
        let (head, framing) = connection.try_head("GET").unwrap();
        assert_eq!(head.header("content-length"), Some(LENGTH.to_string().as_str()));
        let mut length = 0;
        let whole = connection.wire().body(framing, &mut |bytes| {
            assert!(pattern::matches(length, bytes), "other bytes near {length}");
            length += bytes.len() as u64;
        });
        assert_eq!((whole.unwrap().len(), length), (0, LENGTH));
    });
}

#[test]
fn long_download_passes_with_its_trailers() {
    let shop = Shop::answering(|request: &Recorded| match request.target.as_str() {
        "/api/internal/long" => Answer::chunked(LENGTH, &[("X-Checksum", "abc"), ("X-Rows", "7")]),
        _ => Answer::ok("first"),
    });
    within_memory(&shop, || {
        let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
        connection.send(b"GET /internal/orders/long HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
        let (length, trailers) = read_pattern(&mut connection);
        assert_eq!(length, LENGTH);
        assert_eq!((values(&trailers, "x-checksum"), values(&trailers, "x-rows")), (vec!["abc"], vec!["7"]));
    });
}

#[test]
fn long_upload_passes_with_its_length() {
    let shop = Shop::start();
    within_memory(&shop, || {
        let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
        connection.send(
            format!("POST /internal/orders/long HTTP/1.1\r\nHost: a\r\nContent-Length: {LENGTH}\r\n\r\n").as_bytes(),
        );
        send_pattern(&mut connection, false);
        assert_eq!(connection.response().status, 200);
        let seen = shop.orders.next();
        assert_eq!(seen.header("content-length"), LENGTH.to_string());
        assert!(seen.is_pattern && seen.length == LENGTH, "{} bytes", seen.length);
    });
}

#[test]
fn long_upload_passes_with_its_trailers() {
    let shop = Shop::start();
    within_memory(&shop, || {
        let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
        connection.send(b"POST /internal/orders/long HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n\r\n");
        send_pattern(&mut connection, true);
        connection.send(b"0\r\nX-Checksum: abc\r\n\r\n");
        assert_eq!(connection.response().status, 200);
        let seen = shop.orders.next();
        assert!(seen.is_pattern && seen.length == LENGTH, "{} bytes", seen.length);
        assert_eq!(values(&seen.trailers, "x-checksum"), ["abc"]);
    });
}

#[test]
fn slow_reader_slows_the_app_down() {
    let progress = Progress::default();
    let sending = progress.clone();
    let shop = Shop::answering(move |request: &Recorded| match request.target.as_str() {
        "/api/internal/long" => Answer::pattern(LENGTH, &sending),
        _ => Answer::ok("first"),
    });
    within_memory(&shop, || {
        let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
        connection.send(b"GET /internal/orders/long HTTP/1.1\r\nHost: a\r\n\r\n");
        // Nobody reads: the app comes as far as the buffers of the system go, and stands still.
        let sent = progress.settle();
        assert!(sent < LENGTH, "{sent} bytes were taken from the app and nobody reads them");
        let (length, _) = read_pattern(&mut connection);
        assert_eq!(length, LENGTH);
    });
}

#[test]
fn slow_app_slows_the_caller_down() {
    let gate = system_tests::answer::Gate::default();
    let held = gate.clone();
    let shop = Shop::answering(move |request: &Recorded| match request.target.as_str() {
        "/api/internal/held" => Answer::ok("late").behind(&held),
        _ => Answer::ok("first"),
    });
    within_memory(&shop, || {
        let mut waiting = Connection::open(shop.crosscall.outbound("fr-api"));
        waiting.send(b"GET /internal/orders/held HTTP/1.1\r\nHost: a\r\n\r\n");
        shop.orders.next();
        // Others are served meanwhile.
        assert_eq!(shop.internal(&Call::get("/internal/orders/x")).text(), "first");
        gate.open();
        assert_eq!(waiting.response().text(), "late");
    });
}
