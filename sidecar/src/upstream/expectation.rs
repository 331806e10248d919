//! `Expect: 100-continue` (RFC 9110, 10.1.1): the caller's body stays where it is until the app asks for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Sleep;

/// An app that neither asks for the body nor answers gets it after this long (RFC 9110 lets a client not wait forever).
const PATIENCE: Duration = Duration::from_secs(1);

/// Resolves when the app has said `100 Continue`, or when it is time to send all the same.
pub(crate) struct Expectation {
    asked: Arc<Asked>,
    patience: Pin<Box<Sleep>>,
}

#[derive(Default)]
struct Asked {
    state: Mutex<(bool, Option<Waker>)>,
}

// === impl Expectation ===

impl Expectation {
    /// Watches for the app's interim answer to `request`.
    pub(crate) fn watch<B>(request: &mut http::Request<B>) -> Self {
        let asked = Arc::new(Asked::default());
        let seen = Arc::clone(&asked);
        hyper::ext::on_informational(request, move |response| {
            if response.status() == http::StatusCode::CONTINUE {
                seen.tell();
            }
        });
        Self { asked, patience: Box::pin(tokio::time::sleep(PATIENCE)) }
    }
}

impl Future for Expectation {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        {
            let mut state = self.asked.state.lock();
            if state.0 {
                return Poll::Ready(());
            }
            state.1 = Some(cx.waker().clone());
        }
        self.patience.as_mut().poll(cx)
    }
}

// === impl Asked ===

impl Asked {
    fn tell(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
