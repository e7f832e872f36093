//! The mass-deletion guard: more than a configured share disappearing at the source stops deletions until the
//! administrator has answered. The answer holds for the pages that were shown, and for no others.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::index::IndexProgress;
use crate::page::{Page, PageRecord, Standing};
use crate::problem::name_some;
use crate::{PageId, RunId, Timestamp};

/// Single pages are not guarded in indexes with fewer stored pages than this: half of four pages is no catastrophe. A space that
/// the account does not see any more is: its pages go through the guard whatever the size of the index, and the share decides.
pub const GUARDED_FROM: i64 = 20;

/// How a page that is to leave passes the guard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passage {
    /// It goes, and is not counted: the administrator's own change of scope asks for it, or the store holds nothing of it.
    Exempt,
    /// It counts in indexes that are large enough.
    Counted,
    /// It counts however small the index is: the account does not see its space any more.
    WithItsSpace,
    /// It goes only when the administrator has accepted that, however little it is.
    OnlyAccepted,
}

/// What the administrator was asked, and answered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Asked {
    /// Nothing.
    #[default]
    Nothing,
    /// Whether these may go; there is no answer yet.
    Waiting(BTreeSet<PageId>),
    /// These may go.
    Accepted(BTreeSet<PageId>),
    /// These stay.
    Refused(BTreeSet<PageId>),
}

impl Asked {
    /// As an index remembers it.
    #[must_use]
    pub fn of(progress: &IndexProgress) -> Self {
        let pages = progress.guarded_pages.clone();
        if progress.deletions_accepted {
            Self::Accepted(pages)
        } else if progress.deletions_refused {
            Self::Refused(pages)
        } else if progress.awaiting_confirmation.is_some() {
            Self::Waiting(pages)
        } else {
            Self::Nothing
        }
    }

    /// Whether this page stays whatever is found out about it, until there is another answer.
    #[must_use]
    pub fn holds(&self, page: &PageId) -> bool {
        match self {
            Self::Waiting(pages) | Self::Refused(pages) => pages.contains(page),
            Self::Nothing | Self::Accepted(_) => false,
        }
    }

    /// Whether a page that is to leave stays in answers, by the administrator's decision: the store holds it, and its removal was
    /// refused, be it while this run was under way. Not in a run that `asks_again`.
    #[must_use]
    pub fn retains(&self, page: &PageRecord, asks_again: bool) -> bool {
        let refused = matches!(self, Self::Refused(pages) if pages.contains(&page.page_id));
        page.holding.is_kept() && (refused || page.standing == Standing::Retained && !asks_again)
    }
}

/// Stands between why a page was to leave and why it stays.
const RETAINED: &str = "; kept by the administrator's answer of ";

impl PageRecord {
    /// The administrator, asked whether it may go for this reason, has answered that it stays: answers quote it again. `false`:
    /// it has left, stays already, or the store holds nothing that could stay.
    pub fn retain(&mut self, why: &str, answered_at: Timestamp, now: Timestamp) -> bool {
        if matches!(self.standing, Standing::Retained | Standing::Gone) || !self.holding.is_kept() {
            return false;
        }
        self.standing = Standing::Retained;
        self.reason = Some(format!("{why}{RETAINED}{}", in_words(answered_at)));
        self.attempts = 0;
        self.next_try_at = None;
        self.changed_at = now;
        true
    }

    /// The question is asked anew: it is hidden, or out, as it was before the answer. `false`: there was no such answer.
    pub fn withdraw_retention(&mut self, now: Timestamp) -> bool {
        if self.standing != Standing::Retained {
            return false;
        }
        self.standing = match self.vanished_at {
            Some(_) => Standing::Hidden,
            None => Standing::Skipped,
        };
        let why = self.reason.take();
        self.reason = why.map(|why| why.split(RETAINED).next().unwrap_or_default().to_owned());
        self.changed_at = now;
        true
    }
}

fn in_words(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// What an index says of itself while removals are refused: which, by whom, and when.
#[must_use]
pub fn refusal_in_words(pages: &BTreeSet<PageId>, answered_at: Option<Timestamp>) -> String {
    let when = answered_at.map(|at| format!(" on {}", in_words(at)));
    format!(
        "the removal of {} document(s) was refused by the administrator{}: they stay, and answers quote those that are not restricted, until the question is asked anew. A full sync asks again. Pages: {}",
        pages.len(),
        when.unwrap_or_default(),
        name_some(pages.iter().map(ToString::to_string))
    )
}

/// How a question to the administrator stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum InquiryState {
    /// It waits for its answer.
    Waiting,
    /// The pages may go; the next sweep removes them.
    Accepted,
    /// The pages stay.
    Refused,
}

/// A question to the administrator with its pages, as people see it while it waits or its answer holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Inquiry {
    /// The run that asked; answers go there.
    pub run_id: RunId,
    /// How it stands.
    pub state: InquiryState,
    /// When it was asked.
    pub asked_at: Option<DateTime<Utc>>,
    /// Why it was asked, in words.
    pub reason: Option<String>,
    /// When it was answered; null while it waits.
    pub answered_at: Option<DateTime<Utc>>,
    /// Who answered, how and from where; null while it waits, and where that is not known.
    pub answered_by: Option<String>,
    /// How many pages it is about.
    pub page_count: usize,
    /// The first of them by id, each with why it is to leave.
    pub pages: Vec<Page>,
}

/// So many pages of a question are shown.
pub const SHOWN_OF_A_QUESTION: usize = 500;

/// What the guard says about some removals.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// These go.
    pub go: BTreeSet<PageId>,
    /// Removals that were refused and stay so.
    pub refused: BTreeSet<PageId>,
    /// None of the others goes before this is answered.
    pub question: Option<Question>,
}

/// A question to the administrator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// Whether these may go.
    pub pages: BTreeSet<PageId>,
    /// Of so many that were stored when the run began.
    pub stored: i64,
    /// The same was asked before and waits for its answer.
    pub waits_already: bool,
}

/// Judges pages that are to leave an index of which so many were `stored` before.
#[must_use]
pub fn judge(
    stored: i64,
    removals: &BTreeMap<PageId, Passage>,
    max_percent: u32,
    asked: &Asked,
) -> Verdict {
    let passing = |passages: &[Passage]| -> BTreeSet<PageId> {
        let passing = removals.iter().filter(|(_, by)| passages.contains(by));
        passing.map(|(id, _)| id.clone()).collect()
    };
    let exempt = passing(&[Passage::Exempt]);
    let suggested: BTreeSet<PageId> = removals.keys().cloned().collect();
    let suggested = &suggested - &exempt;
    let with_space = passing(&[Passage::WithItsSpace]);
    let only_accepted = passing(&[Passage::OnlyAccepted]);
    // What of these pages has to be asked about.
    let doubtful = |pages: &BTreeSet<PageId>| {
        let counted = if stored >= GUARDED_FROM {
            pages.clone()
        } else {
            pages & &with_space
        };
        let count = i64::try_from(counted.len()).unwrap_or(i64::MAX / 100);
        let mut doubtful = pages & &only_accepted;
        if count * 100 > stored * i64::from(max_percent) {
            doubtful.extend(counted);
        }
        doubtful
    };
    let ask = |pages: BTreeSet<PageId>, waits_already| {
        (!pages.is_empty()).then_some(Question {
            pages,
            stored,
            waits_already,
        })
    };
    let mut verdict = Verdict::default();
    match asked {
        Asked::Nothing => {
            let doubtful = doubtful(&suggested);
            verdict.go = &suggested - &doubtful;
            verdict.question = ask(doubtful, false);
        }
        Asked::Waiting(_) if suggested.is_empty() => {}
        Asked::Waiting(shown) if suggested.is_subset(shown) => {
            verdict.question = ask(shown.clone(), true);
        }
        // What was shown is no longer all.
        Asked::Waiting(shown) => verdict.question = ask(&suggested | shown, false),
        Asked::Accepted(shown) => {
            let doubtful = doubtful(&(&suggested - shown));
            verdict.go = &suggested - &doubtful;
            verdict.question = ask(doubtful, false);
        }
        Asked::Refused(shown) => {
            let rest = &suggested - shown;
            verdict.refused = &suggested & shown;
            if doubtful(&rest).is_empty() {
                verdict.go = rest;
            } else {
                // Other pages vanish too: a new situation, and a new question about all of it.
                verdict.question = ask(suggested, false);
            }
        }
    }
    verdict.go.extend(exempt);
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holding::Holding;

    fn pages(ids: std::ops::Range<i64>) -> BTreeSet<PageId> {
        ids.map(|id| PageId::from(id.to_string())).collect()
    }

    fn all(pages: BTreeSet<PageId>, passage: Passage) -> BTreeMap<PageId, Passage> {
        pages.into_iter().map(|id| (id, passage)).collect()
    }

    fn judge(stored: i64, pages: BTreeSet<PageId>, max_percent: u32, asked: &Asked) -> Verdict {
        super::judge(stored, &all(pages, Passage::Counted), max_percent, asked)
    }

    #[test]
    fn a_space_that_is_gone_is_asked_about_however_small_the_index_is() {
        for (stored, leaving, asks) in [
            (8, 4, true),
            (8, 2, false),
            (2, 1, true),
            (1000, 300, false),
            (1000, 301, true),
        ] {
            let removals = all(pages(0..leaving), Passage::WithItsSpace);
            let verdict = super::judge(stored, &removals, 30, &Asked::Nothing);
            let question = verdict.question.map(|question| question.pages);
            assert_eq!(
                question,
                asks.then(|| pages(0..leaving)),
                "{leaving} of {stored}"
            );
            assert_eq!(
                verdict.go,
                if asks { pages(0..0) } else { pages(0..leaving) }
            );
        }
        // Single pages of a small index go on as before, whatever is asked about its space.
        let mut mixed = all(pages(0..4), Passage::WithItsSpace);
        mixed.extend(all(pages(4..6), Passage::Counted));
        let verdict = super::judge(8, &mixed, 30, &Asked::Nothing);
        assert_eq!(verdict.question.unwrap().pages, pages(0..4));
        assert_eq!(verdict.go, pages(4..6));
        let accepted = super::judge(8, &mixed, 30, &Asked::Accepted(pages(0..4)));
        assert_eq!((accepted.go, accepted.question), (pages(0..6), None));
    }

    #[test]
    fn what_is_exempt_goes_whatever_is_asked_about_others() {
        let mut removals = all(pages(0..50), Passage::Counted);
        removals.extend(all(pages(50..60), Passage::Exempt));
        for asked in [
            Asked::Nothing,
            Asked::Waiting(pages(0..50)),
            Asked::Refused(pages(0..40)),
        ] {
            let verdict = super::judge(100, &removals, 30, &asked);
            assert!(verdict.go.is_superset(&pages(50..60)), "{asked:?}");
            let question = verdict
                .question
                .map_or(pages(0..0), |question| question.pages);
            assert!(question.is_disjoint(&pages(50..60)), "{asked:?}");
        }
    }

    #[test]
    fn what_goes_only_when_accepted_is_asked_about_however_little_it_is() {
        let mut suggested = all(pages(0..3), Passage::Counted);
        suggested.extend(all(pages(3..5), Passage::OnlyAccepted));
        for stored in [10, 1000] {
            let verdict = super::judge(stored, &suggested, 30, &Asked::Nothing);
            assert_eq!(verdict.go, pages(0..3));
            assert_eq!(verdict.question.unwrap().pages, pages(3..5));
        }
        let one = super::judge(1000, &suggested, 30, &Asked::Accepted(pages(3..4)));
        assert_eq!(one.question.unwrap().pages, pages(4..5));
        let both = super::judge(1000, &suggested, 30, &Asked::Accepted(pages(3..5)));
        assert_eq!((both.go, both.question), (pages(0..5), None));
        let refused = super::judge(1000, &suggested, 30, &Asked::Refused(pages(3..5)));
        assert_eq!((refused.go, refused.question), (pages(0..3), None));
    }

    #[test]
    fn the_share_and_the_size_decide() {
        for (stored, vanishing, goes) in [
            (100, 30, true),
            (100, 31, false),
            (19, 19, true),
            (20, 7, false),
            (0, 0, true),
        ] {
            let verdict = judge(stored, pages(0..vanishing), 30, &Asked::Nothing);
            assert_eq!(verdict.question.is_none(), goes, "{vanishing} of {stored}");
            assert_eq!(
                verdict.go.len() == pages(0..vanishing).len(),
                goes || vanishing == 0
            );
        }
    }

    #[test]
    fn an_acceptance_is_for_what_was_shown() {
        let accepted = Asked::Accepted(pages(0..40));
        let all = judge(100, pages(0..40), 30, &accepted);
        assert_eq!((all.go, all.question), (pages(0..40), None));
        let few_more = judge(100, pages(0..60), 30, &accepted);
        assert_eq!((few_more.go, few_more.question), (pages(0..60), None));
        let many_more = judge(100, pages(0..80), 30, &accepted);
        assert_eq!(many_more.go, pages(0..40));
        let question = many_more.question.unwrap();
        assert_eq!(
            (question.pages, question.waits_already),
            (pages(40..80), false)
        );
    }

    #[test]
    fn a_refusal_holds_until_the_situation_changes() {
        let refused = Asked::Refused(pages(0..40));
        let same = judge(100, pages(0..40), 30, &refused);
        assert_eq!(
            (same.go.len(), same.refused, same.question),
            (0, pages(0..40), None)
        );
        let one_more = judge(100, pages(0..41), 30, &refused);
        assert_eq!((one_more.go, one_more.question), (pages(40..41), None));
        let many_more = judge(100, pages(20..80), 30, &refused);
        assert!(many_more.go.is_empty());
        assert_eq!(many_more.question.unwrap().pages, pages(20..80));
    }

    #[test]
    fn an_open_question_is_asked_anew_only_when_it_grows() {
        let waiting = Asked::Waiting(pages(0..40));
        for (suggested, asked, again) in [
            (pages(0..40), pages(0..40), true),
            (pages(0..3), pages(0..40), true),
            (pages(39..41), pages(0..41), false),
        ] {
            let verdict = judge(100, suggested, 30, &waiting);
            assert!(verdict.go.is_empty());
            let question = verdict.question.unwrap();
            assert_eq!((question.pages, question.waits_already), (asked, again));
        }
        assert_eq!(
            judge(100, BTreeSet::new(), 30, &waiting),
            Verdict::default()
        );
    }

    #[test]
    fn what_an_index_remembers_says_what_was_asked() {
        let mut progress = IndexProgress {
            guarded_pages: pages(0..2),
            ..IndexProgress::default()
        };
        let one = PageId::from("1");
        assert_eq!(Asked::of(&progress), Asked::Nothing);
        progress.awaiting_confirmation = Some(crate::RunId::generate());
        assert!(Asked::of(&progress).holds(&one));
        progress.awaiting_confirmation = None;
        progress.deletions_refused = true;
        assert!(Asked::of(&progress).holds(&one));
        progress.deletions_refused = false;
        progress.deletions_accepted = true;
        assert!(!Asked::of(&progress).holds(&one));
    }

    fn stored_page(id: &str) -> PageRecord {
        let source = crate::content::SourcePage {
            id: PageId::from(id),
            kind: crate::content::ContentKind::Page,
            status: crate::content::ContentStatus::Current,
            title: String::new(),
            space_id: crate::SpaceId::from("10"),
            parent_id: None,
            parent_kind: None,
            version: 1,
            modified: Timestamp::UNIX_EPOCH,
            author: None,
            url: String::new(),
            body: None,
        };
        let mut page = PageRecord::new(crate::IndexId::generate(), &source, Timestamp::UNIX_EPOCH);
        let have = crate::holding::Have::Document("h".to_owned());
        let flight = (crate::holding::Flight::None, false);
        page.holding =
            Holding::restore((Some("h".to_owned()), have), flight, (0, None), None, None);
        page
    }

    #[test]
    fn what_is_kept_is_shown_until_it_is_asked_anew() {
        let (answered, now) = (
            Timestamp::UNIX_EPOCH,
            Timestamp::UNIX_EPOCH + chrono::TimeDelta::hours(1),
        );
        for (out, absent) in [(Standing::Hidden, true), (Standing::Skipped, false)] {
            let mut page = stored_page("1");
            page.standing = out;
            page.vanished_at = absent.then_some(answered);
            page.reason = Some("in the trash".to_owned());
            let before = page.clone();
            assert!(!page.may_be_shown());
            assert!(page.retain("in the trash", answered, now) && page.may_be_shown());
            let why = "in the trash; kept by the administrator's answer of 1970-01-01 00:00 UTC";
            assert_eq!((page.reason.as_deref(), page.changed_at), (Some(why), now));
            assert!(!page.retain("again", now, now), "once");
            assert!(page.withdraw_retention(now) && !page.may_be_shown());
            assert!(!page.withdraw_retention(now));
            page.changed_at = before.changed_at;
            assert_eq!(page, before);
        }
        let mut nothing_stored = stored_page("1");
        nothing_stored.holding = Holding::default();
        assert!(!nothing_stored.retain("gone", answered, now));
    }

    #[test]
    fn a_refusal_and_the_row_itself_keep_a_page_but_not_where_it_is_asked_again() {
        let mut page = stored_page("1");
        let refused = Asked::Refused(pages(1..2));
        assert!(refused.retains(&page, false) && !Asked::Nothing.retains(&page, false));
        assert!(!Asked::Waiting(pages(1..2)).retains(&page, false));
        page.standing = Standing::Retained;
        assert!(Asked::Waiting(pages(1..2)).retains(&page, false));
        assert!(!Asked::Nothing.retains(&page, true));
        page.holding = Holding::default();
        assert!(!refused.retains(&page, false));
    }
}
