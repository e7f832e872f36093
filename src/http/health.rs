//! `/health`: whether the process lives, whether it can work, and how it stands. Open to everyone, so it names no content.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
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
    /// What is wrong, in words; faults of Confluence and of the store are told here and are no reason not to be ready.
    reasons: Vec<String>,
}

/// How the service stands.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Summary {
    /// `ok`; `degraded` with reasons; `down` when it is not ready.
    status: &'static str,
    /// The version of the program.
    version: &'static str,
    /// Seconds since the start.
    uptime_seconds: u64,
    /// What is wrong, in words.
    reasons: Vec<String>,
    /// How many indexes stand how.
    indexes: BTreeMap<&'static str, usize>,
    /// Documents in all indexes.
    documents: i64,
    /// Runs under way.
    running: usize,
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
    Diagnosis {
        blocking,
        elsewhere: engine.reasons.clone(),
        engine,
    }
}

/// Whether it can work.
#[utoipa::path(get, path = "/health/ready", operation_id = "health_ready", tag = "health", security(()),
    summary = "Whether the database and the engine can work; faults elsewhere are listed.",
    responses((status = 200, body = Ready), (status = 503, description = "`engine_busy`, with `reasons`.")))]
pub async fn health_ready(state: web::Data<AppState>) -> HttpResponse {
    let found = diagnose(&state).await;
    let ready = found.blocking.is_empty();
    let reasons: Vec<String> = found.blocking.into_iter().chain(found.elsewhere).collect();
    if ready {
        return HttpResponse::Ok().json(Ready {
            status: "ready",
            reasons,
        });
    }
    HttpResponse::ServiceUnavailable()
        .insert_header((header::RETRY_AFTER, "1"))
        .insert_header((header::CONTENT_TYPE, super::problem::PROBLEM_JSON))
        .json(NotReady {
            problem: domain::problem::Problem::new("engine_busy", reasons.join(" ")),
            reasons,
        })
}

/// A problem with the reasons in the place where a success has them.
#[derive(Serialize)]
struct NotReady {
    #[serde(flatten)]
    problem: domain::problem::Problem,
    reasons: Vec<String>,
}

/// How the service stands.
#[utoipa::path(get, path = "/health", operation_id = "health_summary", tag = "health", security(()),
    summary = "How the service stands, in numbers.", responses((status = 200, body = Summary)))]
pub async fn health_summary(state: web::Data<AppState>) -> ApiResult<web::Json<Summary>> {
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
    Ok(web::Json(Summary {
        status,
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: state.started.elapsed().as_secs(),
        reasons: found.blocking.into_iter().chain(found.elsewhere).collect(),
        indexes: by_status,
        documents: indexes.iter().map(|index| index.document_count).sum(),
        running: found
            .engine
            .indexes
            .iter()
            .filter(|index| index.run.is_some())
            .count(),
    }))
}
