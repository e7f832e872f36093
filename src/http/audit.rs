//! Who did what: every change that was asked for over REST, done or refused for want of rights, is kept as an entry.
//!
//! [`record`] stands behind the gate and looks at all of them, so that no handler can forget it; an action is called what the API's
//! description calls it. What only reads, or is no change of the service, is named in `NOT_KEPT`.
//!
//! Questions leave entries where the operator wants that (`AUDIT_QUESTIONS`): their handlers say what the answer `handed_out`.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use domain::Timestamp;
use domain::access::{Asker, Email};
use domain::audit::{Entry, EntryFilter, EntryKind, EntryOutcome, HandedOut, NewEntry};
use futures_util::stream;
use serde_json::{Value, json};

use super::auth::{Admin, Principal};
use super::fields::QueryString;
use super::list::{List, at_cursor};
use super::openapi;
use super::problem::ApiResult;
use super::routes;
use crate::state::AppState;

/// Operations that leave no entry here: questions, sessions (which are nobody's yet when they are asked for), and Confluence's own calls.
const NOT_KEPT: &[&str] = &[
    "query_index",
    "open_session",
    "close_session",
    "confluence_changed",
];

/// Bytes of a body that are kept of what was asked for.
const MAX_DETAIL: usize = 4 * 1024;

/// The body of a request, as far as it is kept.
pub(super) enum Asked {
    /// All of it.
    Whole(Vec<u8>),
    /// Its bytes, which are too many.
    TooLong(usize),
}

impl Asked {
    /// Of a body that is JSON.
    pub(super) fn of(body: &[u8]) -> Self {
        if body.len() <= MAX_DETAIL {
            Self::Whole(body.to_vec())
        } else {
            Self::TooLong(body.len())
        }
    }

    fn detail(&self) -> Option<Value> {
        match self {
            Self::Whole(body) => serde_json::from_slice(body).ok(),
            Self::TooLong(bytes) => Some(json!({
                "too_long": format!("{bytes} bytes; at most {MAX_DETAIL} are kept")
            })),
        }
    }
}

/// What a request did it to, where its path does not say.
pub(super) struct DoneTo(pub String);

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    let get = |path: &str, route| routes::resource(path, [(routes::GET, route)]);
    config
        .service(get("/api/audit", web::get().to(list_audit)))
        .service(get("/api/audit/export", web::get().to(export_audit)));
}

/// Middleware, within the gate: keeps an entry of what was done or refused before its answer leaves.
///
/// # Errors
/// Those of the inner service.
pub async fn record<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let method = request.method().clone();
    if matches!(method, Method::GET | Method::HEAD) || !request.path().starts_with("/api/") {
        return next.call(request).await;
    }
    let answer = next.call(request).await?;
    let asked = answer.request();
    let outcome = match answer.status() {
        status if status.is_success() => EntryOutcome::Done,
        StatusCode::FORBIDDEN => EntryOutcome::Refused,
        _ => return Ok(answer),
    };
    let (Some(state), Some(action)) = (
        asked.app_data::<web::Data<AppState>>(),
        action(&method, asked),
    ) else {
        return Ok(answer);
    };
    let principal = asked.extensions().get::<Principal>().cloned();
    let Some(principal) = principal else {
        return Ok(answer);
    };
    if outcome == EntryOutcome::Refused && !state.auth.keeps_refusal(&principal) {
        return Ok(answer);
    }
    let entry = entry(state, asked, &principal, action, outcome);
    if let Err(error) = state.store.note(&entry).await {
        tracing::error!(%error, actor = entry.actor, action = entry.action, "what was done could not be kept in the audit");
    }
    Ok(answer)
}

/// Notes what an answer handed out to whom, where the operator wants that.
pub(super) fn handed_out(
    state: &AppState,
    request: &HttpRequest,
    principal: &Principal,
    asker: &Asker,
    handed_out: HandedOut,
) {
    if state.questions.are_audited() {
        let actor = state.auth.audited(request, principal);
        state.questions.handed_out(&actor, asker, handed_out);
    }
}

/// What the API calls a request that is to be kept.
fn action(method: &Method, request: &HttpRequest) -> Option<&'static str> {
    let pattern = request.match_pattern()?;
    let action = openapi::operation(method, &pattern)?;
    (!NOT_KEPT.contains(&action)).then_some(action)
}

fn entry(
    state: &AppState,
    request: &HttpRequest,
    principal: &Principal,
    action: &str,
    outcome: EntryOutcome,
) -> NewEntry {
    let path = request.match_info();
    let pattern = request.match_pattern().unwrap_or_default();
    let id = path.get("id");
    let of_index = pattern.starts_with("/api/indexes/");
    let extensions = request.extensions();
    let done_to = extensions.get::<DoneTo>().map(|to| to.0.clone());
    // A new index is known by what was made of the request.
    let made = done_to.as_deref().filter(|_| action == "create_index");
    let index = id.filter(|_| of_index).or(made);
    let subject = ["token_id", "page_id", "question_id", "agent_id"]
        .iter()
        .find_map(|name| path.get(name))
        .or(id.filter(|_| !of_index))
        .map(str::to_owned)
        .or_else(|| done_to.clone().filter(|_| made.is_none()));
    let actor = state.auth.audited(request, principal);
    NewEntry {
        kind: EntryKind::Change,
        actor: actor.name,
        token: actor.token,
        address: actor.address,
        person: principal.email().cloned(),
        action: action.to_owned(),
        outcome,
        index: index.and_then(|text| text.parse().ok()),
        subject,
        detail: extensions.get::<Asked>().and_then(Asked::detail),
    }
}

fn filter(query: &mut QueryString) -> EntryFilter {
    EntryFilter {
        kind: query.read("kind", "change or question", EntryKind::parse),
        person: query.read("person", "an address of e-mail", Email::parse),
        index: query.read("index_id", "the id of an index", |text| text.parse().ok()),
        action: query.text("action"),
        since: query.read("since", "a time such as 2026-01-31T08:00:00Z", |text| {
            text.parse::<Timestamp>().ok()
        }),
        cursor: None,
        limit: 0,
    }
}

/// Lists who did what.
#[utoipa::path(get, path = "/api/audit", operation_id = "list_audit", tag = "audit",
    summary = "List who changed what, whom it was refused, and (AUDIT_QUESTIONS) who asked what and got which pages, newest first.",
    params(("kind" = Option<String>, Query, description = "Only `change` or only `question`."),
        ("person" = Option<String>, Query, description = "Only of the person with this address of e-mail: who asked as them, or what they changed."),
        ("index_id" = Option<String>, Query, description = "Only of this index."),
        ("action" = Option<String>, Query, description = "Only this action: an `operationId` of this description, such as `change_index`, or a tool of MCP, such as `search_confluence`."),
        ("since" = Option<String>, Query, description = "Only from this time on (RFC 3339)."),
        ("limit" = Option<usize>, Query, description = "At most so many, 1 to 500."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the list before.")),
    responses((status = 200, body = List<Entry>)))]
pub async fn list_audit(
    _: Admin,
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<List<Entry>>> {
    let mut query = QueryString::of(&request)?;
    let filter = EntryFilter {
        limit: query.limit(),
        cursor: query.text("cursor"),
        ..filter(&mut query)
    };
    query.done()?;
    state.questions.write_entries().await?;
    let listed = at_cursor(state.store.audit(&filter).await)?;
    Ok(web::Json(List::from(listed)))
}

/// Every entry as a line of JSON.
#[utoipa::path(get, path = "/api/audit/export", operation_id = "export_audit", tag = "audit",
    summary = "Every entry of who did what as a line of JSON, newest first.",
    params(("kind" = Option<String>, Query, description = "Only `change` or only `question`."),
        ("person" = Option<String>, Query, description = "Only of the person with this address of e-mail."),
        ("index_id" = Option<String>, Query, description = "Only of this index."),
        ("action" = Option<String>, Query, description = "Only this action."),
        ("since" = Option<String>, Query, description = "Only from this time on (RFC 3339).")),
    responses((status = 200, content_type = "application/x-ndjson", body = Entry)))]
pub async fn export_audit(
    _: Admin,
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let mut query = QueryString::of(&request)?;
    let filter = EntryFilter {
        limit: super::fields::MAX_LIMIT,
        ..filter(&mut query)
    };
    query.done()?;
    state.questions.write_entries().await?;
    // One list after the other, as the reader takes them.
    let lines = stream::try_unfold(Some(filter), move |filter| {
        let state = state.clone();
        async move {
            let Some(filter) = filter else {
                return Ok(None);
            };
            let listed = state.store.audit(&filter).await.inspect_err(
                |error| tracing::warn!(%error, "the audit could not be read; its export ends"),
            )?;
            let mut lines = Vec::new();
            for entry in &listed.items {
                serde_json::to_writer(&mut lines, entry).map_err(std::io::Error::other)?;
                lines.push(b'\n');
            }
            let rest = listed.next_cursor.map(|cursor| EntryFilter {
                cursor: Some(cursor),
                ..filter
            });
            Ok::<_, Box<dyn std::error::Error>>(Some((Bytes::from(lines), rest)))
        }
    });
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(Box::pin(lines)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_body_its_length_is_kept() {
        let detail = |body: &Value| Asked::of(body.to_string().as_bytes()).detail().unwrap();
        let body = json!({"name": "x"});
        assert_eq!(detail(&body), body);
        let long = json!({"name": "x".repeat(MAX_DETAIL)});
        let said = detail(&long);
        assert_eq!(said["too_long"], "4107 bytes; at most 4096 are kept");
    }
}
