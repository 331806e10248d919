//! A changed configuration takes effect at run time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use system_tests::call::{Call, Connection};
use system_tests::manifest::embedded_shop;
use system_tests::wait::{LIMIT, pause, wait_until};

use crate::shop::Shop;

const RELOADS: &str = "crosscall_config_reloads_total";

/// How long the storm of changes lasts, and how often there is one.
const STORM: Duration = Duration::from_secs(30);
const EVERY: Duration = Duration::from_millis(100);

/// What a file may look like that must not be taken.
const BROKEN: [(&str, &str); 5] = [
    ("appPort:", "appPort: [\n  unfinished"),
    ("kind: ProxyRoute", "kind: ProxyRoute\n\tx"),
    ("pathPrefix: /internal ", "pathPrefix: ../internal "),
    ("backends: [orders, stock]", "backends: 17"),
    ("roles:", "rolls:"),
];

#[test]
fn route_is_switched_without_restart() {
    let shop = Shop::start();
    let manifests = embedded_shop(shop.orders.port(), shop.stock.port());
    let status = |target: &str| shop.internal(&Call::get(target)).status;
    assert_eq!((status("/legacy/orders/x"), status("/internal/orders/x")), (501, 200));
    let off = manifests.replace("  pathPrefix: /internal ", "  enabled: false\n  pathPrefix: /internal ");
    shop.crosscall.replace(&off);
    wait_until("the route to be off", LIMIT, || status("/internal/orders/x") == 501);
    shop.crosscall.replace(&manifests);
    wait_until("the route to be on", LIMIT, || status("/internal/orders/x") == 200);
    let moved = manifests.replace("upstreamPathPrefix: /api/internal", "upstreamPathPrefix: /api/internal/v2");
    shop.crosscall.replace(&moved);
    wait_until("the prefix to change", LIMIT, || {
        assert_eq!(status("/internal/stock/x"), 200);
        shop.stock.seen().last().is_some_and(|seen| seen.target == "/api/internal/v2/x")
    });
}

#[test]
fn refused_file_leaves_the_last_good_one() {
    let shop = Shop::start();
    let manifests = embedded_shop(shop.orders.port(), shop.stock.port());
    for (good, bad) in BROKEN {
        assert!(manifests.contains(good), "the example has no {good:?}");
        let refused = shop.crosscall.metric(RELOADS, &["result=\"refused\""]);
        shop.crosscall.replace(&manifests.replacen(good, bad, 1));
        wait_until("the refusal to be counted", LIMIT, || {
            shop.crosscall.metric(RELOADS, &["result=\"refused\""]) > refused
        });
        assert_eq!(shop.internal(&Call::get("/internal/orders/x")).status, 200, "after {bad:?}");
        assert_eq!(shop.crosscall.admin("/readyz").status, 200, "after {bad:?}");
    }
    let said = shop.crosscall.stderr();
    assert!(said.contains("manifests.yaml"), "no line says which file: {said}");
}

/// What clients saw during the storm.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    served: AtomicU64,
}

/// Calls again and again, on one connection for as long as the server leaves it open.
fn client(load: &Load, address: std::net::SocketAddr, target: &str) -> Result<(), String> {
    let mut connection: Option<Connection> = None;
    while !load.stop.load(Ordering::Acquire) {
        let mut open = connection.take().unwrap_or_else(|| Connection::open(address));
        let response = open.call(&Call::get(target)).map_err(|error| format!("{target}: {error}"))?;
        if response.status != 200 {
            return Err(format!("{target}: {} {}", response.status, response.text()));
        }
        load.served.fetch_add(1, Ordering::AcqRel);
        let closes = response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        connection = (!closes).then_some(open);
    }
    Ok(())
}

#[test]
fn storm_of_reloads_fails_no_call() {
    let shop = Shop::start();
    let manifests = embedded_shop(shop.orders.port(), shop.stock.port());
    let load = Arc::new(Load::default());
    let (outbound, exposed) = (shop.crosscall.outbound("fr-api"), shop.crosscall.exposed("fr-api"));
    let targets = [(outbound, "/internal/orders/x"), (outbound, "/internal/stock/x"), (exposed, "/proxy/orders/x")];
    let clients: Vec<_> = targets
        .iter()
        .cycle()
        .take(6)
        .map(|&(address, target)| {
            let load = Arc::clone(&load);
            thread::spawn(move || client(&load, address, target))
        })
        .collect();
    let (mut taken, mut refused) = (counts(&shop).0, counts(&shop).1);
    let (first_taken, first_refused) = (taken, refused);
    let started = Instant::now();
    let mut rounds = 0_u32;
    while started.elapsed() < STORM {
        let broken = rounds % 2 == 1;
        if broken {
            let (good, bad) = BROKEN[rounds as usize / 2 % BROKEN.len()];
            shop.crosscall.replace(&manifests.replacen(good, bad, 1));
            refused += 1.0;
        } else {
            shop.crosscall.replace(&manifests.replace("lifetime: 5m", &format!("lifetime: {}s", 300 + rounds % 60)));
            taken += 1.0;
        }
        // Each change is looked at by itself, so that each refusal can be told from the next.
        wait_until("the change to be looked at", LIMIT, || counts(&shop) == (taken, refused));
        shop.orders.seen();
        shop.stock.seen();
        rounds += 1;
        pause((EVERY * rounds).saturating_sub(started.elapsed()));
    }
    load.stop.store(true, Ordering::Release);
    for client in clients {
        client.join().unwrap().unwrap();
    }
    assert!(rounds >= 240, "only {rounds} changes in {STORM:?}, ten a second are meant");
    eprintln!("{rounds} changes, {} calls", load.served.load(Ordering::Acquire));
    assert!(load.served.load(Ordering::Acquire) > 1_000, "hardly any load");
    assert_eq!(counts(&shop), (first_taken + f64::from(rounds.div_ceil(2)), first_refused + f64::from(rounds / 2)));
    let lines = shop.crosscall.stderr().lines().filter(|line| line.contains("manifests.yaml")).count();
    assert!(lines >= rounds as usize / 2, "{lines} log lines for {} refusals", rounds / 2);
}

/// How many configurations were taken, and how many refused.
fn counts(shop: &Shop) -> (f64, f64) {
    let count = |result: &str| shop.crosscall.metric(RELOADS, &[&format!("result=\"{result}\"")]);
    (count("ok"), count("refused"))
}
