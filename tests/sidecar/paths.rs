//! Paths that try to leave their prefix.

use std::collections::BTreeSet;

use system_tests::call::{Call, Connection};
use system_tests::crosscall::{Crosscall, Serve};
use system_tests::manifest::{Manifest, file};
use system_tests::recorder::Recorder;
use system_tests::vectors;
use system_tests::wire::latin1;

/// What every forwarded target starts with: the base of the app's URL, then the route's prefix.
const PREFIX: &str = "/base/api/internal/";

/// Spellings of every family, so that a run without the outside lists still means something.
const BUILT_IN: [&str; 40] = [
    "../secret",
    "..",
    "./../secret",
    "a/../../secret",
    "%2e%2e/secret",
    "%2E%2E%2Fsecret",
    ".%2e/secret",
    "%2e./secret",
    "..%2fsecret",
    "..%5csecret",
    "..\\secret",
    "\\..\\secret",
    "%5c..%5csecret",
    "%252e%252e%252fsecret",
    "%25252e%25252e/secret",
    "..;/secret",
    "..;a=b/secret",
    "..%3b/secret",
    "..%00/secret",
    "%00",
    "a%00b",
    "..%0d%0aX-Evil:%201/secret",
    "a%0d%0a%0d%0aGET%20/secret",
    "%c0%ae%c0%ae/secret",
    "%c0%2e%c0%2e/secret",
    "%e0%80%ae%e0%80%ae/secret",
    "..%c0%afsecret",
    "%u002e%u002e/secret",
    "%%32%65%%32%65/secret",
    ".../...//secret",
    "....//secret",
    "/../secret",
    "//secret",
    "a/./b",
    "a#/../../secret",
    "a%23/../../secret",
    "a?/../../secret",
    "a%3f/../../secret",
    "%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "a/b;c=d/e",
];

/// A route with a prefix to an app with a base path.
struct Prefixed {
    crosscall: Crosscall,
    app: Recorder,
    connection: Option<Connection>,
    forwarded: usize,
}

// === impl Prefixed ===

impl Prefixed {
    fn start() -> Self {
        let app = Recorder::start();
        let orders = Manifest::direct_app("shop-local", "orders", app.port());
        let manifests = file(&[
            Manifest::namespace("shop-local", "local"),
            Manifest::account("shop-local", "fr-api", &["orders"]),
            Manifest::route("shop-local", "fr-api", "internal", &["orders"])
                .with("/upstreamPathPrefix", "/api/internal"),
            orders.with("/url", format!("http://{}/base", app.address())),
        ]);
        let crosscall = Serve::new(manifests).access_log("off").start();
        Self { crosscall, app, connection: None, forwarded: 0 }
    }

    /// Sends the bytes as they are, and returns the target that went out, if any.
    fn send(&mut self, target: &str) -> Option<String> {
        let address = self.crosscall.outbound("fr-api");
        let mut connection = self.connection.take().unwrap_or_else(|| Connection::open(address));
        let response = connection.call(&Call::get(target));
        let status = response.as_ref().map_or(0, |response| response.status);
        let seen = self.app.seen();
        assert!(seen.len() <= 1, "{target:?} became {} requests", seen.len());
        match seen.into_iter().next() {
            Some(seen) => {
                assert_eq!(status, 200, "{target:?}");
                self.forwarded += 1;
                self.connection = Some(connection);
                Some(seen.target)
            }
            None => {
                // 0: the connection was closed without an answer, which is a refusal too.
                assert!(status == 0 || (400..500).contains(&status), "{target:?}: {status} and nothing forwarded");
                None
            }
        }
    }

    /// Tries a path below the backend and in place of the backend.
    fn check(&mut self, path: &str) {
        if let Some(target) = self.send(&format!("/internal/orders/{path}")) {
            // A fragment is not part of a target; everything else goes out byte for byte.
            assert_eq!(target, format!("{PREFIX}{path}"), "other bytes than were judged");
            assert_stays(&target);
        }
        if let Some(target) = self.send(&format!("/internal/{path}/x")) {
            assert!(target.starts_with(PREFIX), "{path:?} in place of the backend: {target}");
            assert_stays(&target);
        }
    }
}

/// However often a reader decodes, and however it resolves dots, the path stays below the prefix.
#[track_caller]
fn assert_stays(target: &str) {
    let path = target.split('?').next().unwrap();
    let mut text = path.to_owned();
    for _ in 0..4 {
        let mut resolved: Vec<&str> = Vec::new();
        let unified = text.replace('\\', "/");
        for segment in unified.split('/').map(|segment| segment.split([';', '\0']).next().unwrap()) {
            match segment {
                ".." => assert!(resolved.pop().is_some(), "{target} leaves the root"),
                "." | "" => {}
                name => resolved.push(name),
            }
        }
        assert!(resolved.starts_with(&["base", "api", "internal"]), "{target} leaves the prefix as {text}");
        text = decode(&text);
    }
}

/// One round of percent-decoding; what is no escape stays.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    latin1(&decoded)
}

/// Threat R2: a short list of every family of escapes.
#[test]
fn built_in_escapes_stay_below_the_prefix() {
    let mut prefixed = Prefixed::start();
    for path in BUILT_IN {
        prefixed.check(path);
    }
    prefixed.check("plain/path");
    assert!(prefixed.forwarded >= 3, "only {} of them were forwarded", prefixed.forwarded);
}

/// Threat R2: the published lists of path traversals and of path normalisations.
#[test]
fn published_escapes_stay_below_the_prefix() {
    let Some(lists) = vectors::load("paths/path_traversal_crlf_lists.json") else { return };
    let Some(istio) = vectors::load("paths/path_istio_normalization.json") else { return };
    let Some(bypass) = vectors::load("paths/path_dapr_oathkeeper_bypass.json") else { return };
    let mut paths = BTreeSet::new();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    for list in lists["lists"].as_object().unwrap().values() {
        paths.extend(list.as_array().unwrap().iter().map(text));
    }
    paths.extend(istio["cases"].as_array().unwrap().iter().map(|case| text(&case["in"])));
    paths.extend(bypass["cases"].as_array().unwrap().iter().map(text));
    let paths: Vec<String> = paths.into_iter().map(|path| path.trim_start_matches('/').to_owned()).collect();
    assert!(paths.len() > 3_000, "{}", paths.len());
    let mut prefixed = Prefixed::start();
    for path in paths {
        prefixed.check(&latin1(path.as_bytes()));
        prefixed.check(&format!("/{}", latin1(path.as_bytes())));
    }
    assert!(prefixed.forwarded > 50, "only {} of them were forwarded", prefixed.forwarded);
}

#[test]
fn judge_of_paths_sees_escapes() {
    for inside in ["/base/api/internal/a", "/base/api/internal/a/../b", "/base/api/internal/%2e%2e%20/x"] {
        assert_stays(inside);
    }
    for outside in ["/base/api/internal/../x", "/base/api/internal/%2e%2e/x", "/base/api/internal/%252e%252e%252fx"] {
        assert!(std::panic::catch_unwind(|| assert_stays(outside)).is_err(), "{outside}");
    }
}
