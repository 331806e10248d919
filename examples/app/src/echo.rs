//! What the app received, as JSON.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the app received. Nothing in it is secret: a token is shown without its signature, cookies not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// The app that answers.
    pub app: String,
    /// The method.
    pub method: String,
    /// The path, as it came.
    pub path: String,
    /// The query, as it came.
    pub query: Option<String>,
    /// Who calls: `X-Crosscall-Subject`.
    pub user: Option<String>,
    /// The app in between: `X-Crosscall-Actor`.
    pub actor: Option<String>,
    /// `X-Crosscall-Authorities`
    pub authorities: Option<String>,
    /// `X-Crosscall-Permissions`
    pub permissions: Option<String>,
    /// `X-Crosscall-Env`
    pub env: Option<String>,
    /// `X-Request-ID`
    pub request_id: Option<String>,
    /// The scheme of `Authorization`.
    pub authorization: Option<String>,
    /// The claims of a bearer token, not verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Value>,
    /// The other headers; several values of one are joined.
    pub headers: BTreeMap<String, String>,
    /// The length of the body.
    pub body_bytes: u64,
}

/// Of a request whose body had `body_bytes`.
pub fn echo(app: &str, request: &Parts, body_bytes: u64) -> Echo {
    let headers = &request.headers;
    let value = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let authorization = value("authorization");
    let mut parts = authorization.as_deref().unwrap_or_default().splitn(2, ' ');
    let scheme = parts.next().filter(|scheme| !scheme.is_empty()).map(str::to_owned);
    let token = parts.next().filter(|_| scheme.as_deref().is_some_and(|it| it.eq_ignore_ascii_case("bearer")));
    Echo {
        app: app.to_owned(),
        method: request.method.to_string(),
        path: request.uri.path().to_owned(),
        query: request.uri.query().map(str::to_owned),
        user: value("x-crosscall-subject"),
        actor: value("x-crosscall-actor"),
        authorities: value("x-crosscall-authorities"),
        permissions: value("x-crosscall-permissions"),
        env: value("x-crosscall-env"),
        request_id: value("x-request-id"),
        token: token.and_then(claims),
        authorization: scheme,
        headers: harmless(headers),
        body_bytes,
    }
}

/// The second part of a JWT (RFC 7519).
fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn harmless(headers: &HeaderMap) -> BTreeMap<String, String> {
    let secret = |name: &HeaderName| [AUTHORIZATION, COOKIE, SET_COOKIE].contains(name) || name == "x-api-key";
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| !secret(name)) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let joined = all.entry(name.to_string()).or_default();
        if !joined.is_empty() {
            joined.push_str(", ");
        }
        joined.push_str(&value);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::get("/api/x%2Fy?q=1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn identity_headers_become_fields() {
        let headers = [("x-crosscall-subject", "Alice"), ("x-crosscall-env", "local"), ("x-request-id", "r1")];
        let echo = echo("orders", &parts(&headers), 3);
        assert_eq!((echo.path.as_str(), echo.query.as_deref()), ("/api/x%2Fy", Some("q=1")));
        assert_eq!((echo.user.as_deref(), echo.env.as_deref()), (Some("Alice"), Some("local")));
        assert_eq!((echo.request_id.as_deref(), echo.body_bytes), (Some("r1"), 3));
    }

    #[test]
    fn secrets_are_not_echoed() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"a"}"#);
        let token = format!("Bearer h.{payload}.signature");
        let headers = [("authorization", token.as_str()), ("cookie", "a=secret"), ("x-api-key", "secret"), ("a", "b")];
        let echo = echo("stock", &parts(&headers), 0);
        assert_eq!(echo.authorization.as_deref(), Some("Bearer"));
        assert_eq!(echo.token, Some(serde_json::json!({"sub": "a"})));
        let shown = serde_json::to_string(&echo).unwrap();
        assert!(!shown.contains("secret") && !shown.contains("signature"), "{shown}");
        assert_eq!(echo.headers, [("a".to_owned(), "b".to_owned())].into());
    }

    #[test]
    fn damaged_tokens_have_no_claims() {
        for value in ["Bearer", "Bearer x", "Bearer a.!.c", "Basic QTpi", ""] {
            assert_eq!(echo("stock", &parts(&[("authorization", value)]), 0).token, None, "{value}");
        }
    }
}
