//! Streamable HTTP at `/mcp`: the SDK's own transport, mounted in actix, with our identities, limits and memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::ServiceConfig;
use actix_web::{Error, HttpResponse};
use async_trait::async_trait;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::{
    SessionState, SessionStore, SessionStoreError,
};
use rmcp_actix_web::transport::StreamableHttpService;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::caller::{Caller, Reader};
use super::{Identify, Options};

/// Bytes of a message at most.
const MAX_MESSAGE: usize = 1024 * 1024;
/// Sessions that are remembered beyond a restart, the newest.
const REMEMBERED: usize = 1_000;
/// How long a change may wait to be written down.
const WRITE_DELAY: Duration = Duration::from_secs(1);
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
            owners: Arc::new(Owners::new(options.max_sessions)),
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
        let Some(Caller { reader, .. }) = (self.identify)(request.request()) else {
            return refuse(request, 401, "Send `Authorization: Bearer KEY`.");
        };
        let session = request
            .headers()
            .get(SESSION_HEADER)
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned);
        match &session {
            Some(id) if !self.owners.allows(id, reader) => {
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
            self.owners.note(id, reader);
        }
        Ok(response.map_into_left_body())
    }
}

/// Which credentials opened which session. A session id is no credential: what a request may do is decided by its own, and
/// this only keeps one caller from talking into another's session.
struct Owners {
    known: Mutex<HashMap<String, Reader>>,
    max: usize,
}

impl Owners {
    fn new(max: usize) -> Self {
        Self {
            known: Mutex::default(),
            max,
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, Reader>) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A session from before a restart has no owner until its first request.
    fn allows(&self, id: &str, reader: Reader) -> bool {
        self.with(|known| known.get(id).is_none_or(|owner| *owner == reader))
    }

    fn note(&self, id: &str, reader: Reader) {
        self.with(|known| {
            // Sessions that idled away leave entries; twice the bound is the time to drop some.
            if known.len() >= self.max * 2 {
                let old: Vec<String> = known.keys().take(self.max).cloned().collect();
                for id in old {
                    known.remove(&id);
                }
            }
            known.entry(id.to_owned()).or_insert(reader);
        });
    }

    fn forget(&self, id: &str) {
        self.with(|known| known.remove(id));
    }
}

/// Where the book is written down.
#[async_trait]
pub trait Notebook: Send + Sync {
    /// What was written last.
    async fn read(&self) -> Option<String>;
    /// Writes it anew.
    async fn write(&self, text: String);
}

/// What is remembered of Streamable HTTP sessions beyond a restart (and beyond their idle end): the `initialize` of each, so
/// that the SDK can take them up again without the client noticing. Bounded; losing it costs a client one new `initialize`.
#[derive(Default)]
pub struct SessionBook {
    entries: Mutex<Entries>,
    changed: Notify,
}

#[derive(Default)]
struct Entries {
    states: HashMap<String, (u64, SessionState)>,
    next: u64,
}

impl SessionBook {
    /// A book that ends with the process.
    #[must_use]
    pub fn forgetful() -> Self {
        Self::default()
    }

    /// A book that is kept in a notebook: read once in the background, written a moment after each change.
    #[must_use]
    pub fn kept(notebook: Arc<dyn Notebook>, shutdown: CancellationToken) -> Arc<Self> {
        let book = Arc::new(Self::default());
        let kept = book.clone();
        actix_web::rt::spawn(async move {
            if let Some(text) = notebook.read().await {
                kept.fill(&text);
            }
            loop {
                tokio::select! {
                    // What changed last is written, also when the service stops.
                    biased;
                    () = kept.changed.notified() => {}
                    () = shutdown.cancelled() => break,
                }
                tokio::select! {
                    () = tokio::time::sleep(WRITE_DELAY) => {}
                    () = shutdown.cancelled() => {}
                }
                notebook.write(kept.text()).await;
            }
        });
        book
    }

    fn with<T>(&self, work: impl FnOnce(&mut Entries) -> T) -> T {
        work(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn text(&self) -> String {
        self.with(|entries| {
            let mut all: Vec<(&String, &(u64, SessionState))> = entries.states.iter().collect();
            all.sort_by_key(|(_, (order, _))| *order);
            let all: Vec<(&String, &SessionState)> = all
                .into_iter()
                .map(|(id, (_, state))| (id, state))
                .collect();
            super::tools::to_value(&all).to_string()
        })
    }

    fn fill(&self, text: &str) {
        let Ok(all) = serde_json::from_str::<Vec<(String, SessionState)>>(text) else {
            tracing::warn!(
                "the remembered MCP sessions cannot be read; clients will initialize again"
            );
            return;
        };
        self.with(|entries| {
            for (id, state) in all {
                entries.add(id, state);
            }
        });
    }
}

impl Entries {
    fn add(&mut self, id: String, state: SessionState) {
        self.next += 1;
        self.states.insert(id, (self.next, state));
        if self.states.len() > REMEMBERED {
            let oldest = self.states.iter().min_by_key(|(_, (order, _))| *order);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                self.states.remove(&id);
            }
        }
    }
}

#[async_trait]
impl SessionStore for SessionBook {
    async fn load(&self, id: &str) -> Result<Option<SessionState>, SessionStoreError> {
        Ok(self.with(|entries| entries.states.get(id).map(|(_, state)| state.clone())))
    }

    async fn store(&self, id: &str, state: &SessionState) -> Result<(), SessionStoreError> {
        self.with(|entries| entries.add(id.to_owned(), state.clone()));
        self.changed.notify_one();
        Ok(())
    }

    async fn delete(&self, id: &str) -> Result<(), SessionStoreError> {
        self.with(|entries| entries.states.remove(id));
        self.changed.notify_one();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::{ClientCapabilities, Implementation, InitializeRequestParams};

    fn state(name: &str) -> SessionState {
        SessionState::new(InitializeRequestParams::new(
            ClientCapabilities::default(),
            Implementation::new(name, "1"),
        ))
    }

    #[actix_web::test]
    async fn the_book_survives_and_stays_bounded() {
        let book = SessionBook::forgetful();
        for n in 0..REMEMBERED + 5 {
            book.store(&n.to_string(), &state("c")).await.unwrap();
        }
        book.delete("1000").await.unwrap();
        let again = SessionBook::forgetful();
        again.fill(&book.text());
        assert!(again.load("4").await.unwrap().is_none());
        assert!(again.load("1000").await.unwrap().is_none());
        let found = again.load("1004").await.unwrap().unwrap();
        assert_eq!(found.initialize_params.client_info.name, "c");
        again.fill("no json");
    }

    #[test]
    fn a_session_belongs_to_who_opened_it() {
        let owners = Owners::new(2);
        let other = Reader::Index(domain::IndexId::generate());
        owners.note("a", Reader::Everything);
        assert!(owners.allows("a", Reader::Everything) && !owners.allows("a", other));
        assert!(owners.allows("from before the restart", other));
        for n in 0..20 {
            owners.note(&n.to_string(), other);
        }
        assert!(owners.with(|known| known.len()) <= 4);
    }
}
