//! Packages of the Python index, each set in a virtual environment of its own.

use std::path::PathBuf;
use std::process::Command;

use super::{Missing, has, installed, run};

/// A virtual environment.
#[derive(Clone, Debug)]
pub struct Python(PathBuf);

/// An environment with these packages; `requirements` are pinned: `name==version`.
pub fn python(requirements: &[&str]) -> Result<Python, Missing> {
    assert!(requirements.iter().all(|one| one.contains("==")), "pin {requirements:?}");
    if !has("python3") {
        return Err(Missing::new("python3", "install Debian's python3 and python3-venv"));
    }
    let name = format!("python-{}", requirements.join("-").replace("==", "-").replace(['[', ']'], "-"));
    let folder = installed(&name, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(folder.join("bin/python")).args(quiet).args(requirements));
    });
    Ok(Python(folder))
}

// === impl Python ===

impl Python {
    /// The interpreter, ready for arguments. It reads nothing from the user's own packages.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.0.join("bin/python"));
        command.arg("-I");
        command
    }
}
