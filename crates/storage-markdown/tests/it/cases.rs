//! The table of cases: an input, and what must and must not stand in its Markdown.
//!
//! Ours is `tests/cases.json`; further tables of the same shape are read from `CONFLUENCE_CASES_DIR` where it is set.

use std::path::PathBuf;

use regex::Regex;
use serde::Deserialize;
use storage_markdown::{NoResolver, Options, convert_storage, convert_view};

#[derive(Deserialize)]
struct Table {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    kind: String,
    source: Source,
    input: String,
    /// Regular expressions over the Markdown.
    must: Vec<String>,
    #[serde(default)]
    must_not: Vec<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Source {
    Storage,
    View,
}

impl Case {
    /// What is wrong with the Markdown of this case.
    fn faults(&self) -> Vec<String> {
        let convert = match self.source {
            Source::Storage => convert_storage,
            Source::View => convert_view,
        };
        let found = convert(&self.input, &Options::default(), &NoResolver).markdown;
        let says = |pattern: &String| Regex::new(pattern).unwrap().is_match(&found);
        let missing = self.must.iter().filter(|p| !says(p));
        let missing = missing.map(|p| format!("lacks {p:?}"));
        let unwanted = self.must_not.iter().filter(|p| says(p));
        let unwanted = unwanted.map(|p| format!("has {p:?}"));
        missing
            .chain(unwanted)
            .map(|fault| format!("{} ({}) {fault} in:\n{found}", self.id, self.kind))
            .collect()
    }
}

fn check(table: &str, name: &str) {
    let table: Table = serde_json::from_str(table).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(!table.cases.is_empty(), "{name} has no cases");
    let faults: Vec<String> = table.cases.iter().flat_map(Case::faults).collect();
    assert!(
        faults.is_empty(),
        "{name}: {} faults\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn every_case_of_ours_holds() {
    check(include_str!("../cases.json"), "tests/cases.json");
}

#[test]
fn every_case_from_elsewhere_holds() {
    let Some(root) = std::env::var_os("CONFLUENCE_CASES_DIR") else {
        println!("skipped: CONFLUENCE_CASES_DIR is not set, so there are no further cases");
        return;
    };
    let path = PathBuf::from(root).join("converter.json");
    let table =
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    check(&table, &path.display().to_string());
}
