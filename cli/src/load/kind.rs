//! Which kinds count: those of our group, and those of core/v1 that they refer to.

use std::fmt;

use crate::check::suggest::{closest, did_you_mean};

/// A kind that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `crosscall.dev`
    IdentityProvider,
    /// `crosscall.dev`
    ProxiedApp,
    /// `crosscall.dev`
    ProxyRoute,
    /// `crosscall.dev`
    ProxyServiceAccount,
    /// `v1`
    ConfigMap,
    /// `v1`
    Namespace,
    /// `v1`
    Secret,
}

/// `apiVersion` or `kind` is a slip of something that counts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// `apiVersion` or `kind`.
    pub(super) key: &'static str,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) help: String,
}

const API_VERSION: &str = "crosscall.dev/v1alpha1";

/// Any version of our group.
pub(super) fn is_our_group(api_version: &str) -> bool {
    api_version.split('/').next() == Some(crds::GROUP)
}

/// The kind that an object is of; `None` for one that does not count.
pub(super) fn recognise(api_version: &str, kind: &str) -> Result<Option<Kind>, Mistake> {
    if api_version == API_VERSION {
        return ours(kind).map(Some);
    }
    if api_version == "v1" {
        return core(kind);
    }
    let is_ours = Kind::OURS.iter().any(|known| known.name() == kind);
    let group = api_version.split('/').next().unwrap_or_default();
    let is_slip = is_ours && (closest(group, [crds::GROUP]).is_some() || group == crds::VERSION);
    if is_our_group(api_version) || is_slip {
        return Err(Mistake {
            key: "apiVersion",
            code: "unknown_version",
            message: format!("unknown version `{api_version}` of kind {kind}"),
            help: format!("write `apiVersion: {API_VERSION}`"),
        });
    }
    Ok(None)
}

fn ours(kind: &str) -> Result<Kind, Mistake> {
    let known = Kind::OURS.iter().find(|known| known.name() == kind);
    known.copied().ok_or_else(|| {
        let names = Kind::OURS.map(Kind::name);
        let help = did_you_mean(kind, names).unwrap_or_else(|| format!("the kinds are {}", names.join(", ")));
        Mistake::unknown_kind(kind, API_VERSION, help)
    })
}

fn core(kind: &str) -> Result<Option<Kind>, Mistake> {
    let known = Kind::CORE.iter().find(|known| known.name().eq_ignore_ascii_case(kind));
    match known {
        Some(known) if known.name() != kind => {
            Err(Mistake::unknown_kind(kind, "v1", format!("did you mean {}?", known.name())))
        }
        known => Ok(known.copied()),
    }
}

// === impl Mistake ===

impl Mistake {
    fn unknown_kind(kind: &str, api_version: &str, help: String) -> Self {
        Self { key: "kind", code: "unknown_kind", message: format!("unknown kind `{kind}` of {api_version}"), help }
    }
}

// === impl Kind ===

impl Kind {
    /// The kinds of our group.
    pub(crate) const OURS: [Self; 4] =
        [Self::IdentityProvider, Self::ProxiedApp, Self::ProxyRoute, Self::ProxyServiceAccount];
    /// The kinds of core/v1 that ours refer to.
    pub(crate) const CORE: [Self; 3] = [Self::ConfigMap, Self::Namespace, Self::Secret];

    /// As in `kind`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::IdentityProvider => "IdentityProvider",
            Self::ProxiedApp => "ProxiedApp",
            Self::ProxyRoute => "ProxyRoute",
            Self::ProxyServiceAccount => "ProxyServiceAccount",
            Self::ConfigMap => "ConfigMap",
            Self::Namespace => "Namespace",
            Self::Secret => "Secret",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_other_groups_do_not_count() {
        for (api_version, kind) in
            [("apps/v1", "Deployment"), ("v1", "Service"), ("example.com/v1", "IdentityProvider")]
        {
            assert_eq!(recognise(api_version, kind), Ok(None), "{api_version} {kind}");
        }
        assert_eq!(recognise("v1", "Secret"), Ok(Some(Kind::Secret)));
        assert_eq!(recognise(API_VERSION, "ProxyRoute"), Ok(Some(Kind::ProxyRoute)));
    }

    #[test]
    fn slips_are_mistakes() {
        let version = "write `apiVersion: crosscall.dev/v1alpha1`";
        for (api_version, kind, message, help) in [
            (
                API_VERSION,
                "ProxyRout",
                "unknown kind `ProxyRout` of crosscall.dev/v1alpha1",
                "did you mean ProxyRoute?",
            ),
            ("v1", "secret", "unknown kind `secret` of v1", "did you mean Secret?"),
            ("crosscall.dev/v1", "ProxyRoute", "unknown version `crosscall.dev/v1` of kind ProxyRoute", version),
            (
                "croscall.dev/v1alpha1",
                "ProxyRoute",
                "unknown version `croscall.dev/v1alpha1` of kind ProxyRoute",
                version,
            ),
            ("v1alpha1", "ProxyRoute", "unknown version `v1alpha1` of kind ProxyRoute", version),
        ] {
            let mistake = recognise(api_version, kind).unwrap_err();
            assert_eq!((mistake.message.as_str(), mistake.help.as_str()), (message, help));
        }
    }
}
