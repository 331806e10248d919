//! The order in which things happen to a call, readable from top to bottom.

mod inbound;
mod outbound;

use std::rc::Rc;

use http::Response;
use http::request::Parts;
use hyper::body::{Body, Incoming};
use sidecar_policy::code::{Code, Refusal};

use crate::body::ResponseBody;
use crate::exchange::Exchange;
use crate::layers::correlate::{self, REQUEST_ID};
use crate::options::Kind;
use crate::server::{ConnectionState, Slot};
use crate::worker::Worker;

/// A request as it comes from the wire.
pub(crate) type Request = http::Request<hyper::body::Incoming>;

/// Serves one request.
pub(crate) async fn serve(
    worker: &Rc<Worker>,
    slot: &Slot,
    connection: &Rc<ConnectionState>,
    request: Request,
) -> Response<ResponseBody> {
    match slot.kind {
        Kind::Inbound => inbound::serve(worker, slot, connection, request).await,
        Kind::Outbound | Kind::Exposed => outbound::serve(worker, slot, connection, request).await,
    }
}

/// The first steps of every request: its id, its trace, and the exchange that counts and logs it.
fn begin(
    worker: &Rc<Worker>,
    slot: &Slot,
    connection: &Rc<ConnectionState>,
    parts: &Parts,
    body: &Incoming,
) -> Box<Exchange> {
    if body.is_end_stream() {
        connection.expect_head();
    }
    let id = correlate::request_id(worker, &parts.headers);
    let trace = correlate::trace(worker, &parts.headers);
    Exchange::begin(worker, slot, connection, parts, id, trace)
}

/// The last steps of every answer: it carries the request's id, and the exchange ends with its body.
fn finish(mut response: Response<ResponseBody>, mut exchange: Box<Exchange>) -> Response<ResponseBody> {
    response.headers_mut().insert(REQUEST_ID, exchange.request_id.clone());
    exchange.answered(response.status());
    let (parts, body) = response.into_parts();
    if let ResponseBody::Own(own, _) = &body {
        exchange.sent(http_body::Body::size_hint(own).exact().and_then(|size| size.try_into().ok()).unwrap_or(0));
        exchange.complete();
    } else if http_body::Body::is_end_stream(&body) {
        exchange.complete();
    }
    Response::from_parts(parts, body.with_exchange(exchange))
}

fn not_configured() -> Refusal {
    Refusal::new(Code::NotConfigured, "the sidecar waits for its configuration")
}
