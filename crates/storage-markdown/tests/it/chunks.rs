//! Chunks: they cover the text, carry their place, and cut where it does not hurt.

use proptest::prelude::*;
use storage_markdown::chunk::{Chunk, ChunkOptions, chunks, estimate_tokens};

fn small(max_tokens: usize) -> ChunkOptions {
    ChunkOptions {
        max_tokens,
        overlap_tokens: 0,
    }
}

fn places(chunks: &[Chunk]) -> Vec<(&str, Option<&str>)> {
    chunks
        .iter()
        .map(|c| (c.text.as_str(), c.anchor.as_deref()))
        .collect()
}

#[test]
fn sections_are_chunks_with_their_path() {
    let page = format!(
        "intro\n\n# One\n\n{}\n\n## Sub *x*\n\n{}\n\n# Two\n\nlast\n",
        "alpha ".repeat(30).trim(),
        "beta ".repeat(30).trim()
    );
    let found = chunks(&page, &small(100));
    assert_eq!(found.len(), 4);
    assert_eq!(found[0].heading_path, Vec::<String>::new());
    assert_eq!(found[2].heading_path, ["One", "Sub x"]);
    assert_eq!(found[2].anchor.as_deref(), Some("Sub-x"));
    assert_eq!(found[3].text, "# Two\n\nlast");
    assert_eq!(
        found[2].with_context(&["Space", "Page"]).lines().next(),
        Some("Space > Page > One > Sub x")
    );
}

#[test]
fn a_heading_with_nothing_under_it_goes_with_the_next() {
    let found = chunks("# One\n\n## Two\n\ntext\n", &small(100));
    assert_eq!(places(&found), [("# One\n\n## Two\n\ntext", Some("Two"))]);
    assert_eq!(found[0].heading_path, ["One", "Two"]);
}

#[test]
fn tables_repeat_their_header() {
    let mut page = String::from("# T\n\n| name | value |\n| --- | --- |\n");
    for n in 0..20 {
        page.push_str(&format!("| row {n} | some value {n} |\n"));
    }
    let found = chunks(&page, &small(60));
    assert!(found.len() > 2);
    for chunk in &found {
        assert!(
            chunk
                .text
                .contains("| name | value |\n| --- | --- |\n| row"),
            "{}",
            chunk.text
        );
        assert!(
            chunk
                .text
                .lines()
                .filter(|l| l.starts_with('|'))
                .all(|l| l.ends_with('|'))
        );
    }
}

#[test]
fn fences_stay_whole_or_become_fences() {
    let page = format!(
        "before\n\n```rust title=\"x\"\n{}```\n\nafter\n",
        "let x = 1;\n".repeat(10)
    );
    assert!(
        chunks(&page, &small(100))
            .iter()
            .any(|c| c.text.matches("let x").count() == 10)
    );
    let found = chunks(&page, &small(24));
    let parts: Vec<_> = found.iter().filter(|c| c.text.contains("let x")).collect();
    assert!(parts.len() > 1);
    for part in &parts {
        assert!(
            part.text.contains("```rust title=\"x\"\n") && part.text.trim_end().ends_with("```"),
            "{}",
            part.text
        );
    }
    assert_eq!(
        parts
            .iter()
            .map(|c| c.text.matches("let x").count())
            .sum::<usize>(),
        10
    );
}

#[test]
fn prose_overlaps_at_sentences_and_headings_do_not() {
    let sentence = "This sentence has about twelve tokens in it, so they say. ";
    let page = format!("# A\n\n{}\n\n# B\n\nshort\n", sentence.repeat(12).trim());
    let found = chunks(
        &page,
        &ChunkOptions {
            max_tokens: 60,
            overlap_tokens: 20,
        },
    );
    assert!(found.windows(2).filter(|w| w[1].start < w[0].end).count() >= 2);
    assert!(
        found
            .iter()
            .skip(1)
            .all(|c| c.text.starts_with("This") || c.text.starts_with('#')),
        "{found:?}"
    );
    assert!(found.last().unwrap().text.starts_with("# B"));
}

#[test]
fn front_matter_is_no_content() {
    let found = chunks(
        "---\ntitle: x\n---\n\n# H\n\ntext\n",
        &ChunkOptions::default(),
    );
    assert_eq!(places(&found), [("# H\n\ntext", Some("H"))]);
    assert_eq!(
        chunks("---\n\ntext\n", &ChunkOptions::default())[0].text,
        "---\n\ntext"
    );
}

#[test]
fn tokens_are_estimated_by_script() {
    assert_eq!(estimate_tokens("four"), 1);
    assert_eq!(estimate_tokens("설정"), 2);
    assert_eq!(estimate_tokens("да"), 1);
    assert_eq!(estimate_tokens(""), 0);
}

/// Markdown as the converter makes it, more or less.
fn markdown() -> impl Strategy<Value = String> {
    let block = prop_oneof![
        "[a-z]{1,8}( [a-zé설]{1,9}[.]?){0,60}",
        (1..5usize, "[A-Za-z ]{0,12}").prop_map(|(n, t)| format!("{} {t}", "#".repeat(n))),
        prop::collection::vec("[a-z ]{1,20}", 1..8).prop_map(|items| items
            .iter()
            .map(|i| format!("- {i}\n  - sub {i}"))
            .collect::<Vec<_>>()
            .join("\n")),
        prop::collection::vec("[a-z ]{1,30}", 1..12).prop_map(|rows| format!(
            "| h |\n| --- |\n{}",
            rows.iter()
                .map(|r| format!("| {r} |"))
                .collect::<Vec<_>>()
                .join("\n")
        )),
        prop::collection::vec("[a-z(){} #|>-]{0,40}", 0..20)
            .prop_map(|lines| format!("```rs\n{}\n```", lines.join("\n"))),
        "[a-z ]{1,30}".prop_map(|t| format!("> [!NOTE]\n> {t}\n>\n> {t}")),
        "[a-z]{300,900}",
    ];
    prop::collection::vec(block, 0..12).prop_map(|blocks| blocks.join("\n\n") + "\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn chunks_cover_everything_in_order(page in markdown(), max in 10usize..200, overlap in 0usize..40) {
        let found = chunks(&page, &ChunkOptions { max_tokens: max, overlap_tokens: overlap });
        let mut covered = 0;
        let mut start = 0;
        for chunk in &found {
            prop_assert!(chunk.start >= start, "out of order");
            prop_assert!(chunk.end > chunk.start);
            if chunk.start > covered {
                let gap = &page[covered..chunk.start];
                prop_assert!(gap.trim().is_empty(), "lost {gap:?}");
            }
            prop_assert!(chunk.text.contains(&page[chunk.start..chunk.end]));
            prop_assert!(chunk.tokens <= max.max(8) * 6 + 32, "{} tokens of {max}", chunk.tokens);
            start = chunk.start;
            covered = covered.max(chunk.end);
        }
        prop_assert!(page[covered..].trim().is_empty(), "lost the end {:?}", &page[covered..]);
    }

    #[test]
    fn chunks_take_any_text(page in "\\PC{0,300}", max in 0usize..50) {
        let found = chunks(&page, &small(max));
        let kept: usize = found.iter().map(|c| c.text.chars().filter(|c| c.is_alphanumeric()).count()).sum();
        let front_matter = page.starts_with("---\n");
        prop_assert!(front_matter || kept >= page.chars().filter(|c| c.is_alphanumeric()).count());
    }
}
