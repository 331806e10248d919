//! JSON objects from untrusted bytes: no member twice, at any depth, and no depth beyond a bound.
//!
//! `serde_json` alone keeps the last of two members with one name, so that a reader that keeps the first sees another
//! object (RFC 8259, section 4; RFC 8725, section 2.4).

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How deep objects and lists may be nested, the outermost counted.
pub(crate) const MAX_DEPTH: usize = 16;

/// Why bytes are not taken as a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// Not JSON, or not an object, or a number that no double can hold.
    NotAnObject,
    /// A member stands twice in one object.
    DuplicateMember,
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
}

/// Reads one value; remembers why it stopped, since `serde_json`'s own error is text.
#[derive(Clone, Copy)]
struct Strict<'a> {
    depth_left: usize,
    fault: &'a Cell<Option<JsonError>>,
}

/// Reads the one object that `bytes` are.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let fault = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth_left: MAX_DEPTH, fault: &fault }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    match value {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(JsonError::NotAnObject),
        Err(_) => Err(fault.get().unwrap_or(JsonError::NotAnObject)),
    }
}

// === impl Strict ===

impl Strict<'_> {
    fn stop<E: serde::de::Error>(self, fault: JsonError) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => Err(self.stop(JsonError::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(value) = items.next_element_seed(inner)? {
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(self.stop(JsonError::DuplicateMember));
            }
            let value = members.next_value_seed(inner)?;
            map.insert(name, value);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuses(text: &str, expected: JsonError) {
        assert_eq!(object(text.as_bytes()), Err(expected), "{text:.60}");
    }

    #[test]
    fn reads_what_serde_json_reads() {
        let text = r#"{"a":[1,-2,3.5,true,null,{"b":"c"}],"d":{"e":""}}"#;
        let expected: Map<String, Value> = serde_json::from_str(text).unwrap();
        assert_eq!(object(text.as_bytes()), Ok(expected));
    }

    /// Threat J3: duplicate claims.
    #[test]
    fn refuses_a_member_that_stands_twice() {
        refuses(r#"{"sub":"a","sub":"b"}"#, JsonError::DuplicateMember);
        refuses(r#"{"sub":"a","s\u0075b":"b"}"#, JsonError::DuplicateMember);
        refuses(r#"{"act":{"sub":"a","sub":"b"}}"#, JsonError::DuplicateMember);
        refuses(r#"{"l":[{"x":1,"x":1}]}"#, JsonError::DuplicateMember);
    }

    /// Threat J3: deep JSON.
    #[test]
    fn refuses_nesting_beyond_the_bound() {
        let nested = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(object(nested(MAX_DEPTH).as_bytes()).is_ok());
        refuses(&nested(MAX_DEPTH + 1), JsonError::TooDeep);
        refuses(&nested(100_000), JsonError::TooDeep);
    }

    #[test]
    fn refuses_what_is_no_object() {
        for text in ["", "null", "[]", "1", "\"{}\"", "{", "{} {}", "{}x", r#"{"a":1e400}"#, r#"{"a":01}"#, "{'a':1}"] {
            refuses(text, JsonError::NotAnObject);
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(JsonError::NotAnObject));
    }
}
