//! Spaces, pages and blog posts: listings, bulk reads by id, single reads, rendered bodies, names of people.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::content::{ContentKind, ContentStatus, Person, SourcePage, Space};
use domain::ports::source::{
    Batch, Cursor, ListOrder, ListQuery, MAX_BATCH, MAX_SPACES_PER_LISTING, SourceError,
};
use domain::{AccountId, PageId, SpaceId, SpaceKey};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::ConfluenceClient;
use crate::call::Call;
use crate::cql::is_number;
use crate::endpoint::{self, Endpoint};
use crate::transport::Page;
use crate::wire::{CurrentUser, PageItem, SpaceItem, User};

/// Statuses that the lists of a kind know (official documents); others would be refused.
fn listable(kind: ContentKind, status: ContentStatus) -> bool {
    use ContentStatus::{Archived, Current, Deleted, Trashed};
    matches!(
        (kind, status),
        (_, Current | Trashed | Deleted) | (ContentKind::Page, Archived)
    )
}

/// The endpoints of a kind.
struct Endpoints {
    site: &'static Endpoint,
    space: &'static Endpoint,
    one: &'static Endpoint,
}

fn endpoints(kind: ContentKind) -> Result<Endpoints, SourceError> {
    match kind {
        ContentKind::Page => Ok(Endpoints {
            site: &endpoint::PAGES,
            space: &endpoint::SPACE_PAGES,
            one: &endpoint::ONE_PAGE,
        }),
        ContentKind::BlogPost => Ok(Endpoints {
            site: &endpoint::BLOGPOSTS,
            space: &endpoint::SPACE_BLOGPOSTS,
            one: &endpoint::ONE_BLOGPOST,
        }),
        ContentKind::Attachment | ContentKind::Container => Err(SourceError::Rejected {
            what: format!("a listing of {}", kind.as_str()),
            detail: "only pages and blog posts are listed by space".to_owned(),
        }),
    }
}

fn too_many(what: &str, given: usize, most: usize) -> SourceError {
    SourceError::Rejected {
        what: what.to_owned(),
        detail: format!("{given} are too many for one request; {most} at most"),
    }
}

impl ConfluenceClient {
    pub(crate) async fn current_user(&self) -> Result<CurrentUser, SourceError> {
        self.transport
            .value(&Call::new(&endpoint::USER_CURRENT, &[]))
            .await
    }

    /// A whole walk, in smaller answers where the site cannot make large ones.
    pub(crate) async fn walked<T: DeserializeOwned>(
        &self,
        call: &Call,
    ) -> Result<Page<T>, SourceError> {
        let mut limit = MAX_BATCH;
        loop {
            match self.transport.all(&call.clone().limit(limit)).await {
                Err(SourceError::TooLarge { .. }) if limit > 1 => limit = (limit / 8).max(1),
                walked => return walked,
            }
        }
    }

    pub(crate) async fn spaces(&self, call: Call) -> Result<Vec<Space>, SourceError> {
        let page = self.walked::<SpaceItem>(&call).await?;
        let base = self.base(page.base);
        let mut spaces: Vec<Space> = page
            .items
            .into_iter()
            .filter_map(|item| item.into_space(&base))
            .collect();
        spaces.dedup_by(|a, b| a.id == b.id);
        Ok(spaces)
    }

    pub(crate) async fn spaces_with_keys(
        &self,
        keys: &[SpaceKey],
    ) -> Result<Vec<Space>, SourceError> {
        // A comma would make two keys of one; no key has one.
        let mut keys: Vec<&str> = keys
            .iter()
            .map(SpaceKey::as_str)
            .filter(|key| !key.is_empty() && !key.contains([',', ' ']))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let mut spaces = Vec::new();
        for chunk in keys.chunks(MAX_BATCH) {
            spaces.extend(
                self.spaces(Call::new(&endpoint::SPACES, &[]).with_all("keys", chunk))
                    .await?,
            );
        }
        Ok(spaces)
    }

    pub(crate) async fn spaces_with_ids(&self, ids: &[SpaceId]) -> Result<Vec<Space>, SourceError> {
        let ids: Vec<&str> = ids
            .iter()
            .map(SpaceId::as_str)
            .filter(|id| is_number(id))
            .collect();
        let mut spaces = Vec::new();
        for chunk in ids.chunks(MAX_BATCH) {
            spaces.extend(
                self.spaces(Call::new(&endpoint::SPACES, &[]).with_all("ids", chunk))
                    .await?,
            );
        }
        Ok(spaces)
    }

    pub(crate) async fn listing(
        &self,
        query: &ListQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourcePage>, SourceError> {
        let endpoints = endpoints(query.kind)?;
        let statuses: Vec<&str> = query
            .statuses
            .iter()
            .filter(|status| listable(query.kind, **status))
            .map(|status| status.as_str())
            .collect();
        if query.spaces.is_empty() || (statuses.is_empty() && !query.statuses.is_empty()) {
            return Ok(Batch {
                items: Vec::new(),
                next: None,
            });
        }
        if query.spaces.len() > MAX_SPACES_PER_LISTING {
            return Err(too_many(
                "spaces of one listing",
                query.spaces.len(),
                MAX_SPACES_PER_LISTING,
            ));
        }
        if let Some(odd) = query.spaces.iter().find(|id| !is_number(id.as_str())) {
            return Err(SourceError::NotFound {
                what: format!("the space with id {odd}"),
            });
        }
        let (call, only) = match (query.spaces.as_slice(), query.order) {
            ([space], ListOrder::Id) => {
                (Call::new(endpoints.space, &[space.as_str()]), Some(space))
            }
            (spaces, _) => {
                let call = Call::new(endpoints.site, &[])
                    .with_all("space-id", spaces.iter().map(SpaceId::as_str));
                (call, spaces.first().filter(|_| spaces.len() == 1))
            }
        };
        let sort = match query.order {
            ListOrder::Id => "id",
            ListOrder::NewestFirst => "-modified-date",
        };
        let call = call.with("sort", sort).with_all("status", statuses);
        let limit = query.limit.clamp(1, MAX_BATCH);
        let call = if let Some(most) = query.bodies {
            let mut call = call.with("body-format", "storage").limit(limit);
            call.max_bytes = most;
            // Even a single item can be asked for in less: without its body.
            call.items = limit.max(2);
            call
        } else {
            call.limit(limit)
        };
        let page = self.transport.page::<PageItem>(&call, cursor).await?;
        let base = self.base(page.base);
        let items = page
            .items
            .into_iter()
            .map(|item| item.into_page(query.kind, &base, only))
            .collect::<Result<_, _>>()?;
        Ok(Batch {
            items,
            next: page.next,
        })
    }

    pub(crate) async fn with_ids(
        &self,
        kind: ContentKind,
        ids: &[PageId],
        statuses: &[ContentStatus],
        bodies: Option<usize>,
    ) -> Result<Vec<SourcePage>, SourceError> {
        let endpoints = endpoints(kind)?;
        if ids.len() > MAX_BATCH {
            return Err(too_many("ids of one request", ids.len(), MAX_BATCH));
        }
        let asked: Vec<&str> = ids
            .iter()
            .map(PageId::as_str)
            .filter(|id| is_number(id))
            .collect();
        let wanted: Vec<&str> = statuses
            .iter()
            .filter(|status| listable(kind, **status))
            .map(|status| status.as_str())
            .collect();
        if asked.is_empty() || (wanted.is_empty() && !statuses.is_empty()) {
            return Ok(Vec::new());
        }
        let count = asked.len();
        let mut call = Call::new(endpoints.site, &[])
            .with_all("id", asked)
            .with_all("status", wanted);
        if let Some(most) = bodies {
            call = call.with("body-format", "storage");
            call.max_bytes = most;
        }
        // Without a limit only 25 of them would come. Permission filtering may still cut the answer in two.
        let mut call = call.limit(MAX_BATCH);
        call.items = count;
        let page = self.transport.all::<PageItem>(&call).await?;
        let base = self.base(page.base);
        page.items
            .into_iter()
            .map(|item| item.into_page(kind, &base, None))
            .collect()
    }

    pub(crate) async fn single(
        &self,
        kind: ContentKind,
        id: &PageId,
    ) -> Result<Option<SourcePage>, SourceError> {
        use ContentStatus::{Archived, Current, Trashed};
        let endpoints = endpoints(kind)?;
        if !is_number(id.as_str()) {
            return Ok(None);
        }
        let statuses = [Current, Archived, Trashed]
            .into_iter()
            .filter(|status| listable(kind, *status));
        let call = Call::new(endpoints.one, &[id.as_str()])
            .with("body-format", "storage")
            .with_all("status", statuses.map(ContentStatus::as_str));
        let item = found(self.transport.value::<PageItem>(&call).await)?;
        item.map(|item| item.into_page(kind, &self.base(None), None))
            .transpose()
    }

    pub(crate) async fn rendering(
        &self,
        kind: ContentKind,
        id: &PageId,
    ) -> Result<Option<String>, SourceError> {
        let endpoints = endpoints(kind)?;
        if !is_number(id.as_str()) {
            return Ok(None);
        }
        for format in ["export_view", "view"] {
            let mut call = Call::new(endpoints.one, &[id.as_str()]).with("body-format", format);
            // Rendering costs the site dearly: a failing one is not tried as often as a plain read.
            call.items = 2;
            match self.transport.value::<PageItem>(&call).await {
                Ok(item) => {
                    let body = item
                        .body
                        .export_view
                        .or(item.body.view)
                        .and_then(|body| body.value);
                    if body.is_some() {
                        return Ok(body);
                    }
                }
                Err(SourceError::NotFound { .. }) => return Ok(None),
                Err(SourceError::TooLarge { .. } | SourceError::Rejected { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Names are an ornament: an account that may not see them gets none, and is not asked again for a while.
    pub(crate) async fn names(&self, ids: &[AccountId]) -> Result<Vec<Person>, SourceError> {
        let mut people = Vec::with_capacity(ids.len());
        if lock(&self.no_names_until).is_some_and(|until| Instant::now() < until) {
            return Ok(people);
        }
        for chunk in ids.chunks(MAX_BATCH) {
            let mut call = Call::new(&endpoint::USERS_BULK, &[]);
            let ids: Vec<&str> = chunk.iter().map(AccountId::as_str).collect();
            call.body = Some(json!({ "accountIds": ids }));
            let page = match self.transport.page::<User>(&call, None).await {
                Ok(page) => page,
                Err(
                    error @ (SourceError::Unauthorized { .. }
                    | SourceError::LacksScope { .. }
                    | SourceError::Forbidden { .. }
                    | SourceError::NotFound { .. }),
                ) => {
                    tracing::warn!(%error, "people's names are not to be had; pages will show none");
                    *lock(&self.no_names_until) = Some(Instant::now() + NO_NAMES_FOR);
                    return Ok(people);
                }
                Err(error) => return Err(error),
            };
            people.extend(page.items.into_iter().filter_map(|mut user| {
                let id = AccountId::new(user.account_id.take()?);
                Some(Person {
                    id,
                    display_name: user.name()?,
                })
            }));
        }
        Ok(people)
    }
}

/// How long an account that may not see names is not asked for any.
const NO_NAMES_FOR: Duration = Duration::from_secs(600);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 404 as nothing.
pub(crate) fn found<T>(answer: Result<T, SourceError>) -> Result<Option<T>, SourceError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(SourceError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
