//! Redirects of the app, seen from the caller. They are never followed.

use http::header::LOCATION;
use http::{HeaderMap, HeaderValue};
use sidecar_policy::location::{Mapping, rewrite};

/// Rewrites `Location` where it is on the app's own base.
pub(crate) fn apply(headers: &mut HeaderMap, mapping: &Mapping<'_>) {
    let rewritten = headers
        .get(LOCATION)
        .and_then(|location| location.to_str().ok())
        .and_then(|location| rewrite(location, mapping))
        .and_then(|location| HeaderValue::try_from(location).ok());
    if let Some(location) = rewritten {
        headers.insert(LOCATION, location);
    }
}
