//! The actors that answer, and the one message that they take.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Message, ResponseFuture};
use actix_rt::ArbiterHandle;
use domain::IndexId;
use domain::access::Asker;
use domain::share::{Share, Shares};
use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

use super::Sources;
use crate::EngineError;

/// How long an answer may take in all: the store's time-out, and Confluence's own search after it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Questions under way at once, over all indexes: many enough for every agent of a large installation, few enough for the
/// memory that their passages take. Each index has its share of them.
const PLACES: usize = 256;

/// A question to one index.
pub(crate) trait Question: Send + 'static {
    /// What it is answered with.
    type Answer: Send + 'static;

    /// Answers it, for whoever asks.
    async fn answer(
        self,
        sources: &Sources,
        index: IndexId,
        asker: &Asker,
    ) -> Result<Self::Answer, EngineError>;
}

/// Asks an [`AnswerActor`] a question.
struct Ask<Q> {
    index: IndexId,
    asker: Asker,
    question: Q,
    /// Bounds how many are under way, wherever they are just now.
    place: Share<IndexId>,
    /// Cancelled when nobody waits for the answer any more.
    unwanted: CancellationToken,
}

impl<Q: Question> Message for Ask<Q> {
    type Result = Result<Q::Answer, EngineError>;
}

/// Answers questions, any number at once.
struct AnswerActor {
    sources: Arc<Sources>,
}

impl Actor for AnswerActor {
    type Context = Context<Self>;
}

impl<Q: Question> Handler<Ask<Q>> for AnswerActor {
    type Result = ResponseFuture<Result<Q::Answer, EngineError>>;

    fn handle(&mut self, ask: Ask<Q>, _: &mut Context<Self>) -> Self::Result {
        let sources = Arc::clone(&self.sources);
        Box::pin(async move {
            let Ask {
                index,
                asker,
                question,
                place: _place,
                unwanted,
            } = ask;
            let answer = AssertUnwindSafe(question.answer(&sources, index, &asker)).catch_unwind();
            let in_time = tokio::time::timeout(TIMEOUT, answer);
            match unwanted.run_until_cancelled(in_time).await {
                Some(Ok(Ok(answered))) => answered,
                Some(Ok(Err(_panic))) => {
                    tracing::error!(%index, "a question met a fault of this program, which is in the log above; others are answered");
                    Err(EngineError::Fault {
                        what: "this question".to_owned(),
                    })
                }
                Some(Err(_)) => Err(EngineError::Busy {
                    detail: format!(
                        "the question was not answered within {} s, since the retrieval store or Confluence answers too slowly",
                        TIMEOUT.as_secs()
                    ),
                }),
                None => Err(EngineError::Busy {
                    detail: "nobody waits for the answer".to_owned(),
                }),
            }
        })
    }
}

/// The actors that answer, on threads of their own.
pub(crate) struct AnswerPool {
    actors: Vec<Addr<AnswerActor>>,
    turn: AtomicUsize,
    places: Arc<Shares<IndexId>>,
}

impl AnswerPool {
    /// Starts one actor on each of these arbiters, of which there is at least one.
    pub(crate) fn start(sources: Sources, arbiters: &[ArbiterHandle]) -> Self {
        let sources = Arc::new(sources);
        let start = |arbiter: &ArbiterHandle| {
            let sources = Arc::clone(&sources);
            AnswerActor::start_in_arbiter(arbiter, move |_| AnswerActor { sources })
        };
        Self {
            actors: arbiters.iter().map(start).collect(),
            turn: AtomicUsize::new(0),
            places: Shares::new(PLACES, PLACES),
        }
    }

    /// Asks one of them. The question is given up when the future is dropped.
    pub(crate) async fn ask<Q: Question>(
        &self,
        index: IndexId,
        asker: &Asker,
        question: Q,
    ) -> Result<Q::Answer, EngineError> {
        let place = self.places.take(&index);
        let place = place.map_err(|_| EngineError::TooManyQuestions { index })?;
        let unwanted = CancellationToken::new();
        let _asker = unwanted.clone().drop_guard();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let ask = Ask {
            index,
            asker: asker.clone(),
            question,
            place,
            unwanted,
        };
        let stopped = || EngineError::Busy {
            detail: "the engine has stopped".to_owned(),
        };
        let actor = self.actors.get(turn % self.actors.len().max(1));
        let sent = actor.ok_or_else(stopped)?.send(ask);
        sent.await.map_err(|_| stopped())?
    }
}
