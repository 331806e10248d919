//! The admin address: probes and metrics for everybody, the rest on loopback.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use sidecar_policy::config::{Config, Credential};
use sidecar_policy::jwt::SigningKey;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::listening;
use super::shared::Shared;

const HEAD_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Serves until it is told to stop. An error is the end of a listener that should go on.
pub(super) async fn serve(
    shared: Arc<Shared>,
    listeners: Vec<StdListener>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn_local(accept(Arc::clone(&shared), TcpListener::from_std(listener)?));
    }
    // The tasks end with the runtime, which ends when this returns.
    tokio::select! {
        // An error means that the process is ending.
        _ = stop.wait_for(|stop| *stop) => Ok(()),
        Some(ended) = accepting.join_next() => ended?.map(|never| match never {}),
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) -> io::Result<Infallible> {
    let full = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let shared = Rc::new(shared);
    loop {
        let stream = listening::accept(&listener).await?;
        let shared = Rc::clone(&shared);
        let service = service_fn(move |request| {
            let answer = answer(&shared, full, &request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the admin address ended");
            }
        });
    }
}

fn answer(shared: &Shared, full: bool, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    match (request.uri().path(), full) {
        ("/healthz", _) => text(StatusCode::OK, "ok\n"),
        ("/readyz", _) if shared.is_ready() => text(StatusCode::OK, "ready\n"),
        ("/readyz", _) => text(StatusCode::SERVICE_UNAVAILABLE, "not ready: not every listener serves\n"),
        ("/metrics", _) => metrics(shared),
        ("/config", true) => document(&config(shared)),
        ("/.well-known/jwks.json", true) => document(&jwks(shared)),
        _ => text(StatusCode::NOT_FOUND, "not found\n"),
    }
}

fn metrics(shared: &Shared) -> Response<Full<Bytes>> {
    match shared.metrics.encode() {
        Ok(encoded) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            with_type(StatusCode::OK, kind, encoded.into())
        }
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
    }
}

/// What each app runs, without its secrets.
fn config(shared: &Shared) -> Value {
    let apps = shared.apps();
    let apps = apps.iter().map(|(key, compiled)| {
        json!({
            "namespace": key.namespace,
            "app": key.app,
            "hash": compiled.hash,
            "config": sidecar_policy::mask::masked(&compiled.config),
        })
    });
    json!({ "apps": apps.collect::<Vec<_>>() })
}

/// The public keys of service accounts (RFC 7517, 5), for verifiers that are no sidecars.
fn jwks(shared: &Shared) -> Value {
    let apps = shared.apps();
    let mut keys = std::collections::BTreeMap::new();
    for compiled in apps.values() {
        for key in public_keys(&compiled.config) {
            if let Some(kid) = key.get("kid").and_then(Value::as_str) {
                keys.insert(kid.to_owned(), key);
            }
        }
    }
    json!({ "keys": keys.into_values().collect::<Vec<_>>() })
}

fn public_keys(config: &Config) -> Vec<Value> {
    let accounts = config.outbound.iter().flat_map(|outbound| outbound.accounts.values());
    let signing = accounts.filter_map(|account| match &account.credential {
        Credential::SignedToken { algorithm, private_key, .. } => {
            SigningKey::parse(private_key.expose().as_bytes(), *algorithm).ok().map(|key| key.public_jwk())
        }
        _ => None,
    });
    let known = config.inbound.iter().flat_map(|inbound| inbound.keys.values());
    signing.chain(known.filter_map(|key| serde_json::from_str(&key.jwk).ok())).collect()
}

fn document(value: &Value) -> Response<Full<Bytes>> {
    with_type(StatusCode::OK, "application/json", serde_json::to_vec_pretty(value).unwrap_or_default().into())
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    with_type(status, "text/plain; charset=utf-8", Bytes::from_static(body.as_bytes()))
}

fn with_type(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
