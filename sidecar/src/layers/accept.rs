//! Is this a request that can be passed on at all?

use http::request::Parts;
use http::{Method, Version};
use sidecar_policy::code::{Code, Refusal};
use sidecar_policy::{host, path};

use crate::server::ConnectionState;

/// The longest method (RFC 9110 defines none beyond eight bytes; WebDAV goes to sixteen).
const MAX_METHOD: usize = 20;

/// Refuses targets, hosts and methods that another server could read otherwise than this one.
pub(crate) fn check(parts: &Parts, connection: &ConnectionState) -> Result<(), Refusal> {
    if connection.take_fragment() {
        return Err(Refusal::new(
            Code::InvalidPath,
            "the target holds a fragment ('#'): a client keeps it to itself (RFC 9110, 4.2.5)",
        ));
    }
    path::check_target(&parts.method, &parts.uri)
        .map_err(|error| Refusal::new(Code::InvalidPath, error.to_string()))?;
    if parts.method == Method::TRACE || parts.method == Method::CONNECT || parts.method.as_str().len() > MAX_METHOD {
        return Err(Refusal::new(
            Code::MethodNotAllowed,
            "TRACE, CONNECT and methods of over 20 bytes are not passed on",
        ));
    }
    if parts.version < Version::HTTP_11 && parts.headers.contains_key(http::header::TRANSFER_ENCODING) {
        return Err(Refusal::new(Code::AmbiguousHeader, "HTTP/1.0 has no Transfer-Encoding: send a Content-Length"));
    }
    host::check(&parts.headers, parts.version).map_err(|error| Refusal::new(Code::InvalidHost, error.to_string()))?;
    Ok(())
}
