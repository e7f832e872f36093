//! Characters out of bytes.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::kind::extension;

/// Text with its lines ended by `\n`, in a code block when the name says that it is code or data.
pub(crate) fn text(file_name: &str, bytes: &[u8]) -> String {
    let text = decode(bytes);
    let language = match extension(file_name).map(str::to_ascii_lowercase).as_deref() {
        None | Some("txt" | "text" | "rst" | "adoc") => return text,
        Some("log") => String::new(),
        Some(other) if other.len() <= 12 && other.chars().all(|c| c.is_ascii_alphanumeric()) => {
            other.to_owned()
        }
        Some(_) => return text,
    };
    if text.trim().is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end())
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Characters of a text file: by its byte order mark, as UTF-8, as UTF-16 without a mark when every other byte is nil,
/// and as windows-1252 when nothing else fits (in which each byte is a character).
pub(crate) fn decode(bytes: &[u8]) -> String {
    clean(&with(encoding(bytes), bytes))
}

/// The same for a web page, which may name its encoding itself.
pub(crate) fn decode_html(bytes: &[u8]) -> String {
    let named = || {
        if Encoding::for_bom(bytes).is_some() || std::str::from_utf8(bytes).is_ok() {
            return None;
        }
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
        let label = head
            .split_once("charset=")?
            .1
            .trim_start_matches(['"', '\'', ' ']);
        let end = label
            .find(|c: char| !c.is_ascii_alphanumeric() && !"-_:.".contains(c))
            .unwrap_or(label.len());
        // A page that is read byte by byte up to here is not UTF-16, whatever it says.
        Encoding::for_label(&label.as_bytes()[..end]).filter(|e| e.is_ascii_compatible())
    };
    clean(&with(named().unwrap_or_else(|| encoding(bytes)), bytes))
}

fn with(encoding: &'static Encoding, bytes: &[u8]) -> String {
    // Takes a byte order mark off, and follows it.
    encoding.decode(bytes).0.into_owned()
}

fn encoding(bytes: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    if let Some(encoding) = without_mark(bytes) {
        return encoding;
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => UTF_8,
        // Cut within its last character: still UTF-8.
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => UTF_8,
        Err(_) => WINDOWS_1252,
    }
}

/// UTF-16 of a western language has a nil in nearly every other byte; text in bytes has none.
fn without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(4096) & !1];
    let nils = |at: usize| head.iter().skip(at).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, pairs) = (nils(0), nils(1), head.len() / 2);
    if pairs < 4 || (even + odd) * 2 < pairs {
        None
    } else if odd > 4 * even {
        Some(UTF_16LE)
    } else if even > 4 * odd {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Line ends made one kind, and what cannot be seen left out: control characters, zero-width and direction marks that
/// carry no letter. Joiners stay, since scripts and emoji need them.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            '\u{ad}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}' => {}
            _ if c.is_control() => {}
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_found_in_the_encodings_people_use() {
        let utf16 = |text: &str, little: bool| -> Vec<u8> {
            text.encode_utf16()
                .flat_map(|unit| {
                    if little {
                        unit.to_le_bytes()
                    } else {
                        unit.to_be_bytes()
                    }
                })
                .collect()
        };
        let text = "Grüße, naïve café";
        for (what, bytes) in [
            ("UTF-8", text.as_bytes().to_vec()),
            (
                "UTF-8 with a mark",
                [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            ),
            (
                "UTF-16LE with a mark",
                [b"\xff\xfe".to_vec(), utf16(text, true)].concat(),
            ),
            (
                "UTF-16BE with a mark",
                [b"\xfe\xff".to_vec(), utf16(text, false)].concat(),
            ),
            ("UTF-16LE", utf16(text, true)),
            ("UTF-16BE", utf16(text, false)),
            ("windows-1252", WINDOWS_1252.encode(text).0.into_owned()),
        ] {
            assert_eq!(decode(&bytes), text, "{what}");
        }
        assert_eq!(decode(b"2 \x80 per \x93piece\x94"), "2 € per “piece”");
        assert_eq!(
            decode(&text.as_bytes()[..4]),
            "Gr\u{fc}",
            "cut within a character"
        );
    }

    #[test]
    fn a_web_page_may_name_its_encoding() {
        let page = b"<meta charset=\"iso-8859-2\"><p>\xb1</p>";
        assert!(decode_html(page).ends_with("<p>ą</p>"));
        assert!(decode_html(b"<meta charset=utf-16><p>\xe4</p>").ends_with("<p>ä</p>"));
    }

    #[test]
    fn code_stands_in_a_block_that_its_own_fences_do_not_end() {
        assert_eq!(text("a.txt", b"a\r\nb"), "a\nb");
        assert_eq!(text("a.yaml", b"a: 1\n"), "```yaml\na: 1\n```\n");
        assert_eq!(text("a.log", b"```x"), "````\n```x\n````\n");
        assert_eq!(text("a.json", b" \n"), "");
    }

    #[test]
    fn what_cannot_be_seen_is_left_out() {
        assert_eq!(
            clean("a\u{200b}b\u{202e}c\u{0}d\u{7}\te\rf\r\ng\u{2028}h"),
            "abcd\te\nf\ng\nh"
        );
        assert_eq!(clean("👩\u{200d}💻"), "👩\u{200d}💻");
    }
}
