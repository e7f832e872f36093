//! The stages of a run in their order, around them its row, its heartbeat and its upload worker.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use domain::index::{BackendKind, Remote};
use domain::page::PageState;
use domain::ports::retrieval::{BackendError, RetrievalBackend, StoreSpec};
use domain::ports::store::{IndexState, StoreError};
use domain::run::{Run, RunKind, RunStatus};
use domain::{ObjectId, PageId, SpaceId};
use tokio::sync::Semaphore;

use super::context::{RunParts, SeenSpace};
use super::convert::Links;
use super::reconcile::{Reconciler, Which};
use super::spaces::SpacesBefore;
use super::{
    RunCtx, attachments, audit, bodies, comments, delta, dry, finish, links, moving, reconvert,
    spaces, sweep, vanish,
};
use crate::EngineError;
use crate::counters::RunCounters;
use crate::fetcher::Fetchers;
use crate::leaving;
use crate::shared::Shared;
use crate::stop::{RunError, Stop};
use crate::uploader::{Upload, UploadJob, UploadReport};

/// How often a run's numbers are written and a cancel is looked for.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often the upload worker of a run is started after its uploader died.
const WORKERS: u32 = 3;

/// What became of an open run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// Its row is closed.
    Over,
    /// The engine stops: the row stays open for the next start.
    LeftOpen,
}

/// Works on an open run until it is over.
pub(crate) async fn execute(
    shared: Arc<Shared>,
    run: Run,
    stop: Stop,
    credits: Arc<Semaphore>,
) -> Result<Ended, StoreError> {
    shared.correct_clock_skew().await?;
    let state = shared.store.index_state(run.index_id).await?;
    let run = match shared.store.start_run(run.id).await {
        Ok(run) => run,
        // Begun in an earlier execution, or to be canceled before it began.
        Err(StoreError::Conflict { .. }) => match shared.store.open_run_of(run.index_id).await? {
            Some(run) => run,
            None => return Ok(Ended::Over),
        },
        Err(error) => return Err(error),
    };
    if run.status == RunStatus::Canceling {
        stop.cancel();
    }
    tracing::info!(index = %run.index_id, name = %state.index.settings.name, run = %run.id, kind = run.kind.as_str(), dry_run = run.dry_run, "a run begins");
    shared.hub.run_started(&run).await;
    shared.fail_point("after_run_started");

    let counters = match run.dry_run {
        // It begins anew, since nothing of it was kept.
        true => Arc::default(),
        false => shared.counters_of(&run),
    };
    let source = Fetchers::new(
        Arc::clone(&shared.source),
        Arc::clone(&shared.fetchers),
        credits,
        Arc::clone(&counters),
        stop.clone(),
    );
    let mut execution = Execution {
        before: state.clone(),
        shared: Arc::clone(&shared),
        run,
        counters,
        stop,
        ctx: None,
        rehearsed: None,
        move_blocked_because: None,
    };
    let heartbeat = Heartbeat {
        object: match execution.run.kind {
            RunKind::Move => state.filling,
            _ => Some(state.serving),
        },
        shared,
        run: execution.run.clone(),
        counters: Arc::clone(&execution.counters),
        stop: execution.stop.clone(),
    };
    let outcome = tokio::select! {
        biased;
        outcome = execution.work(state, source) => outcome,
        () = heartbeat.go_on() => Err(RunError::Stopped),
    };
    finish::finish(execution, outcome).await
}

/// A run with what is needed to end it, however it ends.
pub(super) struct Execution {
    /// The index before the run.
    pub(super) before: IndexState,
    pub(super) shared: Arc<Shared>,
    pub(super) run: Run,
    pub(super) counters: Arc<RunCounters>,
    pub(super) stop: Stop,
    /// There as soon as the run knows its spaces.
    pub(super) ctx: Option<Arc<RunCtx>>,
    /// What a dry run found.
    pub(super) rehearsed: Option<dry::Rehearsed>,
    /// Why the move is not complete, if it is not.
    pub(super) move_blocked_because: Option<String>,
}

impl Execution {
    pub(super) async fn work(
        &mut self,
        mut state: IndexState,
        source: Fetchers,
    ) -> Result<(), RunError> {
        self.stop.check()?;
        let started_at = self.shared.now();
        if self.run.dry_run {
            self.rehearsed = Some(dry::rehearse(self, source).await?);
            return Ok(());
        }
        if self.run.kind == RunKind::Move {
            return self.carry_move_on(state, source).await;
        }
        let spaces_before = spaces::look_up(&self.shared, &source, &mut state).await?;
        let ctx = Arc::new(RunCtx::new(RunParts {
            link_spaces: link_spaces(&self.shared).await?,
            cached_spaces: cached_spaces(&self.shared, &state).await?,
            spaces_before,
            shared: Arc::clone(&self.shared),
            run: self.run.clone(),
            state,
            counters: Arc::clone(&self.counters),
            source,
            stop: self.stop.clone(),
            started_at,
        }));
        self.ctx = Some(Arc::clone(&ctx));
        let remote = ensure(&ctx).await?;
        let target = Target {
            backend: ctx.settings().backend,
            object: ctx.state.serving,
            remote: &remote,
            answers: true,
        };
        while_uploading(&ctx, target, changes(&ctx, &remote)).await
    }

    async fn carry_move_on(&mut self, state: IndexState, source: Fetchers) -> Result<(), RunError> {
        let ctx = Arc::new(RunCtx::new(RunParts {
            link_spaces: HashMap::new(),
            cached_spaces: HashSet::new(),
            spaces_before: SpacesBefore::default(),
            shared: Arc::clone(&self.shared),
            run: self.run.clone(),
            started_at: self.shared.now(),
            state,
            counters: Arc::clone(&self.counters),
            source,
            stop: self.stop.clone(),
        }));
        self.move_blocked_because = moving::carry_on(&ctx).await?;
        Ok(())
    }
}

/// Everything that a run does with pages.
async fn changes(ctx: &RunCtx, remote: &Remote) -> Result<(), RunError> {
    let spaces = ctx.visible_spaces();
    ctx.uploads.wake();
    comments::leave_if_unwanted(ctx).await?;
    reconvert::all(ctx).await?;
    if ctx.run.kind == RunKind::Delta {
        delta::delta(ctx, &spaces).await?;
    } else {
        vanish::leave_removed_spaces(ctx).await?;
        if ctx.run.kind == RunKind::Full {
            audit::audit(ctx, remote).await?;
        }
        sweep::sweep(ctx, &spaces).await?;
    }
    bodies::fetch_due(ctx).await?;
    bodies::resolve_links(ctx).await?;
    let fresh = ctx.find(|f| std::mem::take(&mut f.fresh_bodies));
    decide(ctx, &HashSet::new(), &fresh, Links::AsKnown).await?;
    links::settle(ctx).await?;
    attachments::follow(ctx).await?;
    vanish::remove(ctx).await
}

/// Decides single pages, and everything below those that moved, space by space.
pub(super) async fn decide(
    ctx: &RunCtx,
    moved: &HashSet<PageId>,
    touched: &HashSet<PageId>,
    links: Links,
) -> Result<(), RunError> {
    let all: Vec<PageId> = moved.union(touched).cloned().collect();
    let mut by_space: HashMap<SpaceId, (HashSet<PageId>, HashSet<PageId>)> = HashMap::new();
    for ids in all.chunks(500) {
        for record in ctx.store().pages_by_id(ctx.index(), ids).await? {
            if record.state() == PageState::Removed {
                continue;
            }
            let (below, only) = by_space.entry(record.facts.space_id).or_default();
            if moved.contains(&record.page_id) {
                below.insert(record.page_id);
            } else {
                only.insert(record.page_id);
            }
        }
    }
    for space in ctx.state.index.spaces.iter().filter_map(SeenSpace::of) {
        let Some((below, only)) = by_space.remove(&space.id) else {
            continue;
        };
        let mut reconciler = Reconciler::new(ctx, &space, false, links);
        if !below.is_empty() {
            reconciler.decide(Which::Below(&below)).await?;
        }
        if !only.is_empty() {
            reconciler.decide(Which::Only(&only)).await?;
        }
    }
    Ok(())
}

/// Makes or finds the store object, in a task of its own: an index that is deleted meanwhile takes its actor with it, and
/// somebody has to remember, or to remove, what the store is making at that moment.
async fn ensure(ctx: &Arc<RunCtx>) -> Result<Remote, RunError> {
    let own = Arc::clone(ctx);
    match actix_rt::spawn(async move { make(&own).await }).await {
        Ok(made) => made,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(RunError::Stopped),
        },
    }
}

/// Another object than before holds nothing of ours: everything is stored anew.
async fn make(ctx: &RunCtx) -> Result<Remote, RunError> {
    let index = &ctx.state.index;
    let kind: BackendKind = index.settings.backend;
    let backend = ctx
        .shared
        .backend(kind)
        .ok_or(EngineError::BackendMissing {
            index: index.id,
            backend: kind,
        })?;
    let spec = StoreSpec {
        index: index.id,
        agent: index.settings.agent_id.clone(),
    };
    if index.remote.is_none() {
        leaving::remove_of_agent(&ctx.shared, &spec.agent).await?;
    }
    let remote = ensured(ctx, backend.as_ref(), &spec, index.remote.as_ref()).await?;
    if index.remote.as_ref() == Some(&remote) {
        return Ok(remote);
    }
    if index.remote.as_ref().is_some_and(|old| old.id != remote.id) {
        tracing::warn!(index = %index.id, object = %remote.name, "the store object is another one than before; everything is stored anew");
    }
    ctx.shared.fail_point("after_object_made");
    if let Err(error) = ctx.store().set_remote(ctx.state.serving, &remote).await {
        if matches!(error, StoreError::NotFound { .. }) {
            // Deleted meanwhile: nobody else would remove what was just made.
            let _ = backend.remove(&spec, &remote).await;
        }
        return Err(error.into());
    }
    Ok(remote)
}

/// A store object that a run brings in line.
pub(super) struct Target<'a> {
    pub(super) backend: BackendKind,
    pub(super) object: ObjectId,
    pub(super) remote: &'a Remote,
    /// Whether it is the one that answers.
    pub(super) answers: bool,
}

/// Runs `work` while an upload worker brings the object in line, then waits for it to see everything to its end. The worker ends
/// with this scope, however that ends: with the request that it has in flight.
pub(super) async fn while_uploading(
    ctx: &RunCtx,
    target: Target<'_>,
    work: impl Future<Output = Result<(), RunError>>,
) -> Result<(), RunError> {
    let (stop, _ends_with_this) = ctx.stop.until_dropped();
    let job = UploadJob {
        index: ctx.index(),
        run: ctx.run.id,
        backend: target.backend,
        object: target.object,
        answers: target.answers,
        remote: target.remote.clone(),
        counters: Arc::clone(&ctx.counters),
        began: ctx.started_at,
        stop,
        signal: ctx.uploads.clone(),
    };
    let uploads = upload(ctx, job);
    let work = async move {
        let done = work.await;
        // Also after a failure: what is wanted goes out.
        ctx.uploads.close();
        done
    };
    tokio::pin!(uploads, work);
    tokio::select! {
        biased;
        report = &mut uploads => match report {
            UploadReport::Trouble(error) => Err(RunError::Fatal(error)),
            // What is in flight settles: the work ends by itself at its next request.
            UploadReport::Stopped => work.await.and(Err(RunError::Stopped)),
            // It ends by itself only after it was closed.
            UploadReport::Settled => work.await,
        },
        done = &mut work => {
            let report = uploads.await;
            done?;
            match report {
                UploadReport::Settled => Ok(()),
                UploadReport::Stopped => Err(RunError::Stopped),
                UploadReport::Trouble(error) => Err(RunError::Fatal(error)),
            }
        }
    }
}

/// Starts a worker, and another if its uploader dies.
async fn upload(ctx: &RunCtx, job: UploadJob) -> UploadReport {
    for _ in 0..WORKERS {
        let Some(uploader) = ctx.shared.uploader(job.backend) else {
            return UploadReport::Trouble(EngineError::BackendMissing {
                index: job.index,
                backend: job.backend,
            });
        };
        if let Ok(report) = uploader.send(Upload(job.clone())).await {
            return report;
        }
        tracing::error!(index = %job.index, "the uploader died; another worker is started");
        if ctx.stop.sleep(Duration::from_secs(1)).await.is_err() {
            return UploadReport::Stopped;
        }
    }
    UploadReport::Trouble(EngineError::Busy {
        detail: "the uploader died several times in this run; the log says where".to_owned(),
    })
}

/// The store object, made where there is none. A store that limits requests is waited for as long as an upload may take.
pub(super) async fn ensured(
    ctx: &RunCtx,
    backend: &dyn RetrievalBackend,
    spec: &StoreSpec,
    known: Option<&Remote>,
) -> Result<Remote, RunError> {
    let mut waited = Duration::ZERO;
    loop {
        ctx.counters.request_to_store();
        match backend.ensure(spec, known).await {
            Err(BackendError::RateLimited { retry_after })
                if waited + retry_after <= ctx.shared.settings.upload_deadline =>
            {
                let wait = retry_after.max(Duration::from_secs(1));
                waited += wait;
                ctx.stop.sleep(wait).await?;
            }
            ensured => return Ok(ensured?),
        }
    }
}

async fn link_spaces(shared: &Shared) -> Result<HashMap<String, SpaceId>, RunError> {
    let spaces = shared.store.known_spaces().await?;
    let aliases = spaces
        .iter()
        .filter_map(|space| Some((space.alias.as_ref()?, &space.id)));
    let keys = spaces.iter().map(|space| (&space.key, &space.id));
    // A body may name a space by either; where one space has the key of another as its alias, the key counts.
    let named = aliases.chain(keys);
    Ok(named
        .map(|(key, id)| (key.to_string(), id.clone()))
        .collect())
}

/// Spaces that another index has synced: their bodies are kept already.
async fn cached_spaces(shared: &Shared, state: &IndexState) -> Result<HashSet<SpaceId>, RunError> {
    let others = shared.store.index_states().await?;
    Ok(others
        .into_iter()
        .filter(|other| other.index.id != state.index.id && other.progress.synced_at.is_some())
        .flat_map(|other| other.index.spaces)
        .filter(|space| space.pages > 0)
        .filter_map(|space| space.id)
        .collect())
}

/// Writes a run's numbers while it goes on, and sees its cancel.
struct Heartbeat {
    /// The object that the run fills.
    object: Option<ObjectId>,
    shared: Arc<Shared>,
    run: Run,
    counters: Arc<RunCounters>,
    stop: Stop,
}

impl Heartbeat {
    async fn go_on(&self) {
        let begun = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let (counts, requests) = self.counters.told(self.run.dry_run);
            let eta = self.eta(begun.elapsed()).await;
            let touched = self
                .shared
                .store
                .touch_run(self.run.id, &counts, &requests, eta)
                .await;
            match touched {
                Ok(run) => {
                    if run.status == RunStatus::Canceling {
                        self.stop.cancel();
                    }
                    self.shared.hub.run_progress(&run).await;
                }
                Err(StoreError::NotFound { .. }) => {
                    // The index was deleted under the run.
                    self.stop.cancel();
                }
                Err(error) => {
                    tracing::warn!(run = %self.run.id, %error, "the run's numbers could not be written");
                }
            }
        }
    }

    /// From the pace of uploads so far and what is still to be sent or confirmed.
    async fn eta(&self, elapsed: Duration) -> Option<i64> {
        let counts = self.counters.counts();
        let open = self.shared.store.open_holdings(self.object?).await.ok()?;
        let left = open.waiting + open.claimed + open.accepted;
        if counts.searchable == 0 || left == 0 {
            return None;
        }
        let elapsed = i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX);
        Some(left.saturating_mul(elapsed.max(1)) / counts.searchable)
    }
}
