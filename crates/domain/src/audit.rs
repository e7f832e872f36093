//! Who did what: the entries that are kept of changes, of refusals and, where the operator wants it, of questions.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::access::{Asker, Email};
use crate::{IndexId, PageId, Timestamp, TokenId};

/// Characters that are kept of a question.
const QUESTION_CHARS: usize = 1_000;
/// Pages that the entry of a question names; how many there were is said beside them.
const PAGES: usize = 100;
/// Indexes that it names.
const INDEXES: usize = 20;

/// What an entry is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Default)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum EntryKind {
    /// Something was changed, or was to be.
    #[default]
    Change,
    /// Something was asked or read.
    Question,
}

impl EntryKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Change, Self::Question];

    /// As REST and the database name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Question => "question",
        }
    }

    /// Reads what [`as_str`](Self::as_str) says.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

/// What is kept of questions (`AUDIT_QUESTIONS`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum KeptOfQuestions {
    /// Nothing.
    #[default]
    Nothing,
    /// Who asked, as whom, and which pages the answer held.
    Pages,
    /// The words of the question too.
    Text,
}

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
    /// What it is about.
    pub kind: EntryKind,
    /// Who, for people: a name and how they were known.
    pub actor: String,
    /// By which token.
    pub token: Option<TokenId>,
    /// From which address.
    pub address: Option<String>,
    /// The person who did it, or for whom it was asked.
    pub person: Option<Email>,
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
            kind: EntryKind::Change,
            actor: actor.to_owned(),
            token: None,
            address: None,
            person: None,
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

/// Whose credentials a request has.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Actor {
    /// Who, for people: a name and how they were known.
    pub name: String,
    /// By which token.
    pub token: Option<TokenId>,
    /// From which address.
    pub address: Option<String>,
}

/// What an answer handed out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandedOut {
    /// What was asked: an operation of the API, or a tool.
    pub action: &'static str,
    /// The words of the question, where it has some.
    pub question: Option<String>,
    /// The indexes that the pages are from; the one that was asked where there are none.
    pub indexes: Vec<IndexId>,
    /// The pages whose text or change the answer held, best first.
    pub pages: Vec<PageId>,
}

impl HandedOut {
    /// The entry of this question; `None` where nothing is kept of questions.
    #[must_use]
    pub fn entry(self, actor: &Actor, asker: &Asker, kept: KeptOfQuestions) -> Option<NewEntry> {
        if kept == KeptOfQuestions::Nothing {
            return None;
        }
        let mut pages: Vec<PageId> = Vec::new();
        for page in self.pages {
            if !pages.contains(&page) {
                pages.push(page);
            }
        }
        let count = pages.len();
        pages.truncate(PAGES);
        let mut detail = Map::new();
        if let Some(question) = self.question.filter(|_| kept == KeptOfQuestions::Text) {
            let question: String = question.chars().take(QUESTION_CHARS).collect();
            detail.insert("question".to_owned(), question.into());
        }
        detail.insert("pages".to_owned(), json!(pages));
        detail.insert("count".to_owned(), count.into());
        let index = match self.indexes.as_slice() {
            [only] => Some(*only),
            [] => None,
            several => {
                let named = &several[..several.len().min(INDEXES)];
                detail.insert("indexes".to_owned(), json!(named));
                None
            }
        };
        Some(NewEntry {
            kind: EntryKind::Question,
            actor: actor.name.clone(),
            token: actor.token,
            address: actor.address.clone(),
            person: match asker {
                Asker::Person(email) => Some(email.clone()),
                Asker::Unnamed | Asker::Operator => None,
            },
            action: self.action.to_owned(),
            outcome: EntryOutcome::Done,
            index,
            subject: None,
            detail: Some(detail.into()),
        })
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
    /// What it is about.
    pub kind: EntryKind,
    /// Who, for people: a name and how they were known.
    pub actor: String,
    /// By which token.
    pub token_id: Option<TokenId>,
    /// From which address.
    pub address: Option<String>,
    /// The address of the person who did it, or for whom it was asked; as far as that is known.
    pub person: Option<String>,
    /// What was done, as the API names it (`change_index`), or which tool of MCP was called.
    pub action: String,
    /// What came of it.
    pub outcome: EntryOutcome,
    /// Of which index.
    pub index_id: Option<IndexId>,
    /// What it was done to, where that is no index: a run, a page, a token.
    pub subject: Option<String>,
    /// What was asked for, without secrets; of a question the ids of the pages that the answer held, and how many they were.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub detail: Option<Value>,
}

/// Which entries to list, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EntryFilter {
    /// Only about this.
    pub kind: Option<EntryKind>,
    /// Only of this person.
    pub person: Option<Email>,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn handed_out(indexes: usize) -> HandedOut {
        HandedOut {
            action: "query_index",
            question: Some("how?".to_owned()),
            indexes: (0..indexes).map(|_| IndexId::generate()).collect(),
            pages: ["1", "2", "1"].map(PageId::from).to_vec(),
        }
    }

    #[test]
    fn of_a_question_what_the_operator_wants_is_kept() {
        let actor = Actor {
            name: "chat (by a key)".to_owned(),
            token: None,
            address: None,
        };
        let ann = Email::parse("ann@example.org");
        let asker = ann.clone().map_or(Asker::Unnamed, Asker::Person);
        let entry = |kept, indexes| handed_out(indexes).entry(&actor, &asker, kept);
        assert_eq!(entry(KeptOfQuestions::Nothing, 1), None);
        let pages = entry(KeptOfQuestions::Pages, 1).unwrap();
        assert_eq!(pages.detail, Some(json!({"pages": ["1", "2"], "count": 2})));
        assert_eq!((pages.kind, pages.person), (EntryKind::Question, ann));
        assert!(pages.index.is_some());
        let text = entry(KeptOfQuestions::Text, 1).unwrap();
        assert_eq!(text.detail.unwrap()["question"], "how?");
        let several = entry(KeptOfQuestions::Pages, 30).unwrap();
        assert_eq!(several.index, None);
        let named = several.detail.unwrap()["indexes"].clone();
        assert_eq!(named.as_array().unwrap().len(), INDEXES);
    }
}
