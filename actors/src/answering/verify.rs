//! The check at the source before pages leave, as far as the operator asks for it (`VERIFY_ON_READ`): are they still there, in
//! their space, and open to all? A batch per kind, one for labels and restrictions, one for what stands above; none per page.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use domain::PageId;
use domain::content::{ContentKind, ContentStatus, Restriction};
use domain::index::RestrictedPages;
use domain::query::QueryTarget;
use futures_util::future::{try_join, try_join_all};

use super::Sources;
use super::live::Judge;
use crate::document::SpaceNames;
use crate::{EngineError, VerifyOnRead};

/// The check takes no longer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Pages of an answer.
pub(super) type Pages = BTreeSet<(ContentKind, PageId)>;

/// Which of these pages may leave: all of them without `VERIFY_ON_READ`; with it those that Confluence still shows, open to all, in
/// a space of the index.
pub(super) async fn visible(
    sources: &Sources,
    target: &QueryTarget,
    pages: Pages,
) -> Result<HashSet<PageId>, EngineError> {
    let how = sources.verify_on_read;
    let all = |pages: Pages| pages.into_iter().map(|(_, id)| id).collect();
    if how == VerifyOnRead::Off || pages.is_empty() {
        return Ok(all(pages));
    }
    let detail = match tokio::time::timeout(TIMEOUT, open(sources, target, &pages)).await {
        Ok(Ok(open)) => return Ok(open),
        Ok(Err(error)) if error.is_not_found() => return Err(error),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", TIMEOUT.as_secs()),
    };
    if how == VerifyOnRead::Strict {
        return Err(EngineError::Unverified { detail });
    }
    tracing::warn!(index = %target.id, detail, "an answer goes out unchecked");
    Ok(all(pages))
}

/// Those that are current, in a space of the index, and not restricted where the index leaves restricted pages out; in strict
/// those that are open for sure.
async fn open(
    sources: &Sources,
    target: &QueryTarget,
    pages: &Pages,
) -> Result<HashSet<PageId>, EngineError> {
    let files = pages_of_files(sources, target, pages).await?;
    let mut asked: Pages = files.values().cloned().collect();
    let others = pages
        .iter()
        .filter(|(kind, _)| *kind != ContentKind::Attachment);
    asked.extend(others.cloned());
    let ids: Vec<PageId> = asked.iter().map(|(_, id)| id.clone()).collect();
    let judge = async {
        match target.settings.restricted_pages {
            RestrictedPages::Include => Ok(None),
            RestrictedPages::Skip => Judge::afresh(sources, target, &ids).await.map(Some),
        }
    };
    let (mut there, judge) = try_join(there(sources, target, &asked), judge).await?;
    match (judge, sources.verify_on_read) {
        // Only what the source says now lets a page out.
        (Some(mut judge), VerifyOnRead::Strict) => {
            judge.ask_for_the_rest(sources).await;
            there.retain(|id| judge.is_open(id));
        }
        (Some(judge), _) => there.retain(|id| judge.restriction(id) != Restriction::Restricted),
        (None, _) => {}
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
    sources: &Sources,
    target: &QueryTarget,
    pages: &Pages,
) -> Result<HashMap<PageId, (ContentKind, PageId)>, EngineError> {
    let files = pages
        .iter()
        .filter(|(kind, _)| *kind == ContentKind::Attachment);
    let files: Vec<PageId> = files.map(|(_, id)| id.clone()).collect();
    if files.is_empty() {
        return Ok(HashMap::new());
    }
    let (_, records) = sources.store.target_with_pages(target.id, &files).await?;
    Ok(records
        .into_iter()
        .filter_map(|record| {
            let page = (record.facts.parent_kind?, record.facts.parent_id?);
            Some((record.page_id, page))
        })
        .collect())
}

async fn there(
    sources: &Sources,
    target: &QueryTarget,
    pages: &Pages,
) -> Result<HashSet<PageId>, EngineError> {
    let names = SpaceNames::of_spaces(&target.spaces);
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
            sources.confluence.by_ids(kind, &ids, &current, None).await
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
