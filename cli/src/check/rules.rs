//! The CEL rules of a definition (`x-kubernetes-validations`), evaluated as the API server would.

use std::fmt;

use kube::core::cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Severity};
use crate::load::Object;

/// The rules of one kind, compiled.
pub(crate) struct Rules {
    validator: Validator,
    schema: CompiledSchema,
}

// === impl Rules ===

impl Rules {
    /// Of `openAPIV3Schema`.
    pub(crate) fn new(schema: &Value) -> Self {
        Self { validator: Validator::new(), schema: compile_schema(schema) }
    }

    /// What `value`, the object as JSON, breaks. A rule that cannot be evaluated is broken.
    pub(crate) fn check(&self, object: &Object, value: &Value) -> Vec<Diagnostic> {
        let broken = self.validator.validate_compiled(&self.schema, value, None).err();
        let broken = broken.into_iter().flat_map(|errors| errors.into_vec());
        let diagnostic = |error: kube::core::cel::ValidationError| {
            let message = match error.kind {
                ErrorKind::ValidationFailure => error.message,
                _ => format!("the rule `{}` cannot be evaluated: {}", error.rule, error.message),
            };
            let place = object.place(&error.field_path);
            Diagnostic::new(Severity::Error, "rule", message).at(object, &error.field_path, place)
        };
        broken.map(diagnostic).collect()
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::check::Checker;
    use crate::load::{Source, parse_all};

    /// A spec of a kind that breaks a rule, and the rule's message.
    const BROKEN: [(&str, &str, &str); 28] = [
        ("IdentityProvider", "{type: OIDC, audiences: [a]}", "type OIDC needs issuer"),
        ("IdentityProvider", "{type: JWKS, audiences: [a]}", "type JWKS needs exactly one of jwksUri and jwks"),
        (
            "IdentityProvider",
            "{type: JWKS, audiences: [a], jwks: '{}', jwksUri: 'https://a'}",
            "type JWKS needs exactly one of jwksUri and jwks",
        ),
        (
            "IdentityProvider",
            "{type: Introspection}",
            "introspection belongs to type Introspection: set both or neither",
        ),
        ("IdentityProvider", "{type: Basic}", "basic belongs to type Basic: set both or neither"),
        (
            "IdentityProvider",
            "{type: OIDC, issuer: 'https://a'}",
            "types OIDC and JWKS need audiences, other types have none",
        ),
        (
            "IdentityProvider",
            "{type: OIDC, issuer: 'https://a', audiences: [a], caBundle: {}}",
            "caBundle: set exactly one of secretRef, configMapRef and inline",
        ),
        ("ProxiedApp", "{}", "say where the app is: appPort (behind its own sidecar), service or url"),
        ("ProxiedApp", "{url: 'http://a', service: {name: a, port: 1}}", "set only one of url and service"),
        ("ProxiedApp", "{appPort: 1, tls: {}}", "tls belongs to url or service"),
        (
            "ProxiedApp",
            "{url: 'https://a', tls: {verify: false, caBundle: {inline: x}}}",
            "tls.caBundle is of no use with tls.verify false",
        ),
        (
            "ProxiedApp",
            "{appPort: 1, endpoints: [{paths: [/], access: Public, proxiedOnly: true}]}",
            "access Public asks for nothing: drop proxiedOnly, permissions, authorities, scopes and authorize, or the access",
        ),
        (
            "ProxiedApp",
            "{appPort: 1, endpoints: [{paths: [/]}, {paths: [/x], access: Public, permissions: [a]}]}",
            "access Public asks for nothing: drop proxiedOnly, permissions, authorities, scopes and authorize, or the access",
        ),
        (
            "ProxyRoute",
            "{proxyApp: a, serviceAccountRef: {name: a}, pathPrefix: /}",
            "set exactly one of backends (a list, or [\"*\"]) and backend",
        ),
        (
            "ProxyRoute",
            "{proxyApp: a, serviceAccountRef: {name: a}, pathPrefix: /, backend: a, backends: [a]}",
            "set exactly one of backends (a list, or [\"*\"]) and backend",
        ),
        (
            "ProxyRoute",
            "{proxyApp: a, serviceAccountRef: {name: a}, pathPrefix: /, backend: a, environmentSelection: FromPath}",
            "environmentSelection FromPath needs backends: the path names backend and environment",
        ),
        (
            "ProxyRoute",
            "{proxyApp: a, serviceAccountRef: {name: a}, pathPrefix: /, backends: [a], apiVersions: {versions: {v1: \
             {upstreamPathPrefix: /v1}}, default: v2}}",
            "apiVersions.default must be one of apiVersions.versions",
        ),
        ("ProxyServiceAccount", "{type: SignedToken}", "credential.type is SignedToken, so set credential.signedToken"),
        (
            "ProxyServiceAccount",
            "{type: ClientCredentials}",
            "credential.type is ClientCredentials, so set credential.clientCredentials",
        ),
        ("ProxyServiceAccount", "{type: CognitoSrp}", "credential.type is CognitoSrp, so set credential.cognitoSrp"),
        ("ProxyServiceAccount", "{type: Basic}", "credential.type is Basic, so set credential.basic"),
        ("ProxyServiceAccount", "{type: Bearer}", "credential.type is Bearer, so set credential.bearer"),
        (
            "ProxyServiceAccount",
            "{type: KubernetesToken}",
            "credential.type is KubernetesToken, so set credential.kubernetesToken",
        ),
        (
            "ProxyServiceAccount",
            "{type: TokenExchange}",
            "credential.type is TokenExchange, so set credential.tokenExchange",
        ),
        (
            "ProxyServiceAccount",
            "{type: SignedToken, signedToken: {}, bearer: {secretRef: {name: t}}}",
            "credential.type is SignedToken, so only credential.signedToken may be set",
        ),
        (
            "ProxyServiceAccount",
            "{type: ClientCredentials, clientCredentials: {clientId: a}}",
            "clientCredentials: set tokenUrl, or issuer to discover it",
        ),
        (
            "ProxyServiceAccount",
            "{type: TokenExchange, tokenExchange: {clientId: a}}",
            "tokenExchange: set tokenUrl, or issuer to discover it",
        ),
        (
            "ProxiedApp a.b",
            "{appPort: 1}",
            "the name of a ProxiedApp is the app's id: up to 63 lower-case letters, digits or '-'",
        ),
    ];

    fn messages(checker: &Checker, kind: &str, spec: &str) -> Vec<String> {
        let (kind, name) = kind.split_once(' ').unwrap_or((kind, "a"));
        let spec = match kind {
            "ProxyServiceAccount" => format!("{{proxyApp: a, environments: [local], apps: [a], credential: {spec}}}"),
            _ => spec.to_owned(),
        };
        let text =
            format!("apiVersion: crosscall.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n");
        let loaded = parse_all(vec![Source { path: "a.yaml".into(), text }]);
        let (_, diagnostics) = checker.check(&loaded);
        assert!(diagnostics.iter().all(|it| it.code == "rule"), "{kind} {spec}: {diagnostics:?}");
        diagnostics.into_iter().map(|it| it.message).collect()
    }

    /// The messages of every rule of ours; an expression is not evaluated.
    fn all_messages() -> BTreeSet<String> {
        fn collect(schema: &Value, found: &mut BTreeSet<String>) {
            match schema {
                Value::Object(fields) => {
                    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
                    found.extend(rules.map(|rule| rule["message"].as_str().unwrap_or("credential.type is").to_owned()));
                    fields.values().for_each(|field| collect(field, found));
                }
                Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
                _ => {}
            }
        }
        let mut found = BTreeSet::new();
        for definition in crds::definitions() {
            collect(&serde_json::to_value(&definition.spec.versions).unwrap(), &mut found);
        }
        found
    }

    #[test]
    fn broken_rules_say_their_message() {
        let checker = Checker::new().unwrap();
        for (kind, spec, message) in BROKEN {
            let found = messages(&checker, kind, spec);
            assert!(found.iter().any(|one| one == message), "{kind} {spec}: {found:?}");
        }
    }

    #[test]
    fn every_rule_of_ours_is_tried() {
        let tried = |message: &String| BROKEN.iter().any(|(_, _, broken)| broken.starts_with(message.as_str()));
        let untried: Vec<String> = all_messages().into_iter().filter(|message| !tried(message)).collect();
        assert_eq!(untried, [""; 0]);
    }

    #[test]
    fn kept_rules_say_nothing() {
        let checker = Checker::new().unwrap();
        for (kind, spec) in [
            ("IdentityProvider", "{type: OIDC, issuer: 'https://a', audiences: [a], caBundle: {inline: x}}"),
            ("IdentityProvider", "{type: Basic, basic: {usersSecretRef: {name: a}}}"),
            (
                "ProxiedApp",
                "{url: 'https://a', tls: {caBundle: {inline: x}}, endpoints: [{paths: [/], access: Public}]}",
            ),
            ("ProxyRoute", "{proxyApp: a, serviceAccountRef: {name: a}, pathPrefix: /, backends: ['*']}"),
            ("ProxyServiceAccount", "{type: SignedToken, signedToken: {}}"),
            ("ProxyServiceAccount", "{type: Bearer, bearer: {secretRef: {name: t}}}"),
        ] {
            assert_eq!(messages(&checker, kind, spec), [""; 0], "{kind} {spec}");
        }
    }

    #[test]
    fn broken_rules_point_into_lists() {
        let text = "apiVersion: crosscall.dev/v1alpha1\nkind: ProxiedApp\nmetadata: {name: a}\nspec:\n  appPort: 1\n  \
                    endpoints:\n  - paths: [/]\n  - paths: [/x]\n    access: Public\n    proxiedOnly: true\n";
        let loaded = parse_all(vec![Source { path: "a.yaml".into(), text: text.to_owned() }]);
        let (_, diagnostics) = Checker::new().unwrap().check(&loaded);
        assert_eq!(diagnostics[0].field.as_deref(), Some("spec.endpoints[1]"));
        assert_eq!(diagnostics[0].span.map(|span| (span.line, span.column)), Some((8, 5)));
    }
}
