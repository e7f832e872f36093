//! `POST /api/indexes/agent/{agent_id}/query`: questions to an index.

use std::time::Instant;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use chrono::{DateTime, NaiveDate, Utc};
use domain::SpaceKey;
use domain::audit::HandedOut;
use domain::query::{
    Answer, DEFAULT_ROOM, DEFAULT_TOP_K, Filters, MAX_TOP_K, RetrievalQuery, Under, label_filter,
};
use serde::Deserialize;

use super::audit;
use super::auth::{AskedFor, Principal};
use super::fields::{Body, Check, Field, Unknown};
use super::indexes::id_of_agent;
use super::metrics;
use super::problem::{ApiError, ApiResult};
use super::routes;
use crate::mcp::caller::Owner;
use crate::state::AppState;

/// Characters that a question may have.
const MAX_QUERY: usize = 4_000;
/// Characters that an id or title of a page may have.
const MAX_UNDER: usize = 500;

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(routes::resource(
        "/api/indexes/agent/{agent_id}/query",
        [(routes::POST, web::post().to(query_index))],
    ));
}

/// A question.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct QueryRequest {
    /// The question, in words.
    #[serde(default)]
    #[schema(value_type = String, required = true, min_length = 1, max_length = 4000, example = "how do we roll back a release?")]
    query: Field<String>,
    /// How many results at most, 1 to 50.
    #[serde(default)]
    #[schema(value_type = u32, minimum = 1, maximum = 50, default = 8)]
    top_k: Field<u32>,
    /// Which pages may answer.
    #[serde(default)]
    #[schema(value_type = QueryFilters)]
    filters: Field<QueryFilters>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// Which pages may answer.
#[derive(Deserialize, utoipa::ToSchema, Default)]
pub struct QueryFilters {
    /// Only this space (its key).
    #[serde(default)]
    #[schema(value_type = String, example = "ENG")]
    space: Field<String>,
    /// Only a page, by its id or whole title, and what is below it.
    #[serde(default)]
    #[schema(value_type = String, max_length = 500, example = "98312")]
    under: Field<String>,
    /// Only pages with this label; case and a leading `#` do not matter.
    #[serde(default)]
    #[schema(value_type = String, example = "runbook")]
    label: Field<String>,
    /// Only pages modified after this moment (RFC 3339) or day.
    #[serde(default)]
    #[schema(value_type = String, example = "2026-01-31T00:00:00Z")]
    updated_after: Field<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

impl QueryRequest {
    fn read(self) -> ApiResult<RetrievalQuery> {
        let mut check = Check::default();
        let text = check
            .required("query", self.query)
            .map(|text| text.trim().to_owned());
        if let Some(text) = &text {
            if text.is_empty() {
                check.fail("query", "must not be empty");
            } else if text.chars().count() > MAX_QUERY {
                check.fail("query", format!("must have at most {MAX_QUERY} characters"));
            }
        }
        let top_k = check.optional("top_k", self.top_k).unwrap_or(DEFAULT_TOP_K);
        if !(1..=MAX_TOP_K).contains(&top_k) {
            check.fail("top_k", format!("must be from 1 to {MAX_TOP_K}"));
        }
        let filters = check.optional("filters", self.filters).unwrap_or_default();
        let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let updated_after = check.optional("filters.updated_after", filters.updated_after);
        let updated_after = filled(updated_after).and_then(|text| {
            let moment = moment(&text);
            if moment.is_none() {
                check.fail(
                    "filters.updated_after",
                    "must be a time such as 2026-01-31T00:00:00Z, or a day such as 2026-01-31",
                );
            }
            moment
        });
        let under = filled(check.optional("filters.under", filters.under));
        if under
            .as_ref()
            .is_some_and(|under| under.chars().count() > MAX_UNDER)
        {
            check.fail(
                "filters.under",
                format!("must have at most {MAX_UNDER} characters"),
            );
        }
        let read = RetrievalQuery {
            text: text.unwrap_or_default(),
            top_k,
            filters: Filters {
                space: filled(check.optional("filters.space", filters.space)).map(SpaceKey::from),
                label: check
                    .optional("filters.label", filters.label)
                    .and_then(|label| label_filter(&label)),
                updated_after,
                under: under.map(|under| Under::page(under.trim())),
                readable: None,
            },
            room: DEFAULT_ROOM,
        };
        check.unknown(
            "filters.",
            &filters.unknown,
            &["space", "under", "label", "updated_after"],
        );
        check.unknown("", &self.unknown, &["query", "top_k", "filters"]);
        check.done()?;
        Ok(read)
    }
}

/// A time of RFC 3339, or the beginning of a day in UTC.
pub(crate) fn moment(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    DateTime::parse_from_rfc3339(text)
        .map(|moment| moment.with_timezone(&Utc))
        .ok()
        .or_else(|| {
            Some(
                text.parse::<NaiveDate>()
                    .ok()?
                    .and_hms_opt(0, 0, 0)?
                    .and_utc(),
            )
        })
}

/// Asks an index.
#[utoipa::path(post, path = "/api/indexes/agent/{agent_id}/query", operation_id = "query_index", tag = "query",
    summary = "Search the Confluence pages of an agent's index; answers passages with links, best first.",
    params(("agent_id" = String, Path, description = "The agent.")), request_body = QueryRequest,
    responses((status = 200, body = Answer), (status = 404), (status = 422), (status = 503)))]
pub async fn query_index(
    principal: Principal,
    AskedFor(asker): AskedFor,
    request: HttpRequest,
    path: web::Path<String>,
    state: web::Data<AppState>,
    Body(body): Body<QueryRequest>,
) -> ApiResult<web::Json<Answer>> {
    let owner = Owner::from(&principal);
    if !state.fairness.may_ask(&owner) {
        return Err(
            ApiError::new("rate_limited", "This token asks too often; slow down.")
                .with_header(header::RETRY_AFTER, "1"),
        );
    }
    let query = body.read()?;
    let index = id_of_agent(&state, &principal, &path).await?;
    let began = Instant::now();
    let _turn = state.fairness.turn(&owner).await.ok_or_else(|| {
        ApiError::new(
            "engine_busy",
            "Many questions of these credentials are being answered right now; ask again in a few seconds.",
        )
        .with_header(header::RETRY_AFTER, "5")
    })?;
    let text = query.text.clone();
    let engine = state.engine.asked_for(asker.clone());
    let answer = engine.search(index, query).await?;
    metrics::searched("rest", began.elapsed());
    if !principal.is_admin() {
        state.questions.note(&[index], &text, &answer);
    }
    let results = answer.results.iter();
    let handed_out = HandedOut {
        action: "query_index",
        question: Some(text),
        indexes: vec![index],
        pages: results.map(|result| result.page.page.id.clone()).collect(),
    };
    audit::handed_out(&state, &request, &principal, &asker, handed_out);
    Ok(web::Json(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> ApiResult<RetrievalQuery> {
        serde_json::from_value::<QueryRequest>(json).unwrap().read()
    }

    #[test]
    fn a_question_has_bounds_and_its_filters_are_read() {
        let good = read(serde_json::json!({
            "query": " how? ", "filters": {"space": "ENG", "label": " #How-To", "updated_after": "2026-01-31"}
        }))
        .unwrap();
        assert_eq!((good.text.as_str(), good.top_k), ("how?", 8));
        assert_eq!(
            good.filters.updated_after.unwrap().to_rfc3339(),
            "2026-01-31T00:00:00+00:00"
        );
        assert_eq!(good.filters.label.as_deref(), Some("how-to"));

        for (json, field) in [
            (serde_json::json!({}), "query"),
            (serde_json::json!({"query": "  "}), "query"),
            (serde_json::json!({"query": "a", "top_k": 51}), "top_k"),
            (serde_json::json!({"query": "a", "top_k": "many"}), "top_k"),
            (
                serde_json::json!({"query": "a", "filters": {"colour": 1}}),
                "filters.colour",
            ),
            (
                serde_json::json!({"query": "a", "filters": {"updated_after": "soon"}}),
                "filters.updated_after",
            ),
            (serde_json::json!({"query": "a", "filters": 3}), "filters"),
        ] {
            let error = read(json.clone()).unwrap_err();
            let fields: Vec<_> = error
                .problem
                .errors
                .iter()
                .map(|e| e.field.as_str())
                .collect();
            assert_eq!(fields, [field], "{json}");
        }
    }
}
