//! The binary under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// `CROSSCALL_BIN`, or what `cargo build` makes of the tree with the profile of this test; built once in a process.
pub(crate) fn path() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("CROSSCALL_BIN") {
        Some(given) => PathBuf::from(given),
        None => build(profile()),
    })
}

/// Builds `crosscall` with a profile and returns where it is.
pub(crate) fn build(profile: &str) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--package", "crosscall", "--profile", profile, "--message-format", "json-render-diagnostics"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo build: {}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).unwrap();
    let parse = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok();
    let mut executables = messages.lines().filter_map(parse).filter_map(|message| {
        let is_ours = message["target"]["name"] == "crosscall" && message["target"]["kind"][0] == "bin";
        is_ours.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    executables.next_back().expect("cargo names the executable")
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The profile of this test, by the folder it was put in: `{target}/{profile}/deps/{test}`.
fn profile() -> &'static str {
    static PROFILE: OnceLock<String> = OnceLock::new();
    let folder = PROFILE.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let folders = test.ancestors().skip(1).filter(|folder| !folder.ends_with("deps"));
        folders.map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned()).next().unwrap()
    });
    if folder == "debug" { "dev" } else { folder }
}
