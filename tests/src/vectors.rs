//! Outside test vectors: data that others published, in a folder that `CROSSCALL_VECTORS` names.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::component::{Missing, say};

/// A file of the folder as JSON; where the folder is not named, says loudly that the test is skipped.
pub fn load(file: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("CROSSCALL_VECTORS").map(PathBuf::from) else {
        say(&Missing::new("the folder of outside vectors", "name it in CROSSCALL_VECTORS").skipped());
        return None;
    };
    let path = folder.join(file);
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_slice(&text).unwrap())
}
