//! Real pages, when they are at hand.

use std::collections::HashMap;
use std::path::PathBuf;

use storage_markdown::{NoResolver, Options, convert_storage, plain_text};

use crate::readback::read;

/// Bodies in the corpus folder; none, with a word about it, when the variable is not set.
fn bodies(folder: &str, extension: &str) -> Vec<(String, String)> {
    let Some(root) = std::env::var_os("CONFLUENCE_CORPUS_DIR") else {
        println!("skipped: CONFLUENCE_CORPUS_DIR is not set, so there are no real pages to read");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(PathBuf::from(&root).join(folder))
        .unwrap_or_else(|e| panic!("CONFLUENCE_CORPUS_DIR={}: {e}", root.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(extension))
        .collect();
    files.sort();
    let read = |path: &PathBuf| {
        (
            path.file_name().unwrap().to_string_lossy().into_owned(),
            std::fs::read_to_string(path).unwrap(),
        )
    };
    let found: Vec<_> = files.iter().map(read).collect();
    assert!(
        !found.is_empty(),
        "no *{extension} in {}/{folder}",
        root.display()
    );
    found
}

/// Words as a search would see them.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[test]
fn no_word_of_a_page_is_lost() {
    let (mut total, mut lost) = (0, 0);
    for (name, body) in bodies("storage", ".xml") {
        let markdown = convert_storage(&body, &Options::default(), &NoResolver).markdown;
        let mut have: HashMap<String, i64> = HashMap::new();
        for word in words(&read(&markdown).text) {
            *have.entry(word).or_default() += 1;
        }
        let source = words(&plain_text(&body));
        let mut missing = Vec::new();
        for word in &source {
            match have.get_mut(word) {
                Some(n) if *n > 0 => *n -= 1,
                _ => missing.push(word.as_str()),
            }
        }
        total += source.len();
        lost += missing.len();
        if !missing.is_empty() {
            println!(
                "{name}: {} of {} words: {:?}",
                missing.len(),
                source.len(),
                &missing[..missing.len().min(12)]
            );
        }
        assert!(
            missing.len() as f64 <= (source.len() as f64 * 0.02).max(12.0),
            "{name} lost {} of {}",
            missing.len(),
            source.len()
        );
    }
    if total > 0 {
        println!(
            "word coverage {:.3} %",
            100.0 - 100.0 * lost as f64 / total as f64
        );
        assert!(
            (lost as f64) <= total as f64 * 0.005,
            "{lost} of {total} words lost"
        );
    }
}
