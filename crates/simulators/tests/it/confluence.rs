//! Confluence: paging, visibility, life cycle, errors.

use std::time::Duration;

use serde_json::{Value, json};
use simulators::confluence::{Account, ConfluenceSim, Principal, Site};
use simulators::{Fault, RateLimit, RetryAfter};

use crate::support::{client, confluence, each, get, json, status_of};

fn site() -> Site {
    let site = Site::new();
    site.add_space("ENG", "Engineering");
    let home = site.homepage("ENG");
    for n in 0..60 {
        site.create_page(
            "ENG",
            Some(home),
            &format!("Page {n:02}"),
            &format!("<p>Text number {n}</p>"),
        );
    }
    site
}

/// Follows `next` by its cursor, as clients should.
async fn walk(sim: &ConfluenceSim, path: &str) -> (Vec<String>, usize) {
    let (mut ids, mut requests, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let full = if cursor.is_empty() {
            path.to_owned()
        } else {
            format!("{path}&cursor={cursor}")
        };
        let page = json(sim, &full).await;
        requests += 1;
        ids.extend(each(&page, "results", "id"));
        let Some(next) = page["_links"]["next"].as_str() else {
            return (ids, requests);
        };
        let url = url_of(sim, next);
        cursor = url
            .query_pairs()
            .find(|(n, _)| n == "cursor")
            .unwrap()
            .1
            .into_owned();
        cursor = cursor.replace('=', "%3D");
        assert!(requests < 100, "the walk does not end");
    }
}

fn url_of(sim: &ConfluenceSim, next: &str) -> reqwest::Url {
    reqwest::Url::parse(&format!("{}{next}", sim.base_url())).unwrap()
}

#[actix_rt::test]
async fn walks_find_every_page_once_in_any_order() {
    let sim = confluence(site()).await;
    let space = sim.site().space_id("ENG");
    for sort in [
        "id",
        "-id",
        "title",
        "-title",
        "modified-date",
        "-modified-date",
        "created-date",
    ] {
        let (mut ids, requests) = walk(
            &sim,
            &format!("/wiki/api/v2/spaces/{space}/pages?limit=7&sort={sort}"),
        )
        .await;
        assert_eq!(requests, 9, "{sort}");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 61, "{sort}");
    }
    let cql = "/wiki/rest/api/content/search?cql=type%3Dpage%20order%20by%20lastmodified&limit=7";
    assert_eq!(walk(&sim, cql).await.0.len(), 61);
}

#[actix_rt::test]
async fn limits_and_cursors_are_checked() {
    let sim = confluence(site()).await;
    for bad in [
        "limit=0",
        "limit=251",
        "limit=x",
        "cursor=nonsense",
        "sort=colour",
        "body-format=view",
        "id=abc",
    ] {
        let response = get(&sim, &format!("/wiki/api/v2/pages?{bad}"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 400, "{bad}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["errors"][0]["status"], 400, "{bad}");
    }
    // A cursor of one order is not a cursor of another.
    let first = json(&sim, "/wiki/api/v2/pages?limit=2&sort=title").await;
    let next = url_of(&sim, first["_links"]["next"].as_str().unwrap());
    let cursor = next
        .query_pairs()
        .find(|(n, _)| n == "cursor")
        .unwrap()
        .1
        .into_owned();
    assert_eq!(
        status_of(
            &sim,
            &format!(
                "/wiki/api/v2/pages?limit=2&sort=id&cursor={}",
                cursor.replace('=', "%3D")
            )
        )
        .await,
        400
    );
}

#[actix_rt::test]
async fn the_link_header_says_the_same_as_the_body() {
    let sim = confluence(site()).await;
    let response = get(&sim, "/wiki/api/v2/pages?limit=5")
        .send()
        .await
        .unwrap();
    let link = response.headers()["link"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    let (next, base) = (
        body["_links"]["next"].as_str().unwrap(),
        body["_links"]["base"].as_str().unwrap(),
    );
    assert_eq!(
        link,
        format!("<{next}>; rel=\"next\", <{base}>; rel=\"base\"")
    );
    assert!(next.starts_with("/wiki/api/v2/pages?cursor="));
    let last = get(&sim, "/wiki/api/v2/pages?limit=250")
        .send()
        .await
        .unwrap();
    assert_eq!(
        last.headers()["link"].to_str().unwrap(),
        format!("<{base}>; rel=\"base\"")
    );
    let v1 = json(&sim, "/wiki/rest/api/content/search?cql=type=page&limit=5").await;
    assert!(
        v1["_links"]["next"]
            .as_str()
            .unwrap()
            .starts_with("/rest/api/content/search?next=true&cursor=")
    );
}

#[actix_rt::test]
async fn what_may_not_be_seen_is_not_there() {
    let site = site();
    let (open, secret) = (
        site.find("ENG", "Page 01").unwrap(),
        site.find("ENG", "Page 02").unwrap(),
    );
    let below = site.create_page("ENG", Some(secret), "Below", "<p>x</p>");
    let group = site.add_group("admins", &["557058:someone"]);
    site.restrict_to_group(secret, &group);
    let sim = confluence(site).await;
    for hidden in [secret, below] {
        assert_eq!(
            status_of(&sim, &format!("/wiki/api/v2/pages/{hidden}")).await,
            404
        );
    }
    let page = json(
        &sim,
        &format!("/wiki/api/v2/pages?id={open},{secret},{below}&limit=250"),
    )
    .await;
    assert_eq!(each(&page, "results", "id"), [open.to_string()]);
    assert_eq!(sim.truth().len(), 60);
    sim.site().unrestrict(secret);
    assert_eq!(
        status_of(&sim, &format!("/wiki/api/v2/pages/{below}")).await,
        200
    );
    sim.site()
        .limit_space_to("ENG", &[Principal::User("someone".into())]);
    assert_eq!(
        json(&sim, "/wiki/api/v2/spaces?keys=ENG").await["results"],
        json!([])
    );
    assert!(sim.truth().is_empty());
}

#[actix_rt::test]
async fn a_page_lives_as_the_api_shows_it() {
    let sim = confluence(site()).await;
    let site = sim.site();
    let id = site.find("ENG", "Page 03").unwrap();
    let path = format!("/wiki/api/v2/pages/{id}?body-format=storage");
    site.edit(id, "<p>new</p>");
    site.rename(id, "Renamed");
    let page = json(&sim, &path).await;
    assert_eq!(
        (page["version"]["number"].as_u64(), page["title"].as_str()),
        (Some(3), Some("Renamed"))
    );
    assert_eq!(page["body"]["storage"]["value"], "<p>new</p>");
    let before = page["version"]["createdAt"].clone();
    site.label(id, "x");
    site.add_space("OPS", "Operations");
    site.move_to_space(id, "OPS", Some(site.homepage("OPS")));
    let moved = json(&sim, &path).await;
    assert_eq!(moved["version"]["createdAt"], before);
    assert_eq!(moved["spaceId"], site.space_id("OPS").to_string());
    site.archive(id);
    assert_eq!(json(&sim, &path).await["status"], "archived");
    site.trash(id);
    assert_eq!(json(&sim, &path).await["status"], "trashed");
    let listed = json(&sim, &format!("/wiki/api/v2/pages?id={id}")).await;
    assert_eq!(listed["results"], json!([]));
    let listed = json(&sim, &format!("/wiki/api/v2/pages?id={id}&status=trashed")).await;
    assert_eq!(each(&listed, "results", "status"), ["trashed"]);
    sim.switches(|s| s.trashed_by_id = false);
    assert_eq!(status_of(&sim, &path).await, 404);
    site.restore(id);
    assert_eq!(json(&sim, &path).await["version"]["number"], 4);
    site.purge(id);
    assert_eq!(status_of(&sim, &path).await, 404);
}

#[actix_rt::test]
async fn credentials_are_judged_per_host() {
    let account = Account::scoped("svc@example.com", "scoped", &["read:page:confluence"]);
    let sim = ConfluenceSim::builder()
        .site(site())
        .account(Account::classic("bot@example.com", "classic"))
        .account(account)
        .start()
        .await
        .unwrap();
    let gateway = sim.gateway_url();
    let ask = |base: &str, path: &str, user: &str, token: &str| {
        let request = client()
            .get(format!("{base}{path}"))
            .basic_auth(user, Some(token));
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let (pages, user) = ("/wiki/api/v2/pages", "/wiki/rest/api/user/current");
    assert_eq!(
        ask(sim.base_url(), pages, "bot@example.com", "classic").await,
        200
    );
    assert_eq!(
        ask(sim.base_url(), pages, "bot@example.com", "wrong").await,
        404
    );
    assert_eq!(
        ask(sim.base_url(), user, "bot@example.com", "wrong").await,
        403
    );
    assert_eq!(
        ask(sim.base_url(), pages, "svc@example.com", "scoped").await,
        401
    );
    assert_eq!(ask(&gateway, pages, "svc@example.com", "scoped").await, 200);
    assert_eq!(ask(&gateway, user, "svc@example.com", "scoped").await, 401);
    assert_eq!(ask(&gateway, pages, "svc@example.com", "wrong").await, 401);
    assert_eq!(
        ask(
            &gateway,
            "/wiki/rest/api/content/1",
            "svc@example.com",
            "scoped"
        )
        .await,
        410
    );
    let tenant = client()
        .get(format!("{}/_edge/tenant_info", sim.base_url()))
        .send()
        .await
        .unwrap();
    assert_eq!(
        tenant.json::<Value>().await.unwrap()["cloudId"],
        sim.cloud_id()
    );
}

#[actix_rt::test]
async fn search_understands_what_clients_ask() {
    let site = site();
    let id = site.find("ENG", "Page 07").unwrap();
    site.label(id, "runbook");
    site.restrict_to_user(id, "557058:51b7c0de-sync");
    site.edit(id, "<p>How to drain a <strong>Kafka</strong> broker</p>");
    let sim = confluence(site).await;
    let find = |cql: &str| {
        let query: String = url_encode(cql);
        let sim = &sim;
        async move {
            each(
                &json(
                    sim,
                    &format!("/wiki/rest/api/content/search?cql={query}&limit=100"),
                )
                .await,
                "results",
                "id",
            )
        }
    };
    let home = sim.site().homepage("ENG");
    assert_eq!(find("text ~ \"kafka brokers\"").await, [id.to_string()]);
    assert_eq!(
        find("label = runbook and space in (\"ENG\",\"NOPE\")").await,
        [id.to_string()]
    );
    assert_eq!(
        find(&format!("id in ({id}) and type = page")).await,
        [id.to_string()]
    );
    assert_eq!(
        find(&format!("ancestor = {home} and type=page"))
            .await
            .len(),
        60
    );
    assert_eq!(
        find("type = page and lastmodified >= now(\"-26h\")")
            .await
            .len(),
        61
    );
    assert_eq!(
        find("type = page and lastmodified < now(\"-26h\")")
            .await
            .len(),
        0
    );
    assert_eq!(
        find("title ~ \"page 1*\" and not title = \"Page 11\"")
            .await
            .len(),
        9
    );
    let expand = "version,metadata.labels,restrictions.read.restrictions.user,restrictions.read.restrictions.group,ancestors";
    let page = json(
        &sim,
        &format!("/wiki/rest/api/content/search?cql=id={id}&expand={expand}"),
    )
    .await;
    let hit = &page["results"][0];
    assert_eq!(hit["version"]["number"], 2);
    assert_eq!(hit["metadata"]["labels"]["results"][0]["name"], "runbook");
    assert_eq!(
        hit["restrictions"]["read"]["restrictions"]["user"]["size"],
        1
    );
    assert_eq!(hit["ancestors"][0]["id"], home.to_string());
    assert_eq!(
        status_of(&sim, "/wiki/rest/api/content/search?cql=colour=red").await,
        400
    );
    // The index lags; the lists do not.
    sim.switches(|s| s.search_lag = Duration::from_secs(3600));
    assert!(find("text ~ kafka").await.is_empty());
}

fn url_encode(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() {
                (b as char).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

#[actix_rt::test]
async fn faults_strike_as_planned() {
    let sim = confluence(site()).await;
    let pages = "/wiki/api/v2/pages?limit=5";
    sim.fail_next(
        "/wiki/api/v2/pages",
        2,
        Fault::RateLimited(RetryAfter::Seconds(3)),
    );
    for _ in 0..2 {
        let response = get(&sim, pages).send().await.unwrap();
        assert_eq!(
            (
                response.status().as_u16(),
                response.headers()["retry-after"].to_str().unwrap()
            ),
            (429, "3")
        );
    }
    assert_eq!(status_of(&sim, pages).await, 200);
    sim.fail_next("*", 1, Fault::CutJson);
    let cut = get(&sim, pages).send().await.unwrap();
    assert_eq!(cut.status(), 200);
    assert!(cut.json::<Value>().await.is_err());
    for fault in [Fault::Reset, Fault::CutBody] {
        sim.fail_next("*", 1, fault.clone());
        let outcome = match get(&sim, pages).send().await {
            Ok(response) => response.bytes().await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(outcome.is_err(), "{fault:?} went through");
    }
    sim.fail_next("limit=5", 1, Fault::Html200);
    let html = get(&sim, pages).send().await.unwrap();
    assert!(
        html.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    sim.fail_next("/pages", 1, Fault::RepeatNext);
    let repeat = json(&sim, pages).await;
    assert_eq!(repeat["_links"]["next"], pages);
    sim.fail_next("/pages", 1, Fault::EmptyListing);
    let empty = json(&sim, pages).await;
    assert_eq!(
        (&empty["results"], &empty["_links"]["next"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(sim.pending_faults(), 0);
    let log = sim.requests();
    assert!(
        log.iter().any(|r| r.status == 0) && log.iter().all(|r| r.template == "/wiki/api/v2/pages")
    );
    assert_eq!(sim.count_of("/wiki/api/v2/pages"), log.len() as u64);
    sim.reset_log();
    assert_eq!(sim.request_count(), 0);
}

#[actix_rt::test]
async fn switches_limit_and_spoil() {
    let sim = confluence(site()).await;
    sim.switches(|s| {
        s.rate_limit = Some(RateLimit {
            burst: 3,
            ..RateLimit::per_second(0.5)
        })
    });
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(status_of(&sim, "/wiki/api/v2/pages").await);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    sim.switches(|s| s.rate_limit = None);
    sim.switches(|s| s.points_per_hour = Some(sim.points_used() as u32 + 20));
    assert_eq!(status_of(&sim, "/wiki/api/v2/pages?limit=250").await, 200);
    let over = get(&sim, "/wiki/api/v2/pages").send().await.unwrap();
    assert_eq!(over.status(), 429);
    assert_eq!(
        over.headers()["ratelimit-reason"],
        "confluence-quota-global-based"
    );
    assert!(
        over.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            <= 3600
    );
    sim.switches(|s| s.points_per_hour = None);
    let poison = sim.site().find("ENG", "Page 09").unwrap();
    sim.switches(|s| {
        s.poison_pages.insert(poison);
        s.fails_above_limit = Some((100, 504));
    });
    assert_eq!(
        status_of(&sim, "/wiki/api/v2/pages?limit=100&body-format=storage").await,
        500
    );
    assert_eq!(status_of(&sim, "/wiki/api/v2/pages?limit=100").await, 200);
    assert_eq!(status_of(&sim, "/wiki/api/v2/pages?limit=101").await, 504);
    sim.switches(|s| s.token_expires_after = Some(0));
    assert_eq!(status_of(&sim, "/wiki/api/v2/pages").await, 404);
}

#[actix_rt::test]
async fn files_come_from_another_host_without_credentials() {
    let site = site();
    let page = site.find("ENG", "Page 01").unwrap();
    let file = site.attach(page, "notes für alle.txt", "text/plain", b"hello");
    let sim = confluence(site).await;
    let path = format!("/wiki/rest/api/content/{page}/child/attachment/att{file}/download");
    let redirect = get(&sim, &path).send().await.unwrap();
    assert_eq!(redirect.status(), 302);
    let location = redirect.headers()["location"].to_str().unwrap().to_owned();
    assert!(!location.starts_with(sim.base_url()));
    let refused = client()
        .get(&location)
        .basic_auth("a", Some("b"))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 400);
    assert_eq!(
        client()
            .get(&location)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap()
            .as_ref(),
        b"hello"
    );
    assert_eq!(
        client()
            .get(location.replace("token=", "token=0"))
            .send()
            .await
            .unwrap()
            .status(),
        403
    );
    assert_eq!(
        status_of(&sim, &format!("/wiki/download/attachments/{page}/x.txt")).await,
        401
    );
}

#[tokio::test]
async fn any_runtime_can_own_it_and_dropping_frees_the_port() {
    let sim = confluence(site()).await;
    let url = format!("{}/wiki/api/v2/spaces", sim.base_url());
    assert_eq!(status_of(&sim, "/wiki/api/v2/spaces").await, 200);
    drop(sim);
    assert!(client().get(url).send().await.is_err());
}
