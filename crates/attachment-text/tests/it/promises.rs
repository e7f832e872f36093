//! For any bytes at all: it ends, it does not panic, and what it gives keeps within the limits.

use attachment_text::{Limits, Refusal, extract};
use proptest::prelude::*;

use crate::make::{docx, p, pdf, show};

const NAMES: [&str; 6] = ["a.txt", "a.md", "a.csv", "a.html", "a.pdf", "a.docx"];

fn holds(name: &str, bytes: &[u8]) {
    let limits = Limits {
        max_text_bytes: 2_000,
        max_pages: 5,
        ..Limits::default()
    };
    match extract("", name, bytes, &limits) {
        Ok(found) => {
            assert!(!found.markdown.trim().is_empty());
            assert!(
                found.markdown.len() < 2_200,
                "{} bytes",
                found.markdown.len()
            );
            assert!(!found.markdown.contains(['\u{0}', '\u{feff}', '\u{202e}']));
        }
        // A reader that stops is a fault of its own, and is refused by name; it must not be the usual answer.
        Err(Refusal::Damaged { detail, .. }) => {
            assert!(!detail.contains("its reader stopped"), "{name}")
        }
        Err(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2048), name in 0..NAMES.len()) {
        holds(NAMES[name], &bytes);
    }

    #[test]
    fn damaged_pdfs(cut in 0usize..4000, flips in proptest::collection::vec((0usize..4000, any::<u8>()), 0..12), packed: bool) {
        let page = show(&[(20, 72, 700, "A heading"), (11, 72, 650, "Words and words")]);
        let mut file = pdf(&[&page, &page], packed);
        file.truncate(file.len() - cut % file.len());
        for (at, byte) in flips {
            let at = at % file.len();
            file[at] = byte;
        }
        holds("a.pdf", &file);
    }

    #[test]
    fn damaged_documents(cut in 0usize..4000, flips in proptest::collection::vec((0usize..4000, any::<u8>()), 0..6)) {
        let mut file = docx(&[p("<w:outlineLvl w:val=\"0\"/>", "Head"), p("", "Words")].concat());
        file.truncate(file.len() - cut % file.len() / 4);
        for (at, byte) in flips {
            let at = at % file.len();
            file[at] = byte;
        }
        holds("a.docx", &file);
    }

    #[test]
    fn odd_documents(tags in proptest::collection::vec(0usize..22, 0..60)) {
        let pieces = [
            "<w:p>", "</w:p>", "<w:r>", "</w:r>", "<w:t>word</w:t>", "<w:tbl>", "</w:tbl>", "<w:tr>", "</w:tr>", "<w:tc>",
            "</w:tc>", "<w:pPr><w:numPr><w:ilvl w:val=\"5\"/><w:numId w:val=\"2\"/></w:numPr></w:pPr>", "<w:hyperlink r:id=\"rId9\">",
            "</w:hyperlink>", "<w:del>", "</w:del>", "<w:br/>", "&amp;", "&nope;", "<w:gridSpan w:val=\"9\"/>",
            "<w:pPr><w:outlineLvl w:val=\"1\"/></w:pPr>", "</w:body>",
        ];
        let body: String = tags.iter().map(|n| pieces[*n]).collect();
        holds("a.docx", &docx(&body));
    }

    #[test]
    fn any_text(text in "\\PC{0,200}", name in 0..4usize) {
        holds(NAMES[name], text.as_bytes());
    }
}
