//! Passages of a store that does not know where they stand, put together with what stands around them in the kept text of their
//! pages: two that touch are told as one, and a short one with what follows and precedes it. Pure.

use std::collections::HashMap;
use std::ops::Range;

use domain::PageId;
use domain::query::Passage;

/// Bytes between two passages of a page that are told as one.
const GAP: usize = 200;
/// A line of fewer bytes may stand anywhere.
const TELLING: usize = 12;

/// A passage with its page and place, where its page's text holds it.
struct Placed {
    passage: Passage,
    place: Option<(PageId, Range<usize>)>,
    /// Whether its place is larger than it was.
    grown: bool,
}

/// The passages, in their order, each of at most `room` bytes unless it was longer before.
pub(super) fn around(
    passages: Vec<Passage>,
    texts: &HashMap<PageId, &str>,
    room: usize,
) -> Vec<Passage> {
    let mut all: Vec<Placed> = Vec::with_capacity(passages.len());
    for passage in passages {
        let place = passage.document.page().and_then(|(_, page)| {
            let range = place_of(texts.get(&page)?, &passage.text)?;
            Some((page, range))
        });
        if !join(&mut all, place.as_ref(), room) {
            all.push(Placed {
                passage,
                place,
                grown: false,
            });
        }
    }
    for at in 0..all.len() {
        let Some((page, range)) = all[at].place.clone() else {
            continue;
        };
        let Some(text) = texts.get(&page) else {
            continue;
        };
        let others: Vec<Range<usize>> = all
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at)
            .filter_map(|(_, other)| other.place.as_ref())
            .filter(|(other, _)| *other == page)
            .map(|(_, range)| range.clone())
            .collect();
        let wide = widened(text, range.clone(), &others, room);
        all[at].grown |= wide != range;
        all[at].place = Some((page, wide));
    }
    all.into_iter()
        .map(|placed| match placed.place {
            Some((page, range)) if placed.grown => Passage {
                text: texts
                    .get(&page)
                    .map_or(placed.passage.text, |text| text[range].trim().to_owned()),
                ..placed.passage
            },
            _ => placed.passage,
        })
        .collect()
}

/// Joins a place to that of a passage before it that it touches; whether there is one.
fn join(before: &mut [Placed], place: Option<&(PageId, Range<usize>)>, room: usize) -> bool {
    let Some((page, range)) = place else {
        return false;
    };
    for placed in before {
        let Some((other, there)) = &mut placed.place else {
            continue;
        };
        let both = there.start.min(range.start)..there.end.max(range.end);
        let touches = both.len() <= there.len() + range.len() + GAP;
        let fits = both.len() <= room.max(there.len());
        if other == page && touches && fits {
            placed.grown |= both != *there;
            *there = both;
            return true;
        }
    }
    false
}

/// From the first telling line of a passage to its last one.
fn place_of(text: &str, passage: &str) -> Option<Range<usize>> {
    let mut lines = passage
        .lines()
        .map(str::trim)
        .filter(|line| line.len() >= TELLING);
    let first = lines.next()?;
    let start = text.find(first)?;
    let end = match lines.next_back() {
        Some(last) => {
            let behind = start + first.len();
            behind + text[behind..].find(last)? + last.len()
        }
        None => start + first.len(),
    };
    // Otherwise a line of it stands elsewhere, too.
    let length = passage.trim().len();
    (end - start <= length + length / 4 + GAP).then_some(start..end)
}

/// A place with whole paragraphs behind and before it, as far as there is room and no other place begins.
fn widened(
    text: &str,
    mut range: Range<usize>,
    others: &[Range<usize>],
    room: usize,
) -> Range<usize> {
    let is_free = |new: &Range<usize>| {
        new.len() <= room
            && others
                .iter()
                .all(|other| other.end <= new.start || other.start >= new.end)
    };
    while range.end < text.len() {
        let from = range.end + text[range.end..].len() - text[range.end..].trim_start().len();
        let end = text[from..].find("\n\n").map_or(text.len(), |at| from + at);
        let new = range.start..end;
        if end <= range.end || !is_free(&new) {
            break;
        }
        range = new;
    }
    while range.start > 0 {
        let until = text[..range.start].trim_end().len();
        let start = text[..until].rfind("\n\n").map_or(0, |at| at + 2);
        let new = start..range.end;
        if start >= range.start || !is_free(&new) {
            break;
        }
        range = new;
    }
    range
}

#[cfg(test)]
mod tests {
    use domain::DocumentId;
    use domain::content::ContentKind;

    use super::*;

    const PAGE: &str = "Opening words of the page.\n\n# First part\n\nWords of the first part.\n\nMore of the first part.\n\n\
                        # Second part\n\nWords of the second part.\n\nThe last words of all.\n";

    fn passage(id: &str, text: &str) -> Passage {
        Passage {
            document: DocumentId::of(ContentKind::Page, &PageId::from(id)),
            text: text.to_owned(),
            score: 1.0,
            heading_path: Vec::new(),
            anchor: None,
        }
    }

    fn told(passages: &[&str], room: usize) -> Vec<String> {
        let texts = HashMap::from([(PageId::from("1"), PAGE)]);
        let passages = passages.iter().map(|text| passage("1", text)).collect();
        let around = around(passages, &texts, room);
        around.into_iter().map(|passage| passage.text).collect()
    }

    #[test]
    fn a_passage_comes_with_what_stands_around_it_as_far_as_there_is_room() {
        let own = "Words of the first part.";
        assert_eq!(told(&[own], 0), [own]);
        assert_eq!(
            told(&[own], 50),
            ["Words of the first part.\n\nMore of the first part."]
        );
        assert_eq!(told(&[own], 1_000), [PAGE.trim()]);
        assert_eq!(told(&["words that stand nowhere"], 1_000).len(), 1);
    }

    #[test]
    fn passages_that_touch_are_told_as_one_and_nothing_twice() {
        let (one, two) = ("Words of the first part.", "More of the first part.");
        assert_eq!(told(&[two, one], 60), [format!("{one}\n\n{two}")]);
        let far = "The last words of all.";
        let apart = told(&[one, far], 52);
        assert_eq!(apart[0], format!("{one}\n\n{two}"));
        assert_eq!(apart[1], format!("Words of the second part.\n\n{far}"));
    }

    #[test]
    fn passages_of_other_pages_and_unknown_ones_stay_as_they_are() {
        let texts = HashMap::from([(PageId::from("1"), PAGE)]);
        let given = vec![passage("2", "Words of the first part."), passage("1", "x")];
        assert_eq!(around(given.clone(), &texts, 1_000), given);
    }
}
