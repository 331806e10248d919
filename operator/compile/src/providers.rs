//! Who vouches for people?

use std::collections::BTreeMap;

use crds::{BasicUsers, IdentityProvider, IdentityProviderType, Permission};
use sidecar_policy::caller::Caller;
use sidecar_policy::config::{BasicUser, Provider};
use sidecar_policy::password::PasswordHash;
use sidecar_policy::secret::SecretString;

use crate::authentication::Providers;
use crate::condition::Kind;
use crate::context::Context;
use crate::findings::{Findings, Problem};
use crate::inventory::Key;
use crate::reason::Reason;
use crate::report::Report;

/// Every provider that can be used.
pub(crate) fn compile<'a>(context: &Context<'a>, report: &mut Report) -> Providers<'a> {
    let mut providers = Providers::new();
    for (key, provider) in &context.inventory.providers {
        let mut findings = Findings::default();
        if let Some(provider) = compile_one(context, key, provider, &mut findings) {
            providers.insert(key, provider);
        }
        report.add(Kind::IdentityProvider, key, findings);
    }
    providers
}

fn compile_one<'a>(
    context: &Context<'a>,
    key: &'a Key,
    provider: &IdentityProvider,
    findings: &mut Findings,
) -> Option<Provider> {
    let spec = &provider.spec;
    let basic = match (spec.kind, &spec.basic) {
        (IdentityProviderType::Basic, Some(basic)) => basic,
        (IdentityProviderType::Basic, None) => {
            findings.refuse(Problem::new(Reason::InvalidProvider, "type Basic needs basic").at("spec.basic"));
            return None;
        }
        (other, _) => {
            findings.refuse(Problem::not_supported(&format!("type {other:?}"), "spec.type"));
            return None;
        }
    };
    let field = "spec.basic.usersSecretRef";
    let secret = findings.resolve(context.refs(key).secret(basic.users_secret_ref.name.as_str(), field))?;
    let users = users(basic, secret, findings);
    let realm = basic.realm.clone().unwrap_or_else(|| key.name.clone());
    if realm.chars().any(char::is_control) {
        let message = "the realm holds control characters";
        findings.refuse(Problem::new(Reason::InvalidProvider, message).at("spec.basic.realm"));
        return None;
    }
    Some(Provider::Basic { realm, users })
}

/// The users whose name and hash can be used. One bad entry locks out its own user alone.
fn users(
    basic: &BasicUsers,
    secret: &BTreeMap<String, SecretString>,
    findings: &mut Findings,
) -> BTreeMap<String, BasicUser> {
    let name = basic.users_secret_ref.name.as_str();
    let mut users = BTreeMap::new();
    for (user, hash) in secret {
        match check_user(user, hash, name) {
            Ok(hash) => {
                let roles = basic.roles.get(user).into_iter().flatten().map(Permission::to_string).collect();
                users.insert(user.clone(), BasicUser { hash, roles });
            }
            Err(problem) => findings.unresolved(problem.at("spec.basic.usersSecretRef")),
        }
    }
    for user in basic.roles.keys().filter(|user| !secret.contains_key(*user)) {
        let message = format!("user {user:?} has roles, but Secret {name} has no hash for it");
        findings.unresolved(Problem::new(Reason::UserNotFound, message).at(format!("spec.basic.roles.{user}")));
    }
    users
}

fn check_user(user: &str, hash: &SecretString, secret: &str) -> Result<SecretString, Problem> {
    let sendable = !user.contains(':') && !user.chars().any(char::is_control);
    if !sendable || Caller::person(user, Default::default()).is_err() {
        let message = format!("Secret {secret}: {user:?} cannot be the name of a user");
        return Err(Problem::new(Reason::InvalidUserName, message));
    }
    let hash = hash.expose().trim_end_matches(['\r', '\n']);
    match PasswordHash::parse(hash) {
        Ok(_) => Ok(hash.into()),
        Err(error) => {
            let message = format!("Secret {secret}, user {user:?}: {error}");
            Err(Problem::new(Reason::InvalidPasswordHash, message))
        }
    }
}
