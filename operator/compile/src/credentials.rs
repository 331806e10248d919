//! How does an account prove itself?

use std::collections::BTreeMap;
use std::time::Duration;

use crds::{CredentialType, ProxyServiceAccountSpec, SignatureAlgorithm, SignedToken};
use sidecar_policy::config::Credential;
use sidecar_policy::jwt::{Algorithm, SigningKey, VerifyingKey};

use crate::condition::NeededKey;
use crate::context::Context;
use crate::findings::{Findings, Problem};
use crate::inventory::{AccountKeys, Key};
use crate::reason::Reason;

/// A credential, and the public keys by which verifiers know the account.
pub(crate) struct Proof {
    pub(crate) credential: Credential,
    /// JSON text by key id.
    pub(crate) keys: BTreeMap<String, String>,
}

/// A credential that this version can use.
#[derive(Clone, Copy)]
pub(crate) enum Way<'a> {
    SignedToken(&'a SignedToken),
    Basic(&'a crds::BasicCredential),
    Bearer(&'a crds::BearerCredential),
}

/// The shortest and longest life of a token, in seconds.
const LIFETIME: std::ops::RangeInclusive<u64> = 10..=86_400;

// === impl Way ===

impl<'a> Way<'a> {
    /// The one way that a resource names.
    pub(crate) fn of(spec: &'a ProxyServiceAccountSpec) -> Result<Self, Problem> {
        let credential = &spec.credential;
        let kind = credential.kind;
        check_union(credential)?;
        let way = match kind {
            CredentialType::SignedToken => credential.signed_token.as_ref().map(Self::SignedToken),
            CredentialType::Basic => credential.basic.as_ref().map(Self::Basic),
            CredentialType::Bearer => credential.bearer.as_ref().map(Self::Bearer),
            CredentialType::ClientCredentials
            | CredentialType::CognitoSrp
            | CredentialType::KubernetesToken
            | CredentialType::TokenExchange => {
                return Err(Problem::not_supported(&format!("type {kind:?}"), "spec.credential.type"));
            }
        };
        let way = way.ok_or_else(|| {
            let message = format!("credential.type is {kind:?}, so credential.{} must be set", field_of(kind));
            Problem::new(Reason::InvalidCredential, message).at("spec.credential")
        })?;
        if let Self::SignedToken(token) = way
            && !LIFETIME.contains(&token.lifetime.seconds())
        {
            let message = format!("a token's life is from 10s to 24h, not {}", token.lifetime);
            return Err(Problem::new(Reason::InvalidLifetime, message).at("spec.credential.signedToken.lifetime"));
        }
        Ok(way)
    }

    /// The key pair that must be made for it.
    pub(crate) fn needed_key(&self) -> Option<NeededKey> {
        let Self::SignedToken(token) = self else { return None };
        token.key_secret_ref.is_none().then(|| NeededKey {
            algorithm: algorithm(token.algorithm),
            rotate_every: Duration::from_millis(token.rotate_every.millis()),
        })
    }
}

/// What the Secrets and key pairs give for an account. `None` with a finding: it cannot prove itself.
pub(crate) fn compile<'a>(context: &Context<'a>, key: &'a Key, way: Way<'a>, findings: &mut Findings) -> Option<Proof> {
    let refs = context.refs(key);
    let credential = match way {
        Way::SignedToken(token) => return signed_token(context, key, token, findings),
        Way::Bearer(bearer) => {
            let (secret, field) = (&bearer.secret_ref, "spec.credential.bearer.secretRef");
            let entry = secret.key.as_deref().unwrap_or("token");
            let token = findings.resolve(refs.header_secret(secret.name.as_str(), entry, field))?;
            Credential::Bearer { token }
        }
        Way::Basic(basic) => {
            let (secret, field) = (basic.secret_ref.name.as_str(), "spec.credential.basic.secretRef");
            let username = findings.resolve(refs.secret_entry(secret, "username", field));
            let password = findings.resolve(refs.secret_entry(secret, "password", field));
            let username = username?.expose().trim_end_matches(['\r', '\n']);
            let password = password?.expose().trim_end_matches(['\r', '\n']);
            if username.is_empty() || username.contains(':') || username.chars().any(char::is_control) {
                let rule = "a user name is not empty and holds neither ':' nor control characters (RFC 7617)";
                findings.unresolved(refs.invalid(secret, "username", rule, field));
                return None;
            }
            if password.chars().any(char::is_control) {
                let rule = "a password holds no control characters (RFC 7617)";
                findings.unresolved(refs.invalid(secret, "password", rule, field));
                return None;
            }
            Credential::Basic { username: username.to_owned(), password: password.into() }
        }
    };
    Some(Proof { credential, keys: BTreeMap::new() })
}

fn signed_token<'a>(
    context: &Context<'a>,
    key: &'a Key,
    token: &SignedToken,
    findings: &mut Findings,
) -> Option<Proof> {
    let lifetime_seconds = token.lifetime.seconds();
    let Some(secret) = &token.key_secret_ref else {
        let Some(keys) = context.inventory.key_pairs.get(key) else {
            if findings.is_accepted() {
                let message = format!("the key pair of {key} is not made yet");
                findings.unresolved(Problem::new(Reason::KeyPending, message).at("spec.credential.signedToken"));
            }
            return None;
        };
        return made_key(keys, lifetime_seconds, findings);
    };
    let (name, entry) = (secret.name.as_str(), secret.key.as_deref().unwrap_or("tls.key"));
    let field = "spec.credential.signedToken.keySecretRef";
    let material = findings.resolve(context.refs(key).secret_entry(name, entry, field))?;
    let parsed = SigningKey::parse(material.expose().as_bytes(), algorithm(token.algorithm));
    let given = parsed.and_then(|parsed| Ok((parsed.to_pkcs8_pem()?, parsed)));
    let (private_key, parsed) = findings.resolve(given.map_err(|error| {
        Problem::new(Reason::KeyInvalid, format!("entry {entry} of Secret {name}: {error}")).at(field)
    }))?;
    let kid = parsed.kid().to_owned();
    let keys = [(kid.clone(), parsed.public_jwk().to_string())].into();
    let algorithm = parsed.algorithm();
    Some(Proof { credential: Credential::SignedToken { algorithm, kid, private_key, lifetime_seconds }, keys })
}

/// A key pair that was made. Each public key is looked at here, since one that a verifier cannot read would cost it its
/// whole configuration.
fn made_key(keys: &AccountKeys, lifetime_seconds: u64, findings: &mut Findings) -> Option<Proof> {
    let field = "spec.credential.signedToken";
    let signing = &keys.signing;
    let mut public = BTreeMap::new();
    let published = keys.published.iter().map(|key| (&key.kid, &key.jwk));
    for (kid, jwk) in published.chain([(&signing.kid, &signing.jwk)]) {
        let algorithm = (*kid == signing.kid).then_some(signing.algorithm);
        if is_public_key(kid, jwk, algorithm) {
            public.insert(kid.clone(), jwk.clone());
        } else {
            let message = format!("the public key {kid:?} in the account's key Secret is damaged");
            findings.unresolved(Problem::new(Reason::KeyInvalid, message).at(field));
        }
    }
    if !public.contains_key(&signing.kid) {
        return None;
    }
    let credential = Credential::SignedToken {
        algorithm: signing.algorithm,
        kid: signing.kid.clone(),
        private_key: signing.private_key_pem.clone(),
        lifetime_seconds,
    };
    Some(Proof { credential, keys: public })
}

fn is_public_key(kid: &str, jwk: &str, algorithm: Option<Algorithm>) -> bool {
    let fits =
        |key: VerifyingKey| key.kid() == Some(kid) && algorithm.is_none_or(|algorithm| algorithm == key.algorithm());
    VerifyingKey::from_jwk(jwk).is_ok_and(fits)
}

/// The rule of the schema, once more for whoever calls without one.
fn check_union(credential: &crds::Credential) -> Result<(), Problem> {
    let kind = credential.kind;
    let other = [
        (CredentialType::SignedToken, credential.signed_token.is_some()),
        (CredentialType::ClientCredentials, credential.client_credentials.is_some()),
        (CredentialType::CognitoSrp, credential.cognito_srp.is_some()),
        (CredentialType::Basic, credential.basic.is_some()),
        (CredentialType::Bearer, credential.bearer.is_some()),
        (CredentialType::KubernetesToken, credential.kubernetes_token.is_some()),
        (CredentialType::TokenExchange, credential.token_exchange.is_some()),
    ]
    .into_iter()
    .find(|(other, set)| *set && *other != kind);
    let Some((other, _)) = other else { return Ok(()) };
    let message = format!("credential.type is {kind:?}, so only credential.{} may be set", field_of(kind));
    let field = format!("spec.credential.{}", field_of(other));
    Err(Problem::new(Reason::InvalidCredential, message).at(field))
}

fn field_of(kind: CredentialType) -> &'static str {
    match kind {
        CredentialType::SignedToken => "signedToken",
        CredentialType::ClientCredentials => "clientCredentials",
        CredentialType::CognitoSrp => "cognitoSrp",
        CredentialType::Basic => "basic",
        CredentialType::Bearer => "bearer",
        CredentialType::KubernetesToken => "kubernetesToken",
        CredentialType::TokenExchange => "tokenExchange",
    }
}

fn algorithm(algorithm: SignatureAlgorithm) -> Algorithm {
    match algorithm {
        SignatureAlgorithm::RS256 => Algorithm::RS256,
        SignatureAlgorithm::RS384 => Algorithm::RS384,
        SignatureAlgorithm::RS512 => Algorithm::RS512,
        SignatureAlgorithm::PS256 => Algorithm::PS256,
        SignatureAlgorithm::PS384 => Algorithm::PS384,
        SignatureAlgorithm::PS512 => Algorithm::PS512,
        SignatureAlgorithm::ES256 => Algorithm::ES256,
        SignatureAlgorithm::ES384 => Algorithm::ES384,
        SignatureAlgorithm::EdDSA => Algorithm::EdDSA,
    }
}
