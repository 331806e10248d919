//! Counters that a worker keeps alone, added up when somebody asks.
//!
//! A worker writes its own series without a lock and without sharing a cache line; the scrape reads them all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use sidecar_policy::code::Code;

use super::access_log::Sink;

/// Upper bounds of the duration buckets, in microseconds.
const BUCKETS_US: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000, 30_000_000,
];

const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// What a series is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(crate) struct SeriesLabels {
    pub(crate) direction: &'static str,
    pub(crate) namespace: String,
    pub(crate) app: String,
    pub(crate) route: String,
}

/// The counters of one route in one worker.
#[derive(Debug)]
pub(crate) struct Series {
    classes: [AtomicU64; CLASSES.len()],
    /// One more than the bounds: the last has none.
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
    bytes_sent: AtomicU64,
    denied: Mutex<BTreeMap<Code, u64>>,
}

/// Counters that no hot path writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rare {
    pub(crate) reloads: Family<Vec<(&'static str, &'static str)>, Counter>,
    pub(crate) generation: Gauge,
    pub(crate) token_requests: Family<Vec<(&'static str, &'static str)>, Counter>,
    pub(crate) password_checks: Family<Vec<(&'static str, &'static str)>, Counter>,
    pub(crate) connects: Family<Vec<(&'static str, &'static str)>, Counter>,
    pub(crate) connections: Family<Vec<(&'static str, &'static str)>, Gauge>,
    pub(crate) unverified_targets: Gauge,
}

/// Every metric of the process.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) rare: Rare,
    series: Arc<Mutex<BTreeMap<SeriesLabels, Vec<Arc<Series>>>>>,
    registry: Arc<Registry>,
}

/// Reads the workers' series for the registry.
#[derive(Debug)]
struct Requests {
    series: Arc<Mutex<BTreeMap<SeriesLabels, Vec<Arc<Series>>>>>,
    log: Sink,
}

// === impl Series ===

impl Series {
    pub(crate) fn observe(&self, status: Option<StatusCode>, duration: Duration, bytes: u64) {
        let class = status.map_or(0, |status| usize::from(status.as_u16() / 100)).min(CLASSES.len() - 1);
        add(&self.classes[class], 1);
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.iter().position(|bound| us <= *bound).unwrap_or(BUCKETS_US.len());
        add(&self.buckets[bucket], 1);
        add(&self.sum_us, us);
        add(&self.bytes_sent, bytes);
    }

    pub(crate) fn denied(&self, code: Code) {
        *self.denied.lock().entry(code).or_default() += 1;
    }
}

impl Default for Series {
    fn default() -> Self {
        Self {
            classes: std::array::from_fn(|_| AtomicU64::new(0)),
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            sum_us: AtomicU64::new(0),
            bytes_sent: AtomicU64::new(0),
            denied: Mutex::default(),
        }
    }
}

/// One thread writes, so a load and a store do; nothing is locked on the bus.
fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new(log: Sink) -> Self {
        let series = Arc::default();
        let rare = Rare::default();
        let mut registry = Registry::with_prefix("crosscall");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The build", build);
        registry.register("config_reloads", "Configurations taken and refused, by result", rare.reloads.clone());
        registry.register("config_generation", "How many configurations have been taken", rare.generation.clone());
        registry.register(
            "token_requests",
            "Tokens made or asked for, by account and result",
            rare.token_requests.clone(),
        );
        registry.register("password_checks", "Passwords checked, by result", rare.password_checks.clone());
        registry.register("upstream_connects", "Connections opened to apps, by result", rare.connects.clone());
        registry.register(
            "connections",
            "Connections of callers that are open, by direction",
            rare.connections.clone(),
        );
        registry.register(
            "upstream_tls_unverified",
            "Apps whose certificate is not verified: anybody on the way can read and change the calls",
            rare.unverified_targets.clone(),
        );
        registry.register_collector(Box::new(Requests { series: Arc::clone(&series), log }));
        Self { rare, series, registry: Arc::new(registry) }
    }

    /// A worker's counters for a route. They go on counting across reloads: ask again with the same labels and worker
    /// and the worker keeps what it has.
    pub(crate) fn series(&self, labels: SeriesLabels) -> Arc<Series> {
        let series = Arc::new(Series::default());
        self.series.lock().entry(labels).or_default().push(Arc::clone(&series));
        series
    }

    /// In the OpenMetrics text format.
    pub(crate) fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

// === impl Requests ===

#[derive(Clone, Debug, EncodeLabelSet)]
struct ByClass {
    direction: &'static str,
    namespace: String,
    app: String,
    route: String,
    status: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct ByCode {
    direction: &'static str,
    namespace: String,
    app: String,
    route: String,
    code: &'static str,
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let series = self.series.lock();
        let mut requests =
            encoder.encode_descriptor("requests", "Requests, by class of status", None, MetricType::Counter)?;
        for (labels, workers) in series.iter() {
            for (index, status) in CLASSES.iter().enumerate() {
                let count = sum(workers, |series| &series.classes[index]);
                if count > 0 {
                    let by = by_class(labels, status);
                    constant(count).encode(requests.encode_family(&by)?)?;
                }
            }
        }
        let mut denials = encoder.encode_descriptor(
            "denials",
            "Requests that were refused or failed, by code",
            None,
            MetricType::Counter,
        )?;
        for (labels, workers) in series.iter() {
            for (code, count) in denied(workers) {
                let by = by_code(labels, code);
                constant(count).encode(denials.encode_family(&by)?)?;
            }
        }
        let mut sent =
            encoder.encode_descriptor("response", "Bytes of answers", Some(&Unit::Bytes), MetricType::Counter)?;
        for (labels, workers) in series.iter() {
            constant(sum(workers, |series| &series.bytes_sent)).encode(sent.encode_family(labels)?)?;
        }
        let mut durations = encoder.encode_descriptor(
            "request_duration",
            "From the head of the request to the end of the answer",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for (labels, workers) in series.iter() {
            let (total, buckets) = histogram(workers);
            let seconds = sum(workers, |series| &series.sum_us) as f64 / 1e6;
            durations.encode_family(labels)?.encode_histogram::<NoLabelSet>(seconds, total, &buckets, None)?;
        }
        let dropped = encoder.encode_descriptor(
            "access_log_dropped_lines",
            "Lines dropped because the writer was behind",
            None,
            MetricType::Counter,
        )?;
        constant(self.log.dropped()).encode(dropped)
    }
}

fn constant(value: u64) -> prometheus_client::metrics::counter::ConstCounter<u64> {
    prometheus_client::metrics::counter::ConstCounter::new(value)
}

fn sum(workers: &[Arc<Series>], field: impl Fn(&Series) -> &AtomicU64) -> u64 {
    workers.iter().map(|series| field(series).load(Ordering::Relaxed)).sum()
}

fn denied(workers: &[Arc<Series>]) -> BTreeMap<Code, u64> {
    let mut total = BTreeMap::new();
    for series in workers {
        for (code, count) in series.denied.lock().iter() {
            *total.entry(*code).or_default() += count;
        }
    }
    total
}

fn histogram(workers: &[Arc<Series>]) -> (u64, Vec<(f64, u64)>) {
    let bounds = BUCKETS_US.iter().map(|us| *us as f64 / 1e6).chain([f64::MAX]);
    let buckets: Vec<(f64, u64)> =
        bounds.enumerate().map(|(index, bound)| (bound, sum(workers, |series| &series.buckets[index]))).collect();
    (buckets.iter().map(|(_, count)| count).sum(), buckets)
}

fn by_class(labels: &SeriesLabels, status: &'static str) -> ByClass {
    let SeriesLabels { direction, namespace, app, route } = labels.clone();
    ByClass { direction, namespace, app, route, status }
}

fn by_code(labels: &SeriesLabels, code: Code) -> ByCode {
    let SeriesLabels { direction, namespace, app, route } = labels.clone();
    ByCode { direction, namespace, app, route, code: code.as_str() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> SeriesLabels {
        SeriesLabels { direction: "outbound", namespace: "shop".into(), app: "fr-api".into(), route: "internal".into() }
    }

    #[test]
    fn workers_are_added_up() {
        let (sink, _) = Sink::start(crate::AccessLog::Off).unwrap();
        let metrics = Metrics::new(sink);
        let (one, two) = (metrics.series(labels()), metrics.series(labels()));
        one.observe(Some(StatusCode::OK), Duration::from_micros(300), 5);
        two.observe(Some(StatusCode::OK), Duration::from_millis(3), 5);
        two.denied(Code::UnknownBackend);
        let text = metrics.encode().unwrap();
        for line in [
            r#"crosscall_requests_total{direction="outbound",namespace="shop",app="fr-api",route="internal",status="2xx"} 2"#,
            r#"code="unknown_backend"} 1"#,
            r#"crosscall_response_bytes_total{direction="outbound",namespace="shop",app="fr-api",route="internal"} 10"#,
            r#"crosscall_request_duration_seconds_bucket{le="0.0005",direction="outbound",namespace="shop",app="fr-api",route="internal"} 1"#,
            r#"crosscall_request_duration_seconds_count{direction="outbound",namespace="shop",app="fr-api",route="internal"} 2"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
