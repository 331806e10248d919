//! The vocabulary of refusals: one code for each, shared by problem documents, logs, metrics and the documentation.

use http::StatusCode;

macro_rules! codes {
    ($(#[doc = $doc:literal] $variant:ident => $code:literal, $status:ident, $title:literal;)*) => {
        /// Why a call was not served. `as_str` is stable: dashboards and scripts depend on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $doc] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as it stands in problem documents, logs and metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The status that the caller gets (RFC 9110, 15).
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $doc.trim_ascii(),)* }
            }

            /// The `title` of the problem document (RFC 9457, 3.1.3).
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// The request target is not a path that can be passed on.
    InvalidPath => "invalid_path", BAD_REQUEST, "The request target is not allowed";
    /// `Host` is missing, repeated or not a host.
    InvalidHost => "invalid_host", BAD_REQUEST, "The Host header is not valid";
    /// A header that another server could read as one of the sidecar's own.
    AmbiguousHeader => "ambiguous_header", BAD_REQUEST, "A header name is ambiguous";
    /// The body of the request broke off, or is not framed as HTTP says.
    RequestBroken => "request_broken", BAD_REQUEST, "The request broke off";
    /// No byte of the request's body came for too long.
    RequestTimeout => "request_timeout", REQUEST_TIMEOUT, "The request took too long";
    /// TRACE, CONNECT or an over-long method.
    MethodNotAllowed => "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed";
    /// The route is switched off, or there is none at all.
    ProxyDisabled => "proxy_disabled", NOT_IMPLEMENTED, "The proxy is disabled";
    /// No route's prefix matches the path.
    UnknownRoute => "unknown_route", NOT_FOUND, "No route serves this path";
    /// The route knows no app of that name.
    UnknownBackend => "unknown_backend", NOT_FOUND, "No such backend";
    /// The environment is unknown, or the app does not exist there.
    InvalidEnvironment => "invalid_environment", BAD_REQUEST, "Invalid backend environment";
    /// The service account may not call that app in that environment.
    BackendNotGranted => "backend_not_granted", FORBIDDEN, "The service account may not call this backend";
    /// Nobody said who is calling.
    Unauthenticated => "unauthenticated", UNAUTHORIZED, "Authentication is required";
    /// What was presented does not prove an identity.
    InvalidCredentials => "invalid_credentials", UNAUTHORIZED, "The credentials are not valid";
    /// The token does not prove an identity.
    InvalidToken => "invalid_token", UNAUTHORIZED, "The token is not valid";
    /// No endpoint rule matches path and method.
    NoEndpoint => "no_endpoint", FORBIDDEN, "No endpoint rule allows this call";
    /// The endpoint takes only callers that came through the mechanism.
    NotProxied => "not_proxied", FORBIDDEN, "Only proxied callers may call this endpoint";
    /// None of the endpoint's permissions is held.
    PermissionMissing => "permission_missing", FORBIDDEN, "A permission is missing";
    /// None of the endpoint's authorities is held.
    AuthorityMissing => "authority_missing", FORBIDDEN, "An authority is missing";
    /// One of the endpoint's scopes is not held.
    ScopeMissing => "scope_missing", FORBIDDEN, "A scope is missing";
    /// The service account's credential cannot be had right now.
    CredentialUnavailable => "credential_unavailable", SERVICE_UNAVAILABLE, "The credential is not available";
    /// No configuration has been taken yet.
    NotConfigured => "not_configured", SERVICE_UNAVAILABLE, "The sidecar has no configuration yet";
    /// Too much is going on.
    Overloaded => "overloaded", SERVICE_UNAVAILABLE, "Too many requests at once";
    /// The app does not take a connection.
    UpstreamUnreachable => "upstream_unreachable", BAD_GATEWAY, "The backend cannot be reached";
    /// The address that the app's name resolves to is not allowed.
    UpstreamAddressRefused => "upstream_address_refused", BAD_GATEWAY, "The backend's address is not allowed";
    /// TLS to the app failed.
    UpstreamTls => "upstream_tls", BAD_GATEWAY, "TLS to the backend failed";
    /// The app broke off or did not speak HTTP.
    UpstreamBroken => "upstream_broken", BAD_GATEWAY, "The backend broke off";
    /// The app took too long.
    UpstreamTimeout => "upstream_timeout", GATEWAY_TIMEOUT, "The backend took too long";
    /// A mistake in crosscall itself.
    Internal => "internal", INTERNAL_SERVER_ERROR, "Something went wrong in the sidecar";
}

/// Why a call is not served: a code, and a sentence for the person who reads it. It never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// The code.
    pub code: Code,
    /// What happened and what to do.
    pub detail: std::borrow::Cow<'static, str>,
}

// === impl Refusal ===

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(code: Code, detail: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_snake_case() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", code.as_str());
            assert!(seen.insert(code.as_str()), "{} twice", code.as_str());
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }
}
