//! Findings for people: the sentence, the line in question, what to do.

use std::borrow::Cow;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};

use crate::diagnostic::{Diagnostic, Report, Severity};
use crate::load::{Source, Span};

/// Each finding, then a line that sums up; nothing when there are none.
pub(super) fn render(report: &Report<'_>, colour: bool, width: usize) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.term_width(width);
    let mut text = String::new();
    for diagnostic in report.diagnostics {
        text.push_str(&renderer.render(&[group(diagnostic, report.sources)]));
        text.push_str("\n\n");
    }
    text.push_str(&summary(report));
    text
}

fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a [Source]) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.sentence()).id(diagnostic.code));
    if let Some(source) = diagnostic.source.and_then(|source| sources.get(source.0)) {
        let path = source.path.to_string_lossy();
        group = match diagnostic.span {
            Some(span) if shows(&source.text, span) => group.element(snippet(source, path, span)),
            Some(span) => {
                let (line, column) = (usize::try_from(span.line), usize::try_from(span.column));
                group.element(Origin::path(path).line(line.unwrap_or_default()).char_column(column.unwrap_or_default()))
            }
            None => group.element(Origin::path(path)),
        };
    }
    if let Some(field) = &diagnostic.field {
        group = group.element(Level::NOTE.with_name("field").message(normalize_untrusted_str(field)));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
    }
    group
}

/// The line of `span` alone: a value that goes on is marked to the end of its first line.
fn snippet<'a>(source: &'a Source, path: Cow<'a, str>, span: Span) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let start = source.text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = source.text[span.start..].find('\n').map_or(source.text.len(), |at| span.start + at);
    let end = end - usize::from(source.text[start..end].ends_with('\r'));
    // Not every length that a parser gives ends with a character.
    let marked_end = source.text.ceil_char_boundary(span.start + span.length.max(1)).min(end).max(span.start);
    let marked = span.start - start..marked_end - start;
    let line = usize::try_from(span.line).unwrap_or(1);
    let annotation = AnnotationKind::Primary.span(marked);
    Snippet::source(&source.text[start..end]).line_start(line).path(path).annotation(annotation)
}

/// The line may be shown: the place is inside the text, and its document holds no Secret.
fn shows(text: &str, span: Span) -> bool {
    if span.line == 0 || !text.is_char_boundary(span.start) {
        return false;
    }
    let document_start = text[..span.start].rfind("\n---").unwrap_or_default();
    let document_end = text[span.start..].find("\n---").map_or(text.len(), |at| span.start + at);
    !holds_secret(&text[document_start..document_end])
}

/// `kind: Secret` in any spelling.
fn holds_secret(document: &str) -> bool {
    document.split("kind").skip(1).any(|rest| {
        let value = rest.trim_start_matches(|c: char| c.is_whitespace() || "\"':".contains(c));
        value
            .strip_prefix("Secret")
            .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric) || rest.starts_with("List"))
    })
}

fn summary(report: &Report<'_>) -> String {
    let count = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        count => Some(format!("{count} {what}s")),
    };
    let parts = [count(report.errors(), "error"), count(report.warnings(), "warning")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("{}\n", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{SourceId, parse};

    fn rendered(text: &str, key: &str) -> String {
        let sources = [Source { path: "shop.yaml".into(), text: text.to_owned() }];
        let span = parse(text).unwrap()[0].entry(key).unwrap().key_span;
        let diagnostic = Diagnostic {
            source: Some(SourceId(0)),
            span: Some(span),
            ..Diagnostic::new(Severity::Error, "unknown_field", "unknown field").help("did you mean x?")
        };
        render(&Report { diagnostics: &[diagnostic], sources: &sources }, false, 80)
    }

    #[test]
    fn findings_show_line_and_caret() {
        insta::assert_snapshot!(rendered("kind: A\nupstream: /api\n", "upstream"), @r"
        error[unknown_field]: unknown field
         --> shop.yaml:2:1
          |
        2 | upstream: /api
          | ^^^^^^^^
          |
          = help: did you mean x?

        1 error
        ");
    }

    #[test]
    fn lines_of_secrets_are_not_shown() {
        for text in ["kind: Secret\ntoken: hunter2\n", "{\"kind\":\"Secret\",\n\"token\": \"hunter2\"}"] {
            let shown = rendered(text, "token");
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("shop.yaml:2:1"), "{shown}");
        }
        let neighbour = rendered("kind: A\nupstream: /api\n---\nkind: Secret\n", "upstream");
        assert!(neighbour.contains("/api"), "{neighbour}");
    }

    #[test]
    fn marks_end_with_whole_characters() {
        let sources = [Source { path: "shop.yaml".into(), text: "a: \u{ce2}\n".to_owned() }];
        let span = Some(Span { line: 1, column: 4, start: 3, length: 1 });
        let diagnostic =
            Diagnostic { source: Some(SourceId(0)), span, ..Diagnostic::new(Severity::Error, "syntax", "x") };
        let shown = render(&Report { diagnostics: &[diagnostic], sources: &sources }, false, 80);
        assert!(shown.contains("shop.yaml:1:4"), "{shown}");
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let text = format!("{{a: '{}', upstream: /api, b: '{}'}}\n", "x".repeat(300), "y".repeat(300));
        let shown = rendered(&text, "upstream");
        assert!(shown.contains("upstream: /api"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    }
}
