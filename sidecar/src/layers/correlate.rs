//! The names under which a request is found again: `X-Request-ID` and W3C trace context.

use http::{HeaderMap, HeaderName, HeaderValue};
use sidecar_policy::request_id::is_sane;
use sidecar_policy::trace::{TraceContext, next};

use crate::worker::Worker;

/// The header that carries the request's id, in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The caller's id if it is a sane token and the only one, else a new UUIDv7 (RFC 9562).
pub(crate) fn request_id(worker: &Worker, headers: &HeaderMap) -> HeaderValue {
    let mut sent = headers.get_all(REQUEST_ID).iter();
    match (sent.next(), sent.next()) {
        (Some(id), None) if is_sane(id) => id.clone(),
        _ => worker.new_request_id(),
    }
}

/// The caller's trace, one span further; a new one if it has none.
pub(crate) fn trace(worker: &Worker, headers: &HeaderMap) -> TraceContext {
    let (trace, span) = worker.random_trace();
    next(headers, trace, span)
}

/// Writes both for the next hop.
pub(crate) fn apply(headers: &mut HeaderMap, request_id: &HeaderValue, trace: &TraceContext) {
    headers.insert(REQUEST_ID, request_id.clone());
    trace.apply(headers);
}
