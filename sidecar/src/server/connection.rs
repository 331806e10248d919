//! A caller's connection.

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use http::HeaderValue;
use http::header::CONNECTION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sidecar_policy::forwarded::peer_value;
use tokio::net::TcpStream;

use super::Slot;
use super::watched::{ConnectionState, Watched};
use crate::stack;
use crate::worker::Worker;

/// The most that hyper buffers per connection in either direction; a head must fit into it.
const BUFFER: usize = 32 * 1024;
/// How long a connection may wait for the whole head of a request, from the end of the one before.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// Serves a connection until it ends, or until its slot is closed and the request under way is through.
pub(super) async fn serve(worker: Rc<Worker>, slot: Rc<Slot>, stream: TcpStream) {
    // Without it, small writes wait for the peer's acknowledgement.
    let _ = stream.set_nodelay(true);
    let Ok(peer) = stream.peer_addr() else { return };
    let state = Rc::new(ConnectionState::new(peer_value(peer.ip())));
    let io = TokioIo::new(Watched::new(stream, &state));
    let served = Rc::clone(&slot);
    let service = service_fn(move |request| {
        let (worker, slot, state) = (Rc::clone(&worker), Rc::clone(&served), Rc::clone(&state));
        async move { Ok::<_, Infallible>(answer(&worker, &slot, &state, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    // Biased: a request that has already arrived is served rather than cut off.
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = slot.closed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a caller's connection ended");
    }
}

/// A caller that is told of the end (RFC 9112, 9.6) sends its next request elsewhere; one whose connection is just
/// closed may have sent it already.
async fn answer(
    worker: &Rc<Worker>,
    slot: &Slot,
    state: &Rc<ConnectionState>,
    request: stack::Request,
) -> http::Response<crate::body::ResponseBody> {
    let mut response = stack::serve(worker, slot, state, request).await;
    if slot.is_retired() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
