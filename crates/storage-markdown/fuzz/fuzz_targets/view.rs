//! Any rendered body converts, alone and spliced into a stored one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use storage_markdown::{NoResolver, Options, convert_view, splice_rendered};

fuzz_target!(|html: &str| {
    let page = convert_view(html, &Options::default(), &NoResolver);
    assert!(!page.markdown.contains(['\u{1}', '\u{2}']), "internal marks are visible");
    // The first half as storage, the second as its rendered form.
    let middle = (0..=html.len() / 2).rev().find(|&n| html.is_char_boundary(n)).unwrap_or(0);
    let (storage, rendered) = html.split_at(middle);
    let _ = splice_rendered(storage, rendered, &Options::default(), &NoResolver);
});
