//! What was added, edited or removed lately.

use std::collections::HashMap;

use domain::access::Asker;
use domain::page::{PageState, PlacedPage};
use domain::ports::store::PageFilter;
use domain::query::ChangedPage;
use domain::sections::SectionChanges;
use domain::{IndexId, PageId, SpaceKey, Timestamp};

use super::pool::Question;
use super::quotable::Quotable;
use super::{Sources, verify};
use crate::EngineError;

/// States in which a page may have a change to show; `pending` and `failed` are also those whose newer text is on its way.
const CHANGED: [PageState; 5] = [
    PageState::Searchable,
    PageState::Uploaded,
    PageState::Pending,
    PageState::Failed,
    PageState::Removed,
];
/// Rows that one read for changes takes at least, and how many reads one question takes at most.
const READ: usize = 100;
const MAX_READS: usize = 20;

/// Pages that were added, edited or removed after a moment, newest first.
pub(crate) struct RecentChanges {
    pub since: Timestamp,
    pub space: Option<SpaceKey>,
    pub limit: usize,
}

impl Question for RecentChanges {
    type Answer = Vec<ChangedPage>;

    async fn answer(
        self,
        sources: &Sources,
        index: IndexId,
        asker: &Asker,
    ) -> Result<Self::Answer, EngineError> {
        let mut filter = PageFilter {
            states: CHANGED.to_vec(),
            space: self.space,
            changed_after: Some(self.since),
            limit: self.limit.max(READ),
            ..PageFilter::default()
        };
        let mut changes = Vec::new();
        // While a first sync goes on, most of what is newest is not in the index yet.
        for _ in 0..MAX_READS {
            let listed = sources.store.pages(index, &filter).await?;
            changes.extend(noticeable(sources, (index, asker), listed.items).await?);
            filter.cursor = listed.next_cursor;
            if changes.len() >= self.limit || filter.cursor.is_none() {
                break;
            }
        }
        changes.truncate(self.limit);
        let since = filter.changed_after.unwrap_or_default();
        name_sections(sources, &mut changes, since).await?;
        Ok(changes)
    }
}

/// Which of the changed pages a reader may hear of.
async fn noticeable(
    sources: &Sources,
    whose: (IndexId, &Asker),
    pages: Vec<PlacedPage>,
) -> Result<Vec<ChangedPage>, EngineError> {
    let ids: Vec<PageId> = pages.into_iter().map(|p| p.record.page_id).collect();
    let mut quotable = Quotable::read(sources, whose, ids.clone()).await?;
    let restricted = quotable.target.settings.restricted_pages;
    let mut changes: Vec<ChangedPage> = ids
        .iter()
        .filter_map(|id| {
            let placed = quotable.take(id)?;
            Some(ChangedPage {
                page: placed.shown_as_changed(restricted)?,
                changed_at: placed.record.changed_at,
                sections: SectionChanges::default(),
            })
        })
        .collect();
    let there = changes
        .iter()
        .filter(|change| change.page.state != PageState::Removed)
        .map(|change| (change.page.kind, change.page.id.clone()));
    let visible = verify::visible(sources, (&quotable.target, whose.1), there.collect()).await?;
    changes.retain(|change| {
        change.page.state == PageState::Removed || visible.contains(&change.page.id)
    });
    Ok(changes)
}

/// Says of pages that are there what changed by heading since a moment, up to the version that is shown.
async fn name_sections(
    sources: &Sources,
    changes: &mut [ChangedPage],
    since: Timestamp,
) -> Result<(), EngineError> {
    let mut there: HashMap<PageId, &mut ChangedPage> = changes
        .iter_mut()
        .filter(|change| change.page.state != PageState::Removed)
        .map(|change| (change.page.id.clone(), change))
        .collect();
    let ids: Vec<PageId> = there.keys().cloned().collect();
    for edit in sources.store.section_edits(&ids, since).await? {
        if let Some(change) = there.get_mut(&edit.page_id)
            && edit.version <= change.page.version
        {
            change.sections = std::mem::take(&mut change.sections).then(edit.changes);
        }
    }
    Ok(())
}
