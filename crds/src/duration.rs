//! Durations as Gateway API writes them (GEP-2257): `5m`, `1h30m`, `250ms`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

const PATTERN: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

/// A duration, written as whole numbers of `h`, `m`, `s` and `ms`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration {
    text: String,
    millis: u64,
}

/// Why a duration is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDuration;

// === impl Duration ===

impl Duration {
    /// In milliseconds.
    pub fn millis(&self) -> u64 {
        self.millis
    }

    /// In whole seconds, rounded down.
    pub fn seconds(&self) -> u64 {
        self.millis / 1000
    }

    /// Of so many minutes.
    pub fn minutes(minutes: u32) -> Self {
        Self { text: format!("{minutes}m"), millis: u64::from(minutes) * 60_000 }
    }

    /// Of so many hours.
    pub fn hours(hours: u32) -> Self {
        Self { text: format!("{hours}h"), millis: u64::from(hours) * 3_600_000 }
    }
}

impl TryFrom<String> for Duration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        let mut rest = text.as_str();
        let (mut millis, mut parts) = (0_u64, 0);
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().map_err(|_| InvalidDuration)?;
            let (unit, after) = unit(&rest[digits..]).ok_or(InvalidDuration)?;
            millis += number * unit;
            parts += 1;
            if digits > 5 || parts > 4 {
                return Err(InvalidDuration);
            }
            rest = after;
        }
        if parts == 0 { Err(InvalidDuration) } else { Ok(Self { text, millis }) }
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.text
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 32, "pattern": PATTERN})
    }
}

impl fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a duration: write whole numbers with h, m, s or ms, such as 1h30m")
    }
}

impl std::error::Error for InvalidDuration {}

fn unit(text: &str) -> Option<(u64, &str)> {
    [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        .into_iter()
        .find_map(|(unit, millis)| text.strip_prefix(unit).map(|rest| (millis, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_written() {
        for (text, millis) in
            [("5m", 300_000), ("720h", 2_592_000_000), ("2s", 2000), ("250ms", 250), ("1h30m", 5_400_000)]
        {
            assert_eq!(Duration::try_from(text.to_owned()).unwrap().millis(), millis, "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_duration() {
        for text in ["", "5", "m", "1.5h", "-1s", "100000s", "1s1s1s1s1s", "1 s", "1d", "²s"] {
            assert!(Duration::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
