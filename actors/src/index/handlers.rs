//! What an index does on each message.

use std::sync::Arc;

use actix::{
    ActorContext, ActorFutureExt, AsyncContext, Context, Handler, MessageResult, ResponseFuture,
    WrapFuture,
};
use domain::ports::store::StoreError;
use tokio::sync::oneshot;

use super::actor::{IndexActor, open_if_called_for};
use crate::messages::{Activate, Cancel, Drain, GetIndexStatus, Look, Retire};
use crate::status::IndexGauge;

impl Handler<Activate> for IndexActor {
    type Result = ();
    fn handle(&mut self, _: Activate, ctx: &mut Context<Self>) {
        self.activate(ctx);
    }
}

impl Handler<Look> for IndexActor {
    type Result = ();
    fn handle(&mut self, _: Look, ctx: &mut Context<Self>) {
        let shared = Arc::clone(&self.shared);
        let index = self.index;
        let look = async move { open_if_called_for(&shared, index).await };
        ctx.spawn(look.into_actor(self).map(|looked, this, ctx| match looked {
            Ok(()) => this.activate(ctx),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => {
                tracing::warn!(index = %this.index, %error, "a change cannot be looked at now");
            }
        }));
    }
}

impl Handler<Cancel> for IndexActor {
    type Result = ();
    fn handle(&mut self, Cancel(run): Cancel, ctx: &mut Context<Self>) {
        match &self.current {
            Some(current) if current.run == Some(run) => current.stop.cancel(),
            // Being looked up, or recorded and not begun: the row says `canceling`, and who works on it sees that.
            _ => self.activate(ctx),
        }
    }
}

impl Handler<Retire> for IndexActor {
    type Result = ();
    fn handle(&mut self, _: Retire, ctx: &mut Context<Self>) {
        self.retired = true;
        if let Some(current) = &self.current {
            current.stop.cancel();
        }
        // Its rows are gone: nothing in flight has a place to go to.
        ctx.stop();
    }
}

impl Handler<Drain> for IndexActor {
    type Result = ResponseFuture<()>;
    fn handle(&mut self, _: Drain, _: &mut Context<Self>) -> Self::Result {
        if self.current.is_none() {
            return Box::pin(async {});
        }
        let (told, quiet) = oneshot::channel();
        self.waiting_for_quiet.push(told);
        Box::pin(async move {
            // An actor that died is quiet too.
            let _ = quiet.await;
        })
    }
}

impl Handler<GetIndexStatus> for IndexActor {
    type Result = MessageResult<GetIndexStatus>;
    fn handle(&mut self, _: GetIndexStatus, _: &mut Context<Self>) -> Self::Result {
        let all = self.shared.fetchers.size();
        MessageResult(IndexGauge {
            index: self.index,
            run: self.shared.hub.live_run(self.index),
            credits_used: all - self.credits.available_permits().min(all),
            given_up: false,
        })
    }
}
