//! Opening a connection: name, address, socket, TLS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderValue;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use sidecar_policy::address::{BaseUrl, UrlPolicy, dial_allowed};
use sidecar_policy::code::{Code, Refusal};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use url::Host;

use crate::body::RequestBody;
use crate::stalled::Stalled;

/// The most that hyper buffers per connection, in either direction.
pub(crate) const BUFFER: usize = 32 * 1024;

/// Sends requests on one connection, and closes it when dropped, whatever is still under way on it.
pub(crate) struct Sender {
    pub(crate) requests: http1::SendRequest<RequestBody>,
    driver: AbortHandle,
}

/// Where an app is, and how a connection to it is made.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// `{app}.{environment}`: what callers may read. Where the app is stays between the sidecar and its log.
    pub(crate) name: String,
    pub(crate) base: BaseUrl,
    /// The value of `Host`.
    pub(crate) host: HeaderValue,
    /// Scheme, host and port, as locations are compared.
    pub(crate) origin: String,
    pub(crate) tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    /// Which addresses the name may resolve to.
    pub(crate) policy: UrlPolicy,
}

// === impl Endpoint ===

impl Endpoint {
    /// Opens a connection and starts the task that drives it.
    pub(crate) async fn connect(&self) -> Result<Sender, Refusal> {
        let stream = self.dial().await?;
        // Without it, small writes wait for the peer's acknowledgement.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => handshake(stream).await,
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), stream).await.map_err(|error| {
                    tracing::debug!(origin = %self.origin, %error, "TLS to an app failed");
                    Refusal::new(Code::UpstreamTls, format!("TLS to {} failed: {}", self.name, tls_hint(&error)))
                })?;
                handshake(stream).await
            }
        }
    }

    async fn dial(&self) -> Result<TcpStream, Refusal> {
        let mut last = None;
        let mut refused = false;
        for address in self.resolve().await? {
            // The name was checked when the configuration was compiled; what it resolves to is checked here, each time.
            if !dial_allowed(address.ip(), &self.policy) {
                refused = true;
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    tracing::debug!(origin = %self.origin, %address, %error, "an app takes no connection");
                    last = Some(error);
                }
            }
        }
        Err(match last {
            Some(error) => Refusal::new(
                Code::UpstreamUnreachable,
                format!("{} does not take a connection: {}", self.name, error.kind()),
            ),
            None if refused => Refusal::new(
                Code::UpstreamAddressRefused,
                format!("{} resolves to an address that calls may not go to", self.name),
            ),
            None => Refusal::new(Code::UpstreamUnreachable, format!("{} has no address", self.name)),
        })
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, Refusal> {
        let name = match &self.base.host {
            Host::Ipv4(ip) => return Ok(vec![SocketAddr::new(IpAddr::V4(*ip), self.base.port)]),
            Host::Ipv6(ip) => return Ok(vec![SocketAddr::new(IpAddr::V6(*ip), self.base.port)]),
            Host::Domain(name) => name.as_str(),
        };
        let found = tokio::net::lookup_host((name, self.base.port)).await;
        found.map(Iterator::collect).map_err(|error| {
            tracing::debug!(origin = %self.origin, %error, "the name of an app does not resolve");
            Refusal::new(Code::UpstreamUnreachable, format!("the host name of {} does not resolve", self.name))
        })
    }
}

async fn handshake<S>(stream: S) -> Result<Sender, Refusal>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
{
    let (requests, connection) = http1::Builder::new()
        .max_buf_size(BUFFER)
        .handshake(TokioIo::new(Stalled::new(stream)))
        .await
        .map_err(|error| Refusal::new(Code::UpstreamBroken, format!("the connection broke off: {error}")))?;
    // It ends when the peer closes or the sender is dropped, and the sender says so to whoever uses it.
    let driver = tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to an app ended");
        }
    });
    Ok(Sender { requests, driver: driver.abort_handle() })
}

/// What to do about a failed handshake, without a name or an address.
fn tls_hint(error: &std::io::Error) -> &'static str {
    use rustls::{CertificateError as Certificate, Error};
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(reason)) => match reason {
            Certificate::UnknownIssuer => "the issuer of its certificate is not trusted: see tls.caBundle",
            Certificate::Expired | Certificate::ExpiredContext { .. } => "its certificate has expired",
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "its certificate is for another name: see tls.serverName"
            }
            _ => "its certificate is not accepted",
        },
        Some(_) => "it does not speak TLS as it should",
        None => "the connection broke off",
    }
}

// === impl Sender ===

impl Drop for Sender {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
