//! The demo: example apps on threads, the mechanism between them, and calls that show what it does.

mod apps;
mod calls;
mod place;
mod show;

pub(crate) use apps::start as start_apps;
pub(crate) use calls::{make, plan};
pub(crate) use place::Place;
pub(crate) use show::{call as show_call, head as show_head};
