//! Reads a storage body as XML events and hands them to the converter; goes on after broken markup.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::attrs::{paired, resolve};
use crate::convert::Converter;

/// Feeds all of `body` to the converter.
pub(crate) fn drive(converter: &mut Converter<'_>) {
    let body = converter.body;
    let mut markup = Markup::new(body);
    let Some(mut from) = run(converter, 0..body.len()) else {
        return;
    };
    // From the first fault on the body is read in parts that end before the next `<` that begins nothing: that one is
    // text. So no part is looked at twice, whatever never ends.
    let mut end = from;
    loop {
        converter.result.diagnostics.repairs += 1;
        from = match markup.end(from) {
            // The reader cannot make sense of it.
            Some(after) => after,
            None => {
                let c = body[from..].chars().next().map_or(1, char::len_utf8);
                if body[from..].starts_with('<') {
                    converter.reference("<", &body[from + 1..]);
                }
                from + c
            }
        };
        if from >= end {
            end = markup.next_stray(from).unwrap_or(body.len());
        }
        from = match run(converter, from..end) {
            Some(fault) => fault,
            None if end < body.len() => end,
            None => return,
        };
    }
}

/// Reads the events of a part of the body. Where it cannot be read, returns the place to go on from.
fn run<'a>(converter: &mut Converter<'a>, part: Range<usize>) -> Option<usize> {
    let body = converter.body;
    // The reader leaves out a byte order mark and counts from behind it; so the part begins there.
    let marked = &body[part.start..part.end];
    let base = part.end - marked.trim_start_matches('\u{feff}').len();
    let mut reader = Reader::from_str(&body[base..part.end]);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.check_comments = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    // Where the event at hand begins.
    let mut last = base;
    // The event at hand is the second half of a character.
    let mut half = false;
    loop {
        let event = reader.read_event();
        let end = base + reader.buffer_position() as usize;
        match event {
            Ok(Event::Start(tag)) => {
                let attrs = within(body, tag.attributes_raw());
                let name = tag.name();
                if !is_name(name.as_ref()) || is_stray(attrs) {
                    return Some(last);
                }
                converter.offset = end;
                converter.start(name.as_ref(), attrs);
            }
            Ok(Event::End(tag)) => {
                converter.offset = end;
                converter.end(tag.name().as_ref());
            }
            Ok(Event::Empty(tag)) => {
                let attrs = within(body, tag.attributes_raw());
                let name = tag.name();
                if !is_name(name.as_ref()) || is_stray(attrs) {
                    return Some(last);
                }
                converter.offset = end;
                converter.start(name.as_ref(), attrs);
                converter.end(name.as_ref());
            }
            Ok(Event::Text(text)) => converter.text(within(body, &text.into_inner())),
            Ok(Event::CData(data)) => converter.text(within(body, &data.into_inner())),
            Ok(Event::GeneralRef(_)) if half => half = false,
            Ok(Event::GeneralRef(reference)) => {
                let name = reference.into_inner();
                let rest = body.get(end..).unwrap_or("");
                let mut buffer = [0; 4];
                if let Some((c, _)) = paired(&name, rest) {
                    half = true;
                    converter.reference(c.encode_utf8(&mut buffer), rest);
                } else if let Some(text) = resolve(&name, &mut buffer) {
                    converter.reference(text, rest);
                } else {
                    converter.reference("&", "");
                    converter.text(within(body, &name));
                    converter.text(";");
                }
            }
            Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
            Ok(Event::Eof) => return None,
            // The fault lies in what begins here, wherever the reader noticed it.
            Err(_) => return Some(last.max(base + reader.error_position() as usize).min(end)),
        }
        last = end;
    }
}

/// What follows a `<` is the name of an element.
fn is_name(name: &str) -> bool {
    name.as_bytes().first().is_some_and(|b| begins_name(*b))
}

fn begins_name(b: u8) -> bool {
    b.is_ascii_alphabetic() || matches!(b, b'_' | b':' | 0x80..)
}

/// Whether the inside of what looks like a tag is none: another `<` stands in it, or words that are no attributes, as in
/// `a <b and c> d`.
fn is_stray(attrs: &str) -> bool {
    !attrs.is_empty() && !is_regular(attrs) && {
        let mut rest = attrs;
        let mut quoted = String::new();
        // What stands outside of quotes.
        while let Some(at) = memchr::memchr2(b'"', b'\'', rest.as_bytes()) {
            let quote = rest.as_bytes()[at];
            quoted.push_str(&rest[..at]);
            quoted.push_str("\"\"");
            let close = memchr::memchr(quote, &rest.as_bytes()[at + 1..]);
            rest = close.map_or("", |close| &rest[at + close + 2..]);
        }
        quoted.push_str(rest);
        let is_word = |part: &str| {
            let name = part.trim_end_matches('/');
            !(name.is_empty() || part.contains('=') || FLAGS.contains(&name))
        };
        quoted.contains('<')
            || quoted
                .replace(" =", "=")
                .replace("= ", "=")
                .split_ascii_whitespace()
                .any(is_word)
    }
}

/// What ends with a quoted value and has no `<` in it is taken for attributes at a glance, and so is nothing: nearly every tag
/// is such.
fn is_regular(attrs: &str) -> bool {
    let mut from_end = attrs.bytes().rev();
    match from_end.find(|b| !matches!(b, b' ' | b'/' | b'\n')) {
        Some(b'"' | b'\'') => memchr::memchr(b'<', attrs.as_bytes()).is_none(),
        Some(_) => false,
        None => true,
    }
}

/// Attributes of HTML that need no value.
const FLAGS: [&str; 16] = [
    "nowrap",
    "noshade",
    "compact",
    "checked",
    "disabled",
    "selected",
    "hidden",
    "multiple",
    "readonly",
    "required",
    "reversed",
    "open",
    "controls",
    "ismap",
    "allowfullscreen",
    "webkitallowfullscreen",
];

/// Tells markup from a `<` that is text. Where something must end later on, the last place where it could is looked up
/// once, so that all questions together cost one reading of the body.
struct Markup<'a> {
    body: &'a [u8],
    last: [Option<usize>; 5],
}

/// What ends a comment, a CDATA section, a processing instruction, and values in quotes.
const ENDS: [&[u8]; 5] = [b"-->", b"]]>", b"?>", b"\"", b"'"];

impl<'a> Markup<'a> {
    fn new(body: &'a str) -> Self {
        Markup {
            body: body.as_bytes(),
            last: [None; 5],
        }
    }

    /// Whether this end stands anywhere from `at` on.
    fn ends_later(&mut self, which: usize, at: usize) -> bool {
        let body = self.body;
        let last = *self.last[which]
            .get_or_insert_with(|| memchr::memmem::rfind(body, ENDS[which]).map_or(0, |n| n + 1));
        last > at
    }

    /// Where this end has ended, from `at` on.
    fn end_of(&mut self, which: usize, at: usize) -> Option<usize> {
        if !self.ends_later(which, at) {
            return None;
        }
        let found = memchr::memmem::find(&self.body[at..], ENDS[which])?;
        Some(at + found + ENDS[which].len())
    }

    /// Where the markup that begins with the `<` at `at` ends.
    fn end(&mut self, at: usize) -> Option<usize> {
        let rest = self.body.get(at..)?;
        if rest.first() != Some(&b'<') {
            return None;
        }
        if rest.starts_with(b"<!--") {
            return self.end_of(0, at + 4);
        }
        if rest.starts_with(b"<![CDATA[") {
            return self.end_of(1, at + 9);
        }
        match rest.get(1) {
            Some(b'?') => self.end_of(2, at + 2),
            Some(b'!') => self.tag_end(at + 2),
            Some(b'/') if rest.get(2).is_some_and(|b| begins_name(*b)) => self.tag_end(at + 2),
            Some(b) if begins_name(*b) => {
                let end = self.tag_end(at + 1)?;
                let inside = self.body.get(at + 1..end - 1)?;
                let name = inside
                    .iter()
                    .position(|b| b.is_ascii_whitespace() || *b == b'/');
                let attrs = std::str::from_utf8(&inside[name.unwrap_or(inside.len())..]).ok()?;
                (!is_stray(attrs)).then_some(end)
            }
            _ => None,
        }
    }

    /// Where the tag ends whose inside begins at `at`; nowhere when another begins before.
    fn tag_end(&mut self, mut at: usize) -> Option<usize> {
        loop {
            let found = self.body[at..]
                .iter()
                .position(|b| matches!(b, b'<' | b'>' | b'"' | b'\''))?;
            at += found + 1;
            match self.body[at - 1] {
                b'>' => return Some(at),
                b'<' => return None,
                b'"' => at = self.end_of(3, at)?,
                _ => at = self.end_of(4, at)?,
            }
        }
    }

    /// The first `<` from `at` on that begins nothing.
    fn next_stray(&mut self, mut at: usize) -> Option<usize> {
        loop {
            at += memchr::memchr(b'<', self.body.get(at..)?)?;
            match self.end(at) {
                Some(end) => at = end,
                None => return Some(at),
            }
        }
    }
}

/// `part`, which the reader borrowed from `body`, with the lifetime of `body`.
fn within<'a>(body: &'a str, part: &str) -> &'a str {
    let at = (part.as_ptr() as usize).wrapping_sub(body.as_ptr() as usize);
    body.get(at..at.wrapping_add(part.len())).unwrap_or("")
}
