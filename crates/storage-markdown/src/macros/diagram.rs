//! Diagram sources that macros keep in a parameter: base64, often deflated, often URL-encoded inside.

use std::io::Read as _;

/// A source is text; more than this is not one.
const LIMIT: u64 = 2 << 20;

/// The source behind a `data` parameter; text that is not encoded comes back as it is.
pub(crate) fn decode(data: &str, compressed: bool) -> Option<String> {
    use base64::Engine as _;
    use base64::alphabet;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let compact: String = data.chars().filter(|c| !c.is_whitespace()).collect();
    let looks_encoded = !compact.is_empty()
        && compact
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_'));
    if !looks_encoded {
        let text = if data.contains('%') {
            crate::attrs::percent_decoded(data, false)
        } else {
            data.to_string()
        };
        return Some(text).filter(|t| !t.trim().is_empty());
    }
    let alphabet = if compact.contains(['-', '_']) {
        alphabet::URL_SAFE
    } else {
        alphabet::STANDARD
    };
    let bytes = GeneralPurpose::new(&alphabet, lenient)
        .decode(compact.as_bytes())
        .ok()?;
    let bytes = if compressed {
        inflate(&bytes)?
    } else {
        match std::str::from_utf8(&bytes) {
            Ok(_) => bytes,
            Err(_) => inflate(&bytes)?,
        }
    };
    let text = String::from_utf8(bytes).ok()?;
    let text = if text.contains('%') {
        crate::attrs::percent_decoded(&text, false)
    } else {
        text
    };
    Some(text).filter(|t| !t.trim().is_empty())
}

fn inflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    if flate2::read::DeflateDecoder::new(bytes)
        .take(LIMIT)
        .read_to_end(&mut out)
        .is_ok()
        && !out.is_empty()
    {
        return Some(out);
    }
    out.clear();
    flate2::read::ZlibDecoder::new(bytes)
        .take(LIMIT)
        .read_to_end(&mut out)
        .ok()
        .filter(|_| !out.is_empty())?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use std::io::Write as _;

    #[test]
    fn sources_are_decoded_from_every_wrapping() {
        let source = "@startuml\nA -> B : 100%\n@enduml";
        assert_eq!(decode(source, false).as_deref(), Some(source));
        assert_eq!(
            decode(&STANDARD.encode("graph TD; A-->B"), false).as_deref(),
            Some("graph TD; A-->B")
        );
        let mut deflate =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        deflate.write_all(b"A%20-%3E%20B").unwrap();
        let packed = STANDARD.encode(deflate.finish().unwrap());
        assert_eq!(decode(&packed, true).as_deref(), Some("A -> B"));
        assert_eq!(decode("", false), None);
        assert_eq!(decode("AAAA", true), None);
    }
}
