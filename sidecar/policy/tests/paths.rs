//! Paths and URLs that others collected, from the folder in `CROSSCALL_VECTORS`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]
#![allow(clippy::disallowed_methods, reason = "reads the folder of test vectors, which the crate itself never does")]
#![allow(clippy::explicit_write, reason = "eprintln! would be captured, and a skipped test must be seen")]

use std::io::Write;
use std::path::Path;

use http::{Method, Uri};
use serde_json::Value;
use sidecar_policy::address::{UrlPolicy, check_base_url};
use sidecar_policy::path::{check_target, first_segment, join, normal_form};

#[path = "../../../fuzz/invariants/naive.rs"]
mod naive;

/// What becomes of a target.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// Not even a URI, or refused.
    Refused,
    /// The first segment is no backend: 404.
    Unknown,
    /// Forwarded to this path.
    Forwarded(String),
}

/// A file of the folder; without the folder, says so where no test harness hides it.
fn vectors(file: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("CROSSCALL_VECTORS") else {
        let message = format!("SKIPPED {file}: set CROSSCALL_VECTORS to the folder of outside test vectors to run it");
        writeln!(std::io::stderr(), "{message}").unwrap();
        return None;
    };
    let path = Path::new(&folder).join("paths").join(file);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_slice(&text).unwrap())
}

/// Sends a target to a sidecar that knows the backend `orders`, at `/base` with the prefix `/api`.
fn send(target: &str) -> Fate {
    let Ok(uri) = target.parse::<Uri>() else { return Fate::Refused };
    let Ok(path) = check_target(&Method::GET, &uri) else { return Fate::Refused };
    match first_segment(path) {
        ("orders", rest) => match join("/base", "/api", rest, uri.query()) {
            Ok(sent) => Fate::Forwarded(sent.path().to_owned()),
            Err(_) => Fate::Refused,
        },
        _ => Fate::Unknown,
    }
}

/// Below the base for a careless reader, and the same for a rule as for the proxied app.
#[track_caller]
fn stays_below(target: &str, below: &[&str]) -> bool {
    let Fate::Forwarded(sent) = send(target) else { return false };
    let resolved = naive::resolve(&sent);
    assert!(resolved.len() >= below.len() && resolved[..below.len()] == *below, "{target:?} reaches {resolved:?}");
    assert_eq!(naive::resolve(&normal_form(&sent)), resolved, "{target:?}");
    true
}

/// Threat R2: no payload leaves the backend's base path and prefix.
#[test]
fn traversal_payloads_stay_below_prefix() {
    let Some(vectors) = vectors("path_traversal_crlf_lists.json") else { return };
    let lists = vectors["lists"].as_object().unwrap();
    let payloads: Vec<_> =
        lists.values().flat_map(|list| list.as_array().unwrap()).map(|payload| payload.as_str().unwrap()).collect();
    assert_eq!(payloads.len(), 4_104);
    let mut forwarded = 0;
    for payload in &payloads {
        for target in [format!("/orders/{payload}"), format!("/orders{payload}"), format!("/orders/a/b/c/{payload}/x")]
        {
            forwarded += usize::from(stays_below(&target, &["base", "api"]));
        }
        for target in [format!("/{payload}"), format!("/{payload}/orders/x"), (*payload).to_owned()] {
            assert!(matches!(send(&target), Fate::Refused | Fate::Unknown), "{target:?}");
        }
    }
    assert!(forwarded > 0, "some payloads are harmless, so that this test sees what is forwarded");
}

/// Threat R2: where only `/public` may be reached, nothing else is.
#[test]
fn protected_endpoints_are_never_reached() {
    let Some(vectors) = vectors("path_dapr_oathkeeper_bypass.json") else { return };
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        stays_below(&format!("/orders/{}", case.as_str().unwrap()), &["base", "api", "public"]);
    }
}

/// Threat R2: what is accepted needs no resolving, so the path that a rule sees is the path that goes out.
#[test]
fn accepted_paths_need_no_normalising() {
    let Some(vectors) = vectors("path_istio_normalization.json") else { return };
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 90);
    for case in cases {
        let path = case["in"].as_str().unwrap();
        let target = format!("/orders{path}");
        let forwarded = stays_below(&target, &["base", "api"]);
        assert!(!(forwarded && case["out"] == "400"), "{path:?} is not valid");
        if let Fate::Forwarded(sent) = send(&target) {
            let path = path.split('#').next().unwrap();
            assert_eq!(sent, format!("/base/api{path}"), "forwarded byte for byte");
            let segments = naive::resolve(&sent).len();
            let decoded = sent.replace("%2f", "/").replace("%2F", "/");
            assert_eq!(segments, decoded.matches('/').count(), "{path:?}: nothing to resolve");
        }
    }
}

/// Threat R4: a URL is taken for what the URL standard takes it for, or refused.
#[test]
fn urls_mean_what_the_standard_says() {
    let Some(vectors) = vectors("url_whatwg_urltestdata.json") else { return };
    let cases: Vec<_> = vectors.as_array().unwrap().iter().filter(|case| case.is_object()).collect();
    assert_eq!(cases.len(), 869);
    let mut taken = 0;
    for case in cases {
        let input = case["input"].as_str().unwrap();
        let Ok(base) = check_base_url(input, &UrlPolicy { allow_loopback: true }) else { continue };
        taken += 1;
        assert_ne!(case["failure"], true, "{input:?} fails");
        assert_eq!(case["protocol"], format!("{}:", base.scheme.as_str()), "{input:?}");
        assert_eq!(case["hostname"], base.host.to_string(), "{input:?}");
        let port = if base.port == base.scheme.default_port() { String::new() } else { base.port.to_string() };
        assert_eq!(case["port"], port, "{input:?}");
        assert_eq!(case["pathname"].as_str().unwrap().trim_end_matches('/'), base.path, "{input:?}");
        assert_eq!(
            (&case["username"], &case["search"], &case["hash"]),
            (&"".into(), &"".into(), &"".into()),
            "{input:?}"
        );
    }
    assert!(taken > 20, "{taken} URLs are plain enough to be taken");
}
