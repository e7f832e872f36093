//! `/health`: whether the process lives, whether it can work, and how it stands. Open to everyone: a stranger hears the status,
//! and who may read every index also hears why and in what numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use actors::{BackendStatus, EngineStatus};
use chrono::{DateTime, Utc};
use domain::IndexId;
use domain::index::{BackendKind, Index, IndexStatus};
use domain::moving::{self, PendingRebuild};
use domain::ports::source::SourceHealth;
use serde::Serialize;

use super::confluence::ConnectionState;
use super::problem::ApiResult;
use super::routes;
use crate::connection::State;
use crate::diagnosis::{self, every_index};
use crate::state::AppState;

/// A part that does not answer within this is not there.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    let get = |path: &str, route| routes::resource(path, [(routes::GET, route)]);
    config
        .service(get("/health", routes::get_or_head().to(health_summary)))
        .service(get("/health/live", routes::get_or_head().to(health_live)))
        .service(get("/health/ready", routes::get_or_head().to(health_ready)));
}

/// Alive.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Live {
    /// `live`.
    status: &'static str,
}

/// Whether it can work.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Ready {
    /// `ready`.
    status: &'static str,
    /// What is wrong, in words, for whoever may read every index; faults of Confluence and of the store are told here and are no
    /// reason not to be ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Vec<String>>,
}

/// How the service stands.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Summary {
    /// `ok`; `degraded` with reasons; `down` when it is not ready.
    status: &'static str,
    /// The version of the program; this and what follows only for whoever may read every index.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    /// Seconds since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime_seconds: Option<u64>,
    /// What is wrong, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Vec<String>>,
    /// How many indexes stand how.
    #[serde(skip_serializing_if = "Option::is_none")]
    indexes: Option<BTreeMap<&'static str, usize>>,
    /// Documents in all indexes.
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<i64>,
    /// Runs under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<usize>,
    /// Confluence.
    #[serde(skip_serializing_if = "Option::is_none")]
    confluence: Option<SiteView>,
    /// The retrieval stores that are set up.
    #[serde(skip_serializing_if = "Option::is_none")]
    stores: Option<Vec<StoreView>>,
    /// What the database takes on disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<DiskView>,
    /// Rebuilds that a changed setting asks for, which wait for the administrator's word; none makes the service degraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_rebuilds: Option<Vec<PendingView>>,
}

/// A rebuild of an index that waits for the administrator's word.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PendingView {
    /// The index.
    index_id: IndexId,
    /// Its name.
    name: String,
    /// What is asked and what it takes.
    #[serde(flatten)]
    rebuild: PendingRebuild,
    /// The same in words.
    said: String,
    /// How one agrees, and how one keeps all as it is.
    remedy: String,
}

impl PendingView {
    fn of((index, rebuild): (&Index, PendingRebuild)) -> Self {
        Self {
            index_id: index.id,
            name: index.settings.name.clone(),
            said: rebuild.to_string(),
            remedy: moving::how_to_agree(index, &rebuild),
            rebuild,
        }
    }
}

/// How the service stands with Confluence.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SiteView {
    /// `CONFLUENCE_BASE_URL`.
    site: Option<String>,
    /// How the connection by OAuth stands; null where an API token is used.
    connection: Option<ConnectionState>,
    /// Requests made since the start.
    requests: u64,
    /// How many are in flight.
    in_flight: usize,
    /// How many may be in flight now.
    concurrency_limit: usize,
    /// Until when every request waits: a limit or a quota of Confluence is used up.
    paused_until: Option<DateTime<Utc>>,
    /// What its last answer told of the quota; null where it told nothing.
    quota: Option<QuotaView>,
    /// The last trouble, in words; null after a success.
    trouble: Option<String>,
}

/// What is left of a quota.
#[derive(Serialize, utoipa::ToSchema)]
pub struct QuotaView {
    /// Points or requests.
    remaining: u64,
    /// When all of it is there again.
    refilled_at: DateTime<Utc>,
}

/// How the service stands with a retrieval store.
#[derive(Serialize, utoipa::ToSchema)]
pub struct StoreView {
    /// Which one.
    backend: BackendKind,
    /// What it is, in words: host and generation, or file and size.
    description: String,
    /// Requests made since the start; 0 for the embedded one.
    requests: u64,
    /// The last trouble, in words; null after a success.
    trouble: Option<String>,
}

/// What the database takes on disk.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DiskView {
    /// Its files, bytes.
    database_bytes: i64,
    /// Texts of pages that are kept in it, number.
    bodies: i64,
    /// The same, bytes.
    bodies_bytes: i64,
    /// What is free beside the database, bytes; null where the system does not say.
    free_bytes: Option<u64>,
}

fn site(state: &AppState, source: &SourceHealth, connection: Option<ConnectionState>) -> SiteView {
    let account = state.settings.confluence.as_ref();
    let base = account.map(|account| account.base_url.as_str());
    SiteView {
        site: base.map(|base| base.trim_end_matches('/').to_owned()),
        connection,
        requests: source.requests,
        in_flight: source.in_flight,
        concurrency_limit: source.concurrency_limit,
        paused_until: source.paused_until,
        quota: source.quota.map(|left| QuotaView {
            remaining: left.remaining,
            refilled_at: left.refilled_at,
        }),
        trouble: source.trouble.clone(),
    }
}

fn store(status: &BackendStatus) -> StoreView {
    StoreView {
        backend: status.kind,
        description: status.health.description.clone(),
        requests: status.health.requests,
        trouble: status.health.trouble.clone(),
    }
}

/// Indexes that are named with their reasons.
const NAMED: usize = 20;

/// Why indexes do not stand well, in words.
fn reasons_of(indexes: &[Index]) -> Vec<String> {
    let troubled = indexes.iter().filter(|index| is_troubled(index.status));
    let mut reasons: Vec<String> = troubled
        .clone()
        .take(NAMED)
        .map(|index| {
            let why = index.status_reason.as_deref();
            format!(
                "index {:?}: {}",
                index.settings.name,
                why.unwrap_or(index.status.as_str())
            )
        })
        .collect();
    let more = troubled.count().saturating_sub(NAMED);
    if more > 0 {
        reasons.push(format!("{more} more indexes do not stand well"));
    }
    reasons
}

const fn is_troubled(status: IndexStatus) -> bool {
    matches!(
        status,
        IndexStatus::Degraded | IndexStatus::Failed | IndexStatus::NeedsConfirmation
    )
}

/// Whether who asks may hear more than the status.
async fn may_hear(request: &HttpRequest, state: &AppState) -> ApiResult<bool> {
    let visitor = state.auth.visitor(request, &state.store).await?;
    Ok(visitor.is_some_and(|principal| principal.own_indexes().is_none()))
}

/// Alive.
#[utoipa::path(get, path = "/health/live", operation_id = "health_live", tag = "health", security(()),
    summary = "Whether the process lives.", responses((status = 200, body = Live)))]
pub async fn health_live() -> web::Json<Live> {
    web::Json(Live { status: "live" })
}

/// What stops the service from working, and what is wrong elsewhere.
struct Diagnosis {
    blocking: Vec<String>,
    elsewhere: Vec<String>,
    connection: Option<ConnectionState>,
    engine: EngineStatus,
}

async fn diagnose(state: &AppState) -> Diagnosis {
    let mut blocking = Vec::new();
    if state.shutdown.is_cancelled() {
        blocking.push("The service stops.".to_owned());
    }
    match tokio::time::timeout(TIMEOUT, state.store.check()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => blocking.push(error.to_string()),
        Err(_) => blocking.push("The database does not answer.".to_owned()),
    }
    let engine = tokio::time::timeout(TIMEOUT, state.engine.status())
        .await
        .unwrap_or_default();
    if !engine.ready {
        blocking.push("The sync engine takes no orders.".to_owned());
    }
    let connection = match &state.connection {
        Some(connection) => {
            let found = tokio::time::timeout(TIMEOUT, connection.state()).await;
            // That the database does not answer is said above.
            found.ok().and_then(Result::ok)
        }
        None => None,
    };
    let full = state.fairness.full().reasons();
    Diagnosis {
        blocking,
        elsewhere: full
            .into_iter()
            .chain(state.file_trouble.told())
            .chain(state.people_trouble.told())
            .chain(connection.as_ref().and_then(State::trouble))
            .chain(engine.reasons.clone())
            .collect(),
        connection: connection.as_ref().map(ConnectionState::of),
        engine,
    }
}

/// Whether it can work.
#[utoipa::path(get, path = "/health/ready", operation_id = "health_ready", tag = "health", security(()),
    summary = "Whether the database and the engine can work; faults elsewhere are listed.",
    responses((status = 200, body = Ready), (status = 401, description = "Wrong credentials."), (status = 503, description = "`engine_busy`, with `reasons`.")))]
pub async fn health_ready(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let may_hear = may_hear(&request, &state).await?;
    let found = diagnose(&state).await;
    let ready = found.blocking.is_empty();
    let reasons: Vec<String> = found.blocking.into_iter().chain(found.elsewhere).collect();
    if ready {
        return Ok(HttpResponse::Ok().json(Ready {
            status: "ready",
            reasons: may_hear.then_some(reasons),
        }));
    }
    let detail = if may_hear {
        reasons.join(" ")
    } else {
        "The service is not ready; with credentials this address says why.".to_owned()
    };
    Ok(HttpResponse::ServiceUnavailable()
        .insert_header((header::RETRY_AFTER, "1"))
        .insert_header((header::CONTENT_TYPE, super::problem::PROBLEM_JSON))
        .json(NotReady {
            problem: domain::problem::Problem::new("engine_busy", detail),
            reasons: may_hear.then_some(reasons),
        }))
}

/// A problem with the reasons in the place where a success has them.
#[derive(Serialize)]
struct NotReady {
    #[serde(flatten)]
    problem: domain::problem::Problem,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Vec<String>>,
}

/// How the service stands.
#[utoipa::path(get, path = "/health", operation_id = "health_summary", tag = "health", security(()),
    summary = "How the service stands, in numbers.",
    responses((status = 200, body = Summary), (status = 401, description = "Wrong credentials.")))]
pub async fn health_summary(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<Summary>> {
    let may_hear = may_hear(&request, &state).await?;
    let found = diagnose(&state).await;
    let indexes = every_index(state.store.as_ref()).await.unwrap_or_default();
    let mut by_status: BTreeMap<&'static str, usize> = IndexStatus::ALL
        .iter()
        .map(|status| (status.as_str(), 0))
        .collect();
    for index in &indexes {
        *by_status.entry(index.status.as_str()).or_default() += 1;
    }
    let of_indexes = reasons_of(&indexes);
    let status = if !found.blocking.is_empty() {
        "down"
    } else if !of_indexes.is_empty() || !found.elsewhere.is_empty() {
        "degraded"
    } else {
        "ok"
    };
    let running = found.engine.indexes.iter();
    let running = running.filter(|index| index.run.is_some()).count();
    let elsewhere = found.elsewhere.into_iter().chain(of_indexes);
    let reasons = found.blocking.into_iter().chain(elsewhere).collect();
    let disk = match may_hear {
        true => state.store.disk_use().await.ok(),
        false => None,
    };
    let pending = diagnosis::pending_rebuilds(&state.backends, &indexes);
    let pending = may_hear.then(|| pending.map(PendingView::of).collect());
    let documents = indexes.iter().map(|index| index.document_count).sum();
    Ok(web::Json(Summary {
        status,
        version: may_hear.then_some(crate::version()),
        uptime_seconds: may_hear.then(|| state.started.elapsed().as_secs()),
        reasons: may_hear.then_some(reasons),
        indexes: may_hear.then_some(by_status),
        documents: may_hear.then_some(documents),
        running: may_hear.then_some(running),
        confluence: may_hear.then(|| site(&state, &found.engine.source, found.connection)),
        stores: may_hear.then(|| found.engine.backends.iter().map(store).collect()),
        disk: disk.map(|disk| DiskView {
            database_bytes: disk.database_bytes,
            bodies: disk.bodies,
            bodies_bytes: disk.bodies_bytes,
            free_bytes: diagnosis::least_free(&state.settings),
        }),
        pending_rebuilds: pending,
    }))
}
