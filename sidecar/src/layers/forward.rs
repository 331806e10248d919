//! The head of the request that goes out: what the caller may not say is taken out first, what the sidecar says is put
//! in after, so that nothing a caller sends can remove or double it.

use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri, Version};
use sidecar_policy::code::{Code, Refusal};
use sidecar_policy::forwarded::{self, Proto, Trusted};
use sidecar_policy::headers::{CompiledHeaderRule, strip_request};

use super::correlate;
use crate::exchange::Exchange;

/// How the next hop is told where the call came from.
pub(crate) enum Origin<'a> {
    /// The caller is not believed: own values.
    Own(&'a HeaderValue),
    /// The caller is a sidecar that proved it: its values, and this hop.
    Trusted(&'a HeaderValue),
}

/// Rewrites a head for the next hop. The credential or identity comes after.
pub(crate) fn rewrite(
    parts: &mut Parts,
    path: PathAndQuery,
    host: Option<&HeaderValue>,
    origin: &Origin<'_>,
    exchange: &Exchange,
) -> Result<(), Refusal> {
    let trusted = match origin {
        Origin::Own(_) => None,
        Origin::Trusted(_) => Some(Trusted::take(&mut parts.headers)),
    };
    strip_request(&mut parts.headers).map_err(|error| Refusal::new(Code::AmbiguousHeader, error.to_string()))?;
    let asked = parts.headers.get(HOST).cloned();
    match (trusted, origin) {
        (Some(trusted), Origin::Trusted(peer)) => trusted.apply(&mut parts.headers, peer, asked, Proto::Http),
        (_, Origin::Own(peer) | Origin::Trusted(peer)) => {
            forwarded::apply(&mut parts.headers, peer, asked, Proto::Http)
        }
    }
    if let Some(host) = host {
        parts.headers.insert(HOST, host.clone());
    }
    correlate::apply(&mut parts.headers, &exchange.request_id, &exchange.trace);
    parts.uri = Uri::from(path);
    parts.version = Version::HTTP_11;
    Ok(())
}

/// The route's own rules, where it has any.
pub(crate) fn apply_rule(rule: &CompiledHeaderRule, headers: &mut http::HeaderMap) {
    if !rule.is_empty() {
        rule.apply(headers);
    }
}
