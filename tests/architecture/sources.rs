//! What no source file may be or hold. The words stand in two halves here, so that this file does not name them.

use crate::tree::{assert_none, rust_files, text_files};

/// The longest file that is still one topic.
const MAX_LINES: usize = 700;

/// What marks unfinished work.
const UNFINISHED: [&str; 5] = [
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
];

/// Paths of somebody's machine and hosts of registries: they mean nothing to the next reader.
const FOREIGN: [&str; 9] = [
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/ro", "ot/."),
    concat!("crates", ".io"),
    concat!("npmjs", ".org"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("proxy.golang", ".org"),
];

/// Where outside vectors may lie; one line of CI knows it, everything else reads `CROSSCALL_VECTORS`.
const VECTORS_FOLDER: &str = concat!("../", "shared");

/// `word` stands in `line` by itself, not as a part of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

#[test]
fn no_file_is_over_the_limit() {
    let count = |text: &str| text.lines().count();
    let long = rust_files().filter(|file| count(&file.text) > MAX_LINES);
    let findings: Vec<String> = long.map(|file| format!("{}: {} lines", file.path, count(&file.text))).collect();
    assert_none("split these by topic", &findings);
}

#[test]
fn no_unsafe_in_any_source() {
    let keyword = concat!("un", "safe");
    let is_code = |line: &str| !line.trim_start().starts_with("//") && has_word(line, keyword);
    let findings: Vec<String> = rust_files().flat_map(|file| file.lines_that(is_code)).collect();
    assert_none("the compiler checks everything", &findings);
}

#[test]
fn no_work_is_left_unfinished() {
    let marked = |line: &str| UNFINISHED.iter().any(|mark| line.contains(mark));
    let findings: Vec<String> = rust_files().flat_map(|file| file.lines_that(marked)).collect();
    assert_none("finish these or drop them", &findings);
}

#[test]
fn no_path_of_one_machine() {
    let named = |line: &str| FOREIGN.iter().any(|word| line.contains(word));
    let files = text_files().into_iter().filter(|file| !file.has_extension("lock"));
    let findings: Vec<String> = files.flat_map(|file| file.lines_that(named)).collect();
    assert_none("these mean nothing on another machine", &findings);
}

#[test]
fn vectors_folder_is_named_once() {
    let findings: Vec<String> =
        text_files().iter().flat_map(|file| file.lines_that(|line| line.contains(VECTORS_FOLDER))).collect();
    let [only] = findings.as_slice() else { panic!("expected one line in .ci/run, found: {findings:#?}") };
    assert!(only.starts_with(".ci/run:"), "{only}");
}

#[test]
fn words_are_told_from_names() {
    let keyword = concat!("un", "safe");
    for (line, expected) in [
        (format!("{keyword} {{"), true),
        (format!("({keyword} fn"), true),
        (format!("{keyword}_code"), false),
        (format!("is_{keyword}"), false),
    ] {
        assert_eq!(has_word(&line, keyword), expected, "{line}");
    }
}
