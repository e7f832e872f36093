//! Streamable HTTP at `/mcp`: the SDK's own transport, mounted in actix, with our identities, limits and memory ([`book`]).

pub mod book;
mod sessions;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorInternalServerError;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{Bytes, Payload, ServiceConfig};
use actix_web::{Error, HttpResponse};
use rmcp::ServerHandler;
use rmcp::model::{ErrorData, JsonRpcError};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp_actix_web::transport::StreamableHttpService;

use self::book::Use;
use self::sessions::Sessions;
use super::caller::{Caller, Owner};
use super::sse::link::parse;
use super::sse::{later, plain};
use super::{Identify, Options, is_initialize, long_initialize};

/// Sessions in the book, as a number.
pub const SESSIONS: &str = "mcp_streamable_sessions";
/// Those of them that are in memory.
pub const AWAKE_SESSIONS: &str = "mcp_streamable_sessions_awake";

/// Bytes of a message at most.
const MAX_MESSAGE: usize = 1024 * 1024;
const SESSION_HEADER: &str = "mcp-session-id";

/// The transport. Clones are the same server.
#[derive(Clone)]
pub struct Server<H> {
    handler: H,
    identify: Identify,
    options: Options,
    sessions: Arc<Sessions>,
}

impl<H> Server<H>
where
    H: ServerHandler + Clone + Send + Sync + 'static,
{
    /// With sessions of its own, shared by all workers.
    pub fn new(handler: H, identify: Identify, options: Options) -> Self {
        let mut manager = LocalSessionManager::default();
        manager.session_config.keep_alive = Some(options.idle);
        let server = Self {
            handler,
            identify,
            sessions: Arc::new(Sessions::new(manager)),
            options,
        };
        actix_web::rt::spawn(server.clone().rest());
        server
    }

    /// Puts to rest what nobody uses, until the service stops.
    async fn rest(self) {
        let Options {
            book,
            rest,
            shutdown,
            ..
        } = &self.options;
        let look = (*rest / 4).clamp(Duration::from_millis(20), Duration::from_secs(30));
        let due = || book.some_should_rest(look);
        while shutdown.run_until_cancelled(due()).await.is_some() {
            book.rest(*rest, async |id| self.close(id).await).await;
            book.measure();
        }
    }

    /// Takes a session out of memory.
    async fn close(&self, id: String) {
        self.sessions.put_to_rest(&id.into()).await;
    }

    /// Registers the scope `/mcp`, after everything else below that path.
    pub fn configure(&self, config: &mut ServiceConfig) {
        let handler = self.handler.clone();
        let identify = self.identify.clone();
        let service = StreamableHttpService::builder()
            .service_factory(Arc::new(move || Ok(handler.clone())))
            .session_manager(self.sessions.clone())
            .session_store(self.options.book.clone())
            // Host and Origin are the service's own gate for all routes; the SDK's would know the one and not the other.
            .allowed_hosts(Vec::new())
            .sse_keep_alive(self.options.keep_alive)
            .max_request_body_bytes(MAX_MESSAGE)
            .cancellation_token(self.options.shutdown.child_token())
            .on_request_fn(move |request, extensions| {
                if let Some(caller) = identify(request) {
                    extensions.insert(caller);
                }
            })
            .build();
        let server = self.clone();
        config.service(
            service
                .scope_with_path("/mcp")
                .wrap(from_fn(move |request, next| {
                    let server = server.clone();
                    async move { server.guard(request, next).await }
                })),
        );
    }

    /// Lets through who is known, whose session it is, and what is not too long.
    async fn guard<B: MessageBody + 'static>(
        &self,
        mut request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse, Error> {
        let refuse =
            |request: ServiceRequest, response: HttpResponse| Ok(request.into_response(response));
        let Some(Caller { owner, .. }) = (self.identify)(request.request()) else {
            return refuse(request, plain(401, "Send `Authorization: Bearer KEY`."));
        };
        let session = request.headers().get(SESSION_HEADER);
        let session = session.and_then(|id| id.to_str().ok()).map(str::to_owned);
        let mut in_use = None;
        if let Some(id) = &session {
            in_use = self.options.book.take_up(id, &owner).await;
            if in_use.is_none() {
                let unknown = plain(404, "There is no such session; initialize again.");
                return refuse(request, unknown);
            }
        }
        if *request.method() == Method::POST {
            match read_message(&mut request).await {
                Err(refusal) => return refuse(request, refusal),
                Ok(true) if session.is_none() => return self.open(request, next, owner).await,
                Ok(_) => {}
            }
        }
        let ends = *request.method() == Method::DELETE;
        let mut response = next.call(request).await?;
        if ends && session.is_some() && response.status().is_success() {
            // The SDK's 202 is taken for a failure by the Python client, which then warns of it.
            *response.response_mut().status_mut() = StatusCode::OK;
        }
        Ok(response.map_into_boxed_body().map_body(|_, body| {
            BoxBody::new(InUse {
                body,
                _session: in_use,
            })
        }))
    }

    /// Opens a session: when its id is answered, it stands in the book. Also when the client is gone meanwhile, so that nothing
    /// stays in memory of which the book does not know.
    async fn open<B: MessageBody + 'static>(
        &self,
        request: ServiceRequest,
        next: Next<B>,
        owner: Owner,
    ) -> Result<ServiceResponse, Error> {
        let server = self.clone();
        let opened = actix_web::rt::spawn(async move {
            let response = next.call(request).await?.map_into_boxed_body();
            let given = response.headers().get(SESSION_HEADER);
            let Some(id) = given.and_then(|id| id.to_str().ok()).map(str::to_owned) else {
                return Ok(response);
            };
            let entered = server.options.book.enter(&id, &owner).await;
            server.options.book.measure();
            match entered {
                Ok(ended) => {
                    for id in ended {
                        tracing::debug!(session = id, "session ends: there are too many");
                        server.close(id).await;
                    }
                    Ok(response)
                }
                Err(()) => {
                    server.close(id).await;
                    let (request, _) = response.into_parts();
                    let later = later("The session could not be written down.");
                    Ok(ServiceResponse::new(request, later))
                }
            }
        });
        opened.await.map_err(ErrorInternalServerError)?
    }
}

/// The body of an answer; while it is not at its end, its session is in use.
struct InUse {
    body: BoxBody,
    _session: Option<Use>,
}

impl MessageBody for InUse {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

/// Reads a message, looks at its length, and puts it back for the SDK; answers whether it opens a session.
///
/// # Errors
/// The answer to a message that is too long, breaks off or is none.
async fn read_message(request: &mut ServiceRequest) -> Result<bool, HttpResponse> {
    let broken = |_| plain(400, "The body broke off.");
    let payload = request.extract::<Payload>().await.map_err(broken)?;
    let body = payload.to_bytes_limited(MAX_MESSAGE).await.map_err(|_| {
        let why = format!("A message may have at most 1 MB ({MAX_MESSAGE} bytes).");
        plain(413, &why)
    })?;
    let body = body.map_err(broken)?;
    // The SDK would answer 415 in plain text.
    let message = parse(&body)
        .map_err(|why| HttpResponse::BadRequest().json(JsonRpcError::new(None, why)))?;
    if let Some((id, why)) = long_initialize(&message, body.len()) {
        let refusal = JsonRpcError::new(Some(id), ErrorData::invalid_request(why, None));
        return Err(HttpResponse::PayloadTooLarge().json(refusal));
    }
    request.set_payload(body.into());
    Ok(is_initialize(&message))
}
