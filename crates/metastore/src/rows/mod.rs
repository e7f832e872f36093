//! Rows as diesel reads and writes them, and their translation to and from the domain's records.

mod body;
mod comment;
mod evaluation;
mod history;
mod holding;
mod index;
mod page;
mod question;
mod run;

pub(crate) use body::{BodyRow, TextRow};
pub(crate) use comment::{CommentBriefRow, CommentRow};
pub(crate) use evaluation::EvaluationRow;
pub(crate) use history::RunPageRow;
pub(crate) use holding::{HoldingRow, NONE, ObjectRow};
pub(crate) use index::{IndexRow, ProgressChange, RemoteJson, SettingsChange, SpaceRow};
pub(crate) use page::{Derived, PageRow, guards, readers, readers_json};
pub(crate) use question::QuestionRow;
pub(crate) use run::RunRow;
