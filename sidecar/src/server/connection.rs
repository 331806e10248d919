//! A caller's connection.

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sidecar_policy::forwarded::peer_value;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Slot;
use super::watched::{ConnectionState, Watched};
use crate::stack;
use crate::worker::Worker;

/// The most that hyper buffers per connection in either direction; a head must fit into it.
const BUFFER: usize = 32 * 1024;
/// How long a connection may wait for the whole head of a request, from the end of the one before.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// Serves a connection until it ends, or until `drain` says so and the request under way is through.
pub(super) async fn serve(worker: Rc<Worker>, slot: Rc<Slot>, stream: TcpStream, mut drain: watch::Receiver<bool>) {
    // Without it, small writes wait for the peer's acknowledgement.
    let _ = stream.set_nodelay(true);
    let Ok(peer) = stream.peer_addr() else { return };
    let state = Rc::new(ConnectionState::new(peer_value(peer.ip())));
    let io = TokioIo::new(Watched::new(stream, &state));
    let service = service_fn(move |request| {
        let (worker, slot, state) = (Rc::clone(&worker), Rc::clone(&slot), Rc::clone(&state));
        async move { Ok::<_, Infallible>(stack::serve(&worker, &slot, &state, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        _ = drain.wait_for(|drain| *drain) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a caller's connection ended");
    }
}
