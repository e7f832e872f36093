//! What the text of a page is: bodies, comments and attached files, fetched once and converted once. It knows nothing of listings
//! and decides nothing about pages.

pub(super) mod bodies;
pub(super) mod comments;
pub(super) mod convert;
pub(super) mod files;
pub(super) mod listed;
pub(super) mod reconvert;
mod sections;
