//! How are people told apart?

use std::collections::BTreeMap;

use crds::Anonymous;
use sidecar_policy::caller::ROLE_ANONYMOUS;
use sidecar_policy::config::{Authentication, Provider};

use crate::context::Context;
use crate::findings::{Findings, Problem};
use crate::inventory::Key;
use crate::reason::Reason;

/// Who vouches for people, as far as they can be used.
pub(crate) type Providers<'a> = BTreeMap<&'a Key, Provider>;

/// The providers that a resource names. One that is missing is left out, so whom it alone would vouch for gets 401: the
/// rest stays as it is written, and nobody is let in instead.
pub(crate) fn compile(
    context: &Context<'_>,
    providers: &Providers<'_>,
    resource: &Key,
    authentication: &crds::Authentication,
    findings: &mut Findings,
) -> Authentication {
    let mut names: Vec<String> = Vec::new();
    for (index, provider) in authentication.providers.iter().enumerate() {
        let key = resource.sibling(provider.name.as_str());
        let field = format!("spec.authentication.providers[{index}]");
        if !context.inventory.providers.contains_key(&key) {
            let message = format!("there is no IdentityProvider {} in namespace {}", key.name, key.namespace);
            findings.unresolved(Problem::new(Reason::ProviderNotFound, message).at(field));
        } else if !providers.contains_key(&key) {
            let message = format!("IdentityProvider {key} cannot be used: see its conditions");
            findings.unresolved(Problem::new(Reason::ProviderNotReady, message).at(field));
        } else if !names.contains(&key.name) {
            names.push(key.name);
        }
    }
    let authorities = authentication.anonymous_authorities.as_ref();
    let anonymous = || match authorities {
        Some(authorities) => authorities.iter().map(ToString::to_string).collect(),
        None => [ROLE_ANONYMOUS.to_owned()].into(),
    };
    let anonymous_authorities = (authentication.anonymous == Anonymous::Allow).then(anonymous);
    Authentication { providers: names, anonymous_authorities }
}
