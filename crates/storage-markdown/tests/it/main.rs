//! What the converter promises, checked from outside: a test for each row of the format, then the promises that hold
//! for any input.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod blocks;
mod cases;
mod chunks;
mod containers;
mod corpus;
mod inline;
mod links;
mod macros;
mod page;
mod properties;
mod readback;
mod site;
mod tables;
mod view;
