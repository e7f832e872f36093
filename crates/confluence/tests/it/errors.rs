//! Every shape of error, as the caller sees it, and how many requests it cost.

use std::time::{Duration, Instant};

use confluence::ConfluenceClient;
use domain::Disposition;
use domain::content::ContentKind::Page;
use domain::content::ContentStatus::Current;
use domain::ports::source::{ContentSource, SourceError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiremock::{MockServer, ResponseTemplate};

use crate::support::*;

/// What a poll makes of an answer that never changes: the error and the number of requests.
async fn polled(answer: ResponseTemplate) -> (SourceError, usize) {
    let server = MockServer::start().await;
    always(&server, PAGES, answer).await;
    always(&server, ME, ok(known())).await;
    let error = client(&server).list(&poll(), None).await.unwrap_err();
    (error, count(&server, PAGES).await)
}

#[tokio::test]
async fn lasting_errors_have_a_name_and_a_bounded_number_of_tries() {
    let html = "<!doctype html><title>Log in</title>";
    let gone = r#"{"statusCode":410,"message":"This deprecated endpoint has been removed."}"#;
    let scope = r#"{"code":401,"message":"Unauthorized; scope does not match"}"#;
    let json = "application/json";
    let table = [
        (raw(200, html, "text/html"), "not Confluence", 4, "HTML"),
        (raw(200, html, json), "not Confluence", 4, "HTML"),
        (raw(200, "", json), "unavailable", 4, "empty"),
        (
            raw(200, r#"{"results":[{"id":"1","ti"#, json),
            "unavailable",
            4,
            "broken JSON",
        ),
        (raw(200, "{}", json), "unavailable", 4, "results"),
        (raw(200, "null", json), "unavailable", 4, "broken JSON"),
        (
            raw(500, r#"{"errors":[{"status":500,"title":"boom"}]}"#, json),
            "too large",
            2,
            "boom",
        ),
        (
            raw(502, "<html><title>Bad gateway</title>", "text/html"),
            "too large",
            2,
            "Bad gateway",
        ),
        (raw(504, "", json), "too large", 2, "504"),
        (raw(503, "", json), "unavailable", 4, "503"),
        (raw(429, "", json), "rate limited", 4, "limits"),
        (raw(410, gone, json), "withdrawn", 1, "withdrawn"),
        (
            raw(401, scope, json),
            "lacks scope",
            1,
            "read:page:confluence",
        ),
        (raw(401, "", json), "unauthorized", 1, "expired"),
        (
            raw(400, r#"{"errors":[{"title":"bad sort"}]}"#, json),
            "rejected",
            1,
            "bad sort",
        ),
        (raw(405, "", json), "rejected", 1, "405"),
        (raw(413, "", json), "too large", 1, "413"),
        (raw(403, "", json), "forbidden", 1, "403"),
        (raw(404, "", json), "unavailable", 4, "404"),
        (
            raw(404, "", json).insert_header("x-cache", "Error from cloudfront"),
            "unavailable",
            4,
            "404",
        ),
        (
            raw(302, "", json).insert_header("location", "https://id.atlassian.com/login"),
            "unauthorized",
            1,
            "log in",
        ),
    ];
    for (answer, want, requests, word) in table {
        let (error, sent) = polled(answer).await;
        assert_eq!((name(&error), sent), (want, requests), "{error}");
        assert!(
            error.to_string().contains(word),
            "{error} says nothing of {word}"
        );
    }
}

#[tokio::test]
async fn passing_trouble_passes_unseen() {
    let json = "application/json";
    let table = [
        raw(200, "<html>", "text/html"),
        raw(200, r#"{"results":["#, json),
        raw(500, "", json),
        raw(503, "", json).insert_header("Retry-After", "0"),
        raw(429, "slow", "text/plain"),
        raw(403, "", json).insert_header("x-cache", "Error from cloudfront"),
        raw(404, "", json).insert_header("X-Cache", "Error from cloudfront"),
        raw(404, "", json),
    ];
    for answer in table {
        let server = MockServer::start().await;
        first(&server, 1, PAGES, answer).await;
        always(&server, PAGES, ok(list(vec![page(1)], None))).await;
        always(&server, ME, ok(known())).await;
        let client = client(&server);
        let batch = client.list(&poll(), None).await.unwrap();
        assert_eq!(batch.items.len(), 1);
        assert_eq!(client.health().trouble, None);
    }
}

#[tokio::test]
async fn trouble_with_one_item_is_not_a_question_of_size() {
    let server = MockServer::start().await;
    always(
        &server,
        "/wiki/api/v2/pages/7",
        raw(500, "", "application/json"),
    )
    .await;
    always(&server, PAGES, raw(500, "", "application/json")).await;
    let client = client(&server);
    let error = client.one(Page, &"7".into()).await.unwrap_err();
    assert_eq!(
        (name(&error), count(&server, "/wiki/api/v2/pages/7").await),
        ("unavailable", 4)
    );
    let error = client
        .by_ids(Page, &["7".into()], &[Current], Some(usize::MAX))
        .await
        .unwrap_err();
    assert_eq!(
        (name(&error), count(&server, PAGES).await),
        ("unavailable", 4)
    );
    let error = client
        .by_ids(
            Page,
            &["7".into(), "8".into()],
            &[Current],
            Some(usize::MAX),
        )
        .await
        .unwrap_err();
    assert_eq!(
        (name(&error), error.disposition()),
        ("too large", Disposition::Split)
    );
    assert!(client.health().trouble.is_some());
}

#[tokio::test]
async fn a_404_of_an_item_is_nothing_and_of_a_space_is_named() {
    let server = MockServer::start().await;
    let client = client(&server);
    assert_eq!(client.one(Page, &"7".into()).await, Ok(None));
    assert_eq!(client.facts_of(Page, &"7".into()).await, Ok(None));
    assert_eq!(client.rendered(Page, &"7".into()).await, Ok(None));
    let error = client.list(&sweep(), None).await.unwrap_err();
    assert_eq!(name(&error), "not found");
    assert!(error.to_string().contains("65540"), "{error}");
}

#[tokio::test]
async fn bad_credentials_are_told_from_passing_faults() {
    let anonymous = serde_json::json!({"type": "anonymous", "displayName": "Anonymous"});
    for (status, me, want) in [
        (404, ok(anonymous.clone()), "unauthorized"),
        (403, ok(anonymous.clone()), "unauthorized"),
        (404, raw(401, "", "text/html"), "unauthorized"),
        (404, raw(403, "", "text/html"), "unauthorized"),
        (403, ok(known()), "forbidden"),
        (404, ok(known()), "unavailable"),
        (403, raw(503, "", "text/html"), "unavailable"),
    ] {
        let server = MockServer::start().await;
        always(&server, PAGES, raw(status, "", "text/plain")).await;
        always(&server, ME, me).await;
        let error = client(&server).list(&poll(), None).await.unwrap_err();
        assert_eq!(name(&error), want, "{status}: {error}");
    }
    let server = MockServer::start().await;
    always(&server, ME, ok(anonymous)).await;
    let client = client(&server);
    let error = client.whoami().await.unwrap_err();
    assert_eq!(name(&error), "unauthorized");
    assert!(error.to_string().contains("CONFLUENCE_EMAIL"), "{error}");
    assert_eq!(client.health().trouble, Some(error.to_string()));
}

#[tokio::test]
async fn answers_are_bounded_in_time() {
    let server = MockServer::start().await;
    let slow = ok(list(vec![], None)).set_delay(Duration::from_secs(1));
    always(&server, PAGES, slow.clone()).await;
    always(&server, "/wiki/api/v2/pages/7", slow).await;
    let mut config = config(&server.uri());
    config.request_timeout = Duration::from_millis(60);
    let client = ConfluenceClient::new(&config).unwrap();
    let began = Instant::now();
    assert_eq!(
        name(&client.list(&poll(), None).await.unwrap_err()),
        "too large"
    );
    assert_eq!(
        name(&client.one(Page, &"7".into()).await.unwrap_err()),
        "unavailable"
    );
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn answers_are_bounded_in_bytes() {
    let server = MockServer::start().await;
    always(&server, PAGES, ok(list((1..200).map(page).collect(), None))).await;
    let mut config = config(&server.uri());
    config.max_answer_bytes = 10_000;
    let client = ConfluenceClient::new(&config).unwrap();
    let error = client.list(&poll(), None).await.unwrap_err();
    assert_eq!(
        (name(&error), count(&server, PAGES).await),
        ("too large", 1)
    );
    assert_eq!(error.disposition(), Disposition::Split);
}

/// A server that answers every connection with these bytes and closes it.
async fn wire(bytes: &'static [u8]) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(bytes).await;
        }
    });
    base
}

#[tokio::test]
async fn broken_connections_are_unavailable() {
    for (bytes, word) in [
        (&b""[..], "broke off"),
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"results\":["[..],
            "broke off",
        ),
        (
            &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"res"[..],
            "broke off",
        ),
        (&b"garbage\r\n\r\n"[..], "broke off"),
    ] {
        let client = ConfluenceClient::new(&config(&wire(bytes).await)).unwrap();
        let error = client.list(&poll(), None).await.unwrap_err();
        assert_eq!(name(&error), "unavailable");
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(client.health().requests, 4);
    }
}

#[tokio::test]
async fn a_bound_holds_without_an_announced_length_too() {
    let body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n\
        000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
        000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
        000000000000000000000000000000000000\r\n0\r\n\r\n";
    let mut config = config(&wire(body).await);
    config.max_answer_bytes = 100;
    let error = ConfluenceClient::new(&config)
        .unwrap()
        .list(&poll(), None)
        .await
        .unwrap_err();
    assert_eq!(name(&error), "too large");
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = ConfluenceClient::new(&config(&base))
        .unwrap()
        .whoami()
        .await
        .unwrap_err();
    assert_eq!(name(&error), "unavailable");
    assert!(error.to_string().contains("no connection"), "{error}");
}

#[tokio::test]
async fn a_proxy_is_used_and_its_password_stays_secret() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let read = socket.read(&mut request).await.unwrap();
        let _ = socket
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            .await;
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    let mut config = config("https://x.atlassian.net");
    config.network.proxy = Some(format!("http://me:hush@{at}").parse().unwrap());
    config.retry.retries = 0;
    let error = ConfluenceClient::new(&config)
        .unwrap()
        .whoami()
        .await
        .unwrap_err();
    assert_eq!(name(&error), "unavailable");
    assert!(!format!("{error:?}").contains("hush"));
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("CONNECT x.atlassian.net:443"), "{asked}");
    assert!(
        !asked.contains(&BASIC[6..]),
        "the site's credentials are not for the proxy"
    );
}

#[tokio::test]
async fn settings_are_checked_by_name() {
    let good = config("https://x.atlassian.net");
    let refused = |change: fn(&mut confluence::ConfluenceConfig)| {
        let mut config = good.clone();
        change(&mut config);
        let told = ConfluenceClient::new(&config).err().unwrap().to_string();
        assert!(!told.contains(TOKEN), "{told}");
        told
    };
    assert!(refused(|c| c.credentials = basic(" ", "t")).contains("CONFLUENCE_EMAIL"));
    assert!(refused(|c| c.credentials = basic("a:b", "t")).contains("CONFLUENCE_EMAIL"));
    assert!(refused(|c| c.credentials = basic("a@b.c", "")).contains("CONFLUENCE_API_TOKEN"));
    assert!(refused(|c| c.credentials = basic("a@b.c", "\n")).contains("CONFLUENCE_API_TOKEN"));
    assert!(
        refused(|c| c.max_requests_per_second = 0).contains("CONFLUENCE_MAX_REQUESTS_PER_SECOND")
    );
    assert!(
        refused(|c| c.max_concurrent_requests = 0).contains("CONFLUENCE_MAX_CONCURRENT_REQUESTS")
    );
    assert!(
        refused(|c| c.network.extra_ca_pem = Some(b"no pem".to_vec())).contains("EXTRA_CA_FILE")
    );
    assert!(ConfluenceClient::new(&good).is_ok());
}
