//! `/api/indexes/{id}/changes`: pages that were added, edited or removed lately, as `recent_changes` tells agents.

use actix_web::{HttpRequest, web};
use chrono::{DateTime, TimeDelta, Utc};
use domain::content::ContentKind;
use domain::ports::clock::{Clock, SystemClock};
use domain::query::{COUNTED_CHANGES, ChangeKind, ChangedPage};
use domain::sections::SectionChanges;
use domain::{PageId, SpaceKey, Timestamp};
use serde::Serialize;

use super::auth::{AskedFor, Principal};
use super::fields::QueryString;
use super::indexes::readable;
use super::problem::ApiResult;
use super::query::moment;
use super::routes;
use crate::state::AppState;

/// Days that are looked back when nobody says.
const DEFAULT_DAYS: i64 = 7;

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(routes::resource(
        "/api/indexes/{id}/changes",
        [(routes::GET, web::get().to(list_changes))],
    ));
}

/// Changes, the newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ChangeList {
    /// The newest.
    pub items: Vec<PageOfChange>,
    /// Always null: an earlier `since` or a greater `limit` tells more.
    pub next_cursor: Option<String>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// How many changes there are; null where they are more than 1,000.
    pub total: Option<usize>,
}

/// A page that was added, edited or removed. Of one that is gone only what names it is told; the rest is null.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PageOfChange {
    /// The id in Confluence.
    pub id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// Its title.
    pub title: String,
    /// The present key of its space.
    pub space_key: SpaceKey,
    /// What became of it.
    pub change: ChangeKind,
    /// When: the edit itself where it is known, otherwise when the index took notice.
    pub at: DateTime<Utc>,
    /// When the index took notice.
    pub changed_at: DateTime<Utc>,
    /// Its address.
    pub url: Option<String>,
    /// Its version.
    pub version: Option<i32>,
    /// What changed by heading, as far as that is known; null where it is not.
    pub sections: Option<SectionChanges>,
}

impl PageOfChange {
    fn of(changed: ChangedPage, since: Timestamp) -> Self {
        let (change, at) = (changed.kind(since), changed.moment(since));
        let is_there = change != ChangeKind::Removed;
        let page = changed.page.into_inner();
        Self {
            id: page.id,
            kind: page.kind,
            title: page.title,
            space_key: page.space_key,
            change,
            at,
            changed_at: changed.changed_at,
            url: is_there.then_some(page.url),
            version: is_there.then_some(page.version),
            sections: Some(changed.sections).filter(|sections| is_there && !sections.is_empty()),
        }
    }
}

/// Lists changes.
#[utoipa::path(get, path = "/api/indexes/{id}/changes", operation_id = "list_changes", tag = "pages",
    summary = "List pages that were added, edited or removed lately, newest first, with the sections that changed.",
    params(("id" = String, Path, description = "The index."),
        ("since" = Option<String>, Query, description = "A time of RFC 3339 or a day; seven days ago when not given."),
        ("space" = Option<String>, Query, description = "Only this space (its key)."),
        ("limit" = Option<usize>, Query, description = "At most so many, 1 to 500.")),
    responses((status = 200, body = ChangeList), (status = 404), (status = 422)))]
pub async fn list_changes(
    principal: Principal,
    AskedFor(asker): AskedFor,
    path: web::Path<String>,
    request: HttpRequest,
    state: web::Data<AppState>,
) -> ApiResult<web::Json<ChangeList>> {
    let id = readable(&principal, &path)?;
    let mut query = QueryString::of(&request)?;
    let since = query.read(
        "since",
        "a time such as 2026-01-31T00:00:00Z, or a day such as 2026-01-31",
        moment,
    );
    let space = query.text("space").map(SpaceKey::from);
    let limit = query.limit();
    query.done()?;
    let since = since.unwrap_or_else(|| SystemClock.now() - TimeDelta::days(DEFAULT_DAYS));
    let mut changes = state
        .engine
        .asked_for(asker)
        .recent_changes(id, since, space, COUNTED_CHANGES + 1)
        .await?;
    changes.sort_by_key(|changed| std::cmp::Reverse(changed.moment(since)));
    let total = Some(changes.len()).filter(|count| *count <= COUNTED_CHANGES);
    changes.truncate(limit);
    let items = changes
        .into_iter()
        .map(|changed| PageOfChange::of(changed, since));
    Ok(web::Json(ChangeList {
        items: items.collect(),
        next_cursor: None,
        since,
        total,
    }))
}
