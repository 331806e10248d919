//! Which documents keep step with the tree.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tree::{TextFile, assert_none, read, root, rust_files, text_files};

/// The commands that README promises and `.cargo/config.toml` gives.
const ALIASES: [&str; 2] = ["demo", "xtest"];

/// Every number of the threat model, by its letter: how many, and what stands between.
const THREATS: [(&str, &[&str]); 5] = [
    ("R", &["1", "2", "3", "4", "5", "6", "7"]),
    ("H", &["1", "2", "3", "4", "5", "6"]),
    ("J", &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]),
    ("K", &["1", "2", "2b", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14"]),
    ("D", &["1", "2", "3", "4", "5", "6", "7"]),
];

/// A row of the threat model.
struct Threat {
    number: String,
    test: String,
}

/// The rows of the tables: `| number | must not happen | prevented by | test |`.
fn threats() -> Vec<Threat> {
    let text = read("docs/threat-model.md");
    let rows =
        text.lines().filter_map(|line| line.strip_prefix("| ")).map(|row| row.split('|').map(str::trim).collect());
    let threat = |cells: Vec<&str>| match cells.as_slice() {
        [number, _, _, test, ""] if is_number(number) => {
            Some(Threat { number: (*number).to_owned(), test: (*test).to_owned() })
        }
        [number, ..] if is_number(number) => panic!("{number}: four cells, no more"),
        _ => None,
    };
    rows.filter_map(threat).collect()
}

/// `R1`, `K2b`
fn is_number(cell: &str) -> bool {
    let mut letters = cell.chars();
    letters.next().is_some_and(|c| c.is_ascii_uppercase()) && letters.next().is_some_and(|c| c.is_ascii_digit())
}

/// What stands between back-ticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

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
fn threat_model_has_every_number() {
    let expected: Vec<String> =
        THREATS.iter().flat_map(|(letter, rows)| rows.iter().map(move |row| format!("{letter}{row}"))).collect();
    let found: Vec<String> = threats().into_iter().map(|threat| threat.number).collect();
    assert_eq!(found, expected);
}

#[test]
fn tests_of_threats_exist() {
    let sources: Vec<TextFile> = rust_files().collect();
    let mut findings = Vec::new();
    for Threat { number, test } in threats() {
        let names: BTreeSet<&str> = quoted(&test).collect();
        if names.is_empty() && test != "planned" {
            findings.push(format!("{number}: neither a test nor `planned`: {test}"));
        }
        let exists = |name: &str| sources.iter().any(|file| file.text.contains(&format!("fn {name}(")));
        let missing = names.into_iter().filter(|name| !exists(name));
        findings.extend(missing.map(|name| format!("{number}: no test is called {name}")));
    }
    assert_none("docs/threat-model.md", &findings);
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
