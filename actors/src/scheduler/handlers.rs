//! What the scheduler does on each message: thin, the work is in the actor's methods and in pure functions.

use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};
use futures_util::future::join_all;

use super::SchedulerActor;
use crate::messages::{
    Activate, ActivateIndex, BeginDrain, Cancel, CancelRun, ChildGone, Drain, GetIndexStatus,
    GetStatus, IndexChanged, Look, Respawn, Tick,
};
use crate::status::{BackendStatus, EngineStatus, IndexGauge};
use crate::uploader::GetInFlight;

/// How long the status waits for one actor; a busy one is left out rather than waited for.
const TIMEOUT: Duration = Duration::from_millis(500);

impl Handler<Tick> for SchedulerActor {
    type Result = ();
    fn handle(&mut self, _: Tick, ctx: &mut Context<Self>) {
        self.look(ctx);
    }
}

impl Handler<ActivateIndex> for SchedulerActor {
    type Result = ();
    fn handle(&mut self, ActivateIndex(index): ActivateIndex, ctx: &mut Context<Self>) {
        self.index_actor(index, ctx).do_send(Activate);
        if let Some(child) = self.indexes.get_mut(&index) {
            child.given_up = false;
        }
    }
}

impl Handler<IndexChanged> for SchedulerActor {
    type Result = ();
    fn handle(&mut self, IndexChanged(index): IndexChanged, ctx: &mut Context<Self>) {
        let shared = std::sync::Arc::clone(&self.shared);
        let work = async move { crate::index::announce(&shared, index).await };
        ctx.spawn(work.into_actor(self).map(move |lives, this, ctx| {
            if lives {
                this.index_actor(index, ctx).do_send(Look);
            } else {
                this.stop_index(index);
            }
            // Due times may have changed, and a deleted index leaves an object to be removed.
            this.look(ctx);
        }));
    }
}

impl Handler<CancelRun> for SchedulerActor {
    type Result = ();
    fn handle(&mut self, CancelRun(run): CancelRun, _: &mut Context<Self>) {
        // Each index knows its own run; the others do nothing.
        for child in self.indexes.values() {
            child.addr.do_send(Cancel(run));
        }
    }
}

impl Handler<ChildGone> for SchedulerActor {
    type Result = ();
    fn handle(&mut self, gone: ChildGone, ctx: &mut Context<Self>) {
        self.on_child_stopped(gone.who, gone.generation, ctx);
    }
}

impl Handler<Respawn> for SchedulerActor {
    type Result = ();
    fn handle(&mut self, Respawn(who): Respawn, ctx: &mut Context<Self>) {
        self.restart(who, ctx);
    }
}

impl Handler<BeginDrain> for SchedulerActor {
    type Result = ResponseFuture<()>;
    fn handle(&mut self, _: BeginDrain, _: &mut Context<Self>) -> Self::Result {
        self.shared.draining.cancel();
        let quiet: Vec<_> = self
            .indexes
            .values()
            .map(|child| child.addr.send(Drain))
            .collect();
        Box::pin(async move {
            join_all(quiet).await;
        })
    }
}

impl Handler<GetStatus> for SchedulerActor {
    type Result = ResponseFuture<EngineStatus>;
    fn handle(&mut self, _: GetStatus, _: &mut Context<Self>) -> Self::Result {
        let shared = std::sync::Arc::clone(&self.shared);
        let asked: Vec<_> = self
            .indexes
            .values()
            .map(|child| {
                let given_up = child.given_up;
                let gauge = child.addr.send(GetIndexStatus).timeout(TIMEOUT);
                async move {
                    gauge
                        .await
                        .ok()
                        .map(|gauge| IndexGauge { given_up, ..gauge })
                }
            })
            .collect();
        let next_tick = self.next_tick;
        let leaving = self.leaving;
        let respawns = self.respawns;
        Box::pin(async move {
            let indexes: Vec<IndexGauge> = join_all(asked).await.into_iter().flatten().collect();
            let mut backends = Vec::new();
            for (kind, backend) in &shared.backends {
                let in_flight = match shared.uploader(*kind) {
                    Some(uploader) => uploader
                        .send(GetInFlight)
                        .timeout(TIMEOUT)
                        .await
                        .unwrap_or_default(),
                    None => 0,
                };
                backends.push(BackendStatus {
                    kind: *kind,
                    health: backend.health(),
                    in_flight,
                });
            }
            let source = shared.source.health();
            let mut status = EngineStatus {
                ready: !shared.draining.is_cancelled(),
                reasons: Vec::new(),
                indexes,
                fetchers: shared.fetchers.alive(),
                fetchers_busy: shared.fetchers.busy(),
                source,
                backends,
                leaving,
                next_tick,
                respawns,
            };
            status.reasons = status.trouble();
            status
        })
    }
}
