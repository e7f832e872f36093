//! Pages that stay out because Confluence does not say who may read them, or an item above them, when it is asked for that.

use std::collections::BTreeMap;

use crate::PageId;
use crate::problem::name_some;

/// Pages that wait, each with the item that was asked for in vain: the page itself, or what stands above it.
pub type Blocked = BTreeMap<PageId, PageId>;

/// Why one page waits. `answer`: what came of asking for `at`.
#[must_use]
pub fn why(page: &PageId, at: &PageId, answer: &str) -> String {
    if page == at {
        format!("who may read it is not known yet: {answer}")
    } else {
        format!("who may read it is not known yet: it stands below {at}; {answer}")
    }
}

/// What is missing for that, in words; `None`: nothing.
#[must_use]
pub fn in_words(blocked: &Blocked) -> Option<String> {
    if blocked.is_empty() {
        return None;
    }
    let mut below: BTreeMap<&PageId, usize> = BTreeMap::new();
    for (page, at) in blocked {
        *below.entry(at).or_default() += usize::from(page != at);
    }
    let items = below.iter().map(|(at, pages)| match pages {
        0 => at.to_string(),
        pages => format!("{at} ({pages} below it)"),
    });
    Some(format!(
        "{} page(s) stay out, because Confluence does not say who may read {}",
        blocked.len(),
        name_some(items)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked(pairs: &[(&str, &str)]) -> Blocked {
        pairs
            .iter()
            .map(|(page, at)| ((*page).into(), (*at).into()))
            .collect()
    }

    #[test]
    fn the_items_that_hold_pages_back_are_named() {
        assert_eq!(in_words(&Blocked::new()), None);
        let words = in_words(&blocked(&[("1", "9"), ("2", "9"), ("3", "3")])).unwrap();
        assert_eq!(
            words,
            "3 page(s) stay out, because Confluence does not say who may read 3, 9 (2 below it)"
        );
        let many: Blocked = (0..8)
            .map(|n| (PageId::from(n.to_string()), PageId::from(n.to_string())))
            .collect();
        let words = in_words(&many).unwrap();
        assert!(
            words.starts_with("8 page(s)") && words.ends_with("0, 1, 2, 3, 4, 3 more"),
            "{words}"
        );
    }

    #[test]
    fn a_page_says_what_it_waits_for() {
        let (page, above) = (PageId::from("1"), PageId::from("9"));
        let below = why(&page, &above, "it answers 404");
        assert!(
            below.contains("below 9") && below.contains("404"),
            "{below}"
        );
        assert!(!why(&page, &page, "it answers 404").contains("below"));
    }
}
