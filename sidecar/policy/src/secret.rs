//! A string that does not show itself.

use std::{cell::Cell, fmt};

use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroize;

/// A secret. `Debug` hides it, memory is wiped when it is dropped, and comparing takes the same time wherever the
/// difference is. It serialises as it is, since a configuration file holds it, except while [`crate::mask`] looks.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct SecretString(String);

/// What is shown in place of a secret.
pub const MASK: &str = "***";

/// Runs `work`, during which every secret that this thread serialises is [`MASK`].
pub(crate) fn while_masked<T>(work: impl FnOnce() -> T) -> T {
    /// Ends the masking when `work` panics, too.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            MASKED.set(self.0);
        }
    }
    let _restore = Restore(MASKED.replace(true));
    work()
}

thread_local! {
    static MASKED: Cell<bool> = const { Cell::new(false) };
}

// === impl SecretString ===

impl SecretString {
    /// The secret itself. Use it where it is needed and keep no copy.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretString {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl From<&str> for SecretString {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl Serialize for SecretString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if MASKED.get() { MASK } else { &self.0 })
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl PartialEq for SecretString {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.0.as_bytes(), other.0.as_bytes()).into()
    }
}

impl Eq for SecretString {}

impl Drop for SecretString {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_secret() {
        assert_eq!(format!("{:?}", SecretString::from("hunter2")), "[secret]");
    }

    #[test]
    fn masking_ends_with_its_work() {
        let json = || serde_json::to_string(&SecretString::from("hunter2")).unwrap();
        assert_eq!(json(), "\"hunter2\"");
        assert_eq!(while_masked(|| [while_masked(json), json()]), ["\"***\"", "\"***\""]);
        assert_eq!(json(), "\"hunter2\"");
        assert!(std::panic::catch_unwind(|| while_masked(|| panic!("on purpose"))).is_err());
        assert_eq!(json(), "\"hunter2\"");
    }
}
