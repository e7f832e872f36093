//! What stands around a page: its parent, what is below it and what points at it, as far as it may be shown.

use std::fmt::Write as _;

use domain::page::Page;
use domain::query::{Few, Neighbourhood};
use serde_json::{Value, json};

use crate::mcp::text::{self, cut};

/// Pages of a kind that are named.
const NAMED: usize = 8;
/// Bytes of a title in JSON.
const TITLE: usize = 180;

/// Lines for the answer; none where nothing is around.
pub fn lines(around: &Neighbourhood) -> String {
    let mut out = String::new();
    if let Some(parent) = &around.parent {
        _ = writeln!(out, "Parent: {}", short(parent));
    }
    out.push_str(&line("Children", &around.children));
    out.push_str(&line("Linked from", &around.linked_from));
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn line(what: &str, few: &Few) -> String {
    let all = few.pages.len();
    if all == 0 {
        return String::new();
    }
    let named: Vec<String> = few
        .pages
        .iter()
        .take(NAMED)
        .map(|page| short(page))
        .collect();
    let more = match all.saturating_sub(NAMED) {
        0 => String::new(),
        _ if few.cut => format!(" and more than {} others", all - NAMED),
        more => format!(" and {more} more"),
    };
    format!("{what}: {}{more}\n", named.join(", "))
}

fn short(page: &Page) -> String {
    format!("[{}] (page_id {})", text::foreign(&page.title), page.id)
}

/// A page by name alone.
pub fn named(page: &Page) -> Value {
    json!({"id": page.id, "title": text::inline(&cut::snippet(&page.title, TITLE))})
}

/// The first pages and how many there are; null where nobody counted.
pub fn told(few: &Few) -> Value {
    json!({
        "items": few.pages.iter().take(NAMED).map(|page| named(page)).collect::<Vec<_>>(),
        "total": (!few.cut).then_some(few.pages.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::tools::testing::placed;

    fn few(count: usize, cut: bool) -> Few {
        let page = |n: usize| {
            placed(&n.to_string(), &format!("Page_{n}"))
                .shown()
                .unwrap()
        };
        Few {
            pages: (0..count).map(page).collect(),
            cut,
        }
    }

    #[test]
    fn only_some_are_named_and_the_others_counted() {
        assert_eq!(lines(&Neighbourhood::default()), "");
        let around = Neighbourhood {
            parent: placed("7", "Top [of] all").shown(),
            children: few(1, false),
            linked_from: few(10, false),
        };
        let said = lines(&around);
        let (parent, rest) = said.split_once("\nChildren: ").unwrap();
        assert_eq!(
            parent,
            format!("Parent: [{}] (page_id 7)", text::foreign("Top [of] all"))
        );
        let (child, links) = rest.split_once("\nLinked from: ").unwrap();
        assert_eq!(child, format!("[{}] (page_id 0)", text::foreign("Page_0")));
        assert_eq!(links.matches("page_id").count(), 8);
        assert!(links.ends_with("(page_id 7) and 2 more\n\n"), "{links}");
        assert_eq!(told(&around.linked_from)["total"], 10);
        assert!(line("Children", &few(100, true)).ends_with(" and more than 92 others\n"));
        assert_eq!(told(&few(100, true))["total"], Value::Null);
    }
}
