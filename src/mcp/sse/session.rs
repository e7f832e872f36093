//! One open stream: who it belongs to, where its messages go, when it ends.

use std::time::{Duration, Instant};

use actix::fut::WrapFuture;
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message,
    ResponseFuture,
};
use domain::access::Asker;
use rmcp::model::{GetExtensions, JsonRpcMessage};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::link::Inbound;
use super::registry::{Leave, Registry};
use super::{Options, QUEUE};
use crate::mcp::caller::Caller;

/// How long a message waits for room in the session's queue.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A session. It ends when its stream does, when the service stops, when it has been idle for too long, or when its client
/// no longer reads; whichever comes first, the others follow through the token.
pub struct Session {
    id: Uuid,
    caller: Caller,
    to_service: mpsc::Sender<Inbound>,
    ct: CancellationToken,
    registry: Addr<Registry>,
    idle: Duration,
    last_message: Instant,
}

impl Session {
    /// A session and the end of its queue from which it is served.
    pub fn new(
        id: Uuid,
        caller: Caller,
        options: &Options,
        registry: Addr<Registry>,
    ) -> (Self, mpsc::Receiver<Inbound>) {
        let (to_service, inbound) = mpsc::channel(QUEUE);
        let session = Self {
            id,
            caller,
            to_service,
            ct: options.shutdown.child_token(),
            registry,
            idle: options.idle,
            last_message: Instant::now(),
        };
        (session, inbound)
    }

    /// Ends the session when it fires, and fires when the session ends.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.ct.clone()
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let ended = self.ct.clone().cancelled_owned();
        context.spawn(ended.into_actor(self).map(|(), _, context| context.stop()));
        let check = (self.idle / 4).clamp(Duration::from_millis(20), Duration::from_secs(60));
        context.run_interval(check, |session, context| {
            if session.last_message.elapsed() > session.idle {
                tracing::debug!(session = %session.id, "session ends: idle");
                context.stop();
            }
        });
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.ct.cancel();
        self.registry.do_send(Leave(self.id));
    }
}

/// A message of the client, whose session this is, and for whom its request asks.
#[derive(Message)]
#[rtype(result = "Result<(), Refused>")]
pub struct Incoming(pub Inbound, pub Asker);

/// Why a message was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The session is over.
    Ended,
    /// Its queue has been full for too long.
    Stuck,
}

impl Handler<Incoming> for Session {
    type Result = ResponseFuture<Result<(), Refused>>;

    fn handle(&mut self, incoming: Incoming, _: &mut Self::Context) -> Self::Result {
        let Incoming(mut message, asker) = incoming;
        self.last_message = Instant::now();
        // The agent was named when the stream was opened; a POST to the relative address no longer names it. The person is whom the
        // POST names: users of one chat may share a stream, and none is to get the answers of the one for whom it was opened.
        if let JsonRpcMessage::Request(request) = &mut message {
            let caller = Caller {
                asker,
                ..self.caller.clone()
            };
            request.request.extensions_mut().insert(caller);
        }
        match self.to_service.try_send(message) {
            Ok(()) => Box::pin(async { Ok(()) }),
            Err(mpsc::error::TrySendError::Closed(_)) => Box::pin(async { Err(Refused::Ended) }),
            Err(mpsc::error::TrySendError::Full(message)) => {
                let queue = self.to_service.clone();
                Box::pin(async move {
                    match tokio::time::timeout(TIMEOUT, queue.send(message)).await {
                        Ok(Ok(())) => Ok(()),
                        Ok(Err(_)) => Err(Refused::Ended),
                        Err(_) => Err(Refused::Stuck),
                    }
                })
            }
        }
    }
}
