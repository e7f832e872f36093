//! Walks: cursors taken out and put in, ends that are ends, and walks that never end.

use confluence::ConfluenceClient;
use domain::content::ContentKind::Page;
use domain::content::ContentStatus::Current;
use domain::ports::source::{ContentSource, Cursor, FactsQuery, Reach};
use serde_json::json;
use wiremock::matchers::{path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer};

use crate::support::*;

const SPACE: &str = "/wiki/api/v2/spaces/65540/pages";
const CQL: &str = "/wiki/rest/api/content/search";

/// Answers a walk's step.
async fn step(
    server: &MockServer,
    at: &str,
    cursor: Option<&str>,
    items: Vec<serde_json::Value>,
    next: Option<&str>,
) {
    let mock = match cursor {
        Some(cursor) => Mock::given(path(at)).and(query_param("cursor", cursor)),
        None => Mock::given(path(at)).and(query_param_is_missing("cursor")),
    };
    mock.respond_with(ok(list(items, next))).mount(server).await;
}

#[tokio::test]
async fn a_walk_repeats_the_request_with_the_cursor_alone() {
    let server = MockServer::start().await;
    // Through the gateway, links lack its prefix and carry parameters of their own.
    let at = "/ex/confluence/11-22/wiki/api/v2/spaces/65540/pages";
    let next = |cursor: &str| {
        format!("/wiki/api/v2/spaces/65540/pages?cursor={cursor}&depth=all&limit=99")
    };
    step(
        &server,
        at,
        None,
        vec![page(1)],
        Some(&next("eyJpZCI6IjEifQ==")),
    )
    .await;
    step(
        &server,
        at,
        Some("eyJpZCI6IjEifQ=="),
        vec![],
        Some(&next("a%2Bb%3D")),
    )
    .await;
    step(&server, at, Some("a+b="), vec![page(2)], None).await;
    let mut config = config(&server.uri());
    config.cloud_id = Some("11-22".to_owned());
    config.gateway_url = Some(format!("{}/ex/confluence", server.uri()).parse().unwrap());
    let client = ConfluenceClient::new(&config).unwrap();
    let (mut ids, mut cursor) = (Vec::new(), None);
    loop {
        let batch = client.list(&sweep(), cursor.as_ref()).await.unwrap();
        ids.extend(batch.items.iter().map(|page| page.id.as_str().to_owned()));
        cursor = batch.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(
        ids,
        ["1", "2"],
        "a short page, and even an empty one, is no end"
    );
    for request in server.received_requests().await.unwrap() {
        let query: Vec<(String, String)> = request
            .url
            .query_pairs()
            .into_owned()
            .filter(|(n, _)| n != "cursor")
            .collect();
        let want = [("sort", "id"), ("status", "current"), ("limit", "250")];
        assert_eq!(query, want.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert_eq!(request.headers["authorization"], BASIC);
    }
}

#[tokio::test]
async fn the_link_header_alone_is_enough() {
    let server = MockServer::start().await;
    let link = r#"</wiki/api/v2/spaces/65540/pages?cursor=c1==&limit=250>; rel="next", <https://x/wiki>; rel="base""#;
    always(
        &server,
        SPACE,
        ok(json!({"results": []})).insert_header("Link", link),
    )
    .await;
    let batch = client(&server).list(&sweep(), None).await.unwrap();
    assert_eq!(batch.next, Some(Cursor("c1==".to_owned())));
}

#[tokio::test]
async fn walks_that_never_end_are_stopped() {
    let client_of = |server: &MockServer| client(server);
    // The same cursor again.
    let server = MockServer::start().await;
    always(
        &server,
        SPACE,
        ok(list(vec![page(1)], Some("/wiki/api/v2/x?cursor=a"))),
    )
    .await;
    let client = client_of(&server);
    let next = client.list(&sweep(), None).await.unwrap().next;
    assert_eq!(
        name(&client.list(&sweep(), next.as_ref()).await.unwrap_err()),
        "bad cursor"
    );
    // A circle of three.
    let server = MockServer::start().await;
    step(&server, SPACE, None, vec![page(1)], Some("/x?cursor=a")).await;
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "a")] {
        step(
            &server,
            SPACE,
            Some(from),
            vec![page(1)],
            Some(&format!("/x?cursor={to}")),
        )
        .await;
    }
    let client = client_of(&server);
    let (mut cursor, mut steps) = (None, 0);
    let error = loop {
        match client.list(&sweep(), cursor.as_ref()).await {
            Ok(batch) => cursor = batch.next,
            Err(error) => break error,
        }
        steps += 1;
        assert!(steps < 10);
    };
    assert_eq!(name(&error), "bad cursor");
    // A link without a cursor is neither a next answer nor an end.
    let server = MockServer::start().await;
    always(
        &server,
        SPACE,
        ok(list(vec![page(1)], Some("/wiki/api/v2/x?limit=3"))),
    )
    .await;
    assert_eq!(
        name(&client_of(&server).list(&sweep(), None).await.unwrap_err()),
        "bad cursor"
    );
}

#[tokio::test]
async fn a_refused_cursor_restarts_the_walk() {
    let server = MockServer::start().await;
    let refusal = r#"{"errors":[{"status":400,"code":"INVALID_REQUEST_PARAMETER","title":"Provided value for 'cursor' is not the correct type."}]}"#;
    always(&server, SPACE, raw(400, refusal, "application/json")).await;
    let error = client(&server)
        .list(&sweep(), Some(&Cursor("stale".to_owned())))
        .await
        .unwrap_err();
    assert_eq!(name(&error), "bad cursor");
}

#[tokio::test]
async fn an_empty_answer_of_search_is_its_end() {
    let server = MockServer::start().await;
    always(
        &server,
        CQL,
        ok(list(vec![], Some("/rest/api/content/search?cursor=more"))),
    )
    .await;
    let batch = client(&server)
        .facts(&FactsQuery::Space("ENG".into(), Reach::CurrentSpaces), None)
        .await
        .unwrap();
    assert_eq!((batch.items.len(), batch.next), (0, None));
}

#[tokio::test]
async fn bulk_reads_by_id_are_complete_even_when_cut() {
    let server = MockServer::start().await;
    step(
        &server,
        PAGES,
        None,
        vec![page(1)],
        Some("/wiki/api/v2/pages?cursor=c"),
    )
    .await;
    step(&server, PAGES, Some("c"), vec![page(2)], None).await;
    let pages = client(&server)
        .by_ids(
            Page,
            &["1".into(), "2".into()],
            &[Current],
            Some(usize::MAX),
        )
        .await
        .unwrap();
    assert_eq!(
        pages
            .iter()
            .map(|page| page.id.as_str())
            .collect::<Vec<_>>(),
        ["1", "2"]
    );
}

#[tokio::test]
async fn a_token_that_expires_in_mid_walk_is_said_so() {
    let server = MockServer::start().await;
    step(&server, SPACE, None, vec![page(1)], Some("/x?cursor=a")).await;
    Mock::given(path(SPACE))
        .and(query_param("cursor", "a"))
        .respond_with(raw(
            401,
            r#"{"code":401,"message":"Unauthorized"}"#,
            "application/json",
        ))
        .mount(&server)
        .await;
    let client = client(&server);
    let next = client.list(&sweep(), None).await.unwrap().next;
    let error = client.list(&sweep(), next.as_ref()).await.unwrap_err();
    assert_eq!(name(&error), "unauthorized");
    assert!(error.to_string().contains("expired"), "{error}");
}
