//! What is wrong in files, and where.

mod human;
mod machine;

use crate::load::{Kind, Object, Source, SourceId, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// It holds something up.
    Error,
    /// It works, but perhaps not as meant.
    Warning,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// How bad it is.
    pub(crate) severity: Severity,
    /// A stable word: `unknown_field`.
    pub(crate) code: &'static str,
    /// One sentence without a full stop. It holds no secret.
    pub(crate) message: String,
    /// The file.
    pub(crate) source: Option<SourceId>,
    /// The place in it.
    pub(crate) span: Option<Span>,
    /// The resource.
    pub(crate) resource: Option<Resource>,
    /// The field: `spec.endpoints[0].paths`.
    pub(crate) field: Option<String>,
    /// The condition that the resource would get on a cluster.
    pub(crate) condition: Option<Condition>,
    /// What to do about it.
    pub(crate) help: Option<String>,
}

/// A resource by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Its namespace; empty for a Namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
}

/// A condition in a resource's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// `Accepted`
    pub(crate) kind: String,
    /// `True`, `False` or `Unknown`.
    pub(crate) status: String,
    /// `NotSecured`
    pub(crate) reason: String,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people, with the line in question.
    #[default]
    Human,
    /// One JSON document.
    Json,
}

/// Findings and the files that they are in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    /// In the order of files and lines.
    pub(crate) diagnostics: &'a [Diagnostic],
    /// The files.
    pub(crate) sources: &'a [Source],
}

// === impl Diagnostic ===

impl Diagnostic {
    pub(crate) fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            source: None,
            span: None,
            resource: None,
            field: None,
            condition: None,
            help: None,
        }
    }

    /// Says what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Puts it into a file, at a field of a resource.
    pub(crate) fn at(mut self, object: &Object, field: &str, span: Span) -> Self {
        let (kind, namespace, name) = (object.kind, object.namespace.clone(), object.name.clone());
        self.source = Some(object.source);
        self.resource = Some(Resource { kind, namespace, name });
        self.field = Some(field.to_owned()).filter(|field| !field.is_empty());
        self.span = Some(span);
        self
    }

    /// `shop.yaml:3:5: message`, for a log: it quotes nothing of the file.
    pub(crate) fn one_line(&self, sources: &[Source]) -> String {
        let place = self.source.and_then(|source| sources.get(source.0)).map(|source| {
            let at = self.span.map(|span| format!(":{}:{}", span.line, span.column)).unwrap_or_default();
            format!("{}{at}: ", source.path.display())
        });
        format!("{}{}", place.unwrap_or_default(), self.sentence())
    }

    /// The message, with the resource before it where it has one.
    fn sentence(&self) -> String {
        let condition = self.condition.as_ref();
        let condition = condition.map(|it| format!("{}={}, reason {}: ", it.kind, it.status, it.reason));
        let resource = self.resource.as_ref().map(|resource| format!("{}: ", resource.title()));
        format!("{}{}{}", resource.unwrap_or_default(), condition.unwrap_or_default(), self.message)
    }
}

// === impl Resource ===

impl Resource {
    fn title(&self) -> String {
        match (self.namespace.as_str(), self.name.as_str()) {
            (_, "") => self.kind.to_string(),
            ("", name) => format!("{} {name}", self.kind),
            (namespace, name) => format!("{} {namespace}/{name}", self.kind),
        }
    }
}

// === impl Report ===

impl Report<'_> {
    /// How many errors there are.
    pub(crate) fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many warnings there are.
    pub(crate) fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    /// For people; `colour` for terminals, with lines no longer than `width`.
    pub(crate) fn human(&self, colour: bool, width: usize) -> String {
        human::render(self, colour, width)
    }

    /// As a JSON document.
    pub(crate) fn json(&self) -> serde_json::Value {
        machine::document(self)
    }

    fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }
}

/// Sorts by file, then place; what has no file comes first.
pub(crate) fn sort(diagnostics: &mut [Diagnostic]) {
    let place = |diagnostic: &Diagnostic| diagnostic.span.map(|span| (span.line, span.column));
    diagnostics.sort_by_key(|diagnostic| (diagnostic.source, place(diagnostic), diagnostic.severity));
}
