//! Pages that are no longer listed: confirmed by id, then hidden, removed or kept; and removals under the guard.
//!
//! Absence alone removes nothing. What removes is decided by [`domain::vanish`] and [`domain::guard`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use domain::content::{ContentKind, SourcePage};
use domain::guard::{Asked, Passage, Question, judge};
use domain::holding::Wanted;
use domain::page::{PageRecord, PageState, Standing};
use domain::ports::source::MAX_BATCH;
use domain::vanish::{self, AbsenceVerdict};
use domain::{PageId, SpaceId};

use crate::index::run::RunCtx;
use crate::index::run::ask::absent::ask;
use crate::index::run::ask::facts;
use crate::index::run::ask::files::affordable;
use crate::index::run::context::Stopped;
use crate::index::run::text::convert::Links;
use crate::index::run::text::listed::record;
use crate::stop::RunError;

const CHUNK: usize = 250;

/// What may be concluded from a page's absence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// A complete listing left it out: it is hidden, and later removed.
    Counts,
    /// The listing named nothing at all: what is said of a page itself counts. That a page is not there either when it is
    /// asked for is noted and hides nothing; found twice, it is a question to the administrator.
    IsDoubted,
}

/// What came of asking for pages that were not listed.
#[derive(Default)]
pub(crate) struct Confirmed {
    /// There after all, under other facts: to be decided again, with all below them.
    pub(crate) back: HashSet<PageId>,
    /// Pages of which nothing could be concluded, or that are there although they were not listed.
    pub(crate) unexplained: usize,
    /// Doubted absence that was found for the first time, or too shortly after it.
    pub(crate) noted: usize,
    /// Doubted absence that was found again.
    pub(crate) found_again: Vec<PageId>,
}

/// Asks for pages that a listing did not name, and does with each what the answer allows.
pub(crate) async fn confirm(
    ctx: &RunCtx,
    absent: BTreeMap<PageId, ContentKind>,
    absence: Absence,
) -> Result<Confirmed, RunError> {
    let scope: HashSet<SpaceId> = scope_of(ctx);
    let mut all = Confirmed::default();
    let mut by_kind: HashMap<ContentKind, Vec<PageId>> = HashMap::new();
    for (id, kind) in absent {
        by_kind.entry(kind).or_default().push(id);
    }
    for (kind, ids) in by_kind {
        let asked = match kind {
            ContentKind::Attachment => affordable(ctx, &ids),
            _ => ids.clone(),
        };
        all.unexplained += ids.len() - asked.len();
        for ids in asked.chunks(MAX_BATCH) {
            let asked = ask(ctx, kind, ids).await?;
            // A question that failed concludes nothing: these pages stay as they are. What was said of the others counts.
            all.unexplained += asked.failed.len();
            let mut answered = ids.to_vec();
            answered.retain(|id| !asked.failed.contains(id));
            let some = apply(ctx, &answered, asked.found, &scope, absence).await?;
            all.back.extend(some.back);
            all.unexplained += some.unexplained;
            all.noted += some.noted;
            all.found_again.extend(some.found_again);
        }
    }
    Ok(all)
}

fn scope_of(ctx: &RunCtx) -> HashSet<SpaceId> {
    let spaces = ctx.state.index.spaces.iter();
    spaces.filter_map(|space| space.id.clone()).collect()
}

async fn apply(
    ctx: &RunCtx,
    ids: &[PageId],
    mut answers: HashMap<PageId, SourcePage>,
    scope: &HashSet<SpaceId>,
    absence: Absence,
) -> Result<Confirmed, RunError> {
    let now = ctx.now();
    let asked = ctx.asked();
    let mut there = Vec::new();
    let mut all = Confirmed::default();
    {
        let _rows = ctx.rows.lock().await;
        let records = ctx.store().pages_by_id(ctx.index(), ids).await?;
        let (mut changed, mut wanted) = (Vec::new(), Vec::new());
        for mut page in records {
            let answer = answers.remove(&page.page_id);
            let accepted =
                matches!(&asked, Asked::Accepted(pages) if pages.contains(&page.page_id));
            if answer.is_none() && absence == Absence::IsDoubted && !accepted {
                if note_doubted(&mut page, now) {
                    all.found_again.push(page.page_id.clone());
                } else {
                    all.noted += 1;
                }
                changed.push(page);
                continue;
            }
            let naming = page.naming();
            let confirmed_before = matches!(page.standing, Standing::Hidden | Standing::Retained)
                || page.state() == PageState::Vanishing
                || accepted;
            let space_gone = ctx.spaces_before.gone.get(&page.facts.space_id).copied();
            let since = space_gone.or(page.vanished_at.filter(|_| confirmed_before));
            let retained = asked.retains(&page, ctx.asks_again());
            let passage = if !page.holding.is_kept() {
                // What the store does not hold is no loss.
                Passage::Exempt
            } else if space_gone.is_some() {
                Passage::WithItsSpace
            } else {
                Passage::Counted
            };
            // What a rule of the index keeps out leaves by that, and reconciliation has counted its removal: hidden for its absence,
            // an answer that it stays would show it, be it restricted or not.
            let is_out = page.standing == Standing::Skipped && page.holding.is_kept();
            match vanish::judge(answer.as_ref(), scope, (since, retained), now) {
                AbsenceVerdict::There => there.extend(answer),
                AbsenceVerdict::Keep => {}
                AbsenceVerdict::Hide | AbsenceVerdict::Retain(_) | AbsenceVerdict::Remove(_)
                    if is_out => {}
                AbsenceVerdict::Hide => {
                    if page.state() != PageState::Vanishing {
                        hide(
                            &mut page,
                            now,
                            "Confluence no longer shows it; it is asked for once more",
                        );
                        ctx.note_naming(naming, &page);
                        changed.push(page);
                    }
                }
                AbsenceVerdict::Retain(why) => {
                    let before = page.clone();
                    page.vanished_at.get_or_insert(now);
                    page.retain(why, ctx.answered_at(), now);
                    ctx.find(|f| f.removals.insert(page.page_id.clone(), passage));
                    if page != before {
                        changed.push(page);
                    }
                }
                AbsenceVerdict::Remove(reason) => {
                    let never_came_in =
                        page.standing == Standing::Skipped && !page.holding.is_kept();
                    hide(&mut page, now, reason);
                    ctx.note_naming(naming, &page);
                    if never_came_in {
                        leave_untold(&mut page);
                        wanted.push(page.wanted(None));
                    }
                    if page.standing == Standing::Hidden {
                        ctx.find(|f| f.removals.insert(page.page_id.clone(), passage));
                    }
                    changed.push(page);
                }
            }
        }
        ctx.store()
            .save_pages(&changed, &wanted, Vec::new())
            .await?;
    }
    all.unexplained += there.len();
    let recorded = record(ctx, there, None, Links::Resolve).await?;
    if ctx.needs_facts() {
        facts::of_ids(ctx, &recorded.touched).await?;
    }
    all.back.extend(recorded.touched);
    Ok(all)
}

/// Notes that a page was not there when it was asked for; `true` when that was found before, long enough ago. Nothing else
/// of the page changes.
fn note_doubted(page: &mut PageRecord, now: domain::Timestamp) -> bool {
    let confirmed = vanish::is_confirmed(page.vanished_at, now);
    page.vanished_at.get_or_insert(now);
    confirmed
}

pub(crate) fn hide(page: &mut PageRecord, now: domain::Timestamp, reason: &str) {
    if page.standing == Standing::Gone {
        return;
    }
    if page.standing != Standing::Hidden {
        page.vanished_at = Some(now);
        page.changed_at = now;
    }
    page.standing = Standing::Hidden;
    // Whether it still does when it comes back is decided then.
    page.belongs = false;
    page.reason = Some(reason.to_owned());
    page.attempts = 0;
    page.next_try_at = None;
}

/// A page that no reader of the index could see is gone: nobody shall hear of it now by its title.
fn leave_untold(page: &mut PageRecord) {
    page.standing = Standing::Gone;
    page.changed_at = domain::Timestamp::UNIX_EPOCH;
}

/// Pages of spaces (or of a kind) that the administrator took out of the index: they leave, and the guard does not count them.
/// Once they have been told to, only those are looked at that the store did not let go.
pub(crate) async fn leave_removed_spaces(ctx: &RunCtx) -> Result<(), RunError> {
    let unresolved = ctx.state.index.spaces.iter().any(|s| s.id.is_none());
    if unresolved {
        // A space whose id is not known may be the one that a page stands in.
        return Ok(());
    }
    let told_before = !ctx.scope_changed();
    let states: Vec<PageState> = PageState::ALL
        .into_iter()
        .filter(|state| match state {
            PageState::Removed => false,
            PageState::Vanishing => true,
            _ => !told_before,
        })
        .collect();
    let mut after: Option<PageId> = None;
    loop {
        let ids = ctx
            .store()
            .pages_in_states(ctx.index(), &states, after.as_ref(), CHUNK)
            .await?;
        let Some(last) = ids.last().cloned() else {
            return Ok(());
        };
        after = Some(last);
        let _rows = ctx.rows.lock().await;
        let mut outside = ctx.store().pages_by_id(ctx.index(), &ids).await?;
        outside.retain(|page| !ctx.names.contains(&page.facts.space_id) || !ctx.holds(page.kind));
        outside.retain(|page| !told_before || page.holding.is_kept());
        let now = ctx.now();
        let mut wanted = Vec::new();
        for page in &mut outside {
            let reason = "its space or its kind is no longer part of this index";
            let naming = page.naming();
            hide(page, now, reason);
            ctx.note_naming(naming, page);
            if page.holding.is_kept() {
                ctx.find(|f| f.removals.insert(page.page_id.clone(), Passage::Exempt));
            } else {
                leave_untold(page);
                wanted.push(page.wanted(None));
            }
        }
        ctx.store()
            .save_pages(&outside, &wanted, Vec::new())
            .await?;
    }
}

/// Hidden pages whose second look is due, for runs that do not list everything.
pub(crate) async fn due_for_a_second_look(
    ctx: &RunCtx,
) -> Result<BTreeMap<PageId, ContentKind>, RunError> {
    let mut due = BTreeMap::new();
    if ctx.visible_spaces().is_empty() {
        // An account that sees none of the spaces would miss every page.
        return Ok(due);
    }
    // What is not removed whatever the answer is not asked for.
    let asked = ctx.asked();
    let mut after: Option<PageId> = None;
    loop {
        let ids = ctx
            .store()
            .pages_in_states(ctx.index(), &[PageState::Vanishing], after.as_ref(), CHUNK)
            .await?;
        let Some(last) = ids.last().cloned() else {
            return Ok(due);
        };
        let now = ctx.now();
        let pages = ctx.store().pages_by_id(ctx.index(), &ids).await?;
        due.extend(
            pages
                .into_iter()
                // Whether a file is gone is seen by sweeps; where its page is, it follows.
                .filter(|page| page.kind != ContentKind::Attachment)
                .filter(|page| {
                    !asked.holds(&page.page_id)
                        && (page.vanished_at.is_none()
                            || vanish::is_confirmed(page.vanished_at, now))
                })
                .map(|page| (page.page_id, page.kind)),
        );
        after = Some(last);
    }
}

/// Nothing of what this run found to leave is wanted any more, if the guard lets it go. New content went before.
pub(crate) async fn remove(ctx: &RunCtx) -> Result<(), RunError> {
    let mut removals = ctx.find(|f| std::mem::take(&mut f.removals));
    removals.extend(ctx.find(|f| {
        std::mem::take(&mut f.doubted)
            .into_iter()
            .map(|id| (id, Passage::OnlyAccepted))
    }));
    let most = ctx.shared.settings.max_delete_percent;
    let verdict = judge(ctx.stored_before, &removals, most, &ctx.asked());
    let may_go: Vec<PageId> = verdict.go.into_iter().collect();
    let mut refused = verdict.refused;
    refused.extend(still_retained(ctx).await?);
    ctx.find(|f| f.refused = refused);
    if let Some(question) = verdict.question {
        if !question.waits_already {
            ask_anew(ctx, &question.pages).await?;
        }
        let reason = in_words(&question);
        tracing::warn!(index = %ctx.index(), reason, "the guard stopped removals");
        ctx.find(|f| f.guard = Some(Stopped { reason, question }));
    }
    for chunk in may_go.chunks(CHUNK) {
        let _rows = ctx.rows.lock().await;
        let mut pages = ctx.store().pages_by_id(ctx.index(), chunk).await?;
        // One that came back while this run went on stays.
        let now = ctx.now();
        pages.retain_mut(|page| page.withdraw_retention(now) || page.standing.is_out());
        for page in &mut pages {
            if page.standing == Standing::Hidden {
                page.standing = Standing::Gone;
            }
            page.changed_at = now;
        }
        let wanted: Vec<Wanted> = pages.iter().map(|page| page.wanted(None)).collect();
        ctx.store().save_pages(&pages, &wanted, Vec::new()).await?;
        ctx.shared.fail_point("after_removals_written");
    }
    ctx.uploads.wake();
    Ok(())
}

/// Pages that the administrator decided to keep, and that have not come back: also those that nobody could ask for this time.
async fn still_retained(ctx: &RunCtx) -> Result<Vec<PageId>, RunError> {
    let Asked::Refused(shown) = ctx.asked() else {
        return Ok(Vec::new());
    };
    let shown: Vec<PageId> = shown.into_iter().collect();
    let mut retained = Vec::new();
    for ids in shown.chunks(CHUNK) {
        let pages = ctx.store().pages_by_id(ctx.index(), ids).await?;
        let stay = pages
            .into_iter()
            .filter(|page| page.standing == Standing::Retained);
        retained.extend(stay.map(|page| page.page_id));
    }
    Ok(retained)
}

/// What is asked about is hidden until it is answered, also what the administrator decided to keep before.
async fn ask_anew(ctx: &RunCtx, about: &BTreeSet<PageId>) -> Result<(), RunError> {
    let about: Vec<PageId> = about.iter().cloned().collect();
    for ids in about.chunks(CHUNK) {
        let _rows = ctx.rows.lock().await;
        let mut pages = ctx.store().pages_by_id(ctx.index(), ids).await?;
        let now = ctx.now();
        pages.retain_mut(|page| page.withdraw_retention(now));
        ctx.store().save_pages(&pages, &[], Vec::new()).await?;
    }
    Ok(())
}

fn in_words(question: &Question) -> String {
    let (pages, stored) = (question.pages.len(), question.stored);
    let again = if question.waits_already {
        " (asked before, and not answered)"
    } else {
        ""
    };
    format!(
        "{pages} of {stored} documents would be removed, because Confluence no longer shows their pages to this account, or only as archived, trashed or restricted{again}. They are hidden and stay until this is confirmed or refused"
    )
}
