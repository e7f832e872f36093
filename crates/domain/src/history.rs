//! What a run did page by page: kept with the run, for people who ask what it added, changed, removed, and could not do.

use serde::Serialize;

use crate::PageId;
use crate::content::ContentKind;
use crate::holding::{Change, Flight, Have, Holding, Outcome};
use crate::page::PageState;

/// What became of a page in a run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum PageChange {
    /// It is in the store, and was not.
    Added,
    /// It is in the store anew.
    Changed,
    /// It left the store.
    Removed,
    /// It is hidden from answers; a later run removes it. Of dry runs only.
    Hidden,
    /// It could not be fetched, converted, stored or removed.
    Failed,
}

impl PageChange {
    /// Every change, for parsing and documentation.
    pub const ALL: [Self; 5] = [
        Self::Added,
        Self::Changed,
        Self::Removed,
        Self::Hidden,
        Self::Failed,
    ];

    /// The word used in rows and REST.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Hidden => "hidden",
            Self::Failed => "failed",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.as_str() == word)
    }
}

/// So many pages of a run are kept for each change; how many there were is in the counts of the run.
pub const KEPT_IN_A_RUN: usize = 1_000;

/// A page in a run: what became of it there, and how it stands now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunPage {
    /// The page.
    pub page_id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// What became of it.
    pub change: PageChange,
    /// Why, in words; null when there is nothing to say.
    pub reason: Option<String>,
    /// Its title, as far as known.
    pub title: Option<String>,
    /// Absolute address, as far as known.
    pub url: Option<String>,
    /// How it stands now; null when the index knows it no more, or not yet.
    pub state: Option<PageState>,
}

/// What is kept of a change of a holding that stood so `before`; `None`: nothing that people ask for.
#[must_use]
pub fn noted(before: &Holding, change: &Change) -> Option<(PageChange, Option<String>)> {
    let Change::Outcome { sent, outcome, .. } = change else {
        return None;
    };
    match (outcome, sent) {
        // Confirmed: it was noted when it was accepted.
        (Outcome::Settled, Some(_)) if matches!(before.flight(), Flight::Accepted(_)) => None,
        (Outcome::Accepted | Outcome::Settled, Some(_)) => Some(match before.have() {
            Have::None => (PageChange::Added, None),
            Have::Unknown | Have::Document(_) => (PageChange::Changed, None),
        }),
        (Outcome::Settled, None) => Some((PageChange::Removed, None)),
        (Outcome::Failed { reason, .. }, _) => Some((PageChange::Failed, Some(reason.clone()))),
        (Outcome::Accepted, None) | (Outcome::Retry { .. }, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureCause;
    use crate::{Timestamp, WorkerId};

    #[test]
    fn a_document_is_added_once_then_changed_and_in_the_end_removed() {
        let now: Timestamp = chrono::DateTime::UNIX_EPOCH;
        let worker = WorkerId::generate();
        let mut holding = Holding::default();
        let mut told = Vec::new();
        let mut send = |holding: &mut Holding, sent: Option<&str>, outcomes: &[Outcome]| {
            let sent = sent.map(str::to_owned);
            holding.apply(&Change::Want(sent.clone()), now);
            let claim = Change::Claim {
                worker,
                sent: sent.clone(),
            };
            assert!(holding.apply(&claim, now));
            for outcome in outcomes {
                let change = Change::Outcome {
                    worker,
                    sent: sent.clone(),
                    outcome: outcome.clone(),
                };
                told.extend(noted(holding, &change).map(|(change, _)| change));
                assert!(holding.apply(&change, now));
            }
        };
        let confirmed = [Outcome::Accepted, Outcome::Settled];
        send(&mut holding, Some("a"), &confirmed);
        // A store that finds at once what it accepts.
        send(&mut holding, Some("b"), &[Outcome::Settled]);
        let refused = Outcome::Failed {
            cause: FailureCause::StoreRefused,
            reason: "too large".to_owned(),
            next_try: now,
        };
        send(&mut holding, Some("c"), &[Outcome::Accepted, refused]);
        send(&mut holding, None, &confirmed);
        use PageChange::{Added, Changed, Failed, Removed};
        assert_eq!(told, [Added, Changed, Changed, Failed, Removed]);
    }

    #[test]
    fn words_lead_back() {
        for change in PageChange::ALL {
            assert_eq!(PageChange::parse(change.as_str()), Some(change));
        }
    }
}
