//! `/api/runs` and the orders that make runs: sync, cancel, confirm.

use actix_web::{HttpRequest, HttpResponse, web};
use actors::SyncOrder;
use domain::guard::Inquiry;
use domain::history::{PageChange, RunPage};
use domain::index::Index;
use domain::ports::store::{RunFilter, RunPageFilter};
use domain::run::{Run, RunStatus};
use domain::{IndexId, RunId};
use serde::{Deserialize, Serialize};

use super::auth::{Editor, Principal};
use super::fields::{Body, Check, Field, OptionalBody, QueryString, Unknown};
use super::indexes::{id_of_agent, only_per_person};
use super::list::{List, at_cursor};
use super::problem::{ApiError, ApiResult};
use super::routes;
use crate::state::AppState;

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    let only_post = |path: &str, route| routes::resource(path, [(routes::POST, route)]);
    let only_get = |path: &str, route| routes::resource(path, [(routes::GET, route)]);
    config
        .service(only_post(
            "/api/indexes/agent/{agent_id}/sync",
            web::post().to(sync_agent),
        ))
        .service(only_post(
            "/api/indexes/{id}/sync",
            web::post().to(sync_index),
        ))
        .service(only_get("/api/runs", web::get().to(list_runs)))
        .service(only_get("/api/runs/{id}", web::get().to(get_run)))
        .service(only_get("/api/runs/{id}/pages", web::get().to(run_pages)))
        .service(only_get(
            "/api/indexes/{id}/question",
            web::get().to(show_question),
        ))
        .service(only_post(
            "/api/runs/{id}/cancel",
            web::post().to(cancel_run),
        ))
        .service(only_post(
            "/api/runs/{id}/confirm",
            web::post().to(confirm_run),
        ));
}

/// How a run is asked for.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct SyncRequest {
    /// true: also re-check every version and label by id; false: only poll; absent: compare everything listed.
    #[serde(default)]
    #[schema(value_type = bool)]
    full: Field<bool>,
    /// Only look and say what would be done.
    #[serde(default)]
    #[schema(value_type = bool, default = false)]
    dry_run: Field<bool>,
    /// Fill the store anew from what is kept here, without asking Confluence: in the generation of the index API that the
    /// settings ask for. What answers now does so until that is done. Not together with the others.
    #[serde(default)]
    #[schema(value_type = bool, default = false)]
    rebuild: Field<bool>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// What a sync is asked for.
enum Order {
    Sync(SyncOrder),
    Rebuild,
}

impl SyncRequest {
    fn order(self) -> ApiResult<Order> {
        let mut check = Check::default();
        let order = SyncOrder {
            full: check.optional("full", self.full),
            dry_run: check.optional("dry_run", self.dry_run).unwrap_or(false),
        };
        let rebuild = check.optional("rebuild", self.rebuild).unwrap_or(false);
        if rebuild && (order.dry_run || order.full.is_some()) {
            check.fail("rebuild", "goes neither with full nor with dry_run");
        }
        check.unknown("", &self.unknown, &["full", "dry_run", "rebuild"]);
        check.done()?;
        Ok(if rebuild {
            Order::Rebuild
        } else {
            Order::Sync(order)
        })
    }
}

/// The administrator's answer to the mass-deletion guard.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct ConfirmRequest {
    /// `accept`: the pages may go. `refuse`: they stay.
    #[serde(default)]
    #[schema(value_type = Decision, required = true)]
    decision: Field<Decision>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// Whether the pages may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// They may go.
    Accept,
    /// They stay.
    Refuse,
}

async fn order(state: &AppState, index: Index, order: Order) -> ApiResult<HttpResponse> {
    let run = match order {
        Order::Sync(order) => state.engine.sync(index.id, order).await?,
        Order::Rebuild => {
            // A move that is under way goes on.
            let backend = index.moving.map_or(index.settings.backend, |m| m.backend);
            let begun = state.engine.move_index(index.id, backend).await?;
            begun.ok_or_else(|| {
                ApiError::new(
                    "conflict",
                    "the index has no store object yet: sync it first",
                )
            })?
        }
    };
    Ok(HttpResponse::Accepted().json(run))
}

/// Syncs the index of an agent.
#[utoipa::path(post, path = "/api/indexes/agent/{agent_id}/sync", operation_id = "sync_agent", tag = "runs",
    summary = "Start a sync of an agent's index now.", params(("agent_id" = String, Path, description = "The agent.")),
    request_body = Option<SyncRequest>,
    responses((status = 202, body = Run, description = "The run; the one under way where there is one."), (status = 404)))]
pub async fn sync_agent(
    editor: Editor,
    path: web::Path<String>,
    state: web::Data<AppState>,
    OptionalBody(body): OptionalBody<SyncRequest>,
) -> ApiResult<HttpResponse> {
    let wanted = body.order()?;
    let id = id_of_agent(&state, editor.principal(), &path).await?;
    let index = state.store.index(id).await?;
    order(&state, index, wanted).await
}

/// Syncs an index.
#[utoipa::path(post, path = "/api/indexes/{id}/sync", operation_id = "sync_index", tag = "runs",
    summary = "Start a sync of an index now.", params(("id" = String, Path, description = "The index.")),
    request_body = Option<SyncRequest>,
    responses((status = 202, body = Run, description = "The run; the one under way where there is one."), (status = 404)))]
pub async fn sync_index(
    editor: Editor,
    path: web::Path<String>,
    state: web::Data<AppState>,
    OptionalBody(body): OptionalBody<SyncRequest>,
) -> ApiResult<HttpResponse> {
    let wanted = body.order()?;
    let id = editor.index(&path)?;
    let index = state.store.index(id).await?;
    order(&state, index, wanted).await
}

/// The run with the newest counters.
fn live(state: &AppState, run: Run) -> Run {
    match state.engine.hub().live_run(run.index_id) {
        Some(newer) if newer.id == run.id && run.status.is_open() => Run {
            // A request to cancel is in the row before the engine hears of it.
            status: run.status,
            queued: run.queued,
            ..newer
        },
        _ => run,
    }
}

/// Lists runs.
#[utoipa::path(get, path = "/api/runs", operation_id = "list_runs", tag = "runs",
    summary = "List syncs, newest first.",
    params(("index_id" = Option<String>, Query, description = "Only of this index."),
        ("status" = Option<RunStatus>, Query, description = "Only in this state."),
        ("limit" = Option<usize>, Query, description = "At most so many, 1 to 500."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the list before.")),
    responses((status = 200, body = List<Run>)))]
pub async fn list_runs(
    principal: Principal,
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<List<Run>>> {
    let mut query = QueryString::of(&request)?;
    let index: Option<IndexId> =
        query.read("index_id", "the id of an index", |text| text.parse().ok());
    let status = query.read(
        "status",
        &words(&RunStatus::ALL.map(RunStatus::as_str)),
        RunStatus::parse,
    );
    let (limit, cursor) = (query.limit(), query.text("cursor"));
    query.done()?;
    if index.is_some_and(|index| !principal.may_read(index)) {
        return Ok(web::Json(List::whole(Vec::new())));
    }
    let named = index.map(|index| vec![index]);
    let filter = RunFilter {
        indexes: named.or_else(|| principal.own_indexes().map(|own| own.to_vec())),
        status,
        cursor,
        limit,
    };
    let mut listed = at_cursor(state.store.runs(&filter).await)?;
    let hidden = only_per_person(&state, &principal).await?;
    listed.items.retain(|run| !hidden.contains(&run.index_id));
    Ok(web::Json(List::from(listed).map(|run| live(&state, run))))
}

/// `one of a, b, c`.
pub(super) fn words(words: &[&str]) -> String {
    format!("one of {}", words.join(", "))
}

fn run_id(text: &str) -> ApiResult<RunId> {
    text.parse().map_err(|_| ApiError::not_found("run", text))
}

/// One run.
#[utoipa::path(get, path = "/api/runs/{id}", operation_id = "get_run", tag = "runs",
    summary = "Show one sync with its counters.", params(("id" = String, Path, description = "The run.")),
    responses((status = 200, body = Run), (status = 404)))]
pub async fn get_run(
    principal: Principal,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<Run>> {
    let run = state.store.run(run_id(&path)?).await?;
    let hidden = only_per_person(&state, &principal).await?;
    if !principal.may_read(run.index_id) || hidden.contains(&run.index_id) {
        return Err(ApiError::not_found("run", path));
    }
    Ok(web::Json(live(&state, run)))
}

/// A run of an index that they may change; every other does not exist for them.
async fn changeable(state: &AppState, editor: &Editor, id: RunId) -> ApiResult<Run> {
    let run = state.store.run(id).await?;
    if editor.principal().may_read(run.index_id) {
        Ok(run)
    } else {
        Err(ApiError::not_found("run", id))
    }
}

/// What a run did page by page.
#[utoipa::path(get, path = "/api/runs/{id}/pages", operation_id = "list_run_pages", tag = "runs",
    summary = "List what a sync added, changed, removed and could not do, page by page; of a dry run what it would.",
    params(("id" = String, Path, description = "The run."),
        ("change" = Option<PageChange>, Query, description = "Only pages of which this became."),
        ("limit" = Option<usize>, Query, description = "At most so many, 1 to 500."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the list before.")),
    responses((status = 200, body = List<RunPage>, description = "At most 1,000 pages for each change are kept."), (status = 404)))]
pub async fn run_pages(
    editor: Editor,
    request: HttpRequest,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<List<RunPage>>> {
    let run = run_id(&path)?;
    let mut query = QueryString::of(&request)?;
    let filter = RunPageFilter {
        change: query.read(
            "change",
            &words(&PageChange::ALL.map(PageChange::as_str)),
            PageChange::parse,
        ),
        limit: query.limit(),
        cursor: query.text("cursor"),
    };
    query.done()?;
    changeable(&state, &editor, run).await?;
    let listed = at_cursor(state.store.run_pages(run, &filter).await)?;
    Ok(web::Json(List::from(listed)))
}

/// The question of the mass-deletion guard.
#[derive(Serialize, utoipa::ToSchema)]
pub struct QuestionView {
    /// The question that waits, or whose answer holds; null when there is none.
    #[schema(inline)]
    question: Option<Inquiry>,
}

/// The question of an index.
#[utoipa::path(get, path = "/api/indexes/{id}/question", operation_id = "get_question", tag = "runs",
    summary = "Show the mass-deletion guard's question of an index with its pages, while it waits or its answer holds.",
    params(("id" = String, Path, description = "The index.")),
    responses((status = 200, body = QuestionView), (status = 404)))]
pub async fn show_question(
    editor: Editor,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<QuestionView>> {
    let question = state.store.inquiry(editor.index(&path)?).await?;
    Ok(web::Json(QuestionView { question }))
}

/// Cancels a run.
#[utoipa::path(post, path = "/api/runs/{id}/cancel", operation_id = "cancel_run", tag = "runs",
    summary = "Cancel a sync; work in flight settles.", params(("id" = String, Path, description = "The run.")),
    responses((status = 202, body = Run), (status = 404), (status = 409, description = "It is over already.")))]
pub async fn cancel_run(
    editor: Editor,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let run = run_id(&path)?;
    changeable(&state, &editor, run).await?;
    let run = state.store.request_cancel(run).await?;
    state.engine.cancel(run.id).await?;
    Ok(HttpResponse::Accepted().json(live(&state, run)))
}

/// Answers the mass-deletion guard.
#[utoipa::path(post, path = "/api/runs/{id}/confirm", operation_id = "confirm_run", tag = "runs",
    summary = "Answer the mass-deletion guard of a sync: let the pages go, or keep them; the other answer takes one back while it holds.",
    params(("id" = String, Path, description = "The run that asked.")), request_body = ConfirmRequest,
    responses((status = 200, body = Run, description = "Refused: the run; the pages stay."),
        (status = 202, body = Run, description = "Accepted: the new run that removes them."),
        (status = 404), (status = 409, description = "It does not wait for this answer.")))]
pub async fn confirm_run(
    editor: Editor,
    request: HttpRequest,
    path: web::Path<String>,
    state: web::Data<AppState>,
    Body(body): Body<ConfirmRequest>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let decision = check.required("decision", body.decision);
    check.unknown("", &body.unknown, &["decision"]);
    check.done()?;
    let accept = decision == Some(Decision::Accept);
    let run = run_id(&path)?;
    changeable(&state, &editor, run).await?;
    let by = state.auth.actor_and_address(&request, editor.principal());
    let answered = state.store.answer_guard_by(run, accept, Some(&by)).await?;
    state.engine.index_changed(answered.index_id);
    if accept {
        let index = state.store.index(answered.index_id).await?;
        order(&state, index, Order::Sync(SyncOrder::default())).await
    } else {
        Ok(HttpResponse::Ok().json(answered))
    }
}
