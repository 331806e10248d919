//! A caller's connection.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sidecar_policy::forwarded::peer_value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Slot;
use crate::stack;
use crate::worker::Worker;

/// The most that hyper buffers per connection in either direction; a head must fit into it.
const BUFFER: usize = 32 * 1024;
/// How long a connection may wait for the whole head of a request, from the end of the one before.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// What is known of a connection.
pub(crate) struct ConnectionState {
    /// The caller's address, as it stands in `X-Forwarded-For`.
    pub(crate) peer: HeaderValue,
    /// The next byte to be read is the first of a head.
    at_head: Cell<bool>,
    /// The target of the head that is being read holds a fragment, which the parser would drop without a word.
    fragment: Cell<bool>,
}

/// A stream that looks at the first line of each request as it passes.
struct Watched {
    stream: TcpStream,
    state: Rc<ConnectionState>,
}

/// Serves a connection until it ends, or until `drain` says so and the request under way is through.
pub(super) async fn serve(worker: Rc<Worker>, slot: Rc<Slot>, stream: TcpStream, mut drain: watch::Receiver<bool>) {
    // Without it, small writes wait for the peer's acknowledgement.
    let _ = stream.set_nodelay(true);
    let Ok(peer) = stream.peer_addr() else { return };
    let state =
        Rc::new(ConnectionState { peer: peer_value(peer.ip()), at_head: Cell::new(true), fragment: Cell::new(false) });
    let io = TokioIo::new(Watched { stream, state: Rc::clone(&state) });
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

// === impl ConnectionState ===

impl ConnectionState {
    /// The request has been read to its end: what comes next is a head.
    pub(crate) fn expect_head(&self) {
        self.at_head.set(true);
    }

    /// Whether the target of this request held a fragment.
    pub(crate) fn take_fragment(&self) -> bool {
        self.fragment.take()
    }

    fn look(&self, bytes: &[u8]) {
        if !self.at_head.get() {
            return;
        }
        for byte in bytes {
            match byte {
                b'#' => self.fragment.set(true),
                b'\n' => {
                    self.at_head.set(false);
                    return;
                }
                _ => {}
            }
        }
    }
}

// === impl Watched ===

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if polled.is_ready() {
            self.state.look(buffer.filled().get(before..).unwrap_or_default());
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> ConnectionState {
        ConnectionState { peer: HeaderValue::from_static("::1"), at_head: Cell::new(true), fragment: Cell::new(false) }
    }

    #[test]
    fn a_fragment_is_seen_in_the_first_line_alone() {
        for (chunks, seen) in [
            (&["GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"][..], true),
            (&["GET /a", "#b HTTP/1.1\r\n"], true),
            (&["GET /a HTTP/1.1\r\nReferer: #\r\n\r\n"], false),
            (&["GET /a HTTP/1.1\r\n\r\n", "#"], false),
        ] {
            let state = state();
            chunks.iter().for_each(|chunk| state.look(chunk.as_bytes()));
            assert_eq!(state.take_fragment(), seen, "{chunks:?}");
        }
    }

    #[test]
    fn the_next_head_is_looked_at_again() {
        let state = state();
        state.look(b"GET /a HTTP/1.1\r\n\r\n");
        state.expect_head();
        state.look(b"GET /#x HTTP/1.1\r\n\r\n");
        assert!(state.take_fragment());
        assert!(!state.take_fragment());
    }
}
