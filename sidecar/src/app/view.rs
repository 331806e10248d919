//! One worker's own: connections, caches, counters.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use quick_cache::unsync::Cache;
use sidecar_policy::caller::Caller;
use sidecar_policy::jwt::TokenError;

use super::{Compiled, Route};
use crate::authorizer::{AuthorizerError, Call};
use crate::identity::Passwords;
use crate::options::{AppKey, Kind};
use crate::seeing::metrics::Series;
use crate::upstream::Pool;
use crate::worker::{Worker, unix_time};

/// Tokens to send and callers verified, kept per app and worker.
const CAPACITY: usize = 10_000;

/// How long a call waits for a token that has to be made or asked for.
const TOKEN_PATIENCE: Duration = Duration::from_secs(10);

/// One worker's view of an app.
pub(crate) struct App {
    pub(crate) compiled: Arc<Compiled>,
    /// By the position of the target.
    pools: Vec<Rc<Pool>>,
    app_pool: Option<Rc<Pool>>,
    /// By the position of the target. Copies of its own: workers do not count references to the same bytes.
    target_keys: Vec<Arc<str>>,
    /// By the position of the route; copies too.
    route_names: Vec<Arc<str>>,
    /// By the position of the route.
    series: Vec<Arc<Series>>,
    pub(crate) inbound_series: Option<Arc<Series>>,
    tokens: RefCell<Cache<(usize, Call), Held>>,
    verified: RefCell<Cache<[u8; 32], Rc<Verified>>>,
    pub(crate) passwords: Rc<Passwords>,
}

/// A worker's copy of a token, until the source should be asked again.
struct Held {
    header: HeaderValue,
    until: u64,
}

/// A caller whose token was verified, with the headers that say so.
pub(crate) struct Verified {
    pub(crate) caller: Caller,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

// === impl App ===

impl App {
    pub(crate) fn new(worker: &Worker, key: &AppKey, compiled: Arc<Compiled>) -> Rc<Self> {
        let outbound = compiled.outbound.as_ref();
        let targets = outbound.map(|outbound| outbound.targets.as_slice()).unwrap_or_default();
        let routes = outbound.map(|outbound| outbound.routes.as_slice()).unwrap_or_default();
        let kinds = compiled
            .config
            .outbound
            .iter()
            .flat_map(|outbound| &outbound.routes)
            .map(|route| if route.exposed { Kind::Exposed } else { Kind::Outbound });
        Rc::new(Self {
            pools: targets.iter().map(|target| worker.pool(target)).collect(),
            app_pool: compiled.inbound.as_ref().map(|inbound| worker.pool(&inbound.app)),
            target_keys: targets.iter().map(|target| Arc::from(&*target.key)).collect(),
            route_names: routes.iter().map(|route| Arc::from(&*route.name)).collect(),
            series: routes.iter().zip(kinds).map(|(route, kind)| worker.series(kind, key, &route.name)).collect(),
            inbound_series: compiled.inbound.as_ref().map(|_| worker.series(Kind::Inbound, key, "inbound")),
            tokens: RefCell::new(Cache::new(CAPACITY)),
            verified: RefCell::new(Cache::new(CAPACITY)),
            passwords: Rc::clone(&worker.passwords),
            compiled,
        })
    }

    pub(crate) fn pool(&self, target: usize) -> Option<&Rc<Pool>> {
        self.pools.get(target)
    }

    pub(crate) fn target_key(&self, target: usize) -> Option<&Arc<str>> {
        self.target_keys.get(target)
    }

    pub(crate) fn route_name(&self, route: usize) -> Option<&Arc<str>> {
        self.route_names.get(route)
    }

    pub(crate) fn app_pool(&self) -> Option<&Rc<Pool>> {
        self.app_pool.as_ref()
    }

    pub(crate) fn route_series(&self, route: usize) -> Option<Arc<Series>> {
        self.series.get(route).cloned()
    }

    /// The value of `Authorization` for a call on a route (by position).
    pub(crate) async fn token(
        &self,
        position: usize,
        route: &Route,
        call: &Call,
    ) -> Result<HeaderValue, AuthorizerError> {
        let key = (position, call.clone());
        if let Some(held) = self.tokens.borrow_mut().get(&key)
            && unix_time() < held.until
        {
            return Ok(held.header.clone());
        }
        let made = tokio::time::timeout(TOKEN_PATIENCE, route.tokens.token(call)).await;
        let token = made.map_err(|_| AuthorizerError::Authorization {
            status: 504,
            message: format!("no token in {} s", TOKEN_PATIENCE.as_secs()),
        })??;
        // A copy of its own, so that workers do not count references to the same bytes.
        let mut header = HeaderValue::from_bytes(token.header.as_bytes()).unwrap_or_else(|_| token.header.clone());
        header.set_sensitive(true);
        // Once the source would renew it, it must be asked, so that it does.
        let until = token.renew_at(0.0).unwrap_or(u64::MAX).max(unix_time().saturating_add(1));
        let until = token.expires_at.map_or(until, |at| until.min(at.saturating_sub(token.gap())));
        self.tokens.borrow_mut().insert(key, Held { header: header.clone(), until });
        Ok(header)
    }

    /// Forgets a token that the app has refused, and says whether another could be better.
    pub(crate) fn token_refused(&self, position: usize, route: &Route, call: &Call, header: &HeaderValue) -> bool {
        let better = route.tokens.renewable() && route.tokens.refused(call, header);
        if better {
            self.tokens.borrow_mut().remove(&(position, call.clone()));
        }
        better
    }

    /// Who a token of a service account says is calling. Remembered until it runs out.
    pub(crate) fn verify(&self, token: &str) -> Result<Rc<Verified>, TokenError> {
        let Some(inbound) = &self.compiled.inbound else { return Err(TokenError::UnknownKey) };
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
        let mut key = [0; 32];
        key.copy_from_slice(digest.as_ref());
        let now = unix_time();
        if let Some(verified) = self.verified.borrow_mut().get(&key)
            && now < verified.caller.expires_at
        {
            return Ok(Rc::clone(verified));
        }
        let verified = Rc::new(Verified::new(inbound.verifier.verify(token, now)?));
        self.verified.borrow_mut().insert(key, Rc::clone(&verified));
        Ok(verified)
    }
}

// === impl Verified ===

impl Verified {
    pub(crate) fn new(caller: Caller) -> Self {
        Self { headers: caller.header_values(), caller }
    }
}
