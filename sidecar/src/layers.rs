//! What happens to a request on its way, one thing per file; [`crate::stack`] puts them in order.

pub(crate) mod accept;
pub(crate) mod authenticate;
pub(crate) mod correlate;
pub(crate) mod forward;
pub(crate) mod location;
pub(crate) mod rescue;
