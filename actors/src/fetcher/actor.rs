//! The actor, and the one message that it takes.

use std::pin::Pin;

use actix::{Actor, AtomicResponse, Context, Handler, Message, WrapFuture};
use domain::ports::source::SourceError;

use crate::credits::Lease;
use crate::memory::Held;
use crate::supervise::ChildGuard;

/// One worker for requests to Confluence; works on one message at a time.
pub(crate) struct ConfluenceFetcher {
    _guard: ChildGuard,
}

impl ConfluenceFetcher {
    pub(crate) const fn new(guard: ChildGuard) -> Self {
        Self { _guard: guard }
    }
}

impl Actor for ConfluenceFetcher {
    type Context = Context<Self>;
}

/// One request, not begun yet, the credit for it, and the bytes that its answer may have.
pub(super) struct Fetch<T> {
    pub(super) request: Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send>>,
    pub(super) lease: Lease,
    pub(super) held: Held,
}

/// What an answer brought, and the right to have its bytes in memory.
type Fetched<T> = Result<(T, Held), SourceError>;

impl<T: 'static> Message for Fetch<T> {
    type Result = Fetched<T>;
}

/// `AtomicResponse` makes the actor serial: the next message waits for this answer.
impl<T: Send + 'static> Handler<Fetch<T>> for ConfluenceFetcher {
    type Result = AtomicResponse<Self, Fetched<T>>;

    fn handle(&mut self, fetch: Fetch<T>, _: &mut Self::Context) -> Self::Result {
        let request = async move {
            let answer = fetch.request.await;
            // The credit comes back when the answer is there, not sooner.
            drop(fetch.lease);
            Ok((answer?, fetch.held))
        };
        AtomicResponse::new(Box::pin(request.into_actor(self)))
    }
}
