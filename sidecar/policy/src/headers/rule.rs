//! Header rules, prepared once.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::owned_by_sidecar;
use crate::config::HeaderRule;

/// One direction of a route's header rules, with names and values that need no further look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledHeaderRule {
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
}

/// Why a header rule is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderRuleError {
    /// Not a field name (RFC 9110 section 5.1).
    #[error("{0:?} is not a header name: use letters, digits and dashes")]
    Name(String),
    /// Not a field value (RFC 9110 section 5.5). It is not shown, since it may be secret.
    #[error("the value for {0} holds bytes that no header can: use visible characters and spaces")]
    Value(HeaderName),
    /// The sidecar alone decides about it.
    #[error("{0} is set by the sidecar: leave it out of the header rules")]
    Owned(HeaderName),
}

// === impl CompiledHeaderRule ===

impl CompiledHeaderRule {
    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// Removes, then sets, then adds.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name, value.clone());
        }
    }
}

impl TryFrom<&HeaderRule> for CompiledHeaderRule {
    type Error = HeaderRuleError;

    fn try_from(rule: &HeaderRule) -> Result<Self, Self::Error> {
        let pair = |(name, value): (&String, &String)| {
            let name = prepare_name(name)?;
            let value = HeaderValue::from_str(value).map_err(|_| HeaderRuleError::Value(name.clone()))?;
            Ok((name, value))
        };
        Ok(Self {
            remove: rule.remove.iter().map(|name| prepare_name(name)).collect::<Result<_, _>>()?,
            set: rule.set.iter().map(pair).collect::<Result<_, _>>()?,
            add: rule.add.iter().map(pair).collect::<Result<_, _>>()?,
        })
    }
}

/// Does what a rule says: removes, then sets, then adds.
pub fn apply_rule(rule: &CompiledHeaderRule, headers: &mut HeaderMap) {
    rule.apply(headers);
}

fn prepare_name(name: &str) -> Result<HeaderName, HeaderRuleError> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderRuleError::Name(name.to_owned()))?;
    if owned_by_sidecar(name.as_str()) { Err(HeaderRuleError::Owned(name)) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(set: &[(&str, &str)], add: &[(&str, &str)], remove: &[&str]) -> HeaderRule {
        let pairs =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        HeaderRule { set: pairs(set), add: pairs(add), remove: remove.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn removes_then_sets_then_adds() {
        let rule = rule(&[("x-a", "set")], &[("x-a", "added"), ("x-b", "b")], &["x-a", "x-c"]);
        let rule = CompiledHeaderRule::try_from(&rule).unwrap();
        let mut headers = HeaderMap::new();
        for name in ["x-a", "x-a", "x-c", "x-d"] {
            headers.append(name, HeaderValue::from_static("old"));
        }
        apply_rule(&rule, &mut headers);
        assert_eq!(headers.get_all("x-a").iter().collect::<Vec<_>>(), ["set", "added"]);
        assert_eq!(
            (headers["x-b"].as_bytes(), headers.get("x-c"), headers["x-d"].as_bytes()),
            (&b"b"[..], None, &b"old"[..])
        );
    }

    /// Threats H1 and H3: rules cannot set what the sidecar owns, nor break lines.
    #[test]
    fn owned_and_broken_headers_are_refused() {
        let refused = |rule: &HeaderRule| CompiledHeaderRule::try_from(rule).unwrap_err();
        for name in ["authorization", "X-Crosscall-Subject", "connection", "x_api_key", "host", "x-request-id"] {
            assert!(matches!(refused(&rule(&[(name, "v")], &[], &[])), HeaderRuleError::Owned(_)), "{name}");
            assert!(matches!(refused(&rule(&[], &[(name, "v")], &[])), HeaderRuleError::Owned(_)), "{name}");
            assert!(matches!(refused(&rule(&[], &[], &[name])), HeaderRuleError::Owned(_)), "{name}");
        }
        let error = refused(&rule(&[("x-a", "hunter2\r\nx-b: c")], &[], &[]));
        assert_eq!(error, HeaderRuleError::Value(HeaderName::from_static("x-a")));
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(refused(&rule(&[], &[], &["a b"])), HeaderRuleError::Name("a b".to_owned()));
    }

    #[test]
    fn empty_rule_has_nothing_to_do() {
        assert!(CompiledHeaderRule::try_from(&HeaderRule::default()).unwrap().is_empty());
    }
}
