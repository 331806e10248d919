//! YAML or JSON text -> trees in which every key and value knows its place.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::diagnostic::{Diagnostic, Severity};
use crate::load::SourceId;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// The value.
    pub(crate) tree: Tree,
    /// Where it is used; for an alias the alias itself.
    pub(crate) span: Span,
    /// The bare text of a boolean, number or null, as written.
    pub(crate) bare: Option<String>,
}

/// A value, as kubectl reads it: bare `yes` or `off` are booleans (YAML 1.1).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    /// Nothing, `~` or `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order written; keys are unique.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The key as text, as written.
    pub(crate) key: String,
    /// Where the key is.
    pub(crate) key_span: Span,
    /// It has no quotes.
    pub(crate) key_is_bare: bool,
    /// The value.
    pub(crate) value: Node,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// From 1.
    pub(crate) line: u64,
    /// In characters, from 1.
    pub(crate) column: u64,
    /// The offset of its first byte.
    pub(crate) start: usize,
    /// In bytes.
    pub(crate) length: usize,
}

/// A syntax error: what, and where.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    message: String,
    span: Option<Span>,
}

/// Parses every document of a file; empty documents are left out.
pub(crate) fn parse(text: &str) -> Result<Vec<Node>, SyntaxError> {
    let options = serde_saphyr::options! { with_snippet: false };
    let documents = serde_saphyr::from_multiple_with_options::<Spanned<Raw>>(text, options);
    let documents = documents.map_err(|error| SyntaxError::new(&error, text))?;
    Ok(documents.into_iter().map(|document| node(document, text)).collect())
}

// === impl Node ===

impl Node {
    /// The value of a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A key of a map and its value.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The entries of a map; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        if let Tree::Map(entries) = &self.tree { entries } else { &[] }
    }

    /// The items of a list; none for anything else.
    pub(crate) fn items(&self) -> &[Self] {
        if let Tree::List(items) = &self.tree { items } else { &[] }
    }

    /// Neither a list nor a map.
    pub(crate) fn is_scalar(&self) -> bool {
        !matches!(self.tree, Tree::List(_) | Tree::Map(_))
    }

    /// Text as it is, and what is text only to YAML 1.2: bare words and numbers as written.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.tree {
            Tree::Text(text) => Some(text),
            _ => self.bare.as_deref(),
        }
    }

    /// What it is, for a message: `a list`.
    pub(crate) fn what(&self) -> &'static str {
        match &self.tree {
            Tree::Null => "nothing",
            Tree::Bool(_) => "a boolean",
            Tree::Number(number) if number.is_f64() => "a number",
            Tree::Number(_) => "an integer",
            Tree::Text(_) => "a string",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a map",
        }
    }
}

fn node(spanned: Spanned<Raw>, text: &str) -> Node {
    let span = Span::from(spanned.referenced);
    let tree = match spanned.value {
        Raw::Null => Tree::Null,
        Raw::Bool(value) => Tree::Bool(value),
        Raw::Number(value) => Tree::Number(value),
        Raw::Text(value) => Tree::Text(value),
        Raw::List(items) => Tree::List(items.into_iter().map(|item| node(item, text)).collect()),
        Raw::Map(entries) => Tree::Map(entries.into_iter().map(|(key, value)| entry(key, value, text)).collect()),
    };
    let written = slice(text, Span::from(spanned.defined));
    let is_scalar = matches!(tree, Tree::Bool(_) | Tree::Number(_));
    let bare = written.filter(|written| is_scalar && is_bare(written)).map(str::to_owned);
    Node { tree, span, bare }
}

fn entry(key: Spanned<String>, value: Spanned<Raw>, text: &str) -> Entry {
    let key_is_bare = slice(text, Span::from(key.defined)).is_some_and(is_bare);
    Entry { key_is_bare, key_span: Span::from(key.referenced), key: key.value, value: node(value, text) }
}

fn slice(text: &str, span: Span) -> Option<&str> {
    text.get(span.start..span.start + span.length)
}

fn is_bare(written: &str) -> bool {
    written.starts_with(|first: char| first.is_ascii_alphanumeric() || "+-.".contains(first))
}

impl From<serde_saphyr::Location> for Span {
    fn from(location: serde_saphyr::Location) -> Self {
        let bytes = |count: Option<u64>| count.and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
        let span = location.span();
        Self {
            line: location.line(),
            column: location.column(),
            start: bytes(span.byte_offset()),
            length: bytes(span.byte_len()),
        }
    }
}

/// The offset of a line and column.
fn offset(text: &str, Span { line, column, .. }: Span) -> usize {
    let before = |count: u64| usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
    let line: usize = text.split_inclusive('\n').take(before(line)).map(str::len).sum();
    line + text[line..].chars().take(before(column)).map(char::len_utf8).sum::<usize>()
}

// === impl SyntaxError ===

impl SyntaxError {
    fn new(error: &serde_saphyr::Error, text: &str) -> Self {
        let formatter = serde_saphyr::UserMessageFormatter;
        let message = serde_saphyr::MessageFormatter::format_message(&formatter, error.without_snippet()).into_owned();
        let location = error.location().filter(|location| location.line() > 0);
        let span = location.map(|location| {
            let span = Span::from(location);
            // The scanner's errors count characters only.
            let known = location.span().byte_offset().is_some();
            if known { span } else { Span { start: offset(text, span), ..span } }
        });
        Self { message, span }
    }

    pub(crate) fn into_diagnostic(self, source: SourceId) -> Diagnostic {
        Diagnostic { span: self.span, source: Some(source), ..Diagnostic::new(Severity::Error, "syntax", self.message) }
    }
}

// === impl Raw ===

/// A tree while it is read.
enum Raw {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

struct RawVisitor;

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has too")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Raw, E> {
        serde_json::Number::from_f64(value).map(Raw::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Node {
        parse(text).unwrap().remove(0)
    }

    fn place(span: Span) -> (u64, u64) {
        (span.line, span.column)
    }

    #[test]
    fn keys_and_values_know_their_place() {
        let text = "a: 1\n---\nspec:\n  paths: [x, 'é y']\n";
        let documents = parse(text).unwrap();
        let paths = documents[1].get("spec").unwrap().entry("paths").unwrap();
        assert_eq!(place(paths.key_span), (4, 3));
        assert_eq!(place(paths.value.items()[1].span), (4, 14));
        assert_eq!(slice(text, paths.value.items()[1].span), Some("'é y'"));
        assert_eq!(slice(text, paths.key_span), Some("paths"));
    }

    #[test]
    fn words_of_old_yaml_keep_their_text() {
        let node = one("{a: no, b: 0123, c: 'no', d: true, e: 5m, f: ~}");
        assert_eq!(node.get("a").unwrap().tree, Tree::Bool(false));
        assert_eq!(node.get("a").unwrap().text(), Some("no"));
        assert_eq!(node.get("b").unwrap().text(), Some("0123"));
        assert_eq!(node.get("c").unwrap().tree, Tree::Text("no".into()));
        assert_eq!(node.get("d").unwrap().text(), Some("true"));
        assert_eq!(node.get("e").unwrap().tree, Tree::Text("5m".into()));
        assert_eq!(node.get("f").unwrap().tree, Tree::Null);
    }

    #[test]
    fn keys_stay_as_they_are_written() {
        let node = one("no: 1\n'yes': 2\n007: 3\n");
        let keys: Vec<_> = node.entries().iter().map(|entry| (entry.key.as_str(), entry.key_is_bare)).collect();
        assert_eq!(keys, [("no", true), ("yes", false), ("007", true)]);
    }

    #[test]
    fn aliases_stand_where_they_are_used() {
        let node = one("a: &x {b: yes}\nc: *x\n");
        let alias = node.get("c").unwrap();
        assert_eq!(place(alias.span), (2, 4));
        assert_eq!(alias.get("b").unwrap().text(), Some("yes"));
    }

    #[test]
    fn json_with_tabs_is_read() {
        let node = one("{\n\t\"a\": [1, -2, 1.5, null],\n\t\"b\": \"\\u00e9\\/\"\n}\n");
        assert_eq!(node.get("a").unwrap().items().len(), 4);
        assert_eq!(node.get("b").unwrap().text(), Some("é/"));
    }

    #[test]
    fn duplicate_keys_are_errors_with_place() {
        let error = parse("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(error.span.map(place), Some((3, 1)));
        assert!(error.message.contains("duplicate"), "{}", error.message);
    }

    #[test]
    fn syntax_errors_have_a_place() {
        for (text, expected) in [("é: 1\nb: *nope\n", "*nope"), ("é: 1\nb: {\n", "{"), ("é:\n\t- b\n", "- b")] {
            let span = parse(text).unwrap_err().span.unwrap();
            assert!(text[span.start..].starts_with(expected), "{text}: {span:?}");
            assert_eq!(span.line, 2);
        }
    }
}
