//! What the compile step sees: resources, the objects that they name, and key pairs.

use std::collections::BTreeMap;
use std::fmt;

use crds::{IdentityProvider, ProxiedApp, ProxyRoute, ProxyServiceAccount};
use sidecar_policy::jwt::Algorithm;
use sidecar_policy::secret::SecretString;

/// Everything that the compile step sees. The maps are keyed by namespace and name, so an object's own metadata is
/// asked for its age alone.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// By name.
    pub namespaces: BTreeMap<String, Namespace>,
    /// Who calls.
    pub accounts: BTreeMap<Key, ProxyServiceAccount>,
    /// How calls go.
    pub routes: BTreeMap<Key, ProxyRoute>,
    /// Who receives.
    pub apps: BTreeMap<Key, ProxiedApp>,
    /// Who vouches for people.
    pub providers: BTreeMap<Key, IdentityProvider>,
    /// Secrets, decoded. Only those that a resource of the same namespace names are ever looked at.
    pub secrets: BTreeMap<Key, BTreeMap<String, SecretString>>,
    /// ConfigMaps.
    pub config_maps: BTreeMap<Key, BTreeMap<String, String>>,
    /// The key pairs that were made for accounts, by account. They are taken at their word: whoever puts one here
    /// has made it, or derived `kid` and `jwk` from the private key.
    pub key_pairs: BTreeMap<Key, AccountKeys>,
}

/// A namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// Where an object is: `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// The keys of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountKeys {
    /// The pair that its sidecars sign with.
    pub signing: KeyPair,
    /// Further public keys that verifiers must know: one that will sign soon, or one whose last token has not expired.
    pub published: Vec<PublicKey>,
}

/// A key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// The key id: the RFC 7638 SHA-256 thumbprint of the public key.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The private key: PKCS#8 PEM.
    pub private_key_pem: SecretString,
    /// The public key (RFC 7517) as JSON text, with `alg` and `kid`.
    pub jwk: String,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The key id: the RFC 7638 SHA-256 thumbprint.
    pub kid: String,
    /// The key (RFC 7517) as JSON text, with `alg` and `kid`.
    pub jwk: String,
}

// === impl Key ===

impl Key {
    /// Of a namespace and a name.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// Another object of the same namespace.
    pub fn sibling(&self, name: impl Into<String>) -> Self {
        Self::new(&self.namespace, name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
