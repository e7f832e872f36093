//! Word documents: the parts that hold text, read in the order in which they show.
//!
//! Facts from ECMA-376 (Office Open XML), part 1, chapter 17 (WordprocessingML).

mod body;
mod package;
mod xml;

use std::collections::HashMap;

use package::Package;

use crate::markup;
use crate::{Found, Limits, Refusal, guarded};

/// The text of a document, its headings, lists, tables, links, footnotes and endnotes.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Found, Refusal> {
    guarded::run(|| read_here(bytes, limits)).unwrap_or_else(|| Err(damaged("its reader stopped")))
}

fn read_here(bytes: &[u8], limits: &Limits) -> Result<Found, Refusal> {
    let mut package = Package::open(bytes, limits)?;
    let relations = package.part("_rels/.rels")?.unwrap_or_default();
    let main = xml::relations(&relations)
        .into_values()
        .find(|relation| relation.kind.ends_with("/officeDocument"))
        .map_or_else(
            || "word/document.xml".to_owned(),
            |relation| relation.target.trim_start_matches('/').to_owned(),
        );
    let document = package
        .part(&main)?
        .ok_or_else(|| damaged(&format!("it has no part {main:?}")))?;
    let (folder, name) = main.rsplit_once('/').unwrap_or(("", &main));
    let beside = |name: &str| match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    };
    let links = package
        .part(&beside(&format!("_rels/{name}.rels")))?
        .map(|rels| {
            xml::relations(&rels)
                .into_iter()
                .filter(|(_, relation)| relation.external && relation.kind.ends_with("/hyperlink"))
                .map(|(id, relation)| (id, relation.target))
                .collect::<HashMap<_, _>>()
        })
        .unwrap_or_default();
    let styles = xml::styles(&package.part(&beside("styles.xml"))?.unwrap_or_default());
    let numbering = xml::numbering(&package.part(&beside("numbering.xml"))?.unwrap_or_default());
    let context = body::Context {
        links,
        styles,
        numbering,
    };
    // HTML is longer than the text it holds; beyond this the text is cut anyway.
    let most = limits.max_text_bytes.saturating_mul(8);
    let (mut html, too_deep) =
        body::html(&document, &context, most).map_err(|error| damaged(&error))?;
    for notes in ["footnotes.xml", "endnotes.xml"] {
        if let Some(part) = package.part(&beside(notes))? {
            // A broken note does not take the document with it.
            html.push_str(&body::html(&part, &context, most).unwrap_or_default().0);
        }
    }
    let found = markup::read(&html, limits)?;
    if too_deep {
        return found.too_deep();
    }
    Ok(found)
}

fn damaged(detail: &str) -> Refusal {
    Refusal::Damaged {
        kind: "DOCX",
        detail: detail.to_owned(),
    }
}
