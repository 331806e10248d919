//! One request and its answer, from the first byte to the last: what the log and the metrics say of it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Uri};
use sidecar_policy::code::Code;
use sidecar_policy::trace::TraceContext;

use crate::options::{AccessLog, Kind};
use crate::seeing::access_log::Entry;
use crate::seeing::metrics::Series;
use crate::server::{ConnectionState, Slot};
use crate::worker::Worker;

/// One request and its answer. It is counted and logged when it is dropped, which is when the answer's last byte was
/// taken, or when the caller went away.
pub(crate) struct Exchange {
    worker: Rc<Worker>,
    connection: Rc<ConnectionState>,
    kind: Kind,
    started: Instant,
    pub(crate) request_id: HeaderValue,
    pub(crate) trace: TraceContext,
    method: Method,
    uri: Uri,
    /// The app whose sidecar this is.
    app: Rc<str>,
    /// The counters of the route, once it is known.
    pub(crate) series: Option<Arc<Series>>,
    /// The route, endpoint or listener that served it.
    pub(crate) route: Option<Arc<str>>,
    /// `{app}.{environment}` of the proxied app.
    pub(crate) target: Option<Arc<str>>,
    /// Who called: the person, else the account.
    pub(crate) user: Option<String>,
    /// The account that acted for a person.
    pub(crate) actor: Option<String>,
    status: Option<StatusCode>,
    code: Option<Code>,
    /// What the refusal said; for the log.
    reason: Option<String>,
    /// A refusal that was let through, because the app's rules are only watched.
    pub(crate) audited: bool,
    bytes_sent: u64,
    completed: bool,
}

// === impl Exchange ===

impl Exchange {
    pub(crate) fn begin(
        worker: &Rc<Worker>,
        slot: &Slot,
        connection: &Rc<ConnectionState>,
        parts: &Parts,
        request_id: HeaderValue,
        trace: TraceContext,
    ) -> Box<Self> {
        Box::new(Self {
            worker: Rc::clone(worker),
            connection: Rc::clone(connection),
            kind: slot.kind,
            started: Instant::now(),
            request_id,
            trace,
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            app: Rc::clone(&slot.app),
            series: None,
            route: None,
            target: None,
            user: None,
            actor: None,
            status: None,
            code: None,
            reason: None,
            audited: false,
            bytes_sent: 0,
            completed: false,
        })
    }

    /// Notes why it was refused.
    pub(crate) fn refused(&mut self, refusal: &sidecar_policy::code::Refusal) {
        self.code = Some(refusal.code);
        self.reason = Some(refusal.detail.to_string());
    }

    /// Notes the answer's status.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Counts bytes of the answer.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes_sent += bytes as u64;
    }

    /// The app broke off in the middle of its answer.
    pub(crate) fn broke(&mut self) {
        self.code = Some(Code::UpstreamBroken);
    }

    /// The answer is through.
    pub(crate) fn complete(&mut self) {
        self.completed = true;
    }

    fn is_error(&self) -> bool {
        self.code.is_some() || !self.completed || self.status.is_none_or(|status| status.is_server_error())
    }

    fn log(&self, duration_us: u64) {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        self.worker.access_log.write(&Entry {
            timestamp: self.worker.access_log.timestamp(),
            request_id: text(&self.request_id),
            trace_id: format!("{:032x}", self.trace.trace_id),
            direction: self.kind.as_str(),
            app: &self.app,
            route: self.route.as_deref(),
            target: self.target.as_deref(),
            method: self.method.as_str(),
            path: self.uri.path(),
            status: self.status.map(|status| status.as_u16()),
            code: self.code.map(Code::as_str),
            reason: self.reason.as_deref(),
            audited: self.audited,
            user: self.user.as_deref(),
            actor: self.actor.as_deref(),
            peer: text(&self.connection.peer),
            bytes_sent: self.bytes_sent,
            duration_us,
            completed: self.completed,
        });
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        let series = self.series.as_ref().unwrap_or(&self.worker.unrouted);
        series.observe(self.status, duration, self.bytes_sent);
        if let Some(code) = self.code {
            series.denied(code);
        }
        let logged = match self.worker.access_log.which() {
            AccessLog::All => true,
            AccessLog::Errors => self.is_error(),
            AccessLog::Off => false,
        };
        if logged {
            self.log(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
        }
    }
}
