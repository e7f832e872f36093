//! What changed on a page by heading: its sections of one version beside those of the version before.
//!
//! A section is a heading with the text down to the next heading of any level, so that an edit names the nearest heading
//! and none above it. What only changed its place did not change. How much is kept of one change is bounded ([`NAMED`]).
//!
//! This module must not know how a heading stands in Markdown.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Headings that one change names at most; of more only the number is kept.
pub const NAMED: usize = 40;
/// Sections of a version that are compared one by one, the first; the rest counts as one that is not named. A page may have as many
/// headings as its author likes, and each is looked for among those of the version before.
const COMPARED: usize = 2_000;
/// Characters that are kept of a heading at most.
const HEADING_CHARS: usize = 120;
/// Versions of a page whose changes are kept at most, the newest.
pub const KEPT_VERSIONS: i64 = 20;

/// A heading and the text below it, down to the next heading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Section<'a> {
    /// The text of the heading; `None` for what stands above the first.
    pub heading: Option<&'a str>,
    /// Its text, without the line of the heading.
    pub text: &'a str,
}

/// What became of the sections of a page.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SectionChanges {
    /// Headings of sections that are new.
    pub added: Vec<String>,
    /// Headings of sections whose text is another one.
    pub edited: Vec<String>,
    /// Headings of sections that are gone.
    pub removed: Vec<String>,
    /// Whether the text above the first heading is another one.
    pub opening: bool,
    /// How many more sections changed than are named.
    pub more: usize,
}

/// What became of one version of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SectionEdit {
    /// The page.
    pub page_id: crate::PageId,
    /// The version that the changes led to.
    pub version: i32,
    /// What changed since the version that was kept before.
    pub changes: SectionChanges,
}

/// What became of one section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Became {
    Added,
    Edited,
    Removed,
}

impl SectionChanges {
    /// From one version to a later one.
    #[must_use]
    pub fn between(old: &[Section<'_>], new: &[Section<'_>]) -> Self {
        let opening = |sections: &[Section<'_>]| {
            let above = sections.iter().find(|section| section.heading.is_none());
            above.map_or(String::new(), |section| section.text.trim().to_owned())
        };
        let (old, old_rest) = old.split_at(old.len().min(COMPARED));
        let (new, new_rest) = new.split_at(new.len().min(COMPARED));
        let (mut left, mut changed) = (by_heading(old), Vec::new());
        for (heading, texts) in by_heading(new) {
            let before = left.iter().position(|(known, _)| *known == heading);
            let before = before.map_or_else(Vec::new, |at| left.remove(at).1);
            // Equal texts under equal headings are the same section, wherever it stands now.
            let mut gone = before;
            let mut fresh = texts;
            fresh.retain(|text| match gone.iter().position(|old| old == text) {
                Some(at) => {
                    gone.remove(at);
                    false
                }
                None => true,
            });
            let edited = gone.len().min(fresh.len());
            let of = |became, times| std::iter::repeat_n((heading, became), times);
            changed.extend(of(Became::Edited, edited));
            changed.extend(of(Became::Added, fresh.len() - edited));
            changed.extend(of(Became::Removed, gone.len() - edited));
        }
        for (heading, texts) in left {
            changed.extend(texts.iter().map(|_| (heading, Became::Removed)));
        }
        let mut all = Self {
            opening: opening(old) != opening(new),
            more: usize::from(old_rest != new_rest),
            ..Self::default()
        };
        for (heading, became) in changed {
            all.name(short(heading), became);
        }
        all
    }

    /// This change and one after it, as one.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        let mut order: Vec<String> = Vec::new();
        let mut became: HashMap<String, Option<Became>> = HashMap::new();
        let mut all = Self {
            opening: self.opening || later.opening,
            more: self.more + later.more,
            ..Self::default()
        };
        for (heading, now) in self.named().chain(later.named()) {
            let before = became.get(&heading).copied();
            if before.is_none() {
                order.push(heading.clone());
            }
            let joined = match (before.flatten(), now) {
                (Some(Became::Added), Became::Removed) => None,
                (Some(Became::Added), _) => Some(Became::Added),
                (Some(Became::Removed), Became::Added) => Some(Became::Edited),
                (Some(Became::Edited), Became::Added) => Some(Became::Edited),
                (_, now) => Some(now),
            };
            became.insert(heading, joined);
        }
        for heading in order {
            if let Some(Some(became)) = became.remove(&heading) {
                all.name(heading, became);
            }
        }
        all
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn named(&self) -> impl Iterator<Item = (String, Became)> + '_ {
        let all = [
            (&self.added, Became::Added),
            (&self.edited, Became::Edited),
            (&self.removed, Became::Removed),
        ];
        all.into_iter().flat_map(|(headings, became)| {
            let headings = headings.iter().cloned();
            headings.map(move |heading| (heading, became))
        })
    }

    /// Names a section, unless enough are named.
    fn name(&mut self, heading: String, became: Became) {
        if self.added.len() + self.edited.len() + self.removed.len() >= NAMED {
            self.more += 1;
            return;
        }
        match became {
            Became::Added => self.added.push(heading),
            Became::Edited => self.edited.push(heading),
            Became::Removed => self.removed.push(heading),
        }
    }
}

/// Texts by heading, both in the order of the page; several sections may have one heading.
fn by_heading<'a>(sections: &[Section<'a>]) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut all: Vec<(&str, Vec<&str>)> = Vec::new();
    for section in sections {
        let Some(heading) = section.heading else {
            continue;
        };
        let place = *places.entry(heading).or_insert(all.len());
        match all.get_mut(place) {
            Some((_, texts)) => texts.push(section.text.trim()),
            None => all.push((heading, vec![section.text.trim()])),
        }
    }
    all
}

fn short(heading: &str) -> String {
    heading.chars().take(HEADING_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page<'a>(sections: &[(&'a str, &'a str)]) -> Vec<Section<'a>> {
        let sections = sections.iter().map(|(heading, text)| Section {
            heading: (!heading.is_empty()).then_some(*heading),
            text,
        });
        sections.collect()
    }

    fn between(old: &[(&str, &str)], new: &[(&str, &str)]) -> SectionChanges {
        SectionChanges::between(&page(old), &page(new))
    }

    fn changes(added: &[&str], edited: &[&str], removed: &[&str]) -> SectionChanges {
        let owned = |headings: &[&str]| headings.iter().map(|h| (*h).to_owned()).collect();
        SectionChanges {
            added: owned(added),
            edited: owned(edited),
            removed: owned(removed),
            ..SectionChanges::default()
        }
    }

    #[test]
    fn sections_that_are_new_other_or_gone_are_named() {
        let old = [("", "intro"), ("Limits", "10"), ("Old", "x"), ("Same", "s")];
        let new = [
            ("", "intro\n"),
            ("Same", "s"),
            ("Limits", "20"),
            ("FAQ", "q"),
        ];
        assert_eq!(
            between(&old, &new),
            changes(&["FAQ"], &["Limits"], &["Old"])
        );
        assert!(between(&old, &old).is_empty());
    }

    #[test]
    fn the_text_above_the_first_heading_is_no_section() {
        let told = between(&[("", "a"), ("H", "x")], &[("", "b"), ("H", "x")]);
        let expected = SectionChanges {
            opening: true,
            ..SectionChanges::default()
        };
        assert_eq!(told, expected);
        assert_eq!(between(&[], &[("", "b")]), expected);
        assert!(between(&[], &[("", " \n")]).is_empty());
    }

    #[test]
    fn of_several_sections_of_one_heading_each_counts_once() {
        let old = [("Notes", "1"), ("Notes", "2"), ("Notes", "3")];
        let new = [
            ("Notes", "0"),
            ("Notes", "3"),
            ("Notes", "2"),
            ("Notes", "4"),
        ];
        assert_eq!(between(&old, &new), changes(&["Notes"], &["Notes"], &[]));
        assert_eq!(between(&new, &old), changes(&[], &["Notes"], &["Notes"]));
    }

    #[test]
    fn changes_one_after_the_other_are_told_as_one() {
        for (first, then, both) in [
            (
                changes(&["A"], &[], &[]),
                changes(&[], &["A"], &[]),
                changes(&["A"], &[], &[]),
            ),
            (
                changes(&["A"], &[], &[]),
                changes(&[], &[], &["A"]),
                changes(&[], &[], &[]),
            ),
            (
                changes(&[], &[], &["A"]),
                changes(&["A"], &[], &[]),
                changes(&[], &["A"], &[]),
            ),
            (
                changes(&[], &["A"], &[]),
                changes(&[], &[], &["A"]),
                changes(&[], &[], &["A"]),
            ),
            (
                changes(&[], &["A"], &[]),
                changes(&[], &["B", "A"], &[]),
                changes(&[], &["A", "B"], &[]),
            ),
        ] {
            assert_eq!(first.clone().then(then.clone()), both, "{first:?} {then:?}");
        }
    }

    #[test]
    fn what_is_kept_of_a_change_is_bounded() {
        let names: Vec<String> = (0..100)
            .map(|n| format!("{n} {}", "ü".repeat(500)))
            .collect();
        let new: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        let told = between(&[], &new);
        assert_eq!((told.added.len(), told.more), (NAMED, 60));
        assert!(
            told.added
                .iter()
                .all(|h| h.chars().count() == HEADING_CHARS)
        );
        let twice = told.clone().then(between(&[], &[("Other", "x")]));
        assert_eq!((twice.added.len(), twice.more), (NAMED, 61));
    }

    #[test]
    fn a_page_of_headings_costs_no_more_than_its_first_ones() {
        let section = |n: usize, text| Section {
            heading: Some(if n == 0 { "A" } else { "B" }),
            text,
        };
        let old: Vec<Section<'_>> = (0..100_000).map(|n| section(n, "x")).collect();
        let mut new = old.clone();
        assert!(SectionChanges::between(&old, &new).is_empty());
        new[COMPARED] = section(1, "y");
        let changes = SectionChanges::between(&old, &new);
        assert_eq!((changes.edited.len(), changes.more), (0, 1));
        new[0] = section(0, "y");
        let changes = SectionChanges::between(&old, &new);
        assert_eq!((changes.edited, changes.more), (vec!["A".to_owned()], 1));
    }
}
