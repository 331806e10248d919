//! The threat model keeps step with the tests that show it.
//!
//! A test says in its documentation comment which threats it is about: `/// Threat R2: …`, `/// Threats H1 and H2: …`.
//! The last column of `docs/threat-model.md` is written from these comments: `INSTA_UPDATE=always` does it.

use std::collections::BTreeMap;
use std::fs;

use crate::tree::{assert_none, read, root, rust_files};

const MODEL: &str = "docs/threat-model.md";

/// Every number of the threat model, by its letter.
const NUMBERS: [(&str, &[&str]); 5] = [
    ("R", &["1", "2", "3", "4", "5", "6", "7"]),
    ("H", &["1", "2", "3", "4", "5", "6"]),
    ("J", &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]),
    ("K", &["1", "2", "2b", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14"]),
    ("D", &["1", "2", "3", "4", "5", "6", "7"]),
];

fn numbers() -> Vec<String> {
    NUMBERS.iter().flat_map(|(letter, rows)| rows.iter().map(move |row| format!("{letter}{row}"))).collect()
}

/// The number in the first cell of `| number | must not happen | prevented by | test |`.
fn number_of(line: &str) -> Option<&str> {
    let number = line.strip_prefix("| ")?.split(' ').next()?;
    let mut characters = number.chars();
    let is_number = characters.next()?.is_ascii_uppercase() && characters.next()?.is_ascii_digit();
    is_number.then_some(number)
}

/// `line` with another last cell.
fn with_last_cell(line: &str, cell: &str) -> String {
    let number = number_of(line).unwrap_or_default();
    assert_eq!(line.matches('|').count(), 5, "{MODEL}: {number} has four cells");
    let (before, _) = line.trim_end_matches('|').rsplit_once('|').unwrap();
    format!("{before}| {cell} |")
}

/// Which tests name a number in their documentation comment, by number.
fn tests() -> BTreeMap<String, Vec<String>> {
    let mut tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in rust_files() {
        let mut named = Vec::new();
        for line in file.text.lines().map(str::trim) {
            if line.starts_with("/// Threat") {
                named.extend(words(line).filter(|word| looks_like_number(word)).map(str::to_owned));
            } else if let Some(name) = function(line) {
                named.drain(..).for_each(|number| tests.entry(number).or_default().push(name.to_owned()));
            }
        }
        assert!(named.is_empty(), "{}: a comment names {named:?}, and no function follows", file.path);
    }
    tests
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric())
}

/// One capital, digits, perhaps a `b`.
fn looks_like_number(word: &str) -> bool {
    word.strip_prefix(|c: char| c.is_ascii_uppercase())
        .is_some_and(|rest| rest.trim_end_matches('b').parse::<u8>().is_ok())
}

/// `name` of `fn name(`
fn function(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("fn ").filter(|(before, _)| before.is_empty() || before.ends_with(' '))?;
    rest.split_once('(').map(|(name, _)| name)
}

/// `` `one_test`, `another_test` ``
fn cell(tests: Option<&Vec<String>>) -> String {
    let quoted = |tests: &Vec<String>| tests.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    tests.map_or_else(|| "planned".to_owned(), quoted)
}

#[test]
fn threat_model_has_every_number() {
    let text = read(MODEL);
    let found: Vec<&str> = text.lines().filter_map(number_of).collect();
    assert_eq!(found, numbers());
}

#[test]
fn threat_model_names_its_tests() {
    let (text, tests) = (read(MODEL), tests());
    let line = |line: &str| match number_of(line) {
        Some(number) => with_last_cell(line, &cell(tests.get(number))) + "\n",
        None => line.to_owned() + "\n",
    };
    let expected: String = text.lines().map(line).collect();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(root().join(MODEL), expected).unwrap();
        return;
    }
    let stale = text.lines().zip(expected.lines()).filter(|(found, expected)| found != expected);
    let findings: Vec<String> = stale.map(|(_, expected)| expected.to_owned()).collect();
    assert_none("docs/threat-model.md is out of step, `just threats` writes these rows", &findings);
}

#[test]
fn tests_name_known_threats_only() {
    let known = numbers();
    let unknown = tests().into_iter().filter(|(number, _)| !known.contains(number));
    let findings: Vec<String> = unknown.map(|(number, tests)| format!("{number}: {tests:?}")).collect();
    assert_none("not in docs/threat-model.md", &findings);
}
