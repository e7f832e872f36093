//! Whole walks against the simulated site: everything is read, each once, under every fault; every request is official.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use confluence::comments::CommentPlace::{Footer, Inline};
use confluence::{ConfluenceClient, ConfluenceConfig};
use domain::content::ContentKind::{BlogPost, Container, Page};
use domain::content::ContentStatus::{Archived, Current, Trashed};
use domain::content::{ContentFacts, Restriction, SourcePage};
use domain::ports::source::{
    Batch, ContentSource, Cursor, FactsQuery, ListOrder, ListQuery, SourceError,
};
use domain::{AccountId, PageId, SpaceId, SpaceKey};
use simulators::confluence::{Account, BadCredentials, ConfluenceSim, ContentId, Site};
use simulators::{Fault, RateLimit, RetryAfter};

use crate::official::Official;
use crate::support::{config, name};

/// Every scope that the client's endpoints need.
const SCOPES: &[&str] = &[
    "read:page:confluence",
    "read:space:confluence",
    "read:comment:confluence",
    "read:attachment:confluence",
    "read:content-details:confluence",
    "read:user:confluence",
];

struct Made {
    pages: usize,
    restricted: ContentId,
    trashed: ContentId,
    archived: ContentId,
    labelled: ContentId,
    folder: ContentId,
    post: ContentId,
    file: ContentId,
    comment: ContentId,
}

/// A space of more than two listings, a personal one, and one of everything.
fn site() -> (Site, Made) {
    site_of(520)
}

/// The same with so many plain pages.
fn site_of(plain: usize) -> (Site, Made) {
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
        },
    )
}

fn page_id(id: ContentId) -> PageId {
    PageId::new(id.to_string())
}

async fn start(site: &Site) -> ConfluenceSim {
    ConfluenceSim::builder()
        .site(site.clone())
        .start()
        .await
        .unwrap()
}

fn settings(sim: &ConfluenceSim) -> ConfluenceConfig {
    let mut config = config(sim.base_url());
    config.email = ConfluenceSim::EMAIL.to_owned();
    config.api_token = ConfluenceSim::TOKEN.to_owned().into();
    config
}

fn client(sim: &ConfluenceSim) -> ConfluenceClient {
    ConfluenceClient::new(&settings(sim)).unwrap()
}

/// Walks to the end; the error is the first that comes.
async fn walk<T, F>(step: impl Fn(Option<Cursor>) -> F) -> Result<Vec<T>, SourceError>
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

fn sweep_of(space: &SpaceId, limit: usize) -> ListQuery {
    ListQuery {
        kind: Page,
        spaces: vec![space.clone()],
        order: ListOrder::Id,
        statuses: vec![Current],
        bodies: false,
        limit,
    }
}

async fn sweep(
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

async fn facts(client: &ConfluenceClient, space: &str) -> Result<Vec<ContentFacts>, SourceError> {
    let query = FactsQuery::Space(space.into());
    walk(|cursor| {
        let query = &query;
        async move { client.facts(query, cursor.as_ref()).await }
    })
    .await
}

async fn eng(client: &ConfluenceClient) -> SpaceId {
    client.spaces_by_key(&["ENG".into()]).await.unwrap()[0]
        .id
        .clone()
}

/// Uses every endpoint, and looks at what comes.
async fn use_everything(client: &ConfluenceClient, sim: &ConfluenceSim, made: &Made) {
    let me = client.whoami().await.unwrap();
    assert_eq!(me.id.as_str(), sim.account_id());

    let spaces = client
        .spaces_by_key(&["ENG".into(), "~712020abc".into(), "NONE".into()])
        .await
        .unwrap();
    assert_eq!(
        spaces
            .iter()
            .map(|space| space.key.as_str())
            .collect::<BTreeSet<_>>(),
        BTreeSet::from(["ENG", "~712020abc"])
    );
    assert!(spaces.iter().all(|space| space.url.starts_with("http")));
    let ids: Vec<SpaceId> = spaces.iter().map(|space| space.id.clone()).collect();
    assert_eq!(client.spaces_by_id(&ids).await.unwrap().len(), 2);
    assert_eq!(client.visible_spaces().await.unwrap().len(), 2);

    let truth: BTreeMap<String, _> = sim
        .truth()
        .into_iter()
        .map(|page| (page.id.to_string(), page))
        .collect();
    let mut seen = BTreeMap::new();
    for id in &ids {
        for page in sweep(client, id, 250).await.unwrap() {
            assert_eq!(&page.space_id, id);
            assert!(
                seen.insert(page.id.as_str().to_owned(), page).is_none(),
                "each once"
            );
        }
    }
    assert_eq!(
        seen.keys().collect::<Vec<_>>(),
        truth.keys().collect::<Vec<_>>()
    );
    assert_eq!(seen.len(), made.pages);
    for (id, page) in &seen {
        let real = &truth[id];
        assert_eq!(
            (page.title.as_str(), page.version),
            (real.title.as_str(), i32::try_from(real.version).unwrap())
        );
        assert_eq!(
            page.parent_id.as_ref().map(PageId::as_str),
            real.parent.map(|id| id.to_string()).as_deref()
        );
        assert!(
            page.url.contains(id.as_str()) && page.url.starts_with("http"),
            "{}",
            page.url
        );
    }

    let poll = ListQuery {
        spaces: ids.clone(),
        order: ListOrder::NewestFirst,
        statuses: vec![Current, Archived],
        bodies: true,
        limit: 10,
        ..sweep_of(&ids[0], 10)
    };
    let newest = client.list(&poll, None).await.unwrap();
    assert!(
        newest
            .items
            .windows(2)
            .all(|pair| pair[0].modified >= pair[1].modified)
    );
    assert!(newest.items.iter().all(|page| page.body.is_some()) && newest.next.is_some());
    let posts = ListQuery {
        kind: BlogPost,
        ..sweep_of(
            &spaces.iter().find(|s| s.key.as_str() == "ENG").unwrap().id,
            250,
        )
    };
    assert_eq!(
        client.list(&posts, None).await.unwrap().items[0].id,
        page_id(made.post)
    );
    let posts = ListQuery {
        order: ListOrder::NewestFirst,
        spaces: ids.clone(),
        ..posts
    };
    assert_eq!(client.list(&posts, None).await.unwrap().items.len(), 1);

    let batch: Vec<PageId> = seen
        .keys()
        .take(250)
        .map(|id| PageId::new(id.as_str()))
        .collect();
    let bodies = client.by_ids(Page, &batch, &[Current], true).await.unwrap();
    assert_eq!(bodies.len(), 250);
    assert!(
        bodies
            .iter()
            .all(|page| page.body.as_deref() == Some(truth[page.id.as_str()].body.as_str()))
    );
    let lost = [made.trashed, made.archived, made.labelled].map(page_id);
    let found = client
        .by_ids(Page, &lost, &[Current, Archived, Trashed], false)
        .await
        .unwrap();
    let found: BTreeMap<_, _> = found
        .into_iter()
        .map(|page| (page.id, page.status))
        .collect();
    assert_eq!(
        found,
        BTreeMap::from([
            (lost[0].clone(), Trashed),
            (lost[1].clone(), Archived),
            (lost[2].clone(), Current)
        ])
    );
    assert_eq!(
        client
            .by_ids(BlogPost, &[page_id(made.post)], &[Current], true)
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        client.one(Page, &lost[0]).await.unwrap().unwrap().status,
        Trashed
    );
    assert_eq!(
        client
            .one(BlogPost, &page_id(made.post))
            .await
            .unwrap()
            .unwrap()
            .kind,
        BlogPost
    );
    assert_eq!(client.one(Page, &"1".into()).await.unwrap(), None);

    let mut known: BTreeMap<PageId, ContentFacts> = BTreeMap::new();
    for key in ["ENG", "~712020abc"] {
        known.extend(
            facts(client, key)
                .await
                .unwrap()
                .into_iter()
                .map(|facts| (facts.id.clone(), facts)),
        );
    }
    for id in truth.keys() {
        let facts = &known[&PageId::new(id.as_str())];
        let restricted = if *id == made.restricted.to_string() {
            Restriction::Restricted
        } else {
            Restriction::Open
        };
        assert_eq!(facts.restriction, restricted, "{id}");
        assert_eq!(
            facts.labels,
            truth[id].labels.iter().cloned().collect::<Vec<_>>()
        );
        assert!(facts.ancestors.is_some());
    }
    assert_eq!(known[&page_id(made.folder)].kind, Container);
    let some = FactsQuery::Ids(vec![page_id(made.labelled), page_id(made.restricted)]);
    assert_eq!(client.facts(&some, None).await.unwrap().items.len(), 2);
    for (kind, id) in [
        (Page, made.restricted),
        (Page, made.labelled),
        (BlogPost, made.post),
        (Container, made.folder),
    ] {
        let single = client.facts_of(kind, &page_id(id)).await.unwrap().unwrap();
        let bulk = &known[&page_id(id)];
        assert_eq!(
            (single.restriction, &single.labels),
            (bulk.restriction, &bulk.labels),
            "{id}"
        );
    }
    assert_eq!(client.facts_of(Page, &"1".into()).await.unwrap(), None);

    let people = client
        .people(&[AccountId::from("557058:ada"), AccountId::from("nobody")])
        .await
        .unwrap();
    assert_eq!(
        people
            .iter()
            .map(|person| person.display_name.as_str())
            .collect::<Vec<_>>(),
        ["Ada"]
    );
    assert!(
        client
            .rendered(Page, &page_id(made.labelled))
            .await
            .unwrap()
            .unwrap()
            .contains("Restart the gateway")
    );
    let hits = client
        .search_live("how do I restart the VPN gateway?", &["ENG".into()], 5)
        .await
        .unwrap();
    assert_eq!(hits[0].id, page_id(made.labelled));
    assert_eq!((hits.len(), hits[0].space_key.as_str()), (5, "ENG"));
    assert!(hits[0].excerpt.contains("Restart the gateway"));

    let labelled = page_id(made.labelled);
    for place in [Footer, Inline] {
        assert_eq!(
            client
                .comments_of(Page, &labelled, place, None)
                .await
                .unwrap()
                .items
                .len(),
            1
        );
        assert!(
            !client
                .recent_comments(place, 25, None)
                .await
                .unwrap()
                .items
                .is_empty()
        );
        client
            .comments_of(BlogPost, &page_id(made.post), place, None)
            .await
            .unwrap();
    }
    assert_eq!(
        client
            .replies_to(Footer, &page_id(made.comment), None)
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    let files = client
        .attachments_of(Page, &labelled, None)
        .await
        .unwrap()
        .items;
    assert_eq!((files.len(), files[0].title.as_str()), (1, "plan.txt"));
    assert_eq!(
        client
            .recent_attachments(25, None)
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    client
        .attachments_of(BlogPost, &page_id(made.post), None)
        .await
        .unwrap();
    assert_eq!(
        client.download(&labelled, &files[0].id, 100).await.unwrap(),
        b"the plan"
    );
    assert_eq!(
        files[0].id.as_str().trim_start_matches("att"),
        made.file.to_string().trim_start_matches("att")
    );
}

fn all_official(sim: &ConfluenceSim) {
    let Some(official) = Official::load() else {
        return;
    };
    let requests = sim.requests();
    assert!(!requests.is_empty());
    for request in requests {
        let faults = official.faults(&request);
        assert!(
            faults.is_empty(),
            "{} {}: {faults:?}",
            request.method,
            request.path_and_query()
        );
    }
}

#[tokio::test]
async fn every_endpoint_at_the_site() {
    let (site, made) = site();
    let sim = start(&site).await;
    use_everything(&client(&sim), &sim, &made).await;
    all_official(&sim);
}

#[tokio::test]
async fn every_endpoint_through_the_gateway() {
    let (site, made) = site();
    let account = Account::scoped("s@example.com", "scoped", SCOPES);
    let sim = ConfluenceSim::builder()
        .site(site)
        .account(account)
        .start()
        .await
        .unwrap();
    let mut config = settings(&sim);
    config.email = "s@example.com".to_owned();
    config.api_token = "scoped".to_owned().into();
    let direct = ConfluenceClient::new(&config)
        .unwrap()
        .whoami()
        .await
        .unwrap_err();
    assert_eq!(name(&direct), "unauthorized");
    assert!(
        direct.to_string().contains("CONFLUENCE_CLOUD_ID"),
        "{direct}"
    );
    sim.reset_log();
    config.cloud_id = Some(sim.cloud_id().to_owned());
    config.gateway_url = Some(format!("{}/ex/confluence", sim.base_url()).parse().unwrap());
    use_everything(&ConfluenceClient::new(&config).unwrap(), &sim, &made).await;
    all_official(&sim);
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let (site, _) = site_of(120);
    let account = Account::scoped(
        "s@example.com",
        "scoped",
        &["read:content-details:confluence"],
    );
    let sim = ConfluenceSim::builder()
        .site(site)
        .account(account)
        .start()
        .await
        .unwrap();
    let mut config = settings(&sim);
    config.email = "s@example.com".to_owned();
    config.api_token = "scoped".to_owned().into();
    config.cloud_id = Some(sim.cloud_id().to_owned());
    config.gateway_url = Some(format!("{}/ex/confluence", sim.base_url()).parse().unwrap());
    let client = ConfluenceClient::new(&config).unwrap();
    client.whoami().await.unwrap();
    let error = client.visible_spaces().await.unwrap_err();
    assert_eq!(name(&error), "unauthorized");
    assert!(
        error.to_string().contains("read:space:confluence"),
        "{error}"
    );
}

#[tokio::test]
async fn wrong_credentials_are_named_in_every_mode() {
    let (site, _) = site_of(120);
    let sim = start(&site).await;
    let space = eng(&client(&sim)).await;
    for mode in [
        BadCredentials::ForbiddenAndNotFound,
        BadCredentials::Unauthorized,
        BadCredentials::HtmlUnauthorized,
        BadCredentials::Anonymous,
    ] {
        sim.switches(|s| s.bad_credentials = mode);
        let mut config = settings(&sim);
        config.api_token = "wrong".to_owned().into();
        let client = ConfluenceClient::new(&config).unwrap();
        let error = client.whoami().await.unwrap_err();
        assert_eq!(name(&error), "unauthorized", "{mode:?}");
        if mode != BadCredentials::Anonymous {
            let poll = ListQuery {
                order: ListOrder::NewestFirst,
                ..sweep_of(&space, 25)
            };
            assert_eq!(
                name(&client.list(&poll, None).await.unwrap_err()),
                "unauthorized",
                "{mode:?}"
            );
        }
    }
}

#[tokio::test]
async fn passing_faults_lose_nothing_and_double_nothing() {
    let (site, made) = site_of(120);
    let sim = start(&site).await;
    let client = client(&sim);
    let space = eng(&client).await;
    let whole = sweep(&client, &space, 60).await.unwrap();
    let known = facts(&client, "ENG").await.unwrap();
    assert!(whole.len() + 2 >= made.pages);
    for fault in [
        Fault::Status(500),
        Fault::Status(503),
        Fault::HtmlStatus(502),
        Fault::EmptyStatus(504),
        Fault::RateLimited(RetryAfter::Zero),
        Fault::RateLimited(RetryAfter::Missing),
        Fault::Unavailable(0),
        Fault::Html200,
        Fault::CutJson,
        Fault::CutBody,
        Fault::Reset,
        Fault::Slow(Duration::from_millis(50)),
        Fault::TransientNotFound,
        Fault::TransientForbidden,
    ] {
        // The second answer of each walk goes wrong.
        sim.fail_after("/spaces/{id}/pages", 1, 1, fault.clone());
        assert_eq!(
            sweep(&client, &space, 60).await.unwrap(),
            whole,
            "{fault:?}"
        );
        sim.fail_after("/content/search", 1, 1, fault.clone());
        assert_eq!(facts(&client, "ENG").await.unwrap(), known, "{fault:?}");
        assert_eq!(sim.pending_faults(), 0, "{fault:?} struck");
    }
    assert_eq!(client.health().in_flight, 0);
}

#[tokio::test]
async fn lasting_faults_have_their_names() {
    let (site, _) = site_of(220);
    let sim = start(&site).await;
    let client = client(&sim);
    let space = eng(&client).await;
    for (fault, want) in [
        (Fault::Status(500), "too large"),
        (Fault::HtmlStatus(504), "too large"),
        (Fault::Status(503), "unavailable"),
        (Fault::Html200, "unavailable"),
        (Fault::CutJson, "unavailable"),
        (Fault::CutBody, "unavailable"),
        (Fault::Reset, "unavailable"),
        (Fault::RateLimited(RetryAfter::Zero), "rate limited"),
        (Fault::RateLimited(RetryAfter::Missing), "rate limited"),
        (Fault::RateLimited(RetryAfter::Seconds(600)), "rate limited"),
        (Fault::TransientNotFound, "unavailable"),
        (Fault::TransientForbidden, "unavailable"),
        (Fault::Unauthorized, "unauthorized"),
        (Fault::InvalidCursor, "bad cursor"),
        (Fault::RepeatNext, "bad cursor"),
        (Fault::Status(410), "withdrawn"),
        (Fault::Status(413), "too large"),
    ] {
        for endpoint in ["/spaces/{id}/pages", "/content/search"] {
            // A client of its own, since a pause of ten minutes stays.
            let client = crate::simulated::client(&sim);
            sim.fail_after(endpoint, 1, 99, fault.clone());
            let error = match endpoint {
                "/content/search" => facts(&client, "ENG").await.unwrap_err(),
                _ => sweep(&client, &space, 60).await.unwrap_err(),
            };
            // Facts are asked for in smaller pieces at once, down to one by one.
            let heavy = matches!(fault, Fault::Status(500) | Fault::HtmlStatus(504));
            let want = if heavy && endpoint == "/content/search" {
                "unavailable"
            } else {
                want
            };
            assert_eq!(name(&error), want, "{fault:?} at {endpoint}: {error}");
            sim.clear_faults();
        }
    }
}

#[tokio::test]
async fn large_answers_that_fail_are_split_down_to_the_poison_page() {
    let (site, made) = site();
    let sim = start(&site).await;
    let client = client(&sim);
    let space = eng(&client).await;
    sim.switches(|s| {
        s.poison_pages.insert(made.labelled);
    });
    let mut todo: Vec<Vec<PageId>> = vec![
        sweep(&client, &space, 60)
            .await
            .unwrap()
            .into_iter()
            .map(|page| page.id)
            .take(249)
            .collect(),
    ];
    todo[0].push(page_id(made.labelled));
    let (mut read, mut poison) = (0, Vec::new());
    while let Some(ids) = todo.pop() {
        match client.by_ids(Page, &ids, &[Current], true).await {
            Ok(pages) => read += pages.len(),
            Err(SourceError::TooLarge { .. }) => {
                let (left, right) = ids.split_at(ids.len() / 2);
                todo.extend([left.to_vec(), right.to_vec()]);
            }
            Err(error) => {
                assert_eq!((name(&error), ids.len()), ("unavailable", 1));
                poison.extend(ids);
            }
        }
    }
    assert_eq!((read, poison), (249, vec![page_id(made.labelled)]));

    // A listing that holds it can be asked for without bodies, even of one.
    let newest = ListQuery {
        order: ListOrder::NewestFirst,
        bodies: true,
        limit: 1,
        ..sweep_of(&space, 1)
    };
    sim.fail_next("/wiki/api/v2/pages", 2, Fault::Status(500));
    assert_eq!(
        name(&client.list(&newest, None).await.unwrap_err()),
        "too large"
    );
    sim.switches(|s| s.fails_above_limit = Some((100, 504)));
    assert_eq!(
        name(&client.list(&sweep_of(&space, 250), None).await.unwrap_err()),
        "too large"
    );
    assert_eq!(
        client
            .list(&sweep_of(&space, 100), None)
            .await
            .unwrap()
            .items
            .len(),
        100
    );
}

#[tokio::test]
async fn facts_come_in_smaller_pieces_where_large_ones_fail() {
    let (site, _) = site_of(120);
    let sim = start(&site).await;
    let client = client(&sim);
    let whole = facts(&client, "ENG").await.unwrap();
    sim.switches(|s| s.fails_above_limit = Some((30, 504)));
    sim.reset_log();
    assert_eq!(facts(&client, "ENG").await.unwrap(), whole);
    sim.switches(|s| s.fails_above_limit = None);
    facts(&client, "ENG").await.unwrap();
    sim.reset_log();
    assert_eq!(facts(&client, "ENG").await.unwrap(), whole);
    assert_eq!(sim.request_count(), 2, "100 at a time again");
}

#[tokio::test]
async fn a_quota_by_points_is_used_up_and_waited_for_by_the_caller() {
    let (site, _) = site_of(120);
    let sim = start(&site).await;
    let client = client(&sim);
    let space = eng(&client).await;
    sim.switches(|s| s.points_per_hour = Some(150));
    sim.reset_log();
    let error = loop {
        match sweep(&client, &space, 60).await {
            Ok(_) => assert!(sim.request_count() < 20),
            Err(error) => break error,
        }
    };
    let SourceError::RateLimited { retry_after, .. } = error else {
        panic!("{error}")
    };
    assert!(retry_after <= Duration::from_secs(3660));
    let sent = sim.request_count();
    let until = client.health().paused_until;
    if until.is_some_and(|until| until - chrono::Utc::now() > chrono::TimeDelta::seconds(5)) {
        assert_eq!(name(&client.whoami().await.unwrap_err()), "rate limited");
        assert_eq!(sim.request_count(), sent);
    }
}

#[tokio::test]
async fn a_token_that_expires_in_mid_walk() {
    let (site, _) = site();
    let sim = start(&site).await;
    let client = client(&sim);
    let space = eng(&client).await;
    sim.switches(|s| {
        s.token_expires_after = Some(2);
        s.bad_credentials = BadCredentials::Unauthorized;
    });
    let error = sweep(&client, &space, 60).await.unwrap_err();
    assert_eq!(name(&error), "unauthorized");
}

#[tokio::test]
async fn odd_data_is_tolerated() {
    let (site, _) = site_of(120);
    let sim = start(&site).await;
    let client = client(&sim);
    let space = eng(&client).await;
    let ids = |pages: Vec<SourcePage>| pages.into_iter().map(|page| page.id).collect::<Vec<_>>();
    let whole = ids(sweep(&client, &space, 60).await.unwrap());
    sim.switches(|s| {
        s.unknown_fields = true;
        s.unknown_enums = true;
        s.null_parents = true;
        s.missing_body = true;
        s.hide_emails = true;
        s.cql_empty_last_page = true;
    });
    assert_eq!(ids(sweep(&client, &space, 60).await.unwrap()), whole);
    let bodies = client
        .by_ids(Page, &whole[..50], &[Current], true)
        .await
        .unwrap();
    assert!(
        bodies
            .iter()
            .all(|page| page.body.is_none() && page.parent_id.is_none())
    );
    assert!(facts(&client, "ENG").await.unwrap().len() >= whole.len());
    assert_eq!(client.whoami().await.unwrap().id.as_str(), sim.account_id());
    assert_eq!(client.visible_spaces().await.unwrap().len(), 2);
    assert_eq!(
        client.people(&["557058:ada".into()]).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn the_site_is_never_pressed() {
    let (site, _) = site();
    let sim = start(&site).await;
    let mut config = settings(&sim);
    config.retry.patience = Duration::from_secs(20);
    let client = Arc::new(ConfluenceClient::new(&config).unwrap());
    let space = eng(&client).await;
    let whole = sweep(&client, &space, 60).await.unwrap().len();
    // A site that refuses bursts: everyone gets through, and few requests are wasted on refusals.
    sim.switches(|s| {
        s.rate_limit = Some(RateLimit {
            burst: 8,
            ..RateLimit::per_second(20.0)
        })
    });
    sim.reset_log();
    let mut walks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (client, space) = (Arc::clone(&client), space.clone());
        walks.spawn(async move { sweep(&client, &space, 60).await.map(|pages| pages.len()) });
    }
    for result in walks.join_all().await {
        assert_eq!(result, Ok(whole));
    }
    let refused = sim
        .requests()
        .iter()
        .filter(|request| request.status == 429)
        .count();
    assert!(
        refused <= 16,
        "{refused} of {} were refused",
        sim.request_count()
    );
    assert_eq!(client.health().in_flight, 0);
}

#[tokio::test]
async fn a_used_up_quota_is_told_and_nothing_more_is_sent() {
    let (site, _) = site_of(120);
    // Only access tokens fall under the quota; the site's word for it is what matters here.
    let sim = start(&site).await;
    let client = client(&sim);
    let space = eng(&client).await;
    sim.fail_always("*", Fault::RateLimited(RetryAfter::Seconds(1800)));
    sim.reset_log();
    for _ in 0..5 {
        let error = sweep(&client, &space, 60).await.unwrap_err();
        let SourceError::RateLimited { retry_after, .. } = error else {
            panic!("{error}")
        };
        assert!(
            (1790..=1990).contains(&retry_after.as_secs()),
            "{retry_after:?}"
        );
    }
    assert_eq!(sim.request_count(), 1);
}

#[tokio::test]
async fn a_space_that_vanishes_is_named() {
    let (site, _) = site_of(120);
    let sim = start(&site).await;
    let client = client(&sim);
    let space = eng(&client).await;
    site.delete_space("ENG");
    let error = sweep(&client, &space, 60).await.unwrap_err();
    assert_eq!(name(&error), "not found");
    assert_eq!(
        client
            .spaces_by_key(&[SpaceKey::from("ENG")])
            .await
            .unwrap(),
        []
    );
    assert_eq!(client.spaces_by_id(&[space]).await.unwrap(), []);
}
