//! Which files are read: those named, and `*.yaml`, `*.yml` and `*.json` below folders that are named.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// As the user wrote it, or as it was found below a folder that the user named.
    pub(crate) path: PathBuf,
    /// All of it.
    pub(crate) text: String,
}

/// Why files cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// A path that was named, or what stands below it.
    #[error("failed to read {}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not text.
    #[error("{} is not UTF-8", path.display())]
    NotText {
        /// The path.
        path: PathBuf,
    },
}

/// How deep folders may lie in folders.
const MAX_DEPTH: usize = 32;

/// Reads `paths`, in the order named; a folder's files in the order of their paths. A file that is reached twice is
/// read once. `-` is standard input.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Source>, LoadError> {
    let (mut seen, mut sources) = (BTreeSet::new(), Vec::new());
    for path in paths {
        if path.as_os_str() == "-" {
            sources.push(standard_input()?);
            continue;
        }
        let is_folder = std::fs::metadata(path).map_err(|source| failed(path, source))?.is_dir();
        let files = if is_folder { below(path)? } else { vec![path.clone()] };
        for file in files {
            let Some(identity) = identity(&file, is_folder)? else { continue };
            if seen.insert(identity)
                && let Some(source) = text(&file, is_folder)?
            {
                sources.push(source);
            }
        }
    }
    Ok(sources)
}

/// The files of a folder and of the folders in it, sorted. Names that start with a dot are passed over: version
/// control, editors, and the `..data` folders behind mounted ConfigMaps.
fn below(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let (mut files, mut visited) = (Vec::new(), BTreeSet::new());
    walk(folder, 0, &mut visited, &mut files)?;
    files.sort();
    Ok(files)
}

fn walk(
    folder: &Path,
    depth: usize,
    visited: &mut BTreeSet<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<(), LoadError> {
    let Some(identity) = identity(folder, true)? else { return Ok(()) };
    if depth > MAX_DEPTH || !visited.insert(identity) {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(|source| failed(folder, source))? {
        let entry = entry.map_err(|source| failed(folder, source))?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Through links, as those of a mounted ConfigMap; a link to nothing is passed over.
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => walk(&path, depth + 1, visited, files)?,
            Ok(metadata) if metadata.is_file() && is_ours(&path) => files.push(path),
            _ => {}
        }
    }
    Ok(())
}

fn is_ours(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known))
}

/// The path without links; `None` for a file that went away since its folder was listed.
fn identity(path: &Path, may_vanish: bool) -> Result<Option<PathBuf>, LoadError> {
    vanished(path, may_vanish, std::fs::canonicalize(path))
}

fn text(path: &Path, may_vanish: bool) -> Result<Option<Source>, LoadError> {
    let Some(bytes) = vanished(path, may_vanish, std::fs::read(path))? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| LoadError::NotText { path: path.to_owned() })?;
    Ok(Some(Source { path: path.to_owned(), text }))
}

fn vanished<T>(path: &Path, may_vanish: bool, result: io::Result<T>) -> Result<Option<T>, LoadError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if may_vanish && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, error)),
    }
}

fn standard_input() -> Result<Source, LoadError> {
    let path = PathBuf::from("<stdin>");
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|source| failed(&path, source))?;
    let text = String::from_utf8(bytes).map_err(|_| LoadError::NotText { path: path.clone() })?;
    Ok(Source { path, text })
}

fn failed(path: &Path, source: io::Error) -> LoadError {
    LoadError::Read { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path, paths: &[PathBuf]) -> Vec<String> {
        let relative = |source: Source| source.path.strip_prefix(folder).unwrap().display().to_string();
        read(paths).unwrap().into_iter().map(relative).collect()
    }

    #[test]
    fn folders_are_read_sorted_and_deep() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "c.json", "d.txt", ".hidden.yaml"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        for name in ["sub", ".git"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("x.yaml"), "").unwrap();
        }
        let found = names(folder.path(), &[folder.path().to_owned()]);
        assert_eq!(found, ["a.yml", "b.yaml", "c.json", "sub/x.yaml"]);
    }

    #[test]
    fn one_file_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, "").unwrap();
        assert_eq!(names(folder.path(), &[file.clone(), folder.path().to_owned(), file]), ["a.yaml"]);
    }

    #[cfg(unix)]
    #[test]
    fn mounted_folders_are_read_through_links() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("..2026")).unwrap();
        std::fs::write(folder.path().join("..2026/a.yaml"), "").unwrap();
        std::os::unix::fs::symlink("..2026", folder.path().join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/a.yaml", folder.path().join("a.yaml")).unwrap();
        std::os::unix::fs::symlink(".", folder.path().join("loop")).unwrap();
        assert_eq!(names(folder.path(), &[folder.path().to_owned()]), ["a.yaml"]);
    }

    #[test]
    fn paths_that_are_not_there_are_errors() {
        let error = read(&[PathBuf::from("no/such/folder")]).unwrap_err();
        assert_eq!(error.to_string(), "failed to read no/such/folder");
    }
}
