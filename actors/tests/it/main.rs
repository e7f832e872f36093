//! The engine against a database on disk, a Confluence and a retrieval store in memory, and a clock that does not wait.

mod bench;
mod fakes;

mod first_sync;
