//! The pass over a path's bytes.

use super::PathError;

/// Nothing in it needs a second look: no escape, no backslash, no control byte, no `#` or `?`, and no `.` after a `/`.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in bytes {
        if NOTABLE[usize::from(byte)] || (byte == b'.' && previous == b'/') {
            return false;
        }
        previous = byte;
    }
    true
}

/// The full judgement.
///
/// Decoding again and again ends in one and the same text whichever escape goes first (an escape holds no other one),
/// and a dot segment, backslash, NUL or line break that shows up on the way is still there at the end. So that last text
/// is the only one that needs to be looked at.
pub(super) fn check(bytes: &[u8]) -> Result<(), PathError> {
    if check_raw(bytes)? { check_decoded(&decode_fully(bytes)) } else { check_decoded(bytes) }
}

/// Judges the bytes as they are. `true`: an encoded `%` is among them.
fn check_raw(bytes: &[u8]) -> Result<bool, PathError> {
    let mut nested = false;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'%' => match escape(bytes, at) {
                Some(decoded) => nested |= decoded == b'%',
                None => return Err(PathError::BadEscape),
            },
            b'\\' => return Err(PathError::Backslash),
            b'#' | b'?' => return Err(PathError::Delimiter),
            0..=0x1f | 0x7f => return Err(PathError::Control),
            _ => {}
        }
    }
    Ok(nested)
}

/// Decodes until no escape is left, in one pass: a byte that completes an escape takes its place, and may complete the
/// next one.
fn decode_fully(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        decoded.push(byte);
        while decoded.len() >= 3
            && let Some(whole) = escape(&decoded, decoded.len() - 3)
        {
            decoded.truncate(decoded.len() - 3);
            decoded.push(whole);
        }
    }
    decoded
}

/// Judges what the bytes stand for.
fn check_decoded(bytes: &[u8]) -> Result<(), PathError> {
    let mut segment = Segment::Dots(0);
    let mut at = 0;
    while at < bytes.len() {
        let (byte, next) = unit(bytes, at);
        let (byte, next) = if byte >= 0xc0 { fold(bytes, byte, next)? } else { (byte, next) };
        match byte {
            0 => return Err(PathError::Nul),
            b'\\' => return Err(PathError::Backslash),
            b'\r' | b'\n' => return Err(PathError::LineBreak),
            b'/' => {
                segment.end()?;
                segment = Segment::Dots(0);
            }
            // Some readers drop parameters, a query or a fragment before they resolve dots.
            b';' | b'?' | b'#' => {
                segment.end()?;
                segment = Segment::Named;
            }
            b'.' => segment.dot(),
            _ => segment = Segment::Named,
        }
        at = next;
    }
    segment.end()
}

/// What a lenient reader of UTF-8 makes of a sequence that starts at `lead`: the ASCII character that it stands for in
/// too many bytes, and where the next unit starts. Otherwise the lead by itself.
///
/// Proper continuation bytes make an overlong form, which nobody sends by accident. With others it may be a text in some
/// other encoding, and only counts where it makes a dot segment.
fn fold(bytes: &[u8], lead: u8, after: usize) -> Result<(u8, usize), PathError> {
    let (length, bits) = match lead {
        0xc0..=0xdf => (1, lead & 0x1f),
        0xe0..=0xef => (2, lead & 0x0f),
        0xf0..=0xf7 => (3, lead & 0x07),
        0xf8..=0xfb => (4, lead & 0x03),
        0xfc..=0xfd => (5, lead & 0x01),
        _ => return Ok((lead, after)),
    };
    let (mut value, mut proper, mut at) = (u32::from(bits), true, after);
    for _ in 0..length {
        if at >= bytes.len() {
            return Ok((lead, after));
        }
        let (byte, next) = unit(bytes, at);
        value = value << 6 | u32::from(byte & 0x3f);
        proper &= byte & 0xc0 == 0x80;
        at = next;
    }
    match u8::try_from(value) {
        Ok(0..=0x7f) if proper => Err(PathError::Overlong),
        Ok(b'.') => Ok((b'.', at)),
        Ok(b'/' | b'\\') => Ok((b'/', at)),
        _ => Ok((lead, after)),
    }
}

/// The byte that stands at `at`, decoded once, and where the next one starts.
fn unit(bytes: &[u8], at: usize) -> (u8, usize) {
    match (bytes[at], escape(bytes, at)) {
        (_, Some(decoded)) => (decoded, at + 3),
        (byte, None) => (byte, at + 1),
    }
}

/// The byte that an escape at `at` stands for.
pub(super) fn escape(bytes: &[u8], at: usize) -> Option<u8> {
    match bytes.get(at..at + 3)? {
        [b'%', high, low] => Some(hex(*high)? << 4 | hex(*low)?),
        _ => None,
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The segment so far.
#[derive(Clone, Copy)]
enum Segment {
    /// Nothing but this many dots.
    Dots(usize),
    /// Something else.
    Named,
}

// === impl Segment ===

impl Segment {
    fn dot(&mut self) {
        if let Self::Dots(count) = self {
            *count += 1;
        }
    }

    fn end(self) -> Result<(), PathError> {
        match self {
            Self::Dots(1 | 2) => Err(PathError::DotSegment),
            Self::Dots(_) | Self::Named => Ok(()),
        }
    }
}

/// Bytes that need a second look wherever they stand.
static NOTABLE: [bool; 256] = notable();

const fn notable() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[0x7f] = true;
    table[b'%' as usize] = true;
    table[b'\\' as usize] = true;
    table[b'#' as usize] = true;
    table[b'?' as usize] = true;
    // Raw text beyond ASCII is proper UTF-8 here, since a path is a `str`: no overlong forms.
    table
}
