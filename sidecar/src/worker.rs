//! A worker: what one thread shares between its connections, and with no other thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;

use crate::app::Target;
use crate::identity::{Gate, Passwords};
use crate::options::{AppKey, Kind};
use crate::seeing::access_log::Sink;
use crate::seeing::metrics::{Metrics, Series, SeriesLabels};
use crate::upstream::Pool;

/// One thread's own.
pub(crate) struct Worker {
    pub(crate) metrics: Metrics,
    pub(crate) access_log: Sink,
    pub(crate) passwords: Rc<Passwords>,
    /// Counts what no route served.
    pub(crate) unrouted: Arc<Series>,
    /// Connections to apps outlive a reload: by what they are told apart by.
    pools: RefCell<HashMap<String, Rc<Pool>>>,
    /// Counters go on counting across reloads.
    series: RefCell<HashMap<SeriesLabels, Arc<Series>>>,
    random: RefCell<fastrand::Rng>,
}

// === impl Worker ===

impl Worker {
    pub(crate) fn new(metrics: Metrics, access_log: Sink, gate: Arc<Gate>) -> Rc<Self> {
        let none =
            SeriesLabels { direction: "none", namespace: String::new(), app: String::new(), route: String::new() };
        Rc::new(Self {
            unrouted: metrics.series(none),
            passwords: Rc::new(Passwords::new(gate, metrics.rare.clone())),
            metrics,
            access_log,
            pools: RefCell::default(),
            series: RefCell::default(),
            random: RefCell::new(fastrand::Rng::new()),
        })
    }

    /// The connections to a target.
    pub(crate) fn pool(&self, target: &Target) -> Rc<Pool> {
        let mut pools = self.pools.borrow_mut();
        let pool = pools.entry(target.identity.clone());
        Rc::clone(pool.or_insert_with(|| Pool::new(target.endpoint.clone(), self.metrics.rare.clone())))
    }

    /// The counters of a route.
    pub(crate) fn series(&self, kind: Kind, key: &AppKey, route: &str) -> Arc<Series> {
        let labels = SeriesLabels {
            direction: kind.as_str(),
            namespace: key.namespace.clone(),
            app: key.app.clone(),
            route: route.to_owned(),
        };
        let mut series = self.series.borrow_mut();
        let one = series.entry(labels.clone());
        Arc::clone(one.or_insert_with(|| self.metrics.series(labels)))
    }

    /// Closes connections that nobody has used for long, and forgets apps that nobody calls any more.
    pub(crate) fn sweep(&self) {
        self.pools.borrow_mut().retain(|_, pool| {
            pool.sweep();
            Rc::strong_count(pool) > 1
        });
    }

    /// A UUIDv7 (RFC 9562, 5.7). It need not be secret, so a fast generator does.
    pub(crate) fn new_request_id(&self) -> HeaderValue {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let mut random = [0; 10];
        self.random.borrow_mut().fill(&mut random);
        let millis = u64::try_from(millis).unwrap_or_default();
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        HeaderValue::from_bytes(id.hyphenated().encode_lower(&mut text).as_bytes())
            .unwrap_or_else(|_| HeaderValue::from_static("none"))
    }

    /// A trace id and a span id.
    pub(crate) fn random_trace(&self) -> (u128, u64) {
        let mut random = self.random.borrow_mut();
        (random.u128(1..), random.u64(1..))
    }
}

/// Seconds since 1970.
pub(crate) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
