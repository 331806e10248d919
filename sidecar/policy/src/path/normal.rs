//! The form of a path that rules are compared with.

use std::borrow::Cow;

use super::scan::escape;

/// The path with escapes of unreserved characters decoded and the digits of other escapes in upper case (RFC 3986
/// sections 6.2.2.1 and 6.2.2.2), and nothing else changed.
///
/// Doing it twice changes nothing more. A path with a broken escape, which [`super::check`] refuses, is left as it is.
/// Borrows when there is nothing to change.
pub fn normal_form(path: &str) -> Cow<'_, str> {
    let bytes = path.as_bytes();
    let mut changes = false;
    for at in positions(bytes) {
        match escape(bytes, at) {
            Some(decoded) => changes |= is_unreserved(decoded) || has_lower_digits(bytes, at),
            None => return Cow::Borrowed(path),
        }
    }
    if changes { Cow::Owned(rewrite(path)) } else { Cow::Borrowed(path) }
}

fn rewrite(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut normal = String::with_capacity(path.len());
    let mut copied = 0;
    for at in positions(bytes) {
        normal.push_str(&path[copied..at]);
        match escape(bytes, at) {
            Some(decoded) if is_unreserved(decoded) => normal.push(char::from(decoded)),
            _ => normal.extend(path[at..at + 3].chars().map(|digit| digit.to_ascii_uppercase())),
        }
        copied = at + 3;
    }
    normal.push_str(&path[copied..]);
    normal
}

/// Where the `%`s are.
fn positions(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').map(|(at, _)| at)
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn has_lower_digits(bytes: &[u8], at: usize) -> bool {
    bytes[at + 1].is_ascii_lowercase() || bytes[at + 2].is_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decodes_unreserved_and_raises_digits() {
        for (path, normal) in [
            ("/a/b", "/a/b"),
            ("/%61%2D%7e", "/a-~"),
            ("/a%2fb", "/a%2Fb"),
            ("/%2541", "/%2541"),
            ("/%c3%a9", "/%C3%A9"),
            ("/A%2Fb//;x", "/A%2Fb//;x"),
            ("/été%2f", "/été%2F"),
            ("/%", "/%"),
            ("/%%341", "/%%341"),
            ("/%zz%41", "/%zz%41"),
            ("", ""),
        ] {
            assert_eq!(normal_form(path), normal, "{path:?}");
        }
    }

    #[test]
    fn borrows_when_nothing_changes() {
        for path in ["/a/b", "/a%2Fb", "/%C3%A9"] {
            assert!(matches!(normal_form(path), Cow::Borrowed(_)), "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn doing_it_twice_changes_nothing(path in "/([a-z/é.]|%[0-9a-fA-F]{2}|%){0,12}") {
            let once = normal_form(&path).into_owned();
            prop_assert_eq!(normal_form(&once), once.as_str());
        }

        /// Threat R2: the form that rules see is no more dangerous than the bytes that go out.
        #[test]
        fn accepted_paths_stay_accepted(path in "/([a-z/.;]|%[0-9a-fA-F]{2}){0,12}") {
            if super::super::check(&path).is_ok() {
                prop_assert_eq!(super::super::check(&normal_form(&path)), Ok(()));
            }
        }
    }
}
