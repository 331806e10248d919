//! Writes `crds/yaml` from the types, or checks that it is in step: `crdgen [--check] [DIR]`.

#![allow(clippy::disallowed_methods, reason = "the tool beside the pure crate reads arguments and writes files")]

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&message);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut check = false;
    let mut folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("yaml");
    for argument in std::env::args().skip(1) {
        if argument == "--check" { check = true } else { folder = PathBuf::from(argument) }
    }
    for definition in crds::definitions() {
        let text = crds::to_yaml(&definition).map_err(|error| format!("failed to write YAML: {error}"))?;
        let path = folder.join(crds::file_name(&definition));
        if check {
            if std::fs::read_to_string(&path).is_ok_and(|present| present == text) {
                continue;
            }
            return Err(format!("{} is not what the types say: run `just crds`", path.display()));
        }
        std::fs::write(&path, text).map_err(|error| format!("failed to write {}: {error}", path.display()))?;
    }
    Ok(())
}

#[allow(clippy::print_stderr, reason = "a command line tool speaks to its user")]
fn say(message: &str) {
    eprintln!("crdgen: {message}");
}
