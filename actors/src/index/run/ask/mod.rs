//! What Confluence says: listings, polls, facts, comments and files, and what is asked for by its id. Written into rows as it comes;
//! nothing is decided here.

pub(super) mod absent;
pub(super) mod audited;
pub(super) mod comments;
pub(super) mod facts;
pub(super) mod files;
mod listing;
pub(super) mod parents;
pub(super) mod permissions;
mod places;
pub(super) mod poll;
pub(super) mod recent;
pub(super) mod walk;
