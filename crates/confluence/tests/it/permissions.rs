//! Who may use a space, who is in a group, who may read an item: what is asked, word for word, and what is made of odd answers.

use std::collections::BTreeSet;

use domain::access::Grantee;
use domain::content::ContentKind::{Container, Page};
use domain::content::Restriction;
use domain::ports::source::{ContentSource, FactsQuery, Reach, SourceError};
use serde_json::{Value, json};
use wiremock::matchers::{path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::*;

const MODE: &str = "/wiki/api/v2/space-role-mode";
const ROLES: &str = "/wiki/api/v2/space-roles";
const PERMISSIONS: &str = "/wiki/api/v2/spaces/7/permissions";
const ASSIGNMENTS: &str = "/wiki/api/v2/spaces/7/role-assignments";
const MEMBERS: &str = "/wiki/rest/api/group/g-1/membersByGroupId";
const CHECK: &str = "/wiki/rest/api/content/7/permission/check";
const READ: &str = "/wiki/rest/api/content/7/restriction/byOperation/read";

fn row(kind: &str, id: &str, key: &str, target: &str) -> Value {
    json!({"id": "1", "principal": {"type": kind, "id": id}, "operation": {"key": key, "targetType": target}})
}

fn assigned(kind: &str, id: &str, role: &str) -> Value {
    json!({"principal": {"principalType": kind, "principalId": id}, "roleId": role})
}

fn words(readers: &BTreeSet<Grantee>) -> Vec<String> {
    readers.iter().map(ToString::to_string).collect()
}

/// A site of this mode, with permissions and roles for space 7.
async fn site(mode: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    always(&server, MODE, mode).await;
    let rows = vec![
        row("user", "a:1", "read", "space"),
        row("group", "g-1", "read", "space"),
        row("role", "all-licensed-users", "read", "space"),
        row(
            "role",
            "5f0c7a10-0000-4000-8000-000000000001",
            "read",
            "space",
        ),
        // None of these lets anybody read the space.
        row("user", "a:2", "read", "page"),
        row("group", "g-2", "administer", "space"),
        row("robot", "r-1", "read", "space"),
        json!({"id": "2", "principal": null, "operation": {"key": "read", "targetType": "space"}}),
        json!({"id": "3", "principal": {"type": "user", "id": "a:3"}}),
    ];
    always(&server, PERMISSIONS, ok(list(rows, None))).await;
    let roles = vec![
        json!({"id": "viewer", "type": "SYSTEM", "name": "Viewer", "spacePermissions": ["read/space"]}),
        json!({"id": "writer", "type": "CUSTOM", "name": "Writer", "spacePermissions": ["create/page", "read/space"]}),
        json!({"id": "odd", "type": "CUSTOM", "name": "Odd", "spacePermissions": ["read/page", null]}),
        json!({"id": "bare", "type": "CUSTOM", "name": "Bare"}),
    ];
    always(&server, ROLES, ok(list(roles, None))).await;
    let rows = vec![
        assigned("USER", "a:4", "viewer"),
        assigned("GROUP", "g-4", "writer"),
        assigned("ACCESS_CLASS", "all-product-admins", "viewer"),
        assigned("ACCESS_CLASS", "jsm-project-admins", "viewer"),
        assigned("USER", "a:5", "odd"),
        assigned("USER", "a:6", "bare"),
        assigned("USER", "a:7", "deleted"),
        json!({"principal": {"principalType": "USER", "principalId": "a:8"}}),
    ];
    always(&server, ASSIGNMENTS, ok(list(rows, None))).await;
    server
}

fn mode(word: &str) -> ResponseTemplate {
    ok(json!({ "mode": word }))
}

#[tokio::test]
async fn who_may_use_a_space_is_told_in_the_form_of_the_site() {
    let json = "application/json";
    let by_rows = ["licensed", "user:a:1", "group:g-1"];
    let by_roles = ["user:a:4", "group:g-4"];
    let both = ["licensed", "user:a:1", "user:a:4", "group:g-1", "group:g-4"];
    let rows = format!("GET {PERMISSIONS}?limit=250");
    let roles = format!("GET {ROLES}?limit=250");
    let assigned = format!("GET {ASSIGNMENTS}?limit=250");
    let table = [
        (mode("PRE_ROLES"), &by_rows[..], vec![&rows], vec![&rows]),
        (raw(404, "", json), &by_rows, vec![&rows], vec![&rows]),
        (raw(403, "", json), &by_rows, vec![&rows], vec![&rows]),
        (ok(json!({})), &by_rows, vec![&rows], vec![&rows]),
        (
            mode("ROLES"),
            &by_roles,
            vec![&roles, &assigned],
            vec![&assigned],
        ),
        (
            mode("ROLES_TRANSITION"),
            &both,
            vec![&rows, &roles, &assigned],
            vec![&rows, &assigned],
        ),
    ];
    for (mode, want, once, again) in table {
        let server = site(mode).await;
        let client = client(&server);
        for _ in 0..2 {
            let readers = client.space_readers(&"7".into()).await.unwrap();
            assert_eq!(words(&readers), want);
        }
        let first = format!("GET {MODE}");
        let expected: Vec<&String> = std::iter::once(&first).chain(once).chain(again).collect();
        assert_eq!(asked(&server).await.iter().collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn a_space_that_is_not_seen_is_not_found_and_one_that_says_nothing_is_forbidden() {
    let json = "application/json";
    let scope = r#"{"code":401,"message":"Unauthorized; scope does not match"}"#;
    for (answer, want) in [
        (raw(404, "", json), "not found"),
        (raw(403, "", json), "forbidden"),
        (raw(401, scope, json), "lacks scope"),
        (raw(503, "", json), "unavailable"),
    ] {
        let server = MockServer::start().await;
        always(&server, MODE, mode("PRE_ROLES")).await;
        always(&server, PERMISSIONS, answer).await;
        let error = client(&server).space_readers(&"7".into()).await;
        assert_eq!(name(&error.unwrap_err()), want);
    }
    let server = MockServer::start().await;
    let odd = client(&server).space_readers(&"ENG".into()).await;
    assert_eq!(name(&odd.unwrap_err()), "not found");
    assert_eq!(asked(&server).await, [""; 0]);
}

/// Roles that cannot be read are no roles that let nobody read: the space must not look as if it were closed.
#[tokio::test]
async fn what_cannot_be_read_of_roles_is_an_error() {
    let json = "application/json";
    for at in [MODE, ROLES, ASSIGNMENTS] {
        let server = MockServer::start().await;
        always(&server, at, raw(503, "", json)).await;
        always(&server, MODE, mode("ROLES")).await;
        always(&server, ROLES, ok(list(vec![], None))).await;
        let error = client(&server).space_readers(&"7".into()).await;
        assert_eq!(name(&error.unwrap_err()), "unavailable", "{at}");
    }
    // A 404 of the roles says nothing of the space.
    let server = MockServer::start().await;
    always(&server, MODE, mode("ROLES")).await;
    always(&server, ME, ok(known())).await;
    let error = client(&server).space_readers(&"7".into()).await;
    assert_eq!(name(&error.unwrap_err()), "unavailable");
}

fn members(ids: std::ops::Range<u32>) -> ResponseTemplate {
    let user = |n| json!({"type": "known", "accountId": format!("a:{n:04}"), "email": ""});
    let results: Vec<Value> = ids.map(user).collect();
    ok(json!({"results": results, "start": 0, "limit": 200, "size": results.len(), "_links": {}}))
}

async fn at_start(server: &MockServer, start: u32, answer: ResponseTemplate) {
    Mock::given(path(MEMBERS))
        .and(query_param("start", start.to_string()))
        .respond_with(answer)
        .mount(server)
        .await;
}

#[tokio::test]
async fn members_are_read_to_an_empty_answer() {
    let server = MockServer::start().await;
    let odd = json!({"results": [
        {"accountId": "a:1", "email": "ada@example.com"}, {"accountId": "a:2", "email": " "}, {"accountId": "a:3", "email": null},
        {"accountId": "a:4"}, {"accountId": "", "email": "nobody@example.com"}, {"displayName": "Former user"}, null
    ]});
    at_start(&server, 0, ok(odd)).await;
    at_start(&server, 7, members(0..0)).await;
    let client = client(&server);
    let told: Vec<_> = client
        .group_members(&"g-1".into())
        .await
        .unwrap()
        .into_iter()
        .map(|member| (member.account.to_string(), member.email))
        .collect();
    let shown = |id: &str, email: Option<&str>| (id.to_owned(), email.map(str::to_owned));
    assert_eq!(
        told,
        [
            shown("a:1", Some("ada@example.com")),
            shown("a:2", None),
            shown("a:3", None),
            shown("a:4", None)
        ]
    );
    assert_eq!(
        asked(&server).await,
        [
            format!("GET {MEMBERS}?start=0&limit=200"),
            format!("GET {MEMBERS}?start=7&limit=200")
        ]
    );
    assert_eq!(client.group_members(&"".into()).await, Ok(vec![]));
    assert_eq!(client.group_members(&"gone".into()).await, Ok(vec![]));
    assert_eq!(asked(&server).await.len(), 3);
}

#[tokio::test]
async fn members_that_come_again_and_again_are_no_end() {
    // As if the site did not know `start`.
    let server = MockServer::start().await;
    always(&server, MEMBERS, members(0..200)).await;
    let error = client(&server).group_members(&"g-1".into()).await;
    assert_eq!(name(&error.unwrap_err()), "bad cursor");
    assert_eq!(count(&server, MEMBERS).await, 2);
    // As if the site answered its last row beyond the end.
    let server = MockServer::start().await;
    at_start(&server, 0, members(0..3)).await;
    at_start(&server, 3, members(2..3)).await;
    let all = client(&server).group_members(&"g-1".into()).await;
    assert_eq!(all.unwrap().len(), 3);
    // A group that is deleted meanwhile.
    let server = MockServer::start().await;
    at_start(&server, 0, members(0..200)).await;
    let none = client(&server).group_members(&"g-1".into()).await;
    assert_eq!(none, Ok(vec![]));
}

#[tokio::test]
async fn members_that_are_too_many_for_the_site_come_in_smaller_answers() {
    let server = MockServer::start().await;
    Mock::given(path(MEMBERS))
        .and(query_param("limit", "200"))
        .respond_with(raw(504, "", "text/html"))
        .mount(&server)
        .await;
    at_start(&server, 0, members(0..25)).await;
    at_start(&server, 25, members(0..0)).await;
    let all = client(&server).group_members(&"g-1".into()).await;
    assert_eq!(all.unwrap().len(), 25);
    assert_eq!(count(&server, MEMBERS).await, 4);
}

#[tokio::test]
async fn whether_a_person_may_read_is_asked_in_the_documented_form() {
    let json = "application/json";
    let scope = r#"{"code":401,"message":"Unauthorized; scope does not match"}"#;
    for (answer, want) in [
        (ok(json!({"hasPermission": true, "_links": {}})), Ok(true)),
        (ok(json!({"hasPermission": false, "errors": []})), Ok(false)),
        (raw(404, "", json), Ok(false)),
        (raw(403, "", json), Err("forbidden")),
        (raw(401, scope, json), Err("lacks scope")),
        (ok(json!({})), Err("unavailable")),
        (raw(503, "", json), Err("unavailable")),
    ] {
        let server = MockServer::start().await;
        always(&server, CHECK, answer).await;
        let client = client(&server);
        let told = client.may_read(&"a:1".into(), &"7".into()).await;
        assert_eq!(told.as_ref().copied().map_err(name), want);
        if let Err(error @ SourceError::Forbidden { .. }) = told {
            assert!(error.to_string().contains("Confluence administrator"));
        }
        let request = &server.received_requests().await.unwrap()[0];
        assert_eq!(
            (request.method.as_str(), request.url.query()),
            ("POST", None)
        );
        let body: Value = request.body_json().unwrap();
        let subject = json!({"type": "user", "identifier": "a:1"});
        assert_eq!(body, json!({"subject": subject, "operation": "read"}));
    }
    let server = MockServer::start().await;
    let file = client(&server)
        .may_read(&"a:1".into(), &"att7".into())
        .await;
    assert_eq!(file, Ok(false));
    assert_eq!(asked(&server).await, [""; 0]);
}

/// An answer about the restriction of item 7 that names these users.
fn restriction(users: std::ops::Range<u32>, limit: usize) -> Value {
    let results: Vec<Value> = users
        .map(|n| json!({"accountId": format!("a:{n:03}")}))
        .collect();
    json!({"operation": "read", "restrictions": {
        "user": {"results": results, "start": 0, "limit": limit, "size": results.len()},
        "group": {"results": [{"type": "group", "name": "eng"}], "start": 0, "limit": limit, "size": 1}}})
}

#[tokio::test]
async fn a_long_restriction_that_breaks_off_names_whom_it_named() {
    let json = "application/json";
    let scope = r#"{"code":401,"message":"Unauthorized; scope does not match"}"#;
    for (answer, want) in [
        (ok(restriction(200..250, 200)), Ok(250)),
        (ok(restriction(0..200, 200)), Ok(200)),
        (raw(503, "", json), Ok(200)),
        (raw(404, "", json), Ok(200)),
        (raw(403, "", json), Ok(200)),
        (raw(401, scope, json), Err("lacks scope")),
        (raw(410, "", json), Err("withdrawn")),
    ] {
        let server = MockServer::start().await;
        let row = json!({"id": "7", "type": "page", "ancestors": [], "metadata": {"labels": {"results": []}},
            "restrictions": {"read": restriction(0..200, 200)}});
        let search = "/wiki/rest/api/content/search";
        always(&server, search, ok(list(vec![row], None))).await;
        always(&server, READ, answer).await;
        let query = FactsQuery::Ids(vec!["7".into()], Reach::CurrentSpaces);
        let told = client(&server).facts(&query, None).await;
        let told = told.map(|batch| {
            let facts = &batch.items[0];
            assert_eq!(facts.restriction, Restriction::Restricted);
            assert!(facts.readers.is_sorted());
            facts.readers.len()
        });
        assert_eq!(told.map_err(|error| name(&error)), want);
        let rest = format!("GET {READ}?start=200&limit=200");
        assert_eq!(asked(&server).await[1], rest);
    }
}

#[tokio::test]
async fn one_item_names_its_readers_too() {
    let server = MockServer::start().await;
    Mock::given(path(READ))
        .and(query_param("start", "100"))
        .respond_with(ok(restriction(100..130, 100)))
        .mount(&server)
        .await;
    always(&server, READ, ok(restriction(0..100, 100))).await;
    let client = client(&server);
    let folder = client.facts_of(Container, &"7".into()).await.unwrap();
    let folder = folder.unwrap();
    // The group that has a name only is nobody.
    assert_eq!(folder.readers.len(), 130);
    assert_eq!(folder.readers[129], Grantee::Person("a:129".into()));
    assert_eq!(
        asked(&server).await,
        [
            format!("GET {READ}?limit=200"),
            format!("GET {READ}?start=100&limit=200")
        ]
    );
    // Nobody that the API can name: restricted all the same, and nobody is let in.
    let nameless = json!({"restrictions": {"user": {"results": [{"displayName": "Former user"}], "size": 1},
        "group": {"results": [], "size": 0}}});
    let at = "/wiki/rest/api/content/8/restriction/byOperation/read";
    always(&server, at, ok(nameless)).await;
    always(
        &server,
        "/wiki/api/v2/pages/8/labels",
        ok(list(vec![], None)),
    )
    .await;
    let page = client.facts_of(Page, &"8".into()).await.unwrap().unwrap();
    assert_eq!(
        (page.restriction, page.readers),
        (Restriction::Restricted, vec![])
    );
}
