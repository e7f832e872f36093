//! Reading rendered HTML with lol_html: start tags, text and end tags in order, with their places.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use lol_html::{MemorySettings, Settings, doc_text, element, end_tag};

use crate::tag::Tag;

/// What the parser meets.
pub(crate) enum HtmlEvent<'e> {
    /// Name, attributes as `name="value"` pairs, end offset of the tag.
    Start(&'e str, &'e str, Range<usize>),
    /// Name, range of the tag.
    End(&'e str, Range<usize>),
    /// Raw text (references not decoded), and whether it is the last part of it.
    Text(&'e str, bool),
}

/// Memory for elements that are open at once, in bytes: enough for tens of thousands.
const OPEN_ELEMENTS: usize = 8 << 20;

/// End tags met and not yet told: name, range.
type Ends = RefCell<Vec<(String, Range<usize>)>>;

/// Reads `html`; returns whether it could not be read to its end.
pub(crate) fn walk(html: &str, sink: &mut dyn FnMut(HtmlEvent<'_>)) -> bool {
    // End tags come through handlers that must be 'static: they go by way of a queue that is emptied at each event.
    let ends: Rc<Ends> = Rc::default();
    let sink = RefCell::new(sink);
    let drain = |ends: &Ends, sink: &RefCell<&mut dyn FnMut(HtmlEvent<'_>)>| {
        for (name, range) in ends.borrow_mut().drain(..) {
            (*sink.borrow_mut())(HtmlEvent::End(&name, range));
        }
    };
    let on_element = element!("*", |el| {
        drain(&ends, &sink);
        let name = el.tag_name();
        let mut attrs = String::new();
        for attribute in el.attributes() {
            attrs.push(' ');
            attrs.push_str(&attribute.name());
            attrs.push_str("=\"");
            attrs.push_str(&attribute.value().replace('"', "&quot;"));
            attrs.push('"');
        }
        let at = el.source_location().bytes();
        (*sink.borrow_mut())(HtmlEvent::Start(&name, &attrs, at.clone()));
        if Tag::is_void(&name) || !el.can_have_content() {
            (*sink.borrow_mut())(HtmlEvent::End(&name, at));
        } else {
            // The name is that of the element: the end tag that ends it may be its parent's.
            let (ends, name) = (Rc::clone(&ends), name.clone());
            el.on_end_tag(end_tag!(move |end| {
                ends.borrow_mut()
                    .push((name.clone(), end.source_location().bytes()));
                Ok(())
            }))?;
        }
        Ok(())
    });
    let on_text = doc_text!(|text| {
        drain(&ends, &sink);
        (*sink.borrow_mut())(HtmlEvent::Text(text.as_str(), text.last_in_text_node()));
        Ok(())
    });
    let settings = Settings::new()
        .with_memory_settings(MemorySettings::new().with_max_allowed_memory_usage(OPEN_ELEMENTS))
        .append_element_content_handler(on_element)
        .append_document_content_handler(on_text);
    let failed = lol_html::rewrite_str(html, settings).is_err();
    drain(&ends, &sink);
    failed
}
