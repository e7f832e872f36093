//! What the store promises, over a real file or, with `TEST_POSTGRES_URL` and the feature `postgres`, on a PostgreSQL server.
#![allow(clippy::unwrap_used)]

mod access;
mod audit;
mod bed;
mod comments;
mod concurrency;
mod counts;
mod evaluations;
mod files;
mod history;
mod holdings;
mod housekeeping;
mod indexes;
mod lists;
mod moves;
mod notices;
mod pages;
mod postgres;
mod questions;
mod restart;
mod runs;
mod sections;
mod sessions;
mod story;
mod texts;
mod tokens;
mod transfer;
mod upgrade;
