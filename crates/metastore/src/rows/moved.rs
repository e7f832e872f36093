//! `move_rows`.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::content::ContentKind;
use domain::moving::{MoveRow, MoveState};
use domain::ports::store::{OutboxEntry, OutboxState};

use super::outbox::{op_word, parse_op};
use crate::convert::{db_time, id, time, word};
use crate::dialect::Db;
use crate::error::{Done, Fault};
use crate::schema::move_rows;

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = move_rows, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct MovedRow {
    pub index_id: String,
    pub page_id: String,
    pub kind: String,
    pub op: String,
    pub hash: String,
    pub state: String,
    pub accepted_at: Option<NaiveDateTime>,
    pub attempts: i32,
    pub refusals: i32,
    pub next_attempt_at: NaiveDateTime,
    pub last_error: Option<String>,
}

impl MovedRow {
    /// The row of an entry that is to be sent.
    pub(crate) fn waiting(entry: &OutboxEntry) -> Self {
        Self {
            index_id: entry.index_id.to_string(),
            page_id: entry.page_id.to_string(),
            kind: entry.kind.as_str().to_owned(),
            op: op_word(entry.op).to_owned(),
            hash: entry.hash.clone(),
            state: MoveState::Waiting.as_str().to_owned(),
            accepted_at: None,
            attempts: entry.attempts,
            refusals: 0,
            next_attempt_at: db_time(entry.next_attempt_at),
            last_error: entry.last_error.clone(),
        }
    }

    /// The row as something to be sent or confirmed.
    pub(crate) fn entry(&self) -> Done<OutboxEntry> {
        let state = match self.accepted_at {
            Some(at) if self.state == MoveState::Accepted.as_str() => {
                OutboxState::Accepted { at: time(at) }
            }
            _ => OutboxState::Waiting,
        };
        Ok(OutboxEntry {
            index_id: id("move_rows.index_id", &self.index_id)?,
            page_id: self.page_id.clone().into(),
            kind: word("move_rows.kind", &self.kind, ContentKind::parse)?,
            op: word("move_rows.op", &self.op, parse_op)?,
            hash: self.hash.clone(),
            state,
            attempts: self.attempts,
            next_attempt_at: time(self.next_attempt_at),
            last_error: self.last_error.clone(),
        })
    }
}

impl TryFrom<MovedRow> for MoveRow {
    type Error = Fault;
    fn try_from(row: MovedRow) -> Done<Self> {
        Ok(Self {
            kind: word("move_rows.kind", &row.kind, ContentKind::parse)?,
            op: word("move_rows.op", &row.op, parse_op)?,
            state: word("move_rows.state", &row.state, MoveState::parse)?,
            page_id: row.page_id.into(),
            hash: row.hash,
            attempts: row.attempts,
            refusals: row.refusals,
        })
    }
}
