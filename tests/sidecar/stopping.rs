//! Connections that stay, and the end of the process.

use system_tests::answer::{Answer, Gate};
use system_tests::call::{Call, Connection};
use system_tests::recorder::Recorded;
use system_tests::wait::{LIMIT, wait_until};

use crate::shop::Shop;

const CONNECTIONS: usize = 20;

#[test]
fn kept_connections_serve_many_calls() {
    let shop = Shop::start();
    let address = shop.crosscall.outbound("fr-api");
    let mut connections: Vec<Connection> = (0..CONNECTIONS).map(|_| Connection::open(address)).collect();
    for round in 0..10 {
        for (at, connection) in connections.iter_mut().enumerate() {
            let target = format!("/internal/stock/{round}/{at}");
            assert_eq!(connection.call(&Call::get(&target)).unwrap().status, 200);
            assert_eq!(shop.stock.next().target, format!("/api/internal/{round}/{at}"));
        }
    }
    let calls = CONNECTIONS as f64 * 10.0;
    assert!(shop.crosscall.metric("crosscall_requests_total", &["route=\"internal\"", "status=\"2xx\""]) >= calls);
    assert!(shop.crosscall.metric("crosscall_connections", &["direction=\"outbound\""]) >= CONNECTIONS as f64);
}

#[test]
fn connections_to_the_app_are_used_again() {
    let shop = Shop::start();
    let mut connection = Connection::open(shop.crosscall.outbound("fr-api"));
    let used = |_| {
        assert_eq!(connection.call(&Call::get("/internal/stock/x")).unwrap().status, 200);
        shop.stock.next().connection
    };
    let used: Vec<usize> = (0..50).map(used).collect();
    assert_eq!(used, [0; 50]);
}

#[test]
fn calls_in_flight_finish_at_the_end() {
    let gate = Gate::default();
    let held = gate.clone();
    let mut shop = Shop::answering(move |request: &Recorded| {
        if request.target.ends_with("/held") { Answer::ok("finished").behind(&held) } else { Answer::ok("quick") }
    });
    let address = shop.crosscall.outbound("fr-api");
    let mut connections: Vec<Connection> = (0..CONNECTIONS).map(|_| Connection::open(address)).collect();
    for connection in &mut connections {
        assert_eq!(connection.call(&Call::get("/internal/orders/x")).unwrap().text(), "quick");
        connection.send(b"GET /internal/orders/held HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    let in_flight = |shop: &Shop| {
        (0..2 * CONNECTIONS).map(|_| shop.orders.next()).filter(|it| it.target.ends_with("/held")).count()
    };
    assert_eq!(in_flight(&shop), CONNECTIONS);
    shop.crosscall.terminate();
    wait_until("the end to begin", LIMIT, || {
        !Call::get("/readyz").try_to(shop.crosscall.admin_address()).is_ok_and(|it| it.status == 200)
    });
    gate.open();
    for connection in &mut connections {
        let response = connection.response();
        assert_eq!((response.status, response.text().as_str()), (200, "finished"));
        assert!(connection.wire().is_closed(), "the connection stays open");
    }
    assert!(shop.crosscall.wait().success(), "{}", shop.crosscall.stderr());
}

#[test]
fn idle_process_ends_at_once() {
    let mut shop = Shop::start();
    let _idle: Vec<Connection> =
        (0..CONNECTIONS).map(|_| Connection::open(shop.crosscall.outbound("fr-api"))).collect();
    assert_eq!(shop.internal(&Call::get("/internal/orders/x")).status, 200);
    let asked = std::time::Instant::now();
    shop.crosscall.terminate();
    assert!(shop.crosscall.wait().success(), "{}", shop.crosscall.stderr());
    assert!(asked.elapsed() < std::time::Duration::from_secs(10), "{:?} with nothing to do", asked.elapsed());
}

#[test]
fn two_workers_share_one_address() {
    let orders = system_tests::recorder::Recorder::start();
    let manifests = system_tests::manifest::embedded_shop(orders.port(), 1);
    let crosscall = system_tests::crosscall::Serve::new(manifests).arguments(&["--workers", "2"]).start();
    for _ in 0..40 {
        assert_eq!(Call::get("/internal/orders/x").to(crosscall.outbound("fr-api")).status, 200);
    }
    let served = crosscall.metric("crosscall_requests_total", &["direction=\"outbound\"", "status=\"2xx\""]);
    assert!((served - 40.0).abs() < f64::EPSILON, "{served}");
}
