//! The server: HTTP/1.1 on one thread.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::{io, thread};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::echo::echo;

/// An app on a thread of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// What all connections share.
struct App {
    name: String,
    requests: AtomicU64,
}

/// Serves until `stop` resolves: `/healthz`, paths that end in `/report`, and an echo of everything else.
pub async fn serve(name: String, listener: TcpListener, stop: impl Future<Output = ()>) {
    let app = Arc::new(App { name, requests: AtomicU64::new(0) });
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, or the peer is gone already: let others run, then go on.
            tokio::task::yield_now().await;
            continue;
        };
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&app, request));
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
            // A peer that went away in the middle is its own affair.
            let _ = connection.await;
        });
    }
}

/// Starts an app on a thread of its own. It takes connections once this returns.
pub fn spawn(name: &str, address: SocketAddr) -> io::Result<Running> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let app = name.to_owned();
    let thread = thread::Builder::new().name(format!("app-{name}")).spawn(move || run(app, listener, stopped))?;
    Ok(Running { address, stop: Some(stop), thread: Some(thread) })
}

fn run(app: String, listener: std::net::TcpListener, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        // Dropped or told: both mean the end.
        serve(app, listener, async { drop(stopped.await) }).await;
        Ok(())
    })
}

async fn answer(app: &App, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (request, mut body) = request.into_parts();
    let mut body_bytes = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Ok(json_response(StatusCode::BAD_REQUEST, &json!({"error": "broken body"})));
        };
        body_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    let path = request.uri.path();
    if path == "/healthz" {
        return Ok(Response::new(Full::from("ok\n")));
    }
    let requests = app.requests.fetch_add(1, Ordering::Relaxed) + 1;
    if path.ends_with("/report") {
        return Ok(json_response(StatusCode::OK, &json!({"app": app.name, "requests": requests})));
    }
    let echo = serde_json::to_value(echo(&app.name, &request, body_bytes));
    Ok(json_response(StatusCode::OK, &echo.unwrap_or_default()))
}

fn json_response(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{value:#}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

// === impl Running ===

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
