//! `/health`: whether the process lives, whether it can work, and how it stands. Open to everyone: a stranger hears the status,
//! and who may read every index also hears why and in what numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use actors::EngineStatus;
use domain::index::IndexStatus;
use serde::Serialize;

use super::problem::ApiResult;
use super::routes;
use crate::diagnosis::every_index;
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
}

/// Whether who asks may hear more than the status.
async fn may_hear(request: &HttpRequest, state: &AppState) -> ApiResult<bool> {
    let visitor = state.auth.visitor(request, &state.store).await?;
    Ok(visitor.is_some_and(|principal| principal.only_index().is_none()))
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
    let full = state.fairness.full().reasons();
    Diagnosis {
        blocking,
        elsewhere: full.into_iter().chain(engine.reasons.clone()).collect(),
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
    let troubled = [
        IndexStatus::Degraded,
        IndexStatus::Failed,
        IndexStatus::NeedsConfirmation,
    ]
    .iter()
    .any(|status| by_status[status.as_str()] > 0);
    let status = if !found.blocking.is_empty() {
        "down"
    } else if troubled || !found.elsewhere.is_empty() {
        "degraded"
    } else {
        "ok"
    };
    let running = found.engine.indexes.iter();
    let running = running.filter(|index| index.run.is_some()).count();
    let reasons = found.blocking.into_iter().chain(found.elsewhere).collect();
    let documents = indexes.iter().map(|index| index.document_count).sum();
    Ok(web::Json(Summary {
        status,
        version: may_hear.then_some(crate::version()),
        uptime_seconds: may_hear.then(|| state.started.elapsed().as_secs()),
        reasons: may_hear.then_some(reasons),
        indexes: may_hear.then_some(by_status),
        documents: may_hear.then_some(documents),
        running: may_hear.then_some(running),
    }))
}
