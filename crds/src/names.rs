//! Checked names: a value of these types needs no further check.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidName {
    what: &'static str,
    rule: &'static str,
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a valid {}: {}", self.what, self.rule)
    }
}

impl std::error::Error for InvalidName {}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $pattern:literal, $max:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(value: String) -> Result<Self, InvalidName> {
                let check: fn(&str) -> bool = $check;
                if value.len() <= $max && check(&value) {
                    Ok(Self(value))
                } else {
                    Err(InvalidName { what: $what, rule: $rule })
                }
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidName;

            fn try_from(value: &str) -> Result<Self, InvalidName> {
                Self::try_from(value.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "minLength": 1, "maxLength": $max, "pattern": $pattern})
            }
        }
    };
}

name! {
    /// An app's id or alias: letters, digits, `-` and `_`; case matters. It stands as one segment of a path and
    /// before the dot of an audience, so it holds neither a dot nor a slash.
    AppName, "app name", "use up to 63 letters, digits, '-' or '_', with a letter or digit at both ends",
    "^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$", 63,
    |name| ends_alphanumeric(name) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

name! {
    /// An environment: a label value in lower case, such as `prod`.
    EnvName, "environment", "use up to 63 lower-case letters, digits or '-', with a letter or digit at both ends",
    "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", 63,
    |name| ends_alphanumeric(name) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

name! {
    /// A permission, role, authority or scope: visible ASCII but for comma, double quote and backslash.
    Permission, "permission", "use up to 128 visible ASCII characters, but no comma, double quote or backslash",
    r#"^[!#-+\--\[\]-~]+$"#, 128,
    |name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b',' | b'"' | b'\\'))
}

name! {
    /// The name of an object in the same namespace (RFC 1123 subdomain).
    ObjectName, "object name", "use up to 253 lower-case letters, digits, '-' or '.'",
    r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", 253,
    |name| ends_alphanumeric(name)
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
}

name! {
    /// An entry of a route's `backends`: an app name, or `*` for every app that the service account may call.
    BackendName, "backend", "use an app's id or alias, or '*'",
    r"^(\*|[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)$", 63,
    |name| name == "*" || AppName::try_from(name).is_ok()
}

name! {
    /// A path before which nothing else stands: `/internal`, or `/` alone for the root. No slash at the end, no empty
    /// or dot segment, no escape.
    PathPrefix, "path prefix", "start with '/', end without one, and use unreserved characters (RFC 3986) only",
    r"^/$|^(/[A-Za-z0-9._~!$&'()+,=:@-]+)+$", 256,
    |path| path == "/" || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_plain_segment))
}

// === impl BackendName ===

impl BackendName {
    /// Every app that the service account may call.
    pub fn is_any(&self) -> bool {
        self.0 == "*"
    }
}

// === impl PathPrefix ===

impl PathPrefix {
    /// The prefix as it is put before a path that starts with a slash: empty for the root.
    pub fn as_base(&self) -> &str {
        if self.0 == "/" { "" } else { &self.0 }
    }
}

fn ends_alphanumeric(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric) && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
}

fn is_plain_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment != "."
        && segment != ".."
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~!$&'()+,=:@-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_names_are_one_plain_segment() {
        for good in ["orders", "fr-api", "fr_api", "A1", "x"] {
            assert!(AppName::try_from(good).is_ok(), "{good}");
        }
        for bad in ["", "-x", "x-", "a.b", "a/b", "a b", "..", "%66r", "ö", "*", &"x".repeat(64)] {
            assert!(AppName::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn path_prefixes_hold_no_dot_segment() {
        for good in ["/", "/internal", "/api/v1.0", "/a..b"] {
            assert!(PathPrefix::try_from(good).is_ok(), "{good}");
        }
        for bad in ["", "x", "/x/", "//", "/a//b", "/..", "/a/../b", "/.", "/%2e", "/a?b", "/a#b", "/a\\b"] {
            assert!(PathPrefix::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn permissions_cannot_split_a_list() {
        assert!(Permission::try_from("use_proxied_only_endpoints").is_ok());
        assert!(Permission::try_from("orders:read/x").is_ok());
        for bad in ["", "a,b", "a b", "a\"", "a\\b", "a\r\nb", "é"] {
            assert!(Permission::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn backends_may_be_a_star() {
        assert!(BackendName::try_from("*").unwrap().is_any());
        assert!(BackendName::try_from("**").is_err());
    }
}
