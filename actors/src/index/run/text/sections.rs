//! What a new version changes by heading, noted while the text of the one before is still kept.

use std::collections::HashMap;

use domain::PageId;
use domain::page::CachedText;
use domain::sections::{Section, SectionChanges, SectionEdit};
use storage_markdown::outline;

use super::convert::on_blocking_thread;
use crate::index::run::RunCtx;
use crate::stop::RunError;

/// Compares texts that are about to be kept with those of older versions that are kept. A run that is killed between this and the
/// keeping compares again.
pub(crate) async fn note_edits(ctx: &RunCtx, texts: &[&CachedText]) -> Result<(), RunError> {
    if texts.is_empty() {
        return Ok(());
    }
    let ids: Vec<PageId> = texts.iter().map(|text| text.page_id.clone()).collect();
    let kept = ctx.store().body_briefs(&ids).await?;
    let versions: HashMap<&PageId, i32> = kept
        .iter()
        .map(|kept| (&kept.page_id, kept.version))
        .collect();
    let mut edits = Vec::new();
    for new in texts {
        let is_older = |version: &i32| *version < new.version;
        if !versions.get(&new.page_id).is_some_and(is_older) {
            continue;
        }
        // One by one: both texts are in memory.
        let old = ctx.store().texts(std::slice::from_ref(&new.page_id));
        let Some(old) = old.await?.pop() else {
            continue;
        };
        // Another converter gives other text for what nobody edited.
        if old.version >= new.version || old.converter != new.converter {
            continue;
        }
        let markdown = new.markdown.clone();
        let changes = on_blocking_thread(move || between(&old.markdown, &markdown)).await?;
        if !changes.is_empty() {
            edits.push(SectionEdit {
                page_id: new.page_id.clone(),
                version: new.version,
                changes,
            });
        }
    }
    if !edits.is_empty() {
        ctx.store().note_section_edits(&edits).await?;
    }
    Ok(())
}

fn between(old: &str, new: &str) -> SectionChanges {
    let (old, new) = (cut(old), cut(new));
    SectionChanges::between(&borrowed(&old), &borrowed(&new))
}

type Cut<'a> = Vec<(Option<String>, &'a str)>;

fn cut(markdown: &str) -> Cut<'_> {
    outline::sections(markdown)
        .map(|(heading, text)| (heading.map(|heading| heading.text), text))
        .collect()
}

fn borrowed<'a>(cut: &'a Cut<'a>) -> Vec<Section<'a>> {
    cut.iter()
        .map(|(heading, text)| Section {
            heading: heading.as_deref(),
            text,
        })
        .collect()
}
