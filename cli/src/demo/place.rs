//! Where the demo's files are.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The example that every build carries: the same file as in the repository.
const EXAMPLE: &str = include_str!("../../../examples/embedded/shop.yaml");

/// A folder of resources.
#[derive(Debug)]
pub(crate) enum Place {
    /// One that was there.
    Found(PathBuf),
    /// A copy of the example, which goes away with the process.
    Copy(TempDir),
}

// === impl Place ===

impl Place {
    /// `examples/embedded` of the repository that `start` is in, or a copy.
    pub(crate) fn find(start: &Path) -> io::Result<Self> {
        if let Some(folder) = in_repository(start) {
            return Ok(Self::Found(folder));
        }
        let folder = tempfile::Builder::new().prefix("crosscall-demo-").tempdir()?;
        std::fs::write(folder.path().join("shop.yaml"), EXAMPLE)?;
        Ok(Self::Copy(folder))
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Found(folder) => folder,
            Self::Copy(folder) => folder.path(),
        }
    }
}

fn in_repository(start: &Path) -> Option<PathBuf> {
    let is_workspace = |folder: &&Path| {
        std::fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|manifest| manifest.contains("[workspace]"))
    };
    let root = start.ancestors().find(is_workspace)?;
    let folder = root.join("examples/embedded");
    let shown = folder.strip_prefix(start).map(Path::to_owned).unwrap_or_else(|_| folder.clone());
    folder.join("shop.yaml").is_file().then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_is_found_from_below() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let place = Place::find(&here).unwrap();
        assert!(matches!(place, Place::Found(_)), "{place:?}");
        assert!(place.path().ends_with("examples/embedded"));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert_eq!(Place::find(root).unwrap().path(), Path::new("examples/embedded"));
    }

    #[test]
    fn elsewhere_a_copy_is_made() {
        let elsewhere = tempfile::tempdir().unwrap();
        let place = Place::find(elsewhere.path()).unwrap();
        assert!(matches!(place, Place::Copy(_)), "{place:?}");
        assert_eq!(std::fs::read_to_string(place.path().join("shop.yaml")).unwrap(), EXAMPLE);
    }
}
