//! The engine against a database on disk, the simulated Confluence, a retrieval store in memory, and a clock that does not wait.

#![allow(clippy::unwrap_used)]

mod bench;
mod fakes;
mod luck;
mod printed;
mod truth;
mod untouched;

mod answers;
mod archived;
mod attachments;
mod audited;
mod broken;
mod changes;
mod comments;
mod faults;
mod first_sync;
mod lasting;
mod links;
mod matrix;
mod memory;
mod model;
mod moves;
mod optional;
mod promises;
mod real;
mod reconverted;
mod removals;
mod rendered;
mod restrictions;
mod runs;
mod simulated;
mod store_faults;
mod stories;
mod supervision;
mod uploads;
mod views;
