//! What a listing means: for one page (against its record), and for a poll as a whole (when it may stop).

use chrono::TimeDelta;

use crate::Timestamp;
use crate::content::SourcePage;
use crate::page::{PageFacts, PageRecord, PageState};
use crate::ports::source::MAX_BATCH;

/// What a listed item is, compared with what we know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Never met in this index, or met and removed since.
    New,
    /// A newer version: its body has to be fetched.
    Edited,
    /// The same version under other facts (moved, renamed without a version, archived, back from vanishing): no body.
    FactsOnly,
    /// Nothing to do.
    Unchanged,
    /// An older version than ours: a lagging answer, to be ignored.
    Outdated,
}

/// Compares a listed item with its record.
#[must_use]
pub fn compare(record: Option<&PageRecord>, listed: &SourcePage) -> Change {
    let Some(record) = record else {
        return Change::New;
    };
    if record.state() == PageState::Removed {
        return Change::New;
    }
    if listed.version < record.facts.version {
        return Change::Outdated;
    }
    if listed.version > record.facts.version {
        return Change::Edited;
    }
    if record.is_absent() || record.facts != PageFacts::from(listed) {
        Change::FactsOnly
    } else {
        Change::Unchanged
    }
}

/// Whether the kept body does not belong to the present version.
#[must_use]
pub fn needs_body(record: &PageRecord) -> bool {
    record.body_version != Some(record.facts.version)
}

/// Why a page that an answer in bulk named has no body of its present version after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WithoutBody {
    /// The answer left its body out: it failed.
    LeftOut,
    /// The answer was of another version than the newest one listed: a copy lags behind, it has to wait.
    OtherVersion,
}

/// Judges a page after the answer that should have brought its body was recorded. `None`: its body is there, or the record says
/// already when it is asked for again.
#[must_use]
pub fn without_body(record: &PageRecord, body_came: bool, now: Timestamp) -> Option<WithoutBody> {
    let waits = record.next_try_at.is_some_and(|at| at > now);
    if !needs_body(record) || waits {
        None
    } else if body_came {
        Some(WithoutBody::OtherVersion)
    } else {
        Some(WithoutBody::LeftOut)
    }
}

/// Answers of a walk that may name only what was named before, beside what a walk that began again repeats.
const REPEATED_ANSWERS: usize = 25;

/// Notices a walk that would never end, since its answers only name again what it has named.
#[derive(Clone, Copy, Debug, Default)]
pub struct Repeats(usize);

impl Repeats {
    /// Takes an answer with so many `items`, of which `new` ones were not named before; `named` are all so far. Answers whether
    /// the walk may lead anywhere. One that began again repeats all that it has named, and no more.
    pub fn take(&mut self, items: usize, new: usize, named: usize) -> bool {
        self.0 = if new > 0 { 0 } else { self.0 + items };
        self.0 <= named + REPEATED_ANSWERS * MAX_BATCH
    }
}

/// How far before the watermark a poll reads again: clocks and index delays blur the edge.
pub const POLL_OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// Decides when a walk over `sort=-modified-date` may stop: at the first item older than its floor,
/// unless the order was ever wrong; then it reads to the end (a forgotten `-` reads the oldest first and would see
/// nothing for ever).
#[derive(Clone, Debug)]
pub struct PollWalk {
    floor: Option<Timestamp>,
    previous: Option<Timestamp>,
    in_order: bool,
    passed_floor: bool,
    newest: Option<Timestamp>,
}

impl PollWalk {
    /// A walk that begins now and is to read what was modified at `floor` or later; without one it reads to the end.
    #[must_use]
    pub const fn down_to(floor: Option<Timestamp>) -> Self {
        Self {
            floor,
            previous: None,
            in_order: true,
            passed_floor: false,
            newest: None,
        }
    }

    /// Takes the next item's modification time; answers whether the item is inside the window (worth comparing).
    pub fn take(&mut self, modified: Timestamp) -> bool {
        if self.previous.is_some_and(|previous| modified > previous) {
            self.in_order = false;
        }
        self.previous = Some(modified);
        self.newest = self.newest.max(Some(modified));
        let old = self.floor.is_some_and(|floor| modified < floor);
        self.passed_floor |= old;
        !old
    }

    /// Whether nothing further on can be inside the window.
    #[must_use]
    pub fn may_stop(&self) -> bool {
        self.in_order && self.passed_floor
    }

    /// Whether the order was wrong: worth a line in the log.
    #[must_use]
    pub fn order_was_wrong(&self) -> bool {
        !self.in_order
    }

    /// The newest modification seen: the next watermark, to be committed only after everything listed is settled.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{ContentKind, ContentStatus};
    use crate::page::Standing;
    use crate::{IndexId, PageId, SpaceId};

    fn at(minute: i64) -> Timestamp {
        chrono::DateTime::UNIX_EPOCH + TimeDelta::minutes(1000 + minute)
    }

    fn listed(version: i32, title: &str) -> SourcePage {
        SourcePage {
            id: PageId::from("1"),
            kind: ContentKind::Page,
            status: ContentStatus::Current,
            title: title.to_owned(),
            space_id: SpaceId::from("10"),
            parent_id: None,
            parent_kind: None,
            version,
            modified: at(0),
            author: None,
            url: String::new(),
            body: None,
        }
    }

    #[test]
    fn a_walk_that_only_repeats_itself_ends_and_one_that_begins_again_does_not() {
        let mut endless = Repeats::default();
        assert!(endless.take(40, 40, 40));
        let answers = (0..).take_while(|_| endless.take(40, 0, 40)).count();
        assert_eq!(answers, (40 + 25 * 250) / 40);
        let mut again = Repeats::default();
        for answer in 1..=400 {
            assert!(again.take(250, 250, answer * 250));
        }
        for _ in 0..400 {
            assert!(again.take(250, 0, 100_000));
        }
        assert!(again.take(250, 1, 100_001));
        // Answers without items are told apart by whoever makes the requests.
        assert!((0..1000).all(|_| again.take(0, 0, 100_001)));
    }

    #[test]
    fn versions_and_facts_decide() {
        let known = PageRecord::new(IndexId::generate(), &listed(3, "A"), at(0));
        let with_standing = |standing| PageRecord {
            standing,
            ..known.clone()
        };
        for (record, item, expected) in [
            (None, listed(1, "A"), Change::New),
            (Some(known.clone()), listed(4, "A"), Change::Edited),
            (Some(known.clone()), listed(3, "A"), Change::Unchanged),
            (Some(known.clone()), listed(3, "B"), Change::FactsOnly),
            (Some(known.clone()), listed(2, "A"), Change::Outdated),
            (
                Some(with_standing(Standing::Hidden)),
                listed(3, "A"),
                Change::FactsOnly,
            ),
            (
                Some(with_standing(Standing::Gone)),
                listed(3, "A"),
                Change::New,
            ),
        ] {
            assert_eq!(
                compare(record.as_ref(), &item),
                expected,
                "{record:?} against {item:?}"
            );
        }
    }

    #[test]
    fn a_poll_stops_behind_its_floor() {
        let mut walk = PollWalk::down_to(Some(at(-10)));
        assert!(walk.take(at(5)) && walk.take(at(-9)) && !walk.may_stop());
        assert!(!walk.take(at(-11)));
        assert!(walk.may_stop());
        assert_eq!(walk.newest(), Some(at(5)));
    }

    #[test]
    fn a_poll_in_the_wrong_order_reads_to_the_end() {
        let mut walk = PollWalk::down_to(Some(at(-10)));
        walk.take(at(-100));
        walk.take(at(5));
        assert!(walk.order_was_wrong() && !walk.may_stop());
    }
}
