//! The structural schema of a definition, parsed once. A keyword that is not known here is refused, so that none is
//! passed over in silence.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Map, Value};

/// A node of a structural schema.
#[derive(Debug)]
pub(crate) struct Schema {
    /// What the value is.
    pub(crate) shape: Shape,
    /// Nothing is as good as absent.
    pub(crate) nullable: bool,
    /// Absent is filled in.
    pub(crate) has_default: bool,
    /// For people.
    pub(crate) description: Option<String>,
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A boolean.
    Boolean,
    /// An integer.
    Integer(Range),
    /// A number.
    Number(Range),
    /// Text.
    String(Text),
    /// A list.
    Array {
        /// What each item is.
        items: Box<Schema>,
        /// How many.
        count: Count,
    },
    /// A map.
    Object(Object),
    /// An integer or text.
    IntOrString,
    /// Anything.
    Any,
}

/// The bounds of a number, themselves included.
#[derive(Debug, Default)]
pub(crate) struct Range {
    /// The smallest.
    pub(crate) minimum: Option<f64>,
    /// The greatest.
    pub(crate) maximum: Option<f64>,
}

/// How many, bounds included.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    /// At least.
    pub(crate) minimum: Option<u64>,
    /// At most.
    pub(crate) maximum: Option<u64>,
}

/// What text may be.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// One of these; none: anything.
    pub(crate) one_of: Vec<String>,
    /// Found somewhere in it.
    pub(crate) pattern: Option<Regex>,
    /// In characters.
    pub(crate) length: Count,
}

/// What a map may hold.
#[derive(Debug, Default)]
pub(crate) struct Object {
    /// Known keys.
    pub(crate) properties: BTreeMap<String, Schema>,
    /// What other keys hold; without it there are none.
    pub(crate) additional: Option<Box<Schema>>,
    /// Keys that must be there.
    pub(crate) required: BTreeSet<String>,
    /// How many keys.
    pub(crate) count: Count,
    /// Other keys may hold anything.
    pub(crate) open: bool,
}

/// A schema that cannot be checked against.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    /// A keyword that is not known here.
    #[error("the schema at {path} has the keyword {keyword}, which is not known")]
    UnknownKeyword {
        /// Where.
        path: String,
        /// Which.
        keyword: String,
    },
    /// A node without a type.
    #[error("the schema at {path} has no usable type")]
    NoType {
        /// Where.
        path: String,
    },
    /// A pattern that is none.
    #[error("the schema at {path} has a pattern that cannot be read")]
    Pattern {
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: regex::Error,
    },
}

/// What is not for the structure: `x-kubernetes-validations` are [`super::rules`]; the others say how objects merge,
/// or what programs may make of numbers whose bounds stand beside.
const ELSEWHERE: [&str; 9] = [
    "format",
    "title",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-int-or-string",
    "externalDocs",
];

// === impl Schema ===

impl Schema {
    /// Reads `openAPIV3Schema`.
    pub(crate) fn parse(value: &Value) -> Result<Self, SchemaError> {
        Reader { value, path: "$".to_owned() }.schema()
    }
}

/// A node of the schema as JSON, and where it is.
struct Reader<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Reader<'a> {
    fn schema(&self) -> Result<Schema, SchemaError> {
        let fields = self.value.as_object().ok_or_else(|| SchemaError::NoType { path: self.path.clone() })?;
        let (shape, used) = self.shape(fields)?;
        let common = ["type", "nullable", "default", "description"];
        let known =
            |keyword: &str| used.contains(&keyword) || common.contains(&keyword) || ELSEWHERE.contains(&keyword);
        if let Some(keyword) = fields.keys().find(|keyword| !known(keyword)) {
            return Err(SchemaError::UnknownKeyword { path: self.path.clone(), keyword: keyword.clone() });
        }
        Ok(Schema {
            shape,
            nullable: self.flag("nullable"),
            has_default: fields.contains_key("default"),
            description: self.value["description"].as_str().map(str::to_owned),
        })
    }

    /// The shape, and the keywords that it is made of.
    fn shape(&self, fields: &Map<String, Value>) -> Result<(Shape, &'static [&'static str]), SchemaError> {
        Ok(match self.value["type"].as_str() {
            Some("boolean") => (Shape::Boolean, &[]),
            Some("integer") => (Shape::Integer(self.range()), &["minimum", "maximum"]),
            Some("number") => (Shape::Number(self.range()), &["minimum", "maximum"]),
            Some("string") => (Shape::String(self.text()?), &["enum", "pattern", "minLength", "maxLength"]),
            Some("array") => {
                let (items, count) = (Box::new(self.child("items").schema()?), self.count("minItems", "maxItems"));
                (Shape::Array { items, count }, &["items", "minItems", "maxItems"])
            }
            Some("object") => (
                Shape::Object(self.object()?),
                &["properties", "additionalProperties", "required", "minProperties", "maxProperties"],
            ),
            None if self.flag("x-kubernetes-int-or-string") => (Shape::IntOrString, &["anyOf"]),
            None if self.flag("x-kubernetes-preserve-unknown-fields") || fields.is_empty() => (Shape::Any, &[]),
            _ => return Err(SchemaError::NoType { path: self.path.clone() }),
        })
    }

    fn object(&self) -> Result<Object, SchemaError> {
        let mut object = Object {
            required: self.words("required").into_iter().collect(),
            count: self.count("minProperties", "maxProperties"),
            open: self.flag("x-kubernetes-preserve-unknown-fields"),
            ..Object::default()
        };
        for name in self.value["properties"].as_object().into_iter().flat_map(Map::keys) {
            object.properties.insert(name.clone(), self.child("properties").child(name).schema()?);
        }
        match &self.value["additionalProperties"] {
            Value::Bool(true) => object.open = true,
            Value::Object(_) => object.additional = Some(Box::new(self.child("additionalProperties").schema()?)),
            _ => {}
        }
        Ok(object)
    }

    fn text(&self) -> Result<Text, SchemaError> {
        let pattern = self.value["pattern"].as_str().map(Regex::new).transpose();
        let pattern = pattern.map_err(|source| SchemaError::Pattern { path: self.path.clone(), source })?;
        Ok(Text { one_of: self.words("enum"), pattern, length: self.count("minLength", "maxLength") })
    }

    fn child(&self, name: &str) -> Reader<'a> {
        Reader { value: &self.value[name], path: format!("{}.{name}", self.path) }
    }

    fn flag(&self, name: &str) -> bool {
        self.value[name].as_bool().unwrap_or_default()
    }

    fn words(&self, name: &str) -> Vec<String> {
        let words = self.value[name].as_array().into_iter().flatten();
        words.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn range(&self) -> Range {
        Range { minimum: self.value["minimum"].as_f64(), maximum: self.value["maximum"].as_f64() }
    }

    fn count(&self, minimum: &str, maximum: &str) -> Count {
        Count { minimum: self.value[minimum].as_u64(), maximum: self.value[maximum].as_u64() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_keyword_of_ours_is_known() {
        for definition in crds::definitions() {
            let versions = serde_json::to_value(&definition.spec.versions).unwrap();
            Schema::parse(&versions[0]["schema"]["openAPIV3Schema"]).unwrap();
        }
    }

    #[test]
    fn unknown_keywords_are_refused() {
        let error = Schema::parse(&json!({"type": "object", "properties": {"a": {"type": "string", "contains": 1}}}));
        let expected = "the schema at $.properties.a has the keyword contains, which is not known";
        assert_eq!(error.unwrap_err().to_string(), expected);
    }
}
