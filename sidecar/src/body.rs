//! Bodies as they pass: frame by frame, never whole.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use sidecar_policy::headers::strip_trailers;
use tokio::time::{Instant, Sleep};

use crate::exchange::Exchange;
use crate::server::ConnectionState;
use crate::upstream::Lease;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The connection broke.
    #[error("the body broke off")]
    Broken(#[source] hyper::Error),
    /// Nobody moved a byte for too long.
    #[error("no byte of the body moved for {} s", .0.as_secs())]
    Idle(Duration),
}

/// What a caller gets.
pub(crate) enum ResponseBody {
    /// An answer of the sidecar itself.
    Own(Full<Bytes>, Option<Box<Exchange>>),
    /// An app's answer as it passes.
    Passing(Passing),
}

/// An app's answer as it passes: it gives the connection back when it is through, and closes the exchange.
pub(crate) struct Passing {
    inner: Watched,
    lease: Option<Lease>,
    exchange: Option<Box<Exchange>>,
}

/// What an app gets: the caller's body, watched, or none.
pub(crate) struct RequestBody {
    inner: Option<Watched>,
    upload: Rc<Upload>,
    expectation: Option<crate::upstream::Expectation>,
}

/// How far a request's body is, for whoever waits for the answer.
pub(crate) struct Upload {
    done: Cell<bool>,
    moved: Cell<Instant>,
    /// Where the body comes from: after it comes the next head.
    connection: Option<Rc<ConnectionState>>,
}

/// A body under an idle timeout, without trailers that nobody may send.
struct Watched {
    incoming: Incoming,
    idle: Duration,
    /// Set while the body makes its reader wait.
    timer: Option<Pin<Box<Sleep>>>,
}

// === impl ResponseBody ===

impl ResponseBody {
    pub(crate) fn own(bytes: impl Into<Bytes>) -> Self {
        Self::Own(Full::new(bytes.into()), None)
    }

    pub(crate) fn passing(incoming: Incoming, idle: Duration, lease: Lease) -> Self {
        let mut passing = Passing { inner: Watched::new(incoming, idle), lease: Some(lease), exchange: None };
        if passing.inner.incoming.is_end_stream() {
            passing.release();
        }
        Self::Passing(passing)
    }

    /// Hands the exchange over: it ends with the body.
    pub(crate) fn with_exchange(mut self, exchange: Box<Exchange>) -> Self {
        match &mut self {
            Self::Own(_, slot) => *slot = Some(exchange),
            Self::Passing(passing) => passing.exchange = Some(exchange),
        }
        self
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Own(full, _) => Pin::new(full).poll_frame(cx).map_err(|never: Infallible| match never {}),
            Self::Passing(passing) => passing.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(full, _) => full.is_end_stream(),
            Self::Passing(passing) => passing.inner.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(full, _) => full.size_hint(),
            Self::Passing(passing) => passing.inner.incoming.size_hint(),
        }
    }
}

// === impl Passing ===

impl Passing {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.inner.poll(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(exchange), Some(data)) = (&mut self.exchange, frame.data_ref()) {
                    exchange.sent(data.len());
                }
                if self.inner.incoming.is_end_stream() {
                    self.release();
                }
            }
            Poll::Ready(None) => self.release(),
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "the app's answer broke off");
                if let Some(exchange) = &mut self.exchange {
                    exchange.broke();
                }
                self.lease = None;
            }
            Poll::Pending => {}
        }
        polled
    }

    fn release(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
        if let Some(exchange) = &mut self.exchange {
            exchange.complete();
        }
    }
}

// === impl RequestBody ===

impl RequestBody {
    pub(crate) fn new(
        incoming: Option<Incoming>,
        connection: Option<Rc<ConnectionState>>,
        idle: Duration,
    ) -> (Self, Rc<Upload>) {
        let inner = incoming.filter(|incoming| !incoming.is_end_stream()).map(|incoming| Watched::new(incoming, idle));
        let (done, moved) = (Cell::new(inner.is_none()), Cell::new(Instant::now()));
        let upload = Rc::new(Upload { done, moved, connection });
        (Self { inner, upload: Rc::clone(&upload), expectation: None }, upload)
    }

    /// Holds the body back until the app asks for it.
    pub(crate) fn expecting(mut self, expectation: crate::upstream::Expectation) -> Self {
        self.expectation = Some(expectation);
        self
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(expectation) = &mut this.expectation {
            std::task::ready!(Pin::new(expectation).poll(cx));
            this.expectation = None;
        }
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let polled = inner.poll(cx);
        if polled.is_ready() {
            this.upload.step(matches!(polled, Poll::Ready(None)) || inner.incoming.is_end_stream());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|inner| inner.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), |inner| inner.incoming.size_hint())
    }
}

// === impl Upload ===

impl Upload {
    /// The request is about to go out: what came before does not count as waiting for the answer.
    pub(crate) fn begin(&self) {
        self.moved.set(Instant::now());
    }

    fn step(&self, ended: bool) {
        self.moved.set(Instant::now());
        if ended
            && !self.done.replace(true)
            && let Some(connection) = &self.connection
        {
            connection.expect_head();
        }
    }

    /// The whole body has been handed on.
    pub(crate) fn is_done(&self) -> bool {
        self.done.get()
    }

    /// When the answer is overdue: `request` after the last byte, or `idle` after a byte that was not the last.
    pub(crate) fn deadline(&self, request: Duration, idle: Duration) -> Instant {
        self.moved.get() + if self.done.get() { request } else { idle }
    }
}

// === impl Watched ===

impl Watched {
    fn new(incoming: Incoming, idle: Duration) -> Self {
        Self { incoming, idle, timer: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(mut frame))) => {
                self.timer = None;
                if let Some(trailers) = frame.trailers_mut() {
                    strip_trailers(trailers);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(BodyError::Broken(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let idle = self.idle;
                let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
                std::task::ready!(timer.as_mut().poll(cx));
                Poll::Ready(Some(Err(BodyError::Idle(idle))))
            }
        }
    }
}
