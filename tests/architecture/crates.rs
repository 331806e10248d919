//! Who may depend on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::tree::{assert_none, read, root};

/// Our crates, and which of ours each may name; `["*"]` is all. A new crate takes its place here first.
const DIRECTIONS: [(&str, &[&str]); 8] = [
    ("crds", &[]),
    ("sidecar-policy", &[]),
    ("operator-compile", &["crds", "sidecar-policy"]),
    ("operator", &["crds", "operator-compile", "sidecar-policy"]),
    ("sidecar", &["sidecar-policy"]),
    ("crosscall-example", &[]),
    ("crosscall", &["*"]),
    ("system-tests", &["*"]),
];

/// No clock, no environment, no file, no network.
const PURE: [(&str, &str); 3] =
    [("crds", "crds"), ("sidecar-policy", "sidecar/policy"), ("operator-compile", "operator/compile")];

/// What a pure crate never reaches, however deep: runtimes, sockets and clients.
const IMPURE: [&str; 8] =
    ["tokio", "mio", "hyper", "hyper-util", "kube-client", "kube-runtime", "notify", "rustls-native-certs"];

/// What the data plane never reaches: it would put Kubernetes' types into every pod.
const KUBERNETES: [&str; 7] =
    ["kube", "kube-core", "kube-derive", "kube-client", "k8s-openapi", "schemars", "operator-compile"];

/// `[dependencies]` of the members by name, those of ours only.
fn our_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = cargo(&["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&output).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let depends = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let shipped = dependencies.filter(|dependency| dependency["kind"] != "dev");
        let named = shipped.map(|dependency| dependency["name"].as_str().unwrap());
        named.filter(|name| names.contains(name)).map(str::to_owned).collect()
    };
    packages.iter().map(|package| (package["name"].as_str().unwrap().to_owned(), depends(package))).collect()
}

/// The names of every crate that ends up in `package`, itself included.
fn reaches(package: &str) -> BTreeSet<String> {
    let tree = cargo(&["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--offline", "--locked"]);
    tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {}: {stderr}", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// `{package} reaches {crate}` for each of `forbidden` that it does.
fn reached(package: &str, forbidden: &[&str]) -> Vec<String> {
    let reaches = reaches(package);
    assert!(reaches.contains(package), "cargo tree does not list {package} itself");
    let found = forbidden.iter().filter(|name| reaches.contains(**name));
    found.map(|name| format!("{package} reaches {name}")).collect()
}

/// The path of the manifest's folder of every member.
fn member_folders() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let members = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    members.split(',').map(|member| member.trim().trim_matches('"').to_owned()).filter(|m| !m.is_empty()).collect()
}

#[test]
fn crates_depend_in_allowed_directions() {
    let allowed: BTreeMap<&str, &[&str]> = DIRECTIONS.into_iter().collect();
    let mut findings = Vec::new();
    for (package, dependencies) in our_dependencies() {
        let Some(allowed) = allowed.get(package.as_str()) else {
            findings.push(format!("{package} has no place in DIRECTIONS"));
            continue;
        };
        let wrong = dependencies.iter().filter(|name| !allowed.contains(&"*") && !allowed.contains(&name.as_str()));
        findings.extend(wrong.map(|name| format!("{package} -> {name}")));
    }
    assert_none("dependencies against the direction", &findings);
}

#[test]
fn pure_crates_reach_no_runtime() {
    let findings: Vec<String> = PURE.iter().flat_map(|(package, _)| reached(package, &IMPURE)).collect();
    assert_none("pure crates do no I/O", &findings);
}

#[test]
fn data_plane_reaches_no_kubernetes() {
    let forbidden: Vec<&str> = KUBERNETES.into_iter().chain(["crds"]).collect();
    let findings: Vec<String> =
        ["sidecar", "sidecar-policy"].iter().flat_map(|package| reached(package, &forbidden)).collect();
    assert_none("the sidecar knows no Kubernetes", &findings);
}

#[test]
fn one_crypto_provider_in_the_tree() {
    let tree = cargo(&["tree", "--workspace", "--edges", "all", "--prefix", "none", "--offline", "--locked"]);
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains("aws-lc-rs"), "aws-lc-rs is the provider");
    let others = ["ring", "rsa", "openssl", "openssl-sys", "native-tls"];
    let findings: Vec<String> = others.iter().filter(|name| names.contains(**name)).map(ToString::to_string).collect();
    assert_none("crypto beside aws-lc-rs", &findings);
}

#[test]
fn every_crate_inherits_workspace_lints() {
    let without = |folder: &String| !read(&format!("{folder}/Cargo.toml")).contains("\n[lints]\nworkspace = true\n");
    let folders = member_folders();
    assert!(folders.len() >= DIRECTIONS.len() - 1, "members found: {folders:?}");
    assert_none("without `[lints] workspace = true`", &folders.into_iter().filter(without).collect::<Vec<_>>());
}

#[test]
fn pure_crates_cannot_name_the_clock() {
    let banned = ["SystemTime::now", "Instant::now", "env::var", "env::vars", "fs::read", "fs::write", "fs::File"];
    let root_rules = read("clippy.toml");
    let mut findings = Vec::new();
    for (package, folder) in PURE {
        let rules = read(&format!("{folder}/clippy.toml"));
        let missing = banned.iter().filter(|name| !rules.contains(&format!("::{name}\"")));
        findings.extend(missing.map(|name| format!("{package} may call {name}")));
        // The file replaces the root's, so what the root allows is repeated.
        let repeated = root_rules.lines().filter(|line| line.starts_with("allow-") || line.starts_with("too-many"));
        let lost = repeated.filter(|line| !rules.contains(line));
        findings.extend(lost.map(|line| format!("{folder}/clippy.toml lacks {line}")));
    }
    assert_none("the clippy.toml of pure crates", &findings);
}
