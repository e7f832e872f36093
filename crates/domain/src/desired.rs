//! What becomes of a page: the one decision, from how it stands, where it stands, and the hash of its newest document.
//!
//! Values in, value out. Whether something that is to leave may leave at once is the business of [`guard`](crate::guard); what
//! is under way between page and store that of [`holding`](crate::holding).

use crate::Timestamp;
use crate::content::{ContentKind, Restriction};
use crate::page::{PageRecord, Standing};
use crate::scope::Place;

/// What is known around a page when it is decided.
#[derive(Clone, Debug)]
pub struct Around<'a> {
    /// Its place by the rules of the index.
    pub place: Place,
    /// The page that it hangs on, of attachments only; `None`: no row of it is known.
    pub owner: Option<&'a PageRecord>,
    /// Whether restrictions have to be known.
    pub needs_facts: bool,
    /// Whether it is restricted, and restricted pages stay out: then nothing else that is decided shows it.
    pub kept_back: bool,
    /// Whether the administrator decided that it stays although it is to leave.
    pub retained: bool,
    /// Hash of its newest document, if what makes it is kept.
    pub hash: Option<String>,
    /// Whether it is known of every page that the text points at whether the document may name it.
    pub names_are_known: bool,
}

/// What is decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Desired {
    /// The index is to hold the document with this hash.
    Hold {
        /// 64 hex digits.
        hash: String,
    },
    /// It stays out, or leaves.
    Drop {
        /// In words.
        why: String,
    },
    /// It is to leave, and the administrator decided that it stays.
    Stay {
        /// Why it is to leave, in words; `None`: its absence, which is judged elsewhere.
        why: Option<String>,
    },
    /// It stays hidden until it is seen again, or its absence is confirmed.
    Hide {
        /// When it was first found absent.
        since: Option<Timestamp>,
    },
    /// Nothing can be decided yet.
    Wait(Waits),
}

/// What a page waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Waits {
    /// The page that it hangs on, which is not decided or is out; it follows that.
    Owner,
    /// Its labels, or who may read it; in words.
    Facts(String),
    /// Its newest body, or the time to ask for that again.
    Body,
    /// Pages that its text points at, and of which is not known yet whether they may be named.
    Names,
}

/// Decides about one page.
#[must_use]
pub fn desired(page: &PageRecord, around: Around<'_>, now: Timestamp) -> Desired {
    match page.standing {
        // An answer that it stays would show it: what is known by now to be restricted is out for that, and no longer for its absence.
        Standing::Hidden if !(around.kept_back && page.holding.is_kept()) => {
            return Desired::Hide {
                since: page.vanished_at,
            };
        }
        // Nothing that is known of an absent page says that it belongs.
        Standing::Retained if page.vanished_at.is_some() && !around.kept_back => {
            return Desired::Stay { why: None };
        }
        Standing::Gone => {
            return Desired::Drop {
                why: page.reason.clone().unwrap_or_default(),
            };
        }
        _ => {}
    }
    if page.kind == ContentKind::Attachment {
        // A file stands where its page stands.
        let Some(owner) = around.owner.filter(|owner| !owner.standing.is_out()) else {
            return Desired::Wait(Waits::Owner);
        };
        if page.has_no_text() {
            return Desired::Drop {
                why: page.reason.clone().unwrap_or_default(),
            };
        }
        if owner.restriction == Restriction::Unknown && around.needs_facts {
            return Desired::Wait(Waits::Owner);
        }
    }
    match around.place {
        Place::Out(why) if around.retained && !around.kept_back => Desired::Stay { why: Some(why) },
        Place::Out(why) => Desired::Drop { why },
        Place::Undecided(why) => Desired::Wait(Waits::Facts(why)),
        Place::In => {
            let failed = page.standing == Standing::Failed;
            let rests = failed && page.next_try_at.is_some_and(|at| at > now);
            match around.hash.filter(|_| !rests) {
                // The document that is there already names nobody who is not known.
                Some(hash) if around.names_are_known || page.holding.holds(&hash) => {
                    Desired::Hold { hash }
                }
                Some(_) => Desired::Wait(Waits::Names),
                None => Desired::Wait(Waits::Body),
            }
        }
    }
}

impl PageRecord {
    /// Takes a decision over into the record.
    pub fn decide(&mut self, desired: &Desired) {
        match desired {
            Desired::Hold { .. } => {
                self.standing = Standing::Member;
                self.reason = None;
                self.attempts = 0;
                self.next_try_at = None;
            }
            Desired::Drop { why } if self.standing != Standing::Gone => {
                self.standing = Standing::Skipped;
                self.reason = Some(why.clone());
                self.attempts = 0;
                self.next_try_at = None;
            }
            // What is stored stays until known.
            Desired::Wait(Waits::Facts(_)) if self.holding.is_kept() => {}
            Desired::Wait(Waits::Facts(why)) => {
                if self.standing != Standing::Failed {
                    self.standing = Standing::Undecided;
                }
                self.reason = Some(why.clone());
            }
            Desired::Wait(Waits::Body)
                if matches!(self.standing, Standing::Skipped | Standing::Retained) =>
            {
                self.standing = Standing::Undecided;
                self.reason = None;
            }
            Desired::Drop { .. }
            | Desired::Stay { .. }
            | Desired::Hide { .. }
            | Desired::Wait(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{ContentStatus, FileFacts, SourcePage};
    use crate::holding::{Change, Holding};
    use crate::{IndexId, PageId, SpaceId};

    fn now() -> Timestamp {
        chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(1)
    }

    fn page(kind: ContentKind, standing: Standing) -> PageRecord {
        let source = SourcePage {
            id: PageId::from("1"),
            kind,
            status: ContentStatus::Current,
            title: String::new(),
            space_id: SpaceId::from("10"),
            parent_id: None,
            parent_kind: None,
            version: 1,
            modified: now(),
            author: None,
            url: String::new(),
            body: None,
        };
        PageRecord {
            standing,
            reason: Some("before".to_owned()),
            restriction: Restriction::Open,
            ..PageRecord::new(IndexId::generate(), &source, now())
        }
    }

    fn around<'a>(place: Place, hash: Option<&str>) -> Around<'a> {
        Around {
            place,
            owner: None,
            needs_facts: true,
            kept_back: false,
            retained: false,
            hash: hash.map(str::to_owned),
            names_are_known: true,
        }
    }

    fn out() -> Place {
        Place::Out("labelled".to_owned())
    }

    fn drop(why: &str) -> Desired {
        Desired::Drop {
            why: why.to_owned(),
        }
    }

    fn hold() -> Desired {
        Desired::Hold {
            hash: "h".to_owned(),
        }
    }

    #[test]
    fn what_the_administrator_keeps_stays_unless_it_is_restricted() {
        let have = crate::holding::Have::Document("h".to_owned());
        let flight = (crate::holding::Flight::None, false);
        let held = Holding::restore((Some("h".to_owned()), have), flight, (0, None), None, None);
        let decide = |standing, absent: bool, (retained, kept_back), place| {
            let page = PageRecord {
                vanished_at: absent.then(now),
                holding: held.clone(),
                ..page(ContentKind::Page, standing)
            };
            let around = Around {
                kept_back,
                retained,
                ..around(place, Some("h"))
            };
            desired(&page, around, now())
        };
        let stay = |why: Option<&str>| Desired::Stay {
            why: why.map(str::to_owned),
        };
        let (kept, restricted) = ((true, false), (true, true));
        use Standing::{Hidden, Retained, Skipped};
        // Of what is hidden an answer may make what is kept; so nothing is hidden that may not be shown.
        assert_eq!(decide(Hidden, true, restricted, out()), drop("labelled"));
        let hide = Desired::Hide { since: Some(now()) };
        assert_eq!(decide(Hidden, true, kept, out()), hide);
        // Nothing is known of an absent page that would say that it belongs.
        assert_eq!(decide(Retained, true, kept, Place::In), stay(None));
        assert_eq!(decide(Retained, true, restricted, out()), drop("labelled"));
        for standing in [Skipped, Retained] {
            assert_eq!(decide(standing, false, kept, out()), stay(Some("labelled")));
            assert_eq!(decide(standing, false, restricted, out()), drop("labelled"));
            assert_eq!(
                decide(standing, false, (false, false), out()),
                drop("labelled")
            );
            assert_eq!(decide(standing, false, kept, Place::In), hold());
        }
    }

    #[test]
    fn a_page_is_decided_from_its_place_and_its_body() {
        use Standing::{Failed, Gone, Hidden, Member, Skipped, Undecided};
        let unknown = || Place::Undecided("who may read it".to_owned());
        for (standing, place, hash, expected) in [
            (Undecided, Place::In, Some("h"), hold()),
            (Member, Place::In, Some("h"), hold()),
            (Skipped, Place::In, Some("h"), hold()),
            (Failed, Place::In, Some("h"), hold()),
            (Undecided, Place::In, None, Desired::Wait(Waits::Body)),
            (Member, out(), Some("h"), drop("labelled")),
            (Failed, out(), None, drop("labelled")),
            (
                Member,
                unknown(),
                Some("h"),
                Desired::Wait(Waits::Facts("who may read it".to_owned())),
            ),
            // Whatever its place: that it is gone is another question.
            (Hidden, Place::In, Some("h"), Desired::Hide { since: None }),
            (Gone, Place::In, Some("h"), drop("before")),
        ] {
            let is = desired(
                &page(ContentKind::Page, standing),
                around(place, hash),
                now(),
            );
            assert_eq!(is, expected, "{standing:?}");
        }
        let resting = PageRecord {
            next_try_at: Some(now() + chrono::TimeDelta::minutes(1)),
            ..page(ContentKind::Page, Failed)
        };
        let is = desired(&resting, around(Place::In, Some("h")), now());
        assert_eq!(is, Desired::Wait(Waits::Body), "its time has not come");
    }

    #[test]
    fn a_file_follows_its_page() {
        let file = page(ContentKind::Attachment, Standing::Undecided);
        let decide = |file: &PageRecord, owner: Option<&PageRecord>| {
            let around = Around {
                owner,
                ..around(Place::In, Some("h"))
            };
            desired(file, around, now())
        };
        let of = |standing| page(ContentKind::Page, standing);
        assert_eq!(decide(&file, None), Desired::Wait(Waits::Owner));
        for standing in [Standing::Skipped, Standing::Hidden, Standing::Gone] {
            let is = decide(&file, Some(&of(standing)));
            assert_eq!(is, Desired::Wait(Waits::Owner), "{standing:?}");
        }
        assert_eq!(decide(&file, Some(&of(Standing::Member))), hold());
        let unknown = PageRecord {
            restriction: Restriction::Unknown,
            ..of(Standing::Undecided)
        };
        assert_eq!(decide(&file, Some(&unknown)), Desired::Wait(Waits::Owner));
        let without_text = PageRecord {
            body_version: Some(1),
            file: Some(FileFacts::default()),
            ..file
        };
        let is = decide(&without_text, Some(&of(Standing::Member)));
        assert_eq!(is, drop("before"));
    }

    #[test]
    fn a_record_takes_its_decision_over() {
        use Standing::{Failed, Gone, Member, Skipped, Undecided};
        let facts = || Desired::Wait(Waits::Facts("unknown".to_owned()));
        for (before, decision, after, reason) in [
            (Undecided, hold(), Member, None),
            (Failed, hold(), Member, None),
            (Skipped, hold(), Member, None),
            (Member, drop("labelled"), Skipped, Some("labelled")),
            (Gone, drop("labelled"), Gone, Some("before")),
            (Skipped, facts(), Undecided, Some("unknown")),
            (Failed, facts(), Failed, Some("unknown")),
            (Skipped, Desired::Wait(Waits::Body), Undecided, None),
            (
                Undecided,
                Desired::Wait(Waits::Body),
                Undecided,
                Some("before"),
            ),
            (
                Skipped,
                Desired::Wait(Waits::Owner),
                Skipped,
                Some("before"),
            ),
        ] {
            let mut page = page(ContentKind::Page, before);
            page.decide(&decision);
            let is = (page.standing, page.reason.as_deref());
            assert_eq!(is, (after, reason), "{before:?} {decision:?}");
        }
        // What is stored stays until known.
        let mut holding = Holding::default();
        holding.apply(&Change::Listed(Some(Some("h".to_owned()))), now());
        holding.apply(&Change::Want(Some("h".to_owned())), now());
        let mut stored = PageRecord {
            holding,
            ..page(ContentKind::Page, Member)
        };
        stored.decide(&facts());
        assert_eq!(stored.standing, Member);
    }
}
