//! A small CQL: parsed, and evaluated against what the search index knows.

mod eval;
mod parse;
mod text;

pub(crate) use eval::{Hit, Search, SortKey};
pub(crate) use parse::parse;
