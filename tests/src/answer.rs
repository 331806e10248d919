//! What a recording back-end answers.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::pattern;
use crate::wait::{LIMIT, pause, wait_until};
use crate::wire::{Field, from_latin1};

/// An answer that is put together step by step.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    interim: String,
    fields: Vec<Field>,
    body: Body,
    gate: Option<Gate>,
    close: bool,
}

/// Keeps answers back until it is opened.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<AtomicBool>);

/// How much of a long body has been handed to the system.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

#[derive(Clone, Debug)]
enum Body {
    Whole(Vec<u8>),
    Pattern { length: u64, chunked: bool, trailers: Vec<Field>, progress: Progress },
    Raw(Vec<u8>),
}

// === impl Answer ===

impl Answer {
    /// An empty answer.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            interim: String::new(),
            fields: Vec::new(),
            body: Body::Whole(Vec::new()),
            gate: None,
            close: false,
        }
    }

    /// 200 with a plain text.
    pub fn ok(text: &str) -> Self {
        let body = Body::Whole(text.as_bytes().to_vec());
        Self { body, ..Self::status(200) }.header("Content-Type", "text/plain")
    }

    /// 200 with a page.
    pub fn html(page: &str) -> Self {
        let body = Body::Whole(page.as_bytes().to_vec());
        Self { body, ..Self::status(200) }.header("Content-Type", "text/html; charset=utf-8")
    }

    /// 200 with `length` bytes of the pattern and a `Content-Length`.
    pub fn pattern(length: u64, progress: &Progress) -> Self {
        let body = Body::Pattern { length, chunked: false, trailers: Vec::new(), progress: progress.clone() };
        Self { body, ..Self::status(200) }
    }

    /// 200 with `length` bytes of the pattern in chunks, and trailers.
    pub fn chunked(length: u64, trailers: &[(&str, &str)]) -> Self {
        let trailers: Vec<Field> = trailers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let names: Vec<&str> = trailers.iter().map(|(name, _)| name.as_str()).collect();
        let announced = names.join(", ");
        let body = Body::Pattern { length, chunked: true, trailers, progress: Progress::default() };
        Self { body, ..Self::status(200) }.header("Trailer", &announced)
    }

    /// Exactly these bytes, after which the connection is closed.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { body: Body::Raw(bytes.into()), close: true, ..Self::status(0) }
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends a 1xx response first.
    #[must_use]
    pub fn after(mut self, status: u16, name: &str, value: &str) -> Self {
        let _ = write!(self.interim, "HTTP/1.1 {status} Early\r\n{name}: {value}\r\n\r\n");
        self
    }

    /// Waits until the gate is open.
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Closes the connection afterwards, with `Connection: close`.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.close = true;
        self.header("Connection", "close")
    }

    /// Sends it; `true` when the connection stays open.
    pub(crate) fn send(&self, method: &str, mut stream: &TcpStream) -> io::Result<bool> {
        if let Some(gate) = &self.gate {
            gate.wait();
        }
        if let Body::Raw(bytes) = &self.body {
            stream.write_all(bytes)?;
            return Ok(false);
        }
        let mut bytes = from_latin1(&format!("{}{}", self.interim, self.head()));
        let has_body = method != "HEAD" && !matches!(self.status, 204 | 304);
        if let Body::Whole(body) = &self.body
            && has_body
        {
            bytes.extend_from_slice(body);
        }
        stream.write_all(&bytes)?;
        if has_body {
            self.body.send_pattern(stream)?;
        }
        Ok(!self.close)
    }

    fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Answer\r\n", self.status);
        for (name, value) in &self.fields {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        match &self.body {
            Body::Whole(_) if self.status == 204 => {}
            Body::Whole(_) if self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) => {}
            Body::Whole(bytes) => {
                let _ = write!(head, "Content-Length: {}\r\n", bytes.len());
            }
            Body::Pattern { chunked: false, length, .. } => {
                let _ = write!(head, "Content-Length: {length}\r\n");
            }
            Body::Pattern { .. } => head.push_str("Transfer-Encoding: chunked\r\n"),
            Body::Raw(_) => {}
        }
        head.push_str("\r\n");
        head
    }
}

impl Body {
    fn send_pattern(&self, mut stream: &TcpStream) -> io::Result<()> {
        let Self::Pattern { length, chunked, trailers, progress } = self else { return Ok(()) };
        let mut sent = 0;
        while sent < *length {
            let piece = pattern::piece(sent, (length - sent).min(32 * 1024));
            if *chunked {
                stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
            }
            stream.write_all(piece)?;
            if *chunked {
                stream.write_all(b"\r\n")?;
            }
            sent += piece.len() as u64;
            progress.0.store(sent, Ordering::Release);
        }
        if *chunked {
            let lines: String = trailers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            stream.write_all(format!("0\r\n{lines}\r\n").as_bytes())?;
        }
        Ok(())
    }
}

// === impl Gate ===

impl Gate {
    /// Lets everything through from now on.
    pub fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn wait(&self) {
        wait_until("the gate to open", LIMIT, || self.0.load(Ordering::Acquire));
    }
}

// === impl Progress ===

impl Progress {
    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Waits until nothing more moves for a while, and says how far it came.
    pub fn settle(&self) -> u64 {
        let (mut before, mut still) = (self.bytes(), 0);
        wait_until("the stream to stand still", LIMIT, || {
            let now = self.bytes();
            still = if now == before && now > 0 { still + 1 } else { 0 };
            before = now;
            pause(Duration::from_millis(20));
            still == 25
        });
        before
    }
}
