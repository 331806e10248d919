//! What holds for a whole installation.

use std::collections::BTreeSet;

use crds::EnvName;

/// What holds for a whole installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The closed set of environments.
    pub environments: BTreeSet<EnvName>,
    /// The `iss` of the tokens that service accounts sign.
    pub issuer: String,
    /// Without a cluster: URLs may name loopback, and an app that has an `appPort` but neither `url` nor `service` is
    /// reached through its inbound listener in the same process.
    pub standalone: bool,
}

// === impl Settings ===

impl Default for Settings {
    /// `demo`, `local`, `prod` and `staging`; the issuer of the standalone mode; on a cluster.
    fn default() -> Self {
        let environments =
            ["demo", "local", "prod", "staging"].into_iter().filter_map(|name| EnvName::try_from(name).ok());
        Self { environments: environments.collect(), issuer: "https://crosscall.local".to_owned(), standalone: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_environments_are_the_default() {
        let names: Vec<String> = Settings::default().environments.into_iter().map(String::from).collect();
        assert_eq!(names, ["demo", "local", "prod", "staging"]);
    }
}
