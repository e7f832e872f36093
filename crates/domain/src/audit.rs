//! Who did what: the entries that are kept of changes and of refusals.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::{IndexId, Timestamp, TokenId};

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum EntryOutcome {
    /// It was done, or begun.
    Done,
    /// Who asked may not.
    Refused,
}

impl EntryOutcome {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Done, Self::Refused];

    /// As REST and the database name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }

    /// Reads what [`as_str`](Self::as_str) says.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

/// Who did something, and what.
#[derive(Clone, PartialEq, Debug)]
pub struct NewEntry {
    /// Who, for people: a name and how they were known.
    pub actor: String,
    /// By which token.
    pub token: Option<TokenId>,
    /// From which address.
    pub address: Option<String>,
    /// What was done, as the API names it (`change_index`).
    pub action: String,
    /// What came of it.
    pub outcome: EntryOutcome,
    /// Of which index.
    pub index: Option<IndexId>,
    /// What it was done to, where that is no index: a run, a page, a token.
    pub subject: Option<String>,
    /// What was asked for, without secrets.
    pub detail: Option<Value>,
}

impl NewEntry {
    /// What was done, and by whom; nothing else is said yet.
    #[must_use]
    pub fn done(actor: &str, action: &str) -> Self {
        Self {
            actor: actor.to_owned(),
            token: None,
            address: None,
            action: action.to_owned(),
            outcome: EntryOutcome::Done,
            index: None,
            subject: None,
            detail: None,
        }
    }

    /// The same, done to this.
    #[must_use]
    pub fn to(mut self, subject: impl ToString) -> Self {
        self.subject = Some(subject.to_string());
        self
    }

    /// The same, of this index.
    #[must_use]
    pub const fn of_index(mut self, index: IndexId) -> Self {
        self.index = Some(index);
        self
    }
}

/// An entry as it is kept.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Entry {
    /// Its number; a later one is larger.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who, for people: a name and how they were known.
    pub actor: String,
    /// By which token.
    pub token_id: Option<TokenId>,
    /// From which address.
    pub address: Option<String>,
    /// What was done, as the API names it (`change_index`).
    pub action: String,
    /// What came of it.
    pub outcome: EntryOutcome,
    /// Of which index.
    pub index_id: Option<IndexId>,
    /// What it was done to, where that is no index: a run, a page, a token.
    pub subject: Option<String>,
    /// What was asked for, without secrets.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub detail: Option<Value>,
}

/// Which entries to list, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EntryFilter {
    /// Only of this index.
    pub index: Option<IndexId>,
    /// Only this action.
    pub action: Option<String>,
    /// Only from then on.
    pub since: Option<Timestamp>,
    /// Where the list before ended.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: usize,
}
