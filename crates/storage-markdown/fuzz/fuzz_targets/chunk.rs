//! Any Markdown is cut without losing a letter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use storage_markdown::chunk::{ChunkOptions, chunks};
use storage_markdown::outline;

fuzz_target!(|input: (u8, u8, &str)| {
    let (max, overlap, page) = input;
    let options = ChunkOptions { max_tokens: usize::from(max), overlap_tokens: usize::from(overlap) };
    let found = chunks(page, &options);
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
    let kept: usize = found.iter().map(|c| letters(&c.text)).sum();
    assert!(page.starts_with("---\n") || kept >= letters(page), "letters were lost");
    for heading in outline::outline(page) {
        let _ = outline::section(page, &heading.anchor);
    }
});
