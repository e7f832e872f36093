//! The visible words of a storage body, read without any of the converter's rules.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::attrs::resolve;
use crate::tag::Tag;

/// The visible text of a storage body: every piece of text a reader of the page sees, blocks separated by newlines.
///
/// Kept apart from the converter on purpose, so that the one can be checked against the other: parameters, ids,
/// placeholders, scripts and fallbacks that repeat their node are left out; names behind links are not looked up.
pub fn plain_text(body: &str) -> String {
    let mut out = String::with_capacity(body.len() / 2);
    let mut reader = Reader::from_str(body);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut hidden = 0usize;
    // Length of the output when each open extension began.
    let mut extensions: Vec<usize> = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                let kind = Tag::from_name(tag.name().as_ref());
                if hidden > 0 {
                    hidden += 1;
                    continue;
                }
                match kind {
                    Tag::Parameter
                    | Tag::Noise
                    | Tag::TaskId
                    | Tag::TaskStatus
                    | Tag::AdfAttribute
                    | Tag::AdfParameter => hidden = 1,
                    Tag::AdfExtension => extensions.push(out.len()),
                    Tag::AdfFallback
                        if extensions
                            .last()
                            .is_some_and(|&n| !out[n.min(out.len())..].trim().is_empty()) =>
                    {
                        hidden = 1
                    }
                    _ => {}
                }
                if hidden == 0 {
                    separate(&mut out, kind);
                }
            }
            Ok(Event::End(tag)) => {
                if hidden > 0 {
                    hidden -= 1;
                    continue;
                }
                let kind = Tag::from_name(tag.name().as_ref());
                if kind == Tag::AdfExtension {
                    extensions.pop();
                }
                separate(&mut out, kind);
            }
            Ok(Event::Empty(tag)) if hidden == 0 => {
                separate(&mut out, Tag::from_name(tag.name().as_ref()))
            }
            Ok(Event::Text(text)) if hidden == 0 => out.push_str(&text.into_inner()),
            Ok(Event::CData(text)) if hidden == 0 => out.push_str(&text.into_inner()),
            Ok(Event::GeneralRef(reference)) if hidden == 0 => {
                let name = reference.into_inner();
                let mut buffer = [0; 4];
                match resolve(&name, &mut buffer) {
                    Some("\u{a0}") => out.push(' '),
                    Some(text) => out.push_str(text),
                    None => {
                        out.push('&');
                        out.push_str(&name);
                        out.push(';');
                    }
                }
            }
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    out
}

fn separate(out: &mut String, tag: Tag) {
    let inline = matches!(
        tag,
        Tag::Strong
            | Tag::Em
            | Tag::A
            | Tag::Span
            | Tag::Strike
            | Tag::Sub
            | Tag::Sup
            | Tag::Code
            | Tag::Other
            | Tag::Link
            | Tag::LinkBody
            | Tag::AdfMark
            | Tag::Parameter
            | Tag::RiPage
            | Tag::RiUser
    );
    if !inline && !out.ends_with('\n') {
        out.push('\n');
    }
}
