//! The agents' side of the service: MCP over two transports, one handler behind both.
//!
//! * `GET /mcp/sse` + `POST /mcp/messages` ([`sse`]): HTTP with SSE, what LibreChat calls `type: sse`.
//! * `/mcp` ([`streamable`]): Streamable HTTP, every revision that the SDK knows.
//!
//! [`handler`] maps the protocol to [`tools`], [`prompts`] and [`resources`]; these speak to a [`knowledge::KnowledgeBase`],
//! which [`indexed`] implements over the service's store and engine. Nothing below `handler` knows a transport, nothing
//! below `tools` the protocol.
//!
//! Promises: identity is taken from every request, and a session answers nobody but who opened it; a page that is known to be
//! gone, vanishing or restricted is in no answer; a stream ends when its peer or the service does.

pub mod caller;
pub mod handler;
pub mod indexed;
pub mod instructions;
pub mod knowledge;
pub mod prompts;
pub mod resources;
pub mod scope;
pub mod sse;
pub mod streamable;
pub mod text;
pub mod tools;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpMessage, HttpRequest};
use domain::access::Asker;
use rmcp::ServerHandler;
use rmcp::model::{ClientRequest, JsonRpcMessage, RequestId};
use tokio_util::sync::CancellationToken;

use self::caller::{Caller, Owner, Reader};
use self::sse::link::Inbound;
use self::streamable::book::SessionBook;
use crate::http::auth::{AskedFor, Principal};
use crate::http::fairness::Full;
use crate::state::AppState;

/// Finds out who sends a request whose credentials have been checked already; `None`: nobody did.
pub type Identify = Arc<dyn Fn(&HttpRequest) -> Option<Caller> + Send + Sync>;

/// How the transports behave.
#[derive(Clone)]
pub struct Options {
    /// Every stream ends on it.
    pub shutdown: CancellationToken,
    /// A comment goes out on an idle stream this often; below the least body time-out of clients and proxies.
    pub keep_alive: Duration,
    /// A session without a message from its client for so long ends. LibreChat pings only before use, so its shared
    /// connection may rest over night.
    pub idle: Duration,
    /// A session of Streamable HTTP that nobody uses leaves memory after this; the book takes it up again.
    pub rest: Duration,
    /// Sessions of HTTP with SSE at most; each is an open stream. Those of Streamable HTTP are bounded by the book.
    pub max_sessions: usize,
    /// Who hears that there is no room.
    pub full: Arc<Full>,
    /// The sessions of Streamable HTTP, which are remembered, so that a restart costs a client nothing.
    pub book: Arc<SessionBook>,
}

impl Options {
    /// The product's figures.
    #[must_use]
    pub fn new(shutdown: CancellationToken) -> Self {
        Self {
            shutdown,
            keep_alive: Duration::from_secs(15),
            idle: Duration::from_secs(12 * 60 * 60),
            rest: Duration::from_secs(5 * 60),
            max_sessions: 10_000,
            full: Arc::default(),
            book: Arc::new(SessionBook::forgetful()),
        }
    }
}

/// Sessions of one owner at most, over each transport. Many clients never end theirs, they open another.
const PER_OWNER: usize = 200;
/// Bytes of an `initialize` at most: what a client says of itself is kept for as long as its session.
const MAX_INITIALIZE: usize = 8 * 1024;

fn is_initialize(message: &Inbound) -> bool {
    matches!(message, JsonRpcMessage::Request(request)
        if matches!(request.request, ClientRequest::InitializeRequest(_)))
}

/// The request id of an `initialize` that is too long, and why it is refused, in words for the client.
fn long_initialize(message: &Inbound, bytes: usize) -> Option<(RequestId, String)> {
    let JsonRpcMessage::Request(request) = message else {
        return None;
    };
    let is_long = bytes > MAX_INITIALIZE && is_initialize(message);
    is_long.then(|| {
        let why = format!(
            "An `initialize` request may have at most 8 kB ({MAX_INITIALIZE} bytes); this one has {bytes}."
        );
        (request.id.clone(), why)
    })
}

/// Mounts both transports with the product's handler. To be called once in the process, on an actix thread and before
/// `HttpServer::new`, so that all workers share the sessions; what it returns configures each worker. The server has to be
/// built with `h1_allow_half_closed(false)`, so that dead peers are noticed at once.
pub fn configure(state: &AppState) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let kb = Arc::new(indexed::Indexed::new(state));
    let options = Options {
        full: state.fairness.full().clone(),
        book: SessionBook::kept(
            kb.clone(),
            state.fairness.full().clone(),
            state.shutdown.clone(),
        ),
        ..Options::new(state.shutdown.clone())
    };
    let handler = handler::ConfluenceHandler::new(kb, state.fairness.clone());
    mount(handler, by_principal(), options)
}

/// Mounts both transports with any handler.
pub fn mount<H>(
    handler: H,
    identify: Identify,
    options: Options,
) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static
where
    H: ServerHandler + Clone + Send + Sync + 'static,
{
    let legacy = sse::Server::start(handler.clone(), identify.clone(), options.clone());
    let streamable = streamable::Server::new(handler, identify, options);
    move |config: &mut ServiceConfig| {
        // The order matters: the scope `/mcp` would shadow both paths of the older transport.
        legacy.configure(config);
        streamable.configure(config);
    }
}

/// The identity that the service's gate left in the request.
fn by_principal() -> Identify {
    Arc::new(|request| {
        let principal = request.extensions().get::<Principal>().cloned()?;
        let own = principal.own_indexes().cloned();
        let reader = own.map_or(Reader::Everything, Reader::Own);
        let asked_for = request.extensions().get::<AskedFor>().cloned();
        let asker = asked_for.map_or(Asker::Unnamed, |AskedFor(asker)| asker);
        let state = request.app_data::<web::Data<AppState>>();
        let audited = state
            .filter(|state| state.questions.are_audited())
            .map(|state| Arc::new(state.auth.audited(request, &principal)));
        Some(Caller {
            audited,
            ..Caller::of(Owner::from(&principal), reader, asker, request)
        })
    })
}
