//! `/api/events`: what happens, live, as server-sent events.
//!
//! A reader first gets `snapshot`, then numbered events. The number is global and kept in the database, so `Last-Event-ID`
//! resumes also after a restart; where it cannot (too old, or from another database) a new `snapshot` comes. A reader that
//! falls behind gets a new `snapshot` too: nobody waits for it. Streams end when the service stops;
//! [`super::auth`] ends them with their credentials. Who only reads hears of a page that failed if it may be shown.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Responder, web};
use actix_web_lab::sse;
use domain::IndexId;
use domain::access::Access;
use domain::event::{Event, EventKind, NewEvent};
use domain::index::Index;
use domain::ports::store::{RunFilter, StoreError, StoreResult};
use domain::run::Run;
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use super::auth::{Bearer, Principal};
use super::indexes::{readable, with_live_run};
use super::problem::ApiResult;
use super::routes;
use crate::diagnosis::every_index;
use crate::mcp::text::clean_json;
use crate::state::AppState;

/// A comment goes out when nothing else did for so long; proxies and browsers give up on silence.
const KEEP_ALIVE: Duration = Duration::from_secs(12);
/// When a client should come back after a lost connection.
const RETRY: Duration = Duration::from_secs(3);
/// Events that wait for one slow client; beyond them it falls behind the hub and takes a snapshot.
const CLIENT_BUFFER: usize = 16;
/// Runs in a snapshot: those under way and the newest.
const SNAPSHOT_RUNS: usize = 50;
/// Events that one look into the database replays.
const REPLAY_BATCH: usize = 500;
/// A client further behind than this gets a snapshot instead of a replay.
const MAX_REPLAY: i64 = 5_000;

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(routes::resource(
            "/api/events",
            [(routes::GET, web::get().to(all_events))],
        ))
        .service(routes::resource(
            "/api/indexes/{id}/events",
            [(routes::GET, web::get().to(index_events))],
        ));
}

/// The state from which the events that follow go on.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Snapshot {
    /// The number of the newest event that is in it.
    id: i64,
    /// Indexes.
    indexes: Vec<Index>,
    /// Runs under way, and the newest that are over.
    runs: Vec<Run>,
}

/// Every event that the principal may see.
#[utoipa::path(get, path = "/api/events", operation_id = "watch_events", tag = "events",
    summary = "Watch indexes and syncs live (server-sent events).",
    params(("Last-Event-ID" = Option<i64>, Header, description = "Resume after this event.")),
    responses((status = 200, content_type = "text/event-stream", body = Snapshot,
        description = "`snapshot` first, then `run_started`, `progress`, `page_failed`, `run_finished`, `index_changed`. Of the pages that fail in a run the first 100 are named; `counts.failed` of the run has all.")))]
pub async fn all_events(
    principal: Principal,
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    Ok(stream(&request, state, principal, None))
}

/// The events of one index.
#[utoipa::path(get, path = "/api/indexes/{id}/events", operation_id = "watch_index_events", tag = "events",
    summary = "Watch one index live (server-sent events).",
    params(("id" = String, Path, description = "The index."),
        ("Last-Event-ID" = Option<i64>, Header, description = "Resume after this event.")),
    responses((status = 200, content_type = "text/event-stream", body = Snapshot), (status = 404)))]
pub async fn index_events(
    principal: Principal,
    request: HttpRequest,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let id = readable(&principal, &path)?;
    state.store.index(id).await?;
    Ok(stream(&request, state, principal, Some(id)))
}

fn stream(
    request: &HttpRequest,
    state: web::Data<AppState>,
    principal: Principal,
    only: Option<IndexId>,
) -> HttpResponse {
    let last_seen = request
        .headers()
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().parse::<i64>().ok());
    let (client, receiver) = mpsc::channel(CLIENT_BUFFER);
    // Subscribed before anything is read, so that nothing falls between the snapshot and the first live event.
    let events = state.engine.hub().subscribe();
    let reader = Reader {
        state: state.into_inner(),
        principal,
        only,
        client,
        position: 0,
    };
    actix_web::rt::spawn(reader.run(events, last_seen));
    let mut response = sse::Sse::from_infallible_receiver(receiver)
        .with_keep_alive(KEEP_ALIVE)
        .with_retry_duration(RETRY)
        .respond_to(request)
        .map_into_boxed_body();
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

/// The client is gone.
struct Gone;

/// One client's stream.
struct Reader {
    state: Arc<AppState>,
    principal: Principal,
    only: Option<IndexId>,
    client: mpsc::Sender<sse::Event>,
    /// The number of the newest event that the client has, in a snapshot or by itself.
    position: i64,
}

impl Reader {
    async fn run(mut self, mut events: Receiver<Arc<Event>>, last_seen: Option<i64>) {
        let shutdown = self.state.shutdown.clone();
        let client = self.client.clone();
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {
                // The connection closes after this; `retry` tells the client when to come back.
                let _ = client.try_send(sse::Event::Comment("the service stops".into()));
            }
            () = client.closed() => {}
            _ = self.follow(&mut events, last_seen) => {}
        }
    }

    async fn follow(
        &mut self,
        events: &mut Receiver<Arc<Event>>,
        last_seen: Option<i64>,
    ) -> Result<(), Gone> {
        if !self.resume(last_seen).await? {
            self.snapshot().await?;
        }
        loop {
            match events.recv().await {
                Ok(event) => self.tell(&event).await?,
                Err(RecvError::Lagged(_)) => {
                    // What was missed and what waits is all older than the snapshot that follows.
                    *events = events.resubscribe();
                    self.snapshot().await?;
                }
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }

    /// Replays what came after `last_seen`, where the database still has all of it.
    async fn resume(&mut self, last_seen: Option<i64>) -> Result<bool, Gone> {
        let Some(last_seen) = last_seen else {
            return Ok(false);
        };
        let Ok((oldest, newest)) = self.state.store.event_range().await else {
            return Ok(false);
        };
        let kept = last_seen >= oldest - 1 && last_seen <= newest;
        if !kept || newest - last_seen > MAX_REPLAY {
            return Ok(false);
        }
        self.position = last_seen;
        loop {
            let batch = self
                .state
                .store
                .events_after(self.position, self.only, REPLAY_BATCH)
                .await;
            match batch {
                Ok(batch) if batch.is_empty() => return Ok(true),
                Ok(batch) => {
                    for event in &batch {
                        self.tell(event).await?;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "events could not be replayed; a snapshot follows");
                    return Ok(false);
                }
            }
        }
    }

    async fn snapshot(&mut self) -> Result<(), Gone> {
        match self.take_snapshot().await {
            Ok(snapshot) => {
                self.position = snapshot.id;
                self.send("snapshot", snapshot.id, &snapshot).await
            }
            Err(error) => {
                // Ends the stream: the client comes back by itself.
                tracing::warn!(%error, "a snapshot could not be made");
                Err(Gone)
            }
        }
    }

    async fn take_snapshot(&self) -> StoreResult<Snapshot> {
        let store = &self.state.store;
        // The number first: what changes while the rest is read comes again as an event.
        let (_, id) = store.event_range().await?;
        let own = match self.only {
            Some(only) => Some(vec![only]),
            None => self.principal.own_indexes().map(|own| own.to_vec()),
        };
        let indexes = match &own {
            Some(own) => {
                let mut indexes = Vec::with_capacity(own.len());
                for id in own {
                    indexes.push(store.index(*id).await?);
                }
                indexes
            }
            None => every_index(self.state.store.as_ref()).await?,
        };
        let indexes: Vec<Index> = indexes
            .into_iter()
            .filter(|index| !self.is_only_per_person(index.id, index.settings.access))
            .collect();
        let filter = RunFilter {
            indexes: own,
            limit: SNAPSHOT_RUNS,
            ..RunFilter::default()
        };
        let mut runs = store.runs(&filter).await?.items;
        runs.retain(|run| indexes.iter().any(|index| index.id == run.index_id));
        for run in &mut runs {
            if let Some(live) = self.state.engine.hub().live_run(run.index_id)
                && live.id == run.id
                && run.status.is_open()
            {
                *run = live;
            }
        }
        Ok(Snapshot {
            id,
            indexes: indexes
                .into_iter()
                .map(|index| with_live_run(&self.state, index))
                .collect(),
            runs,
        })
    }

    /// Whether an index answers per person, and these credentials do not look after it: what runs count there is not for them.
    fn is_only_per_person(&self, index: IndexId, access: Access) -> bool {
        access.is_per_user() && !self.principal.looks_after(index)
    }

    async fn may_hear_of(&self, event: &NewEvent) -> bool {
        let index = event.index_id;
        if self.principal.looks_after(index) {
            return true;
        }
        match self.state.store.query_target(index).await {
            Ok(target) => !self.is_only_per_person(index, target.settings.access),
            // That it is gone is no secret.
            Err(StoreError::NotFound { .. }) => event.kind == EventKind::IndexChanged,
            Err(_) => false,
        }
    }

    async fn tell(&mut self, event: &Event) -> Result<(), Gone> {
        if event.seq <= self.position
            || !self.wants(&event.event).await
            || !self.may_hear_of(&event.event).await
        {
            return Ok(());
        }
        self.position = event.seq;
        match event.event.kind {
            EventKind::PageFailed if !self.principal.looks_after(event.event.index_id) => {
                match self.shown(&event.event).await? {
                    Some(shown) => self.send_event(event.seq, &shown).await,
                    None => Ok(()),
                }
            }
            EventKind::PageFailed
            | EventKind::RunStarted
            | EventKind::Progress
            | EventKind::RunFinished
            | EventKind::IndexChanged => self.send_event(event.seq, &event.event).await,
        }
    }

    /// Whether an event is for this client.
    async fn wants(&mut self, event: &NewEvent) -> bool {
        let index = event.index_id;
        if let Some(only) = self.only {
            return only == index;
        }
        if !self.principal.may_read(index)
            && event.kind == EventKind::IndexChanged
            && let Principal::Bearer(bearer) = &self.principal
            && bearer.role.may_change()
        {
            // Perhaps its bearer has just made it.
            match self.state.store.token(bearer.token).await {
                Ok(Some(token)) => self.principal = Principal::Bearer(Bearer::of(&token)),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "the indexes of an editor could not be read"),
            }
        }
        self.principal.may_read(index)
    }

    /// The failure of a page as anyone but the administrator may hear of it: the page as it may be shown by now.
    async fn shown(&self, failed: &NewEvent) -> Result<Option<NewEvent>, Gone> {
        let (Some(page), Some(run)) = (failed.data["id"].as_str(), failed.run_id) else {
            return Ok(None);
        };
        match self.state.store.page(failed.index_id, &page.into()).await {
            Ok(placed) => Ok(placed
                .shown()
                .map(|page| NewEvent::page_failed(&page, failed.index_id, run))),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => {
                tracing::warn!(%error, "an event could not be read; its stream ends");
                Err(Gone)
            }
        }
    }

    async fn send_event(&self, id: i64, event: &NewEvent) -> Result<(), Gone> {
        self.send(event.kind.as_str(), id, &event.data).await
    }

    async fn send(&self, name: &str, id: i64, data: &impl Serialize) -> Result<(), Gone> {
        let data = serde_json::to_string(data).map_err(|_| Gone)?;
        let data = sse::Data::new(clean_json(&data).into_owned());
        let event = sse::Event::Data(data.event(name.to_owned()).id(id.to_string()));
        self.client.send(event).await.map_err(|_| Gone)
    }
}
