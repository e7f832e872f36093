//! What is asked of each endpoint, word for word, and what is made of its answer.

use domain::content::ContentKind::{Attachment, BlogPost, Container, Page};
use domain::content::ContentStatus::{Archived, Current, Draft, Trashed, Unknown};
use domain::content::{ContentKind, Restriction};
use domain::ports::source::{ContentSource, FactsQuery, ListOrder, ListQuery, Reach};
use domain::{AccountId, PageId, SpaceKey};
use serde_json::json;
use wiremock::matchers::{method, path, query_param, query_param_contains};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::*;

const SPACES: &str = "/wiki/api/v2/spaces";
const CQL: &str = "/wiki/rest/api/content/search";

#[tokio::test]
async fn who_we_are() {
    let server = MockServer::start().await;
    always(&server, ME, ok(known())).await;
    let account = client(&server).whoami().await.unwrap();
    assert_eq!(
        (account.id.as_str(), account.display_name.as_str()),
        ("557058:me", "Sync")
    );
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].headers["authorization"], BASIC);
    assert_eq!(requests[0].headers["accept"], "application/json");
    assert!(
        requests[0].headers["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("mcp-confluence/")
    );
}

#[tokio::test]
async fn spaces_by_key_id_and_all() {
    let server = MockServer::start().await;
    let spaces = json!({"results": [
        {"id": "65540", "key": "ENG", "name": "Engineering", "type": "global", "status": "current", "_links": {"webui": "/spaces/ENG"}},
        {"id": 7, "key": "~712020abc", "name": "", "type": "personal", "status": "archived"},
        {"id": "8", "name": "no key"}
    ], "_links": {"base": "https://x.atlassian.net/wiki"}});
    always(&server, SPACES, ok(spaces)).await;
    let client = client(&server);
    let keys = ["~712020abc", "ENG", "ENG", "A,B", ""].map(SpaceKey::from);
    let found = client.spaces_by_key(&keys).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(
        (found[0].id.as_str(), found[0].url.as_str()),
        ("65540", "https://x.atlassian.net/wiki/spaces/ENG")
    );
    assert_eq!(
        (
            found[1].id.as_str(),
            found[1].name.as_str(),
            found[1].archived
        ),
        ("7", "~712020abc", true)
    );
    assert_eq!(
        found[1].url,
        "https://x.atlassian.net/wiki/spaces/~712020abc"
    );
    client
        .spaces_by_id(&["65540".into(), "x".into(), "7".into()])
        .await
        .unwrap();
    client.visible_spaces().await.unwrap();
    assert_eq!(client.spaces_by_key(&[]).await.unwrap(), []);
    let many: Vec<SpaceKey> = (0..260)
        .map(|n| SpaceKey::new(format!("K{n:03}")))
        .collect();
    client.spaces_by_key(&many).await.unwrap();
    let asked = asked(&server).await;
    assert_eq!(
        asked[0],
        format!("GET {SPACES}?keys=ENG,~712020abc&limit=250")
    );
    assert_eq!(asked[1], format!("GET {SPACES}?ids=65540,7&limit=250"));
    assert_eq!(asked[2], format!("GET {SPACES}?sort=id&limit=250"));
    assert_eq!(asked.len(), 5, "250 keys a request, and none for none");
}

#[tokio::test]
async fn listings_of_pages_and_blog_posts() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ok(list(vec![page(1)], None)))
        .mount(&server)
        .await;
    let client = client(&server);
    let query = |kind, order, spaces: &[&str], statuses: &[_], bodies: bool| ListQuery {
        kind,
        order,
        spaces: spaces.iter().map(|&id| id.into()).collect(),
        statuses: statuses.to_vec(),
        bodies: bodies.then_some(usize::MAX),
        limit: 900,
    };
    let table = [
        (
            query(
                Page,
                ListOrder::NewestFirst,
                &["1", "2"],
                &[Current, Archived],
                false,
            ),
            "/wiki/api/v2/pages?space-id=1,2&sort=-modified-date&status=current,archived&limit=250",
        ),
        (
            query(Page, ListOrder::NewestFirst, &["1"], &[], true),
            "/wiki/api/v2/pages?space-id=1&sort=-modified-date&body-format=storage&limit=250",
        ),
        (
            query(
                Page,
                ListOrder::Id,
                &["1"],
                &[Current, Draft, Unknown],
                true,
            ),
            "/wiki/api/v2/spaces/1/pages?sort=id&status=current&body-format=storage&limit=250",
        ),
        (
            query(Page, ListOrder::Id, &["1", "2"], &[Trashed], false),
            "/wiki/api/v2/pages?space-id=1,2&sort=id&status=trashed&limit=250",
        ),
        (
            query(BlogPost, ListOrder::Id, &["1"], &[Current, Archived], false),
            "/wiki/api/v2/spaces/1/blogposts?sort=id&status=current&limit=250",
        ),
        (
            query(BlogPost, ListOrder::NewestFirst, &["1"], &[Current], false),
            "/wiki/api/v2/blogposts?space-id=1&sort=-modified-date&status=current&limit=250",
        ),
    ];
    for (query, want) in &table {
        let batch = client.list(query, None).await.unwrap();
        assert_eq!(
            (batch.items[0].kind, batch.items[0].space_id.as_str()),
            (query.kind, "65540")
        );
        assert_eq!(asked(&server).await.last().unwrap(), &format!("GET {want}"));
    }
    // Nothing is asked where nothing can come.
    for nothing in [
        query(BlogPost, ListOrder::Id, &["1"], &[Archived], false),
        query(Page, ListOrder::NewestFirst, &[], &[Current], false),
    ] {
        assert_eq!(client.list(&nothing, None).await.unwrap().items, []);
    }
    let hundred: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    let hundred: Vec<&str> = hundred.iter().map(String::as_str).collect();
    let too_many = query(Page, ListOrder::NewestFirst, &hundred, &[Current], false);
    assert_eq!(
        name(&client.list(&too_many, None).await.unwrap_err()),
        "rejected"
    );
    let odd = query(Page, ListOrder::Id, &["ENG"], &[Current], false);
    assert_eq!(
        name(&client.list(&odd, None).await.unwrap_err()),
        "not found"
    );
    for kind in [Attachment, Container] {
        let other = query(kind, ListOrder::Id, &["1"], &[Current], false);
        assert_eq!(
            name(&client.list(&other, None).await.unwrap_err()),
            "rejected"
        );
    }
    assert_eq!(asked(&server).await.len(), table.len());
}

#[tokio::test]
async fn bodies_by_id() {
    let server = MockServer::start().await;
    always(&server, PAGES, ok(list(vec![page(1)], None))).await;
    let client = client(&server);
    let ids: Vec<PageId> = ["1", "att2", "x y", "3"].map(PageId::from).to_vec();
    let pages = client
        .by_ids(
            Page,
            &ids,
            &[Current, Archived, Trashed, Draft],
            Some(usize::MAX),
        )
        .await
        .unwrap();
    assert_eq!(pages[0].body.as_deref(), Some("<p>1</p>"));
    assert_eq!(
        pages[0].url,
        "https://x.atlassian.net/wiki/spaces/ENG/pages/1"
    );
    client.by_ids(Page, &ids, &[], None).await.unwrap();
    assert_eq!(
        asked(&server).await,
        [
            "GET /wiki/api/v2/pages?id=1,3&status=current,archived,trashed&body-format=storage&limit=250",
            "GET /wiki/api/v2/pages?id=1,3&limit=250",
        ]
    );
    assert_eq!(
        client
            .by_ids(Page, &["att1".into()], &[Current], Some(usize::MAX))
            .await
            .unwrap(),
        []
    );
    let many: Vec<PageId> = (0..251).map(|n| PageId::new(n.to_string())).collect();
    assert_eq!(
        name(
            &client
                .by_ids(Page, &many, &[], Some(usize::MAX))
                .await
                .unwrap_err()
        ),
        "rejected"
    );
    assert_eq!(asked(&server).await.len(), 2);
}

#[tokio::test]
async fn the_longest_request_stays_short() {
    let server = MockServer::start().await;
    always(&server, PAGES, ok(list(vec![], None))).await;
    let ids: Vec<PageId> = (0..250)
        .map(|n| PageId::new((1_000_000_000 + n).to_string()))
        .collect();
    client(&server)
        .by_ids(Page, &ids, &[Current, Archived, Trashed], Some(usize::MAX))
        .await
        .unwrap();
    let request = &server.received_requests().await.unwrap()[0];
    assert!(
        request.url.as_str().len() < 3_000,
        "{}",
        request.url.as_str().len()
    );
}

#[tokio::test]
async fn single_items_whatever_their_status() {
    let server = MockServer::start().await;
    let mut trashed = page(7);
    trashed["status"] = json!("trashed");
    trashed["_links"]["base"] = json!("https://y.atlassian.net/wiki");
    always(&server, "/wiki/api/v2/pages/7", ok(trashed)).await;
    always(&server, "/wiki/api/v2/blogposts/8", ok(page(8))).await;
    let client = client(&server);
    let one = client.one(Page, &"7".into()).await.unwrap().unwrap();
    assert_eq!(
        (one.status, one.body.as_deref()),
        (Trashed, Some("<p>7</p>"))
    );
    assert_eq!(one.url, "https://y.atlassian.net/wiki/spaces/ENG/pages/7");
    assert_eq!(
        client
            .one(BlogPost, &"8".into())
            .await
            .unwrap()
            .unwrap()
            .kind,
        BlogPost
    );
    assert_eq!(client.one(Page, &"../spaces".into()).await.unwrap(), None);
    assert_eq!(
        asked(&server).await,
        [
            "GET /wiki/api/v2/pages/7?body-format=storage&status=current,archived,trashed",
            "GET /wiki/api/v2/blogposts/8?body-format=storage&status=current,trashed",
        ]
    );
}

fn facts_row(id: u64, kind: &str, group: &[&str]) -> serde_json::Value {
    let names: Vec<_> = group
        .iter()
        .map(|name| json!({"type": "group", "name": name}))
        .collect();
    json!({"id": id.to_string(), "type": kind, "status": "current", "ancestors": [{"id": "1", "type": "page"}],
        "metadata": {"labels": {"results": [{"prefix": "global", "name": "runbook"}]}},
        "restrictions": {"read": {"operation": "read", "restrictions": {
            "user": {"results": [], "size": 0}, "group": {"results": names, "size": names.len()}}}}})
}

#[tokio::test]
async fn labels_and_restrictions_in_bulk() {
    let server = MockServer::start().await;
    let rows = vec![
        facts_row(7, "page", &[]),
        facts_row(8, "blogpost", &["eng"]),
        facts_row(9, "folder", &[]),
    ];
    always(
        &server,
        CQL,
        ok(list(
            rows,
            Some("/rest/api/content/search?next=true&cursor=_f_MQ%3D%3D&start=25"),
        )),
    )
    .await;
    let client = client(&server);
    let batch = client
        .facts(&FactsQuery::Space("~71".into(), Reach::CurrentSpaces), None)
        .await
        .unwrap();
    let told: Vec<_> = batch
        .items
        .iter()
        .map(|facts| (facts.id.as_str(), facts.kind, facts.restriction))
        .collect();
    assert_eq!(
        told,
        [
            ("7", Page, Restriction::Open),
            ("8", BlogPost, Restriction::Restricted),
            ("9", Container, Restriction::Open)
        ]
    );
    assert_eq!(batch.items[0].labels, ["runbook"]);
    assert_eq!(batch.items[0].ancestors, Some(vec!["1".into()]));
    assert_eq!(batch.next.as_ref().unwrap().0, "_f_MQ==");
    client
        .facts(
            &FactsQuery::Ids(
                vec!["7".into(), "att1".into(), "8".into()],
                Reach::CurrentSpaces,
            ),
            None,
        )
        .await
        .unwrap();
    let expand = "metadata.labels,restrictions.read.restrictions.user,restrictions.read.restrictions.group,ancestors";
    assert_eq!(
        asked(&server).await,
        [
            format!(
                "GET {CQL}?cql=space = \"~71\" and type in (page, blogpost, folder, whiteboard, database, embed, slide) order by created asc&expand={expand}&limit=100"
            ),
            format!("GET {CQL}?cql=id in (7,8)&expand={expand}&limit=100"),
        ]
    );
    let many = FactsQuery::Ids(
        (0..101).map(|n| PageId::new(n.to_string())).collect(),
        Reach::CurrentSpaces,
    );
    assert_eq!(
        name(&client.facts(&many, None).await.unwrap_err()),
        "rejected"
    );
}

#[tokio::test]
async fn containers_are_left_out_where_the_site_refuses_them() {
    let server = MockServer::start().await;
    let refusal = r#"{"statusCode":400,"message":"Could not parse cql : no type folder"}"#;
    Mock::given(path(CQL))
        .and(query_param_contains("cql", "folder"))
        .respond_with(raw(400, refusal, "application/json"))
        .mount(&server)
        .await;
    always(
        &server,
        CQL,
        ok(list(vec![facts_row(7, "page", &[])], None)),
    )
    .await;
    let client = client(&server);
    for _ in 0..3 {
        assert_eq!(
            client
                .facts(&FactsQuery::Space("ENG".into(), Reach::CurrentSpaces), None)
                .await
                .unwrap()
                .items
                .len(),
            1
        );
    }
    assert_eq!(
        count(&server, CQL).await,
        5,
        "each choice tried once, remembered"
    );
}

#[tokio::test]
async fn a_query_that_is_wrong_anyway_does_not_blame_the_containers() {
    let server = MockServer::start().await;
    first(
        &server,
        3,
        CQL,
        raw(
            400,
            r#"{"message":"Could not parse cql"}"#,
            "application/json",
        ),
    )
    .await;
    always(
        &server,
        CQL,
        ok(list(vec![facts_row(7, "page", &[])], None)),
    )
    .await;
    let client = client(&server);
    assert_eq!(
        name(
            &client
                .facts(&FactsQuery::Space("ENG".into(), Reach::CurrentSpaces), None)
                .await
                .unwrap_err()
        ),
        "rejected"
    );
    client
        .facts(&FactsQuery::Space("ENG".into(), Reach::CurrentSpaces), None)
        .await
        .unwrap();
    assert!(asked(&server).await.last().unwrap().contains("folder"));
}

#[tokio::test]
async fn facts_of_one_item() {
    let server = MockServer::start().await;
    let restriction = |users: serde_json::Value| json!({"operation": "read", "restrictions": {"user": users, "group": {"results": [], "start": 0, "limit": 1, "size": 0}}});
    let at = |id: u64| format!("/wiki/rest/api/content/{id}/restriction/byOperation/read");
    always(
        &server,
        &at(7),
        ok(restriction(
            json!({"results": [{"accountId": "a"}], "size": 1}),
        )),
    )
    .await;
    always(
        &server,
        &at(9),
        ok(restriction(json!({"results": [], "size": 0}))),
    )
    .await;
    let labels = json!({"results": [{"id": "1", "name": "b", "prefix": "global"}, {"id": "2", "name": "a", "prefix": "global"}]});
    always(&server, "/wiki/api/v2/pages/7/labels", ok(labels)).await;
    let client = client(&server);
    let page = client.facts_of(Page, &"7".into()).await.unwrap().unwrap();
    assert_eq!(
        (page.restriction, page.labels, page.ancestors),
        (Restriction::Restricted, vec!["a".into(), "b".into()], None)
    );
    let folder = client
        .facts_of(Container, &"9".into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (folder.restriction, folder.labels),
        (Restriction::Open, vec![])
    );
    assert_eq!(
        asked(&server).await,
        [
            format!("GET {}?limit=200", at(7)),
            "GET /wiki/api/v2/pages/7/labels?limit=250".into(),
            format!("GET {}?limit=200", at(9))
        ]
    );
}

#[tokio::test]
async fn names_of_people_250_at_a_time() {
    let server = MockServer::start().await;
    let users = json!({"results": [
        {"accountId": "a:1", "displayName": "Ada", "publicName": "ada"},
        {"accountId": "a:2", "displayName": "", "publicName": "Former user", "accountStatus": "closed", "email": ""},
        {"accountId": "a:3", "displayName": null}, {"displayName": "nobody"}
    ]});
    always(&server, "/wiki/api/v2/users-bulk", ok(users)).await;
    let ids: Vec<AccountId> = (0..251).map(|n| AccountId::new(format!("a:{n}"))).collect();
    let people = client(&server).people(&ids).await.unwrap();
    let names: Vec<_> = people
        .iter()
        .take(2)
        .map(|person| person.display_name.as_str())
        .collect();
    assert_eq!(names, ["Ada", "Former user"]);
    let bodies: Vec<serde_json::Value> = server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|request| request.body_json().unwrap())
        .collect();
    assert_eq!(bodies[0]["accountIds"].as_array().unwrap().len(), 250);
    assert_eq!(bodies[1], json!({"accountIds": ["a:250"]}));
}

#[tokio::test]
async fn names_that_may_not_be_seen_fail_nothing_and_are_not_asked_for_again() {
    let scope = r#"{"code":401,"message":"Unauthorized; scope does not match"}"#;
    for refusal in [
        raw(401, scope, "application/json"),
        raw(403, "", "text/html"),
        raw(404, "", "text/html"),
    ] {
        let server = MockServer::start().await;
        always(&server, "/wiki/api/v2/users-bulk", refusal).await;
        let client = client(&server);
        for _ in 0..3 {
            assert_eq!(client.people(&["a:1".into()]).await, Ok(vec![]));
        }
        assert_eq!(count(&server, "/wiki/api/v2/users-bulk").await, 1);
    }
}

#[tokio::test]
async fn rendered_bodies_fall_back() {
    let server = MockServer::start().await;
    let rendered = |id: u64, format: &str| {
        let mut page = page(id);
        page["body"] =
            json!({ format: {"representation": format, "value": format!("<p>{format}</p>")} });
        ok(page)
    };
    let at = "/wiki/api/v2/pages/7";
    always(&server, "/wiki/api/v2/pages/6", rendered(6, "export_view")).await;
    Mock::given(path(at))
        .and(query_param("body-format", "export_view"))
        .respond_with(raw(504, "", "text/html"))
        .mount(&server)
        .await;
    Mock::given(path(at))
        .and(query_param("body-format", "view"))
        .respond_with(rendered(7, "view"))
        .mount(&server)
        .await;
    always(&server, "/wiki/api/v2/pages/8", raw(500, "", "text/html")).await;
    let client = client(&server);
    assert_eq!(
        client.rendered(Page, &"6".into()).await.unwrap().as_deref(),
        Some("<p>export_view</p>")
    );
    assert_eq!(
        client.rendered(Page, &"7".into()).await.unwrap().as_deref(),
        Some("<p>view</p>")
    );
    assert_eq!(client.rendered(Page, &"8".into()).await, Ok(None));
    assert_eq!(client.rendered(Page, &"9".into()).await, Ok(None));
    assert_eq!(
        count(&server, "/wiki/api/v2/pages/8").await,
        4,
        "a rendering that fails costs few requests"
    );
}

#[tokio::test]
async fn live_search_asks_the_field_that_ranks_then_for_all_words_then_any() {
    let server = MockServer::start().await;
    let hit = |id: u64, kind: &str| {
        json!({"content": {"id": id.to_string(), "type": kind, "title": "VPN", "space": {"key": "ENG"},
                "version": {"number": 4, "when": "2026-09-16T08:30:00.000Z"}, "_links": {"webui": format!("/spaces/ENG/pages/{id}")}},
            "title": "@@@hl@@@VPN@@@endhl@@@", "excerpt": "the @@@hl@@@vpn@@@endhl@@@ gateway", "lastModified": "2026-09-16T08:30:00.000Z"})
    };
    let answer = |rows: Vec<serde_json::Value>| ok(list(rows, Some("/rest/api/search?cursor=x")));
    let at = "/wiki/rest/api/search";
    first(&server, 2, at, answer(vec![hit(1, "page")])).await;
    always(
        &server,
        at,
        answer(vec![hit(1, "page"), hit(2, "blogpost"), hit(3, "page")]),
    )
    .await;
    let client = client(&server);
    let spaces = [SpaceKey::from("ENG"), SpaceKey::from("~7\"1")];
    let hits = client
        .search_live("How is the VPN \"gateway\" restarted?", &spaces, 2)
        .await
        .unwrap();
    let told: Vec<(&str, ContentKind)> =
        hits.iter().map(|hit| (hit.id.as_str(), hit.kind)).collect();
    assert_eq!(told, [("1", Page), ("2", BlogPost)]);
    assert_eq!(hits[0].excerpt, "the vpn gateway");
    assert_eq!(
        (hits[0].version, hits[0].modified.is_some()),
        (Some(4), true)
    );
    assert_eq!(
        hits[0].url,
        "https://x.atlassian.net/wiki/spaces/ENG/pages/1"
    );
    let tail = "&expand=content.version,content.space&excerpt=highlight_unescaped&limit=50";
    let start = r#"space in ("ENG","~7\"1") and type in (page, blogpost) and (title ~ "vpn gateway restarted" or "#;
    assert_eq!(
        asked(&server).await,
        [
            format!(
                r#"GET {at}?cql=space in ("ENG","~7\"1") and type in (page, blogpost) and siteSearch ~ "vpn gateway restarted"{tail}"#
            ),
            format!(
                r#"GET {at}?cql={start}(text ~ "vpn" and text ~ "gateway" and text ~ "restarted")){tail}"#
            ),
            format!(
                r#"GET {at}?cql={start}text ~ "vpn" or text ~ "gateway" or text ~ "restarted"){tail}"#
            ),
        ]
    );
    assert_eq!(client.search_live(" ?! ", &spaces, 5).await.unwrap(), []);
    assert_eq!(client.search_live("vpn", &[], 5).await.unwrap(), []);
    assert_eq!(asked(&server).await.len(), 3);
}

/// A question that is refused may be at fault itself; that the field is, shows only where the same is answered without it.
#[tokio::test]
async fn the_field_that_ranks_is_given_up_only_when_the_same_is_answered_without_it() {
    let at = "/wiki/rest/api/search";
    let server = MockServer::start().await;
    let bad = json!({"statusCode": 400, "message": "Could not parse cql"});
    always(
        &server,
        at,
        ResponseTemplate::new(400).set_body_json(bad.clone()),
    )
    .await;
    let client = client(&server);
    let spaces = [SpaceKey::from("ENG")];
    client.search_live("vpn", &spaces, 2).await.unwrap_err();
    server.reset().await;
    first(
        &server,
        1,
        at,
        ResponseTemplate::new(400).set_body_json(bad),
    )
    .await;
    always(&server, at, ok(json!({"results": []}))).await;
    client.search_live("vpn", &spaces, 2).await.unwrap();
    client.search_live("vpn", &spaces, 2).await.unwrap();
    let ranked = |asked: &String| asked.contains("siteSearch");
    let told: Vec<bool> = asked(&server).await.iter().map(ranked).collect();
    assert_eq!(told, [true, false, false]);
}

/// What stands before a site that is down answers for it.
#[tokio::test]
async fn a_search_that_answers_with_a_fault_of_the_site_or_with_a_page_counts_as_down() {
    let at = "/wiki/rest/api/search";
    let page = "<!doctype html><html><body>Maintenance</body></html>";
    let faults = [
        ResponseTemplate::new(500),
        ResponseTemplate::new(503).set_body_string("<html>"),
        ResponseTemplate::new(504),
        ResponseTemplate::new(200).set_body_raw(page, "text/html"),
    ];
    for fault in faults {
        let server = MockServer::start().await;
        always(&server, at, fault.clone()).await;
        let client = client(&server).for_waiting();
        let spaces = [SpaceKey::from("ENG")];
        for _ in 0..3 {
            client.search_live("vpn", &spaces, 2).await.unwrap_err();
        }
        let error = client.search_live("vpn", &spaces, 2).await.unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("asking again now changes nothing"),
            "{fault:?}: {error}"
        );
    }
}
