//! `crosscall render` as users run it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn render(arguments: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosscall"));
    command.arg("render").args(arguments).current_dir(root).output().unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = render(&[arguments, &["-o", "json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn secrets_are_masked_and_output_stays_the_same() {
    let first = render(&["-f", "examples/embedded"]);
    let text = String::from_utf8(first.stdout).unwrap();
    assert_eq!(String::from_utf8(render(&["-f", "examples/embedded"]).stdout).unwrap(), text);
    assert!(!text.contains("PRIVATE KEY") && !text.contains("$2b$"), "{text}");
    assert!(text.contains("made-for-shop-local/fr-api"), "{text}");
    insta::assert_snapshot!("embedded", text);
}

#[test]
fn secrets_are_shown_on_demand() {
    let shown = json(&["-f", "examples/embedded", "--show-secrets"]);
    let caller = &shown["apps"]["shop-local/fr-api"]["outbound"]["accounts"]["fr-api"]["credential"];
    assert!(caller["privateKey"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----"), "{caller}");
    let callee = &shown["apps"]["shop-local/orders"]["inbound"]["keys"];
    assert!(callee.get(caller["kid"].as_str().unwrap()).is_some(), "the callee knows the caller's key: {callee}");
}

#[test]
fn apps_are_chosen_by_name_and_environment() {
    let names = |arguments: &[&str]| -> Vec<String> {
        json(&[&["-f", "examples/cluster", "--cluster"], arguments].concat())["apps"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(names(&[]), ["shop-prod/fr-api", "shop-prod/orders", "shop-staging/orders"]);
    assert_eq!(names(&["--app", "orders"]), ["shop-prod/orders", "shop-staging/orders"]);
    assert_eq!(names(&["--app", "shop-prod/orders"]), ["shop-prod/orders"]);
    assert_eq!(names(&["--env", "staging"]), ["shop-staging/orders"]);
    let output = render(&["-f", "examples/cluster", "--app", "order"]);
    assert_eq!(output.status.code(), Some(2));
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(shown, "error: no app `order` here: did you mean orders?\n");
}

#[test]
fn files_with_errors_are_not_rendered() {
    let output = render(&["-f", "tests/fixtures/refused/unknown-field.yaml"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &[][..]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("unknown field `upstreamPrefix`"));
}

#[test]
fn conditions_stand_beside_the_configurations() {
    let shown = json(&["-f", "tests/fixtures/refused/not-secured.yaml"]);
    let conditions = shown["conditions"]["ProxyRoute demo-a/open"].as_array().unwrap();
    assert!(conditions.iter().any(|condition| condition["reason"] == "NotSecured"), "{conditions:#?}");
}
