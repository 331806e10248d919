//! Why a condition is what it is: the closed vocabulary of the compile step.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident $code:literal => $hint:literal,)+) => {
        /// Why a condition is what it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// As it stands in status: `NameConflict`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// As it stands in problem documents, metrics and the command line: `name_conflict`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What to do next, in one line.
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$name => $hint,)+ }
            }

            /// What it means, in one line.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

reasons! {
    /// The resource takes effect.
    Accepted "accepted" => "Nothing to do.",
    /// Everything that it names is there.
    ResolvedRefs "resolved_refs" => "Nothing to do.",
    /// What the account asks for is given.
    Granted "granted" => "Nothing to do.",

    /// The namespace has no environment.
    NoEnvironment "no_environment" => "Label the namespace: crosscall.dev/env=<environment>.",
    /// The environment is not one that the installation knows.
    UnknownEnvironment "unknown_environment" => "Use an environment of the installation, or add it to its setting `environments`.",
    /// The route takes the environment from the path, and its namespace may not.
    CrossEnvironmentNotAllowed "cross_environment_not_allowed" => "Use environmentSelection: Current, or have an administrator label the namespace crosscall.dev/allow-cross-environment=true.",
    /// Another resource holds one of the names in this environment.
    NameConflict "name_conflict" => "Choose another name or alias, or delete the resource that the message names: the oldest claim keeps a name.",
    /// The name cannot be an app's id.
    InvalidName "invalid_name" => "Name it with up to 63 lower-case letters, digits or '-'.",

    /// The service account that the route names does not exist in its namespace.
    ServiceAccountNotFound "service_account_not_found" => "Create the ProxyServiceAccount in the route's namespace, or correct serviceAccountRef.",
    /// The service account that the route names cannot be used.
    ServiceAccountNotReady "service_account_not_ready" => "Look at the conditions of the ProxyServiceAccount and mend it first.",
    /// The route and its service account belong to different apps.
    ProxyAppMismatch "proxy_app_mismatch" => "Give the route the proxyApp of its service account, or name another account.",
    /// An exposed route does not say who may use it.
    NotSecured "not_secured" => "Name providers in `authentication`, or write out `anonymous: Allow`.",
    /// An older route of the app serves the same prefix.
    PathConflict "path_conflict" => "Choose another pathPrefix, or delete the route that the message names: the older one is served.",
    /// The route does not say in one way which apps it reaches.
    InvalidBackends "invalid_backends" => "Set exactly one of `backends` and `backend`; with environmentSelection: FromPath, `backends`.",
    /// No app of that name exists in any environment.
    BackendNotFound "backend_not_found" => "Create the ProxiedApp, or correct the name: case matters.",
    /// The app exists, but not in the environment that the call goes to.
    BackendNotInEnvironment "backend_not_in_environment" => "Create the ProxiedApp in a namespace of this environment, or drop the backend.",
    /// The app exists, but nothing says where it is.
    BackendHasNoAddress "backend_has_no_address" => "Give the ProxiedApp a `service` or a `url`, and mend its own conditions.",
    /// The service account does not list the app or the environment.
    BackendNotGranted "backend_not_granted" => "Add the app to `apps` and the environment to `environments` of the service account.",

    /// The app does not take calls from this proxy app and environment.
    NotAccepted "not_accepted" => "Have the owner of the app add the proxy app to `accepts` of its ProxiedApp.",
    /// No app honours a permission that the account asks for.
    PermissionNotGranted "permission_not_granted" => "Have the owner of the app add the permission to `accepts`, or drop it from the account.",

    /// The account's key pair is not made yet.
    KeyPending "key_pending" => "Wait: the operator makes the key pair. Without a cluster, `crosscall serve` makes it.",
    /// The private key cannot be used.
    KeyInvalid "key_invalid" => "Give a private key that fits `algorithm`: PEM (PKCS#1 or PKCS#8) or the base64 of its DER.",
    /// Another account signs with the same key.
    KeyInUse "key_in_use" => "Give each account a key of its own: a key speaks for one account.",
    /// The life of a token is out of bounds.
    InvalidLifetime "invalid_lifetime" => "Choose a lifetime from 10s to 24h.",
    /// The credential's type and its fields do not fit.
    InvalidCredential "invalid_credential" => "Set credential.type and the one field that belongs to it.",

    /// The Secret does not exist in this namespace.
    SecretNotFound "secret_not_found" => "Create the Secret in the resource's own namespace, or correct the reference.",
    /// The Secret lacks the entry.
    SecretKeyMissing "secret_key_missing" => "Add the entry to the Secret, or name another with `key`.",
    /// The entry cannot be used for this.
    SecretValueInvalid "secret_value_invalid" => "Put a value there that is not empty and holds no control characters.",
    /// The ConfigMap does not exist in this namespace.
    ConfigMapNotFound "config_map_not_found" => "Create the ConfigMap in the resource's own namespace, or correct the reference.",
    /// The ConfigMap lacks the entry.
    ConfigMapKeyMissing "config_map_key_missing" => "Add the entry to the ConfigMap, or name another with `key`.",
    /// The CA bundle holds no certificates, or does not name one source.
    InvalidCaBundle "invalid_ca_bundle" => "Give PEM certificates through exactly one of secretRef, configMapRef and inline.",

    /// The IdentityProvider does not exist in this namespace.
    ProviderNotFound "provider_not_found" => "Create the IdentityProvider in the resource's own namespace, or correct the reference.",
    /// The IdentityProvider cannot be used.
    ProviderNotReady "provider_not_ready" => "Look at the conditions of the IdentityProvider and mend it first.",
    /// The provider's type and its fields do not fit.
    InvalidProvider "invalid_provider" => "Set `type` and the fields that belong to it.",
    /// A user has roles but no password hash.
    UserNotFound "user_not_found" => "Add the user's hash to the Secret, or drop the user from `roles`.",
    /// A user name is reserved or cannot be sent.
    InvalidUserName "invalid_user_name" => "Choose a name without ':' and control characters that does not begin with 'system:' and is not 'anonymousUser'.",
    /// A password hash cannot be used.
    InvalidPasswordHash "invalid_password_hash" => "Use an argon2id hash (PHC string) or a bcrypt hash.",

    /// Delegated authorisation may be bypassed in environment `local` only.
    BypassNotAllowed "bypass_not_allowed" => "Drop `bypass`, or use it in a namespace of environment local.",
    /// A header rule names a header that the sidecar owns.
    HeaderNotAllowed "header_not_allowed" => "Drop the rule: the sidecar sets this header itself.",
    /// A header rule cannot be applied.
    InvalidHeader "invalid_header" => "Use a header name (RFC 9110) once in each list, and a value of visible ASCII.",
    /// The cross-origin settings cannot be applied.
    InvalidCors "invalid_cors" => "Write origins as browsers send them (https://shop.example), and method and header names (RFC 9110).",
    /// A timeout of nothing.
    InvalidTimeout "invalid_timeout" => "Choose a timeout of 1ms or more.",
    /// The address of the app is refused.
    InvalidUrl "invalid_url" => "Use http(s)://host[:port][/base] without user, query or fragment, and no address that only the sidecar's own machine can reach.",
    /// An endpoint rule cannot be applied.
    InvalidEndpoint "invalid_endpoint" => "Write templates such as /api/v1/apples/{name} or /api/{*path}, each once for a method, and no empty list.",
    /// This version does not do that yet.
    NotSupported "not_supported" => "Drop the field that the message names.",
}

// === impl Reason ===

impl Reason {
    /// The reason of a code or a name: `name_conflict`, `NameConflict`.
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == text || reason.name() == text)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snake_case(name: &str) -> String {
        let mut code = String::new();
        for c in name.chars() {
            if c.is_ascii_uppercase() && !code.is_empty() {
                code.push('_');
            }
            code.push(c.to_ascii_lowercase());
        }
        code
    }

    #[test]
    fn codes_are_names_in_snake_case() {
        for reason in Reason::ALL {
            assert_eq!(reason.code(), snake_case(reason.name()), "{reason}");
        }
    }

    #[test]
    fn every_reason_says_what_next() {
        for reason in Reason::ALL {
            assert!(reason.hint().ends_with('.') && !reason.hint().contains('\n'), "{reason}: {}", reason.hint());
            assert!(reason.meaning().ends_with('.'), "{reason}: {}", reason.meaning());
        }
    }

    #[test]
    fn reasons_are_found_by_either_name() {
        for &reason in Reason::ALL {
            assert_eq!(Reason::find(reason.code()), Some(reason));
            assert_eq!(Reason::find(reason.name()), Some(reason));
        }
        assert_eq!(Reason::find("nonsense"), None);
    }
}
