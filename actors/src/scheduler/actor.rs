//! The actor: its children, its timer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, SpawnHandle, WrapFuture};
use actix_rt::ArbiterHandle;
use domain::index::BackendKind;
use domain::{IndexId, Timestamp};
use tokio::time::Instant;

use super::due_work::{DueWork, look};
use crate::fetcher::ConfluenceFetcher;
use crate::index::{IndexActor, give_up};
use crate::messages::{Activate, Respawn, Retire, Tick};
use crate::shared::Shared;
use crate::supervise::{Child, ChildGuard, RestartLog};
use crate::uploader::LlamaUploader;

/// The parent of all.
pub(crate) struct SchedulerActor {
    pub(super) shared: Arc<Shared>,
    /// Where fetchers and uploaders run: parsing large answers must not hold up the others.
    workers: ArbiterHandle,
    pub(super) indexes: HashMap<IndexId, IndexChild>,
    lives: HashMap<Child, ChildHistory>,
    timer: Option<SpawnHandle>,
    looking: bool,
    look_again: bool,
    removing: bool,
    remove_again: bool,
    pub(super) next_tick: Option<Timestamp>,
    pub(super) leaving: usize,
    pub(super) respawns: u64,
    last_prune: Option<Timestamp>,
}

pub(super) struct IndexChild {
    pub(super) addr: Addr<IndexActor>,
    pub(super) given_up: bool,
}

#[derive(Default)]
struct ChildHistory {
    generation: u64,
    restarts: RestartLog,
}

impl SchedulerActor {
    pub(crate) fn new(shared: Arc<Shared>, workers: ArbiterHandle) -> Self {
        Self {
            shared,
            workers,
            indexes: HashMap::new(),
            lives: HashMap::new(),
            timer: None,
            looking: false,
            look_again: false,
            removing: false,
            remove_again: false,
            next_tick: None,
            leaving: 0,
            respawns: 0,
            last_prune: None,
        }
    }

    /// Looks now, or once more when a look is under way.
    pub(super) fn look(&mut self, ctx: &mut Context<Self>) {
        if self.shared.draining.is_cancelled() {
            return;
        }
        if self.looking {
            self.look_again = true;
            return;
        }
        self.looking = true;
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let shared = Arc::clone(&self.shared);
        let prune = self.prune_is_due();
        let work = async move {
            if let Some(before) = prune
                && let Err(error) = shared.store.prune(before).await
            {
                tracing::warn!(%error, "old rows could not be removed");
            }
            look(&shared).await
        };
        ctx.spawn(work.into_actor(self).map(|found, this, ctx| {
            this.looking = false;
            let wait = match found {
                Ok(due_work) => this.apply(due_work, ctx),
                Err(error) => {
                    tracing::error!(%error, "the scheduler cannot read the database; it tries again");
                    Duration::from_secs(5)
                }
            };
            if std::mem::take(&mut this.look_again) {
                this.look(ctx);
            } else {
                this.sleep(wait, ctx);
            }
        }));
    }

    fn apply(&mut self, due_work: DueWork, ctx: &mut Context<Self>) -> Duration {
        let gone: Vec<IndexId> = self
            .indexes
            .keys()
            .filter(|index| !due_work.living.contains(index))
            .copied()
            .collect();
        for index in gone {
            self.stop_index(index);
        }
        for index in &due_work.living {
            self.index_actor(*index, ctx);
        }
        for index in due_work.activate {
            self.index_actor(index, ctx).do_send(Activate);
        }
        self.remove_leaving(ctx);
        due_work.next
    }

    /// Removes objects of deleted and moved indexes, apart from the looks: a store that does not answer holds up no run. One
    /// such task at a time; what comes due meanwhile is removed after it.
    fn remove_leaving(&mut self, ctx: &mut Context<Self>) {
        if self.removing {
            self.remove_again = true;
            return;
        }
        self.removing = true;
        let shared = Arc::clone(&self.shared);
        let work = async move { crate::leaving::remove_due(&shared, None).await };
        ctx.spawn(work.into_actor(self).map(|remaining, this, ctx| {
            this.removing = false;
            match remaining {
                Ok(remaining) => this.leaving = remaining,
                Err(error) => {
                    tracing::error!(%error, "the scheduler cannot read what is still to be removed");
                }
            }
            if std::mem::take(&mut this.remove_again) {
                this.remove_leaving(ctx);
            }
        }));
    }

    fn sleep(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        self.next_tick = chrono::TimeDelta::from_std(wait)
            .ok()
            .map(|wait| self.shared.now() + wait);
        self.timer = Some(ctx.notify_later(Tick, wait));
    }

    fn prune_is_due(&mut self) -> Option<Timestamp> {
        let now = self.shared.now();
        let due = self
            .last_prune
            .is_none_or(|last| now - last >= chrono::TimeDelta::days(1));
        if !due {
            return None;
        }
        self.last_prune = Some(now);
        let retention = chrono::TimeDelta::from_std(self.shared.settings.retention).ok()?;
        now.checked_sub_signed(retention)
    }

    /// The actor of a living index, started if need be.
    pub(super) fn index_actor(
        &mut self,
        index: IndexId,
        ctx: &mut Context<Self>,
    ) -> Addr<IndexActor> {
        if let Some(child) = self.indexes.get(&index) {
            return child.addr.clone();
        }
        let guard = self.guard(Child::Index(index), ctx);
        let addr = IndexActor::new(
            Arc::clone(&self.shared),
            index,
            ctx.address().recipient(),
            guard,
        )
        .start();
        self.indexes.insert(
            index,
            IndexChild {
                addr: addr.clone(),
                given_up: false,
            },
        );
        addr
    }

    /// The index is deleted: its actor stops and is not started again.
    pub(super) fn stop_index(&mut self, index: IndexId) {
        if let Some(child) = self.indexes.remove(&index) {
            child.addr.do_send(Retire);
        }
        self.lives.remove(&Child::Index(index));
        self.shared.forget(index);
    }

    pub(super) fn start_workers(&mut self, ctx: &Context<Self>) {
        for slot in 0..self.shared.fetchers.size() {
            self.start_fetcher(slot, ctx);
        }
        let kinds: Vec<BackendKind> = self.shared.backends.keys().copied().collect();
        for kind in kinds {
            self.start_uploader(kind, ctx);
        }
    }

    fn start_fetcher(&mut self, slot: usize, ctx: &Context<Self>) {
        let guard = self.guard(Child::Fetcher(slot), ctx);
        let fetcher = ConfluenceFetcher::start_in_arbiter(&self.workers, move |_| {
            ConfluenceFetcher::new(guard)
        });
        self.shared.fetchers.place(slot, Some(fetcher));
    }

    fn start_uploader(&mut self, kind: BackendKind, ctx: &Context<Self>) {
        let guard = self.guard(Child::Uploader(kind), ctx);
        let shared = Arc::clone(&self.shared);
        let uploader = LlamaUploader::start_in_arbiter(&self.workers, move |_| {
            LlamaUploader::new(shared, kind, guard)
        });
        self.shared.place_uploader(kind, uploader);
    }

    fn guard(&mut self, who: Child, ctx: &Context<Self>) -> ChildGuard {
        let life = self.lives.entry(who).or_default();
        life.generation += 1;
        ChildGuard::new(ctx.address().recipient(), who, life.generation)
    }

    /// A child died: start it again after a while, or give it up.
    pub(super) fn on_child_stopped(
        &mut self,
        who: Child,
        generation: u64,
        ctx: &mut Context<Self>,
    ) {
        if self.shared.draining.is_cancelled() {
            return;
        }
        let Some(life) = self.lives.get_mut(&who) else {
            return;
        };
        if life.generation != generation {
            return;
        }
        if let Child::Fetcher(slot) = who {
            self.shared.fetchers.place(slot, None);
        }
        self.respawns += 1;
        match life.restarts.died(Instant::now(), rand::random()) {
            Some(wait) => {
                tracing::error!(
                    ?who,
                    wait_ms = wait.as_millis(),
                    "an actor died; another is started"
                );
                ctx.notify_later(Respawn(who), wait);
            }
            None => self.give_up(who, ctx),
        }
    }

    fn give_up(&mut self, who: Child, ctx: &mut Context<Self>) {
        match who {
            Child::Index(index) => {
                tracing::error!(%index, "the index's actor died too often; its run is ended");
                // A fresh actor that has nothing to do yet: it takes new orders.
                self.indexes.remove(&index);
                self.index_actor(index, ctx);
                if let Some(child) = self.indexes.get_mut(&index) {
                    child.given_up = true;
                }
                let shared = Arc::clone(&self.shared);
                ctx.spawn(async move { give_up(&shared, index).await }.into_actor(self));
            }
            // Nothing runs without them: keep trying, at the longest pace.
            Child::Fetcher(_) | Child::Uploader(_) => {
                tracing::error!(
                    ?who,
                    "an actor died too often; the next start waits a minute"
                );
                ctx.notify_later(Respawn(who), Duration::from_secs(60));
            }
        }
    }

    pub(super) fn restart(&mut self, who: Child, ctx: &mut Context<Self>) {
        match who {
            Child::Index(index) => {
                if self.indexes.remove(&index).is_some() {
                    self.index_actor(index, ctx).do_send(Activate);
                }
            }
            Child::Fetcher(slot) => self.start_fetcher(slot, ctx),
            Child::Uploader(kind) => self.start_uploader(kind, ctx),
        }
    }
}

impl Actor for SchedulerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.start_workers(ctx);
        self.look(ctx);
    }
}
