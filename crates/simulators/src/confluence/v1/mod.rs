//! The v1 endpoints that are still there.

pub(crate) mod audit;
pub(crate) mod content;
pub(crate) mod files;
pub(crate) mod people;
pub(crate) mod restrictions;
pub(crate) mod search;
