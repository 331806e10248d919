//! What people and programs see of it: access log and metrics.

pub(crate) mod access_log;
pub(crate) mod metrics;
