//! Rows as diesel reads and writes them, and their translation to and from the domain's records.

mod body;
mod comment;
mod index;
mod moved;
mod outbox;
mod page;
mod run;

pub(crate) use body::BodyRow;
pub(crate) use comment::{CommentBriefRow, CommentRow};
pub(crate) use index::{IndexRow, ProgressChange, RemoteJson, SettingsChange, SpaceRow};
pub(crate) use moved::MovedRow;
pub(crate) use outbox::{OutboxRow, op_word};
pub(crate) use page::{PageRow, is_document, page_links};
pub(crate) use run::RunRow;
