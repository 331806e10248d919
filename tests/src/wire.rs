//! HTTP/1.1 on the wire (RFC 9112), read strictly: what two readers could understand differently is an error.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

/// The longest head that is read.
const MAX_HEAD: usize = 1024 * 1024;

/// A header line: its name as sent, its value as Latin-1.
pub type Field = (String, String);

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Empty,
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// A connection with what was read too much.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    at: usize,
}

// === impl Wire ===

impl Wire {
    /// Wraps a connection.
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new(), at: 0 }
    }

    /// The connection itself.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The bytes of a head with its empty line; `None` when the peer closed instead of beginning one.
    pub fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let unread = &self.buffer[self.at..];
            if let Some(end) = unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = unread[..end + 4].to_vec();
                self.at += end + 4;
                return Ok(Some(head));
            }
            if unread.len() > MAX_HEAD {
                return Err(bad("a head without an end"));
            }
            let began = !unread.is_empty();
            if self.fill()? == 0 {
                return if began { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
            }
        }
    }

    /// Hands a body piece by piece to `sink` and returns its trailers.
    pub fn body(&mut self, framing: Framing, sink: &mut dyn FnMut(&[u8])) -> io::Result<Vec<Field>> {
        match framing {
            Framing::Empty => {}
            Framing::Length(length) => self.exactly(length, sink)?,
            Framing::UntilClose => while self.piece(u64::MAX, sink)? > 0 {},
            Framing::Chunked => return self.chunks(sink),
        }
        Ok(Vec::new())
    }

    /// Whether the peer has closed and nothing is left to read.
    pub fn is_closed(&mut self) -> bool {
        self.at == self.buffer.len() && matches!(self.fill(), Ok(0) | Err(_))
    }

    /// What the peer sends until it closes.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.body(Framing::UntilClose, &mut |bytes| rest.extend_from_slice(bytes))?;
        Ok(rest)
    }

    fn chunks(&mut self, sink: &mut dyn FnMut(&[u8])) -> io::Result<Vec<Field>> {
        loop {
            let line = self.line()?;
            let canonical = !line.is_empty() && line.len() <= 16 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !canonical {
                return Err(bad(format!("a chunk size that is not canonical: {line:?}")));
            }
            let size = u64::from_str_radix(&line, 16).map_err(|error| bad(error.to_string()))?;
            if size == 0 {
                break;
            }
            self.exactly(size, sink)?;
            if !self.line()?.is_empty() {
                return Err(bad("bytes after a chunk"));
            }
        }
        let mut trailers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(trailers);
            }
            trailers.push(field(&line).map_err(bad)?);
        }
    }

    fn exactly(&mut self, length: u64, sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            match self.piece(left, sink)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                taken => left -= taken,
            }
        }
        Ok(())
    }

    /// Hands over what is there, `most` bytes at most; 0 when the peer has closed.
    fn piece(&mut self, most: u64, sink: &mut dyn FnMut(&[u8])) -> io::Result<u64> {
        if self.at == self.buffer.len() && self.fill()? == 0 {
            return Ok(0);
        }
        let there = self.buffer.len() - self.at;
        let taken = usize::try_from(most).map_or(there, |most| most.min(there));
        sink(&self.buffer[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken as u64)
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            let unread = &self.buffer[self.at..];
            if let Some(end) = unread.windows(2).position(|bytes| bytes == b"\r\n") {
                let line = latin1(&unread[..end]);
                self.at += end + 2;
                return Ok(line);
            }
            if unread.len() > MAX_HEAD {
                return Err(bad("a line without an end"));
            }
            if self.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let used = self.buffer.len();
        self.buffer.resize(used + 64 * 1024, 0);
        let read = self.stream.read(&mut self.buffer[used..]);
        self.buffer.truncate(used + *read.as_ref().unwrap_or(&0));
        read
    }
}

/// Splits a head into its first line and its fields.
pub fn parse_head(head: &[u8]) -> Result<(String, Vec<Field>), String> {
    let text = latin1(head);
    let text = text.strip_suffix("\r\n\r\n").ok_or("no empty line at the end")?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let fields = lines.map(field).collect::<Result<_, _>>()?;
    Ok((first, fields))
}

/// `name: value`: a token, a colon, one space, and a value without control characters or space around it.
fn field(line: &str) -> Result<Field, String> {
    let (name, rest) = line.split_once(':').ok_or_else(|| format!("a header line without a colon: {line:?}"))?;
    let value = if rest.is_empty() { rest } else { rest.strip_prefix(' ').unwrap_or(rest) };
    let is_control = |c: char| (c < ' ' && c != '\t') || c == '\u{7f}';
    if !is_token(name) || value.contains(is_control) || value.trim_matches([' ', '\t']) != value {
        return Err(format!("a header line that is not canonical: {line:?}"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// How the body of a message with these fields ends; `otherwise` where they say nothing.
pub fn framing(fields: &[Field], otherwise: Framing) -> Result<Framing, String> {
    match (values(fields, "content-length").as_slice(), values(fields, "transfer-encoding").as_slice()) {
        ([], []) => Ok(otherwise),
        ([], ["chunked"]) => Ok(Framing::Chunked),
        ([length], []) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length.parse().map(Framing::Length).map_err(|error| error.to_string())
        }
        (lengths, encodings) => {
            Err(format!("an unclear end: Content-Length {lengths:?}, Transfer-Encoding {encodings:?}"))
        }
    }
}

/// The values of every field of that name.
pub fn values<'a>(fields: &'a [Field], name: &str) -> Vec<&'a str> {
    fields.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
}

/// RFC 9110 section 5.6.2.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Each byte as the character of the same number.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The other way round; panics on a character beyond U+00FF.
pub fn from_latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

fn bad(what: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.into())
}
