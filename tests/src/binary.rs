//! The binary under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// `CROSSCALL_BIN`, or what `cargo build` makes of the tree, with the profile and in the target folder of this test;
/// built once in a process.
pub(crate) fn path() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("CROSSCALL_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    // This test is `{target}/{profile}/deps/{name}`, the benchmark `{target}/{profile}/{name}`.
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().skip(1).find(|folder| !folder.ends_with("deps")).unwrap();
    let profile = match folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--package", "crosscall", "--message-format", "json-render-diagnostics"]);
    cargo.args(["--profile", profile, "--target-dir"]).arg(folder.parent().unwrap());
    let output = cargo.current_dir(root()).output().unwrap();
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
