//! The actor: which run it is on, and whether to look again afterwards.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Recipient, WrapFuture};
use domain::ports::store::{OpenedRun, StoreError};
use domain::run::{Run, RunKind};
use domain::{IndexId, RunId};
use tokio::sync::{Semaphore, oneshot};

use super::run::{self, Ended};
use crate::messages::{Activate, Tick};
use crate::shared::Shared;
use crate::stop::Stop;
use crate::supervise::ChildGuard;

/// One index.
pub(crate) struct IndexActor {
    pub(super) shared: Arc<Shared>,
    pub(super) index: IndexId,
    /// Credits of this index: how much of the site's it may use at once.
    pub(super) credits: Arc<Semaphore>,
    pub(super) current: Option<Current>,
    pub(super) again: bool,
    pub(super) retired: bool,
    /// Answered when the run has been put down.
    pub(super) waiting_for_quiet: Vec<oneshot::Sender<()>>,
    /// When a run is over, something may be due sooner than the scheduler meant to look.
    scheduler: Recipient<Tick>,
    _guard: ChildGuard,
}

/// The run that is being worked on; none yet while the database is asked which.
pub(super) struct Current {
    pub(super) run: Option<RunId>,
    pub(super) stop: Stop,
}

impl IndexActor {
    pub(crate) fn new(
        shared: Arc<Shared>,
        index: IndexId,
        scheduler: Recipient<Tick>,
        guard: ChildGuard,
    ) -> Self {
        let credits = Arc::new(Semaphore::new(shared.fetchers.size()));
        Self {
            shared,
            index,
            credits,
            current: None,
            again: false,
            retired: false,
            waiting_for_quiet: Vec::new(),
            scheduler,
            _guard: guard,
        }
    }

    /// Works on the open run, if there is one and none is being worked on.
    pub(super) fn activate(&mut self, ctx: &mut Context<Self>) {
        if self.retired || self.shared.draining.is_cancelled() {
            return;
        }
        if self.current.is_some() {
            self.again = true;
            return;
        }
        let stop = Stop::new(&self.shared.draining);
        self.current = Some(Current {
            run: None,
            stop: stop.clone(),
        });
        let shared = Arc::clone(&self.shared);
        let index = self.index;
        let find = async move { shared.store.open_run_of(index).await };
        ctx.spawn(
            find.into_actor(self)
                .map(move |found, this, ctx| match found {
                    Ok(Some(run)) => this.work(run, stop, ctx),
                    Ok(None) => this.idle(None, ctx),
                    Err(error) => this.idle(Some(error), ctx),
                }),
        );
    }

    fn work(&mut self, run: Run, stop: Stop, ctx: &mut Context<Self>) {
        if let Some(current) = &mut self.current {
            current.run = Some(run.id);
        }
        let work = run::execute(
            Arc::clone(&self.shared),
            run,
            stop,
            Arc::clone(&self.credits),
        );
        ctx.spawn(work.into_actor(self).map(|ended, this, ctx| match ended {
            // A follow-up may be open by now.
            Ok(Ended::Over) => {
                this.again = true;
                this.scheduler.do_send(Tick);
                this.idle(None, ctx);
            }
            Ok(Ended::LeftOpen) => this.idle(None, ctx),
            Err(error) => this.idle(Some(error), ctx),
        }));
    }

    fn idle(&mut self, error: Option<StoreError>, ctx: &mut Context<Self>) {
        self.current = None;
        for waiting in self.waiting_for_quiet.drain(..) {
            // Whoever stopped waiting does not mind.
            let _ = waiting.send(());
        }
        if let Some(error) = error
            && !matches!(error, StoreError::NotFound { .. })
        {
            tracing::error!(index = %self.index, %error, "the database cannot be used; the index looks again");
            ctx.notify_later(Activate, Duration::from_secs(5));
        }
        if std::mem::take(&mut self.again) {
            self.activate(ctx);
        }
    }
}

impl Actor for IndexActor {
    type Context = Context<Self>;
}

/// Opens a run if the rows of an index call for one that the schedule would bring too late.
pub(super) async fn open_if_called_for(shared: &Shared, index: IndexId) -> Result<(), StoreError> {
    let state = shared.store.index_state(index).await?;
    let progress = &state.progress;
    if !state.index.settings.enabled || shared.store.open_run_of(index).await?.is_some() {
        return Ok(());
    }
    let kind = if progress.last_sweep_at.is_none() {
        // Once at its creation; after a failure the schedule decides.
        state.index.last_run.is_none().then_some(RunKind::First)
    } else if progress.scope_revision != progress.applied_scope_revision
        || progress.deletions_accepted
    {
        Some(RunKind::Sweep)
    } else if run::something_is_due(shared, &state).await? {
        Some(RunKind::Delta)
    } else {
        None
    };
    if let Some(kind) = kind
        && let OpenedRun::New(run) = shared.store.open_run(index, kind, false, false).await?
    {
        tracing::info!(%index, run = %run.id, kind = kind.as_str(), "rows of the index call for a run");
    }
    Ok(())
}
