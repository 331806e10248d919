//! An object against the structural schema of its kind.

use serde_json::{Map, Number, Value};

use crate::check::schema::{Count, Object as ObjectSchema, Range, Schema, Shape, Text};
use crate::check::suggest::did_you_mean;
use crate::check::words::{self, Reading};
use crate::diagnostic::{Diagnostic, Severity};
use crate::load::{Entry, Node, Object, Span, Tree};

/// The object as JSON, as the API server would see it, and what is wrong. Bare words that stand where text is wanted
/// have become text. The JSON is of use only if nothing is an error.
pub(crate) fn check(object: &Object, schema: &Schema) -> (Value, Vec<Diagnostic>) {
    let mut walk = Walk { object, diagnostics: Vec::new() };
    let start = Place { field: String::new(), span: object.node.span };
    let value = walk.value(&object.node, schema, &start).unwrap_or_default();
    (value, walk.diagnostics)
}

struct Walk<'a> {
    object: &'a Object,
    diagnostics: Vec<Diagnostic>,
}

/// A value's field, and where a complaint about it points.
struct Place {
    field: String,
    span: Span,
}

// === impl Walk ===

impl Walk<'_> {
    /// `None`: as good as absent.
    fn value(&mut self, node: &Node, schema: &Schema, place: &Place) -> Option<Value> {
        match (&schema.shape, &node.tree) {
            (Shape::Any, _) => Some(json(node)),
            (_, Tree::Null) if schema.nullable || schema.has_default => None,
            (Shape::Boolean, Tree::Bool(value)) => Some(Value::Bool(*value)),
            (Shape::Integer(range), Tree::Number(number)) if !number.is_f64() => self.number(number, range, place),
            (Shape::Integer(_) | Shape::Number(_), Tree::Number(_))
                if node.bare.as_deref().is_some_and(words::is_octal) =>
            {
                let written = node.bare.as_deref().unwrap_or_default();
                let message = format!("kubectl reads `{written}` as an octal number");
                self.error(place, "yaml_1_1", message, Some("drop the leading zero".to_owned()))
            }
            (Shape::Number(range), Tree::Number(number)) => self.number(number, range, place),
            (Shape::String(text), Tree::Text(value)) => self.text(value, text, schema, place),
            (Shape::String(text), _) if node.bare.is_some() => self.bare(node, text, schema, place),
            (Shape::IntOrString, Tree::Text(_)) => Some(json(node)),
            (Shape::IntOrString, Tree::Number(number)) if !number.is_f64() => Some(json(node)),
            (Shape::Array { items, count }, Tree::List(nodes)) => {
                self.count(nodes.len(), *count, "item", place);
                let values = nodes.iter().enumerate().filter_map(|(index, item)| {
                    let place = Place { field: format!("{}[{index}]", place.field), span: item.span };
                    self.value(item, items, &place)
                });
                Some(Value::Array(values.collect()))
            }
            (Shape::Object(shape), Tree::Map(entries)) => Some(self.map(entries, shape, place)),
            (shape, _) => {
                let message = format!("expected {}, found {}", wanted(shape), node.what());
                self.error(place, "wrong_type", message, schema.description.clone())
            }
        }
    }

    fn map(&mut self, entries: &[Entry], schema: &ObjectSchema, place: &Place) -> Value {
        self.count(entries.len(), schema.count, "entry", place);
        let mut map = Map::new();
        for entry in entries {
            if let Some(value) = self.entry(entry, entries, schema, place) {
                map.insert(entry.key.clone(), value);
            }
        }
        for name in schema.required.iter().filter(|name| !entries.iter().any(|entry| entry.key == **name)) {
            let place = Place { field: place.child(name), span: place.span };
            let help = schema.properties.get(name).and_then(|schema| schema.description.clone());
            self.error(&place, "missing_field", format!("the field `{name}` is missing"), help);
        }
        Value::Object(map)
    }

    fn entry(&mut self, entry: &Entry, all: &[Entry], schema: &ObjectSchema, parent: &Place) -> Option<Value> {
        let is_scalar = entry.value.is_scalar();
        let span = if is_scalar { entry.value.span } else { entry.key_span };
        let place = Place { field: parent.child(&entry.key), span };
        if let Some(schema) = schema.properties.get(&entry.key) {
            return self.value(&entry.value, schema, &place);
        }
        let at_key = Place { field: place.field.clone(), span: entry.key_span };
        if let Some(schema) = &schema.additional {
            if entry.key_is_bare && words::reading(&entry.key) != Reading::Same {
                self.old_word(&entry.key, &at_key);
            }
            return self.value(&entry.value, schema, &place);
        }
        if schema.open {
            return Some(json(&entry.value));
        }
        let unused = schema.properties.keys().filter(|name| all.iter().all(|entry| entry.key != **name));
        let help = did_you_mean(&entry.key, unused.map(String::as_str)).unwrap_or_else(|| known_fields(schema));
        self.error(&at_key, "unknown_field", format!("unknown field `{}`", entry.key), Some(help))
    }

    /// A bare boolean or number where text is wanted: kubectl refuses it.
    fn bare(&mut self, node: &Node, text: &Text, schema: &Schema, place: &Place) -> Option<Value> {
        let written = node.bare.as_deref().unwrap_or_default();
        if words::reading(written) == Reading::Same {
            let message = format!("expected a string, found {}", node.what());
            return self.error(place, "wrong_type", message, Some(format!("put it in quotes: \"{written}\"")));
        }
        self.old_word(written, place);
        self.text(written, text, schema, place)
    }

    fn old_word(&mut self, written: &str, place: &Place) {
        let message = match words::reading(written) {
            Reading::Octal => format!("kubectl reads `{written}` as an octal number, not as text"),
            _ => format!("kubectl reads `{written}` as a boolean, not as text"),
        };
        let diagnostic = Diagnostic::new(Severity::Warning, "yaml_1_1", message);
        let diagnostic = diagnostic.help(format!("put it in quotes: \"{written}\""));
        self.diagnostics.push(diagnostic.at(self.object, &place.field, place.span));
    }

    fn text(&mut self, value: &str, text: &Text, schema: &Schema, place: &Place) -> Option<Value> {
        let length = value.chars().count();
        if !text.one_of.is_empty() && !text.one_of.iter().any(|known| known == value) {
            let known = || text.one_of.iter().map(String::as_str);
            let list = known().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
            let help = did_you_mean(value, known()).unwrap_or_else(|| format!("the values are {list}"));
            return self.error(place, "invalid_value", format!("`{value}` is not a value of this field"), Some(help));
        }
        if !text.length.holds(length) {
            let message = format!("{}, found {length}", text.length.wanted("character"));
            return self.error(place, "invalid_value", message, schema.description.clone());
        }
        if let Some(pattern) = text.pattern.as_ref().filter(|pattern| !pattern.is_match(value)) {
            let message = format!("the value does not match `{pattern}`");
            return self.error(place, "invalid_value", message, schema.description.clone());
        }
        Some(Value::String(value.to_owned()))
    }

    fn number(&mut self, number: &Number, range: &Range, place: &Place) -> Option<Value> {
        let value = number.as_f64().unwrap_or_default();
        match (range.minimum, range.maximum) {
            (Some(minimum), _) if value < minimum => {
                self.error(place, "invalid_value", format!("{number} is less than {minimum}"), None)
            }
            (_, Some(maximum)) if value > maximum => {
                self.error(place, "invalid_value", format!("{number} is more than {maximum}"), None)
            }
            _ => Some(Value::Number(number.clone())),
        }
    }

    fn count(&mut self, found: usize, count: Count, what: &str, place: &Place) {
        if !count.holds(found) {
            let message = format!("{}, found {found}", count.wanted(what));
            self.error(place, "invalid_value", message, None);
        }
    }

    fn error(&mut self, place: &Place, code: &'static str, message: String, help: Option<String>) -> Option<Value> {
        let diagnostic = Diagnostic { help, ..Diagnostic::new(Severity::Error, code, message) };
        self.diagnostics.push(diagnostic.at(self.object, &place.field, place.span));
        None
    }
}

// === impl Place ===

impl Place {
    fn child(&self, name: &str) -> String {
        match self.field.as_str() {
            "" => name.to_owned(),
            field if name.contains(['.', '[', '/']) => format!("{field}[{name}]"),
            field => format!("{field}.{name}"),
        }
    }
}

// === impl Count ===

impl Count {
    fn holds(self, found: usize) -> bool {
        let found = u64::try_from(found).unwrap_or(u64::MAX);
        self.minimum.is_none_or(|minimum| found >= minimum) && self.maximum.is_none_or(|maximum| found <= maximum)
    }

    /// `expected 1 to 16 items`
    fn wanted(self, what: &str) -> String {
        let many = |count: u64| match (count, what) {
            (1, _) => what.to_owned(),
            (_, "entry") => "entries".to_owned(),
            _ => format!("{what}s"),
        };
        match (self.minimum, self.maximum) {
            (Some(minimum), Some(maximum)) if minimum > 0 => {
                format!("expected {minimum} to {maximum} {}", many(maximum))
            }
            (_, Some(maximum)) => format!("expected at most {maximum} {}", many(maximum)),
            (minimum, None) => {
                let minimum = minimum.unwrap_or_default();
                format!("expected at least {minimum} {}", many(minimum))
            }
        }
    }
}

fn wanted(shape: &Shape) -> &'static str {
    match shape {
        Shape::Boolean => "a boolean",
        Shape::Integer(_) => "an integer",
        Shape::Number(_) => "a number",
        Shape::String(_) => "a string",
        Shape::Array { .. } => "a list",
        Shape::Object(_) => "a map",
        Shape::IntOrString => "an integer or a string",
        Shape::Any => "anything",
    }
}

fn known_fields(schema: &ObjectSchema) -> String {
    if schema.properties.is_empty() {
        return "there are no fields here".to_owned();
    }
    let names: Vec<&str> = schema.properties.keys().map(String::as_str).collect();
    format!("the fields are {}", names.join(", "))
}

/// As kubectl reads it.
fn json(node: &Node) -> Value {
    match &node.tree {
        Tree::Null => Value::Null,
        Tree::Bool(value) => Value::Bool(*value),
        Tree::Number(value) => Value::Number(value.clone()),
        Tree::Text(value) => Value::String(value.clone()),
        Tree::List(items) => Value::Array(items.iter().map(json).collect()),
        Tree::Map(entries) => {
            Value::Object(entries.iter().map(|entry| (entry.key.clone(), json(&entry.value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::load::{Source, parse_all};

    fn schema() -> Schema {
        let name = json!({"type": "string", "pattern": "^[a-z]+$", "minLength": 1, "maxLength": 5, "description": "Its name."});
        Schema::parse(&json!({"type": "object", "required": ["spec"], "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"},
            "metadata": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "spec": {"type": "object", "required": ["name"], "properties": {
                "name": name,
                "exposure": {"type": "string", "enum": ["Loopback", "Pod"], "default": "Loopback"},
                "port": {"type": "integer", "minimum": 1, "maximum": 65535},
                "share": {"type": "number"},
                "enabled": {"type": "boolean"},
                "roles": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2, "nullable": true},
                "data": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 2},
            }},
        }}))
        .unwrap()
    }

    /// `severity code line:column field: message | help` for each finding, and the JSON of `spec`.
    fn check_spec(spec: &str) -> (Vec<String>, Value) {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nspec:\n{spec}");
        let loaded = parse_all(vec![Source { path: "a".into(), text }]);
        let (value, found) = check(&loaded.objects[0], &schema());
        let line = |it: &Diagnostic| {
            let (span, field) = (it.span.unwrap(), it.field.as_deref().unwrap_or_default());
            let help = it.help.as_deref().map(|help| format!(" | {help}")).unwrap_or_default();
            let mark = if it.severity == Severity::Error { "" } else { "warning " };
            format!("{mark}{} {}:{} {field}: {}{help}", it.code, span.line, span.column, it.message)
        };
        (found.iter().map(line).collect(), value["spec"].clone())
    }

    fn finds(spec: &str, expected: &[&str]) {
        assert_eq!(check_spec(spec).0, expected, "{spec}");
    }

    #[test]
    fn good_values_become_json() {
        let (found, value) = check_spec("  {name: abc, port: 80, share: 1.5, enabled: yes, roles: ~, data: {a: b}}\n");
        assert_eq!(found, [""; 0]);
        assert_eq!(value, json!({"name": "abc", "port": 80, "share": 1.5, "enabled": true, "data": {"a": "b"}}));
    }

    #[test]
    fn fields_are_known_and_present() {
        finds(
            "  naem: abc\n",
            &[
                "unknown_field 4:3 spec.naem: unknown field `naem` | did you mean name?",
                "missing_field 3:1 spec.name: the field `name` is missing | Its name.",
            ],
        );
        finds(
            "  name: a\n  replicas: 3\n",
            &[
                "unknown_field 5:3 spec.replicas: unknown field `replicas` | the fields are data, enabled, exposure, name, \
               port, roles, share",
            ],
        );
    }

    #[test]
    fn types_are_checked() {
        finds("  name: [a]\n", &["wrong_type 4:3 spec.name: expected a string, found a list | Its name."]);
        finds("  {name: a, port: '80'}\n", &["wrong_type 4:19 spec.port: expected an integer, found a string"]);
        finds("  {name: a, enabled: ~}\n", &["wrong_type 4:22 spec.enabled: expected a boolean, found nothing"]);
        finds("  {name: a, roles: x}\n", &["wrong_type 4:20 spec.roles: expected a list, found a string"]);
        finds(
            "  {name: 5}\n",
            &["wrong_type 4:10 spec.name: expected a string, found an integer | put it in quotes: \"5\""],
        );
    }

    #[test]
    fn values_are_checked() {
        finds(
            "  {name: a, exposure: pod}\n",
            &["invalid_value 4:23 spec.exposure: `pod` is not a value of this field | did you mean Pod?"],
        );
        finds("  {name: a, port: 0}\n", &["invalid_value 4:19 spec.port: 0 is less than 1"]);
        finds("  {name: a, port: 70000}\n", &["invalid_value 4:19 spec.port: 70000 is more than 65535"]);
        finds("  {name: A}\n", &["invalid_value 4:10 spec.name: the value does not match `^[a-z]+$` | Its name."]);
        finds("  {name: abcdef}\n", &["invalid_value 4:10 spec.name: expected 1 to 5 characters, found 6 | Its name."]);
        finds("  {name: a, roles: []}\n", &["invalid_value 4:13 spec.roles: expected 1 to 2 items, found 0"]);
        finds(
            "  {name: a, data: {a: b, c: d, e: f}}\n",
            &["invalid_value 4:13 spec.data: expected at most 2 entries, found 3"],
        );
    }

    #[test]
    fn words_of_old_yaml_are_pointed_out() {
        let (found, value) = check_spec("  name: no\n  data: {on: 'x', a.b: 007}\n");
        let expected = [
            "warning yaml_1_1 4:9 spec.name: kubectl reads `no` as a boolean, not as text | put it in quotes: \"no\"",
            "warning yaml_1_1 5:10 spec.data.on: kubectl reads `on` as a boolean, not as text | put it in quotes: \"on\"",
            "warning yaml_1_1 5:24 spec.data[a.b]: kubectl reads `007` as an octal number, not as text | put it in \
             quotes: \"007\"",
        ];
        assert_eq!(found, expected);
        assert_eq!(value, json!({"name": "no", "data": {"on": "x", "a.b": "007"}}));
        finds(
            "  {name: a, port: 0080}\n",
            &["yaml_1_1 4:19 spec.port: kubectl reads `0080` as an octal number | drop the leading zero"],
        );
    }
}
