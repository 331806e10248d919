//! An app's configuration, ready for use.
//!
//! [`Compiled`] is made once per configuration and shared by all workers; nothing in it changes. [`App`] is one worker's
//! own: connections, caches and counters.

mod compiled;
mod view;

pub(crate) use compiled::{CompileError, Compiled, Inbound, Outbound, Route, Target, Who};
pub(crate) use view::{App, Verified};
