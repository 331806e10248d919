//! Listeners that come, move, change hands and go while callers hold connections, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod common;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};

use common::{app, configs, connect, get, header, is_closed, key, outbound, say, start, status};
use serde_json::Value;
use sidecar::{AppKey, Kind, Listeners, Sidecar};
use sidecar_policy::config::Config;

const CALL: &str = "GET /internal/orders/x HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn a_moved_listener_keeps_callers_up_to_date() {
    let app = app();
    let (sidecar, address) = start(&outbound(app), 1);
    let (mut held, mut idle) = (connect(address), connect(address));
    for stream in [&mut held, &mut idle] {
        assert_eq!(sent(&say(stream, CALL).1), Some("Bearer the-token"));
    }
    for (host, token) in [(2, "first"), (3, "second")] {
        sidecar.apply(&listeners(&[("fr-api", free(host))]), configs(&with_token(app, token))).unwrap();
    }
    let (head, received) = say(&mut held, CALL);
    assert_eq!(sent(&received), Some("Bearer second"));
    assert_eq!(header(&head, "connection"), Some("close"));
    assert!(is_closed(&mut held));
    assert!(is_closed(&mut idle));
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(sent(&get(current(&sidecar, "fr-api"), "/internal/orders/x", "").1), Some("Bearer second"));
}

#[test]
fn a_removed_listener_lets_its_callers_finish() {
    let (sidecar, address) = start(&outbound(app()), 1);
    let (mut held, mut idle) = (connect(address), connect(address));
    for stream in [&mut held, &mut idle] {
        assert_eq!(status(&say(stream, CALL).0), 200);
    }
    sidecar.apply(&listeners(&[]), BTreeMap::new()).unwrap();
    let (head, _) = say(&mut held, CALL);
    assert_eq!((status(&head), header(&head, "connection")), (200, Some("close")), "{head}");
    assert!(is_closed(&mut held));
    assert!(is_closed(&mut idle));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn an_address_passes_to_a_renamed_app() {
    let app = app();
    for workers in [1, 2] {
        let (sidecar, address) = start(&outbound(app), workers);
        let mut held = connect(address);
        assert_eq!(status(&say(&mut held, CALL).0), 200);
        let renamed = [(named("renamed"), config(&with_token(app, "renamed")))];
        sidecar.apply(&listeners(&[("renamed", address)]), renamed.into()).unwrap();
        for _ in 0..8 {
            assert_eq!(sent(&get(address, "/internal/orders/x", "").1), Some("Bearer renamed"));
        }
        let (head, received) = say(&mut held, CALL);
        assert_eq!(sent(&received), Some("Bearer the-token"));
        assert_eq!(header(&head, "connection"), Some("close"));
        assert!(is_closed(&mut held));
        sidecar.shutdown();
        assert!(TcpStream::connect(address).is_err());
    }
}

#[test]
fn two_apps_change_places_at_once() {
    let app = app();
    let (sidecar, first) = start(&outbound(app), 2);
    let both = || {
        let other = config(&with_token(app, "other"));
        BTreeMap::from([(key(), config(&outbound(app))), (named("other"), other)])
    };
    sidecar.apply(&listeners(&[("fr-api", first), ("other", free(1))]), both()).unwrap();
    let second = current(&sidecar, "other");
    for (one, other) in [(first, second), (second, first), (first, second)] {
        sidecar.apply(&listeners(&[("fr-api", one), ("other", other)]), both()).unwrap();
        assert_eq!(sent(&get(one, "/internal/orders/x", "").1), Some("Bearer the-token"));
        assert_eq!(sent(&get(other, "/internal/orders/x", "").1), Some("Bearer other"));
    }
}

#[test]
fn a_refused_reload_changes_no_listener() {
    let app = app();
    let (sidecar, address) = start(&outbound(app), 2);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (one, other) = (config(&with_token(app, "one")), config(&with_token(app, "other")));
    let asked = listeners(&[("fr-api", free(2)), ("other", taken.local_addr().unwrap())]);
    let both = BTreeMap::from([(key(), one), (named("other"), other)]);
    assert!(sidecar.apply(&asked, both.clone()).is_err());
    assert_eq!(sent(&get(address, "/internal/orders/x", "").1), Some("Bearer the-token"));
    drop(taken);
    sidecar.apply(&asked, both).unwrap();
    assert_eq!(sent(&get(current(&sidecar, "fr-api"), "/internal/orders/x", "").1), Some("Bearer one"));
    assert_eq!(sent(&get(current(&sidecar, "other"), "/internal/orders/x", "").1), Some("Bearer other"));
}

#[test]
fn a_listener_may_be_named_by_its_number() {
    let app = app();
    let (sidecar, address) = start(&outbound(app), 2);
    let mut held = connect(address);
    assert_eq!(status(&say(&mut held, CALL).0), 200);
    sidecar.apply(&listeners(&[("fr-api", address)]), configs(&outbound(app))).unwrap();
    let (head, _) = say(&mut held, CALL);
    assert_eq!((status(&head), header(&head, "connection")), (200, None), "{head}");
}

fn named(app: &str) -> AppKey {
    AppKey { namespace: "shop".into(), app: app.into() }
}

fn listeners(apps: &[(&str, SocketAddr)]) -> Listeners {
    Listeners { addresses: apps.iter().map(|(app, address)| ((named(app), Kind::Outbound), *address)).collect() }
}

fn current(sidecar: &Sidecar, app: &str) -> SocketAddr {
    sidecar.addresses()[&(named(app), Kind::Outbound)]
}

/// Some free port of a loopback address.
fn free(host: u8) -> SocketAddr {
    ([127, 0, 0, host], 0).into()
}

fn with_token(app: SocketAddr, token: &str) -> Value {
    let mut config = outbound(app);
    config["outbound"]["accounts"]["fr-api"]["credential"]["token"] = token.into();
    config
}

fn config(config: &Value) -> Config {
    configs(config).into_values().next().unwrap()
}

/// The credential that the app received.
fn sent(received: &str) -> Option<&str> {
    header(received, "authorization")
}
