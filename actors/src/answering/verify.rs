//! The check at the source before pages leave, as far as the operator asks for it (`VERIFY_ON_READ`): are they still there, in
//! their space, and open to the reader? A batch per kind, one for labels and restrictions, one for what stands above; none per page.
//! For an index that is `per_user_checked`, Confluence's own word on the person and each page besides.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::access::{Access, Asker};
use domain::content::{ContentKind, ContentStatus, Restriction};
use domain::index::RestrictedPages;
use domain::query::QueryTarget;
use domain::{AccountId, PageId, Timestamp};
use futures_util::future::{try_join, try_join_all};
use futures_util::{StreamExt as _, stream};

use super::Sources;
use super::live::Judge;
use super::viewer::viewer;
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
    (target, asker): (&QueryTarget, &Asker),
    pages: Pages,
) -> Result<HashSet<PageId>, EngineError> {
    let pages = match target.settings.access {
        Access::PerUserChecked => checked(sources, (target, asker), pages).await?,
        Access::Everyone | Access::PerUser => pages,
    };
    let how = sources.verify_on_read;
    let all = |pages: Pages| pages.into_iter().map(|(_, id)| id).collect();
    if how == VerifyOnRead::Off || pages.is_empty() {
        return Ok(all(pages));
    }
    let detail = match tokio::time::timeout(TIMEOUT, open(sources, (target, asker), &pages)).await {
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

/// For how long Confluence's word on one person and one page counts.
const CHECK_COUNTS: Duration = Duration::from_secs(60);
/// Checks under way at once for one answer, and answers that are remembered.
const CHECKS_AT_ONCE: usize = 8;
const REMEMBERED: usize = 10_000;
/// All checks of an answer take no longer.
const CHECKS_TIMEOUT: Duration = Duration::from_secs(15);

/// What Confluence said lately of who may read which page.
#[derive(Default)]
pub(super) struct Checks(Mutex<HashMap<(AccountId, PageId), (bool, Timestamp)>>);

impl Checks {
    fn said(&self, account: &AccountId, page: &PageId, now: Timestamp) -> Option<bool> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (may, at) = said.get(&(account.clone(), page.clone()))?;
        counts(*at, now).then_some(*may)
    }

    fn note(&self, account: &AccountId, page: &PageId, may: bool, now: Timestamp) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= REMEMBERED {
            said.retain(|_, (_, at)| counts(*at, now));
        }
        if said.len() < REMEMBERED {
            said.insert((account.clone(), page.clone()), (may, now));
        }
    }
}

fn counts(at: Timestamp, now: Timestamp) -> bool {
    let since = (now - at).to_std();
    since.is_ok_and(|since| since <= CHECK_COUNTS)
}

/// Those that Confluence says the person may read, asked page by page; a file may leave where its page may. Whatever could not be
/// asked does not leave.
async fn checked(
    sources: &Sources,
    whose: (&QueryTarget, &Asker),
    pages: Pages,
) -> Result<Pages, EngineError> {
    let (target, asker) = whose;
    let viewer = viewer(sources, target, asker).await?;
    let account = viewer.view().and_then(|view| view.account.clone());
    let Some(account) = account else {
        return Ok(Pages::new());
    };
    let files = pages_of_files(sources, target, &pages).await?;
    let item = |(kind, id): &(ContentKind, PageId)| match kind {
        ContentKind::Attachment => files.get(id).map(|(_, page)| page.clone()),
        _ => Some(id.clone()),
    };
    let asked: BTreeSet<PageId> = pages.iter().filter_map(item).collect();
    let check = async |page: PageId| {
        if let Some(may) = sources.checks.said(&account, &page, sources.now()) {
            return (page, may);
        }
        match sources.confluence.may_read(&account, &page).await {
            Ok(may) => {
                sources.checks.note(&account, &page, may, sources.now());
                (page, may)
            }
            Err(error) => {
                tracing::warn!(index = %target.id, %page, %error, "whether a person may read a page could not be asked: it stays out of the answer");
                (page, false)
            }
        }
    };
    let mut checks = stream::iter(asked)
        .map(check)
        .buffer_unordered(CHECKS_AT_ONCE);
    let mut may = HashSet::new();
    let all = async {
        while let Some((page, allowed)) = checks.next().await {
            if allowed {
                may.insert(page);
            }
        }
    };
    if tokio::time::timeout(CHECKS_TIMEOUT, all).await.is_err() {
        tracing::warn!(index = %target.id, seconds = CHECKS_TIMEOUT.as_secs(), "Confluence has not said of all pages whether a person may read them: the others stay out of the answer");
    }
    let allowed = |page: &(ContentKind, PageId)| item(page).is_some_and(|id| may.contains(&id));
    Ok(pages.into_iter().filter(allowed).collect())
}

/// Those that are current, in a space of the index, and not restricted where the index leaves restricted pages out; in strict
/// those that are open for sure.
async fn open(
    sources: &Sources,
    (target, asker): (&QueryTarget, &Asker),
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
        let settings = &target.settings;
        let vouched_for =
            !settings.access.is_per_user() && settings.restricted_pages == RestrictedPages::Include;
        match vouched_for {
            true => Ok(None),
            false => Judge::afresh(sources, (target, asker), &ids)
                .await
                .map(Some),
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
