//! Who reads an answer, as the rows say when it is made.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use chrono::TimeDelta;
use domain::access::{Asker, Explanation, Identity, Viewer, explain, view};
use domain::index::RestrictedPages;
use domain::query::{QueryTarget, Readable};
use domain::{IndexId, PageId};

use super::Sources;
use super::pool::Question;
use crate::EngineError;

/// Reads what one person may see of an index that answers per person.
pub(super) async fn viewer(
    sources: &Sources,
    target: &QueryTarget,
    asker: &Asker,
) -> Result<Viewer, EngineError> {
    if *asker == Asker::Operator {
        return Ok(Viewer::Everyone { guarded: true });
    }
    if !target.settings.access.is_per_user() {
        let guarded = target.settings.restricted_pages == RestrictedPages::Include;
        return Ok(Viewer::Everyone { guarded });
    }
    let facts = sources.store.view_facts(target.id, asker).await?;
    if let (Asker::Person(email), Some(Identity::Unknown)) = (asker, &facts.identity) {
        let strangers = sources.strangers.lock();
        strangers
            .unwrap_or_else(PoisonError::into_inner)
            .note(email, sources.now());
    }
    let (max_age, unknown) = (sources.permissions_max_age, sources.unknown_people);
    Ok(Viewer::One(Box::new(view(
        &facts,
        sources.now(),
        max_age,
        unknown,
    ))))
}

/// What a store is to leave out before it ranks.
pub(super) fn readable(target: &QueryTarget, viewer: &Viewer) -> Option<Readable> {
    let view = viewer.view()?;
    let spaces: BTreeSet<_> = target
        .spaces
        .iter()
        .filter(|space| space.id.as_ref().is_some_and(|id| view.sees_space(id)))
        .map(|space| space.present_key().clone())
        .collect();
    Some(Readable {
        spaces,
        all_spaces: target.spaces.len(),
        hidden: view.hidden().clone(),
    })
}

/// An index as the asker sees it: the spaces that the person may use, with the documents that the person may read.
pub(crate) struct Look;

impl Question for Look {
    type Answer = QueryTarget;

    async fn answer(
        self,
        sources: &Sources,
        index: IndexId,
        asker: &Asker,
    ) -> Result<Self::Answer, EngineError> {
        let mut target = sources.store.query_target(index).await?;
        let viewer = viewer(sources, &target, asker).await?;
        let Some(view) = viewer.view() else {
            return Ok(target);
        };
        let hidden: Vec<PageId> = view.hidden().iter().cloned().collect();
        let (_, hidden) = sources.store.target_with_pages(index, &hidden).await?;
        target
            .spaces
            .retain(|space| space.id.as_ref().is_some_and(|id| view.sees_space(id)));
        for space in &mut target.spaces {
            let hidden = hidden.iter().filter(|page| {
                page.is_document() && space.id.as_ref() == Some(&page.facts.space_id)
            });
            let hidden = i64::try_from(hidden.count()).unwrap_or(i64::MAX);
            space.pages = (space.pages - hidden).max(0);
        }
        Ok(target)
    }
}

/// Whether the asker may read a page.
pub(crate) struct MayRead(pub PageId);

impl Question for MayRead {
    type Answer = bool;

    async fn answer(
        self,
        sources: &Sources,
        index: IndexId,
        asker: &Asker,
    ) -> Result<Self::Answer, EngineError> {
        let (target, pages) = sources.store.target_with_pages(index, &[self.0]).await?;
        let viewer = viewer(sources, &target, asker).await?;
        Ok(pages.first().is_some_and(|page| viewer.may_read(page)))
    }
}

/// Whether a person may read a page, and why.
pub(crate) struct Explain(pub PageId);

impl Question for Explain {
    type Answer = Option<Explanation>;

    async fn answer(
        self,
        sources: &Sources,
        index: IndexId,
        asker: &Asker,
    ) -> Result<Self::Answer, EngineError> {
        let ids = [self.0];
        let (target, pages) = sources.store.target_with_pages(index, &ids).await?;
        let facts = sources.store.view_facts(target.id, asker).await?;
        let (max_age, unknown): (TimeDelta, _) =
            (sources.permissions_max_age, sources.unknown_people);
        let now = sources.now();
        Ok(pages
            .first()
            .map(|page| explain(&facts, page, now, max_age, unknown)))
    }
}
