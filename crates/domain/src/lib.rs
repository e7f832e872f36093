//! What MCP Confluence Sync is about, without any of the machinery: ids, records, decisions and ports.
//!
//! * **Ids and records**: [`ids`], [`content`] (what Confluence says), [`page`] (what we keep of it), [`comments`], [`index`], [`run`], [`document`].
//! * **Decisions**, pure functions that say what a sync does: [`change`] (what a listing means for a page), [`scope`]
//!   (which pages belong), [`access`] (what of them one person may read), [`tree`] (breadcrumbs and inherited restrictions), [`desired`] (what becomes of a page), [`holding`] (what a store object
//!   is to hold and holds), [`vanish`] and [`guard`] (who may be removed),
//!   [`links`] (which pages a document may name), [`moving`] (when another store object takes over), [`schedule`], [`upload`] (whose fault it is that documents are not taken), [`failure`] (by which causes numbers tell of it), [`backoff`], [`adaptive`] (how many requests at once), [`cost`] (of what a dry run found), [`answer`] (which passages may leave), [`share`] (who gets how much of what all share).
//! * **Ports**, the traits that adapters implement: [`ports`].
//!
//! This crate must not know actix, HTTP, a database or the network; everything here is tested with plain values.
#![warn(missing_docs)]

pub mod access;
pub mod adaptive;
pub mod answer;
pub mod audit;
pub mod backoff;
pub mod blocked;
pub mod change;
pub mod comments;
pub mod content;
pub mod cost;
pub mod daily;
pub mod desired;
pub mod disposition;
pub mod document;
pub mod evaluation;
pub mod event;
pub mod failure;
pub mod grant;
pub mod guard;
pub mod history;
pub mod holding;
pub mod ids;
pub mod index;
pub mod links;
pub mod moving;
pub mod notice;
pub mod overlap;
pub mod pace;
pub mod page;
pub mod part;
pub mod ports;
pub mod problem;
pub mod query;
pub mod questions;
pub mod quiet;
pub mod quota;
pub mod rank;
pub mod refusals;
pub mod run;
pub mod schedule;
pub mod scope;
pub mod sections;
pub mod share;
pub mod sizes;
pub mod token;
pub mod tree;
pub mod upload;
pub mod vanish;

pub use disposition::Disposition;
pub use ids::{
    AccountId, AgentId, DocumentId, GroupId, IndexId, ObjectId, PageId, RunId, SpaceId, SpaceKey,
    TokenId, WorkerId,
};

/// A moment on the UTC clock; every time in this project carries its zone.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
