//! What becomes of pages, thin over `domain`: rows are read, `domain` decides, rows and holdings are written.

pub(super) mod files;
pub(super) mod links;
mod namings;
pub(super) mod reconcile;
pub(super) mod vanish;
