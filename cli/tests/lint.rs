//! `crosscall lint` as users run it: the files that must be refused, each for the reason that its first line gives, and
//! the examples, in which nothing is found but what a comment says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn crosscall(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosscall"));
    command.args(arguments).current_dir(root()).env_remove("NO_COLOR").output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The exit code and the findings of `lint -o json`.
fn lint(arguments: &[&str]) -> (i32, Vec<Value>) {
    let output = crosscall(&[&["lint", "-o", "json", "-f"], arguments].concat());
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), report["findings"].as_array().unwrap().clone())
}

/// The findings of a file that must be refused.
fn refused(name: &str) -> Vec<Value> {
    let (code, findings) = lint(&[&format!("tests/fixtures/refused/{name}.yaml")]);
    assert_eq!(code, 1, "{name}: {findings:#?}");
    findings
}

/// The one finding about a resource, `Kind namespace/name`.
fn about<'a>(findings: &'a [Value], resource: &str) -> &'a Value {
    let (kind, key) = resource.split_once(' ').unwrap();
    let (namespace, name) = key.split_once('/').unwrap();
    let wanted = json!({"kind": kind, "namespace": namespace, "name": name});
    let found: Vec<&Value> = findings.iter().filter(|finding| finding["resource"] == wanted).collect();
    assert_eq!(found.len(), 1, "{resource}: {findings:#?}");
    found[0]
}

#[track_caller]
fn has_condition(finding: &Value, kind: &str, reason: &str, message_parts: &[&str]) {
    assert_eq!(finding["condition"], json!({"type": kind, "status": "False", "reason": reason}), "{finding:#}");
    let message = finding["message"].as_str().unwrap();
    for part in message_parts {
        assert!(message.contains(part), "{part}: {message}");
    }
}

/// `line:column`
fn place(finding: &Value) -> String {
    format!("{}:{}", finding["line"], finding["column"])
}

#[test]
fn bypass_in_prod_is_refused() {
    let findings = refused("bypass-in-prod");
    let finding = about(&findings, "ProxiedApp shop-prod/orders");
    let message = "delegatedAuthorization.tinyauth.bypass is for environment local only";
    has_condition(finding, "Accepted", "BypassNotAllowed", &[message]);
    assert_eq!(finding["field"], "spec.delegatedAuthorization.tinyauth.bypass");
    assert_eq!(place(finding), "13:118");
}

#[test]
fn cross_environment_without_label_is_refused() {
    let findings = refused("cross-environment");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let finding = about(&findings, "ProxyRoute demo-a/any");
    let message = "the namespace lacks the label crosscall.dev/allow-cross-environment";
    has_condition(finding, "Accepted", "CrossEnvironmentNotAllowed", &[message]);
    assert_eq!((finding["field"].as_str(), place(finding).as_str()), (Some("spec.environmentSelection"), "14:118"));
}

#[test]
fn older_app_keeps_the_name() {
    let findings = refused("name-conflict");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let finding = about(&findings, "ProxiedApp demo-b/purchases");
    has_condition(finding, "Accepted", "NameConflict", &["demo-a/orders", "orders_api"]);
    assert_eq!(place(finding), "18:18");
}

#[test]
fn namespace_without_environment_is_refused() {
    let findings = refused("no-environment");
    let finding = about(&findings, "ProxyRoute plain/internal");
    has_condition(finding, "Accepted", "NoEnvironment", &[]);
    let message = "Cannot determine current environment: namespace plain has no label crosscall.dev/env";
    assert_eq!(finding["message"], message);
}

#[test]
fn missing_service_account_is_named() {
    let findings = refused("no-service-account");
    let finding = about(&findings, "ProxyRoute demo-a/orphan");
    has_condition(finding, "ResolvedRefs", "ServiceAccountNotFound", &["eu-tools", "demo-a"]);
    assert_eq!(place(finding), "9:54");
}

#[test]
fn exposed_route_without_authentication_is_refused() {
    let findings = refused("not-secured");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let finding = about(&findings, "ProxyRoute demo-a/open");
    has_condition(finding, "Accepted", "NotSecured", &["exposed on the pod's address without authentication"]);
}

#[test]
fn self_granted_permission_is_a_warning() {
    let (code, findings) = lint(&["tests/fixtures/refused/self-granted.yaml"]);
    assert_eq!(code, 0, "{findings:#?}");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let finding = about(&findings, "ProxyServiceAccount demo-a/fr-api");
    has_condition(finding, "PermissionsGranted", "PermissionNotGranted", &["orders_admin", "demo-a/orders"]);
    assert_eq!(finding["severity"], "warning");
    let (code, _) = lint(&["tests/fixtures/refused/self-granted.yaml", "--deny-warnings"]);
    assert_eq!(code, 1);
}

#[test]
fn second_credential_is_refused_by_the_schema() {
    let findings = refused("two-credentials");
    let message = "credential.type is SignedToken, so only credential.signedToken may be set";
    let finding = findings.iter().find(|finding| finding["message"] == message);
    let finding = finding.unwrap_or_else(|| panic!("{findings:#?}"));
    assert_eq!((finding["code"].as_str(), finding["field"].as_str()), (Some("rule"), Some("spec.credential")));
    assert_eq!(place(finding), "13:3");
}

#[test]
fn unknown_field_has_place_and_hint() {
    let findings = refused("unknown-field");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let expected = json!({
        "severity": "error",
        "code": "unknown_field",
        "message": "unknown field `upstreamPrefix`",
        "file": "tests/fixtures/refused/unknown-field.yaml",
        "line": 13,
        "column": 3,
        "resource": {"kind": "ProxyRoute", "namespace": "demo-a", "name": "typo"},
        "field": "spec.upstreamPrefix",
        "help": "did you mean upstreamPathPrefix?",
    });
    assert_eq!(findings[0], expected);
}

#[test]
fn every_refused_file_has_a_test() {
    let source = std::fs::read_to_string(root().join("cli/tests/lint.rs")).unwrap();
    for entry in std::fs::read_dir(root().join("tests/fixtures/refused")).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(source.contains(&format!("\"{name}\"")) || source.contains(&format!("/{name}.yaml")), "{name}");
    }
}

#[test]
fn embedded_example_has_warnings_only() {
    let (code, findings) = lint(&["examples/embedded"]);
    assert_eq!(code, 0, "{findings:#?}");
    let short = |finding: &Value| format!("{} {}", finding["code"].as_str().unwrap(), place(finding));
    assert_eq!(findings.iter().map(short).collect::<Vec<_>>(), ["cors_any_origin 54:3", "route_disabled 62:12"]);
}

#[test]
fn cluster_example_is_clean() {
    for arguments in [&["examples/cluster"][..], &["examples/cluster", "--cluster"]] {
        let (code, findings) = lint(arguments);
        assert_eq!((code, findings.as_slice()), (0, &[][..]));
    }
    let output = crosscall(&["lint", "-f", "examples/cluster"]);
    assert_eq!(stdout(&output), "nothing found in 6 resources of 1 file\n");
}

#[test]
fn findings_are_shown_with_their_line() {
    let output = crosscall(&["lint", "-f", "tests/fixtures/refused/unknown-field.yaml"]);
    insta::assert_snapshot!(stdout(&output), @r"
    error[unknown_field]: ProxyRoute demo-a/typo: unknown field `upstreamPrefix`
      --> tests/fixtures/refused/unknown-field.yaml:13:3
       |
    13 |   upstreamPrefix: /api
       |   ^^^^^^^^^^^^^^
       |
       = field: spec.upstreamPrefix
       = help: did you mean upstreamPathPrefix?

    1 error
    ");
}

#[test]
fn environment_limits_what_is_reported() {
    let file = "tests/fixtures/refused/name-conflict.yaml";
    assert_eq!(lint(&[file, "--env", "demo"]).1.len(), 1);
    assert_eq!(lint(&[file, "--env", "prod"]), (0, Vec::new()));
    let output = crosscall(&["lint", "-f", file, "--env", "demp"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "error: unknown environment `demp`: did you mean demo?\n");
}

#[test]
fn standard_input_is_read() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_crosscall"))
        .args(["lint", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"apiVersion: v1\nkind: Namespace\nmetadata: {name: A}\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("<stdin>:3:18"), "{}", stdout(&output));
}

#[test]
fn syntax_errors_hide_lines_of_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.yaml");
    std::fs::write(&file, "apiVersion: v1\nkind: Secret\nmetadata: {name: people}\nstringData:\n  a: 'hunter2\n")
        .unwrap();
    let output = crosscall(&["lint", "-f", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let shown = stdout(&output);
    assert!(shown.contains("error[syntax]") && shown.contains("people.yaml:"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn files_that_are_not_there_are_usage_errors() {
    let output = crosscall(&["lint", "-f", "no/such/folder"]);
    assert_eq!(output.status.code(), Some(2));
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(shown.starts_with("error: failed to read no/such/folder: No such file"), "{shown}");
}
