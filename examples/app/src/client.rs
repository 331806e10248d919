//! One call over HTTP/1.1.

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why nothing came back.
#[derive(Debug)]
pub enum CallError {
    /// The URL is not `http://host:port/path`.
    Url,
    /// No connection.
    Connect(std::io::Error),
    /// The connection broke.
    Http(hyper::Error),
    /// The answer broke off, or is longer than 1 MiB.
    Body,
}

/// The longest answer that is read.
const MAX_BODY: usize = 1024 * 1024;

/// `GET`s a URL with `headers`.
pub async fn call(url: &Uri, headers: HeaderMap) -> Result<Answer, CallError> {
    let authority = url.authority().filter(|_| url.scheme_str() == Some("http")).ok_or(CallError::Url)?;
    let address = (authority.host(), authority.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(address).await.map_err(CallError::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(CallError::Http)?;
    let connection = tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = url.path_and_query().map(|path| Uri::from(path.clone())).unwrap_or_default();
    *request.headers_mut() = headers;
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| CallError::Url)?;
    request.headers_mut().insert(HOST, host);
    let (head, body) = sender.send_request(request).await.map_err(CallError::Http)?.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| CallError::Body)?.to_bytes();
    connection.abort();
    Ok(Answer { status: head.status, headers: head.headers, body })
}

// === impl CallError ===

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Url => "not a URL such as http://127.0.0.1:4180/path",
            Self::Connect(_) => "failed to connect",
            Self::Http(_) => "the connection broke",
            Self::Body => "the answer broke off or is too long",
        })
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error) => Some(error),
            Self::Http(error) => Some(error),
            Self::Url | Self::Body => None,
        }
    }
}
