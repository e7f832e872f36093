//! HTTP with SSE, the transport of revision 2024-11-05 that LibreChat calls `sse`: the client opens a stream, learns from its
//! first event where to post, and finds the answers on the stream.
//!
//! One [`session::Session`] actor per stream, found through one [`registry::Registry`] actor per process; the SDK serves the
//! session over an in-memory pair of channels ([`link`]). The traps of real clients that this module minds:
//! the endpoint event comes first and is relative; a client that reconnects by itself goes on without `initialize`; a `HEAD`
//! or `POST` probe on the stream's address is 405; a session belongs to who opened it.

pub mod link;
pub mod registry;
pub mod session;

use actix::{Actor, Addr};
use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use actix_web_lab::sse as framing;
use rmcp::ServerHandler;
use serde::Deserialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use self::registry::{Count, Enter, Find, Registry};
use self::session::{Incoming, Refused, Session};
use super::{Identify, Options, long_initialize};

/// Sessions, as a number.
pub const SESSIONS: &str = "mcp_sse_sessions";

/// Messages that wait in either direction of a session at most.
const QUEUE: usize = 64;
/// Bytes of a message at most.
const MAX_MESSAGE: usize = 1024 * 1024;

/// The transport. Clones are the same server.
#[derive(Clone)]
pub struct Server<H> {
    handler: H,
    identify: Identify,
    options: Options,
    registry: Addr<Registry>,
}

#[derive(Deserialize)]
struct Posted {
    #[serde(rename = "sessionId", alias = "session_id")]
    session: Option<String>,
}

impl<H> Server<H>
where
    H: ServerHandler + Clone + Send + Sync + 'static,
{
    /// Starts the registry, on an actix thread.
    pub fn start(handler: H, identify: Identify, options: Options) -> Self {
        let registry = Registry::new(options.max_sessions, options.full.clone()).start();
        Self {
            handler,
            identify,
            options,
            registry,
        }
    }

    /// How many sessions are open.
    pub async fn sessions(&self) -> usize {
        self.registry.send(Count).await.unwrap_or_default()
    }

    /// Registers both paths.
    pub fn configure(&self, config: &mut ServiceConfig) {
        let open = self.clone();
        let open = move |request: HttpRequest| {
            let server = open.clone();
            async move { server.open(request).await }
        };
        let post = self.clone();
        let post = move |request: HttpRequest, query: web::Query<Posted>, body: web::Bytes| {
            let server = post.clone();
            async move { server.post(&request, query.into_inner(), &body).await }
        };
        config
            .service(
                web::resource(["/mcp/sse", "/mcp/sse/"])
                    .route(web::get().to(open))
                    .default_service(web::to(async || only("GET"))),
            )
            .service(
                // The second is where the relative endpoint leads when the stream was opened with a slash at its end.
                web::resource(["/mcp/messages", "/mcp/sse/messages"])
                    .app_data(web::PayloadConfig::new(MAX_MESSAGE))
                    .route(web::post().to(post))
                    .default_service(web::to(async || only("POST"))),
            );
    }

    async fn open(&self, request: HttpRequest) -> HttpResponse {
        let Some(caller) = (self.identify)(&request) else {
            return nobody();
        };
        if !accepts_events(&request) {
            return plain(
                406,
                "This address answers with text/event-stream; send `Accept: text/event-stream`.",
            );
        }
        if self.options.shutdown.is_cancelled() {
            return later("The service is stopping.");
        }
        let id = Uuid::new_v4();
        let (outbound, events) = mpsc::channel(QUEUE);
        // Nothing may come before this event. It is relative, so that it holds under any prefix of a proxy.
        let endpoint = framing::Data::new(format!("messages?sessionId={id}")).event("endpoint");
        if outbound.try_send(endpoint.into()).is_err() {
            return later("The session cannot be opened.");
        }
        let owner = caller.owner.clone();
        let (session, inbound) = Session::new(id, caller, &self.options, self.registry.clone());
        let ct = session.token();
        // Whose client is gone before it is entered has nobody else to end it.
        let unserved = ct.clone().drop_guard();
        let enter = Enter {
            id,
            session: session.start(),
            owner,
            ct,
        };
        if !self.registry.send(enter).await.unwrap_or(false) {
            return later("There are too many open sessions.");
        }
        let ct = unserved.disarm();
        tokio::spawn(link::serve(self.handler.clone(), inbound, outbound, ct));
        HttpResponse::Ok()
            .insert_header(("X-Accel-Buffering", "no"))
            .insert_header((header::CACHE_CONTROL, "no-cache, no-transform"))
            .insert_header((header::CONTENT_TYPE, "text/event-stream"))
            .insert_header((header::CONTENT_ENCODING, "identity"))
            .body(body(
                framing::Sse::from_infallible_receiver(events)
                    .with_keep_alive(self.options.keep_alive),
                &request,
            ))
    }

    async fn post(&self, request: &HttpRequest, posted: Posted, body: &[u8]) -> HttpResponse {
        let Some(caller) = (self.identify)(request) else {
            return nobody();
        };
        let Some(id) = posted.session else {
            return plain(
                400,
                "The address of a session ends in ?sessionId=…; the `endpoint` event of GET /mcp/sse names it.",
            );
        };
        let known = match Uuid::parse_str(&id) {
            Ok(id) => {
                // Somebody else's session does not exist for a caller.
                let find = Find(id, caller.owner);
                self.registry.send(find).await.ok().flatten()
            }
            Err(_) => None,
        };
        let Some(session) = known else {
            return unknown_session();
        };
        let message = match link::parse(body) {
            Ok(message) => message,
            Err(why) => return plain(400, &why.message),
        };
        if let Some((_, why)) = long_initialize(&message, body.len()) {
            return plain(413, &why);
        }
        match session.send(Incoming(message, caller.asker)).await {
            Ok(Ok(())) => HttpResponse::Accepted()
                .content_type("text/plain; charset=utf-8")
                .body("Accepted"),
            Ok(Err(Refused::Stuck)) => later("The session takes no more messages now."),
            Ok(Err(Refused::Ended)) | Err(_) => unknown_session(),
        }
    }
}

fn body<R: actix_web::Responder>(events: R, request: &HttpRequest) -> actix_web::body::BoxBody
where
    R::Body: actix_web::body::MessageBody + 'static,
{
    use actix_web::body::MessageBody;
    events.respond_to(request).into_body().boxed()
}

fn accepts_events(request: &HttpRequest) -> bool {
    let mut named = request.headers().get_all(header::ACCEPT).peekable();
    named.peek().is_none()
        || named
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|kind| {
                kind.split(';')
                    .next()
                    .unwrap_or("")
                    .trim()
                    .to_ascii_lowercase()
            })
            .any(|kind| matches!(kind.as_str(), "text/event-stream" | "text/*" | "*/*" | ""))
}

pub(super) fn plain(status: u16, text: &str) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(status)
        .unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status)
        .content_type("text/plain; charset=utf-8")
        .body(text.to_owned())
}

fn only(method: &str) -> HttpResponse {
    HttpResponse::MethodNotAllowed()
        .insert_header((header::ALLOW, method))
        .content_type("text/plain; charset=utf-8")
        .body(format!(
            "This address takes {method}. GET /mcp/sse opens a session; Streamable HTTP is at /mcp."
        ))
}

pub(super) fn later(text: &str) -> HttpResponse {
    // Never 429: LibreChat would not come back.
    HttpResponse::ServiceUnavailable()
        .insert_header((header::RETRY_AFTER, "5"))
        .content_type("text/plain; charset=utf-8")
        .body(text.to_owned())
}

fn unknown_session() -> HttpResponse {
    plain(
        404,
        "There is no such session: it ended, or it was never opened by this caller. Open GET /mcp/sse again.",
    )
}

fn nobody() -> HttpResponse {
    plain(401, "Send `Authorization: Bearer KEY`.")
}
