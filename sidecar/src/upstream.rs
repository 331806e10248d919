//! Connections to apps: opened, kept, lent and taken back, per worker and app.

mod connect;
mod expectation;
mod pool;
mod send;
mod tls;

pub(crate) use connect::Endpoint;
pub(crate) use expectation::Expectation;
pub(crate) use pool::{Lease, Pool};
pub(crate) use send::{Answered, Outgoing, send};
pub(crate) use tls::{client_config, server_name};
