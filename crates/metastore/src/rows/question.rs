//! `questions`.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::questions::{Asked, FoundLittle, Question};

use crate::convert::{db_time, list, time, to_json, word};
use crate::dialect::Db;
use crate::error::{Done, Fault};
use crate::schema::questions;

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = questions, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct QuestionRow {
    pub(crate) index_id: String,
    pub(crate) id: String,
    question: String,
    times: i64,
    first_asked_at: NaiveDateTime,
    pub(crate) last_asked_at: NaiveDateTime,
    found: String,
    unknown_words: String,
}

impl From<&Asked> for QuestionRow {
    fn from(asked: &Asked) -> Self {
        let question = &asked.question;
        Self {
            index_id: asked.index.to_string(),
            id: question.id.clone(),
            question: question.question.clone(),
            times: question.times,
            first_asked_at: db_time(question.first_asked_at),
            last_asked_at: db_time(question.last_asked_at),
            found: question.found.as_str().to_owned(),
            unknown_words: to_json(&question.unknown_words),
        }
    }
}

impl TryFrom<QuestionRow> for Question {
    type Error = Fault;
    fn try_from(row: QuestionRow) -> Done<Self> {
        Ok(Self {
            id: row.id,
            question: row.question,
            times: row.times,
            first_asked_at: time(row.first_asked_at),
            last_asked_at: time(row.last_asked_at),
            found: word("questions.found", &row.found, FoundLittle::parse)?,
            unknown_words: list("questions.unknown_words", &row.unknown_words)?,
        })
    }
}
