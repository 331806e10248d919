//! A caller's stream, looked at as it passes.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::stalled::Stalled;

/// What is known of a connection.
pub(crate) struct ConnectionState {
    /// The caller's address, as it stands in `X-Forwarded-For`.
    pub(crate) peer: HeaderValue,
    /// The next line to be read is the first of a head.
    at_head: Cell<bool>,
    /// Some of that line has been read; empty lines before it do not count (RFC 9112, 2.2).
    begun: Cell<bool>,
    /// The target of the head that is being read holds a fragment, which the parser would drop without a word.
    fragment: Cell<bool>,
}

/// A stream that looks at the first line of each request as it passes.
pub(super) struct Watched {
    stream: Stalled<TcpStream>,
    state: Rc<ConnectionState>,
}

// === impl ConnectionState ===

impl ConnectionState {
    pub(super) fn new(peer: HeaderValue) -> Self {
        Self { peer, at_head: Cell::new(true), begun: Cell::new(false), fragment: Cell::new(false) }
    }

    /// The request has been read to its end: what comes next is a head. A head that came in one piece with the request
    /// before it (RFC 9112, 9.3.2: pipelining) has passed by then; the parser drops its fragment, so it is never
    /// forwarded.
    pub(crate) fn expect_head(&self) {
        self.at_head.set(true);
        self.begun.set(false);
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
                b'\r' | b'\n' if !self.begun.get() => {}
                b'\n' => {
                    self.at_head.set(false);
                    return;
                }
                byte => {
                    self.begun.set(true);
                    self.fragment.set(self.fragment.get() || *byte == b'#');
                }
            }
        }
    }
}

// === impl Watched ===

impl Watched {
    pub(super) fn new(stream: TcpStream, state: &Rc<ConnectionState>) -> Self {
        Self { stream: Stalled::new(stream), state: Rc::clone(state) }
    }
}

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
        ConnectionState {
            peer: HeaderValue::from_static("::1"),
            at_head: Cell::new(true),
            begun: Cell::new(false),
            fragment: Cell::new(false),
        }
    }

    #[test]
    fn a_fragment_is_seen_in_the_first_line_alone() {
        for (chunks, seen) in [
            (&["GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"][..], true),
            (&["GET /a", "#b HTTP/1.1\r\n"], true),
            (&["GET /a HTTP/1.1\r\nReferer: #\r\n\r\n"], false),
            (&["GET /a HTTP/1.1\r\n\r\n", "#"], false),
            (&["\r\n", "\r\nGET /a#b HTTP/1.1\r\n\r\n"], true),
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
