//! The loop of one listener: who waits in front of it is let in.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::Slot;
use super::bind::BACKLOG;
use crate::options::Kind;
use crate::worker::Worker;

/// How long a listener waits when the machine cannot give it what it needs.
const PAUSE: Duration = Duration::from_millis(50);
/// ENOMEM, ENFILE, EMFILE, and ENOBUFS on Linux and elsewhere: the connection stays in the queue until there is room.
const EXHAUSTED: [i32; 5] = [12, 23, 24, 105, 55];
/// EBADF and EINVAL: the socket listens no more.
const DEAD: [i32; 2] = [9, 22];

/// A listener, as its worker holds it.
pub(super) struct Listening {
    /// What the connections get that come from now on.
    slot: Rc<RefCell<Rc<Slot>>>,
    stop: watch::Sender<bool>,
}

/// A listener, as its own loop holds it.
pub(super) struct Accepting {
    worker: Rc<Worker>,
    slot: Rc<RefCell<Rc<Slot>>>,
    stop: watch::Receiver<bool>,
    open: Rc<watch::Sender<usize>>,
}

/// Counts a connection while it is open.
struct Open {
    count: Rc<watch::Sender<usize>>,
    gauge: Gauge,
}

// === impl Listening ===

impl Listening {
    /// Both ends of a listener.
    pub(super) fn new(worker: &Rc<Worker>, slot: Rc<Slot>, open: &Rc<watch::Sender<usize>>) -> (Self, Accepting) {
        let slot = Rc::new(RefCell::new(slot));
        let (stop, stopped) = watch::channel(false);
        let accepting =
            Accepting { worker: Rc::clone(worker), slot: Rc::clone(&slot), stop: stopped, open: Rc::clone(open) };
        (Self { slot, stop }, accepting)
    }

    pub(super) fn slot(&self) -> Rc<Slot> {
        Rc::clone(&self.slot.borrow())
    }

    /// Connections that come from now on get this; those that are there keep what they have.
    pub(super) fn pass_to(&self, slot: Rc<Slot>) {
        self.slot.replace(slot);
    }

    /// Lets in who waits already, and nobody else.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

// === impl Accepting ===

impl Accepting {
    /// Ends when it is told to; an error is the end of a listener that should go on.
    pub(super) async fn run(mut self, listener: TcpListener) -> io::Result<()> {
        loop {
            let stream = tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => break,
                accepted = accept(&listener) => accepted?,
            };
            self.spawn(stream);
        }
        self.let_in(&listener.into_std()?);
        Ok(())
    }

    /// Callers that the kernel has already let in are served; closing now would reset them.
    fn let_in(&self, listener: &std::net::TcpListener) {
        // More than the queue holds came after the end.
        for _ in 0..BACKLOG {
            match listener.accept().and_then(|(stream, _)| registered(stream)) {
                Ok(stream) => self.spawn(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_one_of(&error, &EXHAUSTED) => {
                    tracing::warn!(%error, "callers that waited to be let in were turned away");
                    return;
                }
                Err(error) => tracing::debug!(%error, "a caller went away before it was let in"),
            }
        }
    }

    /// The task ends with its connection; the count of open ones joins them at the end.
    fn spawn(&self, stream: TcpStream) {
        let (worker, slot) = (Rc::clone(&self.worker), Rc::clone(&self.slot.borrow()));
        let open = Open::new(&self.open, &worker, slot.kind);
        tokio::task::spawn_local(async move {
            super::connection::serve(worker, slot, stream).await;
            drop(open);
        });
    }
}

/// The next connection. Errors that concern one caller, or pass, are not the listener's end (accept(2)).
pub(super) async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Ok(stream),
            Err(error) if is_one_of(&error, &DEAD) => return Err(error),
            Err(error) if is_one_of(&error, &EXHAUSTED) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => tracing::debug!(%error, "a caller went away before it was let in"),
        }
    }
}

fn registered(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

fn is_one_of(error: &io::Error, codes: &[i32]) -> bool {
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

// === impl Open ===

impl Open {
    fn new(count: &Rc<watch::Sender<usize>>, worker: &Worker, kind: Kind) -> Self {
        count.send_modify(|count| *count += 1);
        let gauge = worker.metrics.rare.connections.get_or_create(&vec![("direction", kind.as_str())]).clone();
        gauge.inc();
        Self { count: Rc::clone(count), gauge }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count = count.saturating_sub(1));
        self.gauge.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Gate;
    use crate::options::{AccessLog, AppKey};
    use crate::seeing::access_log::Sink;
    use crate::seeing::metrics::Metrics;
    use crate::server::bind::bind;

    #[test]
    fn a_dead_socket_ends_its_loop() {
        let runtime = super::super::thread::runtime().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            socket2::SockRef::from(&listener).shutdown(std::net::Shutdown::Both).unwrap();
            assert!(accept(&listener).await.is_err());
        });
    }

    #[test]
    fn callers_in_the_queue_are_let_in() {
        let runtime = super::super::thread::runtime().unwrap();
        let (log, _) = Sink::start(AccessLog::Off).unwrap();
        let worker = Worker::new(Metrics::new(log.clone()), log, Gate::new());
        runtime.block_on(async {
            let (address, mut sockets) = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
            let listener = TcpListener::from_std(sockets.remove(0)).unwrap();
            let key = AppKey { namespace: "shop".into(), app: "fr-api".into() };
            let open = Rc::new(watch::channel(0).0);
            let (listening, accepting) = Listening::new(&worker, Slot::new(&key, Kind::Outbound), &open);
            let accepting = tokio::task::spawn_local(accepting.run(listener));
            tokio::task::yield_now().await;
            // This thread is busy here, so they stay in the queue.
            let callers: Vec<_> = (0..100).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
            listening.stop();
            accepting.await.unwrap().unwrap();
            assert_eq!(*open.borrow(), callers.len());
        });
    }

    #[test]
    fn only_want_of_resources_makes_it_wait() {
        for (code, exhausted, dead) in
            [(24, true, false), (105, true, false), (103, false, false), (71, false, false), (22, false, true)]
        {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!((is_one_of(&error, &EXHAUSTED), is_one_of(&error, &DEAD)), (exhausted, dead), "{error}");
        }
    }
}
