//! The client: exact bytes to a socket, one response back. Nothing is normalised on the way.

use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::wire::{self, Field, Framing, Wire, from_latin1};

/// How long one read may take.
const READ_LIMIT: Duration = Duration::from_secs(60);

/// A request that is put together step by step.
#[derive(Clone, Debug)]
pub struct Call {
    method: String,
    target: String,
    fields: Vec<Field>,
    body: Option<Vec<u8>>,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The heads of the 1xx responses before it, as bytes.
    pub interim: Vec<Vec<u8>>,
    /// The bytes of its head.
    pub head: Vec<u8>,
    /// Its status code.
    pub status: u16,
    /// Its header lines.
    pub fields: Vec<Field>,
    /// Its body, without the framing.
    pub body: Vec<u8>,
    /// Its trailers.
    pub trailers: Vec<Field>,
}

/// A connection that sends what it is told.
pub struct Connection {
    wire: Wire,
    address: SocketAddr,
}

// === impl Call ===

impl Call {
    /// A request with any method.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), fields: Vec::new(), body: None }
    }

    /// A `GET`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A `POST` with a body.
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Some(body.into()), ..Self::new("POST", target) }
    }

    /// The same to another target.
    #[must_use]
    pub fn at(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    /// Its target.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Adds a header line; characters up to U+00FF are sent as one byte.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds `Authorization: Basic …`.
    #[must_use]
    pub fn basic(self, user: &str, password: &str) -> Self {
        let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
        self.header("Authorization", &format!("Basic {credentials}"))
    }

    /// Adds `Authorization: Bearer …`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// A preflight for `method` from `origin` (Fetch standard).
    pub fn preflight(target: &str, origin: &str, method: &str) -> Self {
        Self::new("OPTIONS", target).header("Origin", origin).header("Access-Control-Request-Method", method)
    }

    /// Sends it on a connection of its own.
    #[track_caller]
    pub fn to(&self, address: SocketAddr) -> Response {
        self.try_to(address).unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.target))
    }

    /// As [`Call::to`], for peers that may refuse.
    pub fn try_to(&self, address: SocketAddr) -> io::Result<Response> {
        let mut connection = Connection::try_open(address)?;
        connection.wire.send(&self.bytes(address))?;
        connection.try_response(&self.method)
    }

    /// What is sent.
    pub fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if wire::values(&self.fields, "host").is_empty() {
            let _ = write!(head, "Host: {address}\r\n");
        }
        for (name, value) in &self.fields {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let framed =
            ["content-length", "transfer-encoding"].iter().any(|name| !wire::values(&self.fields, name).is_empty());
        if let Some(body) = self.body.as_ref().filter(|_| !framed) {
            let _ = write!(head, "Content-Length: {}\r\n", body.len());
        }
        head.push_str("\r\n");
        let mut bytes = from_latin1(&head);
        bytes.extend(self.body.iter().flatten());
        bytes
    }
}

// === impl Connection ===

impl Connection {
    /// Connects.
    #[track_caller]
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
    }

    /// As [`Connection::open`], for peers that may refuse.
    pub fn try_open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, READ_LIMIT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_LIMIT))?;
        stream.set_write_timeout(Some(READ_LIMIT))?;
        Ok(Self { wire: Wire::new(stream), address })
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.wire.send(bytes).unwrap();
    }

    /// As [`Connection::send`], for peers that may have closed.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.send(bytes)
    }

    /// Sends a call and reads its answer; the connection stays open.
    pub fn call(&mut self, call: &Call) -> io::Result<Response> {
        self.wire.send(&call.bytes(self.address))?;
        self.try_response(&call.method)
    }

    /// Reads one response to a `GET`.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.try_response("GET").unwrap()
    }

    /// Reads one response to `method`, with its 1xx responses.
    pub fn try_response(&mut self, method: &str) -> io::Result<Response> {
        let (mut response, framing) = self.try_head(method)?;
        response.trailers = self.wire.body(framing, &mut |bytes| response.body.extend_from_slice(bytes))?;
        Ok(response)
    }

    /// Reads the head of one response to `method`, with the 1xx responses before it; the body is left to
    /// [`Connection::wire`].
    pub fn try_head(&mut self, method: &str) -> io::Result<(Response, Framing)> {
        let mut interim = Vec::new();
        loop {
            let head = self.wire.head()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let (line, fields) = wire::parse_head(&head).map_err(io::Error::other)?;
            let status = status(&line).map_err(io::Error::other)?;
            if (100..200).contains(&status) && status != 101 {
                interim.push(head);
                continue;
            }
            let framing = if method == "HEAD" || matches!(status, 101 | 204 | 304) {
                Framing::Empty
            } else {
                wire::framing(&fields, Framing::UntilClose).map_err(io::Error::other)?
            };
            let response = Response { interim, head, status, fields, body: Vec::new(), trailers: Vec::new() };
            return Ok((response, framing));
        }
    }

    /// The connection with what was read too much.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }
}

// === impl Response ===

impl Response {
    /// The value of a header that stands once at most.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = wire::values(&self.fields, name);
        assert!(values.len() <= 1, "{name} stands {} times: {values:?}", values.len());
        values.first().copied()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// Everything that was received, for searching.
    pub fn bytes(&self) -> Vec<u8> {
        [self.interim.concat(), self.head.clone(), self.body.clone()].concat()
    }

    /// Asserts a problem document (RFC 9457) with that status and `code`, and the headers that every answer of the
    /// sidecar carries.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        let content_type = self.header("content-type").unwrap_or_default();
        assert_eq!(content_type.split(';').next(), Some("application/problem+json"), "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["title"].is_string(), "{problem}");
        assert!(self.header("x-request-id").is_some(), "no X-Request-ID: {problem}");
    }
}

/// `HTTP/1.1 200 OK`
fn status(line: &str) -> Result<u16, String> {
    let digits = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("a status line that is not canonical: {line:?}"))
}
