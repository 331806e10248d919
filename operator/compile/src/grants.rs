//! What both sides grant.
//!
//! The account asks: for apps, in environments, with permissions. The app answers: which proxy apps it takes, from which
//! environments, honouring what. What holds is the intersection. A callee that does not take a caller is no target of
//! it, so that the caller's own sidecar refuses the call before a credential is touched, and its keys never reach the
//! callee's sidecar.

use std::collections::{BTreeMap, BTreeSet};

use crds::{Accepts, EnvName, Permission};

use crate::accounts::{Account, Accounts};
use crate::apps::{App, Directory};
use crate::condition::ConditionType;
use crate::findings::{Findings, Problem};
use crate::inventory::Key;
use crate::reason::Reason;

/// What is honoured where `accepts` does not say.
pub(crate) const DEFAULT_PERMISSION: &str = "use_proxied_only_endpoints";

/// What holds between one account and one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) permissions: BTreeSet<String>,
    /// `None`: all.
    pub(crate) authorities: Option<BTreeSet<String>>,
}

/// Every answer: by account and app; `None`: the app does not take the account. What is not here was not asked for.
pub(crate) struct Grants<'a> {
    by_account: BTreeMap<&'a Key, BTreeMap<&'a Key, Option<Grant>>>,
    /// The accounts that each app takes.
    callers: BTreeMap<&'a Key, Vec<&'a Key>>,
}

// === impl Grants ===

impl<'a> Grants<'a> {
    /// The answer of an app to an account: outer `None`, it was not asked; inner `None`, it refused.
    pub(crate) fn answer(&self, account: &Key, app: &Key) -> Option<Option<&Grant>> {
        self.by_account.get(account)?.get(app).map(Option::as_ref)
    }

    /// The accounts that an app takes.
    pub(crate) fn callers<'s>(&'s self, app: &'s Key) -> impl Iterator<Item = (&'a Key, &'s Grant)> {
        let callers = self.callers.get(app).into_iter().flatten();
        callers.filter_map(move |account| Some((*account, self.answer(account, app)??)))
    }
}

/// Asks every app that an account names, and says in the account's status what was not given.
pub(crate) fn compile<'a>(accounts: &mut Accounts<'a>, directory: &Directory<'a>) -> Grants<'a> {
    let mut by_account = BTreeMap::new();
    let mut callers: BTreeMap<&Key, Vec<&Key>> = BTreeMap::new();
    for (key, account) in &accounts.accepted {
        let mut answers = BTreeMap::new();
        for environment in &account.environments {
            let named = account.spec.apps.iter().filter_map(|name| directory.find(name.as_str(), environment));
            answers.extend(named.map(|app| (app.key, honour(account, app))));
        }
        if let Some(findings) = accounts.findings.get_mut(key) {
            report(account, &answers, findings);
        }
        for app in answers.iter().filter(|(_, answer)| answer.is_some()).map(|(app, _)| *app) {
            callers.entry(app).or_default().push(*key);
        }
        by_account.insert(*key, answers);
    }
    Grants { by_account, callers }
}

/// What the app honours of what the account asks for; `None`: it does not take the account.
fn honour(account: &Account<'_>, app: &App<'_>) -> Option<Grant> {
    let asked = &account.spec.permissions;
    let Some(accepts) = &app.spec().accepts else {
        let permissions = asked.iter().filter(|name| name.as_str() == DEFAULT_PERMISSION).map(Permission::to_string);
        let grant = Grant { permissions: permissions.collect(), authorities: None };
        return (account.environment == app.environment).then_some(grant);
    };
    let mut entries = accepts.iter().filter(|entry| takes(entry, account, app.environment)).peekable();
    entries.peek()?;
    let mut grant = Grant { permissions: BTreeSet::new(), authorities: Some(BTreeSet::new()) };
    for entry in entries {
        let honoured = |name: &&Permission| match &entry.permissions {
            Some(honoured) => honoured.contains(*name),
            None => name.as_str() == DEFAULT_PERMISSION,
        };
        grant.permissions.extend(asked.iter().filter(honoured).map(Permission::to_string));
        grant.authorities = match (grant.authorities, &entry.authorities) {
            (Some(so_far), Some(more)) => {
                Some(so_far.into_iter().chain(more.iter().map(ToString::to_string)).collect())
            }
            _ => None,
        };
    }
    Some(grant)
}

/// Whether an entry of `accepts` speaks of this account, in the environment that it calls from.
fn takes(entry: &Accepts, account: &Account<'_>, own: &EnvName) -> bool {
    entry.proxy_app == account.spec.proxy_app
        && match &entry.environments {
            Some(environments) => environments.contains(account.environment),
            None => account.environment == own,
        }
}

fn report(account: &Account<'_>, answers: &BTreeMap<&Key, Option<Grant>>, findings: &mut Findings) {
    findings.asked();
    let (proxy_app, environment) = (&account.spec.proxy_app, account.environment);
    for app in answers.iter().filter(|(_, answer)| answer.is_none()).map(|(app, _)| app) {
        let message = format!("{app} does not take {proxy_app} from environment {environment}: its spec.accepts could");
        findings.not_granted(Problem::new(Reason::NotAccepted, message).at("spec.apps"));
    }
    let taking: Vec<(&&Key, &Grant)> =
        answers.iter().filter_map(|(app, answer)| Some((app, answer.as_ref()?))).collect();
    for (index, permission) in account.spec.permissions.iter().enumerate() {
        let refusing = taking.iter().filter(|(_, grant)| !grant.permissions.contains(permission.as_str()));
        let refusing: Vec<String> = refusing.map(|(app, _)| app.to_string()).collect();
        if refusing.is_empty() {
            continue;
        }
        if refusing.len() == taking.len() {
            let message =
                format!("{permission} is not granted: spec.accepts of {} could grant it", refusing.join(", "));
            let field = format!("spec.permissions[{index}]");
            findings.not_granted(Problem::new(Reason::PermissionNotGranted, message).at(field));
        } else {
            let note = format!("{permission} is not honoured by {}", refusing.join(", "));
            findings.note(ConditionType::PermissionsGranted, note);
        }
    }
    if answers.is_empty() {
        let note = "none of its apps exists in an environment that it may call";
        findings.note(ConditionType::PermissionsGranted, note);
    }
}
