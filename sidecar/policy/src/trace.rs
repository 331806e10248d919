//! W3C Trace Context: which trace a call belongs to, and what the next hop is told.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The call's place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace: never zero.
    pub trace_id: u128,
    /// The sidecar's own span, which is the parent of the next hop's: never zero.
    pub span_id: u64,
    /// The caller's span; `None`: the trace starts here.
    pub parent_id: Option<u64>,
    /// Whether spans of this trace are recorded. What the caller says; a trace that starts here is, since an
    /// application that follows its caller would otherwise record nothing at all.
    pub sampled: bool,
    /// The trace id's low half is random (Trace Context level 2), so that others may sample by it.
    pub random: bool,
}

/// The name of the header with the trace and the caller's span.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The name of the header with what tracing systems add to it.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Continues the caller's trace with a new span, or starts one where the caller sent none or a broken one.
///
/// `random` becomes the id of a new trace, `random_span` the id of the span.
pub fn next(incoming: &HeaderMap, random: u128, random_span: u64) -> TraceContext {
    let span_id = random_span.max(1);
    match read(incoming) {
        Some(parent) => TraceContext {
            trace_id: parent.trace_id,
            span_id,
            parent_id: Some(parent.span_id),
            sampled: parent.flags & SAMPLED != 0,
            random: parent.flags & RANDOM != 0,
        },
        None => TraceContext { trace_id: random.max(1), span_id, parent_id: None, sampled: true, random: true },
    }
}

// === impl TraceContext ===

impl TraceContext {
    /// Writes it for the next hop. `tracestate` belongs to the caller's trace and goes when a new one starts.
    pub fn apply(&self, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT, self.header_value());
        if self.parent_id.is_none() {
            headers.remove(TRACESTATE);
        }
    }

    /// `traceparent`, version 00.
    pub fn header_value(&self) -> HeaderValue {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut text[3..35], &self.trace_id.to_be_bytes());
        write_hex(&mut text[36..52], &self.span_id.to_be_bytes());
        let flags = if self.sampled { SAMPLED } else { 0 } | if self.random { RANDOM } else { 0 };
        write_hex(&mut text[53..], &[flags]);
        HeaderValue::from_bytes(&text).expect("digits and dashes are a header value")
    }
}

const SAMPLED: u8 = 0b01;
const RANDOM: u8 = 0b10;

/// A caller's `traceparent`.
struct Parent {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

/// Exactly one header, of a version that is or extends 00 (Trace Context section 4.1 "Versioning of traceparent").
fn read(headers: &HeaderMap) -> Option<Parent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let value = values.next()?.as_bytes();
    if values.next().is_some() {
        return None;
    }
    let (head, more) = value.split_at_checked(55)?;
    let version = read_hex(&head[..2])?;
    let well_formed = match version {
        0 => more.is_empty(),
        0xff => false,
        _ => more.first().is_none_or(|byte| *byte == b'-'),
    };
    if !well_formed || [head[2], head[35], head[52]] != [b'-'; 3] {
        return None;
    }
    let parent = Parent {
        trace_id: read_hex(&head[3..35])?,
        span_id: u64::try_from(read_hex(&head[36..52])?).ok()?,
        flags: u8::try_from(read_hex(&head[53..])?).ok()?,
    };
    (parent.trace_id != 0 && parent.span_id != 0).then_some(parent)
}

/// Lower-case hexadecimal digits only.
fn read_hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |value: u128, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

fn write_hex(to: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in to.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn from(traceparent: &[&str]) -> (TraceContext, HeaderMap) {
        let mut headers = HeaderMap::new();
        for value in traceparent {
            headers.append(TRACEPARENT, HeaderValue::from_str(value).unwrap());
        }
        headers.append(TRACESTATE, HeaderValue::from_static("a=1"));
        headers.append(TRACESTATE, HeaderValue::from_static("b=2"));
        let context = next(&headers, 7, 9);
        context.apply(&mut headers);
        (context, headers)
    }

    #[test]
    fn valid_trace_is_continued() {
        let (context, headers) = from(&[VALID]);
        assert_eq!(headers[TRACEPARENT], "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000009-01");
        assert_eq!(headers.get_all(TRACESTATE).iter().count(), 2);
        assert_eq!((context.parent_id, context.sampled, context.random), (Some(0x00f0_67aa_0ba9_02b7), true, false));
    }

    #[test]
    fn flags_are_kept_and_cut() {
        for (flags, kept) in [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("fc", "00")] {
            let (_, headers) = from(&[&format!("{}{flags}", &VALID[..53])]);
            assert!(headers[TRACEPARENT].to_str().unwrap().ends_with(&format!("-{kept}")), "{flags}");
        }
    }

    #[test]
    fn later_versions_are_continued_as_zero() {
        for value in [VALID.replacen("00", "01", 1), format!("{}-more", VALID.replacen("00", "fe", 1))] {
            let (_, headers) = from(&[&value]);
            assert_eq!(headers[TRACEPARENT], "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000009-01", "{value}");
        }
    }

    #[test]
    fn broken_trace_is_started_anew() {
        let broken = [
            String::new(),
            VALID.to_uppercase(),
            VALID.replacen("00", "ff", 1),
            format!("{VALID}-more"),
            format!("{}x", VALID.replacen("00", "01", 1)),
            VALID[..54].to_owned(),
            VALID.replace('-', "_"),
            VALID.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            VALID.replace("00f067aa0ba902b7", &"0".repeat(16)),
            VALID.replace("4bf", "4bg"),
        ];
        for value in broken {
            let (context, headers) = from(&[&value]);
            assert_eq!(
                headers.get_all(TRACEPARENT).iter().collect::<Vec<_>>(),
                ["00-00000000000000000000000000000007-0000000000000009-03"],
                "{value}"
            );
            assert!(!headers.contains_key(TRACESTATE) && context.parent_id.is_none(), "{value}");
        }
        assert_eq!(from(&[VALID, VALID]).0.trace_id, 7);
        assert_eq!(from(&[]).0.trace_id, 7);
        let zero = next(&HeaderMap::new(), 0, 0);
        assert_eq!((zero.trace_id, zero.span_id), (1, 1));
    }

    proptest! {
        #[test]
        fn written_context_is_read_back(trace_id in 1u128.., span_id in 1u64.., sampled: bool, random: bool) {
            let context = TraceContext { trace_id, span_id, parent_id: None, sampled, random };
            let mut headers = HeaderMap::new();
            context.apply(&mut headers);
            let read = next(&headers, 1, 2);
            prop_assert_eq!((read.trace_id, read.parent_id, read.sampled, read.random), (trace_id, Some(span_id), sampled, random));
        }

        #[test]
        fn any_header_gives_a_context(value in "[ -~]{0,60}") {
            let (context, _) = from(&[&value]);
            prop_assert!(context.trace_id != 0 && context.span_id == 9);
        }
    }
}
