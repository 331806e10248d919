//! Calls that leave the pod: the app's own, and those of exposed routes.

use std::rc::Rc;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use sidecar_policy::code::{Code, Refusal};
use sidecar_policy::cors::CorsDecision;
use sidecar_policy::headers::strip_response;
use sidecar_policy::location::Mapping;
use sidecar_policy::path;
use sidecar_policy::route::{Destination, RouteIndex};

use super::{Request, begin, finish, not_configured};
use crate::app::{App, Outbound, Route, Target};
use crate::authorizer::{AuthorizerError, Call, CallUser};
use crate::body::ResponseBody;
use crate::exchange::Exchange;
use crate::layers::authenticate::{self, Identity};
use crate::layers::forward::{self, Origin};
use crate::layers::{accept, location, rescue};
use crate::options::Kind;
use crate::server::{ConnectionState, Slot};
use crate::upstream::{Answered, Outgoing, send};
use crate::worker::Worker;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The route that serves a call.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    position: usize,
    route: &'a Route,
    outbound: &'a Outbound,
    index: &'a RouteIndex,
    /// Where the path below the route's prefix begins.
    below: usize,
}

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
    // 2. A request that two servers could read differently goes no further, and no route sees it.
    let chosen = accept::check(&parts, connection).and_then(|()| match &app {
        Some(app) => choose(app, slot.kind, parts.uri.path()),
        None => Err(not_configured()),
    });
    let (Ok(chosen), Some(app)) = (chosen.as_ref().copied(), &app) else {
        let refusal = chosen.err().unwrap_or_else(not_configured);
        exchange.refused(&refusal);
        return finish(rescue::answer(&refusal, &[], &exchange.request_id), exchange);
    };
    exchange.route = app.route_name(chosen.position).cloned();
    exchange.series = app.route_series(chosen.position);
    // 3. CORS: outside the error table, so that refusals can be read by scripts too; preflights end here.
    let cors = chosen.route.cors.as_ref().map(|cors| (cors, cors.decide(&parts.method, &parts.headers)));
    let mut response = match &cors {
        Some((_, CorsDecision::Preflight(_) | CorsDecision::Refused)) => no_content(),
        _ => {
            // 4. The error table.
            match call(app, chosen, connection, parts, body, &mut exchange).await {
                Ok(response) => response,
                Err(refusal) => {
                    exchange.refused(&refusal);
                    rescue::answer(&refusal, &chosen.route.who.challenges, &exchange.request_id)
                }
            }
        }
    };
    if let Some((cors, decision)) = &cors {
        cors.decorate(decision, response.headers_mut());
    }
    finish(response, exchange)
}

/// Which route's prefix the path has.
fn choose<'a>(app: &'a App, kind: Kind, path: &str) -> Result<Chosen<'a>, Refusal> {
    let disabled = || Refusal::new(Code::ProxyDisabled, "The proxy is disabled.");
    let outbound =
        app.compiled.outbound.as_ref().filter(|outbound| !outbound.routes.is_empty()).ok_or_else(disabled)?;
    let index = if kind == Kind::Exposed { &outbound.exposed } else { &outbound.loopback };
    let unknown = || Refusal::new(Code::UnknownRoute, "no ProxyRoute of this app serves that path on this listener");
    let (position, below) = index.find(path).ok_or_else(unknown)?;
    let route = outbound.routes.get(position).ok_or_else(unknown)?;
    Ok(Chosen { position, route, outbound, index, below: path.len() - below.len() })
}

async fn call(
    app: &App,
    chosen: Chosen<'_>,
    connection: &Rc<ConnectionState>,
    mut parts: Parts,
    body: Incoming,
    exchange: &mut Exchange,
) -> Result<Response<ResponseBody>, Refusal> {
    let Chosen { position, route, outbound, index, below } = chosen;
    // 5. Switched off: nothing else is looked at.
    if !route.enabled {
        return Err(Refusal::new(Code::ProxyDisabled, "The proxy is disabled."));
    }
    // 6. Who: before the backend is looked up, so that an unknown caller does not learn which exist.
    let identity = authenticate::outbound(app, &route.who, &parts.headers).await?;
    // 7. Where, and whether the service account may go there.
    let uri = parts.uri.clone();
    let destination = index.resolve(position, uri.path(), uri.path().get(below..).unwrap_or_default())?;
    let missing = || Refusal::new(Code::Internal, "the target is not in the configuration");
    let target = outbound.targets.get(destination.target).ok_or_else(missing)?;
    let key = app.target_key(destination.target).ok_or_else(missing)?;
    exchange.target = Some(Arc::clone(key));
    let call = Call { target: Arc::clone(key), user: user(&identity, exchange) };
    // 8. The head for the app: first what the caller may not say goes out, then the route's rules, then what the
    //    sidecar says.
    let path = path::join(&target.endpoint.base.path, &route.upstream_path_prefix, destination.rest, uri.query());
    let path = path.map_err(|error| Refusal::new(Code::InvalidPath, error.to_string()))?;
    forward::rewrite(&mut parts, path, Some(&target.endpoint.host), &Origin::Own(&connection.peer), exchange)?;
    forward::apply_rule(&route.request_rule, &mut parts.headers);
    // 9. The credential, last: nothing after it touches the head.
    let token = app.token(position, route, &call).await.map_err(|error| unavailable(route, &error))?;
    present(&mut parts.headers, &token, route);
    // 10. To the app.
    let pool = app.pool(destination.target).ok_or_else(missing)?;
    let sent = send(
        pool,
        Outgoing { parts, body: Some(body), connection: Some(Rc::clone(connection)), timeouts: route.timeouts },
    )
    .await?;
    let answered = renew_once(app, chosen, pool, &call, &token, sent).await?;
    Ok(answer(answered.response, route, target, &destination))
}

/// Whoever is behind the call, for the token and for the log.
fn user(identity: &Identity, exchange: &mut Exchange) -> Option<Arc<CallUser>> {
    match identity {
        Identity::Account => None,
        Identity::Person(caller) => {
            exchange.user = Some(caller.subject.clone());
            let authorities = caller.authorities.iter().cloned().collect();
            Some(Arc::new(CallUser { name: caller.subject.clone(), authorities }))
        }
    }
}

fn present(headers: &mut HeaderMap, token: &HeaderValue, route: &Route) {
    headers.insert(http::header::AUTHORIZATION, token.clone());
    if let Some(key) = &route.api_key {
        headers.insert(API_KEY, key.clone());
    }
}

/// After a 401 of the app the token is renewed once, and the call repeated where that is safe.
async fn renew_once(
    app: &App,
    chosen: Chosen<'_>,
    pool: &Rc<crate::upstream::Pool>,
    call: &Call,
    refused: &HeaderValue,
    answered: Answered,
) -> Result<Answered, Refusal> {
    let Chosen { position, route, .. } = chosen;
    if answered.response.status() != StatusCode::UNAUTHORIZED {
        return Ok(answered);
    }
    let Answered { response, spare: Some(mut parts) } = answered else { return Ok(answered) };
    let first = Answered { response, spare: None };
    if !app.token_refused(position, route, call, refused) {
        return Ok(first);
    }
    let Ok(token) = app.token(position, route, call).await else { return Ok(first) };
    present(&mut parts.headers, &token, route);
    let again = Outgoing { parts, body: None, connection: None, timeouts: route.timeouts };
    // What the app said is more than that it could not be asked again.
    Ok(send(pool, again).await.unwrap_or(first))
}

fn answer(
    mut response: Response<ResponseBody>,
    route: &Route,
    target: &Target,
    destination: &Destination<'_>,
) -> Response<ResponseBody> {
    let headers = response.headers_mut();
    strip_response(headers);
    if headers.contains_key(http::header::LOCATION) {
        let upstream_prefix = format!("{}{}", target.endpoint.base.path, route.upstream_path_prefix);
        let mapping = Mapping {
            origin: &target.endpoint.origin,
            upstream_prefix: &upstream_prefix,
            caller_prefix: destination.caller_prefix,
        };
        location::apply(headers, &mapping);
    }
    forward::apply_rule(&route.response_rule, headers);
    *response.version_mut() = http::Version::HTTP_11;
    response
}

fn unavailable(route: &Route, error: &AuthorizerError) -> Refusal {
    let account = route.tokens.account();
    Refusal::new(Code::CredentialUnavailable, format!("{account} has no token to send: {error}"))
}

fn no_content() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::own(bytes::Bytes::new()));
    *response.status_mut() = CorsDecision::STATUS;
    response
}
