//! `comments`: texts are packed on the way in, unpacked on the way out.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::comments::{CachedComment, CommentBrief, CommentPlace, Standing};

use crate::codec::{Packer, unpack};
use crate::convert::{db_time, opt_time, time, word};
use crate::dialect::Db;
use crate::error::{Done, Fault};
use crate::schema::comments;

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = comments, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct CommentRow {
    pub comment_id: String,
    pub page_id: String,
    pub parent_id: Option<String>,
    pub place: String,
    pub version: i32,
    pub modified: NaiveDateTime,
    pub author: Option<String>,
    pub standing: String,
    pub quoted: Option<String>,
    pub url: String,
    pub converter: i32,
    pub absent_since: Option<NaiveDateTime>,
    pub markdown: Vec<u8>,
    pub storage: Vec<u8>,
}

impl CommentRow {
    pub(crate) fn pack(packer: &mut Packer, comment: &CachedComment) -> Self {
        Self {
            comment_id: comment.id.to_string(),
            page_id: comment.page_id.to_string(),
            parent_id: comment.parent.as_ref().map(ToString::to_string),
            place: comment.place.as_str().to_owned(),
            version: comment.version,
            modified: db_time(comment.modified),
            author: comment.author.as_ref().map(ToString::to_string),
            standing: comment.standing.as_str().to_owned(),
            quoted: comment.quoted.clone(),
            url: comment.url.clone(),
            converter: comment.converter,
            absent_since: None,
            markdown: packer.pack(&comment.markdown),
            storage: packer.pack(&comment.storage),
        }
    }
}

impl TryFrom<CommentRow> for CachedComment {
    type Error = Fault;
    fn try_from(row: CommentRow) -> Done<Self> {
        Ok(Self {
            id: row.comment_id.into(),
            page_id: row.page_id.into(),
            parent: row.parent_id.map(Into::into),
            place: word("comments.place", &row.place, CommentPlace::parse)?,
            version: row.version,
            modified: time(row.modified),
            author: row.author.map(Into::into),
            standing: Standing::parse(&row.standing),
            quoted: row.quoted,
            url: row.url,
            storage: unpack(&row.storage)?,
            markdown: unpack(&row.markdown)?,
            converter: row.converter,
        })
    }
}

/// A comment without its texts.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = comments, check_for_backend(Db))]
pub(crate) struct CommentBriefRow {
    pub comment_id: String,
    pub page_id: String,
    pub place: String,
    pub version: i32,
    pub standing: String,
    pub converter: i32,
    pub absent_since: Option<NaiveDateTime>,
}

impl TryFrom<CommentBriefRow> for CommentBrief {
    type Error = Fault;
    fn try_from(row: CommentBriefRow) -> Done<Self> {
        Ok(Self {
            id: row.comment_id.into(),
            page_id: row.page_id.into(),
            place: word("comments.place", &row.place, CommentPlace::parse)?,
            version: row.version,
            standing: Standing::parse(&row.standing),
            converter: row.converter,
            absent_since: opt_time(row.absent_since),
        })
    }
}
