//! What holds for every request target.

use http::{Method, Uri};
use sidecar_policy::path;

use super::naive;

/// The target is refused, or it goes out as it came and stays below its base for everybody.
pub(crate) fn holds(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let normal = path::normal_form(text);
    assert_eq!(path::normal_form(&normal), normal, "the normal form is final");
    let _ = path::check(text);
    let Ok(uri) = text.parse::<Uri>() else { return };
    let Ok(accepted) = path::check_target(&Method::GET, &uri) else { return };
    let sent = text.split('#').next().unwrap_or_default();
    assert_eq!(uri.to_string(), sent, "printed as it was read");
    assert_eq!(path::check(&path::normal_form(accepted)), Ok(()), "rules see nothing that would be refused");
    stays_below("/base/api", accepted, uri.query());
    let (first, rest) = path::first_segment(accepted);
    assert_eq!(format!("/{first}{rest}"), accepted, "nothing is lost in cutting");
    stays_below("/base/api", rest, uri.query());
}

fn stays_below(base: &str, rest: &str, query: Option<&str>) {
    let Ok(target) = path::join("/base", "/api", rest, query) else { return };
    let rest = if rest.is_empty() { "/" } else { rest };
    assert_eq!(target.path(), format!("{base}{rest}"));
    assert_eq!(target.query(), query);
    assert_eq!(naive::resolve(target.path())[..2], ["base", "api"], "{target}");
}
