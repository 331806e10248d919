//! What came out: configurations, and what became of each resource.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sidecar_policy::config::Config;
use sidecar_policy::jwt::Algorithm;

use crate::inventory::Key;
use crate::reason::Reason;

/// What [`crate::compile`] gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compiled {
    /// One configuration for each app that calls through an accepted route or sits behind a sidecar.
    pub configs: BTreeMap<AppKey, Config>,
    /// What became of every resource: at most one condition of each type, `Accepted` first.
    pub conditions: BTreeMap<ObjectRef, Vec<Condition>>,
    /// The accounts that must have a key pair in [`crate::Inventory::key_pairs`], whether or not they have one yet.
    pub needed_keys: BTreeMap<Key, NeededKey>,
}

/// An app's configuration: its namespace and id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppKey {
    /// The namespace.
    pub namespace: String,
    /// The app's id: the name of a `ProxiedApp`, or the `proxyApp` of routes.
    pub app: String,
}

/// A key pair that an account needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeededKey {
    /// What it signs with.
    pub algorithm: Algorithm,
    /// How often it is replaced.
    pub rotate_every: Duration,
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: Kind,
    /// Where it is.
    pub key: Key,
}

/// The kinds of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Who vouches for people.
    IdentityProvider,
    /// Who receives.
    ProxiedApp,
    /// How calls go.
    ProxyRoute,
    /// Who calls.
    ProxyServiceAccount,
}

/// One thing that was found about a resource. Several findings of one type are one condition: its reason and field
/// are those of the first, its message names all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What it speaks of.
    pub type_: ConditionType,
    /// `false`: a problem.
    pub status: bool,
    /// Why.
    pub reason: Reason,
    /// For people; never holds a secret.
    pub message: String,
    /// The dotted path of the field at fault, such as `spec.backends[1]`.
    pub field: Option<String>,
}

/// The types of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// The resource by itself may take effect.
    Accepted,
    /// What it names is there and usable.
    ResolvedRefs,
    /// Accounts only: what it asks for is given by the apps that it names. Absent on an account that is not accepted,
    /// since nobody was asked.
    PermissionsGranted,
}

// === impl Compiled ===

impl Compiled {
    /// Every condition that is false, in the order of kinds and names.
    pub fn problems(&self) -> impl Iterator<Item = (&ObjectRef, &Condition)> {
        self.conditions
            .iter()
            .flat_map(|(object, conditions)| conditions.iter().map(move |condition| (object, condition)))
            .filter(|(_, condition)| !condition.status)
    }
}

// === impl AppKey ===

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.app)
    }
}

// === impl ObjectRef ===

impl ObjectRef {
    /// Of a kind and a key.
    pub fn new(kind: Kind, key: Key) -> Self {
        Self { kind, key }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.key)
    }
}

// === impl Kind ===

impl Kind {
    /// As it stands in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IdentityProvider => "IdentityProvider",
            Self::ProxiedApp => "ProxiedApp",
            Self::ProxyRoute => "ProxyRoute",
            Self::ProxyServiceAccount => "ProxyServiceAccount",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl ConditionType ===

impl ConditionType {
    /// As it stands in status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::ResolvedRefs => "ResolvedRefs",
            Self::PermissionsGranted => "PermissionsGranted",
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
