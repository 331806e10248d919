//! Things that nobody here wrote, installed into a cache folder by their own installers.
//!
//! Each component has a folder of its own with its version in the name, so that a new version is installed anew. Several
//! test processes may want the same one at a time: the first installs it, the others wait at a lock.

mod debian;
mod python;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

pub use debian::{Tree, tree};
pub use python::{Python, python};

/// A component that cannot be installed on this machine.
#[derive(Clone, Debug)]
pub struct Missing {
    what: String,
    install: String,
}

// === impl Missing ===

impl Missing {
    /// What is not there, and what to do about it.
    pub fn new(what: &str, install: &str) -> Self {
        Self { what: what.to_owned(), install: install.to_owned() }
    }

    /// The sentence for a test that cannot run.
    pub fn skipped(&self) -> String {
        let thread = std::thread::current();
        format!("SKIPPED {}: needs {}: {}", thread.name().unwrap_or("a test"), self.what, self.install)
    }
}

/// Says loudly that the test is skipped when something is missing.
pub fn or_skip<T>(component: Result<T, Missing>) -> Option<T> {
    component.map_err(|missing| say(&missing.skipped())).ok()
}

/// Writes a line to standard error, past the capture of the test runner.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Where components are kept.
fn cache() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let standard = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let ours = || standard().map(|folder| folder.join("crosscall"));
    variable("CROSSCALL_TEST_CACHE").or_else(ours).unwrap_or_else(|| std::env::temp_dir().join("crosscall"))
}

/// The folder of a component, filled by `install` when it is not there in full.
fn installed(name: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let cache = cache();
    fs::create_dir_all(&cache).unwrap();
    let lock = File::create(cache.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let folder = cache.join(name);
    let complete = folder.join(".complete");
    if !complete.exists() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        say(&format!("installing {name} into {}", folder.display()));
        let started = Instant::now();
        install(&folder);
        File::create(complete).unwrap();
        say(&format!("installed {name} in {} s", started.elapsed().as_secs()));
    }
    folder
}

/// Runs an installer; panics with what it wrote when it fails.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let written = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {}{written}", String::from_utf8_lossy(&output.stderr));
    written
}

/// Whether a program can be started.
fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}
