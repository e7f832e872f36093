//! Streamable HTTP at `/mcp`: the SDK's own transport, mounted in actix, with our identities, limits and memory ([`book`]).

pub mod book;

use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{Payload, ServiceConfig};
use actix_web::{Error, HttpResponse};
use rmcp::ServerHandler;
use rmcp::model::{ErrorData, JsonRpcError};
use rmcp::transport::streamable_http_server::session::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp_actix_web::transport::StreamableHttpService;

use super::caller::Caller;
use super::sse::link::parse;
use super::sse::plain;
use super::{Identify, Options, long_initialize};

/// Bytes of a message at most.
const MAX_MESSAGE: usize = 1024 * 1024;
const SESSION_HEADER: &str = "mcp-session-id";

/// The transport. Clones are the same server.
pub struct Server<H> {
    handler: H,
    identify: Identify,
    options: Options,
    manager: Arc<LocalSessionManager>,
}

impl<H: Clone> Clone for Server<H> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler.clone(),
            identify: self.identify.clone(),
            options: self.options.clone(),
            manager: self.manager.clone(),
        }
    }
}

impl<H> Server<H>
where
    H: ServerHandler + Clone + Send + Sync + 'static,
{
    /// With sessions of its own, shared by all workers.
    pub fn new(handler: H, identify: Identify, options: Options) -> Self {
        let mut manager = LocalSessionManager::default();
        manager.session_config.keep_alive = Some(options.idle);
        Self {
            handler,
            identify,
            manager: Arc::new(manager),
            options,
        }
    }

    /// Registers the scope `/mcp`, after everything else below that path.
    pub fn configure(&self, config: &mut ServiceConfig) {
        let handler = self.handler.clone();
        let identify = self.identify.clone();
        let service = StreamableHttpService::builder()
            .service_factory(Arc::new(move || Ok(handler.clone())))
            .session_manager(self.manager.clone())
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
    async fn guard<B: MessageBody>(
        &self,
        mut request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<EitherBody<B>>, Error> {
        let refuse = |request: ServiceRequest, response: HttpResponse| {
            Ok(request.into_response(response).map_into_right_body())
        };
        let Some(Caller { owner, .. }) = (self.identify)(request.request()) else {
            return refuse(request, plain(401, "Send `Authorization: Bearer KEY`."));
        };
        let session = request.headers().get(SESSION_HEADER);
        let session = session.and_then(|id| id.to_str().ok()).map(str::to_owned);
        if let Some(id) = &session
            && !self.options.book.admits(id, &owner).await
        {
            let unknown = plain(404, "There is no such session; initialize again.");
            return refuse(request, unknown);
        }
        if *request.method() == Method::POST
            && let Err(refusal) = read_message(&mut request).await
        {
            return refuse(request, refusal);
        }
        let ends = *request.method() == Method::DELETE;
        let mut response = next.call(request).await?;
        if ends && session.is_some() && response.status().is_success() {
            // The SDK's 202 is taken for a failure by the Python client, which then warns of it.
            *response.response_mut().status_mut() = StatusCode::OK;
        }
        let given = response.headers().get(SESSION_HEADER);
        if let Some(id) = given.and_then(|id| id.to_str().ok()) {
            self.end(self.options.book.belongs(id, &owner));
        }
        Ok(response.map_into_left_body())
    }

    /// Ends sessions that the book dropped, also when the client for whose sake they end is gone meanwhile.
    fn end(&self, sessions: Vec<String>) {
        if sessions.is_empty() {
            return;
        }
        let manager = self.manager.clone();
        actix_web::rt::spawn(async move {
            for id in sessions {
                tracing::debug!(session = id, "session ends: its owner has too many");
                if let Err(error) = manager.close_session(&id.into()).await {
                    tracing::debug!(%error, "the session had ended already");
                }
            }
        });
    }
}

/// Reads a message, looks at its length, and puts it back for the SDK.
///
/// # Errors
/// The answer to a message that is too long, breaks off or is none.
async fn read_message(request: &mut ServiceRequest) -> Result<(), HttpResponse> {
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
    Ok(())
}
