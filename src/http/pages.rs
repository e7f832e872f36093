//! `/api/indexes/{id}/pages`: what is indexed and what is not, and why.

use actix_web::{HttpRequest, HttpResponse, web};
use domain::access::Asker;
use domain::audit::HandedOut;
use domain::page::{Page, PageState, PlacedPage, Shown};
use domain::ports::retrieval::StoredPassage;
use domain::ports::store::{PageFilter, StoreError};
use domain::query::{PageQuery, PageText};
use domain::{DocumentId, IndexId, PageId, SpaceKey};
use serde::Serialize;

use super::audit;
use super::auth::{AskedFor, Editor, Principal};
use super::fields::QueryString;
use super::indexes::readable;
use super::list::{List, at_cursor};
use super::problem::ApiResult;
use super::routes;
use super::runs::words;
use crate::state::AppState;

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(routes::resource(
            "/api/indexes/{id}/pages",
            [(routes::GET, web::get().to(list_pages))],
        ))
        .service(routes::resource(
            "/api/indexes/{id}/pages/{page_id}",
            [(routes::GET, web::get().to(get_page))],
        ))
        .service(routes::resource(
            "/api/indexes/{id}/pages/{page_id}/retry",
            [(routes::POST, web::post().to(retry_page))],
        ))
        .service(routes::resource(
            "/api/indexes/{id}/pages/{page_id}/markdown",
            [(routes::GET, web::get().to(page_markdown))],
        ))
        .service(routes::resource(
            "/api/indexes/{id}/pages/{page_id}/passages",
            [(routes::GET, web::get().to(page_passages))],
        ));
}

/// What is indexed of a page.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PageMarkdown {
    /// The page, in the version of the text.
    pub page: Page,
    /// Its Markdown, without title line and breadcrumb.
    pub markdown: String,
}

/// How a store has cut a page.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PagePassages {
    /// Whether the store tells; where it does not, `items` is empty.
    pub known: bool,
    /// The passages in the order of the text.
    #[schema(inline)]
    pub items: Vec<StoredPassage>,
}

/// The text of a page, if it may be shown; in the words of a page that is not there otherwise. Who looks after the index sees it
/// whoever may read it, unless the request names another person. That it was read stands in the audit, where questions do.
async fn text_of(
    state: &AppState,
    request: &HttpRequest,
    principal: &Principal,
    asker: Asker,
    action: &'static str,
) -> ApiResult<(IndexId, PageText)> {
    let part = |name: &str| request.match_info().get(name).unwrap_or_default();
    let page = part("page_id");
    let id = readable(principal, part("id"))?;
    let query = PageQuery::Id(PageId::from(page));
    let names_another = match &asker {
        Asker::Person(person) => Some(person) != principal.email(),
        Asker::Unnamed | Asker::Operator => false,
    };
    let viewer = if principal.looks_after(id) && !names_another {
        Asker::Operator
    } else {
        asker.clone()
    };
    let text = state.engine.asked_for(viewer).read_page(id, query).await?;
    let text = text.ok_or_else(|| StoreError::NotFound {
        what: format!("page {page} in index {id} that an answer may quote"),
    })?;
    let handed_out = HandedOut {
        action,
        question: None,
        indexes: vec![id],
        pages: vec![text.page.id.clone()],
    };
    audit::handed_out(state, request, principal, &asker, handed_out);
    Ok((id, text))
}

/// The text of a page.
#[utoipa::path(get, path = "/api/indexes/{id}/pages/{page_id}/markdown", operation_id = "get_page_markdown", tag = "pages",
    summary = "Show what is indexed of a page, as Markdown.",
    params(("id" = String, Path, description = "The index."), ("page_id" = String, Path, description = "The page.")),
    responses((status = 200, body = PageMarkdown), (status = 404, description = "No such page, or none that an answer may quote.")))]
pub async fn page_markdown(
    principal: Principal,
    AskedFor(asker): AskedFor,
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<PageMarkdown>> {
    let read = text_of(&state, &request, &principal, asker, "get_page_markdown");
    let (_, text) = read.await?;
    Ok(web::Json(PageMarkdown {
        page: text.page.into_inner(),
        markdown: text.markdown,
    }))
}

/// The passages of a page.
#[utoipa::path(get, path = "/api/indexes/{id}/pages/{page_id}/passages", operation_id = "get_page_passages", tag = "pages",
    summary = "Show into which passages the store has cut a page.",
    params(("id" = String, Path, description = "The index."), ("page_id" = String, Path, description = "The page.")),
    responses((status = 200, body = PagePassages), (status = 404, description = "No such page, or none that an answer may quote."),
        (status = 503, description = "`store_unreachable`.")))]
pub async fn page_passages(
    principal: Principal,
    AskedFor(asker): AskedFor,
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<PagePassages>> {
    let read = text_of(&state, &request, &principal, asker, "get_page_passages");
    let (id, text) = read.await?;
    let target = state.store.query_target(id).await?;
    let backend = state.backends.get(&target.settings.backend);
    let document = DocumentId::of(text.page.kind, &text.page.id);
    let passages = match (backend, target.remote) {
        (Some(backend), Some(remote)) => backend
            .passages(&remote, &document)
            .await
            .map_err(actors::EngineError::from)?,
        _ => None,
    };
    Ok(web::Json(PagePassages {
        known: passages.is_some(),
        items: passages.unwrap_or_default(),
    }))
}

/// Lists pages.
#[utoipa::path(get, path = "/api/indexes/{id}/pages", operation_id = "list_pages", tag = "pages",
    summary = "List the pages of an index with their state, and why one is not in it. Who only reads gets those that may be shown.",
    params(("id" = String, Path, description = "The index."),
        ("state" = Option<String>, Query, description = "Only in these states, separated by commas."),
        ("space" = Option<String>, Query, description = "Only of this space."),
        ("title" = Option<String>, Query, description = "Only titles that contain this."),
        ("limit" = Option<usize>, Query, description = "At most so many, 1 to 500."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the list before.")),
    responses((status = 200, body = List<Page>), (status = 404)))]
pub async fn list_pages(
    principal: Principal,
    AskedFor(asker): AskedFor,
    request: HttpRequest,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<List<Page>>> {
    let id = readable(&principal, &path)?;
    let mut query = QueryString::of(&request)?;
    let states = query.read(
        "state",
        &words(&PageState::ALL.map(PageState::as_str)),
        |text| {
            text.split(',')
                .map(|word| PageState::parse(word.trim()))
                .collect::<Option<Vec<_>>>()
        },
    );
    let filter = PageFilter {
        states: states.unwrap_or_default(),
        space: query.text("space").map(SpaceKey::from),
        title: query.text("title"),
        shown: !principal.looks_after(id),
        changed_after: None,
        limit: query.limit(),
        cursor: query.text("cursor"),
    };
    query.done()?;
    let index = state.store.index(id).await?;
    if index.settings.access.is_per_user() && !principal.looks_after(id) {
        let listed = state.engine.asked_for(asker).list_pages(id, filter).await?;
        return Ok(web::Json(List::from(listed).map(Shown::into_inner)));
    }
    let listed = at_cursor(state.store.pages(id, &filter).await)?;
    let pages = listed.items.iter();
    Ok(web::Json(List {
        items: pages
            .filter_map(|page| for_reader(&principal, id, page))
            .collect(),
        next_cursor: listed.next_cursor,
    }))
}

/// One page.
#[utoipa::path(get, path = "/api/indexes/{id}/pages/{page_id}", operation_id = "get_indexed_page", tag = "pages",
    summary = "Show how one page stands in an index.",
    params(("id" = String, Path, description = "The index."), ("page_id" = String, Path, description = "The page.")),
    responses((status = 200, body = Page), (status = 404)))]
pub async fn get_page(
    principal: Principal,
    AskedFor(asker): AskedFor,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<Page>> {
    let (index, page) = path.into_inner();
    let id = readable(&principal, &index)?;
    let page = PageId::from(page);
    // In the same words as of a page that is not there.
    let hidden = || StoreError::NotFound {
        what: format!("page {page} in index {id}"),
    };
    if !principal.looks_after(id) {
        let engine = state.engine.asked_for(asker);
        if !engine.may_read(id, page.clone()).await? {
            return Err(hidden().into());
        }
    }
    let placed = state.store.page(id, &page).await?;
    Ok(web::Json(
        for_reader(&principal, id, &placed).ok_or_else(hidden)?,
    ))
}

/// The page for whoever asks: who looks after the index sees all of it and why it stands so, everyone else what may be shown.
fn for_reader(principal: &Principal, index: IndexId, placed: &PlacedPage) -> Option<Page> {
    if principal.looks_after(index) {
        Some(placed.page())
    } else {
        placed.shown().map(Shown::into_inner)
    }
}

/// Tries a page again.
#[utoipa::path(post, path = "/api/indexes/{id}/pages/{page_id}/retry", operation_id = "retry_page", tag = "pages",
    summary = "Try a failed page again now.",
    params(("id" = String, Path, description = "The index."), ("page_id" = String, Path, description = "The page.")),
    responses((status = 202, body = Page), (status = 404), (status = 409)))]
pub async fn retry_page(
    editor: Editor,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> ApiResult<HttpResponse> {
    let (index, page) = path.into_inner();
    let id = editor.index(&index)?;
    let page = state.store.retry_page(id, &PageId::from(page)).await?;
    state.engine.index_changed(id);
    Ok(HttpResponse::Accepted().json(page))
}
