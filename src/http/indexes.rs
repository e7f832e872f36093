//! `/api/indexes`: create, read, change and delete indexes.

mod fields;

use std::collections::HashSet;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use actors::SyncOrder;
use domain::access::{Access, Asker};
use domain::content::Space;
use domain::index::{BackendKind, Index, IndexSettings, IndexSpace, RestrictedPages, SpaceState};
use domain::ports::source::SourceError;
use domain::ports::store::{NewIndex, StoreError};
use domain::problem::FieldError;
use domain::{AgentId, IndexId, SpaceKey, TokenId};

pub use fields::IndexFields;
#[cfg(test)]
pub(crate) use fields::tests::some_defaults;
pub(crate) use fields::{FIELDS, IndexChange};

use super::audit::DoneTo;
use super::auth::{AskedFor, Editor, Principal};
use super::fields::{Body, QueryString};
use super::list::{List, at_cursor};
use super::problem::{ApiError, ApiResult};
use super::routes;
use crate::state::AppState;

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(routes::resource(
            "/api/indexes",
            [
                (routes::GET, web::get().to(list_indexes)),
                (routes::POST, web::post().to(create_index)),
            ],
        ))
        .service(routes::resource(
            "/api/indexes/agent/{agent_id}",
            [(routes::GET, web::get().to(get_index_by_agent))],
        ))
        .service(routes::resource(
            "/api/indexes/{id}",
            [
                (routes::GET, web::get().to(get_index)),
                (routes::PATCH, web::patch().to(change_index)),
                (routes::DELETE, web::delete().to(delete_index)),
            ],
        ));
}

/// What an index is when nobody says.
pub(crate) fn defaults(state: &AppState) -> IndexSettings {
    IndexSettings {
        name: String::new(),
        agent_id: "agent"
            .parse()
            .unwrap_or_else(|_| unreachable!("a literal agent id")),
        confluence_spaces: Vec::new(),
        interval_minutes: state.settings.sync.default_interval_minutes,
        enabled: true,
        quiet_hours: None,
        backend: state.settings.default_backend,
        include_blog_posts: false,
        include_comments: false,
        include_attachments: false,
        labels: Vec::new(),
        exclude_labels: Vec::new(),
        root_page_ids: Vec::new(),
        restricted_pages: RestrictedPages::default(),
        access: Access::default(),
    }
}

/// Reads the id of an index; what is no id names no index.
pub(super) fn index_id(text: &str) -> ApiResult<IndexId> {
    text.parse().map_err(|_| ApiError::not_found("index", text))
}

/// The id of an index that the principal may read: of any other it learns nothing.
pub(super) fn readable(principal: &Principal, text: &str) -> ApiResult<IndexId> {
    let id = index_id(text)?;
    if principal.may_read(id) {
        Ok(id)
    } else {
        Err(ApiError::not_found("index", text))
    }
}

/// The id of the index of an agent, as far as the principal may read it.
pub(super) async fn id_of_agent(
    state: &AppState,
    principal: &Principal,
    agent: &str,
) -> ApiResult<IndexId> {
    let missing = || ApiError::not_found("index of agent", agent);
    let agent_id: AgentId = agent.parse().map_err(|_| missing())?;
    match state.store.index_id_of_agent(&agent_id).await {
        Ok(index) if principal.may_read(index) => Ok(index),
        Ok(_) | Err(StoreError::NotFound { .. }) => Err(missing()),
        Err(error) => Err(error.into()),
    }
}

async fn agent_is_free(state: &AppState, agent: &AgentId, own: Option<IndexId>) -> ApiResult<()> {
    match state.store.index_id_of_agent(agent).await {
        Ok(other) if Some(other) != own => Err(taken(agent, &state.store.index(other).await?)),
        Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn taken(agent: &AgentId, other: &Index) -> ApiError {
    ApiError::new(
        "agent_id_taken",
        format!(
            "The agent id {agent} belongs to the index {:?} ({}): choose another, or change that index.",
            other.settings.name, other.id
        ),
    )
}

/// Somebody else was faster, between the look whether the agent id is free and the writing.
async fn conflict(state: &AppState, agent: Option<&AgentId>, what: String) -> ApiError {
    if let Some(agent) = agent
        && let Ok(other) = state.store.index_id_of_agent(agent).await
        && let Ok(other) = state.store.index(other).await
    {
        return taken(agent, &other);
    }
    ApiError::new("conflict", what)
}

/// How long somebody who waits for an answer waits for Confluence; the client alone would try for longer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// An answer of Confluence, or that it did not come in time.
pub(super) async fn in_time<T>(
    asked: impl Future<Output = Result<T, SourceError>>,
) -> ApiResult<T> {
    match tokio::time::timeout(TIMEOUT, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(ApiError::new(
            "confluence_unreachable",
            format!(
                "Confluence did not answer within {} s; try again later.",
                TIMEOUT.as_secs()
            ),
        )
        .with_header(header::RETRY_AFTER, "30")),
    }
}

/// Looks the keys up at Confluence.
pub(crate) async fn visible(state: &AppState, keys: &[SpaceKey]) -> ApiResult<Vec<IndexSpace>> {
    // Whom Confluence takes for anonymous sees public spaces, and no run could go on from there.
    in_time(state.source.whoami()).await?;
    let found = in_time(state.source.spaces_by_key(keys)).await?;
    // A renamed space is known by its old key and by the one that people see.
    let find = |key: &SpaceKey| {
        let same = |other: &SpaceKey| other.as_str().eq_ignore_ascii_case(key.as_str());
        found
            .iter()
            .find(|space| space.key == *key)
            .or_else(|| found.iter().find(|space| same(&space.key)))
            .or_else(|| {
                found
                    .iter()
                    .find(|space| space.alias.as_ref().is_some_and(same))
            })
    };
    let missing: Vec<&str> = keys
        .iter()
        .filter(|key| find(key).is_none())
        .map(SpaceKey::as_str)
        .collect();
    if !missing.is_empty() {
        let mut problem = domain::problem::Problem::new(
            "spaces_not_visible",
            format!(
                "Confluence shows the service's account no space {}: check the keys, and that the account may view them.",
                missing.join(", ")
            ),
        );
        problem.errors = missing
            .iter()
            .map(|key| FieldError {
                field: "confluence_spaces".to_owned(),
                message: format!("{key} cannot be seen"),
            })
            .collect();
        return Err(problem.into());
    }
    Ok(keys
        .iter()
        .filter_map(|key| find(key).map(|space| seen(key, space)))
        .collect())
}

/// Refuses two keys of one space: an old and a new one, or one in two cases.
pub(crate) fn each_space_once(spaces: &[IndexSpace]) -> ApiResult<()> {
    for (at, space) in spaces.iter().enumerate() {
        let same = |other: &&IndexSpace| space.id.is_some() && other.id == space.id;
        if let Some(other) = spaces[..at].iter().find(same) {
            return Err(ApiError::fields(vec![FieldError {
                field: "confluence_spaces".to_owned(),
                message: format!(
                    "{} and {} are one space: name it once",
                    other.key, space.key
                ),
            }]));
        }
    }
    Ok(())
}

fn seen(key: &SpaceKey, space: &Space) -> IndexSpace {
    IndexSpace {
        key: key.clone(),
        id: Some(space.id.clone()),
        current_key: Some(space.key.clone()),
        alias: space.alias.clone(),
        name: Some(space.name.clone()),
        url: Some(space.url.clone()),
        state: if space.archived {
            SpaceState::Archived
        } else {
            SpaceState::Current
        },
        reason: None,
        pages: 0,
        last_sync_at: None,
    }
}

/// The indexes that answer per person and that this principal does not look after: it learns of them what the person may read for whom
/// it asks, and nothing that counts what others may.
pub(super) async fn only_per_person(
    state: &AppState,
    principal: &Principal,
) -> ApiResult<HashSet<IndexId>> {
    let all = state.store.query_targets().await?;
    let per_user = all
        .into_iter()
        .filter(|target| target.settings.access.is_per_user());
    let others = per_user.filter(|target| !principal.looks_after(target.id));
    Ok(others.map(|target| target.id).collect())
}

/// An index as whoever asks may see it: with its runs, or, where it answers per person, as that person sees it.
async fn for_reader(
    state: &AppState,
    principal: &Principal,
    asker: &Asker,
    index: Index,
) -> ApiResult<Index> {
    if !index.settings.access.is_per_user() || principal.looks_after(index.id) {
        return Ok(with_live_run(state, index));
    }
    let seen = state.engine.asked_for(asker.clone()).look(index.id).await?;
    Ok(Index {
        document_count: seen.document_count(),
        spaces: seen.spaces,
        moving: None,
        status_reason: None,
        last_run: None,
        ..index
    })
}

/// The index as it stands, with the newest counters of a run under way, and the time at which its next one really starts.
pub(super) fn with_live_run(state: &AppState, mut index: Index) -> Index {
    if let Some(live) = state.engine.hub().live_run(index.id)
        && index
            .last_run
            .as_ref()
            .is_some_and(|run| run.id == live.id && run.status.is_open())
    {
        index.last_run = Some(live);
    }
    if let Some(due) = index.next_run_at {
        let timetable = state.engine.timetable(&index);
        index.next_run_at = Some(timetable.start(due, chrono::Utc::now()));
    }
    index
}

/// Creates an index.
#[utoipa::path(post, path = "/api/indexes/", operation_id = "create_index", tag = "indexes",
    summary = "Create an index over Confluence spaces for an agent; its first sync starts at once.",
    request_body(content = ref("#/components/schemas/CreateIndex")),
    responses((status = 201, body = Index, description = "The index."),
        (status = 409, description = "`agent_id_taken`."), (status = 422, description = "`invalid_field`, `spaces_not_visible`."),
        (status = 503, description = "`confluence_unreachable`; nothing was stored.")))]
pub async fn create_index(
    editor: Editor,
    request: HttpRequest,
    state: web::Data<AppState>,
    Body(fields): Body<IndexFields>,
) -> ApiResult<HttpResponse> {
    let settings = fields.create(&defaults(&state))?;
    let index = create(&state, settings, editor.token()).await?;
    request
        .extensions_mut()
        .insert(DoneTo(index.id.to_string()));
    Ok(HttpResponse::Created()
        .insert_header((
            header::LOCATION,
            format!("{}/api/indexes/{}", state.prefix(), index.id),
        ))
        .json(with_live_run(&state, index)))
}

/// Whether an index can answer so: what a macro includes comes with the rights of the service's account, whoever may read it.
fn answers_per_person(state: &AppState, access: Access) -> ApiResult<()> {
    if !access.is_per_user() || state.settings.sync.rendered_pages_per_run == 0 {
        return Ok(());
    }
    let message = "cannot be per_user while SYNC_RENDERED_PAGES_PER_RUN lets texts of other pages in: set that to 0 first";
    Err(ApiError::fields(vec![FieldError {
        field: "access".to_owned(),
        message: message.to_owned(),
    }]))
}

/// Creates an index of settings that are within their bounds, for an editor or for the administrators; its first run starts at once.
pub(crate) async fn create(
    state: &AppState,
    settings: IndexSettings,
    editor: Option<TokenId>,
) -> ApiResult<Index> {
    backend_is_there(state, settings.backend)?;
    answers_per_person(state, settings.access)?;
    agent_is_free(state, &settings.agent_id, None).await?;
    let spaces = visible(state, &settings.confluence_spaces).await?;
    each_space_once(&spaces)?;
    let agent_id = settings.agent_id.clone();
    let created = match state
        .store
        .create_index_for(&NewIndex { settings, spaces }, editor)
        .await
    {
        Ok(index) => index,
        Err(StoreError::Conflict { what }) => {
            return Err(conflict(state, Some(&agent_id), what).await);
        }
        Err(error) => return Err(error.into()),
    };
    state.engine.index_changed(created.id);
    if !created.settings.enabled {
        return Ok(created);
    }
    if let Err(error) = state.engine.sync(created.id, SyncOrder::default()).await {
        tracing::warn!(index = %created.id, %error, "the first run could not be ordered; the schedule will start it");
    }
    Ok(state.store.index(created.id).await?)
}

pub(crate) fn backend_is_there(state: &AppState, backend: BackendKind) -> ApiResult<()> {
    if backend == BackendKind::LlamaCloud && state.settings.llamacloud.is_none() {
        return Err(domain::problem::Problem::new(
            "needs_settings",
            "The backend llamacloud needs LLAMA_CLOUD_API_KEY.",
        )
        .with_field("backend", "llamacloud is not set up")
        .into());
    }
    Ok(())
}

/// Lists indexes.
#[utoipa::path(get, path = "/api/indexes/", operation_id = "list_indexes", tag = "indexes",
    summary = "List the indexes with their state.",
    params(("limit" = Option<usize>, Query, description = "At most so many, 1 to 500."), ("cursor" = Option<String>, Query, description = "`next_cursor` of the list before.")),
    responses((status = 200, body = List<Index>)))]
pub async fn list_indexes(
    principal: Principal,
    AskedFor(asker): AskedFor,
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<List<Index>>> {
    let mut query = QueryString::of(&request)?;
    let (limit, cursor) = (query.limit(), query.text("cursor"));
    query.done()?;
    if let Some(own) = principal.own_indexes() {
        let mut indexes = Vec::with_capacity(own.len());
        for id in own.iter() {
            let index = state.store.index(*id).await?;
            indexes.push(for_reader(&state, &principal, &asker, index).await?);
        }
        indexes.sort_by(|a, b| a.settings.name.cmp(&b.settings.name));
        return Ok(web::Json(List::whole(indexes)));
    }
    let listed = at_cursor(state.store.indexes(cursor.as_deref(), limit).await)?;
    let mut items = Vec::with_capacity(listed.items.len());
    for index in listed.items {
        items.push(for_reader(&state, &principal, &asker, index).await?);
    }
    Ok(web::Json(List {
        items,
        next_cursor: listed.next_cursor,
    }))
}

/// One index.
#[utoipa::path(get, path = "/api/indexes/{id}", operation_id = "get_index", tag = "indexes",
    summary = "Show one index.", params(("id" = String, Path, description = "The index.")),
    responses((status = 200, body = Index), (status = 404)))]
pub async fn get_index(
    principal: Principal,
    AskedFor(asker): AskedFor,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<Index>> {
    let id = readable(&principal, &path)?;
    let index = state.store.index(id).await?;
    let seen = for_reader(&state, &principal, &asker, index).await?;
    Ok(web::Json(seen))
}

/// The index of an agent.
#[utoipa::path(get, path = "/api/indexes/agent/{agent_id}", operation_id = "get_index_by_agent", tag = "indexes",
    summary = "Show the index of an agent.", params(("agent_id" = String, Path, description = "The agent.")),
    responses((status = 200, body = Index), (status = 404)))]
pub async fn get_index_by_agent(
    principal: Principal,
    AskedFor(asker): AskedFor,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<Index>> {
    let id = id_of_agent(&state, &principal, &path).await?;
    let index = state.store.index(id).await?;
    let seen = for_reader(&state, &principal, &asker, index).await?;
    Ok(web::Json(seen))
}

/// Changes an index.
#[utoipa::path(patch, path = "/api/indexes/{id}", operation_id = "change_index", tag = "indexes",
    summary = "Change settings of an index; removed spaces leave with the next run, added ones enter, another backend begins a move.",
    params(("id" = String, Path, description = "The index.")),
    request_body(content = ref("#/components/schemas/ChangeIndex")),
    responses((status = 200, body = Index), (status = 404), (status = 409), (status = 422), (status = 503)))]
pub async fn change_index(
    editor: Editor,
    path: web::Path<String>,
    state: web::Data<AppState>,
    Body(fields): Body<IndexFields>,
) -> ApiResult<web::Json<Index>> {
    let id = editor.index(&path)?;
    // Of an index that is not there no field is wrong.
    state.store.index(id).await?;
    let wanted = fields.change(&defaults(&state))?;
    let index = change(&state, id, wanted).await?;
    Ok(web::Json(with_live_run(&state, index)))
}

/// Changes an index as is wanted, within its bounds.
pub(crate) async fn change(
    state: &AppState,
    id: IndexId,
    IndexChange { patch, backend }: IndexChange,
) -> ApiResult<Index> {
    let present = state.store.index(id).await?;
    if let Some(backend) = backend {
        backend_is_there(state, backend)?;
    }
    answers_per_person(state, patch.access.unwrap_or_default())?;
    if let Some(agent) = &patch.agent_id {
        agent_is_free(state, agent, Some(id)).await?;
    }
    let known = |key: &&SpaceKey| present.spaces.iter().any(|space| space.key == **key);
    let named = patch.confluence_spaces.iter().flatten();
    let added: Vec<SpaceKey> = named.filter(|key| !known(key)).cloned().collect();
    let mut seen = present.spaces;
    if !added.is_empty() {
        seen.extend(visible(state, &added).await?);
        let kept = |space: &&IndexSpace| {
            patch
                .confluence_spaces
                .iter()
                .flatten()
                .any(|key| *key == space.key)
        };
        each_space_once(&seen.iter().filter(kept).cloned().collect::<Vec<_>>())?;
    }
    // What is named is written into the index as it is by now: Confluence may have taken its time.
    let index = match state.store.update_index(id, &patch, &seen).await {
        Ok(index) => index,
        Err(StoreError::Conflict { what }) => {
            return Err(conflict(state, patch.agent_id.as_ref(), what).await);
        }
        Err(error) => return Err(error.into()),
    };
    state.engine.index_changed(id);
    match backend {
        Some(backend) => put_into(state, &index, backend).await,
        None => Ok(index),
    }
}

/// Begins a move of an index to a store, or gives one up that leads away from there.
async fn put_into(state: &AppState, index: &Index, backend: BackendKind) -> ApiResult<Index> {
    let target = index.moving.as_ref().map(|moving| moving.backend);
    let present = index.settings.backend;
    if backend != present {
        state.engine.move_index(index.id, backend).await?;
    } else if target.is_some_and(|target| target != present) {
        state.engine.abandon_move(index.id).await?;
    }
    Ok(state.store.index(index.id).await?)
}

/// Deletes an index.
#[utoipa::path(delete, path = "/api/indexes/{id}", operation_id = "delete_index", tag = "indexes",
    summary = "Delete an index; its run stops, its documents are removed from the store, its agent id is free at once.",
    params(("id" = String, Path, description = "The index.")), responses((status = 204), (status = 404)))]
pub async fn delete_index(
    editor: Editor,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    delete(&state, editor.index(&path)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Deletes an index; its run stops, and what stores hold of it goes.
pub(crate) async fn delete(state: &AppState, id: IndexId) -> ApiResult<()> {
    state.store.delete_index(id).await?;
    state.engine.index_changed(id);
    Ok(())
}
