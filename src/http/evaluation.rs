//! `/api/indexes/{id}/evaluation`: what an index is asked to see how well it answers, when, and what came of it.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use domain::IndexId;
use domain::evaluation::{Evaluation, EvaluationResult, troubles};
use domain::ports::clock::{Clock, SystemClock};
use domain::ports::store::StoreError;
use domain::problem::{FieldError, name_some};
use domain::quiet::QuietHoursError;
use serde::{Deserialize, Serialize};

use super::auth::Editor;
use super::fields::{Body, Check, Field, QueryString, Unknown};
use super::list::List;
use super::problem::{ApiError, ApiResult};
use super::routes;
use crate::evaluations;
use crate::state::AppState;

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(routes::resource(
            "/api/indexes/{id}/evaluation",
            [
                (routes::GET, web::get().to(get_evaluation)),
                (routes::POST, web::post().to(set_evaluation)),
                (routes::DELETE, web::delete().to(delete_evaluation)),
            ],
        ))
        .service(routes::resource(
            "/api/indexes/{id}/evaluation/run",
            [(routes::POST, web::post().to(run_evaluation))],
        ))
        .service(routes::resource(
            "/api/indexes/{id}/evaluation/results",
            [(routes::GET, web::get().to(list_evaluation_results))],
        ));
}

/// What an index is to be asked.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct EvaluationRequest {
    /// The text of a file of questions, as `mcp-confluence eval` reads it: YAML or JSON, a list of `question` and `pages`.
    #[serde(default)]
    #[schema(value_type = String, required = true, example = "- question: how do we roll back a release?\n  pages: [Rollback runbook]\n")]
    questions: Field<String>,
    /// A time of day with its zone, at which the questions are asked every day; without it only when somebody says so.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "03:00 Europe/Berlin")]
    schedule: Field<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// What an index is asked, and how the last time went.
#[derive(Serialize, utoipa::ToSchema)]
pub struct EvaluationState {
    /// The text of the file.
    pub questions: String,
    /// The time of day at which it is asked; null: when somebody says so.
    pub schedule: Option<String>,
    /// When the questions were set.
    pub set_at: DateTime<Utc>,
    /// Whether it waits to be asked, or is being asked.
    pub waiting: bool,
    /// When it is asked next; null: when somebody says so.
    pub next_at: Option<DateTime<Utc>>,
    /// When it was asked last.
    pub ran_at: Option<DateTime<Utc>>,
    /// Why the last time came to no figures; null: it did.
    pub error: Option<String>,
    /// Pages that the questions name and the index did not hold last time.
    pub unknown_pages: Vec<String>,
    /// Questions that found no right page last time.
    pub missed: Vec<String>,
}

/// What an index is asked, if anything.
#[derive(Serialize, utoipa::ToSchema)]
pub struct EvaluationAnswer {
    /// What it is asked; null: nothing.
    pub evaluation: Option<EvaluationState>,
}

impl From<Evaluation> for EvaluationState {
    fn from(of: Evaluation) -> Self {
        Self {
            waiting: of.wanted_at.is_some(),
            next_at: of.due(SystemClock.now()),
            questions: of.questions,
            schedule: of.schedule.map(|at| at.to_string()),
            set_at: of.set_at,
            ran_at: of.ran_at,
            error: of.error,
            unknown_pages: of.unknown_pages,
            missed: of.missed,
        }
    }
}

async fn state_of(state: &AppState, index: IndexId) -> ApiResult<EvaluationState> {
    let found = state.store.evaluation(index).await?;
    let found = found.ok_or_else(|| StoreError::NotFound {
        what: format!("evaluation of index {index}"),
    })?;
    Ok(found.into())
}

/// What an index is asked.
#[utoipa::path(get, path = "/api/indexes/{id}/evaluation", operation_id = "get_evaluation", tag = "evaluation",
    summary = "Show the questions by which an index is evaluated, when, and how the last time went.",
    params(("id" = String, Path, description = "The index.")),
    responses((status = 200, body = EvaluationAnswer), (status = 403), (status = 404)))]
pub async fn get_evaluation(
    editor: Editor,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<EvaluationAnswer>> {
    let id = editor.index(&path)?;
    state.store.index(id).await?;
    let evaluation = state.store.evaluation(id).await?;
    Ok(web::Json(EvaluationAnswer {
        evaluation: evaluation.map(EvaluationState::from),
    }))
}

/// Sets what an index is asked.
#[utoipa::path(post, path = "/api/indexes/{id}/evaluation", operation_id = "set_evaluation", tag = "evaluation",
    summary = "Set the questions by which an index is evaluated, in the place of those before, and evaluate it now.",
    params(("id" = String, Path, description = "The index.")), request_body = EvaluationRequest,
    responses((status = 202, body = EvaluationState), (status = 403), (status = 404),
        (status = 422, description = "What is wrong with the questions, or pages that the index does not hold.")))]
pub async fn set_evaluation(
    editor: Editor,
    path: web::Path<String>,
    state: web::Data<AppState>,
    Body(body): Body<EvaluationRequest>,
) -> ApiResult<HttpResponse> {
    let id = editor.index(&path)?;
    let mut check = Check::default();
    let text = check.required("questions", body.questions);
    let schedule = check
        .optional("schedule", body.schedule)
        .filter(|text| !text.trim().is_empty())
        .and_then(|text| {
            let read = text.parse().map_err(|error: QuietHoursError| {
                let wanted = "must be a time of day such as 03:00 or 03:00 Europe/Berlin";
                check.fail("schedule", format!("{wanted}: {error}"));
            });
            read.ok()
        });
    check.unknown("", &body.unknown, &["questions", "schedule"]);
    let mut questions = Vec::new();
    match text.as_deref().map(evaluations::read) {
        Some(Ok(read)) => {
            let wrong = troubles(&read).into_iter();
            wrong.for_each(|trouble| check.fail("questions", trouble));
            questions = read;
        }
        Some(Err(error)) => check.fail("questions", error),
        None => {}
    }
    check.done()?;
    let index = state.store.index(id).await?;
    // Before the first sync no page is known.
    if index.document_count > 0 {
        let unknown = evaluations::unknown_pages(state.store.as_ref(), id, &questions).await?;
        if !unknown.is_empty() {
            let named = name_some(unknown.iter().map(|name| format!("“{name}”")));
            return Err(ApiError::fields(vec![FieldError {
                field: "questions".to_owned(),
                message: format!(
                    "names pages that the index does not hold, by id or title: {named}"
                ),
            }]));
        }
    }
    let text = text.unwrap_or_default();
    state.store.set_evaluation(id, &text, schedule).await?;
    state.evaluation_due.notify_one();
    Ok(HttpResponse::Accepted().json(state_of(&state, id).await?))
}

/// Asks an index now.
#[utoipa::path(post, path = "/api/indexes/{id}/evaluation/run", operation_id = "run_evaluation", tag = "evaluation",
    summary = "Evaluate an index now; `waiting` of its evaluation says until when.",
    params(("id" = String, Path, description = "The index.")),
    responses((status = 202, body = EvaluationState), (status = 403), (status = 404)))]
pub async fn run_evaluation(
    editor: Editor,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let id = editor.index(&path)?;
    state.store.want_evaluation(id).await?;
    state.evaluation_due.notify_one();
    Ok(HttpResponse::Accepted().json(state_of(&state, id).await?))
}

/// Forgets what an index is asked.
#[utoipa::path(delete, path = "/api/indexes/{id}/evaluation", operation_id = "delete_evaluation", tag = "evaluation",
    summary = "Forget the questions by which an index is evaluated, and the history.",
    params(("id" = String, Path, description = "The index.")),
    responses((status = 204), (status = 403), (status = 404)))]
pub async fn delete_evaluation(
    editor: Editor,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    state.store.delete_evaluation(editor.index(&path)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The history.
#[utoipa::path(get, path = "/api/indexes/{id}/evaluation/results", operation_id = "list_evaluation_results", tag = "evaluation",
    summary = "List what evaluations of an index came to, the newest first.",
    params(("id" = String, Path, description = "The index."),
        ("limit" = Option<usize>, Query, description = "At most so many, 1 to 500.")),
    responses((status = 200, body = List<EvaluationResult>), (status = 403), (status = 404), (status = 422)))]
pub async fn list_evaluation_results(
    editor: Editor,
    path: web::Path<String>,
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<List<EvaluationResult>>> {
    let id = editor.index(&path)?;
    let mut query = QueryString::of(&request)?;
    let limit = query.limit();
    query.done()?;
    state.store.index(id).await?;
    let results = state.store.evaluation_results(id, limit).await?;
    Ok(web::Json(List::whole(results)))
}
