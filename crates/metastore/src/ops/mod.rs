//! The statements by subject: functions over a connection, inside a transaction that the handle has begun.

pub(crate) mod attachments;
pub(crate) mod bodies;
pub(crate) mod clock;
pub(crate) mod comments;
pub(crate) mod events;
pub(crate) mod facts;
pub(crate) mod guard;
pub(crate) mod history;
pub(crate) mod holdings;
pub(crate) mod indexes;
pub(crate) mod links;
pub(crate) mod listing;
pub(crate) mod notices;
pub(crate) mod objects;
pub(crate) mod page_sessions;
pub(crate) mod pages;
pub(crate) mod prune;
pub(crate) mod questions;
pub(crate) mod runs;
pub(crate) mod sections;
pub(crate) mod sessions;
pub(crate) mod sites;
pub(crate) mod small;
pub(crate) mod spaces;
pub(crate) mod tokens;
pub(crate) mod tree;
