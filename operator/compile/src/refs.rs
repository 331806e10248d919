//! Secrets and ConfigMaps that a resource names: in its own namespace, and nowhere else.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sidecar_policy::secret::SecretString;

use crate::findings::Problem;
use crate::inventory::{Inventory, Key};
use crate::reason::Reason;

/// What one namespace has.
#[derive(Clone, Copy)]
pub(crate) struct Refs<'a> {
    inventory: &'a Inventory,
    namespace: &'a str,
}

// === impl Refs ===

impl<'a> Refs<'a> {
    /// Of the namespace of a resource.
    pub(crate) fn of(inventory: &'a Inventory, resource: &'a Key) -> Self {
        Self { inventory, namespace: &resource.namespace }
    }

    /// All entries of a Secret.
    pub(crate) fn secret(
        &self,
        name: &str,
        field: &str,
    ) -> Result<&'a std::collections::BTreeMap<String, SecretString>, Problem> {
        let key = Key::new(self.namespace, name);
        self.inventory.secrets.get(&key).ok_or_else(|| {
            Problem::new(Reason::SecretNotFound, format!("there is no Secret {name} in namespace {}", self.namespace))
                .at(field)
        })
    }

    /// One entry of a Secret.
    pub(crate) fn secret_entry(&self, name: &str, entry: &str, field: &str) -> Result<&'a SecretString, Problem> {
        self.secret(name, field)?.get(entry).ok_or_else(|| {
            let message = format!("Secret {name} in namespace {} has no entry {entry}", self.namespace);
            Problem::new(Reason::SecretKeyMissing, message).at(field)
        })
    }

    /// An entry of a Secret that is sent as (part of) a header: line breaks at its end are dropped, as files have them;
    /// anything else that is not visible ASCII is refused.
    pub(crate) fn header_secret(&self, name: &str, entry: &str, field: &str) -> Result<SecretString, Problem> {
        let value = self.secret_entry(name, entry, field)?.expose().trim_end_matches(['\r', '\n']);
        if !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic()) {
            return Ok(value.into());
        }
        let rule = "it must be visible ASCII without spaces, and not empty";
        Err(self.invalid(name, entry, rule, field))
    }

    /// An entry of a Secret that cannot be used as it is. The value is never told.
    pub(crate) fn invalid(&self, name: &str, entry: &str, rule: &str, field: &str) -> Problem {
        let message = format!("entry {entry} of Secret {name} in namespace {}: {rule}", self.namespace);
        Problem::new(Reason::SecretValueInvalid, message).at(field)
    }

    /// PEM certificates from the one source that is named.
    pub(crate) fn ca_bundle(&self, bundle: &crds::CaBundle, field: &str) -> Result<String, Problem> {
        let invalid = |message: &str| Problem::new(Reason::InvalidCaBundle, format!("{field}: {message}")).at(field);
        let pem = match (&bundle.secret_ref, &bundle.config_map_ref, &bundle.inline) {
            (Some(secret), None, None) => {
                let (name, entry) = (secret.name.as_str(), secret.key.as_deref().unwrap_or("ca.crt"));
                self.secret_entry(name, entry, &format!("{field}.secretRef"))?.expose()
            }
            (None, Some(map), None) => {
                let (name, entry) = (map.name.as_str(), map.key.as_deref().unwrap_or("ca.crt"));
                self.config_map_entry(name, entry, &format!("{field}.configMapRef"))?
            }
            (None, None, Some(inline)) => inline,
            _ => return Err(invalid("set exactly one of secretRef, configMapRef and inline")),
        };
        certificates(pem).ok_or_else(|| invalid("it holds no PEM certificates, or something else besides"))
    }

    fn config_map_entry(&self, name: &str, entry: &str, field: &str) -> Result<&'a str, Problem> {
        let namespace = self.namespace;
        let map = self.inventory.config_maps.get(&Key::new(namespace, name)).ok_or_else(|| {
            let message = format!("there is no ConfigMap {name} in namespace {namespace}");
            Problem::new(Reason::ConfigMapNotFound, message).at(field)
        })?;
        map.get(entry).map(String::as_str).ok_or_else(|| {
            let message = format!("ConfigMap {name} in namespace {namespace} has no entry {entry}");
            Problem::new(Reason::ConfigMapKeyMissing, message).at(field)
        })
    }
}

/// The text as it is, if every PEM block can be read and is a certificate.
fn certificates(pem: &str) -> Option<String> {
    let blocks = pem.matches("-----BEGIN ").count();
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).filter(Result::is_ok).count();
    (certificates > 0 && certificates == blocks).then(|| pem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIBAAECAwQFBgcICQ==\n-----END CERTIFICATE-----\n";

    #[test]
    fn a_bundle_is_certificates_alone() {
        assert!(certificates(CERTIFICATE).is_some());
        assert!(certificates(&CERTIFICATE.repeat(2)).is_some());
        let key = CERTIFICATE.replace("CERTIFICATE", "PRIVATE KEY");
        for bad in ["", "hello", &key, &format!("{CERTIFICATE}{key}"), &CERTIFICATE[..40]] {
            assert!(certificates(bad).is_none(), "{bad}");
        }
    }

    /// Threat J5: what is wrong with a secret is said without the secret.
    #[test]
    fn refused_secrets_are_not_quoted() {
        let resource = Key::new("shop", "fr-api");
        let mut inventory = Inventory::default();
        for (value, good) in
            [("abc", true), ("abc\n", true), ("a\r\nX: y", false), ("", false), ("hunter2\u{1}", false)]
        {
            inventory.secrets = [(resource.sibling("s"), [("token".to_owned(), value.into())].into())].into();
            let found = Refs::of(&inventory, &resource).header_secret("s", "token", "spec");
            assert_eq!(found.is_ok(), good, "{value:?}");
            assert!(found.err().is_none_or(|problem| !problem.message.contains("hunter2")));
        }
    }
}
