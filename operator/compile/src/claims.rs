//! Who owns an app's name?
//!
//! In one environment a name (an id, an alias, a `proxyApp`) belongs to the namespace of the oldest resource that
//! claims it, and among the `ProxiedApp`s of that namespace to the oldest. A claim counts whether or not its resource
//! is accepted otherwise, so that a passing mistake does not hand a name to somebody else.

use std::collections::{BTreeMap, BTreeSet};

use crds::{EnvName, ProxiedApp, ProxyServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;

use crate::condition::{Kind, ObjectRef};
use crate::environments::Environments;
use crate::findings::Problem;
use crate::inventory::{Inventory, Key};
use crate::reason::Reason;

/// How old a resource is; the smaller is the older. One without a timestamp does not exist yet, so every other is
/// older. Equal ages are settled by namespace and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Age<'a> {
    unborn: bool,
    created: Option<Timestamp>,
    key: &'a Key,
}

/// The owners of all names.
pub(crate) struct Claims<'a> {
    by_name: BTreeMap<&'a EnvName, BTreeMap<&'a str, Vec<Claim<'a>>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim<'a> {
    age: Age<'a>,
    kind: Kind,
}

// === impl Age ===

impl<'a> Age<'a> {
    pub(crate) fn new(key: &'a Key, metadata: &ObjectMeta) -> Self {
        let created = metadata.creation_timestamp.as_ref().map(|time| time.0);
        Self { unborn: created.is_none(), created, key }
    }
}

// === impl Claims ===

impl<'a> Claims<'a> {
    pub(crate) fn new(inventory: &'a Inventory, environments: &Environments<'a>) -> Self {
        let mut claims = Self { by_name: BTreeMap::new() };
        for (key, app) in &inventory.apps {
            let claim = Claim { age: Age::new(key, &app.metadata), kind: Kind::ProxiedApp };
            claims.add(environments, claim, names_of(key, app));
        }
        for (key, account) in &inventory.accounts {
            let claim = Claim { age: Age::new(key, &account.metadata), kind: Kind::ProxyServiceAccount };
            claims.add(environments, claim, [account.spec.proxy_app.as_str()].into());
        }
        for claims in claims.by_name.values_mut().flat_map(BTreeMap::values_mut) {
            claims.sort_unstable();
        }
        claims
    }

    fn add(&mut self, environments: &Environments<'a>, claim: Claim<'a>, names: BTreeSet<&'a str>) {
        let Some(environment) = environments.of(&claim.age.key.namespace) else { return };
        let by_name = self.by_name.entry(environment).or_default();
        for name in names {
            by_name.entry(name).or_default().push(claim);
        }
    }

    /// What a `ProxiedApp` lost to others.
    pub(crate) fn check_app(&self, environment: &EnvName, key: &Key, app: &ProxiedApp) -> Result<(), Problem> {
        let lost = names_of(key, app).into_iter().find_map(|name| {
            let claims = self.claims(environment, name);
            let owner = foreign_owner(claims, key).or_else(|| {
                let oldest = claims.iter().find(|claim| claim.kind == Kind::ProxiedApp)?;
                (oldest.age.key != key).then_some(oldest)
            })?;
            Some((name, owner))
        });
        let Some((name, owner)) = lost else { return Ok(()) };
        let aliases = app.spec.aliases.iter();
        let alias = aliases.enumerate().find(|(_, alias)| alias.as_str() == name).map(|(index, _)| index);
        let field = alias.map_or("metadata.name".to_owned(), |index| format!("spec.aliases[{index}]"));
        Err(conflict(environment, name, owner).at(field))
    }

    /// What a `ProxyServiceAccount` lost to another namespace.
    pub(crate) fn check_account(
        &self,
        environment: &EnvName,
        key: &Key,
        account: &ProxyServiceAccount,
    ) -> Result<(), Problem> {
        let name = account.spec.proxy_app.as_str();
        match foreign_owner(self.claims(environment, name), key) {
            Some(owner) => Err(conflict(environment, name, owner).at("spec.proxyApp")),
            None => Ok(()),
        }
    }

    /// The `ProxiedApp` that owns a name, accepted or not.
    pub(crate) fn app(&self, environment: &EnvName, name: &str) -> Option<&'a Key> {
        let claims = self.claims(environment, name);
        let owner = claims.first()?;
        let of_owner = claims.iter().filter(|claim| claim.age.key.namespace == owner.age.key.namespace);
        of_owner.filter(|claim| claim.kind == Kind::ProxiedApp).map(|claim| claim.age.key).next()
    }

    fn claims(&self, environment: &EnvName, name: &str) -> &[Claim<'a>] {
        self.by_name.get(environment).and_then(|names| names.get(name)).map_or(&[], Vec::as_slice)
    }
}

/// Every name of an app, its id among them.
pub(crate) fn names_of<'a>(key: &'a Key, app: &'a ProxiedApp) -> BTreeSet<&'a str> {
    app.spec.aliases.iter().map(crds::AppName::as_str).chain([key.name.as_str()]).collect()
}

/// The oldest claim, if it is another namespace's.
fn foreign_owner<'c, 'a>(claims: &'c [Claim<'a>], key: &Key) -> Option<&'c Claim<'a>> {
    claims.first().filter(|owner| owner.age.key.namespace != key.namespace)
}

fn conflict(environment: &EnvName, name: &str, owner: &Claim<'_>) -> Problem {
    let owner = ObjectRef::new(owner.kind, owner.age.key.clone());
    Problem::new(
        Reason::NameConflict,
        format!("the name {name} belongs to {owner} in environment {environment}: the older claim keeps it"),
    )
}
