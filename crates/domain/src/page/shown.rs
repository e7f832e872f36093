//! What leaves of a page for anyone but an administrator. [`PageRecord::may_be_shown`] decides it, and nothing but this module
//! makes a [`Shown`], so whoever has one has asked.

use std::ops::Deref;

use serde::Serialize;

use super::{Page, PageRecord, PageState};
use crate::SpaceKey;
use crate::content::Restriction;
use crate::index::RestrictedPages;

/// Something of a page that everybody may see who may read its index.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct Shown<T>(T);

impl<T> Shown<T> {
    /// What is shown.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Shown<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A page's row with the key that its space has now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlacedPage {
    /// The row.
    pub record: PageRecord,
    /// The space's present key.
    pub space_key: SpaceKey,
}

impl PlacedPage {
    /// The page as the administrator sees it.
    #[must_use]
    pub fn page(&self) -> Page {
        self.record.to_page(self.space_key.clone())
    }

    /// The page as everyone else sees it; `None`: there is no such page for them.
    #[must_use]
    pub fn shown(&self) -> Option<Shown<Page>> {
        self.record.may_be_shown().then(|| Shown(self.page()))
    }

    /// The page as everyone else hears of it who asks what changed: what may be shown, and what was removed and could be shown
    /// before. A removed page that nobody could see is no news by the time of its change, so it does not come as far as this.
    #[must_use]
    pub fn shown_as_changed(&self, restricted: RestrictedPages) -> Option<Shown<Page>> {
        let record = &self.record;
        let was_shown = record.state() == PageState::Removed
            && (restricted == RestrictedPages::Include
                || record.restriction != Restriction::Restricted);
        (was_shown || record.may_be_shown()).then(|| Shown(self.page()))
    }
}

impl PageRecord {
    /// Whether an answer may quote it: the store holds it, and nothing speaks against it.
    #[must_use]
    pub fn may_be_shown(&self) -> bool {
        self.holding.is_quotable() && !self.standing.is_out()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{ContentKind, ContentStatus, SourcePage};
    use crate::holding::{Flight, Have, Holding};
    use crate::page::Standing;
    use crate::{IndexId, PageId, SpaceId};

    const STANDINGS: [Standing; 6] = [
        Standing::Undecided,
        Standing::Member,
        Standing::Failed,
        Standing::Skipped,
        Standing::Hidden,
        Standing::Gone,
    ];

    fn placed(standing: Standing, have: Have) -> PlacedPage {
        let source = SourcePage {
            id: PageId::from("1"),
            kind: ContentKind::Page,
            status: ContentStatus::Current,
            title: "Takeover".into(),
            space_id: SpaceId::from("10"),
            parent_id: None,
            parent_kind: None,
            version: 1,
            modified: chrono::DateTime::UNIX_EPOCH,
            author: None,
            url: "https://x/1".into(),
            body: None,
        };
        let want = (have != Have::None).then(|| "h".into());
        let record = PageRecord {
            standing,
            holding: Holding::restore((want, have), (Flight::None, false), (0, None), None, None),
            ..PageRecord::new(IndexId::generate(), &source, chrono::DateTime::UNIX_EPOCH)
        };
        PlacedPage {
            record,
            space_key: "ENG".into(),
        }
    }

    #[test]
    fn of_what_the_store_does_not_hold_and_what_is_hidden_nothing_is_shown() {
        for standing in STANDINGS {
            for have in [Have::Document("h".into()), Have::Unknown] {
                let page = placed(standing, have);
                let told = page.shown().map(Shown::into_inner);
                let expected = (!standing.is_out()).then(|| page.page());
                assert_eq!(told, expected, "{standing:?}");
            }
            assert_eq!(placed(standing, Have::None).shown(), None, "{standing:?}");
        }
    }

    #[test]
    fn of_what_left_only_removals_are_told_and_no_restricted_ones() {
        for standing in STANDINGS {
            let mut page = placed(standing, Have::None);
            for (restriction, rule, told) in [
                (Restriction::Open, RestrictedPages::Skip, true),
                (Restriction::Restricted, RestrictedPages::Skip, false),
                (Restriction::Restricted, RestrictedPages::Include, true),
            ] {
                page.record.restriction = restriction;
                assert_eq!(
                    page.shown_as_changed(rule).is_some(),
                    told && standing == Standing::Gone,
                    "{standing:?} {restriction:?} {rule:?}"
                );
            }
        }
    }
}
