//! Real pages, when they are at hand.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;

use storage_markdown::outline::outline;
use storage_markdown::{
    NoResolver, Options, Resolver, Target, chunk, close_links, convert_storage, convert_view,
    plain_text,
};

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

#[test]
fn nothing_internal_is_visible() {
    for (name, body) in bodies("storage", ".xml") {
        let page = convert_storage(&body, &Options::default(), &NoResolver);
        // What the page's own text says may be said; markup may not.
        let visible = plain_text(&body);
        for token in page
            .markdown
            .split(|c: char| c.is_whitespace() || matches!(c, '"' | '(' | ')' | '<' | '>' | '`'))
        {
            let markup = ["ac:", "ri:", "CDATA", "local-id", "macro-id", "adf-"]
                .iter()
                .any(|m| token.contains(m));
            assert!(
                !(markup || is_uuid(token))
                    || visible.contains(
                        token.trim_matches(['*', '.', ',', ':', ';', '\\', '/', '=', '"'])
                    ),
                "{name}: {token:?}"
            );
        }
        assert_eq!(page.diagnostics.repairs, 0, "{name} is well-formed");
    }
}

fn is_uuid(token: &str) -> bool {
    let bytes = token.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(i, b)| {
            if matches!(i, 8 | 13 | 18 | 23) {
                *b == b'-'
            } else {
                b.is_ascii_hexdigit()
            }
        })
}

#[test]
fn headings_code_and_tables_read_back() {
    for (name, body) in bodies("storage", ".xml") {
        let page = convert_storage(&body, &Options::default(), &NoResolver);
        let back = read(&page.markdown);
        let headings: Vec<(u8, String)> = page
            .outline
            .iter()
            .map(|h| (h.level, h.text.clone()))
            .collect();
        let squeeze = |found: &[(u8, String)]| -> Vec<(u8, String)> {
            found
                .iter()
                .map(|(l, t)| (*l, t.split_whitespace().collect()))
                .collect()
        };
        assert_eq!(squeeze(&back.headings), squeeze(&headings), "{name}");
        assert_eq!(outline(&page.markdown), page.outline, "{name}");
        assert!(
            back.code.iter().all(|(info, _)| info != "INDENTED"),
            "{name} has text that reads as code"
        );
        assert!(
            !back.text.contains("RAWHTML"),
            "{name} has text that reads as HTML: {}",
            &back.text[back.text.find("RAWHTML").unwrap_or(0)..]
        );
        for (info, code) in &back.code {
            // Sources that a parameter holds are decoded, not copied.
            if matches!(info.as_str(), "plantuml" | "mermaid") {
                continue;
            }
            let lines: Vec<&str> = code
                .lines()
                .map(str::trim)
                .filter(|l| !l.is_empty())
                .collect();
            let visible = plain_text(&body);
            assert!(
                lines.iter().all(|l| visible.contains(l)),
                "{name} changed code"
            );
        }
        for table in &back.tables {
            assert!(
                table.iter().all(|row| row.len() == table[0].len()),
                "{name} has a ragged table"
            );
        }
    }
}

#[test]
fn chunks_of_pages_are_within_bounds() {
    for (name, body) in bodies("storage", ".xml") {
        let page = convert_storage(&body, &Options::default(), &NoResolver);
        let found = chunk::chunks(&page.markdown, &chunk::ChunkOptions::default());
        let over = found.iter().filter(|c| c.tokens > 440).count();
        assert!(
            over * 20 <= found.len() + 19,
            "{name}: {over} of {} chunks are too large",
            found.len()
        );
    }
}

/// The rendered form of a page says what its stored form says, captions apart: those it may leave out.
#[test]
fn rendered_bodies_give_the_same_words() {
    for (name, html) in bodies("view", ".view.html") {
        let root = std::env::var_os("CONFLUENCE_CORPUS_DIR").unwrap();
        let stored = PathBuf::from(root)
            .join("storage")
            .join(name.replace(".view.html", ".xml"));
        let stored = without_captions(&std::fs::read_to_string(stored).unwrap());
        let stored = convert_storage(&stored, &Options::default(), &NoResolver);
        let rendered = convert_view(&html, &Options::default(), &NoResolver);
        assert_eq!(rendered.diagnostics.repairs, 0, "{name}");
        let have: std::collections::HashSet<String> =
            words(&read(&rendered.markdown).text).into_iter().collect();
        let wanted = words(&read(&stored.markdown).text);
        let missing: Vec<&String> = wanted.iter().filter(|w| !have.contains(*w)).collect();
        assert!(
            missing.len() * 50 <= wanted.len(),
            "{name}: {} of {}: {:?}",
            missing.len(),
            wanted.len(),
            &missing[..missing.len().min(20)]
        );
        let levels = |c: &storage_markdown::Conversion| {
            c.outline
                .iter()
                .map(|h| (h.level, h.text.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(levels(&rendered), levels(&stored), "{name}");
    }
}

fn without_captions(body: &str) -> String {
    let parts = body.split("<ac:caption>").enumerate();
    parts
        .map(|(n, part)| {
            if n == 0 {
                part
            } else {
                part.split_once("</ac:caption>")
                    .map_or("", |(_, rest)| rest)
            }
        })
        .collect()
}

/// Answers in the form the written targets use: a page that is named by its title is called by it.
#[derive(Default)]
struct Written(RefCell<HashMap<String, String>>);

impl Written {
    fn name(&self, title: &str) -> Option<String> {
        let mut titles = self.0.borrow_mut();
        let id = format!("t{}", titles.len());
        titles.insert(id.clone(), title.to_owned());
        Some(id)
    }

    fn told(&self, id: &str) -> Option<Target> {
        let title = self.0.borrow().get(id).cloned();
        Some(Target {
            url: format!("page:{id}"),
            title: title.unwrap_or_else(|| "Some Page".to_owned()),
        })
    }
}

impl Resolver for Written {
    fn page_by_title(&self, _: Option<&str>, title: &str) -> Option<String> {
        self.name(title)
    }
    fn knows_page(&self, _: &str) -> bool {
        true
    }
    fn blog_post(&self, _: Option<&str>, title: &str, _: Option<&str>) -> Option<String> {
        self.name(title)
    }
    fn attachment(&self, _: Option<(Option<&str>, &str)>, file_name: &str) -> Option<String> {
        Some(format!("attachment:{file_name}"))
    }
}

/// Words, headings, code and tasks of the written targets; tables where both have one.
#[test]
fn written_targets_are_met_in_substance() {
    for (name, body) in bodies("storage", ".xml") {
        if !name.starts_with("syn-") {
            continue;
        }
        let root = std::env::var_os("CONFLUENCE_CORPUS_DIR").unwrap();
        let target = PathBuf::from(root)
            .join("storage")
            .join(name.replace(".xml", ".expected.md"));
        let target = read(&std::fs::read_to_string(target).unwrap());
        let site = Written::default();
        let found = convert_storage(&body, &Options::default(), &site).markdown;
        let found = read(&close_links(&found, |id| site.told(id)));
        let sorted = |text: &str| {
            let mut words = words(&text.replace("RAWHTML<!-- -->", ""));
            // One target numbers a list in a way that does not read back as a list.
            words.retain(|w| !w.bytes().all(|b| b.is_ascii_digit()));
            words.sort();
            words
        };
        assert_eq!(sorted(&found.text), sorted(&target.text), "{name}");
        assert_eq!(found.headings, target.headings, "{name}");
        assert_eq!(found.tasks, target.tasks, "{name}");
        assert_eq!(found.code.len(), target.code.len(), "{name}");
        if found.tables.len() == target.tables.len() {
            assert_eq!(found.tables, target.tables, "{name}");
        }
    }
}
