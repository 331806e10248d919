//! Cross-origin resource sharing (Fetch standard, section "HTTP CORS protocol").
//!
//! The sidecar answers preflights by itself and replaces what the app says about origins. `*` is never sent: the origin
//! is echoed, with `Vary: Origin`, so that credentials work and no cache mixes origins up.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use crate::config::Cors;
use crate::request_id::is_token;

/// A route's rule, with header values prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsPolicy {
    origins: Option<Vec<HeaderValue>>,
    methods: Option<Listed<Method>>,
    headers: Option<HeaderValue>,
    exposed: Option<HeaderValue>,
    credentials: bool,
    max_age: HeaderValue,
}

/// What a request is, in the eyes of the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsDecision {
    /// No browser's request across origins: goes on.
    NotCors,
    /// A preflight that is let in: answer it with [`CorsDecision::STATUS`] and these headers; it goes no further.
    Preflight(HeaderMap),
    /// A preflight whose origin or method is not let in: answer it with [`CorsDecision::STATUS`], which without headers
    /// that allow anything makes the browser stop; it goes no further.
    Refused,
    /// A request from this origin, which is let in: goes on, and a script there may read the answer.
    Actual(HeaderValue),
    /// A request from an origin that is not let in: goes on, and no script may read the answer. (The standard leaves
    /// it to authentication to stop the request itself.)
    Unshared,
}

/// Why a rule is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorsError {
    /// An entry that no header can hold.
    #[error("{value:?} cannot be one of {field}: write {expected}")]
    Entry {
        /// The field of the resource.
        field: &'static str,
        /// The entry.
        value: String,
        /// What can be.
        expected: &'static str,
    },
}

/// Things to look up and the header value that lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed<T> {
    entries: Vec<T>,
    value: HeaderValue,
}

// === impl CorsPolicy ===

impl CorsPolicy {
    /// What a request is.
    ///
    /// A preflight is an `OPTIONS` with `Origin` and `Access-Control-Request-Method`. More than one `Origin` is never let
    /// in. `null`, which any page can make itself (a sandboxed frame), is let in where every origin is, and never
    /// where origins are listed.
    pub fn decide(&self, method: &Method, headers: &HeaderMap) -> CorsDecision {
        if !headers.contains_key(header::ORIGIN) {
            return CorsDecision::NotCors;
        }
        let origin = only(headers, &header::ORIGIN).filter(|origin| self.lets_in(origin));
        let preflight = *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        match (preflight, origin) {
            (false, Some(origin)) => CorsDecision::Actual(origin.clone()),
            (false, None) => CorsDecision::Unshared,
            (true, None) => CorsDecision::Refused,
            (true, Some(origin)) => {
                self.preflight(origin, headers).map_or(CorsDecision::Refused, CorsDecision::Preflight)
            }
        }
    }

    /// Writes the decision into an answer, in place of what the app said, and adds `Origin` to `Vary`.
    pub fn decorate(&self, decision: &CorsDecision, headers: &mut HeaderMap) {
        for name in ANSWERED {
            headers.remove(name);
        }
        match decision {
            CorsDecision::Actual(origin) => {
                self.allow(origin, headers);
                if let Some(exposed) = &self.exposed {
                    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
                }
            }
            CorsDecision::Preflight(answer) => {
                headers.extend(answer.iter().filter(|(name, _)| *name != header::VARY).map(owned));
            }
            CorsDecision::NotCors | CorsDecision::Refused | CorsDecision::Unshared => {}
        }
        vary(headers, "origin", &HeaderValue::from_static("Origin"));
    }

    fn lets_in(&self, origin: &HeaderValue) -> bool {
        match &self.origins {
            None => is_serialised_origin(origin.as_bytes()),
            Some(origins) => origin != "null" && origins.contains(origin),
        }
    }

    fn preflight(&self, origin: &HeaderValue, request: &HeaderMap) -> Option<HeaderMap> {
        let asked = only(request, &header::ACCESS_CONTROL_REQUEST_METHOD)?;
        let method = Method::from_bytes(asked.as_bytes()).ok()?;
        // Fetch standard, "forbidden method": no browser sends them.
        if matches!(method, Method::CONNECT | Method::TRACE) {
            return None;
        }
        let methods = match &self.methods {
            Some(listed) => listed.entries.contains(&method).then(|| listed.value.clone())?,
            None => asked.clone(),
        };
        let headers = match &self.headers {
            Some(listed) => Some(listed.clone()),
            None => asked_headers(request)?,
        };
        let mut answer = HeaderMap::with_capacity(8);
        self.allow(origin, &mut answer);
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        if let Some(headers) = headers.filter(|headers| !headers.is_empty()) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers);
        }
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        answer.insert(header::VARY, HeaderValue::from_static(PREFLIGHT_VARY));
        Some(answer)
    }

    fn allow(&self, origin: &HeaderValue, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

impl TryFrom<&Cors> for CorsPolicy {
    type Error = CorsError;

    fn try_from(cors: &Cors) -> Result<Self, CorsError> {
        let origins =
            cors.allow_origins.as_ref().map(|origins| origins.iter().map(|origin| prepare_origin(origin)).collect());
        let methods = cors.allow_methods.as_ref().map(|methods| {
            let entries = methods.iter().map(|method| prepare_method(method)).collect::<Result<_, _>>()?;
            Ok(Listed { entries, value: prepare_list("allowMethods", methods)? })
        });
        let headers = cors.allow_headers.as_ref().map(|headers| prepare_list("allowHeaders", headers));
        let exposed = Some(&cors.expose_headers).filter(|names| !names.is_empty());
        Ok(Self {
            origins: origins.transpose()?,
            methods: methods.transpose()?,
            headers: headers.transpose()?,
            exposed: exposed.map(|names| prepare_list("exposeHeaders", names)).transpose()?,
            credentials: cors.allow_credentials,
            max_age: cors.max_age_seconds.into(),
        })
    }
}

// === impl CorsDecision ===

impl CorsDecision {
    /// The status of the answer to a preflight, let in or not.
    pub const STATUS: StatusCode = StatusCode::NO_CONTENT;
}

/// What only the sidecar says in an answer.
const ANSWERED: [HeaderName; 7] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
    HeaderName::from_static("access-control-allow-private-network"),
];

const PREFLIGHT_VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

fn owned((name, value): (&HeaderName, &HeaderValue)) -> (HeaderName, HeaderValue) {
    (name.clone(), value.clone())
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// `null`, or `scheme://host[:port]` without anything that could end a header's element.
fn is_serialised_origin(origin: &[u8]) -> bool {
    let Some(at) = origin.windows(3).position(|three| three == b"://") else { return origin == b"null" };
    let (scheme, host) = (&origin[..at], &origin[at + 3..]);
    let scheme_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let host_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+=:[]%".contains(byte);
    !scheme.is_empty() && scheme.iter().all(scheme_byte) && !host.is_empty() && host.iter().all(host_byte)
}

/// What the preflight asks for, to be echoed: nothing, or names; `None` where they are no names.
fn asked_headers(request: &HeaderMap) -> Option<Option<HeaderValue>> {
    let mut values = request.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let Some(first) = values.next() else { return Some(None) };
    let is_names = |value: &HeaderValue| value.as_bytes().iter().all(|byte| is_token(*byte) || b", \t".contains(byte));
    let rest: Vec<_> = values.collect();
    if !is_names(first) || !rest.iter().all(|value| is_names(value)) {
        return None;
    }
    if rest.is_empty() {
        return Some(Some(first.clone()));
    }
    let all =
        [&[first][..], &rest].concat().into_iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b", "[..]);
    HeaderValue::try_from(all).ok().map(Some)
}

/// Adds a name to `Vary` unless it is there, or everything is.
fn vary(headers: &mut HeaderMap, name: &str, value: &HeaderValue) {
    let mut names = headers.get_all(header::VARY).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let said = names.any(
        |known| matches!(known.trim_ascii(), known if known == b"*" || known.eq_ignore_ascii_case(name.as_bytes())),
    );
    if !said {
        headers.append(header::VARY, value.clone());
    }
}

fn prepare_origin(origin: &str) -> Result<HeaderValue, CorsError> {
    let value =
        HeaderValue::from_str(origin).ok().filter(|value| is_serialised_origin(value.as_bytes()) && value != "null");
    value.ok_or_else(|| CorsError::Entry {
        field: "allowOrigins",
        value: origin.to_owned(),
        expected: "origins such as `https://shop.example`, or leave the field out for every origin",
    })
}

fn prepare_method(method: &str) -> Result<Method, CorsError> {
    Method::from_bytes(method.as_bytes()).map_err(|_| CorsError::Entry {
        field: "allowMethods",
        value: method.to_owned(),
        expected: "methods such as `GET`, or leave the field out for every method",
    })
}

fn prepare_list(field: &'static str, names: &std::collections::BTreeSet<String>) -> Result<HeaderValue, CorsError> {
    for name in names {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(CorsError::Entry {
                field,
                value: name.clone(),
                expected: "names of letters, digits and dashes",
            });
        }
    }
    let list = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    Ok(HeaderValue::try_from(list).expect("tokens and commas are a header value"))
}

#[cfg(test)]
mod tests;
