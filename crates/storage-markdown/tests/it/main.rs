//! What the converter promises, checked from outside.

#[path = "corpus.rs"]
mod corpus;
#[path = "readback.rs"]
mod readback;
