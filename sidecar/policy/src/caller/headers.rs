//! The caller as headers for the app.
//!
//! A value holds visible ASCII alone. Every other byte of a name, and `%` and `,`, is written as `%XX` (RFC 3986, section
//! 2.1), so that a name can neither end its header nor look like two names in a list. Apps decode it the same way. Lists
//! are sorted and joined with a comma.

use std::{borrow::Cow, collections::BTreeSet};

use http::{HeaderName, HeaderValue};

use super::Caller;

/// Who the call is from.
pub static SUBJECT: HeaderName = HeaderName::from_static("x-crosscall-subject");
/// The service account that acts for a person; absent when nobody acts for another.
pub static ACTOR: HeaderName = HeaderName::from_static("x-crosscall-actor");
/// The subject's authorities; empty when there are none.
pub static AUTHORITIES: HeaderName = HeaderName::from_static("x-crosscall-authorities");
/// The service account's permissions; empty when there are none.
pub static PERMISSIONS: HeaderName = HeaderName::from_static("x-crosscall-permissions");
/// The environment that the call is from; absent when it is not known.
pub static ENVIRONMENT: HeaderName = HeaderName::from_static("x-crosscall-env");

/// Every header that tells an app who calls. What comes from outside under these names is dropped.
pub static IDENTITY_HEADERS: [&HeaderName; 5] = [&SUBJECT, &ACTOR, &AUTHORITIES, &PERMISSIONS, &ENVIRONMENT];

// === impl Caller ===

impl Caller {
    /// The identity headers, ready to be inserted once those from outside are dropped.
    pub fn header_values(&self) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::with_capacity(IDENTITY_HEADERS.len());
        let mut push = |name: &HeaderName, text: &str| headers.push((name.clone(), value(text)));
        push(&SUBJECT, &encode(&self.subject));
        if let Some(actor) = &self.actor {
            push(&ACTOR, &encode(actor));
        }
        push(&AUTHORITIES, &list(&self.authorities));
        push(&PERMISSIONS, &list(&self.permissions));
        if !self.environment.is_empty() {
            push(&ENVIRONMENT, &encode(&self.environment));
        }
        headers
    }
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| encode(name)).collect::<Vec<_>>().join(",")
}

fn encode(name: &str) -> Cow<'_, str> {
    if name.bytes().all(is_plain) {
        return name.into();
    }
    let mut encoded = String::with_capacity(name.len() * 3);
    for byte in name.bytes() {
        if is_plain(byte) {
            encoded.push(byte.into());
        } else {
            encoded.push('%');
            encoded.push(HEX[usize::from(byte >> 4)].into());
            encoded.push(HEX[usize::from(byte & 0xf)].into());
        }
    }
    encoded.into()
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'%' && byte != b','
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("encoded names and commas are visible ASCII")
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(caller: &Caller) -> Vec<(String, String)> {
        let text = |(name, value): (HeaderName, HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
        caller.header_values().into_iter().map(text).collect()
    }

    fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn proxied_caller_has_all_headers() {
        let caller = Caller {
            actor: Some("system:crosscall:shop:fr-api".to_owned()),
            permissions: BTreeSet::from(["b".to_owned(), "a".to_owned()]),
            environment: "demo".to_owned(),
            proxied: true,
            ..Caller::person("Alice", BTreeSet::from(["ROLE_USER".to_owned()])).unwrap()
        };
        assert_eq!(
            shown(&caller),
            pairs([
                ("x-crosscall-subject", "Alice"),
                ("x-crosscall-actor", "system:crosscall:shop:fr-api"),
                ("x-crosscall-authorities", "ROLE_USER"),
                ("x-crosscall-permissions", "a,b"),
                ("x-crosscall-env", "demo"),
            ])
        );
    }

    #[test]
    fn unknown_things_have_no_header() {
        assert_eq!(
            shown(&Caller::anonymous(BTreeSet::new())),
            pairs([
                ("x-crosscall-subject", "anonymousUser"),
                ("x-crosscall-authorities", ""),
                ("x-crosscall-permissions", ""),
            ])
        );
    }

    /// Threat H3: CRLF, NUL, commas and other scripts in names.
    #[test]
    fn names_cannot_split_a_header() {
        for (name, expected) in [
            ("a\r\nX-Crosscall-Env: prod", "a%0D%0AX-Crosscall-Env:%20prod"),
            ("a\n\tb", "a%0A%09b"),
            ("a\0b\x7f", "a%00b%7F"),
            ("a,ROLE_ADMIN", "a%2CROLE_ADMIN"),
            ("100%", "100%25"),
            ("%2C", "%252C"),
            ("Zoë", "Zo%C3%AB"),
            ("a\u{2028}b\u{ff0c}c", "a%E2%80%A8b%EF%BC%8Cc"),
            (" ", "%20"),
        ] {
            let caller = Caller::person(name, BTreeSet::from([name.to_owned(), "z".to_owned()])).unwrap();
            assert_eq!(caller.header_values()[0].1, expected);
            assert_eq!(caller.header_values()[1].1, format!("{expected},z"));
        }
    }

    proptest! {
        /// Threat H3: what apps decode is what was verified.
        #[test]
        fn lists_decode_to_the_same_names(names in prop::collection::btree_set(".{1,20}", 1..5)) {
            let caller = Caller::anonymous(names.clone());
            let header = caller.header_values()[1].1.clone();
            let decoded: BTreeSet<String> = header.to_str().unwrap().split(',').map(decode).collect();
            prop_assert_eq!(decoded, names);
        }
    }

    fn decode(text: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            if first == b'%' {
                bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
                rest = &after[2..];
            } else {
                bytes.push(first);
                rest = after;
            }
        }
        String::from_utf8(bytes).unwrap()
    }
}
