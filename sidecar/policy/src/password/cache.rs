//! Remembering a successful check without keeping the password.

use std::fmt;

use aws_lc_rs::hmac;

/// The key of [`cache_key`].
#[derive(Clone)]
pub struct HmacKey(hmac::Key);

/// A digest (HMAC-SHA-256) of a name and a password, under which a successful check may be remembered. It says nothing
/// about either to whoever does not have the key, and no two pairs share one.
pub fn cache_key(secret: &HmacKey, user: &str, password: &[u8]) -> [u8; 32] {
    let mut digest = hmac::Context::with_key(&secret.0);
    for field in [user.as_bytes(), password] {
        digest.update(&(field.len() as u64).to_be_bytes());
        digest.update(field);
    }
    let mut key = [0; 32];
    key.copy_from_slice(digest.sign().as_ref());
    key
}

// === impl HmacKey ===

impl HmacKey {
    /// A key from random bytes.
    pub fn new(random: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, random))
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn cache_keys_differ_by_field() {
        let key = HmacKey::new(&[1; 32]);
        let all = [
            cache_key(&key, "Alice", b"secret"),
            cache_key(&key, "Alic", b"esecret"),
            cache_key(&key, "Alices", b"ecret"),
            cache_key(&key, "", b"Alicesecret"),
            cache_key(&key, "secret", b"Alice"),
            cache_key(&HmacKey::new(&[2; 32]), "Alice", b"secret"),
        ];
        assert_eq!(BTreeSet::from(all).len(), all.len());
        assert_eq!(cache_key(&key, "Alice", b"secret"), all[0]);
    }
}
