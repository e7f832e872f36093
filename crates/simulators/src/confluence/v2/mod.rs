//! The v2 endpoints.

pub(crate) mod attachments;
pub(crate) mod comments;
pub(crate) mod content;
pub(crate) mod people;
pub(crate) mod permissions;
pub(crate) mod spaces;
pub(crate) mod tree;
