//! The names that headers are judged by: one table, looked up by length.

use http::HeaderName;

/// What a header of the table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Belongs to one connection.
    Hop,
    /// Frames or routes the message; `Connection` cannot name it.
    Framing,
    /// Says what the sender takes or announces; has a rule of its own, and `Connection` does not change it.
    Negotiated,
    /// Claims who is calling, from where, or for what: only the sidecar says that.
    Identity,
    /// Written by the sidecar, which also takes a good one from the caller.
    Added,
}

/// A set of headers of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known(u64);

/// The table, sorted by length, so that a name is compared with the few that are as long as it is.
macro_rules! table {
    ($($kind:ident $name:literal)*) => {
        const TABLE: [(&str, Kind); [$($name),*].len()] = [$(($name, Kind::$kind)),*];
        static NAMES: [HeaderName; TABLE.len()] = [$(HeaderName::from_static($name)),*];
    };
}

table! {
    Negotiated "te"
    Framing "host"
    Identity "x-host"
    Negotiated "trailer"
    Hop "upgrade"
    Identity "client-ip"
    Identity "forwarded"
    Identity "x-api-key"
    Identity "x-real-ip"
    Hop "connection"
    Hop "keep-alive"
    Added "tracestate"
    Identity "client-cert"
    Identity "remote-user"
    Added "traceparent"
    Identity "x-client-ip"
    Identity "x-remote-ip"
    Added "x-request-id"
    Identity "authorization"
    Identity "x-http-method"
    Identity "x-remote-addr"
    Identity "x-remote-user"
    Identity "x-rewrite-url"
    Framing "content-length"
    Hop "http2-settings"
    Identity "true-client-ip"
    Identity "x-original-url"
    Identity "x-webauth-user"
    Identity "x-forwarded-for"
    Identity "x-original-host"
    Identity "cf-connecting-ip"
    Identity "fastly-client-ip"
    Hop "proxy-connection"
    Identity "x-azure-clientip"
    Identity "x-azure-socketip"
    Identity "x-forwarded-host"
    Identity "x-forwarded-port"
    Identity "x-originating-ip"
    Identity "client-cert-chain"
    Framing "transfer-encoding"
    Identity "x-forwarded-proto"
    Identity "x-method-override"
    Identity "cf-connecting-ipv6"
    Hop "proxy-authenticate"
    Hop "proxy-authorization"
    Identity "x-cluster-client-ip"
    Identity "x-http-method-override"
    Identity "x-goog-iap-jwt-assertion"
    Identity "x-original-forwarded-for"
    Hop "proxy-authentication-info"
}

/// How other names of the kind [`Kind::Identity`] begin: the sidecar's own, and what proxies and load balancers tell
/// applications about their callers. By the first letter.
const PREFIXES: [(u8, &[&str]); 3] = [
    (
        b'x',
        &[
            OURS,
            "x-forwarded-",
            "x-envoy-",
            "x-auth-request-",
            "x-ssl-client-",
            "x-client-cert",
            "x-amzn-oidc-",
            "x-goog-authenticated-user-",
            "x-ms-client-principal",
        ],
    ),
    (b'c', &["cf-access-"]),
    (b's', &["ssl-client-"]),
];

const OURS: &str = "x-crosscall-";

/// The longest name of the table.
const LONGEST: usize = 25;

/// Where the names of each length begin in the table.
static STARTS: [u8; LONGEST + 2] = starts();

const fn starts() -> [u8; LONGEST + 2] {
    let mut starts = [0; LONGEST + 2];
    let (mut index, mut length) = (0, 0);
    while length < LONGEST + 2 {
        while index < TABLE.len() && TABLE[index].0.len() < length {
            index += 1;
        }
        starts[length] = index as u8;
        length += 1;
    }
    starts
}

/// Where a lower-case name stands in the table.
pub(super) fn lookup(name: &str) -> Option<usize> {
    let length = name.len();
    if length > LONGEST {
        return None;
    }
    let (start, end) = (usize::from(STARTS[length]), usize::from(STARTS[length + 1]));
    (start..end).find(|index| TABLE[*index].0 == name)
}

/// What the header at `index` of the table is.
pub(super) fn kind(index: usize) -> Kind {
    TABLE[index].1
}

/// A lower-case name that is not in the table, and begins like one that claims an identity.
pub(super) fn claims_identity(name: &str) -> bool {
    let Some(first) = name.bytes().next() else { return false };
    PREFIXES.iter().any(|(letter, prefixes)| *letter == first && prefixes.iter().any(|prefix| name.starts_with(prefix)))
}

/// A lower-case name that only the sidecar uses.
pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with(OURS)
}

/// A lower-case name with `_` that with `-` in its place would be the sidecar's or the connection's. CGI and its
/// successors cannot tell the two apart.
pub(super) fn is_twin(name: &str) -> bool {
    if !name.contains('_') {
        return false;
    }
    // No name or prefix of the tables is longer.
    let mut dashed = [0; 64];
    let length = name.len().min(dashed.len());
    for (to, from) in dashed.iter_mut().zip(name.bytes()) {
        *to = if from == b'_' { b'-' } else { from };
    }
    std::str::from_utf8(&dashed[..length]).is_ok_and(|dashed| lookup(dashed).is_some() || claims_identity(dashed))
}

/// What `Connection` cannot name away.
pub(super) fn stays_whatever_is_named(name: &HeaderName) -> bool {
    lookup(name.as_str()).is_some_and(|index| matches!(kind(index), Kind::Framing | Kind::Negotiated))
}

/// Whether the sidecar alone decides about this header: it frames the message, belongs to a connection, claims an
/// identity, or is written by the sidecar. A header rule cannot name it, and no trailer can carry it. Upper case, lower
/// case and `_` for `-` make no difference.
pub fn owned_by_sidecar(name: &str) -> bool {
    is_owned(&name.to_ascii_lowercase())
}

/// The same for a name that is in lower case, as in a header map.
pub(super) fn is_owned(name: &str) -> bool {
    lookup(name).is_some() || claims_identity(name) || is_twin(name)
}

/// Every name of the table.
#[cfg(test)]
pub(super) fn all() -> Vec<&'static str> {
    TABLE.iter().map(|(name, _)| *name).collect()
}

// === impl Known ===

impl Known {
    pub(super) const CONNECTION: usize = index("connection");
    pub(super) const TE: usize = index("te");
    pub(super) const TRAILER: usize = index("trailer");
    pub(super) const TRANSFER_ENCODING: usize = index("transfer-encoding");

    pub(super) fn add(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    pub(super) fn has(self, index: usize) -> bool {
        self.0 & 1 << index != 0
    }

    pub(super) fn names(self) -> impl Iterator<Item = &'static HeaderName> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let index = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            NAMES.get(index)
        })
    }
}

/// Where a name stands in the table, at compile time; the build fails if it does not.
const fn index(name: &str) -> usize {
    let mut at = 0;
    while !equal(TABLE[at].0.as_bytes(), name.as_bytes()) {
        at += 1;
    }
    at
}

const fn equal(left: &[u8], right: &[u8]) -> bool {
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() && at == right.len()
}

/// Sorted by length, fits the set and the length index: checked while it compiles.
const _: () = {
    assert!(TABLE.len() <= u64::BITS as usize);
    assert!(TABLE[TABLE.len() - 1].0.len() <= LONGEST);
    let mut at = 1;
    while at < TABLE.len() {
        assert!(TABLE[at - 1].0.len() <= TABLE[at].0.len());
        at += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_again() {
        for (index, (name, _)) in TABLE.iter().enumerate() {
            assert_eq!(lookup(name), Some(index));
            assert_eq!(NAMES[index], *name);
            assert!(owned_by_sidecar(&name.to_ascii_uppercase()));
            assert!(!name.contains('-') || owned_by_sidecar(&name.replace('-', "_")));
        }
    }

    #[test]
    fn other_names_are_not_owned() {
        for name in
            ["", "accept", "cookie", "my_header", "x-custom", "x-forwardedfor", "x-", "content-type", "cf-ray", "via"]
        {
            assert!(!owned_by_sidecar(name), "{name}");
        }
        let long = format!("x_crosscall_{}", "a".repeat(200));
        assert!(owned_by_sidecar(&long));
    }

    #[test]
    fn set_gives_its_names_back() {
        let mut known = Known::default();
        known.add(Known::TE);
        known.add(TABLE.len() - 1);
        assert!(known.has(Known::TE) && !known.has(Known::TRAILER));
        let names: Vec<_> = known.names().map(HeaderName::as_str).collect();
        assert_eq!(names, ["te", TABLE[TABLE.len() - 1].0]);
    }
}
