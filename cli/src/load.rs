//! Files of resources -> objects with positions.
//!
//! Nothing is judged here but syntax and kind: [`crate::check`] does the rest.

mod files;
mod kind;
mod node;
mod object;

pub(crate) use files::{LoadError, Source, read};
pub(crate) use kind::Kind;
pub(crate) use node::{Entry, Node, Span, Tree};
pub(crate) use object::{Object, SourceId, objects};

#[cfg(test)]
pub(crate) use node::parse;

use crate::diagnostic::Diagnostic;

/// What stands in the files: every object of a kind that counts, in the order of files and documents.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The files, in the order of their paths.
    pub(crate) sources: Vec<Source>,
    /// The objects of kinds that count.
    pub(crate) objects: Vec<Object>,
    /// Syntax errors, unknown kinds, documents that are no objects.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Parses `sources`.
pub(crate) fn parse_all(sources: Vec<Source>) -> Loaded {
    let (mut found, mut diagnostics) = (Vec::new(), Vec::new());
    for (index, source) in sources.iter().enumerate() {
        match node::parse(&source.text) {
            Ok(documents) => {
                for document in documents {
                    objects(SourceId(index), document, &mut found, &mut diagnostics);
                }
            }
            Err(error) => diagnostics.push(error.into_diagnostic(SourceId(index))),
        }
    }
    Loaded { sources, objects: found, diagnostics }
}

// === impl Loaded ===

impl Loaded {
    /// The environment that a namespace's label names, if the files hold the namespace.
    pub(crate) fn environment(&self, namespace: &str) -> Option<&str> {
        let object = self.objects.iter().find(|object| object.kind == Kind::Namespace && object.name == namespace)?;
        object.node.get("metadata")?.get("labels")?.get(crds::annotations::ENVIRONMENT)?.text()
    }
}
