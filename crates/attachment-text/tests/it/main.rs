//! What the crate promises, on files made here.

#![allow(clippy::unwrap_used)]

mod docx;
mod make;
mod pdf;
mod promises;
mod text;

use attachment_text::{Extracted, Limits, Refusal, extract};

/// Reads a file by its name, within the usual limits.
pub fn read(name: &str, bytes: &[u8]) -> Result<Extracted, Refusal> {
    extract("", name, bytes, &Limits::default())
}
