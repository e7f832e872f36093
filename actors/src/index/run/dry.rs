//! A dry run: the run itself, stage by stage, over a private copy of the database and backends that take everything and only
//! count. So it says what a run would do, and reads from Confluence what a run would read.
//!
//! The store itself is only asked for its list (by a full run). What it would refuse, or has lost without saying so, is
//! found by a real run alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use actix::Actor;
use async_trait::async_trait;
use domain::cost::{self, EmbeddingEstimate, Price};
use domain::document::Document;
use domain::history::{KEPT_IN_A_RUN, PageChange, RunPage};
use domain::holding::Have;
use domain::index::{BackendKind, Remote};
use domain::page::{PageRecord, PageState};
use domain::ports::retrieval::{
    BackendError, BackendHealth, Capabilities, IngestionReport, ItemOutcome, RetrievalBackend,
    StoreSpec, StoredDocument,
};
use domain::ports::store::{StoreError, SyncStore};
use domain::query::{Found, RetrievalQuery};
use domain::run::{Run, RunPlan, RunStatus};
use domain::{DocumentId, IndexId, PageId};

use super::execution::{Execution, Rehearsed};
use super::finish;
use crate::shared::{Shared, lock};
use crate::stop::RunError;
use crate::supervise::{Child, ChildGuard};
use crate::uploader::LlamaUploader;

/// Pages looked at in one step.
const CHUNK: usize = 500;

/// The stage of a dry run: an execution of the run over the copy, and the store that counts.
pub(super) struct Rehearsal {
    /// To be worked through as any other.
    pub(super) execution: Execution,
    stage: Stage,
    counting: Arc<CountingBackend>,
    price: Option<Price>,
}

/// Sets the stage for a run.
pub(super) async fn set_up(execution: &Execution) -> Result<Rehearsal, RunError> {
    let run = &execution.run;
    let copy = execution.shared.store.rehearsal(run.id).await?;
    let state = copy.index_state(run.index_id).await?;
    let backend = state.index.settings.backend;
    let real = execution.shared.backend_of(run.index_id, backend)?;
    let price = real.price(state.index.remote.as_ref());
    let counting = Arc::new(CountingBackend {
        real,
        changes: Mutex::default(),
        to_embed: AtomicU64::new(0),
    });
    let stage = Stage::set(&execution.shared, copy, counting.clone());
    let execution = Execution {
        before: state,
        shared: Arc::clone(&stage.0),
        run: Run {
            dry_run: false,
            ..run.clone()
        },
        counters: Arc::clone(&execution.counters),
        stop: execution.stop.clone(),
        ctx: None,
        rehearsed: None,
        move_blocked_because: None,
    };
    Ok(Rehearsal {
        execution,
        stage,
        counting,
        price,
    })
}

impl Rehearsal {
    /// What the real run would do, by how the rehearsed one ended.
    pub(super) async fn found(self, real: &Execution) -> Result<Rehearsed, RunError> {
        let end = finish::conclude(&self.execution, Ok(())).await?;
        // The index is in the copy as long as the copy lives.
        let (status, error) =
            end.map_or((RunStatus::Succeeded, None), |end| (end.status, end.error));
        let asks = status == RunStatus::NeedsConfirmation;
        let index = real.run.index_id;
        let changes = std::mem::take(&mut *lock(&self.counting.changes));
        let copy = self.stage.0.store.as_ref();
        let mut changes = against_rows(changes, &real.shared, copy, index).await?;
        let hide = newly_hidden(&real.shared, copy, index, &mut changes.pages).await?;
        Ok(Rehearsed {
            plan: RunPlan {
                embeddings: self.counting.embeddings(),
                ..plan(real, hide, &changes, asks, self.price.as_ref())
            },
            pages: changes.pages,
            status: if asks { RunStatus::Succeeded } else { status },
            error: error.filter(|_| !asks),
        })
    }
}

/// What a run would change in the end.
#[derive(Default)]
struct Changes {
    add: i64,
    update: i64,
    remove: i64,
    /// The first of each, and of those that are hidden.
    pages: Vec<RunPage>,
}

/// A page of the plan, as the run over the copy left it.
fn planned(page: &PageRecord, change: PageChange) -> RunPage {
    let stays = matches!(change, PageChange::Added | PageChange::Changed);
    RunPage {
        page_id: page.page_id.clone(),
        kind: page.kind,
        change,
        reason: page.reason.clone().filter(|_| !stays),
        title: Some(page.facts.title.clone()),
        url: Some(page.facts.url.clone()),
        state: None,
    }
}

/// Whether one more page of this number is kept.
fn is_kept(number: i64) -> bool {
    usize::try_from(number).is_ok_and(|number| number <= KEPT_IN_A_RUN)
}

/// What the changes are by what the store holds now.
async fn against_rows(
    changes: BTreeMap<DocumentId, bool>,
    shared: &Shared,
    copy: &dyn SyncStore,
    index: IndexId,
) -> Result<Changes, StoreError> {
    let mut counts = Changes::default();
    let changes: Vec<(DocumentId, bool)> = changes.into_iter().collect();
    for changes in changes.chunks(CHUNK) {
        let ids: Vec<PageId> = changes
            .iter()
            .filter_map(|(id, _)| Some(id.page()?.1))
            .collect();
        let planned_rows: BTreeMap<DocumentId, PageRecord> = copy
            .pages_by_id(index, &ids)
            .await?
            .into_iter()
            .map(|row| (DocumentId::of(row.kind, &row.page_id), row))
            .collect();
        let rows = shared.store.pages_by_id(index, &ids).await?;
        let stored: BTreeSet<DocumentId> = rows
            .into_iter()
            .filter(|row| *row.holding.have() != Have::None)
            .map(|row| DocumentId::of(row.kind, &row.page_id))
            .collect();
        for (id, held) in changes {
            let (count, change) = match (stored.contains(id), *held) {
                (false, true) => (&mut counts.add, PageChange::Added),
                (true, true) => (&mut counts.update, PageChange::Changed),
                (true, false) => (&mut counts.remove, PageChange::Removed),
                (false, false) => continue,
            };
            *count += 1;
            if is_kept(*count)
                && let Some(row) = planned_rows.get(id)
            {
                counts.pages.push(planned(row, change));
            }
        }
    }
    Ok(counts)
}

/// Documents of pages that are hidden in the copy and not yet here.
async fn newly_hidden(
    shared: &Shared,
    copy: &dyn SyncStore,
    index: IndexId,
    pages: &mut Vec<RunPage>,
) -> Result<i64, StoreError> {
    let mut hidden = 0;
    let mut after: Option<PageId> = None;
    loop {
        let ids = copy
            .pages_in_states(index, &[PageState::Vanishing], after.as_ref(), CHUNK)
            .await?;
        let Some(last) = ids.last().cloned() else {
            return Ok(hidden);
        };
        after = Some(last);
        let before = shared.store.pages_by_id(index, &ids).await?;
        let shown: BTreeSet<PageId> = before
            .into_iter()
            .filter(|page| page.state() != PageState::Vanishing && page.holding.is_quotable())
            .map(|page| page.page_id)
            .collect();
        for page in copy.pages_by_id(index, &ids).await? {
            if !shown.contains(&page.page_id) {
                continue;
            }
            hidden += 1;
            if is_kept(hidden) {
                pages.push(planned(&page, PageChange::Hidden));
            }
        }
    }
}

fn plan(
    execution: &Execution,
    hide: i64,
    changes: &Changes,
    asks: bool,
    price: Option<&Price>,
) -> RunPlan {
    let requests = execution.counters.requests();
    let a_minute = f64::from(execution.shared.settings.requests_per_second.max(1)) * 60.0;
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let minutes = requests.confluence as f64 / a_minute;
    RunPlan {
        add: changes.add,
        update: changes.update,
        remove: changes.remove,
        hide,
        needs_confirmation: asks,
        unchanged: execution.counters.counts().unchanged,
        confluence_requests: requests.confluence,
        store_requests: requests.store,
        minutes: (minutes * 100.0).round() / 100.0,
        cost: price.map(|price| cost::estimate(price, changes.add, changes.update)),
        embeddings: None,
    }
}

/// What the steps of a rehearsal share. Dropped, it lets its uploader go, and with that the copy.
struct Stage(Arc<Shared>);

impl Stage {
    fn set(shared: &Shared, copy: Arc<dyn SyncStore>, backend: Arc<dyn RetrievalBackend>) -> Self {
        let kind = backend.kind();
        let stage = shared.rehearsal(copy, [(kind, backend)].into());
        let guard = ChildGuard::without_parent(Child::Uploader(kind));
        let uploader = LlamaUploader::new(Arc::clone(&stage), kind, guard).start();
        stage.place_uploader(kind, uploader);
        Self(stage)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.0.release_uploaders();
    }
}

/// A store that takes everything at once and keeps only which documents it was given, or told to remove.
struct CountingBackend {
    real: Arc<dyn RetrievalBackend>,
    /// Whether it would hold the document in the end.
    changes: Mutex<BTreeMap<DocumentId, bool>>,
    /// Passages that would have to be embedded.
    to_embed: AtomicU64,
}

impl CountingBackend {
    /// What would have to be embedded of the documents it was given.
    fn embeddings(&self) -> Option<EmbeddingEstimate> {
        let embedder = self.real.embedder()?;
        let passages = self.to_embed.load(Ordering::Relaxed);
        Some(EmbeddingEstimate {
            model: embedder.recipe().model.clone(),
            passages,
            requests: passages.div_ceil(embedder.batch().max(1)),
        })
    }
}

#[async_trait]
impl RetrievalBackend for CountingBackend {
    fn kind(&self) -> BackendKind {
        self.real.kind()
    }

    fn capabilities(&self) -> Capabilities {
        self.real.capabilities()
    }

    async fn ensure(
        &self,
        spec: &StoreSpec,
        known: Option<&Remote>,
    ) -> Result<Remote, BackendError> {
        Ok(known.cloned().unwrap_or_else(|| Remote {
            kind: "dry_run".to_owned(),
            id: "dry-run".to_owned(),
            name: format!("the store of {}", spec.agent),
            extra: None,
        }))
    }

    async fn remove(&self, _: &StoreSpec, _: &Remote) -> Result<(), BackendError> {
        Ok(())
    }

    async fn upsert(
        &self,
        _: &Remote,
        documents: &[Document],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        let to_embed = self.real.passages_to_embed(documents).await?;
        self.to_embed.fetch_add(to_embed, Ordering::Relaxed);
        let given = documents.iter().map(|document| (document.id.clone(), true));
        lock(&self.changes).extend(given);
        Ok(vec![ItemOutcome::Accepted; documents.len()])
    }

    async fn delete(
        &self,
        _: &Remote,
        ids: &[DocumentId],
    ) -> Result<Vec<ItemOutcome>, BackendError> {
        let removed = ids.iter().map(|id| (id.clone(), false));
        lock(&self.changes).extend(removed);
        Ok(vec![ItemOutcome::Accepted; ids.len()])
    }

    async fn commit(&self, _: &Remote) -> Result<(), BackendError> {
        Ok(())
    }

    async fn progress(
        &self,
        _: &Remote,
        uploads: &[DocumentId],
        deletes: &[DocumentId],
    ) -> Result<IngestionReport, BackendError> {
        Ok(IngestionReport {
            searchable: uploads.to_vec(),
            gone: deletes.to_vec(),
            ..IngestionReport::default()
        })
    }

    async fn search(&self, _: &Remote, _: &RetrievalQuery) -> Result<Found, BackendError> {
        Ok(Found::default())
    }

    async fn list(
        &self,
        remote: &Remote,
        cursor: Option<&str>,
    ) -> Result<(Vec<StoredDocument>, Option<String>), BackendError> {
        self.real.list(remote, cursor).await
    }

    fn health(&self) -> BackendHealth {
        self.real.health()
    }
}
