//! Which documents count: the kinds of our group, and the kinds of core/v1 that they refer to.

use crate::diagnostic::{Diagnostic, Severity};
use crate::load::kind::{self, Kind};
use crate::load::{Entry, Node, Span, Tree};

/// The index of a file in the list of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceId(pub(crate) usize);

/// A resource that counts, as it stands in a file.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// Its kind.
    pub(crate) kind: Kind,
    /// `metadata.namespace`, or `default`; empty for a Namespace.
    pub(crate) namespace: String,
    /// `metadata.name`; empty if there is none, which [`crate::check`] refuses.
    pub(crate) name: String,
    /// The file.
    pub(crate) source: SourceId,
    /// All of it.
    pub(crate) node: Node,
}

/// Adds the objects of a document to `found`: the document itself, the items of a list, or none.
pub(crate) fn objects(source: SourceId, node: Node, found: &mut Vec<Object>, diagnostics: &mut Vec<Diagnostic>) {
    let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
    let (Some(api_version), Some(kind)) = (text("apiVersion"), text("kind")) else {
        diagnostics.push(
            warning(
                "not_a_resource",
                "not a resource: it has no `apiVersion` and `kind`".to_owned(),
                source,
                node.span,
            )
            .help("the document is passed over"),
        );
        return;
    };
    if let Some(item_kind) = kind.strip_suffix("List")
        && (api_version == "v1" || kind::is_our_group(&api_version))
    {
        for item in node.get("items").map(Node::items).unwrap_or_default() {
            objects(source, typed(item.clone(), &api_version, item_kind), found, diagnostics);
        }
        return;
    }
    match kind::recognise(&api_version, &kind) {
        Ok(Some(kind)) => found.push(Object::new(kind, source, node)),
        Ok(None) => {}
        Err(mistake) => {
            let span = node.get(mistake.key).map(|value| value.span);
            let diagnostic = Diagnostic::new(Severity::Error, mistake.code, mistake.message).help(mistake.help);
            let field = Some(mistake.key.to_owned());
            diagnostics.push(Diagnostic { source: Some(source), span, field, ..diagnostic });
        }
    }
}

/// An item of a typed list may leave out what the list says.
fn typed(mut item: Node, api_version: &str, kind: &str) -> Node {
    if kind.is_empty() {
        return item;
    }
    let span = item.span;
    for (key, value) in [("kind", kind), ("apiVersion", api_version)] {
        if item.get(key).is_none()
            && let Tree::Map(entries) = &mut item.tree
        {
            let value = Node { tree: Tree::Text(value.to_owned()), span, bare: None };
            entries.push(Entry { key: key.to_owned(), key_span: span, key_is_bare: false, value });
        }
    }
    item
}

fn warning(code: &'static str, message: String, source: SourceId, span: Span) -> Diagnostic {
    Diagnostic { source: Some(source), span: Some(span), ..Diagnostic::new(Severity::Warning, code, message) }
}

// === impl Object ===

impl Object {
    fn new(kind: Kind, source: SourceId, node: Node) -> Self {
        let metadata = |key: &str| {
            let text = node.get("metadata").and_then(|metadata| metadata.get(key)).and_then(Node::text);
            text.unwrap_or_default().to_owned()
        };
        let (name, mut namespace) = (metadata("name"), metadata("namespace"));
        if kind == Kind::Namespace {
            namespace.clear();
        } else if namespace.is_empty() {
            "default".clone_into(&mut namespace);
        }
        Self { kind, namespace, name, source, node }
    }

    /// `ProxyRoute demo-a/open`
    pub(crate) fn title(&self) -> String {
        match (self.namespace.as_str(), self.name.as_str()) {
            (_, "") => self.kind.to_string(),
            ("", name) => format!("{} {name}", self.kind),
            (namespace, name) => format!("{} {namespace}/{name}", self.kind),
        }
    }

    /// Where `field` (`spec.endpoints[0].paths`) is, or the nearest that exists above it; else the name.
    pub(crate) fn place(&self, field: &str) -> Span {
        let fallback = || {
            let name = self.node.get("metadata").and_then(|metadata| metadata.get("name"));
            name.map_or(self.node.span, |name| name.span)
        };
        let (mut at, mut place) = (&self.node, None);
        for step in steps(field) {
            match step {
                Step::Key(key) => {
                    let Some(entry) = at.entry(key) else { break };
                    let is_scalar = entry.value.is_scalar();
                    place = Some(if is_scalar { entry.value.span } else { entry.key_span });
                    at = &entry.value;
                }
                Step::Index(index) => {
                    let Some(item) = at.items().get(index) else { break };
                    place = Some(item.span);
                    at = item;
                }
            }
        }
        // `spec` alone says less than the name.
        let has_place = field.contains('.') && !std::ptr::eq(at, self.node.get("spec").unwrap_or(&self.node));
        place.filter(|_| has_place).unwrap_or_else(fallback)
    }
}

/// A step of a field path.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// `spec.endpoints[0].paths`, `spec.roles[Alice]`
fn steps(field: &str) -> impl Iterator<Item = Step<'_>> {
    field.split(['.', '[', ']']).filter(|part| !part.is_empty()).map(|part| match part.parse() {
        Ok(index) => Step::Index(index),
        Err(_) => Step::Key(part),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::parse;

    fn load(text: &str) -> (Vec<Object>, Vec<Diagnostic>) {
        let (mut found, mut diagnostics) = (Vec::new(), Vec::new());
        for node in parse(text).unwrap() {
            objects(SourceId(0), node, &mut found, &mut diagnostics);
        }
        (found, diagnostics)
    }

    fn titles(text: &str) -> Vec<String> {
        load(text).0.iter().map(Object::title).collect()
    }

    #[test]
    fn other_kinds_are_passed_over() {
        let text = "apiVersion: apps/v1\nkind: Deployment\n---\napiVersion: v1\nkind: Service\n---\n# nothing\n---\n\
                    apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
        assert_eq!(titles(text), ["Namespace a"]);
        assert_eq!(load(text).1, []);
    }

    #[test]
    fn lists_are_unpacked() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s, namespace: n}}\n\
                    ---\napiVersion: v1\nkind: ConfigMapList\nitems:\n- {metadata: {name: c}}\n";
        assert_eq!(titles(text), ["Secret n/s", "ConfigMap default/c"]);
    }

    #[test]
    fn misspelt_kinds_are_errors() {
        let (found, diagnostics) = load("apiVersion: crosscall.dev/v1alpha1\nkind: ProxyRout\n");
        assert!(found.is_empty());
        assert_eq!((diagnostics[0].severity, diagnostics[0].code), (Severity::Error, "unknown_kind"));
        assert_eq!(diagnostics[0].span.map(|span| (span.line, span.column)), Some((2, 7)));
    }

    #[test]
    fn documents_without_kind_are_pointed_out() {
        let (_, diagnostics) = load("services: {}\n");
        assert_eq!((diagnostics[0].severity, diagnostics[0].code), (Severity::Warning, "not_a_resource"));
    }

    #[test]
    fn fields_have_places() {
        let text = "apiVersion: crosscall.dev/v1alpha1\nkind: ProxyRoute\nmetadata: {name: x}\nspec:\n  exposure: Pod\n  \
                    backends: [a, b]\n";
        let object = load(text).0.remove(0);
        let place = |field: &str| {
            let span = object.place(field);
            (span.line, span.column)
        };
        assert_eq!(place("spec.exposure"), (5, 13));
        assert_eq!(place("spec.backends"), (6, 3));
        assert_eq!(place("spec.backends[1]"), (6, 17));
        assert_eq!(place("spec.authentication"), (3, 18));
        assert_eq!(place(""), (3, 18));
    }
}
