//! Whether a page that a complete listing did not name is to be removed, hidden or kept. Absence alone removes nothing.

use std::collections::HashSet;

use chrono::TimeDelta;

use crate::content::{ContentStatus, SourcePage};
use crate::{SpaceId, Timestamp};

/// A second confirmation counts only this long after the first.
pub const CONFIRM_AFTER: TimeDelta = TimeDelta::minutes(1);

/// Whether the absence of a space says anything of what it holds, which is then asked for page by page: in the second run that
/// does not see it. An account that sees none of an index's spaces concludes nothing.
#[must_use]
pub const fn space_is_gone(seen_of_index: usize, unseen_before: bool) -> bool {
    seen_of_index > 0 && unseen_before
}

/// What is to be done with a page that was not listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AbsenceVerdict {
    /// It is there after all (a lagging listing, or moved to another space of this index): take these facts.
    There,
    /// Positive evidence: remove it in this run, for this reason.
    Remove(&'static str),
    /// It would leave for this reason, and the administrator decided that it stays.
    Retain(&'static str),
    /// Absent, for the first time or too shortly after it: hide it, look again.
    Hide,
    /// Nothing can be concluded: leave it as it is.
    Keep,
}

/// Judges one unlisted page by what an error-free question for its id answered (`None`: not there, or not allowed).
/// `absent_since`: when it was first found absent, if it was before. `retained`: the administrator decided that it stays.
#[must_use]
pub fn judge(
    answer: Option<&SourcePage>,
    scope: &HashSet<SpaceId>,
    (absent_since, retained): (Option<Timestamp>, bool),
    now: Timestamp,
) -> AbsenceVerdict {
    let fate = evidence(answer, scope, absent_since, now);
    match fate {
        AbsenceVerdict::Remove(why) if retained => AbsenceVerdict::Retain(why),
        AbsenceVerdict::Hide if retained => AbsenceVerdict::Retain(NOT_SHOWN),
        fate => fate,
    }
}

const NOT_SHOWN: &str = "gone, or no longer visible to this account";

fn evidence(
    answer: Option<&SourcePage>,
    scope: &HashSet<SpaceId>,
    absent_since: Option<Timestamp>,
    now: Timestamp,
) -> AbsenceVerdict {
    match answer {
        Some(page) => match page.status {
            ContentStatus::Current if scope.contains(&page.space_id) => AbsenceVerdict::There,
            ContentStatus::Current => AbsenceVerdict::Remove("moved to a space outside this index"),
            ContentStatus::Archived => AbsenceVerdict::Remove("archived"),
            ContentStatus::Trashed => AbsenceVerdict::Remove("in the trash"),
            ContentStatus::Deleted => AbsenceVerdict::Remove("deleted"),
            ContentStatus::Draft => AbsenceVerdict::Remove("back to a draft"),
            ContentStatus::Unknown => AbsenceVerdict::Keep,
        },
        None if is_confirmed(absent_since, now) => AbsenceVerdict::Remove(NOT_SHOWN),
        None => AbsenceVerdict::Hide,
    }
}

/// Whether an absence that is seen now was seen before, long enough ago to count.
#[must_use]
pub fn is_confirmed(absent_since: Option<Timestamp>, now: Timestamp) -> bool {
    absent_since.is_some_and(|since| now - since >= CONFIRM_AFTER)
}

/// Whether a complete listing of a space is no reason to believe that it is empty: it named nothing although pages of the
/// space are known, since they are stored or named by search. Then it removes and hides nothing.
#[must_use]
pub const fn is_suspiciously_empty(listed: usize, known: usize) -> bool {
    listed == 0 && known > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PageId;
    use crate::content::ContentKind;

    fn page(status: ContentStatus, space: &str) -> SourcePage {
        SourcePage {
            id: PageId::from("1"),
            kind: ContentKind::Page,
            status,
            title: String::new(),
            space_id: SpaceId::from(space),
            parent_id: None,
            parent_kind: None,
            version: 1,
            modified: chrono::DateTime::UNIX_EPOCH,
            author: None,
            url: String::new(),
            body: None,
        }
    }

    #[test]
    fn a_space_is_gone_when_two_runs_do_not_see_it_and_see_another() {
        for (seen, before, gone) in [
            (1, false, false),
            (40, true, true),
            (1, true, true),
            (0, true, false),
            (0, false, false),
        ] {
            assert_eq!(space_is_gone(seen, before), gone, "{seen} {before}");
        }
    }

    #[test]
    fn only_evidence_removes_at_once() {
        let scope = HashSet::from([SpaceId::from("10"), SpaceId::from("11")]);
        let now = chrono::DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        let fate =
            |answer: Option<SourcePage>, since| judge(answer.as_ref(), &scope, (since, false), now);
        assert_eq!(
            fate(Some(page(ContentStatus::Current, "11")), None),
            AbsenceVerdict::There
        );
        assert!(matches!(
            fate(Some(page(ContentStatus::Current, "99")), None),
            AbsenceVerdict::Remove(_)
        ));
        assert!(matches!(
            fate(Some(page(ContentStatus::Trashed, "10")), None),
            AbsenceVerdict::Remove(_)
        ));
        assert!(matches!(
            fate(Some(page(ContentStatus::Archived, "10")), None),
            AbsenceVerdict::Remove(_)
        ));
        assert_eq!(
            fate(Some(page(ContentStatus::Unknown, "10")), None),
            AbsenceVerdict::Keep
        );
        assert_eq!(fate(None, None), AbsenceVerdict::Hide);
        assert_eq!(
            fate(None, Some(now - TimeDelta::seconds(59))),
            AbsenceVerdict::Hide
        );
        assert!(matches!(
            fate(None, Some(now - TimeDelta::seconds(60))),
            AbsenceVerdict::Remove(_)
        ));
        let kept = |answer: Option<SourcePage>| judge(answer.as_ref(), &scope, (None, true), now);
        assert_eq!(kept(None), AbsenceVerdict::Retain(NOT_SHOWN));
        let trashed = page(ContentStatus::Trashed, "10");
        assert_eq!(kept(Some(trashed)), AbsenceVerdict::Retain("in the trash"));
        let back = page(ContentStatus::Current, "10");
        assert_eq!(kept(Some(back)), AbsenceVerdict::There);
        let unknown = page(ContentStatus::Unknown, "10");
        assert_eq!(kept(Some(unknown)), AbsenceVerdict::Keep);
    }
}
