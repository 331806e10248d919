//! "Did you mean …?"

/// The candidate that `word` is most likely a slip of; `None` when none is close, or when it is one of them.
pub(crate) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_', '.'], "");
    let wanted = plain(word);
    let mut scored: Vec<(f64, &str)> = candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (similarity(&wanted, &plain(candidate)), candidate))
        .filter(|(score, _)| *score >= CLOSE)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.first().map(|(_, candidate)| *candidate)
}

/// A line of help for a word that is unknown.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(word, candidates).map(|candidate| format!("did you mean {candidate}?"))
}

/// From 0 to 1: the better of letters that were slipped, and words that were left out.
fn similarity(word: &str, candidate: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(word, candidate).max(strsim::jaro_winkler(word, candidate) - 0.15)
}

const CLOSE: f64 = 0.7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let fields = ["pathPrefix", "upstreamPathPrefix", "proxyApp", "backend", "backends", "enabled", "exposure"];
        for (word, meant) in [
            ("upstreamPrefix", "upstreamPathPrefix"),
            ("pathprefix", "pathPrefix"),
            ("path_prefix", "pathPrefix"),
            ("backnds", "backends"),
            ("proxyapp", "proxyApp"),
            ("exposed", "exposure"),
            ("enable", "enabled"),
        ] {
            assert_eq!(closest(word, fields), Some(meant), "{word}");
        }
    }

    #[test]
    fn strangers_are_not_suggested() {
        for word in ["replicas", "x", "", "strategy"] {
            assert_eq!(closest(word, ["pathPrefix", "backends", "cors"]), None, "{word}");
        }
    }
}
