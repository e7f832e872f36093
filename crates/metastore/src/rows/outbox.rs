//! `outbox`.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::Timestamp;
use domain::content::ContentKind;
use domain::ports::store::{OutboxEntry, OutboxOp, OutboxState};

use crate::convert::{db_time, id, opt_db_time, time, word};
use crate::dialect::Db;
use crate::error::{Done, Fault, failed};
use crate::schema::outbox;

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = outbox, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct OutboxRow {
    pub index_id: String,
    pub page_id: String,
    pub kind: String,
    pub op: String,
    pub hash: String,
    pub state: String,
    pub accepted_at: Option<NaiveDateTime>,
    pub attempts: i32,
    pub next_attempt_at: NaiveDateTime,
    pub last_error: Option<String>,
    pub created_at: NaiveDateTime,
}

pub(crate) const fn op_word(op: OutboxOp) -> &'static str {
    match op {
        OutboxOp::Upsert => "upsert",
        OutboxOp::Delete => "delete",
    }
}

pub(super) fn parse_op(word: &str) -> Option<OutboxOp> {
    [OutboxOp::Upsert, OutboxOp::Delete]
        .into_iter()
        .find(|op| op_word(*op) == word)
}

impl OutboxRow {
    /// The row of an entry that is recorded now.
    pub(crate) fn new(entry: &OutboxEntry, now: Timestamp) -> Self {
        let (state, accepted_at) = match &entry.state {
            OutboxState::Waiting => ("waiting", None),
            OutboxState::Accepted { at } => ("accepted", Some(*at)),
        };
        Self {
            index_id: entry.index_id.to_string(),
            page_id: entry.page_id.to_string(),
            kind: entry.kind.as_str().to_owned(),
            op: op_word(entry.op).to_owned(),
            hash: entry.hash.clone(),
            state: state.to_owned(),
            accepted_at: opt_db_time(accepted_at),
            attempts: entry.attempts,
            next_attempt_at: db_time(entry.next_attempt_at),
            last_error: entry.last_error.clone(),
            created_at: db_time(now),
        }
    }
}

impl TryFrom<OutboxRow> for OutboxEntry {
    type Error = Fault;
    fn try_from(row: OutboxRow) -> Done<Self> {
        let state = match (row.state.as_str(), row.accepted_at) {
            ("waiting", _) => OutboxState::Waiting,
            ("accepted", Some(at)) => OutboxState::Accepted { at: time(at) },
            (other, _) => {
                return Err(failed(format!(
                    "an outbox row stands as {other:?}, which cannot be"
                ))
                .into());
            }
        };
        Ok(Self {
            index_id: id("outbox.index_id", &row.index_id)?,
            page_id: row.page_id.into(),
            kind: word("outbox.kind", &row.kind, ContentKind::parse)?,
            op: word("outbox.op", &row.op, parse_op)?,
            hash: row.hash,
            state,
            attempts: row.attempts,
            next_attempt_at: time(row.next_attempt_at),
            last_error: row.last_error,
        })
    }
}
