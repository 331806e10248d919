//! The one place where a refusal becomes an answer: a problem document (RFC 9457).

use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response};
use serde::Serialize;
use sidecar_policy::code::{Code, Refusal};

use crate::body::ResponseBody;

/// The answer to a refused call.
#[derive(Serialize)]
struct Problem<'a> {
    /// `about:blank` says that the title is all there is to the type.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    /// The stable name of the reason.
    code: &'static str,
    request_id: &'a str,
}

/// Turns a refusal into an answer. `challenges` are what a 401 asks for.
pub(crate) fn answer(
    refusal: &Refusal,
    challenges: &[HeaderValue],
    request_id: &HeaderValue,
) -> Response<ResponseBody> {
    let status = refusal.code.status();
    let problem = Problem {
        kind: "about:blank",
        title: refusal.code.title(),
        status: status.as_u16(),
        detail: &refusal.detail,
        code: refusal.code.as_str(),
        request_id: request_id.to_str().unwrap_or_default(),
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(ResponseBody::own(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match refusal.code {
        Code::Unauthenticated | Code::InvalidCredentials | Code::InvalidToken => {
            let bearer = bearer_challenge(refusal.code);
            for challenge in challenges.iter().chain(challenges.is_empty().then_some(&bearer)) {
                headers.append(WWW_AUTHENTICATE, challenge.clone());
            }
        }
        Code::CredentialUnavailable | Code::NotConfigured | Code::Overloaded => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Code::MethodNotAllowed => {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
        }
        // What follows on the connection may not begin where it seems to.
        Code::InvalidPath | Code::InvalidHost | Code::AmbiguousHeader | Code::RequestBroken | Code::RequestTimeout => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}

/// RFC 6750, 3: no error code where nothing was presented.
fn bearer_challenge(code: Code) -> HeaderValue {
    HeaderValue::from_static(match code {
        Code::Unauthenticated => "Bearer realm=\"crosscall\"",
        _ => "Bearer realm=\"crosscall\", error=\"invalid_token\"",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_answer() {
        let id = HeaderValue::from_static("id-1");
        for code in Code::ALL {
            let response = answer(&Refusal::new(*code, "why"), &[], &id);
            assert_eq!(response.status(), code.status(), "{code:?}");
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            let status = response.status().as_u16();
            assert_eq!(response.headers().contains_key(WWW_AUTHENTICATE), status == 401, "{code:?}");
            assert_eq!(response.headers().contains_key(RETRY_AFTER), status == 503, "{code:?}");
            assert_eq!(response.headers().contains_key(ALLOW), status == 405, "{code:?}");
        }
    }

    #[test]
    fn a_challenge_names_what_the_route_takes() {
        let basic = HeaderValue::from_static("Basic realm=\"people\"");
        let id = HeaderValue::from_static("id-1");
        let response = answer(&Refusal::new(Code::Unauthenticated, "why"), std::slice::from_ref(&basic), &id);
        let all: Vec<_> = response.headers().get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(all, [&basic]);
    }
}
