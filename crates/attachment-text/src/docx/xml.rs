//! The small parts of a document: relations, styles, numbering.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// What a part refers to by id.
pub(super) struct Relation {
    pub kind: String,
    pub target: String,
    /// Outside of the package: an address.
    pub external: bool,
}

/// A reader that goes on over what is not well formed.
pub(super) fn reader(part: &str) -> Reader<&[u8]> {
    let mut reader = Reader::from_str(part);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    reader
}

/// The value of an attribute, by its name with or without a prefix.
pub(super) fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    tag.attributes()
        .with_checks(false)
        .flatten()
        .find(|a| a.key.local_name().as_ref() == name)
        .map(|a| {
            quick_xml::escape::unescape(&a.value)
                .map_or_else(|_| a.value.to_string(), |v| v.into_owned())
        })
}

/// How many elements are open.
#[derive(Default)]
pub(super) struct Depth(usize);

impl Depth {
    /// Far beyond what an office program writes.
    const MAX: usize = 1_000;

    /// Whether more elements are open after this event than anybody nests.
    pub(super) fn is_too_deep(&mut self, event: &quick_xml::Result<Event<'_>>) -> bool {
        match event {
            Ok(Event::Start(_)) => self.0 += 1,
            Ok(Event::End(_)) => self.0 = self.0.saturating_sub(1),
            _ => {}
        }
        self.0 > Self::MAX
    }
}

/// The outermost tags and those within, in order; `false` for an end.
fn tags(part: &str, mut each: impl FnMut(&str, Option<&BytesStart<'_>>)) {
    let mut reader = reader(part);
    let mut depth = Depth::default();
    loop {
        let event = reader.read_event();
        if depth.is_too_deep(&event) {
            return;
        }
        match event {
            Ok(Event::Start(tag)) => each(tag.local_name().as_ref(), Some(&tag)),
            Ok(Event::Empty(tag)) => {
                each(tag.local_name().as_ref(), Some(&tag));
                each(tag.local_name().as_ref(), None);
            }
            Ok(Event::End(tag)) => each(tag.local_name().as_ref(), None),
            Ok(Event::Eof) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// Relations by id.
pub(super) fn relations(part: &str) -> HashMap<String, Relation> {
    let mut found = HashMap::new();
    tags(part, |name, tag| {
        if let (Some(tag), "Relationship") = (tag, name)
            && let (Some(id), Some(target)) = (attribute(tag, "Id"), attribute(tag, "Target"))
        {
            let relation = Relation {
                kind: attribute(tag, "Type").unwrap_or_default(),
                target,
                external: attribute(tag, "TargetMode").as_deref() == Some("External"),
            };
            found.insert(id, relation);
        }
    });
    found
}

/// What a paragraph style says about structure.
#[derive(Clone, Debug, Default)]
pub(super) struct Style {
    /// 1 to 6.
    pub heading: Option<u8>,
    /// List it numbers its paragraphs in.
    pub list: Option<String>,
}

/// Paragraph styles by id. Word writes the names of its own styles in English whatever language it speaks.
pub(super) fn styles(part: &str) -> HashMap<String, Style> {
    let mut found: HashMap<String, Style> = HashMap::new();
    let mut parents: HashMap<String, String> = HashMap::new();
    let mut id = None;
    tags(part, |name, tag| match (name, tag) {
        ("style", Some(tag)) => id = attribute(tag, "styleId"),
        ("style", None) => id = None,
        (_, Some(tag)) => {
            let (Some(id), Some(value)) = (&id, attribute(tag, "val")) else {
                return;
            };
            let style = found.entry(id.clone()).or_default();
            match name {
                "name" => style.heading = style.heading.or_else(|| heading_by_name(&value)),
                "outlineLvl" => style.heading = style.heading.or_else(|| heading_by_level(&value)),
                "numId" => style.list = Some(value),
                "basedOn" => {
                    parents.insert(id.clone(), value);
                }
                _ => {}
            }
        }
        _ => {}
    });
    // A style of one's own that is based on a heading is one.
    let ids: Vec<String> = parents.keys().cloned().collect();
    for id in ids {
        let mut at = id.as_str();
        for _ in 0..10 {
            let Some(parent) = parents.get(at) else { break };
            at = parent;
            if let Some(heading) = found.get(at).and_then(|style| style.heading) {
                let style = found.entry(id.clone()).or_default();
                style.heading = style.heading.or(Some(heading));
                break;
            }
        }
    }
    found
}

fn heading_by_name(name: &str) -> Option<u8> {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "title" => Some(1),
        _ => {
            let level: u8 = name.strip_prefix("heading ")?.trim().parse().ok()?;
            (1..=9).contains(&level).then(|| level.min(6))
        }
    }
}

/// An outline level counts from 0; 9 is body text.
pub(super) fn heading_by_level(level: &str) -> Option<u8> {
    let level: u8 = level.parse().ok()?;
    (level < 9).then(|| (level + 1).min(6))
}

/// Which lists are numbered: by list and level, `true` for numbers, `false` for bullets.
pub(super) type Numbering = HashMap<(String, usize), bool>;

pub(super) fn numbering(part: &str) -> Numbering {
    let mut formats: HashMap<(String, usize), bool> = HashMap::new();
    let mut lists: Vec<(String, String)> = Vec::new();
    let (mut outline, mut list) = (None, None);
    let mut level = 0usize;
    tags(part, |name, tag| match (name, tag) {
        ("abstractNum", tag) => outline = tag.and_then(|tag| attribute(tag, "abstractNumId")),
        ("num", tag) => list = tag.and_then(|tag| attribute(tag, "numId")),
        ("lvl", Some(tag)) => {
            level = attribute(tag, "ilvl")
                .and_then(|n| n.parse().ok())
                .unwrap_or(0);
        }
        ("numFmt", Some(tag)) => {
            if let Some(outline) = &outline {
                let numbered = attribute(tag, "val").is_some_and(|v| v != "bullet" && v != "none");
                formats.insert((outline.clone(), level), numbered);
            }
        }
        ("abstractNumId", Some(tag)) => {
            if let (Some(list), Some(of)) = (&list, attribute(tag, "val")) {
                lists.push((list.clone(), of));
            }
        }
        _ => {}
    });
    lists
        .iter()
        .flat_map(|(list, of)| (0..9).map(move |level| (list, of, level)))
        .filter_map(|(list, of, level)| {
            Some(((list.clone(), level), *formats.get(&(of.clone(), level))?))
        })
        .collect()
}
