//! Which documents keep step with the tree.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tree::{TextFile, assert_none, read, root, text_files};

/// The commands that README promises and `.cargo/config.toml` gives.
const ALIASES: [&str; 2] = ["demo", "xtest"];

/// The targets of `[text](target)` that are files of ours, without their anchors.
fn local_links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://") && !target.starts_with('#')).map(|t| t.split('#').next().unwrap())
}

#[test]
fn readme_names_the_two_commands() {
    let (config, readme) = (read(".cargo/config.toml"), read("README.md"));
    for alias in ALIASES {
        assert!(
            config.lines().any(|line| line.starts_with(&format!("{alias} = "))),
            ".cargo/config.toml lacks {alias}"
        );
        assert!(readme.contains(&format!("cargo {alias}")), "README.md lacks `cargo {alias}`");
    }
    assert!(read(".ci/run").contains("cargo xtest"), "CI runs another test command than README's");
}

#[test]
fn decisions_are_in_their_index() {
    let index = read("docs/decisions/README.md");
    let listed: BTreeSet<&str> = local_links(&index).collect();
    let is_decision = |path: &str| path.strip_prefix("docs/decisions/20").is_some();
    let files: Vec<TextFile> = text_files().into_iter().filter(|file| is_decision(&file.path)).collect();
    assert!(!files.is_empty(), "docs/decisions is empty");
    let names = files.iter().map(|file| file.path.rsplit('/').next().unwrap());
    let findings: Vec<String> = names.filter(|name| !listed.contains(name)).map(str::to_owned).collect();
    assert_none("not in docs/decisions/README.md", &findings);
}

#[test]
fn links_between_documents_resolve() {
    let mut findings = Vec::new();
    for file in text_files().into_iter().filter(|file| file.has_extension("md")) {
        let folder = root().join(&file.path).parent().map(Path::to_path_buf).unwrap();
        let broken = local_links(&file.text).filter(|target| !folder.join(target).exists());
        findings.extend(broken.map(|target| format!("{} -> {target}", file.path)));
    }
    assert_none("links to nothing", &findings);
}

#[test]
fn recipes_are_short_and_commented() {
    let justfile = read("Justfile");
    let lines: Vec<&str> = justfile.lines().collect();
    let mut findings = Vec::new();
    for (at, head) in lines.iter().enumerate().filter(|(_, line)| is_recipe(line)) {
        let body = lines[at + 1..].iter().take_while(|line| line.starts_with("    ")).count();
        if body > 3 || at == 0 || !lines[at - 1].starts_with("# ") {
            findings.push((*head).to_owned());
        }
    }
    assert_none("a recipe has a comment and at most three lines", &findings);
}

/// `name arguments:` at the start of a line.
fn is_recipe(line: &str) -> bool {
    line.ends_with(':') && line.starts_with(|c: char| c.is_ascii_lowercase())
}
