//! Whole walks against the simulated site: everything is read, each once, under every fault; every request is official.

mod endpoints;
mod faults;
mod permissions;

use confluence::{ConfluenceClient, ConfluenceConfig};
use domain::content::ContentKind::Page;
use domain::content::ContentStatus::Current;
use domain::content::{ContentFacts, SourcePage};
use domain::ports::source::{
    Batch, ContentSource, Cursor, FactsQuery, ListOrder, ListQuery, Reach, SourceError,
};
use domain::{PageId, SpaceId};
use simulators::confluence::{ConfluenceSim, ContentId, Site};

use crate::support::{basic, config};

/// Every scope that the client's endpoints need.
pub(super) const SCOPES: &[&str] = &[
    "read:page:confluence",
    "read:space:confluence",
    "read:comment:confluence",
    "read:attachment:confluence",
    "read:content-details:confluence",
    "read:user:confluence",
    "read:configuration:confluence",
    "read:group:confluence",
    "read:content.permission:confluence",
    "read:audit-log:confluence",
];

pub(super) struct Made {
    pub(super) pages: usize,
    pub(super) restricted: ContentId,
    pub(super) trashed: ContentId,
    pub(super) archived: ContentId,
    pub(super) labelled: ContentId,
    pub(super) folder: ContentId,
    pub(super) post: ContentId,
    pub(super) file: ContentId,
    pub(super) comment: ContentId,
    pub(super) group: String,
}

/// A space of more than two listings, a personal one, and one of everything.
pub(super) fn site() -> (Site, Made) {
    site_of(520)
}

/// The same with so many plain pages.
pub(super) fn site_of(plain: usize) -> (Site, Made) {
    let site = Site::new();
    site.add_user("557058:ada", "Ada", "ada@example.com");
    site.add_space("ENG", "Engineering");
    site.add_space("~712020abc", "Ada's");
    let home = site.homepage("ENG");
    let folder = site.create_folder("ENG", Some(home), "Folder");
    for n in 0..plain {
        let parent = if n % 3 == 0 { folder } else { home };
        site.create_page(
            "ENG",
            Some(parent),
            &format!("Page {n}"),
            &format!("<p>Body of page {n}, VPN gateway.</p>"),
        );
    }
    let labelled = site.create_page(
        "ENG",
        Some(home),
        "Runbook for the VPN",
        "<p>Restart the gateway.</p>",
    );
    site.label(labelled, "runbook");
    let restricted = site.create_page("ENG", Some(home), "Salaries", "<p>secret</p>");
    let group = site.add_group("leads", &["557058:ada", "557058:51b7c0de-sync"]);
    site.restrict_to_group(restricted, &group);
    site.create_page(
        "ENG",
        Some(restricted),
        "Below salaries",
        "<p>secret too</p>",
    );
    // A draft of somebody else among the ancestors: unreadable.
    let draft = site
        .by("557058:ada")
        .create_draft("ENG", Some(home), "Draft");
    site.create_page("ENG", Some(draft), "Below a draft", "<p>open</p>");
    let trashed = site.create_page("ENG", Some(home), "Trashed", "<p>x</p>");
    site.trash(trashed);
    let archived = site.create_page("ENG", Some(home), "Archived", "<p>x</p>");
    site.archive(archived);
    let post = site.create_blog_post("ENG", "News", "<p>news of the VPN</p>");
    site.create_page("~712020abc", None, "Notes", "<p>mine</p>");
    let comment = site.comment(labelled, "<p>Thanks</p>");
    site.reply(comment, "<p>Welcome</p>");
    site.inline_comment(labelled, "gateway", "<p>Which?</p>");
    let file = site.attach(labelled, "plan.txt", "text/plain", b"the plan");
    let pages = site.truth_for("557058:51b7c0de-sync").len();
    (
        site,
        Made {
            pages,
            restricted,
            trashed,
            archived,
            labelled,
            folder,
            post,
            file,
            comment,
            group,
        },
    )
}

pub(super) fn page_id(id: ContentId) -> PageId {
    PageId::new(id.to_string())
}

pub(super) async fn start(site: &Site) -> ConfluenceSim {
    ConfluenceSim::builder()
        .site(site.clone())
        .start()
        .await
        .unwrap()
}

pub(super) fn settings(sim: &ConfluenceSim) -> ConfluenceConfig {
    let mut config = config(sim.base_url());
    config.credentials = basic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN);
    config
}

pub(super) fn client(sim: &ConfluenceSim) -> ConfluenceClient {
    ConfluenceClient::new(&settings(sim)).unwrap()
}

/// Walks to the end; the error is the first that comes.
pub(super) async fn walk<T, F>(step: impl Fn(Option<Cursor>) -> F) -> Result<Vec<T>, SourceError>
where
    F: Future<Output = Result<Batch<T>, SourceError>>,
{
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let batch = step(cursor).await?;
        all.extend(batch.items);
        cursor = batch.next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

pub(super) fn sweep_of(space: &SpaceId, limit: usize) -> ListQuery {
    ListQuery {
        kind: Page,
        spaces: vec![space.clone()],
        order: ListOrder::Id,
        statuses: vec![Current],
        bodies: None,
        limit,
    }
}

pub(super) async fn sweep(
    client: &ConfluenceClient,
    space: &SpaceId,
    limit: usize,
) -> Result<Vec<SourcePage>, SourceError> {
    let query = sweep_of(space, limit);
    walk(|cursor| {
        let query = &query;
        async move { client.list(query, cursor.as_ref()).await }
    })
    .await
}

pub(super) async fn facts(
    client: &ConfluenceClient,
    space: &str,
) -> Result<Vec<ContentFacts>, SourceError> {
    let query = FactsQuery::Space(space.into(), Reach::CurrentSpaces);
    walk(|cursor| {
        let query = &query;
        async move { client.facts(query, cursor.as_ref()).await }
    })
    .await
}

pub(super) async fn eng(client: &ConfluenceClient) -> SpaceId {
    client.spaces_by_key(&["ENG".into()]).await.unwrap()[0]
        .id
        .clone()
}
