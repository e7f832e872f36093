//! Any bytes under any name end in text within the limits or in a refusal.
#![no_main]

use std::time::Duration;

use attachment_text::{Limits, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (kind, bytes) = input;
    let name = ["a.pdf", "a.docx", "a.html", "a.csv", "a.txt"][usize::from(kind) % 5];
    let limits = Limits {
        max_text_bytes: 4096,
        max_pages: 4,
        max_unpacked_bytes: 1 << 20,
        max_time: Duration::from_secs(2),
        ..Limits::default()
    };
    if let Ok(found) = extract("", name, bytes, &limits) {
        assert!(!found.markdown.trim().is_empty());
        assert!(found.markdown.len() < 4096 + 256);
    }
});
