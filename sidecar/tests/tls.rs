//! TLS to apps: verified by a CA bundle or the system's roots, or (said loudly) not at all.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;

use common::{get, outbound, start, status};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

/// An app with a certificate for `orders.test`, and the PEM of its authority.
fn app() -> (SocketAddr, String) {
    let certified = rcgen::generate_simple_self_signed(["orders.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(answer(listener, TlsAcceptor::from(Arc::new(config))));
    });
    (address, certified.cert.pem())
}

async fn answer(listener: std::net::TcpListener, acceptor: TlsAcceptor) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that does not like the certificate breaks off here.
        let Ok(mut stream) = acceptor.accept(stream).await else { continue };
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret").await.unwrap();
        stream.flush().await.unwrap();
    }
}

fn config(app: SocketAddr, tls: &Value) -> Value {
    let mut config = outbound(app);
    let target = &mut config["outbound"]["targets"]["orders.local"];
    target["url"] = json!(format!("https://{app}"));
    target["tls"] = tls.clone();
    config
}

#[test]
fn certificates_are_verified_as_configured() {
    let (app, authority) = app();
    for (tls, expected) in [
        (json!({"verify": true, "caBundle": authority, "serverName": "orders.test"}), 200),
        (json!({"verify": true, "caBundle": authority}), 502),
        (json!({"verify": true, "caBundle": authority, "serverName": "stock.test"}), 502),
        (json!({"verify": true, "serverName": "orders.test"}), 502),
        (json!({"verify": false}), 200),
    ] {
        let (_sidecar, address) = start(&config(app, &tls), 1);
        let (head, body) = get(address, "/internal/orders/x", "");
        assert_eq!(status(&head), expected, "{tls}: {body}");
        assert_eq!(body.contains("upstream_tls"), expected == 502, "{tls}: {body}");
    }
}

#[test]
fn unverified_certificates_are_said_loudly() {
    let (app, _) = app();
    let (sidecar, _) = start(&config(app, &json!({"verify": false})), 1);
    let (_, metrics) = get(sidecar.admin_addresses()[0], "/metrics", "");
    assert!(metrics.contains("crosscall_upstream_tls_unverified 1"), "{metrics}");
}

#[test]
fn a_bundle_without_certificates_is_refused() {
    let (app, _) = app();
    let (sidecar, _) = start(&outbound(app), 1);
    let broken = config(app, &json!({"verify": true, "caBundle": "not a certificate"}));
    let error = sidecar.apply(&common::listeners(), common::configs(&broken)).unwrap_err();
    assert!(error.to_string().contains("CA bundle"), "{error}");
}
