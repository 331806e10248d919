//! A request goes out and its answer comes back.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::{Body, Incoming};
use sidecar_policy::code::{Code, Refusal};
use sidecar_policy::config::Timeouts;
use tokio::time::{Instant, timeout_at};

use super::connect::Sender;
use super::{Expectation, Pool};
use crate::body::{BodyError, RequestBody, ResponseBody, Upload};
use crate::server::ConnectionState;

/// A request ready to go.
pub(crate) struct Outgoing {
    pub(crate) parts: Parts,
    pub(crate) body: Option<Incoming>,
    /// Where the body comes from.
    pub(crate) connection: Option<Rc<ConnectionState>>,
    pub(crate) timeouts: Timeouts,
}

/// What came back.
pub(crate) struct Answered {
    pub(crate) response: Response<ResponseBody>,
    /// The head of the request, where it may be sent once more.
    pub(crate) spare: Option<Parts>,
}

/// Why nothing came back.
enum Failure {
    /// The connection ended before any of the request was on it: here it is again.
    Unsent(Box<Request<RequestBody>>),
    /// Something of it may have arrived.
    Sent(hyper::Error),
    TooLate,
    /// It changes to a protocol that was not asked for.
    Unasked,
}

// === impl Failure ===

impl Failure {
    /// What the caller is told when it is not tried again.
    fn refusal(self, pool: &Pool, upload: &Upload, timeouts: Timeouts) -> Refusal {
        match self {
            Self::Unsent(_) => {
                Refusal::new(Code::UpstreamBroken, format!("{} closed the connection", pool.endpoint.name))
            }
            Self::Sent(error) => broken(pool, &error),
            Self::TooLate => too_late(pool, upload, timeouts),
            Self::Unasked => unasked(pool),
        }
    }
}

/// Sends it on an idle connection or a new one.
///
/// An idle connection may be closed by the app at the very moment that it is used. Then the request goes out again on
/// another one, where that is safe: when nothing of it was sent, or when its method is idempotent (RFC 9110, 9.2.2) and
/// it has no body.
pub(crate) async fn send(pool: &Rc<Pool>, outgoing: Outgoing) -> Result<Answered, Refusal> {
    let Outgoing { parts, body, connection, timeouts } = outgoing;
    let spare = is_repeatable(&parts.method, body.as_ref()).then(|| copy_of(&parts));
    let (body, upload) = RequestBody::new(body, connection, Duration::from_millis(timeouts.idle_ms));
    let mut request = Request::from_parts(parts, body);
    if !upload.is_done() && request.headers().contains_key(http::header::EXPECT) {
        let expectation = Expectation::watch(&mut request);
        request = request.map(|body| body.expecting(expectation));
    }
    while let Some(mut sender) = pool.reuse().await {
        match attempt(&mut sender, request, &upload, timeouts).await {
            Ok(response) => return Ok(Answered { response: lend(pool, sender, response, upload, timeouts), spare }),
            Err(Failure::Unsent(unsent)) => request = *unsent,
            Err(Failure::Sent(error)) => {
                let parts = spare.as_ref().map(copy_of).ok_or_else(|| broken(pool, &error))?;
                request = Request::from_parts(parts, RequestBody::new(None, None, Duration::ZERO).0);
                break;
            }
            Err(failure) => return Err(failure.refusal(pool, &upload, timeouts)),
        }
    }
    let mut sender = pool.open(Duration::from_millis(timeouts.connect_ms)).await?;
    match attempt(&mut sender, request, &upload, timeouts).await {
        Ok(response) => Ok(Answered { response: lend(pool, sender, response, upload, timeouts), spare }),
        Err(failure) => Err(failure.refusal(pool, &upload, timeouts)),
    }
}

async fn attempt(
    sender: &mut Sender,
    request: Request<RequestBody>,
    upload: &Upload,
    timeouts: Timeouts,
) -> Result<Response<Incoming>, Failure> {
    let (limit, idle) = (Duration::from_millis(timeouts.request_ms), Duration::from_millis(timeouts.idle_ms));
    upload.begin();
    let mut answer = pin!(sender.requests.try_send_request(request));
    loop {
        match timeout_at(upload.deadline(limit, idle), answer.as_mut()).await {
            // Nobody asked for another protocol: upgrades are not passed on.
            Ok(Ok(response)) if response.status().is_informational() => return Err(Failure::Unasked),
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(mut error)) => {
                return Err(match error.take_message() {
                    Some(unsent) => Failure::Unsent(Box::new(unsent)),
                    None => Failure::Sent(error.into_error()),
                });
            }
            // The body may have moved meanwhile: then there is a new deadline.
            Err(_) if upload.deadline(limit, idle) > Instant::now() => {}
            Err(_) => return Err(Failure::TooLate),
        }
    }
}

fn lend(
    pool: &Rc<Pool>,
    sender: Sender,
    response: Response<Incoming>,
    upload: Rc<Upload>,
    timeouts: Timeouts,
) -> Response<ResponseBody> {
    let lease = pool.lend(sender, upload);
    response.map(|incoming| ResponseBody::passing(incoming, Duration::from_millis(timeouts.idle_ms), lease))
}

fn is_repeatable(method: &Method, body: Option<&Incoming>) -> bool {
    method.is_idempotent() && body.is_none_or(Body::is_end_stream)
}

/// All of a head but its extensions, which belong to one connection.
fn copy_of(parts: &Parts) -> Parts {
    let (mut copy, ()) = Request::new(()).into_parts();
    copy.method = parts.method.clone();
    copy.uri = parts.uri.clone();
    copy.version = parts.version;
    copy.headers = parts.headers.clone();
    copy
}

fn broken(pool: &Pool, error: &hyper::Error) -> Refusal {
    if let Some(refusal) = callers_fault(error) {
        return refusal;
    }
    let what = if error.is_incomplete_message() {
        "closed the connection before it answered"
    } else if error.is_parse() {
        "answered something that is not HTTP"
    } else {
        "broke off the connection"
    };
    Refusal::new(Code::UpstreamBroken, format!("{} {what}", pool.endpoint.name))
}

/// A request whose body failed on its way in is no fault of the app.
fn callers_fault(error: &hyper::Error) -> Option<Refusal> {
    let body = std::error::Error::source(error).and_then(|source| source.downcast_ref::<BodyError>())?;
    Some(match body {
        BodyError::Idle(limit) => stalled(limit.as_millis()),
        BodyError::Broken(_) => Refusal::new(
            Code::RequestBroken,
            "the body of the request broke off, or its chunks are not framed as RFC 9112 says",
        ),
    })
}

fn stalled(millis: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::RequestTimeout, format!("no byte of the request came for {millis} ms (timeouts.idle)"))
}

fn unasked(pool: &Pool) -> Refusal {
    let detail = format!("{} changed to another protocol without being asked", pool.endpoint.name);
    Refusal::new(Code::UpstreamBroken, detail)
}

fn too_late(pool: &Pool, upload: &Upload, timeouts: Timeouts) -> Refusal {
    if !upload.is_done() {
        return stalled(timeouts.idle_ms);
    }
    let detail = format!("{} sent no answer in {} ms (timeouts.request)", pool.endpoint.name, timeouts.request_ms);
    Refusal::new(Code::UpstreamTimeout, detail)
}
