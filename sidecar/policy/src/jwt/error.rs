//! Why a token is not taken.

/// Why a token is not taken. Nothing here quotes the token: a message can go into a log or an answer as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`crate::jwt::MAX_TOKEN_BYTES`], or with a header or a signature beyond what any key needs.
    #[error("the token is too large")]
    TooLarge,
    /// Not three parts, not canonical base64url, not a JSON object.
    #[error("the token is not a JSON Web Token in compact form")]
    Malformed,
    /// A member stands twice in one JSON object, so that two readers may see two tokens (RFC 8725, section 2.4).
    #[error("the token names a member twice")]
    DuplicateMember,
    /// JSON within JSON beyond any use.
    #[error("the token is nested too deeply")]
    TooDeep,
    /// `none`, a shared-secret algorithm, an unknown one, or another than the key's own.
    #[error("the token's algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// The header carries or points to a key (`jwk`, `jku`, `x5c`, `x5u`): keys come from the configuration alone.
    #[error("the token brings its own key")]
    EmbeddedKey,
    /// The header asks for something that is not understood: `crit`, `b64`, `zip`, `enc`.
    #[error("the token's header asks for an extension that is not supported")]
    UnsupportedHeader,
    /// A token within a token (`cty: JWT`).
    #[error("the token holds another token")]
    Nested,
    /// No key has that `kid`.
    #[error("the token is signed with an unknown key")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("the token's signature is not valid")]
    BadSignature,
    /// A claim is missing.
    #[error("the token lacks the claim `{0}`")]
    MissingClaim(&'static str),
    /// A claim is not of its type: a time that is no whole number of seconds, a list that holds something else than
    /// strings.
    #[error("the token's claim `{0}` is not of its type")]
    InvalidClaim(&'static str),
    /// `exp` is past.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` is to come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `aud` is not this app in this environment, or not it alone.
    #[error("the token is meant for another app or environment")]
    WrongAudience,
    /// `iss` is not this installation.
    #[error("the token was issued by somebody else")]
    WrongIssuer,
    /// `env` is not the environment that the key is bound to.
    #[error("the token comes from another environment than its key")]
    WrongEnvironment,
    /// `sub` or `act` is not the account that the key is bound to, or a person has an account's name.
    #[error("the token speaks for another account than its key")]
    WrongSubject,
}

// === impl TokenError ===

impl TokenError {
    /// The reason as one word, for problem documents, logs and metric labels.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "token_too_large",
            Self::Malformed => "token_malformed",
            Self::DuplicateMember => "token_duplicate_member",
            Self::TooDeep => "token_too_deep",
            Self::AlgorithmNotAllowed => "token_algorithm_not_allowed",
            Self::EmbeddedKey => "token_embedded_key",
            Self::UnsupportedHeader => "token_unsupported_header",
            Self::Nested => "token_nested",
            Self::UnknownKey => "token_unknown_key",
            Self::BadSignature => "token_bad_signature",
            Self::MissingClaim(_) => "token_missing_claim",
            Self::InvalidClaim(_) => "token_invalid_claim",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::WrongAudience => "token_wrong_audience",
            Self::WrongIssuer => "token_wrong_issuer",
            Self::WrongEnvironment => "token_wrong_environment",
            Self::WrongSubject => "token_wrong_subject",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_one_code_each() {
        use TokenError as E;
        let all = [
            E::TooLarge,
            E::Malformed,
            E::DuplicateMember,
            E::TooDeep,
            E::AlgorithmNotAllowed,
            E::EmbeddedKey,
            E::UnsupportedHeader,
            E::Nested,
            E::UnknownKey,
            E::BadSignature,
            E::MissingClaim("exp"),
            E::InvalidClaim("exp"),
            E::Expired,
            E::NotYetValid,
            E::WrongAudience,
            E::WrongIssuer,
            E::WrongEnvironment,
            E::WrongSubject,
        ];
        let codes: std::collections::BTreeSet<_> = all.iter().map(TokenError::code).collect();
        assert_eq!(codes.len(), all.len());
        for code in codes {
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
        }
    }
}
