//! Calls that reach the pod.

use std::rc::Rc;

use http::header::HOST;
use http::request::Parts;
use http::{HeaderName, Response};
use hyper::body::Incoming;
use sidecar_policy::caller::IDENTITY_HEADERS;
use sidecar_policy::code::{Code, Refusal};
use sidecar_policy::headers::strip_response;
use sidecar_policy::path;

use super::{Request, begin, finish, not_configured};
use crate::app::{App, Inbound, Verified};
use crate::body::ResponseBody;
use crate::exchange::Exchange;
use crate::layers::forward::{self, Origin};
use crate::layers::{accept, authenticate, rescue};
use crate::server::{ConnectionState, Slot};
use crate::upstream::{Outgoing, send};
use crate::worker::Worker;

/// The layers, outermost first.
pub(super) async fn serve(
    worker: &Rc<Worker>,
    slot: &Slot,
    connection: &Rc<ConnectionState>,
    request: Request,
) -> Response<ResponseBody> {
    let (parts, body) = request.into_parts();
    // 1. Request id, trace, log and metrics: outside everything, so that every answer has them.
    let mut exchange = begin(worker, slot, connection, &parts, &body);
    let app = slot.current();
    let inbound = app.as_ref().and_then(|app| Some((app, app.compiled.inbound.as_ref()?)));
    // 2. The error table.
    let response = match inbound {
        None => Err(not_configured()),
        Some((app, inbound)) => {
            exchange.series.clone_from(&app.inbound_series);
            call(app, inbound, connection, parts, body, &mut exchange).await
        }
    };
    let response = response.unwrap_or_else(|refusal| {
        exchange.refused(&refusal);
        let challenges = inbound.map(|(_, inbound)| inbound.who.challenges.as_slice()).unwrap_or_default();
        rescue::answer(&refusal, challenges, &exchange.request_id)
    });
    finish(response, exchange)
}

async fn call(
    app: &App,
    inbound: &Inbound,
    connection: &Rc<ConnectionState>,
    mut parts: Parts,
    body: Incoming,
    exchange: &mut Exchange,
) -> Result<Response<ResponseBody>, Refusal> {
    // 3. A request that two servers could read differently goes no further, and no rule sees it.
    accept::check(&parts, connection)?;
    // 4. Who, and whether they may.
    let caller = match admit(app, inbound, &parts, exchange).await {
        Ok(caller) => caller,
        Err(refusal) if inbound.audit => {
            // Only watched: it goes through, without an identity, and is counted.
            exchange.refused(&refusal);
            exchange.audited = true;
            None
        }
        Err(refusal) => return Err(refusal),
    };
    // 5. The head for the app: what came from outside goes out first, then the identity comes in. The path goes on as
    //    it came: what the rule saw is what goes out.
    let path = path::join("", "", parts.uri.path(), parts.uri.query());
    let path = path.map_err(|error| Refusal::new(Code::InvalidPath, error.to_string()))?;
    let trusted = caller.as_ref().is_some_and(|verified| verified.caller.proxied);
    let origin = if trusted { Origin::Trusted(&connection.peer) } else { Origin::Own(&connection.peer) };
    forward::rewrite(&mut parts, path, None, &origin, exchange)?;
    identify(&mut parts, caller.as_deref());
    // HTTP/1.0 need not name a host; HTTP/1.1, which the app is spoken to in, must.
    parts.headers.entry(HOST).or_insert_with(|| inbound.app.endpoint.host.clone());
    // 6. To the app.
    let missing = || Refusal::new(Code::Internal, "the app is not in the configuration");
    let pool = app.app_pool().ok_or_else(missing)?;
    let mut response = send(
        pool,
        Outgoing { parts, body: Some(body), connection: Some(Rc::clone(connection)), timeouts: inbound.timeouts },
    )
    .await?
    .response;
    strip_response(response.headers_mut());
    *response.version_mut() = http::Version::HTTP_11;
    Ok(response)
}

/// Who is let in; `None` on a public endpoint, where nobody is asked.
async fn admit(
    app: &App,
    inbound: &Inbound,
    parts: &Parts,
    exchange: &mut Exchange,
) -> Result<Option<Rc<Verified>>, Refusal> {
    let endpoint = inbound.endpoints.find(parts.uri.path(), &parts.method);
    if endpoint.is_ok_and(|endpoint| endpoint.public) {
        return Ok(None);
    }
    let verified = authenticate::inbound(app, &inbound.who, &parts.headers).await?;
    exchange.user = Some(verified.caller.subject.clone());
    exchange.actor.clone_from(&verified.caller.actor);
    // A caller that is known may learn that no rule matches; an unknown one was sent away before.
    endpoint.map_err(Refusal::from)?.authorize(&verified.caller)?;
    Ok(Some(verified))
}

/// Exactly the headers that the sidecar makes; what a caller sent under these names went out before.
fn identify(parts: &mut Parts, verified: Option<&Verified>) {
    for name in IDENTITY_HEADERS {
        parts.headers.remove::<&HeaderName>(name);
    }
    for (name, value) in verified.into_iter().flat_map(|verified| &verified.headers) {
        parts.headers.insert(name.clone(), value.clone());
    }
}
