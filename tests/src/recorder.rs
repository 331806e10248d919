//! A back-end that records the exact bytes of each request head, finds fault with everything that is not canonical, and
//! answers as told.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::answer::Answer;
use crate::pattern;
use crate::wait::LIMIT;
use crate::wire::{self, Field, Framing, Wire, latin1};

/// How much of a body is kept.
const KEPT: usize = 64 * 1024;

/// Header names that may stand once at most.
const SINGLE: [&str; 15] = [
    "authorization",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "x-api-key",
    "x-crosscall-actor",
    "x-crosscall-authorities",
    "x-crosscall-env",
    "x-crosscall-permissions",
    "x-crosscall-subject",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
    "traceparent",
];

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Which connection it came on, from 0.
    pub connection: usize,
    /// The bytes of the head with its empty line.
    pub head: Vec<u8>,
    /// Its method.
    pub method: String,
    /// Its target.
    pub target: String,
    /// Its header lines.
    pub fields: Vec<Field>,
    /// The first 64 KiB of the body, without the framing.
    pub body: Vec<u8>,
    /// The length of the body.
    pub length: u64,
    /// The body is a run of the pattern of [`pattern`], from its start.
    pub is_pattern: bool,
    /// Its trailers.
    pub trailers: Vec<Field>,
}

/// What decides about answers.
pub trait Backend: Send + Sync + 'static {
    /// The answer to a whole request.
    fn answer(&self, request: &Recorded) -> Answer;

    /// An answer that needs no body: the body is not read and the connection is closed.
    fn early(&self, _head: &Recorded) -> Option<Answer> {
        None
    }
}

impl<F: Fn(&Recorded) -> Answer + Send + Sync + 'static> Backend for F {
    fn answer(&self, request: &Recorded) -> Answer {
        self(request)
    }
}

/// The back-end. When it is dropped it panics if something came that is not canonical.
pub struct Recorder {
    address: SocketAddr,
    requests: Receiver<Recorded>,
    faults: Receiver<String>,
}

/// One connection of it.
struct Session {
    connection: usize,
    wire: Wire,
    backend: Arc<dyn Backend>,
    requests: Sender<Recorded>,
    faults: Sender<String>,
}

// === impl Recorder ===

impl Recorder {
    /// Answers everything with 200 and a short text.
    pub fn start() -> Self {
        Self::answering(|_: &Recorded| Answer::ok("recorded"))
    }

    /// Answers as `backend` says.
    pub fn answering(backend: impl Backend) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let backend: Arc<dyn Backend> = Arc::new(backend);
        let ((requests, recorded), (faults, found)) = (channel(), channel());
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let _ = stream.set_nodelay(true);
                let (backend, requests, faults) = (Arc::clone(&backend), requests.clone(), faults.clone());
                let session = Session { connection, wire: Wire::new(stream), backend, requests, faults };
                thread::spawn(move || session.run());
            }
        });
        Self { address, requests: recorded, faults: found }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The next request, which must come within a while.
    #[track_caller]
    pub fn next(&self) -> Recorded {
        self.requests.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("no request came; faults: {:?}", self.faults()))
    }

    /// What has come since the last look.
    ///
    /// A call that was answered by the back-end is recorded before its answer is sent, so after the answer nothing has
    /// to be waited for.
    pub fn seen(&self) -> Vec<Recorded> {
        self.requests.try_iter().collect()
    }

    /// Asserts that nothing came since the last look.
    #[track_caller]
    pub fn assert_untouched(&self) {
        let seen = self.seen();
        assert!(seen.is_empty(), "reached by {:?}", seen.iter().map(Recorded::text).collect::<Vec<_>>());
        let faults = self.faults();
        assert!(faults.is_empty(), "reached by something that is not canonical: {faults:?}");
    }

    /// What was not canonical since the last look.
    pub fn faults(&self) -> Vec<String> {
        self.faults.try_iter().collect()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let faults = self.faults();
        if !thread::panicking() {
            assert!(faults.is_empty(), "what was forwarded is not canonical: {faults:#?}");
        }
    }
}

// === impl Recorded ===

impl Recorded {
    /// The values of every header of that name.
    pub fn values(&self, name: &str) -> Vec<&str> {
        wire::values(&self.fields, name)
    }

    /// The value of a header that stands exactly once.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let values = self.values(name);
        let [value] = values.as_slice() else { panic!("{name} stands {} times in {}", values.len(), self.text()) };
        value
    }

    /// The head as text.
    pub fn text(&self) -> String {
        latin1(&self.head)
    }
}

// === impl Session ===

impl Session {
    fn run(mut self) {
        while self.exchange().unwrap_or(false) {}
    }

    /// One request and its answer; `false` when the connection is done.
    fn exchange(&mut self) -> io::Result<bool> {
        let Some(head) = self.wire.head()? else { return Ok(false) };
        let (mut request, framing) = match parse(&head) {
            Ok(parsed) => parsed,
            Err(fault) => return self.refuse(&format!("{fault} in {:?}", latin1(&head))),
        };
        request.connection = self.connection;
        if let Some(answer) = self.backend.early(&request) {
            let _ = self.requests.send(request.clone());
            answer.send(&request.method, self.wire.stream())?;
            return Ok(false);
        }
        if request.values("expect").iter().any(|value| value.eq_ignore_ascii_case("100-continue")) {
            self.wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        match read_body(&mut self.wire, &mut request, framing) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return self.refuse(&error.to_string()),
            other => other?,
        }
        let answer = self.backend.answer(&request);
        let method = request.method.clone();
        let _ = self.requests.send(request);
        answer.send(&method, self.wire.stream())
    }

    fn refuse(&mut self, fault: &str) -> io::Result<bool> {
        let _ = self.faults.send(fault.to_owned());
        self.wire.send(b"HTTP/1.1 400 Not Canonical\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")?;
        Ok(false)
    }
}

fn read_body(wire: &mut Wire, request: &mut Recorded, framing: Framing) -> io::Result<()> {
    let Recorded { body, length, is_pattern, .. } = request;
    let trailers = wire.body(framing, &mut |bytes| {
        *is_pattern &= pattern::matches(*length, bytes);
        *length += bytes.len() as u64;
        body.extend_from_slice(&bytes[..bytes.len().min(KEPT - body.len())]);
    })?;
    request.trailers = trailers;
    Ok(())
}

/// Reads a head as strictly as there is.
fn parse(head: &[u8]) -> Result<(Recorded, Framing), String> {
    let (line, fields) = wire::parse_head(head)?;
    let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Err("a request line that is not canonical".to_owned());
    };
    if !wire::is_token(method)
        || !target.starts_with('/')
        || !target.bytes().all(|byte| byte.is_ascii_graphic() || !byte.is_ascii())
    {
        return Err("a method or target that is not canonical".to_owned());
    }
    for name in SINGLE {
        let values = wire::values(&fields, name);
        if values.len() > 1 {
            return Err(format!("{name} {} times", values.len()));
        }
    }
    match wire::values(&fields, "host").as_slice() {
        [host] if !host.is_empty() && !host.contains([' ', ',', '@', '/', '\\', '?', '#']) => {}
        hosts => return Err(format!("Host {hosts:?}")),
    }
    let framing = wire::framing(&fields, Framing::Empty)?;
    let recorded = Recorded {
        connection: 0,
        head: head.to_vec(),
        method: method.to_owned(),
        target: target.to_owned(),
        fields,
        body: Vec::new(),
        length: 0,
        is_pattern: true,
        trailers: Vec::new(),
    };
    Ok((recorded, framing))
}
