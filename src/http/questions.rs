//! `/api/indexes/{id}/questions`: questions that found little, for the administrator alone.

use actix_web::{HttpRequest, HttpResponse, web};
use domain::questions::Question;
use serde::Serialize;

use super::auth::Admin;
use super::fields::QueryString;
use super::indexes::index_id;
use super::list::at_cursor;
use super::problem::ApiResult;
use super::routes;
use crate::state::AppState;

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(routes::resource(
            "/api/indexes/{id}/questions",
            [
                (routes::GET, web::get().to(list_questions)),
                (routes::DELETE, web::delete().to(delete_questions)),
            ],
        ))
        .service(routes::resource(
            "/api/indexes/{id}/questions/{question_id}",
            [(routes::DELETE, web::delete().to(delete_question))],
        ));
}

/// Questions that found little.
#[derive(Serialize, utoipa::ToSchema)]
pub struct QuestionList {
    /// The questions, asked last first.
    pub items: Vec<Question>,
    /// Where to go on; null at the end.
    pub next_cursor: Option<String>,
    /// For how many days they are kept (`QUESTIONS_KEPT_DAYS`); null: none are.
    pub kept_days: Option<u32>,
}

/// Lists questions.
#[utoipa::path(get, path = "/api/indexes/{id}/questions", operation_id = "list_questions", tag = "query",
    summary = "List the questions that found little in an index, asked last first; the administrator's alone.",
    params(("id" = String, Path, description = "The index."),
        ("limit" = Option<usize>, Query, description = "At most so many, 1 to 500."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the list before.")),
    responses((status = 200, body = QuestionList), (status = 403), (status = 404), (status = 422)))]
pub async fn list_questions(
    _: Admin,
    path: web::Path<String>,
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<QuestionList>> {
    let id = index_id(&path)?;
    let mut query = QueryString::of(&request)?;
    let (limit, cursor) = (query.limit(), query.text("cursor"));
    query.done()?;
    state.store.index(id).await?;
    state.questions.write().await?;
    let listed = state.store.questions(id, cursor.as_deref(), limit).await;
    let listed = at_cursor(listed)?;
    Ok(web::Json(QuestionList {
        items: listed.items,
        next_cursor: listed.next_cursor,
        kept_days: state.questions.kept_days(),
    }))
}

/// Forgets all questions.
#[utoipa::path(delete, path = "/api/indexes/{id}/questions", operation_id = "delete_questions", tag = "query",
    summary = "Forget every question that found little in an index.",
    params(("id" = String, Path, description = "The index.")),
    responses((status = 204), (status = 403), (status = 404)))]
pub async fn delete_questions(
    _: Admin,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let id = index_id(&path)?;
    state.store.index(id).await?;
    // What was asked and not yet written goes too.
    state.questions.write().await?;
    state.store.delete_questions(id, None).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Forgets a question.
#[utoipa::path(delete, path = "/api/indexes/{id}/questions/{question_id}", operation_id = "delete_question", tag = "query",
    summary = "Forget a question that found little in an index.",
    params(("id" = String, Path, description = "The index."), ("question_id" = String, Path, description = "The question.")),
    responses((status = 204), (status = 403), (status = 404)))]
pub async fn delete_question(
    _: Admin,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let (index, question) = path.into_inner();
    let id = index_id(&index)?;
    state.store.delete_questions(id, Some(&question)).await?;
    Ok(HttpResponse::NoContent().finish())
}
