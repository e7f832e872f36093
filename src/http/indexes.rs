//! `/api/indexes`: create, read, change and delete indexes.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use actors::SyncOrder;
use domain::content::Space;
use domain::index::{BackendKind, Index, IndexSettings, IndexSpace, RestrictedPages, SpaceState};
use domain::ports::store::NewIndex;
use domain::problem::FieldError;
use domain::{AgentId, IndexId, SpaceKey};
use serde::Deserialize;

use super::auth::{Admin, Principal};
use super::fields::{Body, Check, Field, QueryString, Unknown};
use super::list::{List, at_cursor};
use super::problem::{ApiError, ApiResult};
use super::routes;
use crate::settings::MAX_INTERVAL_MINUTES;
use crate::state::AppState;

/// Spaces that one index may have.
const MAX_SPACES: usize = 100;
/// Entries that `labels`, `exclude_labels` and `root_page_ids` may have.
const MAX_ENTRIES: usize = 200;
/// Characters that a name, a label or an id may have.
const MAX_TEXT: usize = 255;

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

/// Everything about an index that may be set. Creating one needs `name`, `agent_id` and `confluence_spaces`; a change names
/// what changes. `null` stands for the default.
#[derive(Deserialize, utoipa::ToSchema, Default)]
pub struct IndexFields {
    /// The name shown to people.
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 255, example = "Engineering handbook")]
    name: Field<String>,
    /// The agent that asks this index: 1 to 128 of A-Z, a-z, 0-9, `_` and `-`; unique.
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_-]+$", example = "agent_handbook")]
    agent_id: Field<AgentId>,
    /// Keys of the spaces, 1 to 100, distinct; personal ones (`~…`) too.
    #[serde(default)]
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 100, example = json!(["ENG", "OPS"]))]
    confluence_spaces: Field<Vec<String>>,
    /// Minutes between scheduled runs.
    #[serde(default)]
    #[schema(value_type = u32, minimum = 1)]
    interval_minutes: Field<u32>,
    /// Whether scheduled runs happen.
    #[serde(default)]
    #[schema(value_type = bool)]
    enabled: Field<bool>,
    /// Which store holds it; cannot be changed later.
    #[serde(default)]
    #[schema(value_type = BackendKind)]
    backend: Field<BackendKind>,
    /// Blog posts of the spaces too.
    #[serde(default)]
    #[schema(value_type = bool)]
    include_blog_posts: Field<bool>,
    /// Comments folded into their page's document.
    #[serde(default)]
    #[schema(value_type = bool)]
    include_comments: Field<bool>,
    /// Text files attached to pages as documents of their own.
    #[serde(default)]
    #[schema(value_type = bool)]
    include_attachments: Field<bool>,
    /// Only pages with at least one of these labels.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    labels: Field<Vec<String>>,
    /// No page with any of these labels.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    exclude_labels: Field<Vec<String>>,
    /// Only these pages and all below them.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    root_page_ids: Field<Vec<String>>,
    /// What becomes of pages whose reading is restricted.
    #[serde(default)]
    #[schema(value_type = RestrictedPages)]
    restricted_pages: Field<RestrictedPages>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// The names of all fields.
const FIELDS: &[&str] = &[
    "name",
    "agent_id",
    "confluence_spaces",
    "interval_minutes",
    "enabled",
    "backend",
    "include_blog_posts",
    "include_comments",
    "include_attachments",
    "labels",
    "exclude_labels",
    "root_page_ids",
    "restricted_pages",
];

/// A field that has a default: absent keeps what is there, `null` goes back to the default.
fn chosen<T>(check: &mut Check, name: &str, field: Field<T>, present: T, default: T) -> T {
    match field {
        Field::Absent => present,
        Field::Null => default,
        field => check.optional(name, field).unwrap_or(default),
    }
}

impl IndexFields {
    /// The settings of a new index.
    fn create(mut self, defaults: &IndexSettings) -> ApiResult<IndexSettings> {
        let mut check = Check::default();
        let name = check.required("name", std::mem::take(&mut self.name));
        let agent = check.required("agent_id", std::mem::take(&mut self.agent_id));
        let spaces = check.required("confluence_spaces", std::mem::take(&mut self.confluence_spaces));
        let base = IndexSettings {
            name: name.unwrap_or_else(|| "-".to_owned()),
            // A missing agent id has been noted; the default stands in until the check ends.
            agent_id: agent.unwrap_or_else(|| defaults.agent_id.clone()),
            confluence_spaces: spaces
                .map_or_else(|| vec![SpaceKey::from("-")], |keys| keys.into_iter().map(SpaceKey::from).collect()),
            ..defaults.clone()
        };
        self.apply(check, base, defaults)
    }

    /// The settings of an index after a change.
    fn change(mut self, present: &IndexSettings, defaults: &IndexSettings) -> ApiResult<IndexSettings> {
        let mut check = Check::default();
        let mut base = present.clone();
        if self.name != Field::Absent {
            base.name = check
                .required("name", std::mem::take(&mut self.name))
                .unwrap_or(base.name);
        }
        if self.agent_id != Field::Absent {
            base.agent_id = check
                .required("agent_id", std::mem::take(&mut self.agent_id))
                .unwrap_or(base.agent_id);
        }
        if self.confluence_spaces != Field::Absent {
            base.confluence_spaces = check
                .required("confluence_spaces", std::mem::take(&mut self.confluence_spaces))
                .map_or(base.confluence_spaces, |keys| keys.into_iter().map(SpaceKey::from).collect());
        }
        if let Field::Value(backend) = self.backend
            && backend != present.backend
        {
            check.fail(
                "backend",
                "cannot be changed: create another index for another store, and delete this one",
            );
        }
        self.backend = Field::Absent;
        self.apply(check, base, defaults)
    }

    fn apply(self, mut check: Check, base: IndexSettings, defaults: &IndexSettings) -> ApiResult<IndexSettings> {
        let settings = IndexSettings {
            interval_minutes: chosen(
                &mut check,
                "interval_minutes",
                self.interval_minutes,
                base.interval_minutes,
                defaults.interval_minutes,
            ),
            enabled: chosen(&mut check, "enabled", self.enabled, base.enabled, true),
            backend: chosen(&mut check, "backend", self.backend, base.backend, defaults.backend),
            include_blog_posts: chosen(
                &mut check,
                "include_blog_posts",
                self.include_blog_posts,
                base.include_blog_posts,
                false,
            ),
            include_comments: chosen(
                &mut check,
                "include_comments",
                self.include_comments,
                base.include_comments,
                false,
            ),
            include_attachments: chosen(
                &mut check,
                "include_attachments",
                self.include_attachments,
                base.include_attachments,
                false,
            ),
            labels: chosen(&mut check, "labels", self.labels, base.labels, Vec::new()),
            exclude_labels: chosen(
                &mut check,
                "exclude_labels",
                self.exclude_labels,
                base.exclude_labels,
                Vec::new(),
            ),
            root_page_ids: chosen(
                &mut check,
                "root_page_ids",
                self.root_page_ids,
                base.root_page_ids,
                Vec::new(),
            ),
            restricted_pages: chosen(
                &mut check,
                "restricted_pages",
                self.restricted_pages,
                base.restricted_pages,
                RestrictedPages::default(),
            ),
            name: base.name.trim().to_owned(),
            agent_id: base.agent_id,
            confluence_spaces: base.confluence_spaces,
        };
        check.unknown("", &self.unknown, FIELDS);
        limits(&mut check, &settings);
        check.done()?;
        Ok(settings)
    }
}

/// The bounds of every field.
fn limits(check: &mut Check, settings: &IndexSettings) {
    let length = settings.name.chars().count();
    if length == 0 || length > MAX_TEXT {
        check.fail("name", format!("must have 1 to {MAX_TEXT} characters"));
    }
    if !(1..=MAX_INTERVAL_MINUTES).contains(&settings.interval_minutes) {
        check.fail("interval_minutes", format!("must be from 1 to {MAX_INTERVAL_MINUTES}"));
    }
    let spaces = &settings.confluence_spaces;
    if spaces.is_empty() || spaces.len() > MAX_SPACES {
        check.fail("confluence_spaces", format!("must hold 1 to {MAX_SPACES} space keys"));
    }
    let is_key = |key: &str| {
        (1..=MAX_TEXT).contains(&key.len()) && !key.chars().any(|c| c.is_whitespace() || c.is_control() || c == '"')
    };
    if let Some(bad) = spaces.iter().find(|key| !is_key(key.as_str())) {
        check.fail("confluence_spaces", format!("{:?} is no space key", bad.as_str()));
    }
    let mut seen = std::collections::BTreeSet::new();
    if let Some(double) = spaces.iter().find(|key| !seen.insert(key.as_str().to_lowercase())) {
        check.fail("confluence_spaces", format!("{double} stands there twice"));
    }
    for (name, entries) in [
        ("labels", &settings.labels),
        ("exclude_labels", &settings.exclude_labels),
        ("root_page_ids", &settings.root_page_ids),
    ] {
        if entries.len() > MAX_ENTRIES {
            check.fail(name, format!("must hold at most {MAX_ENTRIES} entries"));
        }
        let is_bad = |entry: &&String| entry.trim().is_empty() || entry.chars().count() > MAX_TEXT;
        if entries.iter().any(|entry| is_bad(&entry)) {
            check.fail(name, format!("each entry must have 1 to {MAX_TEXT} characters"));
        }
    }
    let is_id = |id: &String| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
    if !settings.root_page_ids.iter().all(is_id) {
        check.fail("root_page_ids", "each entry must be a page id, such as 98312");
    }
}

/// What an index is when nobody says.
fn defaults(state: &AppState) -> IndexSettings {
    IndexSettings {
        name: String::new(),
        agent_id: "agent".parse().unwrap_or_else(|_| unreachable!("a literal agent id")),
        confluence_spaces: Vec::new(),
        interval_minutes: state.settings.sync.default_interval_minutes,
        enabled: true,
        backend: state.settings.default_backend,
        include_blog_posts: false,
        include_comments: false,
        include_attachments: false,
        labels: Vec::new(),
        exclude_labels: Vec::new(),
        root_page_ids: Vec::new(),
        restricted_pages: RestrictedPages::default(),
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

/// The index of an agent, as far as the principal may read it.
pub(crate) async fn index_of_agent(state: &AppState, principal: &Principal, agent: &str) -> ApiResult<Index> {
    let missing = || ApiError::not_found("index of agent", agent);
    let agent_id: AgentId = agent.parse().map_err(|_| missing())?;
    match state.store.index_by_agent(&agent_id).await {
        Ok(index) if principal.may_read(index.id) => Ok(index),
        Ok(_) | Err(domain::ports::store::StoreError::NotFound { .. }) => Err(missing()),
        Err(error) => Err(error.into()),
    }
}

async fn agent_is_free(state: &AppState, agent: &AgentId, own: Option<IndexId>) -> ApiResult<()> {
    match state.store.index_by_agent(agent).await {
        Ok(other) if Some(other.id) != own => Err(taken(agent, &other)),
        Ok(_) | Err(domain::ports::store::StoreError::NotFound { .. }) => Ok(()),
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

/// Looks the keys up at Confluence.
async fn visible(state: &AppState, keys: &[SpaceKey]) -> ApiResult<Vec<IndexSpace>> {
    let found = state.source.spaces_by_key(keys).await?;
    let find = |key: &SpaceKey| {
        found
            .iter()
            .find(|space| space.key == *key)
            .or_else(|| found.iter().find(|space| space.key.as_str().eq_ignore_ascii_case(key.as_str())))
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

fn seen(key: &SpaceKey, space: &Space) -> IndexSpace {
    IndexSpace {
        key: key.clone(),
        id: Some(space.id.clone()),
        current_key: Some(space.key.clone()),
        name: Some(space.name.clone()),
        url: Some(space.url.clone()),
        state: if space.archived { SpaceState::Archived } else { SpaceState::Current },
        reason: None,
        pages: 0,
        last_sync_at: None,
    }
}

/// The index as it stands, with the newest counters of a run under way.
pub(super) fn with_live_run(state: &AppState, mut index: Index) -> Index {
    if let Some(live) = state.engine.hub().live_run(index.id)
        && index.last_run.as_ref().is_some_and(|run| run.id == live.id && run.status.is_open())
    {
        index.last_run = Some(live);
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
    _: Admin,
    state: web::Data<AppState>,
    Body(fields): Body<IndexFields>,
) -> ApiResult<HttpResponse> {
    let settings = fields.create(&defaults(&state))?;
    backend_is_there(&state, settings.backend)?;
    agent_is_free(&state, &settings.agent_id, None).await?;
    let spaces = visible(&state, &settings.confluence_spaces).await?;
    let agent_id = settings.agent_id.clone();
    let created = match state.store.create_index(&NewIndex { settings, spaces }).await {
        Ok(index) => index,
        // Somebody else was faster, between the look and the writing.
        Err(domain::ports::store::StoreError::Conflict { what }) => {
            let error = match state.store.index_by_agent(&agent_id).await {
                Ok(other) => taken(&agent_id, &other),
                Err(_) => ApiError::new("conflict", what),
            };
            return Err(error);
        }
        Err(error) => return Err(error.into()),
    };
    state.engine.index_changed(created.id);
    let index = if created.settings.enabled {
        if let Err(error) = state.engine.sync(created.id, SyncOrder::default()).await {
            tracing::warn!(index = %created.id, %error, "the first run could not be ordered; the schedule will start it");
        }
        state.store.index(created.id).await?
    } else {
        created
    };
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/api/indexes/{}", index.id)))
        .json(with_live_run(&state, index)))
}

fn backend_is_there(state: &AppState, backend: BackendKind) -> ApiResult<()> {
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
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<List<Index>>> {
    let mut query = QueryString::of(&request)?;
    let (limit, cursor) = (query.limit(), query.text("cursor"));
    query.done()?;
    if let Some(own) = principal.only_index() {
        let index = state.store.index(own).await?;
        return Ok(web::Json(List::whole(vec![with_live_run(&state, index)])));
    }
    let listed = at_cursor(state.store.indexes(cursor.as_deref(), limit).await)?;
    Ok(web::Json(List::from(listed).map(|index| with_live_run(&state, index))))
}

/// One index.
#[utoipa::path(get, path = "/api/indexes/{id}", operation_id = "get_index", tag = "indexes",
    summary = "Show one index.", params(("id" = String, Path, description = "The index.")),
    responses((status = 200, body = Index), (status = 404)))]
pub async fn get_index(
    principal: Principal,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<Index>> {
    let id = readable(&principal, &path)?;
    let index = state.store.index(id).await?;
    Ok(web::Json(with_live_run(&state, index)))
}

/// The index of an agent.
#[utoipa::path(get, path = "/api/indexes/agent/{agent_id}", operation_id = "get_index_by_agent", tag = "indexes",
    summary = "Show the index of an agent.", params(("agent_id" = String, Path, description = "The agent.")),
    responses((status = 200, body = Index), (status = 404)))]
pub async fn get_index_by_agent(
    principal: Principal,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<Index>> {
    let index = index_of_agent(&state, &principal, &path).await?;
    Ok(web::Json(with_live_run(&state, index)))
}

/// Changes an index.
#[utoipa::path(patch, path = "/api/indexes/{id}", operation_id = "change_index", tag = "indexes",
    summary = "Change settings of an index; removed spaces leave with the next run, added ones enter.",
    params(("id" = String, Path, description = "The index.")),
    request_body(content = ref("#/components/schemas/ChangeIndex")),
    responses((status = 200, body = Index), (status = 404), (status = 409), (status = 422), (status = 503)))]
pub async fn change_index(
    _: Admin,
    path: web::Path<String>,
    state: web::Data<AppState>,
    Body(fields): Body<IndexFields>,
) -> ApiResult<web::Json<Index>> {
    let id = index_id(&path)?;
    let present = state.store.index(id).await?;
    let settings = fields.change(&present.settings, &defaults(&state))?;
    if settings.agent_id != present.settings.agent_id {
        agent_is_free(&state, &settings.agent_id, Some(id)).await?;
    }
    let known = |key: &&SpaceKey| present.spaces.iter().any(|space| space.key == **key);
    let added: Vec<SpaceKey> = settings
        .confluence_spaces
        .iter()
        .filter(|key| !known(key))
        .cloned()
        .collect();
    let fresh = if added.is_empty() { Vec::new() } else { visible(&state, &added).await? };
    let spaces: Vec<IndexSpace> = settings
        .confluence_spaces
        .iter()
        .filter_map(|key| present.spaces.iter().chain(&fresh).find(|space| space.key == *key).cloned())
        .collect();
    let index = state.store.update_index(id, &settings, &spaces).await?;
    state.engine.index_changed(id);
    Ok(web::Json(with_live_run(&state, index)))
}

/// Deletes an index.
#[utoipa::path(delete, path = "/api/indexes/{id}", operation_id = "delete_index", tag = "indexes",
    summary = "Delete an index; its run stops, its documents are removed from the store, its agent id is free at once.",
    params(("id" = String, Path, description = "The index.")), responses((status = 204), (status = 404)))]
pub async fn delete_index(_: Admin, path: web::Path<String>, state: web::Data<AppState>) -> ApiResult<HttpResponse> {
    let id = index_id(&path)?;
    state.store.delete_index(id).await?;
    state.engine.index_changed(id);
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_defaults() -> IndexSettings {
        IndexSettings {
            name: String::new(),
            agent_id: "agent".parse().unwrap(),
            confluence_spaces: Vec::new(),
            interval_minutes: 60,
            enabled: true,
            backend: BackendKind::Local,
            include_blog_posts: false,
            include_comments: false,
            include_attachments: false,
            labels: Vec::new(),
            exclude_labels: Vec::new(),
            root_page_ids: Vec::new(),
            restricted_pages: RestrictedPages::default(),
        }
    }

    fn read(json: serde_json::Value) -> IndexFields {
        serde_json::from_value(json).unwrap()
    }

    fn bad_fields(result: ApiResult<IndexSettings>) -> Vec<String> {
        match result {
            Ok(_) => Vec::new(),
            Err(error) => error.problem.errors.into_iter().map(|e| e.field).collect(),
        }
    }

    #[test]
    fn creating_names_every_bad_field() {
        let good = read(serde_json::json!({"name": "n", "agent_id": "a", "confluence_spaces": ["ENG", "~me"]}));
        let settings = good.create(&some_defaults()).unwrap();
        assert_eq!((settings.interval_minutes, settings.enabled), (60, true));

        for (json, fields) in [
            (serde_json::json!({}), vec!["name", "agent_id", "confluence_spaces"]),
            (
                serde_json::json!({"name": " ", "agent_id": "a b", "confluence_spaces": [], "interval_minutes": 0, "colour": 1}),
                vec!["agent_id", "colour", "name", "interval_minutes", "confluence_spaces"],
            ),
            (
                serde_json::json!({"name": "n", "agent_id": "a", "confluence_spaces": ["ENG", "eng"]}),
                vec!["confluence_spaces"],
            ),
            (
                serde_json::json!({"name": "n", "agent_id": "a", "confluence_spaces": ["A B"], "restricted_pages": "show", "root_page_ids": ["x/y"]}),
                vec!["restricted_pages", "confluence_spaces", "root_page_ids"],
            ),
        ] {
            assert_eq!(bad_fields(read(json.clone()).create(&some_defaults())), fields, "{json}");
        }
        let too_many: Vec<String> = (0..101).map(|n| format!("S{n}")).collect();
        let json = serde_json::json!({"name": "n", "agent_id": "a", "confluence_spaces": too_many});
        assert_eq!(bad_fields(read(json).create(&some_defaults())), ["confluence_spaces"]);
    }

    #[test]
    fn a_change_touches_only_what_it_names() {
        let present = IndexSettings {
            name: "old".into(),
            confluence_spaces: vec![SpaceKey::from("ENG")],
            labels: vec!["a".into()],
            interval_minutes: 5,
            ..some_defaults()
        };
        let changed = read(serde_json::json!({"interval_minutes": null, "enabled": false}))
            .change(&present, &some_defaults())
            .unwrap();
        assert_eq!(
            changed,
            IndexSettings {
                interval_minutes: 60,
                enabled: false,
                ..present.clone()
            }
        );
        let refused = read(serde_json::json!({"name": null, "backend": "llamacloud"})).change(&present, &some_defaults());
        assert_eq!(bad_fields(refused), ["name", "backend"]);
    }
}
