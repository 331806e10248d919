//! Bare words that YAML 1.1 (kubectl) and YAML 1.2 read differently.

/// How kubectl reads a bare word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As everybody does.
    Same,
    /// As a boolean.
    Boolean,
    /// As an octal number.
    Octal,
}

/// The booleans of YAML 1.1 that are none in YAML 1.2, in lower case. kubectl takes them in lower case, in upper case
/// and with a capital.
const BOOLEANS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];

/// How kubectl reads the bare `word`.
pub(crate) fn reading(word: &str) -> Reading {
    let lower = word.to_ascii_lowercase();
    let is_cased = word == lower
        || word == word.to_ascii_uppercase()
        || (word.starts_with(|first: char| first.is_ascii_uppercase()) && word[1..] == lower[1..]);
    match word {
        _ if BOOLEANS.contains(&lower.as_str()) && is_cased => Reading::Boolean,
        _ if is_octal(word) => Reading::Octal,
        _ => Reading::Same,
    }
}

/// A number with a leading zero, such as `0123`.
pub(crate) fn is_octal(word: &str) -> bool {
    let digits = word.trim_start_matches(['+', '-']);
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_follow_the_old_standard() {
        for word in ["y", "N", "yes", "No", "ON", "off"] {
            assert_eq!(reading(word), Reading::Boolean, "{word}");
        }
        for word in ["0123", "-007", "00"] {
            assert_eq!(reading(word), Reading::Octal, "{word}");
        }
        for word in ["true", "False", "nO", "0", "12", "0.5", "0x1f", "yesterday", ""] {
            assert_eq!(reading(word), Reading::Same, "{word}");
        }
    }
}
