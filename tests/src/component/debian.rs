//! Debian packages, unpacked into the cache with what they need: nothing is installed into the system.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Missing, has, installed, run};

/// Unpacked packages.
#[derive(Clone, Debug)]
pub struct Tree(PathBuf);

/// These packages and those of their dependencies that the system lacks.
pub fn tree(packages: &[&str]) -> Result<Tree, Missing> {
    let missing = || Missing::new(&format!("Debian's {}", packages.join(", ")), "needs apt-get with its package lists");
    if !has("apt-get") || !has("dpkg") {
        return Err(missing());
    }
    let versions: Option<Vec<String>> = packages.iter().map(|package| candidate(package)).collect();
    let versions = versions.or_else(|| {
        // The lists of a fresh machine are empty.
        let updated = Command::new("apt-get").args(["--quiet", "update"]).output().ok()?;
        updated.status.success().then(|| packages.iter().map(|package| candidate(package)).collect()).flatten()
    });
    let name: Vec<String> =
        packages.iter().zip(versions.ok_or_else(missing)?).map(|(p, v)| format!("{p}-{v}")).collect();
    let name = format!("debian-{}", name.join("-").replace([':', '~', '+'], "_"));
    Ok(Tree(installed(&name, |folder| unpack(folder, packages))))
}

/// The version that would be installed.
fn candidate(package: &str) -> Option<String> {
    let policy = Command::new("apt-cache").env("LC_ALL", "C").args(["policy", package]).output().ok()?;
    let policy = String::from_utf8(policy.stdout).ok()?;
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (version != "(none)").then(|| version.to_owned())
}

fn unpack(folder: &Path, packages: &[&str]) {
    let simulate = ["install", "--simulate", "--quiet", "--reinstall", "--no-install-recommends"];
    let plan = run(Command::new("apt-get").env("LC_ALL", "C").args(simulate).args(packages));
    // `Inst name [installed] (candidate …)`
    let names = plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    let names: Vec<&str> = names.collect();
    let archives = folder.join("archives");
    fs::create_dir(&archives).unwrap();
    run(Command::new("apt-get").args(["download", "--quiet"]).args(names).current_dir(&archives));
    for archive in fs::read_dir(&archives).unwrap() {
        run(Command::new("dpkg").arg("--extract").arg(archive.unwrap().path()).arg(folder));
    }
    fs::remove_dir_all(archives).unwrap();
}

// === impl Tree ===

impl Tree {
    /// A program of the packages, by its path from the root; it finds its libraries in the tree first.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.path(program));
        command.env("LD_LIBRARY_PATH", self.libraries());
        command
    }

    /// A file of the packages, by its path from the root.
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// The folders with libraries, joined as the dynamic linker reads them: the two usual ones, and those below them
    /// that programs find through a path of the installed system.
    pub fn libraries(&self) -> OsString {
        let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
        let mut folders = Vec::new();
        for folder in ["usr/lib", "lib"].map(|folder| self.0.join(folder).join(&triple)) {
            let below = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path());
            let below: Vec<PathBuf> = below.filter(|path| path.is_dir() && holds_libraries(path)).collect();
            folders.push(folder);
            folders.extend(below);
        }
        std::env::join_paths(folders).unwrap()
    }
}

fn holds_libraries(folder: &Path) -> bool {
    let mut names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.any(|name| name.to_string_lossy().contains(".so"))
}
