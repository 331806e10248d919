//! A reader of paths that is as careless as can be, to judge careful ones by.

/// Where a careless reader ends up: it decodes three times, takes `\` for `/`, drops parameters, and resolves dots.
pub(crate) fn resolve(path: &str) -> Vec<String> {
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..3 {
        bytes = decode(&bytes);
    }
    let text: String = bytes.iter().map(|byte| if *byte == b'\\' { '/' } else { char::from(*byte) }).collect();
    let mut segments = Vec::new();
    for segment in text.split('/').skip(1) {
        match segment.split(';').next().unwrap_or_default() {
            "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name.to_owned()),
        }
    }
    segments
}

/// Decodes what is an escape, and leaves the rest.
fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        // `from_str_radix` alone would take a sign.
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(whole) if *byte == b'%' => {
                decoded.push(whole);
                rest = &after[2..];
            }
            _ => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    decoded
}
