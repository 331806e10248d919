//! Which other paths might a looser reader take a path for?
//!
//! Applications and their frameworks differ: some take `%2F` for `/`, some cut parameters (`;x`) off a segment, merge
//! `//` or drop a slash at the end, before or after they decode. None of that is wrong (RFC 3986 section 6.2 leaves it to
//! them), so every reading counts that such steps lead to, in any order.

use std::borrow::Cow;

/// How many readings a path may have, and how many bytes they may have together, before it is called ambiguous.
const MAX_READINGS: usize = 64;
const MAX_BYTES: usize = 512 * 1024;

/// One thing that a loose reader does. Each leaves the text as it is, or makes it shorter: so applying them again and
/// again comes to an end.
const STEPS: [fn(&str) -> Cow<'_, str>; 5] = [decode_slashes, decode_others, cut_parameters, merge_slashes, trim_end];

/// Whether anybody might read a path in normal form as another one.
pub(super) fn is_odd(path: &str) -> bool {
    let mut previous = 0;
    for byte in path.bytes() {
        if matches!(byte, b'%' | b';') || !byte.is_ascii() || (byte == b'/' && previous == b'/') {
            return true;
        }
        previous = byte;
    }
    previous == b'/' && path.len() > 1
}

/// Every reading of a path or template in normal form, itself first; `None` where there are too many.
pub(super) fn readings(path: &str) -> Option<Vec<String>> {
    let mut readings = vec![path.to_owned()];
    let mut bytes = path.len();
    if !path.is_ascii() {
        readings.push(escape_beyond_ascii(path));
        bytes += 3 * path.len();
    }
    let mut next = 0;
    while let Some(reading) = readings.get(next).cloned() {
        for step in STEPS {
            if let Cow::Owned(other) = step(&reading)
                && !readings.contains(&other)
            {
                bytes += other.len();
                if readings.len() == MAX_READINGS || bytes > MAX_BYTES {
                    return None;
                }
                readings.push(other);
            }
        }
        next += 1;
    }
    Some(readings)
}

/// Raw text beyond ASCII and its escapes are the same to whoever decodes.
fn escape_beyond_ascii(path: &str) -> String {
    let mut escaped = String::with_capacity(3 * path.len());
    for byte in path.bytes() {
        if byte.is_ascii() {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            for digit in [byte >> 4, byte & 0xf] {
                escaped.extend(char::from_digit(u32::from(digit), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    escaped
}

fn decode_slashes(path: &str) -> Cow<'_, str> {
    decode(path, |byte| byte == b'/')
}

/// Braces stay escaped: in a template the plain ones mean something else.
fn decode_others(path: &str) -> Cow<'_, str> {
    decode(path, |byte| byte.is_ascii() && !matches!(byte, b'/' | b'{' | b'}'))
}

/// Decodes once, from left to right, the escapes that stand for some bytes; all of those are ASCII.
fn decode(path: &str, decodes: impl Fn(u8) -> bool) -> Cow<'_, str> {
    let mut decoded = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = path[at..].find('%') {
        let start = at + found;
        match escape(path, start).filter(|byte| decodes(*byte)) {
            Some(byte) => {
                decoded.push_str(&path[copied..start]);
                decoded.push(char::from(byte));
                at = start + 3;
                copied = at;
            }
            None => at = start + 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(path);
    }
    decoded.push_str(&path[copied..]);
    Cow::Owned(decoded)
}

/// The byte that the escape at `start` stands for.
fn escape(path: &str, start: usize) -> Option<u8> {
    let digits = path.get(start + 1..start + 3)?;
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
}

fn cut_parameters(path: &str) -> Cow<'_, str> {
    if !path.contains(';') {
        return Cow::Borrowed(path);
    }
    let names: Vec<&str> = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    Cow::Owned(names.join("/"))
}

fn merge_slashes(path: &str) -> Cow<'_, str> {
    if !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut merged = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !merged.ends_with('/') {
            merged.push(character);
        }
    }
    Cow::Owned(merged)
}

fn trim_end(path: &str) -> Cow<'_, str> {
    match path.trim_end_matches('/') {
        trimmed if trimmed.len() == path.len() || path == "/" => Cow::Borrowed(path),
        "" => Cow::Owned("/".to_owned()),
        trimmed => Cow::Owned(trimmed.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn clean_paths_have_one_reading() {
        for path in ["/", "/a", "/a/b.c", "/a/{b}/{*c}", "/a:b,c=d&e@f"] {
            assert!(!is_odd(path), "{path}");
            assert_eq!(readings(path), Some(vec![path.to_owned()]), "{path}");
        }
    }

    #[test]
    fn every_loosening_is_a_reading() {
        for (path, reading) in [
            ("/a%2Fb", "/a/b"),
            ("/a//b", "/a/b"),
            ("//", "/"),
            ("/a;v=1/b;w", "/a/b"),
            ("/a/", "/a"),
            ("/a%3Bv/b", "/a/b"),
            ("/a%3Ab", "/a:b"),
            ("/a%252Fb", "/a/b"),
            ("/a%252Fb", "/a%2Fb"),
            ("/a%2Fb/", "/a%2Fb"),
            ("/a;v%2Fb/c%2Fd", "/a/c/d"),
            ("/a;v%2Fb/c%2Fd", "/a/b/c/d"),
            ("/;x//a/%2F;y", "/a"),
            ("/\u{e9}/", "/%C3%A9"),
        ] {
            assert!(is_odd(path), "{path}");
            assert!(readings(path).unwrap().iter().any(|found| found == reading), "{path}");
        }
    }

    #[test]
    fn too_many_readings_are_none() {
        assert_eq!(readings(&format!("/%{}41", "25".repeat(200))), None);
        assert_eq!(readings(&format!("/{}", "a%2F;b//".repeat(20_000))), None);
    }

    proptest! {
        /// The steps come to an end, whatever the text.
        #[test]
        fn readings_take_any_text(path in ".*") {
            let _ = is_odd(&path);
            let _ = readings(&path);
        }

        #[test]
        fn paths_without_oddities_stay(path in "/[a-z{}.:/%;é]{0,12}") {
            if !is_odd(&path) {
                prop_assert_eq!(readings(&path), Some(vec![path]));
            }
        }
    }
}
