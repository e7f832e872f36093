//! What one store object is to hold of a page, what it holds by what the store said last, and what is under way in between.
//!
//! Every change of a [`Holding`] is one of the [`Change`]s here. They promise: a document that is wanted while an older one is
//! under way is sent after it; nothing is sent again that the store holds already; and a removal that was asked for is asked
//! until the store says that it is done.

use crate::content::ContentKind;
use crate::failure::FailureCause;
use crate::ids::{PageId, WorkerId};
use crate::page::{PageState, Standing};
use crate::{IndexId, Timestamp};

/// What the store said last about one document.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Have {
    /// It holds nothing of it.
    #[default]
    None,
    /// It may hold something, but no document that can be relied on: it equals no hash, and a removal has to ask the store.
    Unknown,
    /// It accepted the document with this hash.
    Document(String),
}

/// Where a request about a holding is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Flight {
    /// Nowhere.
    #[default]
    None,
    /// A worker has claimed the row and sends it.
    Claimed(WorkerId),
    /// The store accepted it then; it is to be confirmed.
    Accepted(Timestamp),
}

/// What became of something that was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The store accepted it; it is to be confirmed.
    Accepted,
    /// The store finds the document, or the removed one is gone.
    Settled,
    /// It was not answered, and is sent again in the same run.
    Retry {
        /// In words.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// It failed in this run.
    Failed {
        /// As numbers tell it.
        cause: FailureCause,
        /// In words.
        reason: String,
        /// When a later run tries again.
        next_try: Timestamp,
    },
}

/// Everything that can happen to a holding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// The object is to hold the document with this hash; `None`: nothing of the page.
    Want(Option<String>),
    /// No document is sent until one is wanted anew: the page is hidden or out, and nobody has decided yet that it is removed. A
    /// removal never rests.
    Rest,
    /// No document can be sent before then.
    Postpone {
        /// When.
        until: Timestamp,
        /// In words.
        reason: String,
    },
    /// It is tried at once, as if it had never failed.
    TryNow,
    /// It is tried at once, and has failed as often as it has.
    TryAgain,
    /// A worker is about to send this. Does not apply while another does, nor when something else is wanted by now.
    Claim {
        /// Who.
        worker: WorkerId,
        /// The hash of the document; `None`: its removal.
        sent: Option<String>,
    },
    /// The store said something about what was sent. Applies only to the claim of this worker, or to what the store accepted.
    Outcome {
        /// Who sent it, or asked how far the store is with it.
        worker: WorkerId,
        /// The hash of the document; `None`: its removal.
        sent: Option<String>,
        /// What became of it.
        outcome: Outcome,
    },
    /// The worker that had claimed it is gone: whether its request arrived is not known.
    Release,
    /// The store's own list names the document, with its hash where it has one, or leaves it out. Says nothing about what is
    /// under way.
    Listed(Option<Option<String>>),
    /// The object is another one than before, and holds nothing.
    Lost,
}

/// One change of the holding of one page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HoldingChange {
    /// The page.
    pub page_id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// What happens.
    pub change: Change,
}

/// What the object that answers is to hold of a page from now on; goes with the page's row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The index.
    pub index_id: IndexId,
    /// The page.
    pub page_id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// Hash of the document; `None`: nothing.
    pub want: Option<String>,
}

/// One object and one page. Changed by [`apply`](Self::apply) only.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Holding {
    want: Option<String>,
    have: Have,
    flight: Flight,
    in_doubt: bool,
    attempts: i32,
    failed_at: Option<Timestamp>,
    next_try_at: Option<Timestamp>,
    last_error: Option<String>,
}

impl Holding {
    /// The holding that a row tells of.
    #[must_use]
    pub fn restore(
        (want, have): (Option<String>, Have),
        (flight, in_doubt): (Flight, bool),
        (attempts, failed_at): (i32, Option<Timestamp>),
        next_try_at: Option<Timestamp>,
        last_error: Option<String>,
    ) -> Self {
        Self {
            want,
            have,
            flight,
            in_doubt,
            attempts,
            failed_at,
            next_try_at,
            last_error,
        }
    }

    /// Hash of the document that the object is to hold; `None`: nothing.
    #[must_use]
    pub fn want(&self) -> Option<&str> {
        self.want.as_deref()
    }

    /// What the store said last.
    #[must_use]
    pub const fn have(&self) -> &Have {
        &self.have
    }

    /// Where a request about it is.
    #[must_use]
    pub const fn flight(&self) -> &Flight {
        &self.flight
    }

    /// Whether something was sent and never answered, so that the store may hold other things than it said last.
    #[must_use]
    pub const fn in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Runs in which it failed, one after the other.
    #[must_use]
    pub const fn attempts(&self) -> i32 {
        self.attempts
    }

    /// When it failed last, of what is wanted now.
    #[must_use]
    pub const fn failed_at(&self) -> Option<Timestamp> {
        self.failed_at
    }

    /// When it is to be sent; `None`: it is settled, under way, or rests.
    #[must_use]
    pub const fn next_try_at(&self) -> Option<Timestamp> {
        self.next_try_at
    }

    /// What went wrong last.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Whether the object holds what it is to hold, and nothing is under way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let same = match (&self.want, &self.have) {
            (None, Have::None) => true,
            (Some(want), Have::Document(have)) => want == have,
            _ => false,
        };
        same && !self.in_doubt && self.flight == Flight::None
    }

    /// Whether the object holds this document, is to hold it, and nothing is under way.
    #[must_use]
    pub fn holds(&self, hash: &str) -> bool {
        self.is_settled() && self.want() == Some(hash)
    }

    /// Whether the object may hold something of the page.
    #[must_use]
    pub fn may_hold(&self) -> bool {
        self.have != Have::None || self.in_doubt || self.flight != Flight::None
    }

    /// Whether the object may hold something of the page and is to keep it: its removal has to be decided.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.want.is_some() && self.may_hold()
    }

    /// Whether the store has something of the page that an answer may quote, unless the page itself stands against it.
    #[must_use]
    pub fn is_quotable(&self) -> bool {
        self.want.is_some() && self.have != Have::None
    }

    /// Whether the store accepted a document that is to stay.
    #[must_use]
    pub const fn is_document(&self) -> bool {
        self.want.is_some() && matches!(self.have, Have::Document(_))
    }

    /// Whether it failed and waits for its next try.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.attempts > 0 && self.next_try_at.is_some()
    }

    /// The only way that a holding changes; `false`: the change is about something that is no longer so, and does nothing.
    pub fn apply(&mut self, change: &Change, now: Timestamp) -> bool {
        match change {
            Change::Want(want) => self.set_want(want.as_deref(), now),
            Change::Rest => {
                if self.want.is_none() || self.next_try_at.take().is_none() {
                    return false;
                }
            }
            Change::Postpone { until, reason } => {
                if self.want.is_none() || self.next_try_at.is_none() {
                    return false;
                }
                self.next_try_at = Some(*until);
                self.last_error = Some(reason.clone());
            }
            Change::TryNow => {
                if self.next_try_at.is_none() {
                    return false;
                }
                self.attempts = 0;
                self.failed_at = None;
                self.next_try_at = Some(now);
            }
            Change::TryAgain => {
                if self.next_try_at.is_none() {
                    return false;
                }
                self.next_try_at = Some(now);
            }
            Change::Claim { worker, sent } => {
                let free = match &self.flight {
                    Flight::None => true,
                    // In smaller pieces.
                    Flight::Claimed(by) => by == worker,
                    Flight::Accepted(_) => false,
                };
                if !free || self.want != *sent || self.is_settled() {
                    return false;
                }
                self.flight = Flight::Claimed(*worker);
                self.next_try_at = None;
            }
            Change::Outcome {
                worker,
                sent,
                outcome,
            } => {
                let is_answer = match &self.flight {
                    Flight::None => false,
                    Flight::Claimed(by) => by == worker,
                    // Whoever asks: what was accepted is still what is wanted.
                    Flight::Accepted(_) => self.want == *sent,
                };
                if !is_answer {
                    return false;
                }
                self.answered(sent.as_deref(), outcome, now);
            }
            Change::Release => {
                if !matches!(self.flight, Flight::Claimed(_)) {
                    return false;
                }
                self.flight = Flight::None;
                self.in_doubt = true;
                self.next_try_at = Some(now);
            }
            Change::Listed(said) => {
                if self.flight != Flight::None || self.in_doubt {
                    return false;
                }
                let have = match (said, &self.have) {
                    (None, _) => Have::None,
                    // That it is listed does not say that it is well.
                    (Some(_), Have::Unknown) | (Some(None), Have::None) => Have::Unknown,
                    (Some(Some(hash)), _) => Have::Document(hash.clone()),
                    (Some(None), have) => have.clone(),
                };
                if self.have == have {
                    return false;
                }
                self.have = have;
                self.schedule_unless_failed(now);
            }
            Change::Lost => {
                *self = Self {
                    want: self.want.take(),
                    ..Self::default()
                };
                self.schedule(now);
            }
        }
        true
    }

    fn set_want(&mut self, want: Option<&str>, now: Timestamp) {
        if self.want.as_deref() != want {
            self.want = want.map(str::to_owned);
            self.attempts = 0;
            self.failed_at = None;
            self.last_error = None;
            if matches!(self.flight, Flight::Accepted(_)) {
                // Accepted and never confirmed: only another answer says what the store holds.
                self.flight = Flight::None;
                self.in_doubt = true;
            }
        }
        self.schedule_unless_failed(now);
    }

    /// What has failed keeps its time.
    fn schedule_unless_failed(&mut self, now: Timestamp) {
        if !self.has_failed() {
            self.schedule(now);
        }
    }

    /// Makes it due now, if something is to be sent.
    fn schedule(&mut self, now: Timestamp) {
        let waits = self.flight == Flight::None && !self.is_settled();
        self.next_try_at = waits.then_some(now);
    }

    fn answered(&mut self, sent: Option<&str>, outcome: &Outcome, now: Timestamp) {
        let was_accepted = matches!(self.flight, Flight::Accepted(_));
        let still_wanted = self.want.as_deref() == sent;
        self.flight = Flight::None;
        match (outcome, sent) {
            (Outcome::Accepted | Outcome::Settled, Some(hash)) => {
                self.have = Have::Document(hash.to_owned());
                self.in_doubt = false;
            }
            (Outcome::Settled, None) => {
                self.have = Have::None;
                self.in_doubt = false;
            }
            // It will be gone, and something else is wanted by now.
            (Outcome::Accepted, None) if !still_wanted => self.have = Have::Unknown,
            // Accepted, and then not found or refused: the store may hold something under this id, but not this document.
            (Outcome::Failed { .. }, Some(_)) if was_accepted => self.have = Have::Unknown,
            (Outcome::Retry { .. }, _) => self.in_doubt = true,
            _ => {}
        }
        if !still_wanted {
            self.schedule(now);
            return;
        }
        match outcome {
            Outcome::Accepted => {
                self.flight = Flight::Accepted(now);
                self.last_error = None;
            }
            Outcome::Settled => {
                self.attempts = 0;
                self.failed_at = None;
                self.last_error = None;
            }
            Outcome::Retry { reason, at } => {
                self.last_error = Some(reason.clone());
                self.next_try_at = Some(*at);
            }
            Outcome::Failed {
                reason, next_try, ..
            } => {
                self.attempts += 1;
                self.failed_at = Some(now);
                self.last_error = Some(reason.clone());
                self.next_try_at = Some(*next_try);
            }
        }
    }
}

/// The word that people read, from how the page stands and what the object that answers holds of it.
#[must_use]
pub fn page_state(standing: Standing, serving: &Holding) -> PageState {
    match standing {
        Standing::Undecided => PageState::Pending,
        Standing::Failed => PageState::Failed,
        Standing::Skipped => PageState::Skipped,
        Standing::Hidden => PageState::Vanishing,
        Standing::Gone if serving.may_hold() => PageState::Vanishing,
        Standing::Gone => PageState::Removed,
        Standing::Member | Standing::Retained => match serving.flight() {
            Flight::Accepted(_) => PageState::Uploaded,
            _ if serving.want().is_some() && serving.is_settled() => PageState::Searchable,
            _ if serving.has_failed() => PageState::Failed,
            _ => PageState::Pending,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(second)
    }

    fn hash(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn worker(n: u128) -> WorkerId {
        WorkerId(uuid::Uuid::from_u128(n))
    }

    fn claim(sent: Option<&str>) -> Change {
        Change::Claim {
            worker: worker(1),
            sent: sent.map(str::to_owned),
        }
    }

    fn said(sent: Option<&str>, outcome: Outcome) -> Change {
        Change::Outcome {
            worker: worker(1),
            sent: sent.map(str::to_owned),
            outcome,
        }
    }

    fn retry() -> Outcome {
        Outcome::Retry {
            reason: "silence".to_owned(),
            at: at(9),
        }
    }

    fn failed() -> Outcome {
        Outcome::Failed {
            cause: FailureCause::StoreRefused,
            reason: "refused".to_owned(),
            next_try: at(60),
        }
    }

    /// After these changes, each at its second; every one of them applies.
    fn after(changes: impl IntoIterator<Item = Change>) -> Holding {
        let mut holding = Holding::default();
        for (second, change) in (1..).zip(changes) {
            let before = holding.clone();
            assert!(
                holding.apply(&change, at(second)),
                "{change:?} to {before:?}"
            );
        }
        holding
    }

    fn stored(text: &str) -> Vec<Change> {
        vec![
            Change::Want(hash(text)),
            claim(Some(text)),
            said(Some(text), Outcome::Settled),
        ]
    }

    #[test]
    fn a_document_goes_its_way() {
        use Outcome::{Accepted, Settled};
        let h = || Have::Document("h".to_owned());
        let want = || Change::Want(hash("h"));
        // Changes; what the store said last, whether it is in doubt, tries that failed, and when it is due.
        for (changes, have, in_doubt, attempts, due) in [
            (vec![want()], Have::None, false, 0, Some(1)),
            (vec![want(), claim(Some("h"))], Have::None, false, 0, None),
            (
                vec![want(), claim(Some("h")), said(Some("h"), Accepted)],
                h(),
                false,
                0,
                None,
            ),
            (
                vec![
                    want(),
                    claim(Some("h")),
                    said(Some("h"), Accepted),
                    said(Some("h"), Settled),
                ],
                h(),
                false,
                0,
                None,
            ),
            // Accepted, and then not found: nothing to rely on.
            (
                vec![
                    want(),
                    claim(Some("h")),
                    said(Some("h"), Accepted),
                    said(Some("h"), failed()),
                ],
                Have::Unknown,
                false,
                1,
                Some(60),
            ),
            (
                vec![want(), claim(Some("h")), said(Some("h"), failed())],
                Have::None,
                false,
                1,
                Some(60),
            ),
            (
                vec![want(), claim(Some("h")), said(Some("h"), retry())],
                Have::None,
                true,
                0,
                Some(9),
            ),
            (
                vec![want(), claim(Some("h")), Change::Release],
                Have::None,
                true,
                0,
                Some(3),
            ),
            // An edit while it is under way.
            (
                vec![
                    want(),
                    claim(Some("h")),
                    Change::Want(hash("i")),
                    said(Some("h"), Accepted),
                ],
                h(),
                false,
                0,
                Some(4),
            ),
            (
                vec![
                    want(),
                    claim(Some("h")),
                    Change::Want(hash("i")),
                    said(Some("h"), failed()),
                ],
                Have::None,
                false,
                0,
                Some(4),
            ),
            // Removed while it is under way.
            (
                vec![
                    want(),
                    claim(Some("h")),
                    Change::Want(None),
                    said(Some("h"), Settled),
                ],
                h(),
                false,
                0,
                Some(4),
            ),
            (
                vec![
                    want(),
                    claim(Some("h")),
                    Change::Want(None),
                    said(Some("h"), retry()),
                ],
                Have::None,
                true,
                0,
                Some(4),
            ),
            // Never sent.
            (vec![want(), Change::Want(None)], Have::None, false, 0, None),
            (vec![want(), Change::Rest], Have::None, false, 0, None),
            (
                vec![want(), Change::Rest, want()],
                Have::None,
                false,
                0,
                Some(3),
            ),
        ] {
            let is = after(changes.clone());
            let due = due.map(at);
            assert_eq!(
                (is.have(), is.in_doubt(), is.attempts(), is.next_try_at()),
                (&have, in_doubt, attempts, due),
                "{changes:?}"
            );
        }
    }

    #[test]
    fn a_removal_is_asked_for_until_it_is_done() {
        let remove = |rest: Vec<Change>| {
            let mut all = stored("h");
            all.push(Change::Want(None));
            all.extend(rest);
            after(all)
        };
        assert_eq!(remove(vec![]).next_try_at(), Some(at(4)));
        let done = remove(vec![claim(None), said(None, Outcome::Settled)]);
        assert_eq!(done, Holding::default());
        let failing = remove(vec![claim(None), said(None, failed())]);
        assert!(failing.may_hold() && !failing.is_kept() && failing.has_failed());
        // It came back before anybody removed it: there is nothing to do; and while it was removed: it is stored anew.
        assert!(remove(vec![Change::Want(hash("h"))]).is_settled());
        // Whoever took it for a document that cannot be sent.
        let mut leaving = remove(vec![]);
        let later = Change::Postpone {
            until: at(99),
            reason: "no body".to_owned(),
        };
        assert!(!leaving.apply(&Change::Rest, at(5)) && !leaving.apply(&later, at(5)));
        assert_eq!(leaving.next_try_at(), Some(at(4)));
        let back = remove(vec![
            claim(None),
            Change::Want(hash("h")),
            said(None, Outcome::Settled),
        ]);
        assert_eq!(
            (back.have(), back.next_try_at()),
            (&Have::None, Some(at(7)))
        );
        let back = remove(vec![
            claim(None),
            Change::Want(hash("h")),
            said(None, Outcome::Accepted),
        ]);
        assert_eq!(
            (back.have(), back.next_try_at()),
            (&Have::Unknown, Some(at(7)))
        );
    }

    #[test]
    fn what_is_no_longer_so_changes_nothing() {
        let claimed = || after(vec![Change::Want(hash("h")), claim(Some("h"))]);
        let accepted = || {
            let mut holding = claimed();
            holding.apply(&said(Some("h"), Outcome::Accepted), at(3));
            holding
        };
        let other = Change::Claim {
            worker: worker(2),
            sent: hash("h"),
        };
        let of_other = Change::Outcome {
            worker: worker(2),
            sent: hash("h"),
            outcome: Outcome::Settled,
        };
        for (holding, change) in [
            (claimed(), other.clone()),
            (claimed(), of_other.clone()),
            (claimed(), Change::TryNow),
            (claimed(), Change::Listed(None)),
            (accepted(), other),
            (accepted(), claim(Some("h"))),
            (accepted(), said(Some("i"), Outcome::Settled)),
            (accepted(), said(None, Outcome::Settled)),
            (accepted(), Change::Release),
            (accepted(), Change::Listed(None)),
            (after(stored("h")), claim(Some("h"))),
            (after(stored("h")), said(Some("h"), failed())),
            (after(stored("h")), Change::Listed(Some(hash("h")))),
            (after(stored("h")), Change::Listed(Some(None))),
            (after(stored("h")), Change::TryAgain),
        ] {
            let mut is = holding.clone();
            assert!(!is.apply(&change, at(50)), "{change:?} to {holding:?}");
            assert_eq!(is, holding, "{change:?}");
        }
        // Whoever asks may hear that it is searchable.
        assert!(accepted().apply(&of_other, at(50)));
    }

    #[test]
    fn the_list_of_the_store_is_believed_about_what_is_settled() {
        let listed = |said| {
            let mut all = stored("h");
            all.push(Change::Listed(said));
            after(all)
        };
        let lost = listed(None);
        assert_eq!(
            (lost.have(), lost.next_try_at()),
            (&Have::None, Some(at(4)))
        );
        let other = listed(Some(hash("i")));
        assert_eq!(other.next_try_at(), Some(at(4)));
        // Nobody asked for it.
        let orphan = after([Change::Listed(Some(None))]);
        assert!(orphan.may_hold() && !orphan.is_kept() && orphan.next_try_at().is_some());
        // Another object than before holds nothing.
        let mut moved = after(stored("h"));
        moved.apply(&Change::Lost, at(8));
        assert_eq!((moved.want(), moved.may_hold()), (Some("h"), false));
        assert_eq!(moved.next_try_at(), Some(at(8)));
    }

    #[test]
    fn a_failure_keeps_its_time_unless_somebody_asks() {
        let mut failing = after(vec![
            Change::Want(hash("h")),
            claim(Some("h")),
            said(Some("h"), failed()),
        ]);
        assert!(failing.apply(&Change::Want(hash("h")), at(5)));
        assert_eq!(
            (failing.attempts(), failing.next_try_at()),
            (1, Some(at(60)))
        );
        let mut again = failing.clone();
        assert!(again.apply(&Change::TryAgain, at(5)));
        assert_eq!((again.attempts(), again.next_try_at()), (1, Some(at(5))));
        assert!(failing.apply(&Change::TryNow, at(5)));
        assert_eq!(
            (failing.attempts(), failing.next_try_at()),
            (0, Some(at(5)))
        );
        let edited = Change::Want(hash("i"));
        assert!(again.apply(&edited, at(6)));
        assert_eq!(
            (again.attempts(), again.next_try_at(), again.last_error()),
            (0, Some(at(6)), None)
        );
    }

    #[test]
    fn the_word_of_a_page_follows_from_both() {
        use Standing::{Failed, Gone, Hidden, Member, Skipped, Undecided};
        let accepted = || {
            after(vec![
                Change::Want(hash("h")),
                claim(Some("h")),
                said(Some("h"), Outcome::Accepted),
            ])
        };
        let failing = || {
            after(vec![
                Change::Want(hash("h")),
                claim(Some("h")),
                said(Some("h"), failed()),
            ])
        };
        let leaving = || {
            let mut all = stored("h");
            all.push(Change::Want(None));
            after(all)
        };
        for (standing, holding, state) in [
            (Undecided, after(stored("h")), PageState::Pending),
            (Failed, after(stored("h")), PageState::Failed),
            (Skipped, leaving(), PageState::Skipped),
            (Hidden, after(stored("h")), PageState::Vanishing),
            (Gone, leaving(), PageState::Vanishing),
            (Gone, Holding::default(), PageState::Removed),
            (Member, Holding::default(), PageState::Pending),
            (Member, after([Change::Want(hash("h"))]), PageState::Pending),
            (Member, accepted(), PageState::Uploaded),
            (Member, after(stored("h")), PageState::Searchable),
            (Member, failing(), PageState::Failed),
        ] {
            assert_eq!(
                page_state(standing, &holding),
                state,
                "{standing:?} {holding:?}"
            );
        }
    }

    /// A store, two workers that may die, and whoever wants something else meanwhile.
    #[derive(Clone, Debug)]
    enum Event {
        Want(Option<u8>),
        /// A worker claims what is wanted, and the request is on its way.
        Send(usize),
        /// The request arrives, or is lost; the answer comes, or is lost.
        Arrive {
            who: usize,
            arrives: bool,
            answer: u8,
        },
        /// The worker dies; a request on its way may still arrive.
        Die {
            who: usize,
            arrives: bool,
        },
        Confirm {
            who: usize,
            well: bool,
        },
        Rest,
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            proptest::option::of(0u8..3).prop_map(Event::Want),
            (0usize..2).prop_map(Event::Send),
            (0usize..2, any::<bool>(), 0u8..4).prop_map(|(who, arrives, answer)| Event::Arrive {
                who,
                arrives,
                answer
            }),
            (0usize..2, any::<bool>()).prop_map(|(who, arrives)| Event::Die { who, arrives }),
            (0usize..2, any::<bool>()).prop_map(|(who, well)| Event::Confirm { who, well }),
            Just(Event::Rest),
        ];
        prop::collection::vec(event, 1..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever happens in between: as long as nothing else is wanted, what is due is sent until the store holds exactly what
        /// is wanted; no two requests are under way at once; and what the store holds for sure is not sent again.
        #[test]
        fn the_store_comes_to_hold_what_is_wanted(events in events()) {
            let mut holding = Holding::default();
            let mut really: Option<String> = None;
            let mut wanted: Option<String> = None;
            let mut under_way: [Option<Option<String>>; 2] = [None, None];
            let mut rests = false;
            let mut now = 0;
            for event in events {
                now += 100;
                rests &= !matches!(event, Event::Want(_));
                match event {
                    Event::Rest => {
                        let applied = holding.apply(&Change::Rest, at(now));
                        prop_assert!(!applied || wanted.is_some(), "a removal never rests");
                        rests |= applied;
                    }
                    Event::Want(want) => {
                        wanted = want.map(|n| format!("h{n}"));
                        holding.apply(&Change::Want(wanted.clone()), at(now));
                    }
                    Event::Send(who) if under_way[who].is_none() => {
                        let settled = holding.is_settled();
                        let claim = Change::Claim { worker: worker(who as u128), sent: wanted.clone() };
                        if holding.apply(&claim, at(now)) {
                            prop_assert!(!settled, "nothing is sent for nothing");
                            prop_assert!(under_way.iter().all(Option::is_none), "one request at a time");
                            under_way[who] = Some(wanted.clone());
                        }
                    }
                    Event::Arrive { who, arrives, answer } => {
                        let Some(sent) = under_way[who].take() else { continue };
                        let outcome = match (arrives, answer) {
                            (true, 0) => Outcome::Accepted,
                            (true, 1) => Outcome::Settled,
                            (_, 2) if !arrives => failed(),
                            _ => retry(),
                        };
                        if arrives && !(outcome == Outcome::Accepted && sent.is_none()) {
                            really.clone_from(&sent);
                        }
                        let change = Change::Outcome { worker: worker(who as u128), sent, outcome };
                        prop_assert!(holding.apply(&change, at(now)));
                    }
                    Event::Die { who, arrives } => {
                        let Some(sent) = under_way[who].take() else { continue };
                        if arrives {
                            really = sent;
                        }
                        prop_assert!(holding.apply(&Change::Release, at(now)));
                    }
                    Event::Confirm { who, well } if matches!(holding.flight(), Flight::Accepted(_)) => {
                        let outcome = if well { Outcome::Settled } else { failed() };
                        // Gone as it should be; or lost.
                        if well == wanted.is_none() {
                            really = None;
                        }
                        let sent = wanted.clone();
                        let change = Change::Outcome { worker: worker(who as u128), sent, outcome };
                        prop_assert!(holding.apply(&change, at(now)));
                    }
                    Event::Send(_) | Event::Confirm { .. } => {}
                }
                prop_assert_eq!(holding.want(), wanted.as_deref(), "an edit is never lost");
                // Something that the store may hold is never taken for nothing.
                prop_assert!(really.is_none() || holding.may_hold());
                let waits = holding.flight() == &Flight::None && !holding.is_settled();
                rests &= holding.next_try_at().is_none();
                prop_assert!(rests || holding.next_try_at().is_some() == waits, "nothing is forgotten");
                if holding.is_settled() {
                    prop_assert_eq!(&really, &wanted);
                }
            }
        }
    }
}
