//! From rows to batches: documents are made of rows at the last moment, so that the newest content goes out.

use std::collections::HashMap;
use std::sync::Arc;

use domain::PageId;
use domain::document::{Document, markdown_hash};
use domain::holding::Change;
use domain::page::{CachedText, PageRecord};
use domain::ports::store::OpenHolding;
use domain::sizes::{Piece, pieces};

use super::batch::Batch;
use super::worker::{Worker, of_row};
use crate::document::{KeptText, Names, SpaceNames, points_at, rendered_comments};
use crate::memory::Held;
use crate::stop::RunError;

/// Rows whose page has a newer version without a body yet are looked at again after this long.
const BLOCKED: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

/// Rows read in one step.
const STEP: usize = 25;

/// Makes batches of rows, each at most `batch_size` documents and the store's bound in bytes. Rows that are outdated are put right
/// instead; they come again, and so do those for whose documents there is no room now.
pub(super) async fn compose(
    worker: &Worker,
    due: Vec<OpenHolding>,
    batch_size: usize,
) -> Result<Vec<Batch>, RunError> {
    let capabilities = worker.backend.capabilities();
    let (upserts, deletes): (Vec<_>, Vec<_>) = due
        .into_iter()
        .partition(|row| row.holding.want().is_some());
    let mut batches = Vec::new();
    let mut pieces = in_pieces(worker, upserts).await?.into_iter();
    if let Some(first) = pieces.next() {
        let budget = &worker.shared.texts.documents;
        // The first waits for room with nothing in hand; the others take what is left.
        let held = worker.job.stop.unless_asked(budget.hold(first.bytes));
        let mut step = Some((first, held.await?));
        // Held while rows are read and corrected; database only.
        let _rows = worker.rows.lock().await;
        let spaces = SpaceNames::of(&worker.store().index_state(worker.job.index).await?.index);
        let mut batch = Open::default();
        let (mut changes, mut records) = (Vec::new(), Vec::new());
        let blocked = Change::Postpone {
            until: worker.shared.now() + BLOCKED,
            reason: "its newest version is still to be fetched".to_owned(),
        };
        while let Some((Piece { items: rows, .. }, mut held)) = step {
            let loaded = load(worker, &rows).await?;
            for row in rows {
                match document(&row, &loaded, &spaces) {
                    Composed::Ready(document) => {
                        let size = document.text.len();
                        if batch.rows.len() >= batch_size
                            || batch.bytes + size > capabilities.max_batch_bytes
                        {
                            batches.extend(std::mem::take(&mut batch).close());
                        }
                        batch.push(row, *document, held.split_off(size));
                    }
                    Composed::Outdated(change) => changes.push(of_row(&row, change)),
                    Composed::Rehashed(record, hash) => {
                        records.push(*record);
                        changes.push(of_row(&row, Change::Want(Some(hash))));
                    }
                    Composed::Lost(record) => {
                        // The row waits, not its page: that is due at once.
                        records.push(*record);
                        changes.push(of_row(&row, blocked.clone()));
                    }
                    Composed::Blocked => changes.push(of_row(&row, blocked.clone())),
                }
            }
            drop((loaded, held));
            step = pieces
                .next()
                .and_then(|next| Some((budget.try_hold(next.bytes)?, next)))
                .map(|(held, next)| (next, held));
        }
        batches.extend(batch.close());
        worker.store().save_pages(&records, &[], Vec::new()).await?;
        worker.change(&changes).await?;
    }
    let mut most = capabilities.max_batch_deletes.max(1);
    if batch_size < capabilities.max_batch_documents {
        // The store is in trouble: smaller pieces, of these as well.
        most = most.min(batch_size);
    }
    batches.extend(deletes.chunks(most).map(|ids| Batch::Delete(ids.to_vec())));
    Ok(batches)
}

/// Cuts rows into pieces, by what is kept of their pages.
async fn in_pieces(
    worker: &Worker,
    rows: Vec<OpenHolding>,
) -> Result<Vec<Piece<OpenHolding>>, RunError> {
    let ids: Vec<PageId> = rows.iter().map(|row| row.page_id.clone()).collect();
    let kept = worker.store().body_briefs(&ids).await?;
    let sizes: HashMap<PageId, usize> = kept
        .into_iter()
        .map(|brief| (brief.page_id, brief.bytes))
        .collect();
    let rows = rows.into_iter().map(|row| {
        let bytes = sizes.get(&row.page_id).copied().unwrap_or(0);
        (row, bytes)
    });
    let most = worker.shared.texts.documents.piece();
    Ok(pieces(rows, STEP, most))
}

/// A batch that documents are still added to.
#[derive(Default)]
struct Open {
    rows: Vec<OpenHolding>,
    documents: Vec<Document>,
    bytes: usize,
    held: Held,
}

impl Open {
    fn push(&mut self, row: OpenHolding, document: Document, held: Held) {
        self.bytes += document.text.len();
        self.rows.push(row);
        self.documents.push(document);
        self.held.merge(held);
    }

    fn close(self) -> Option<Batch> {
        let batch = Batch::Upsert(self.rows, self.documents, Arc::new(self.held));
        (!batch.is_empty()).then_some(batch)
    }
}

struct Loaded {
    records: HashMap<PageId, PageRecord>,
    texts: HashMap<PageId, CachedText>,
    /// Folded, of pages whose documents hold any.
    comments: HashMap<PageId, String>,
    /// Of the pages that these documents name.
    names: Names,
}

async fn load(worker: &Worker, rows: &[OpenHolding]) -> Result<Loaded, RunError> {
    let (store, index) = (worker.store(), worker.job.index);
    let ids: Vec<PageId> = rows.iter().map(|row| row.page_id.clone()).collect();
    let records = store.pages_by_id(index, &ids).await?;
    let texts = store.texts(&ids).await?;
    let links = records.iter().map(|record| &record.links);
    let names = Names::of(store, index, links).await?;
    let commented = records.iter().filter(|r| r.comments_hash.is_some());
    let commented: Vec<PageId> = commented.map(|r| r.page_id.clone()).collect();
    let comments = if commented.is_empty() {
        HashMap::new()
    } else {
        rendered_comments(worker.shared.store.as_ref(), &commented).await?
    };
    Ok(Loaded {
        records: records
            .into_iter()
            .map(|record| (record.page_id.clone(), record))
            .collect(),
        texts: texts
            .into_iter()
            .map(|text| (text.page_id.clone(), text))
            .collect(),
        comments,
        names,
    })
}

enum Composed {
    /// To be sent.
    Ready(Box<Document>),
    /// The row is not what it should be.
    Outdated(Change),
    /// Another index has converted the same body since, or has read its comments again, or a page that it names may not be named
    /// any more: what is kept now goes out under this hash, and what may be told of it.
    Rehashed(Box<PageRecord>, String),
    /// Its body is no longer kept: it has to be fetched again.
    Lost(Box<PageRecord>),
    /// The page has a newer version, whose body is still to come.
    Blocked,
}

fn document(row: &OpenHolding, loaded: &Loaded, spaces: &SpaceNames) -> Composed {
    let Some(record) = loaded.records.get(&row.page_id) else {
        return Composed::Outdated(Change::Want(None));
    };
    if record.standing.is_out() {
        // Whether it is removed is decided elsewhere.
        return Composed::Outdated(Change::Rest);
    }
    let text = loaded.texts.get(&row.page_id);
    let comments = loaded.comments.get(&row.page_id).map(String::as_str);
    let kept = text.map(|text| text.version);
    let Some(text) = text.filter(|text| Some(text.version) == record.body_version) else {
        // A newer body came for another index; this one's next listing sees that version, too.
        let newer = kept > record.body_version;
        let lost = !newer && record.body_version.is_some();
        return if lost {
            Composed::Lost(Box::new(PageRecord {
                body_version: None,
                markdown_hash: None,
                ..record.clone()
            }))
        } else {
            Composed::Blocked
        };
    };
    let mut present = record.clone();
    if record.markdown_hash.is_some() {
        KeptText::of(text).put_into(&mut present);
    }
    present.comments_hash = comments.map(markdown_hash);
    present
        .links
        .set_comments(comments.map(points_at).unwrap_or_default());
    present.links.keep_named(|page| loaded.names.hold(page));
    if present != *record {
        return match spaces.hash(&present) {
            Some(hash) => Composed::Rehashed(Box::new(present), hash),
            None => Composed::Blocked,
        };
    }
    let Some(document) = spaces.document(record, text, comments, &loaded.names) else {
        return Composed::Blocked;
    };
    let hash = &document.metadata.hash;
    if row.holding.want() == Some(hash.as_str()) {
        Composed::Ready(Box::new(document))
    } else {
        Composed::Outdated(Change::Want(Some(hash.clone())))
    }
}
