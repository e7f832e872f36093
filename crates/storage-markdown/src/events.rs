//! Reads a storage body as XML events and hands them to the converter; resumes after broken markup.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::attrs::resolve;
use crate::convert::Converter;

/// Feeds all of `body` to the converter.
pub(crate) fn drive(converter: &mut Converter<'_>) {
    let body = converter.body;
    let mut base = 0;
    // Looking for the end of something that never ends reads the body to its own end; so that hostile input stays
    // linear, this may happen a few times only. After that the rest is read as text.
    let mut budget = body.len() * 8 + 65_536;
    while base < body.len() {
        let Some((resume, read)) = run(converter, body, base) else {
            return;
        };
        converter.result.diagnostics.repairs += 1;
        base = resume.max(base + 1);
        while !body.is_char_boundary(base) {
            base += 1;
        }
        match budget.checked_sub(read.saturating_sub(base) + 64) {
            Some(left) => budget = left,
            None => return text_only(converter, &body[base..]),
        }
    }
}

/// Reads events from `base` on. After an error, returns where to resume, and how far the reader had looked.
fn run<'a>(converter: &mut Converter<'a>, body: &'a str, base: usize) -> Option<(usize, usize)> {
    let source = &body[base..];
    let mut reader = Reader::from_str(source);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.check_comments = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    // Where the event at hand begins.
    let mut last = 0;
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                converter.offset = base + reader.buffer_position() as usize;
                let name = tag.name();
                if !is_name(name.as_ref()) {
                    converter.reference("<", " ");
                    return Some((base + last + 1, 0));
                }
                let attrs = within(body, tag.attributes_raw());
                converter.start(name.as_ref(), attrs);
            }
            Ok(Event::End(tag)) => {
                converter.offset = base + reader.buffer_position() as usize;
                converter.end(tag.name().as_ref());
            }
            Ok(Event::Empty(tag)) => {
                converter.offset = base + reader.buffer_position() as usize;
                let attrs = within(body, tag.attributes_raw());
                converter.start(tag.name().as_ref(), attrs);
                converter.end(tag.name().as_ref());
            }
            Ok(Event::Text(text)) => converter.text(within(body, &text.into_inner())),
            Ok(Event::CData(data)) => converter.text(within(body, &data.into_inner())),
            Ok(Event::GeneralRef(reference)) => {
                let name = reference.into_inner();
                let rest = source
                    .get(reader.buffer_position() as usize..)
                    .unwrap_or("");
                let mut buffer = [0; 4];
                match resolve(&name, &mut buffer) {
                    Some(text) => converter.reference(text, rest),
                    None => {
                        converter.reference("&", "");
                        converter.text(within(body, &name));
                        converter.text(";");
                    }
                }
            }
            Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
            Ok(Event::Eof) => return None,
            Err(_) => {
                // What could not be read is skipped up to the next tag; a stray `<` is text.
                let read = base + reader.buffer_position() as usize;
                let position = (reader.error_position() as usize)
                    .max(last)
                    .min(source.len());
                let from = base + position;
                let rest = body.get(from..).unwrap_or("");
                let skip = usize::from(rest.starts_with('<'));
                if skip == 1 {
                    converter.reference("<", " ");
                }
                let next = rest
                    .get(skip..)
                    .and_then(|r| memchr::memchr(b'<', r.as_bytes()));
                let end = next.map_or(rest.len(), |n| n + skip);
                if let Some(text) = body.get(from + skip..from + end) {
                    converter.text(text);
                }
                return Some((from + end, read));
            }
        }
        last = reader.buffer_position() as usize;
    }
}

/// What follows a `<` is the name of an element.
fn is_name(name: &str) -> bool {
    name.as_bytes()
        .first()
        .is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b':' | 0x80..))
}

/// The rest of a body that is beyond repair: its text, without what looks like tags.
fn text_only<'a>(converter: &mut Converter<'a>, rest: &'a str) {
    let mut rest = rest;
    while !rest.is_empty() {
        let at = memchr::memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
        converter.text(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = memchr::memchr(b'>', rest.as_bytes()) else {
            break;
        };
        converter.text(" ");
        rest = &rest[end + 1..];
    }
}

/// `part`, which the reader borrowed from `body`, with the lifetime of `body`.
fn within<'a>(body: &'a str, part: &str) -> &'a str {
    let at = (part.as_ptr() as usize).wrapping_sub(body.as_ptr() as usize);
    body.get(at..at.wrapping_add(part.len())).unwrap_or("")
}
