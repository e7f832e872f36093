//! What runs did page by page.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;
use domain::content::ContentKind;
use domain::event::{EventKind, NewEvent};
use domain::history::{KEPT_IN_A_RUN, PageChange, RunPage};
use domain::page::PageState;
use domain::ports::store::{Listed, RunPageFilter};
use domain::{PageId, RunId};

use super::runs;
use crate::convert::{limit, rows, word};
use crate::cursor;
use crate::dialect::{self, Conn, IDS};
use crate::error::Done;
use crate::rows::RunPageRow;
use crate::schema::{run_pages, sync_runs, synced_pages};

const LIST: &str = "run_pages";

/// What became of a page, before it is known in which run.
pub(crate) struct Noted<'a> {
    pub(crate) page: &'a str,
    pub(crate) kind: ContentKind,
    pub(crate) change: PageChange,
    pub(crate) reason: Option<String>,
}

/// Keeps what became of pages of an index, with its run under way. Of more than is kept for a change, the first stay.
pub(crate) fn note(conn: &mut Conn, index: &str, noted: Vec<Noted<'_>>) -> Done<()> {
    if noted.is_empty() {
        return Ok(());
    }
    // Outside of runs nothing is sent but by a worker that outlived its run.
    let run: Option<String> = runs::open_runs()
        .filter(sync_runs::index_id.eq(index))
        .select(sync_runs::id)
        .first(conn)
        .optional()?;
    let Some(run) = run else {
        return Ok(());
    };
    // The last that happened to a page in this batch counts.
    let mut by_page: BTreeMap<&str, RunPageRow> = BTreeMap::new();
    for noted in noted {
        let row = RunPageRow {
            run_id: run.clone(),
            page_id: noted.page.to_owned(),
            kind: noted.kind.as_str().to_owned(),
            change: noted.change.as_str().to_owned(),
            reason: noted.reason,
            title: None,
            url: None,
        };
        by_page.insert(noted.page, row);
    }
    put(conn, &run, by_page.into_values().collect())
}

/// A page that is named as failed is kept so.
pub(crate) fn note_failed(conn: &mut Conn, event: &NewEvent) -> Done<()> {
    if event.kind != EventKind::PageFailed {
        return Ok(());
    }
    let text = |field: &str| event.data[field].as_str();
    let kind = text("kind").and_then(ContentKind::parse);
    let (Some(page), Some(kind)) = (text("id"), kind) else {
        return Ok(());
    };
    let noted = Noted {
        page,
        kind,
        change: PageChange::Failed,
        reason: text("reason").map(str::to_owned),
    };
    note(conn, &event.index_id.to_string(), vec![noted])
}

/// Keeps what a dry run found.
pub(crate) fn note_plan(conn: &mut Conn, run: RunId, pages: &[RunPage]) -> Done<()> {
    let run = run.to_string();
    let rows = pages.iter().map(|page| RunPageRow {
        run_id: run.clone(),
        page_id: page.page_id.to_string(),
        kind: page.kind.as_str().to_owned(),
        change: page.change.as_str().to_owned(),
        reason: page.reason.clone(),
        title: page.title.clone(),
        url: page.url.clone(),
    });
    put(conn, &run, rows.collect())
}

fn put(conn: &mut Conn, run: &str, pages: Vec<RunPageRow>) -> Done<()> {
    let mut by_change: BTreeMap<String, Vec<RunPageRow>> = BTreeMap::new();
    for row in pages {
        by_change.entry(row.change.clone()).or_default().push(row);
    }
    for (change, mut some) in by_change {
        let kept: i64 = run_pages::table
            .filter(run_pages::run_id.eq(run))
            .filter(run_pages::change.eq(&change))
            .count()
            .get_result(conn)?;
        some.truncate(KEPT_IN_A_RUN.saturating_sub(usize::try_from(kept).unwrap_or(usize::MAX)));
        dialect::put_run_pages(conn, &some)?;
    }
    Ok(())
}

/// By page id.
pub(crate) fn list(conn: &mut Conn, run: RunId, filter: &RunPageFilter) -> Done<Listed<RunPage>> {
    let index = runs::get(conn, run)?.index_id.to_string();
    let limit = limit(filter.limit);
    let mut query = run_pages::table
        .filter(run_pages::run_id.eq(run.to_string()))
        .order(run_pages::page_id)
        .select(RunPageRow::as_select())
        .limit(rows(limit + 1))
        .into_boxed();
    if let Some(change) = filter.change {
        query = query.filter(run_pages::change.eq(change.as_str()));
    }
    if let Some(after) = &filter.cursor {
        let [page] = cursor::decode(LIST, after)?;
        query = query.filter(run_pages::page_id.gt(page));
    }
    let mut found: Vec<RunPageRow> = query.load(conn)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found
        .last()
        .filter(|_| more)
        .map(|last| cursor::encode(LIST, [&last.page_id]));
    let mut known = as_they_stand(conn, &index, &found)?;
    let items = found
        .into_iter()
        .map(|row| {
            let present = known.remove(&row.page_id);
            let state = present
                .as_ref()
                .map(|(_, _, state)| word("synced_pages.state", state, PageState::parse))
                .transpose()?;
            let (title, url) = match present {
                Some((title, url, _)) => (Some(title), Some(url)),
                None => (row.title, row.url),
            };
            Ok(RunPage {
                kind: word("run_pages.kind", &row.kind, ContentKind::parse)?,
                change: word("run_pages.change", &row.change, PageChange::parse)?,
                page_id: PageId::from(row.page_id),
                reason: row.reason,
                title,
                url,
                state,
            })
        })
        .collect::<Done<_>>()?;
    Ok(Listed { items, next_cursor })
}

type Present = (String, String, String);

/// Title, address and state of pages as they are now.
fn as_they_stand(
    conn: &mut Conn,
    index: &str,
    pages: &[RunPageRow],
) -> Done<HashMap<String, Present>> {
    let mut known = HashMap::with_capacity(pages.len());
    for some in pages.chunks(IDS) {
        let ids = some.iter().map(|row| row.page_id.as_str());
        let found: Vec<(String, String, String, String)> = synced_pages::table
            .filter(synced_pages::index_id.eq(index))
            .filter(synced_pages::page_id.eq_any(ids))
            .select((
                synced_pages::page_id,
                synced_pages::title,
                synced_pages::url,
                synced_pages::state,
            ))
            .load(conn)?;
        known.extend(
            found
                .into_iter()
                .map(|(page, title, url, state)| (page, (title, url, state))),
        );
    }
    Ok(known)
}
