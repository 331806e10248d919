//! A long body that can be checked wherever it is cut.

use std::sync::OnceLock;

/// Prime, so that no buffer size divides it.
const PERIOD: usize = 65_521;

/// One period twice over: every run of up to [`PERIOD`] bytes stands in it in one piece.
fn cycle() -> &'static [u8] {
    static CYCLE: OnceLock<Vec<u8>> = OnceLock::new();
    CYCLE.get_or_init(|| {
        let byte = |at: usize| u8::try_from((at % PERIOD * 31 + at % PERIOD / 251) % 256).unwrap();
        (0..2 * PERIOD).map(byte).collect()
    })
}

/// The bytes of the pattern from `offset` on, some tens of KiB at most, never more than `wanted`.
pub fn piece(offset: u64, wanted: u64) -> &'static [u8] {
    let start = usize::try_from(offset % PERIOD as u64).unwrap();
    let length = usize::try_from(wanted).map_or(PERIOD, |wanted| wanted.min(PERIOD));
    &cycle()[start..start + length]
}

/// `bytes` are the pattern from `offset` on.
pub fn matches(offset: u64, bytes: &[u8]) -> bool {
    let mut at = offset;
    bytes.chunks(PERIOD).all(|chunk| {
        let expected = piece(at, chunk.len() as u64);
        at += chunk.len() as u64;
        chunk == expected
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_pattern() {
        let mut whole = Vec::new();
        while whole.len() < 300_000 {
            whole.extend_from_slice(piece(whole.len() as u64, 70_000));
        }
        assert!(matches(0, &whole));
        assert!(matches(100_003, &whole[100_003..]));
    }

    #[test]
    fn one_wrong_byte_is_seen() {
        let mut bytes = piece(12_345, 1_000).to_vec();
        bytes[777] ^= 1;
        assert!(!matches(12_345, &bytes));
        assert!(!matches(12_346, piece(12_345, 1_000)));
    }
}
