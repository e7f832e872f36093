//! From outbox rows to batches: documents are made of rows at the last moment, so that the newest content goes out.

use std::collections::HashMap;

use domain::PageId;
use domain::document::{Document, markdown_hash};
use domain::page::{CachedBody, PageRecord, PageState};
use domain::ports::store::{OutboxEntry, OutboxOp, OutboxState};

use super::batch::Batch;
use super::lane::Lane;
use crate::document::{KeptText, Names, SpaceNames, folded, points_at};
use crate::index::run::Halt;

/// Rows whose page has a newer version without a body yet are looked at again after this long.
const BLOCKED: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

/// Rows read in one step.
const STEP: usize = 25;
/// No more text than this is held at once, beyond a step: rows behind it stay due, and come with the next window.
const MOST_BYTES: usize = 16 << 20;

/// Makes batches of rows, each at most `batch_size` documents and the store's bound in bytes. Rows that no longer say what
/// is right are put right in the outbox instead; they come again.
pub(super) async fn compose(
    lane: &Lane,
    due: Vec<OutboxEntry>,
    batch_size: usize,
) -> Result<Vec<Batch>, Halt> {
    let capabilities = lane.backend.capabilities();
    let (upserts, deletes): (Vec<_>, Vec<_>) = due
        .into_iter()
        .partition(|entry| entry.op == OutboxOp::Upsert);
    let mut batches = Vec::new();
    let mut corrected = Vec::new();
    let mut rehashed = Vec::new();
    let mut blocked = Vec::new();
    let mut lost = Vec::new();
    if !upserts.is_empty() {
        // Held while rows are read and corrected; database only.
        let _rows = lane.rows.lock().await;
        let spaces = SpaceNames::of(&lane.shared.store.index_state(lane.job.index).await?.index);
        let (mut current, mut documents) = (Vec::new(), Vec::new());
        let (mut bytes, mut in_all) = (0, 0);
        for chunk in upserts.chunks(STEP) {
            if in_all >= MOST_BYTES {
                break;
            }
            let loaded = load(lane, chunk).await?;
            for entry in chunk {
                match document(entry, &loaded, &spaces) {
                    Composed::Ready(document) => {
                        let size = document.text.len();
                        let full = current.len() >= batch_size
                            || bytes + size > capabilities.max_batch_bytes;
                        if full && !current.is_empty() {
                            let documents = std::mem::take(&mut documents);
                            batches.push(Batch::Upsert(std::mem::take(&mut current), documents));
                            bytes = 0;
                        }
                        bytes += size;
                        in_all += size;
                        current.push(entry.clone());
                        documents.push(*document);
                    }
                    Composed::Corrected(entry) => corrected.push(entry),
                    Composed::Rehashed(record, entry) => {
                        rehashed.push(*record);
                        corrected.push(entry);
                    }
                    Composed::Lost(record) => {
                        lost.push(*record);
                        blocked.push(entry.clone());
                    }
                    Composed::Blocked => blocked.push(entry.clone()),
                }
            }
        }
        if !current.is_empty() {
            batches.push(Batch::Upsert(current, documents));
        }
        if !corrected.is_empty() {
            lane.store().save_pages(&rehashed, &[], &[]).await?;
            lane.job.ledger.correct(lane.store(), &corrected).await?;
        }
        if !blocked.is_empty() {
            let at = lane.shared.now() + BLOCKED;
            for entry in &mut blocked {
                entry.next_attempt_at = at;
                entry.last_error = Some("its newest version is still to be fetched".to_owned());
            }
            // The rows wait, not their pages: those are due at once.
            lane.shared.store.save_pages(&lost, &[], &[]).await?;
            lane.job.ledger.correct(lane.store(), &blocked).await?;
        }
    }
    let mut most = capabilities.max_batch_deletes.max(1);
    if batch_size < capabilities.max_batch_documents {
        // The store is in trouble: smaller pieces, of these as well.
        most = most.min(batch_size);
    }
    batches.extend(deletes.chunks(most).map(|ids| Batch::Delete(ids.to_vec())));
    Ok(batches)
}

struct Loaded {
    records: HashMap<PageId, PageRecord>,
    bodies: HashMap<PageId, CachedBody>,
    /// Folded, of pages whose documents hold any.
    comments: HashMap<PageId, String>,
    /// Of the pages that these documents name.
    names: Names,
}

async fn load(lane: &Lane, entries: &[OutboxEntry]) -> Result<Loaded, Halt> {
    let ids: Vec<PageId> = entries.iter().map(|entry| entry.page_id.clone()).collect();
    let records = lane.shared.store.pages_by_id(lane.job.index, &ids).await?;
    let bodies = lane.shared.store.bodies(&ids).await?;
    let links = records.iter().map(|record| &record.links);
    let names = Names::of(lane.shared.store.as_ref(), lane.job.index, links).await?;
    let commented = records.iter().filter(|r| r.comments_hash.is_some());
    let commented: Vec<PageId> = commented.map(|r| r.page_id.clone()).collect();
    let comments = if commented.is_empty() {
        HashMap::new()
    } else {
        folded(lane.shared.store.as_ref(), &commented).await?
    };
    Ok(Loaded {
        records: records
            .into_iter()
            .map(|record| (record.page_id.clone(), record))
            .collect(),
        bodies: bodies
            .into_iter()
            .map(|body| (body.page_id.clone(), body))
            .collect(),
        comments,
        names,
    })
}

enum Composed {
    /// To be sent.
    Ready(Box<Document>),
    /// The row said something old; this is the row it should be.
    Corrected(OutboxEntry),
    /// Another index has converted the same body since, or has read its comments again, or a page that it names may not be named
    /// any more: what is kept now goes out, and what may be told of it.
    Rehashed(Box<PageRecord>, OutboxEntry),
    /// Its body is no longer kept: it has to be fetched again.
    Lost(Box<PageRecord>),
    /// The page has a newer version, whose body is still to come.
    Blocked,
}

fn document(entry: &OutboxEntry, loaded: &Loaded, spaces: &SpaceNames) -> Composed {
    let record = loaded.records.get(&entry.page_id);
    let body = loaded.bodies.get(&entry.page_id);
    let comments = loaded.comments.get(&entry.page_id).map(String::as_str);
    let out = |record: &PageRecord| {
        matches!(
            record.state,
            PageState::Skipped | PageState::Vanishing | PageState::Removed
        )
    };
    let Some(record) = record.filter(|record| !out(record)) else {
        // It left after the row was written. The store may hold it already, so this is a removal.
        return Composed::Corrected(OutboxEntry {
            op: OutboxOp::Delete,
            hash: String::new(),
            state: OutboxState::Waiting,
            ..entry.clone()
        });
    };
    let kept = body.map(|body| body.version);
    let Some(body) = body.filter(|body| Some(body.version) == record.body_version) else {
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
        KeptText::of(body).put_into(&mut present);
    }
    present.comments_hash = comments.map(markdown_hash);
    present
        .links
        .set_comments(comments.map(points_at).unwrap_or_default());
    present.links.keep_named(|page| loaded.names.hold(page));
    if present != *record {
        return match spaces.hash(&present) {
            Some(hash) => {
                let entry = OutboxEntry {
                    hash,
                    state: OutboxState::Waiting,
                    ..entry.clone()
                };
                Composed::Rehashed(Box::new(present), entry)
            }
            None => Composed::Blocked,
        };
    }
    let Some(document) = spaces.document(record, body, comments, &loaded.names) else {
        return Composed::Blocked;
    };
    if document.metadata.hash == entry.hash {
        Composed::Ready(Box::new(document))
    } else {
        Composed::Corrected(OutboxEntry {
            hash: document.metadata.hash,
            state: OutboxState::Waiting,
            ..entry.clone()
        })
    }
}
