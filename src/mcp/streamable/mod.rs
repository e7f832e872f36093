//! Streamable HTTP at `/mcp`: the SDK's own transport, mounted in actix, with our identities, limits and memory ([`book`]).

pub mod book;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::ServiceConfig;
use actix_web::{Error, HttpResponse};
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp_actix_web::transport::StreamableHttpService;

use super::caller::{Caller, Owner};
use super::{Identify, Options};

/// Bytes of a message at most.
const MAX_MESSAGE: usize = 1024 * 1024;
/// Entries of ended sessions that are kept until somebody looks.
const SPARE_OWNERS: usize = 256;
const SESSION_HEADER: &str = "mcp-session-id";

/// The transport. Clones are the same server.
pub struct Server<H> {
    handler: H,
    identify: Identify,
    options: Options,
    manager: Arc<LocalSessionManager>,
    owners: Arc<Owners>,
}

impl<H: Clone> Clone for Server<H> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler.clone(),
            identify: self.identify.clone(),
            options: self.options.clone(),
            manager: self.manager.clone(),
            owners: self.owners.clone(),
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
            owners: Arc::default(),
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

    /// Lets through who is known, whose session it is, and while there is room.
    async fn guard<B: MessageBody>(
        &self,
        request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<EitherBody<B>>, Error> {
        let refuse = |request: ServiceRequest, status: u16, text: &str| {
            let response = super::sse::plain(status, text);
            Ok(request.into_response(response).map_into_right_body())
        };
        let Some(Caller { owner, .. }) = (self.identify)(request.request()) else {
            return refuse(request, 401, "Send `Authorization: Bearer KEY`.");
        };
        let session = request
            .headers()
            .get(SESSION_HEADER)
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned);
        match &session {
            Some(id) if self.owner(id).await.as_ref() != Some(&owner) => {
                return refuse(request, 404, "There is no such session; initialize again.");
            }
            None if *request.method() == Method::POST
                && self.manager.sessions.read().await.len() >= self.options.max_sessions =>
            {
                let response = HttpResponse::ServiceUnavailable()
                    .insert_header((header::RETRY_AFTER, "5"))
                    .body("There are too many open sessions.");
                return Ok(request.into_response(response).map_into_right_body());
            }
            _ => {}
        }
        let ends = *request.method() == Method::DELETE;
        let mut response = next.call(request).await?;
        if let (true, Some(id)) = (ends && response.status().is_success(), &session) {
            self.owners.forget(id);
            // The SDK's 202 is taken for a failure by the Python client, which then warns of it.
            *response.response_mut().status_mut() = StatusCode::OK;
        }
        let given = response.headers().get(SESSION_HEADER);
        if let Some(id) = given.and_then(|id| id.to_str().ok()) {
            self.options.book.belongs(id, &owner);
            self.note(id, &owner).await;
        }
        Ok(response.map_into_left_body())
    }

    /// Who opened a session: an open one, or one from before a restart or an idle end, that the SDK will take up again.
    async fn owner(&self, id: &str) -> Option<Owner> {
        if let Some(owner) = self.owners.of(id) {
            return Some(owner);
        }
        self.options.book.ready().await;
        let owner = self.options.book.owner(id)?;
        // The book may forget it while it is open again.
        self.note(id, &owner).await;
        Some(owner)
    }

    async fn note(&self, id: &str, owner: &Owner) {
        let open: Vec<_> = self.manager.sessions.read().await.keys().cloned().collect();
        self.owners.note(id, owner, &open);
    }
}

/// Who opened which open session. A session id is no credential: what a request may do is decided by its own, and this keeps
/// one caller from talking into another's session. A session of which nobody knows whose it is answers nobody.
#[derive(Default)]
struct Owners {
    known: Mutex<HashMap<String, Owner>>,
}

impl Owners {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, Owner>) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn of(&self, id: &str) -> Option<Owner> {
        self.with(|known| known.get(id).cloned())
    }

    /// Notes the owner of a session; `open` are the sessions of the SDK's manager, this one included. Those that ended by
    /// themselves leave entries, which are dropped from time to time.
    fn note(&self, id: &str, owner: &Owner, open: &[impl AsRef<str>]) {
        self.with(|known| {
            if known.len() >= open.len() + SPARE_OWNERS {
                let open: HashSet<&str> = open.iter().map(AsRef::as_ref).collect();
                known.retain(|id, _| open.contains(id.as_str()));
            }
            known.entry(id.to_owned()).or_insert_with(|| owner.clone());
        });
    }

    fn forget(&self, id: &str) {
        self.with(|known| known.remove(id));
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.with(|known| known.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &[&str] = &[];

    #[test]
    fn only_who_opened_a_session_is_let_in() {
        let owners = Owners::default();
        let (own, other) = (Owner::new("token:1"), Owner::new("token:2"));
        owners.note("a", &own, NONE);
        assert!(owners.of("a") == Some(own.clone()));
        owners.note("a", &other, &["a"]);
        assert!(owners.of("a") == Some(own), "the first owner stays");
        assert!(owners.of("unknown").is_none());
    }

    #[test]
    fn owners_of_ended_sessions_are_dropped_and_of_open_ones_never() {
        let owners = Owners::default();
        let own = Owner::new("token:1");
        owners.note("open", &own, NONE);
        for n in 0..10_000 {
            let id = n.to_string();
            owners.note(&id, &own, &["open", &id]);
            assert!(owners.of("open").is_some());
            assert!(owners.len() <= SPARE_OWNERS + 2, "{}", owners.len());
        }
    }
}
