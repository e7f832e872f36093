//! The check at the source before pages leave, as far as the operator asks for it (`VERIFY_ON_READ`): are they still there, in
//! their space, and open to all? A batch per kind, one for labels and restrictions, one for what stands above; none per page.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use domain::content::{ContentKind, ContentStatus, Restriction};
use domain::index::RestrictedPages;
use domain::ports::store::IndexState;
use domain::{IndexId, PageId};
use futures_util::future::{try_join, try_join_all};

use super::live::Judge;
use crate::document::SpaceNames;
use crate::shared::Shared;
use crate::{EngineError, VerifyOnRead};

/// The check takes no longer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Pages of an answer.
pub(crate) type Pages = BTreeSet<(ContentKind, PageId)>;

/// Which of these pages may leave.
pub(crate) async fn pages(
    shared: &Shared,
    index: IndexId,
    pages: Pages,
) -> Result<HashSet<PageId>, EngineError> {
    let state = shared.store.index_state(index).await?;
    among(shared, &state, pages).await
}

/// As [`pages`], where the index's state is known already.
pub(super) async fn among(
    shared: &Shared,
    state: &IndexState,
    pages: Pages,
) -> Result<HashSet<PageId>, EngineError> {
    let how = shared.settings.verify_on_read;
    let all = |pages: Pages| pages.into_iter().map(|(_, id)| id).collect();
    if how == VerifyOnRead::Off || pages.is_empty() {
        return Ok(all(pages));
    }
    let detail = match tokio::time::timeout(TIMEOUT, open(shared, state, &pages)).await {
        Ok(Ok(open)) => return Ok(open),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", TIMEOUT.as_secs()),
    };
    if how == VerifyOnRead::Strict {
        return Err(EngineError::Unverified { detail });
    }
    tracing::warn!(index = %state.index.id, detail, "an answer goes out unchecked");
    Ok(all(pages))
}

/// Those that are current, in a space of the index, and not restricted where the index leaves restricted pages out.
async fn open(
    shared: &Shared,
    state: &IndexState,
    pages: &Pages,
) -> Result<HashSet<PageId>, EngineError> {
    let files = pages_of_files(shared, state, pages).await?;
    let mut asked: Pages = files.values().cloned().collect();
    let others = pages
        .iter()
        .filter(|(kind, _)| *kind != ContentKind::Attachment);
    asked.extend(others.cloned());
    let ids: Vec<PageId> = asked.iter().map(|(_, id)| id.clone()).collect();
    let judge = async {
        match state.index.settings.restricted_pages {
            RestrictedPages::Include => Ok(None),
            RestrictedPages::Skip => Judge::afresh(shared, state, &ids).await.map(Some),
        }
    };
    let (mut there, judge) = try_join(there(shared, state, &asked), judge).await?;
    if let Some(judge) = judge {
        there.retain(|id| judge.restriction(id) != Restriction::Restricted);
    }
    // A file may leave where its page may.
    let shown: Vec<PageId> = files
        .into_iter()
        .filter(|(_, (_, page))| there.contains(page))
        .map(|(file, _)| file)
        .collect();
    there.extend(shown);
    Ok(there)
}

/// The pages that attached files hang on, and what these are.
async fn pages_of_files(
    shared: &Shared,
    state: &IndexState,
    pages: &Pages,
) -> Result<HashMap<PageId, (ContentKind, PageId)>, EngineError> {
    let files = pages
        .iter()
        .filter(|(kind, _)| *kind == ContentKind::Attachment);
    let files: Vec<PageId> = files.map(|(_, id)| id.clone()).collect();
    if files.is_empty() {
        return Ok(HashMap::new());
    }
    let records = shared.store.pages_by_id(state.index.id, &files).await?;
    Ok(records
        .into_iter()
        .filter_map(|record| {
            let page = (record.facts.parent_kind?, record.facts.parent_id?);
            Some((record.page_id, page))
        })
        .collect())
}

async fn there(
    shared: &Shared,
    state: &IndexState,
    pages: &Pages,
) -> Result<HashSet<PageId>, EngineError> {
    let names = SpaceNames::of(&state.index);
    let batches = [ContentKind::Page, ContentKind::BlogPost].map(|kind| {
        let ids: Vec<PageId> = pages
            .iter()
            .filter(|(own, _)| *own == kind)
            .map(|(_, id)| id.clone())
            .collect();
        async move {
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            let current = [ContentStatus::Current];
            shared.source.by_ids(kind, &ids, &current, false).await
        }
    });
    let found = try_join_all(batches).await?;
    Ok(found
        .into_iter()
        .flatten()
        .filter(|page| page.status == ContentStatus::Current && names.contains(&page.space_id))
        .map(|page| page.id)
        .collect())
}
