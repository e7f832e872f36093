//! The whole state of an index as tables for snapshots: what its runs, its pages and its store objects say. Times and hashes are left
//! out, or told by what they mean; pages that stand alike are one line.

use std::fmt::Write as _;

use domain::IndexId;
use domain::content::Restriction;
use domain::holding::{Flight, Have, Holding};
use domain::page::{PageRecord, PageState};
use domain::ports::store::{AdminStore, RunFilter, SyncStore};

use crate::bench::Bench;

/// A scene after the other, with what stands in the rows after each.
pub struct Story<'a> {
    bench: &'a Bench,
    index: IndexId,
    told: String,
}

impl<'a> Story<'a> {
    pub const fn of(bench: &'a Bench, index: IndexId) -> Self {
        Self {
            bench,
            index,
            told: String::new(),
        }
    }

    /// What happened, and what came of it.
    pub async fn then(&mut self, what: &str) {
        let state = printed(self.bench, self.index).await;
        let _ = writeln!(self.told, "# {what}\n\n{state}");
    }

    pub fn told(self) -> String {
        self.told.trim_end().to_owned()
    }
}

async fn printed(bench: &Bench, index: IndexId) -> String {
    let state = bench.store.index_state(index).await.unwrap();
    let now = &state.index;
    let mut text = format!("index: {}", now.status.as_str());
    if let Some(reason) = &now.status_reason {
        let _ = write!(text, " ({})", timeless(reason));
    }
    text.push_str("\n\n");
    let spaces = now.spaces.iter().map(|space| {
        vec![
            space.key.to_string(),
            space.state.as_str().to_owned(),
            space.pages.to_string(),
            timeless(space.reason.as_deref().unwrap_or_default()),
        ]
    });
    table(
        &mut text,
        &["space", "state", "documents", "reason"],
        spaces,
    );
    table(
        &mut text,
        &[
            "run",
            "status",
            "seen",
            "fetched",
            "uploaded",
            "searchable",
            "deleted",
            "unchanged",
            "skipped",
            "failed",
            "error",
        ],
        runs(bench, index).await,
    );
    let mut pages = pages(bench, index).await;
    for (column, object) in [(8, Some(state.serving)), (9, state.filling)] {
        let Some(object) = object else { continue };
        let held = bench.store.holdings(object, None, 10_000).await.unwrap();
        for row in held {
            let page = pages
                .iter()
                .position(|page| page.id == row.page_id.as_str());
            let at = match page {
                Some(at) => at,
                None => {
                    pages.push(Line {
                        id: row.page_id.to_string(),
                        cells: vec!["no page".to_owned()],
                    });
                    pages.len() - 1
                }
            };
            pages[at].cells.resize(column, String::new());
            pages[at].cells.push(holding(&row.holding));
        }
    }
    let lines = alike(pages);
    table(
        &mut text,
        &[
            "pages", "version", "text", "labels", "readers", "standing", "state", "next try",
            "reason", "serving", "filling",
        ],
        lines,
    );
    text
}

async fn runs(bench: &Bench, index: IndexId) -> Vec<Vec<String>> {
    let filter = RunFilter {
        indexes: Some(vec![index]),
        limit: 100,
        ..RunFilter::default()
    };
    let mut runs = bench.store.runs(&filter).await.unwrap().items;
    runs.reverse();
    let cells = runs.into_iter().map(|run| {
        let counts = run.counts;
        let numbers = [
            counts.seen,
            counts.fetched,
            counts.uploaded,
            counts.searchable,
            counts.deleted,
            counts.unchanged,
            counts.skipped,
            counts.failed,
        ];
        let kind = run.kind.as_str().to_owned();
        let mut cells = vec![kind, run.status.as_str().to_owned()];
        cells.extend(numbers.map(|number| number.to_string()));
        cells.push(run.error.map(|error| error.code).unwrap_or_default());
        cells
    });
    cells.collect()
}

/// A page and its cells behind the id.
struct Line {
    id: String,
    cells: Vec<String>,
}

async fn pages(bench: &Bench, index: IndexId) -> Vec<Line> {
    let ids = bench
        .store
        .pages_in_states(index, &PageState::ALL, None, 10_000)
        .await
        .unwrap();
    let mut pages = bench.store.pages_by_id(index, &ids).await.unwrap();
    pages.sort_by(|a, b| a.page_id.cmp(&b.page_id));
    let line = |page: PageRecord| Line {
        id: page.page_id.to_string(),
        cells: cells(&page, bench.clock.true_now()),
    };
    pages.into_iter().map(line).collect()
}

fn cells(page: &PageRecord, now: domain::Timestamp) -> Vec<String> {
    let text = match (page.body_version, &page.markdown_hash) {
        (Some(version), Some(_)) => format!("of {version}"),
        (Some(version), None) => format!("none of {version}"),
        (None, _) => "none".to_owned(),
    };
    let readers = match page.restriction {
        Restriction::Open => "all",
        Restriction::Restricted => "some",
        Restriction::Unknown => "not known",
    };
    let next_try = match page.next_try_at {
        Some(at) if at <= now => "due",
        Some(_) => "later",
        None => "",
    };
    vec![
        page.facts.version.to_string(),
        text,
        page.labels.join(" "),
        readers.to_owned(),
        page.standing.as_str().to_owned(),
        page.state().as_str().to_owned(),
        next_try.to_owned(),
        timeless(page.reason.as_deref().unwrap_or_default()),
    ]
}

fn holding(holding: &Holding) -> String {
    let have = match (holding.have(), holding.want()) {
        (Have::Document(have), Some(want)) if have == want => "has what is wanted",
        (Have::Document(_), Some(_)) => "has another than is wanted",
        (Have::Document(_), None) => "has what is not wanted",
        (Have::Unknown, Some(_)) => "may have what is wanted",
        (Have::Unknown, None) => "may have what is not wanted",
        (Have::None, Some(_)) => "has nothing of what is wanted",
        (Have::None, None) => "has nothing, as is wanted",
    };
    let flight = match holding.flight() {
        Flight::None => "",
        Flight::Claimed(_) => ", claimed",
        Flight::Accepted(_) => ", accepted",
    };
    let failed = match holding.last_error() {
        Some(error) => format!(", failed {} times: {error}", holding.attempts()),
        None => String::new(),
    };
    format!("{have}{flight}{failed}")
}

/// Words in which no moment is told.
fn timeless(words: &str) -> String {
    let word = |word: &str| {
        let moment = word.starts_with("2026-") && word.len() > 9;
        if moment {
            "<when>".to_owned()
        } else {
            word.to_owned()
        }
    };
    words.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Neighbours that stand alike are one line.
fn alike(lines: Vec<Line>) -> Vec<Vec<String>> {
    lines
        .chunk_by(|a, b| a.cells == b.cells)
        .map(|same| {
            let (first, last) = (&same[0], &same[same.len() - 1]);
            let id = match same.len() {
                1 => first.id.clone(),
                number => format!("{}..{} ({number})", first.id, last.id),
            };
            std::iter::once(id)
                .chain(first.cells.iter().cloned())
                .collect()
        })
        .collect()
}

/// Columns as wide as their widest cell; those in which nothing stands are left out.
fn table(text: &mut String, heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
    let widths: Vec<usize> = (0..heads.len())
        .map(|column| {
            let widest = rows
                .iter()
                .map(|row| cell(row, column).chars().count())
                .max();
            match widest {
                None | Some(0) => 0,
                Some(widest) => widest.max(heads[column].len()),
            }
        })
        .collect();
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    for row in std::iter::once(&heads).chain(&rows) {
        let mut line = String::new();
        for (column, width) in widths.iter().enumerate().filter(|(_, width)| **width > 0) {
            let _ = write!(line, "{:<width$}  ", cell(row, column));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push('\n');
}
