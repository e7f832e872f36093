//! Which passages may leave, and in which shape: the last gate before an agent reads them.

use std::collections::{HashMap, HashSet};

use crate::page::{Page, PlacedPage};
use crate::query::{Filters, Passage, QueryResult, ResultPage};
use crate::{PageId, Timestamp};

/// Makes results of passages: pages that may not be shown are left out, filters are applied in full whatever the store
/// did, identical passages are told once, and at most `top_k` remain, in the store's order but for those of pages that had two
/// before others had any ([`in_turn`]).
#[must_use]
pub fn results(
    passages: Vec<Passage>,
    known: &HashMap<PageId, PlacedPage>,
    filters: &Filters,
    top_k: usize,
) -> Vec<QueryResult> {
    let mut told = HashSet::new();
    let all = passages
        .into_iter()
        .filter_map(|passage| {
            let (_, id) = passage.document.page()?;
            let page = known.get(&id)?.shown()?;
            if !passes(&page, filters) {
                return None;
            }
            let fresh = told.insert(blake3::hash(passage.text.trim().as_bytes()));
            fresh.then(|| QueryResult {
                text: passage.text,
                score: passage.score,
                page: ResultPage {
                    page: page.into_inner(),
                    section: passage.heading_path.last().cloned(),
                    anchor: passage.anchor,
                },
            })
        })
        .collect();
    let mut all = in_turn(all);
    all.truncate(top_k);
    all
}

/// Results of a page that are told before those of others.
const OF_A_PAGE: usize = 2;

/// The third and later results of a page behind the first ones of others, with scores that still fall.
#[must_use]
pub fn in_turn(results: Vec<QueryResult>) -> Vec<QueryResult> {
    let mut told: HashMap<PageId, usize> = HashMap::new();
    let (mut all, mut later) = (Vec::with_capacity(results.len()), Vec::new());
    for result in results {
        let of_page = told.entry(result.page.page.id.clone()).or_default();
        *of_page += 1;
        match *of_page <= OF_A_PAGE {
            true => all.push(result),
            false => later.push(result),
        }
    }
    all.append(&mut later);
    let mut least = f64::INFINITY;
    for result in &mut all {
        least = least.min(result.score);
        result.score = least;
    }
    all
}

/// Of what Confluence's own search found: what an index that was in step up to `since` cannot know, since it changed later.
#[must_use]
pub fn modified_since(live: Vec<QueryResult>, since: Option<Timestamp>) -> Vec<QueryResult> {
    let later = |result: &QueryResult| since.is_none_or(|s| result.page.page.last_modified > s);
    live.into_iter().filter(later).collect()
}

/// Two ranked lists in turn, at most `top_k` in all. Scores of two searches cannot be compared, so each result gets one that
/// tells its rank.
#[must_use]
pub fn interleave(
    first: Vec<QueryResult>,
    second: Vec<QueryResult>,
    top_k: usize,
) -> Vec<QueryResult> {
    if second.is_empty() {
        return first.into_iter().take(top_k).collect();
    }
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair.iter().all(Option::is_none) || all.len() >= top_k {
            break;
        }
        all.extend(pair.into_iter().flatten());
    }
    all.truncate(top_k);
    for (rank, result) in all.iter_mut().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a rank below a hundred")]
        let score = 1.0 / (1.0 + rank as f64);
        result.score = score;
    }
    all
}

/// Whether a page passes the filters of a question.
#[must_use]
pub fn passes(page: &Page, filters: &Filters) -> bool {
    filters
        .space
        .as_ref()
        .is_none_or(|space| page.space_key == *space)
        && filters
            .label
            .as_ref()
            .is_none_or(|label| page.labels.contains(label))
        && filters
            .updated_after
            .is_none_or(|moment| page.last_modified > moment)
        && filters
            .under
            .as_ref()
            .is_none_or(|under| under.holds(&page.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{ContentKind, ContentStatus, SourcePage};
    use crate::holding::{Flight, Have, Holding};
    use crate::page::{PageRecord, Standing};
    use crate::{DocumentId, IndexId, SpaceId};

    fn known(id: &str, standing: Standing, labels: &[&str]) -> (PageId, PlacedPage) {
        let source = SourcePage {
            id: PageId::from(id),
            kind: ContentKind::Page,
            status: ContentStatus::Current,
            title: format!("Page {id}"),
            space_id: SpaceId::from("10"),
            parent_id: None,
            parent_kind: None,
            version: 1,
            modified: chrono::DateTime::UNIX_EPOCH,
            author: None,
            url: format!("https://x/{id}"),
            body: None,
        };
        let mut record =
            PageRecord::new(IndexId::generate(), &source, chrono::DateTime::UNIX_EPOCH);
        record.standing = standing;
        let document = (Some("h".into()), Have::Document("h".into()));
        record.holding = Holding::restore(document, (Flight::None, false), (0, None), None, None);
        record.labels = labels.iter().map(|&l| l.to_owned()).collect();
        let space_key = "ENG".into();
        (PageId::from(id), PlacedPage { record, space_key })
    }

    fn passage(id: &str, text: &str) -> Passage {
        Passage {
            document: DocumentId::of(ContentKind::Page, &PageId::from(id)),
            text: text.into(),
            score: 1.0,
            heading_path: vec!["H".into()],
            anchor: Some("h".into()),
        }
    }

    #[test]
    fn hidden_pages_never_leave() {
        let pages = HashMap::from([
            known("1", Standing::Member, &[]),
            known("2", Standing::Hidden, &[]),
            known("3", Standing::Gone, &[]),
            known("4", Standing::Skipped, &[]),
            known("5", Standing::Undecided, &[]),
        ]);
        let passages = (1..=6)
            .map(|n| passage(&n.to_string(), &format!("text {n}")))
            .collect();
        let ids: Vec<String> = results(passages, &pages, &Filters::default(), 10)
            .into_iter()
            .map(|r| r.page.page.id.to_string())
            .collect();
        assert_eq!(ids, ["1", "5"]);
    }

    #[test]
    fn what_changed_since_is_told_in_turn_with_the_index() {
        let at = |id: &str, day: i64| {
            let (_, known) = known(id, Standing::Member, &[]);
            let mut page = known.page();
            page.last_modified = Timestamp::UNIX_EPOCH + chrono::TimeDelta::days(day);
            QueryResult {
                text: id.to_owned(),
                score: 0.1,
                page: ResultPage {
                    page,
                    section: None,
                    anchor: None,
                },
            }
        };
        let since = Some(Timestamp::UNIX_EPOCH + chrono::TimeDelta::days(5));
        let live = || vec![at("old", 4), at("new", 6), at("newer", 7)];
        let index = || (0..8).map(|n| at(&n.to_string(), 1)).collect::<Vec<_>>();
        let ids = |results: Vec<QueryResult>| -> Vec<String> {
            let sorted = results.is_sorted_by(|a, b| a.score > b.score);
            assert!(sorted || results.iter().all(|r| r.score == 0.1));
            results.into_iter().map(|r| r.text).collect()
        };
        let news_since = modified_since(live(), since);
        assert_eq!(
            ids(interleave(index(), news_since, 5)),
            ["0", "new", "1", "newer", "2"],
            "however much the index has to say"
        );
        assert_eq!(ids(interleave(index(), Vec::new(), 2)), ["0", "1"]);
        assert_eq!(modified_since(live(), None).len(), 3);
    }

    #[test]
    fn a_page_has_two_passages_before_others_had_theirs() {
        let pages = HashMap::from([
            known("1", Standing::Member, &[]),
            known("2", Standing::Member, &[]),
        ]);
        let passages: Vec<Passage> = [("1", "a"), ("1", "b"), ("1", "c"), ("2", "d")]
            .into_iter()
            .zip([0.9, 0.8, 0.7, 0.6])
            .map(|((id, text), score)| Passage {
                score,
                ..passage(id, text)
            })
            .collect();
        let told = results(passages, &pages, &Filters::default(), 3);
        let told: Vec<(&str, f64)> = told.iter().map(|r| (r.text.as_str(), r.score)).collect();
        assert_eq!(told, [("a", 0.9), ("b", 0.8), ("d", 0.6)]);
    }

    #[test]
    fn filters_hold_and_repeats_are_told_once() {
        let pages = HashMap::from([
            known("1", Standing::Member, &["a"]),
            known("2", Standing::Member, &["b"]),
        ]);
        let passages = vec![
            passage("1", "same"),
            passage("1", "same "),
            passage("2", "other"),
        ];
        let filters = Filters {
            label: Some("a".into()),
            ..Filters::default()
        };
        assert_eq!(results(passages.clone(), &pages, &filters, 10).len(), 1);
        assert_eq!(results(passages, &pages, &Filters::default(), 10).len(), 2);
    }
}
