//! The table of `docs/SECURITY-TESTS.md`: the rows of the suite, and for each the numbers of the last run that wrote them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::ROWS;

const BEGIN: &str = "<!-- the table: ATTACKS_TABLE=write writes it -->\n";
const END: &str = "<!-- the end of the table -->\n";
const HEAD: &str =
    "| | attack | right outcome | tried | passed | memory at most |\n|---|---|---|---|---|---|\n";

static WRITING: Mutex<()> = Mutex::new(());

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/SECURITY-TESTS.md")
}

/// What stands before, in and behind the table.
fn parts(text: &str) -> (&str, &str, &str) {
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (table, behind) = rest.split_once(END).unwrap();
    (before, table, behind)
}

/// The numbers of the rows that have been run, as they stand in the table.
fn numbers(table: &str) -> BTreeMap<&str, &str> {
    table
        .lines()
        .filter_map(|line| {
            let mut cells = line.splitn(4, " | ");
            let id = cells.next()?.strip_prefix("| ")?;
            Some((id, cells.nth(2)?.strip_suffix(" |")?))
        })
        .collect()
}

fn rendered(numbers: &BTreeMap<&str, &str>) -> String {
    let rows = ROWS.iter().map(|row| {
        let numbers = numbers.get(row.id).unwrap_or(&"- | - | -");
        format!(
            "| {} | {} | {} | {numbers} |\n",
            row.id, row.attack, row.wall
        )
    });
    HEAD.to_owned() + &rows.collect::<String>()
}

/// Writes the numbers of a row into the document, where that is asked for.
pub fn record(id: &str, tried: usize, peak: Option<u64>) {
    if std::env::var("ATTACKS_TABLE").is_err() {
        return;
    }
    let _one_at_a_time = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let text = std::fs::read_to_string(document()).unwrap();
    let (before, table, behind) = parts(&text);
    let peak = peak.map_or("-".to_owned(), |peak| format!("{peak} MB"));
    let row = format!("{tried} | 0 | {peak}");
    let mut numbers = numbers(table);
    numbers.insert(id, &row);
    let text = format!("{before}{BEGIN}{}{END}{behind}", rendered(&numbers));
    std::fs::write(document(), text).unwrap();
}

/// Without their numbers, which differ from run to run and from machine to machine.
#[test]
fn the_document_lists_the_rows_of_the_suite() {
    let text = std::fs::read_to_string(document()).unwrap();
    let (_, table, _) = parts(&text);
    let numbers = numbers(table);
    assert_eq!(table, rendered(&numbers), "ATTACKS_TABLE=write writes it");
    let never = ROWS
        .iter()
        .filter(|row| !numbers[row.id].starts_with(|c: char| c.is_ascii_digit()));
    let never: Vec<_> = never.map(|row| row.id).collect();
    assert!(never.is_empty(), "never run: {never:?}");
}

/// A row that no test tries is a claim.
#[test]
fn every_row_is_tried_by_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let sources: String = ["attacks", "it"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(tests.join(folder)).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|file| {
            file.extension().is_some_and(|extension| extension == "rs")
                && !file.ends_with("rows.rs")
        })
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    for row in ROWS {
        let tried = ["Tally::of", "all_held"]
            .iter()
            .any(|by| sources.contains(&format!("{by}(\"{}\"", row.id)));
        assert!(tried, "{} is tried by no test", row.id);
    }
}
