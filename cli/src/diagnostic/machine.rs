//! Findings for programs: one JSON document.

use serde_json::{Map, Value, json};

use crate::diagnostic::{Diagnostic, Report, Severity};
use crate::load::Source;

/// `{"findings": […], "errors": 1, "warnings": 0}`
pub(super) fn document(report: &Report<'_>) -> Value {
    let findings: Vec<Value> = report.diagnostics.iter().map(|finding| entry(finding, report.sources)).collect();
    json!({"findings": findings, "errors": report.errors(), "warnings": report.warnings()})
}

/// What is not known is left out.
fn entry(diagnostic: &Diagnostic, sources: &[Source]) -> Value {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let file = diagnostic.source.and_then(|source| sources.get(source.0)).map(|source| source.path.to_string_lossy());
    let resource = diagnostic.resource.as_ref().map(|resource| {
        let namespace = Some(&resource.namespace).filter(|namespace| !namespace.is_empty());
        json!({"kind": resource.kind.name(), "namespace": namespace, "name": resource.name})
    });
    let condition = diagnostic.condition.as_ref();
    let condition = condition.map(|it| json!({"type": it.kind, "status": it.status, "reason": it.reason}));
    let fields = [
        ("severity", Some(json!(severity))),
        ("code", Some(json!(diagnostic.code))),
        ("message", Some(json!(diagnostic.message))),
        ("file", file.map(|file| json!(file))),
        ("line", diagnostic.span.map(|span| json!(span.line))),
        ("column", diagnostic.span.map(|span| json!(span.column))),
        ("resource", resource),
        ("field", diagnostic.field.as_ref().map(|field| json!(field))),
        ("condition", condition),
        ("help", diagnostic.help.as_ref().map(|help| json!(help))),
    ];
    let known = fields.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)));
    Value::Object(known.collect::<Map<String, Value>>())
}
