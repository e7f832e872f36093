//! Any body in storage format converts, the same way each time, and its Markdown can be cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use storage_markdown::{NoResolver, Options, chunk, content_hash, convert_storage, outline, plain_text};

fuzz_target!(|body: &str| {
    let page = convert_storage(body, &Options::default(), &NoResolver);
    assert_eq!(page, convert_storage(body, &Options::default(), &NoResolver));
    assert!(!page.markdown.contains(['\u{1}', '\u{2}']), "internal marks are visible");
    let _ = chunk::chunks(&page.markdown, &chunk::ChunkOptions::default());
    let _ = outline::outline(&page.markdown);
    let _ = plain_text(body);
    let _ = content_hash(body);
});
