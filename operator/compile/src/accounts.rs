//! Who calls?

use std::collections::{BTreeMap, BTreeSet};

use crds::{EnvName, ProxyServiceAccount, ProxyServiceAccountSpec};
use sidecar_policy::config::Credential;
use sidecar_policy::jwt::SigningKey;
use sidecar_policy::secret::SecretString;

use crate::claims::Age;
use crate::condition::NeededKey;
use crate::context::Context;
use crate::credentials::{self, Proof, Way};
use crate::findings::{Findings, Problem};
use crate::inventory::Key;
use crate::reason::Reason;

/// A `ProxyServiceAccount` that is accepted.
pub(crate) struct Account<'a> {
    pub(crate) key: &'a Key,
    pub(crate) spec: &'a ProxyServiceAccountSpec,
    pub(crate) environment: &'a EnvName,
    /// The environments that it lists and that its namespace may call.
    pub(crate) environments: BTreeSet<&'a EnvName>,
    /// `None`: it cannot call yet.
    pub(crate) credential: Option<Credential>,
    pub(crate) api_key: Option<SecretString>,
    /// The public keys by which verifiers know it: JSON text by key id.
    pub(crate) keys: BTreeMap<String, String>,
    pub(crate) needed_key: Option<NeededKey>,
}

/// The accounts, and what was found about each, accepted or not.
pub(crate) struct Accounts<'a> {
    pub(crate) accepted: BTreeMap<&'a Key, Account<'a>>,
    pub(crate) findings: BTreeMap<&'a Key, Findings>,
}

// === impl Account ===

impl Account<'_> {
    /// Its subject in tokens.
    pub(crate) fn subject(&self) -> String {
        format!("system:crosscall:{}:{}", self.key.namespace, self.key.name)
    }
}

/// Every account.
pub(crate) fn compile<'a>(context: &Context<'a>) -> Accounts<'a> {
    let mut accounts = Accounts { accepted: BTreeMap::new(), findings: BTreeMap::new() };
    for (key, resource) in &context.inventory.accounts {
        let mut findings = Findings::default();
        if let Some(account) = compile_one(context, key, resource, &mut findings) {
            accounts.accepted.insert(key, account);
        }
        accounts.findings.insert(key, findings);
    }
    settle_shared_keys(context, &mut accounts);
    accounts
}

fn compile_one<'a>(
    context: &Context<'a>,
    key: &'a Key,
    resource: &'a ProxyServiceAccount,
    findings: &mut Findings,
) -> Option<Account<'a>> {
    let spec = &resource.spec;
    let environment = findings.check(context.environments.require(&key.namespace));
    if let Some(environment) = environment {
        findings.check(context.claims.check_account(environment, key, resource));
    }
    let way = findings.check(Way::of(spec));
    let proof = way.and_then(|way| credentials::compile(context, key, way, findings));
    let api_key = spec.api_key.as_ref().map(|api_key| {
        let secret = &api_key.secret_ref;
        let entry = secret.key.as_deref().unwrap_or("api-key");
        context.refs(key).header_secret(secret.name.as_str(), entry, "spec.apiKey.secretRef")
    });
    // Without the key that belongs to every call, there is no call.
    let api_key = findings.resolve(api_key.transpose());
    let environments = environments(context, key, spec, findings);
    let environment = environment.filter(|_| findings.is_accepted())?;
    let (credential, keys) = match proof {
        Some(Proof { credential, keys }) => (api_key.is_some().then_some(credential), keys),
        None => (None, BTreeMap::new()),
    };
    let needed_key = way.and_then(|way| way.needed_key());
    let api_key = api_key.flatten();
    Some(Account { key, spec, environment, environments, credential, api_key, keys, needed_key })
}

/// What it lists, cut down to what exists and to where calls from its namespace may go at all.
fn environments<'a>(
    context: &Context<'a>,
    key: &Key,
    spec: &ProxyServiceAccountSpec,
    findings: &mut Findings,
) -> BTreeSet<&'a EnvName> {
    let mut environments = BTreeSet::new();
    for (index, name) in spec.environments.iter().enumerate() {
        if let Some(known) = context.environments.known(name.as_str()) {
            environments.insert(known);
        } else {
            let message = format!("the environment {name} is not one of {}", context.environments.list());
            let field = format!("spec.environments[{index}]");
            findings.unresolved(Problem::new(Reason::UnknownEnvironment, message).at(field));
        }
    }
    if !context.environments.may_cross(&key.namespace) {
        let own = context.environments.of(&key.namespace);
        environments.retain(|environment| Some(*environment) == own);
    }
    environments
}

/// A key speaks for one account. Where several name the same one, it belongs to the oldest of those that hold its
/// private half; the others lose it. (A public key is no secret, so that anybody can name another's.)
fn settle_shared_keys<'a>(context: &Context<'a>, accounts: &mut Accounts<'a>) {
    let mut holders: BTreeMap<String, Vec<&'a Key>> = BTreeMap::new();
    for account in accounts.accepted.values() {
        for kid in account.keys.keys() {
            holders.entry(kid.clone()).or_default().push(account.key);
        }
    }
    for (kid, mut holders) in holders.into_iter().filter(|(_, holders)| holders.len() > 1) {
        holders.sort_by_cached_key(|key| {
            let proven = accounts.accepted.get(key).is_some_and(|account| proves(account, &kid));
            (!proven, context.inventory.accounts.get(*key).map(|account| Age::new(key, &account.metadata)))
        });
        let Some((owner, losers)) = holders.split_first() else { continue };
        for loser in losers {
            let message = format!("the key {kid} belongs to the account {owner}: a key speaks for one account");
            let field = "spec.credential.signedToken";
            if let Some(findings) = accounts.findings.get_mut(loser) {
                findings.unresolved(Problem::new(Reason::KeyInUse, message).at(field));
            }
            if let Some(account) = accounts.accepted.get_mut(loser) {
                account.keys.remove(&kid);
                account.credential.take_if(|credential| signs_with(credential, &kid));
            }
        }
    }
}

fn signs_with(credential: &Credential, kid: &str) -> bool {
    matches!(credential, Credential::SignedToken { kid: own, .. } if own == kid)
}

fn proves(account: &Account<'_>, kid: &str) -> bool {
    match &account.credential {
        Some(Credential::SignedToken { algorithm, private_key, .. }) => {
            SigningKey::parse(private_key.expose().as_bytes(), *algorithm).is_ok_and(|key| key.kid() == kid)
        }
        _ => false,
    }
}
