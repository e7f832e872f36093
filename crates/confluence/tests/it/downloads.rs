//! Comments and files: what is asked, and that credentials never leave the site.

use confluence::ConfluenceClient;
use domain::comments::CommentPlace::{Footer, Inline};
use domain::ports::source::{CommentsQuery, ContentSource, Reach};
use serde_json::json;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer};

use crate::support::*;

const DOWNLOAD: &str = "/wiki/rest/api/content/7/child/attachment/att9/download";

#[tokio::test]
async fn files_are_listed_whole_site_and_by_space() {
    let server = MockServer::start().await;
    let file = json!({"id": "att9", "status": "current", "title": "a.pdf", "pageId": "7", "mediaType": "application/pdf",
        "fileSize": 1234, "version": {"number": 2, "createdAt": "2026-09-16T08:30:00.000Z"}, "_links": {"webui": "/pages/7?preview=9"}});
    Mock::given(method("GET"))
        .respond_with(ok(list(vec![file, json!({"id": 10})], None)))
        .mount(&server)
        .await;
    let client = client(&server);
    let batch = client.recent_files(25, None).await.unwrap();
    let first = &batch.items[0];
    assert_eq!(
        (first.id.as_str(), first.facts.size, first.version),
        ("att9", Some(1234), 2)
    );
    assert_eq!(first.url, "https://x.atlassian.net/wiki/pages/7?preview=9");
    assert_eq!(batch.items[1].id.as_str(), "att10");
    client
        .files(&"ENG".into(), Reach::CurrentSpaces, None)
        .await
        .unwrap();
    assert_eq!(client.file(&"x".into()).await.unwrap(), None);
    let asked = asked(&server).await;
    assert_eq!(
        asked,
        [
            "GET /wiki/api/v2/attachments?sort=-modified-date&limit=25",
            "GET /wiki/rest/api/content/search?cql=space = \"ENG\" and type = attachment order by created asc&expand=container,version&limit=200",
        ]
    );
}

#[tokio::test]
async fn comments_are_listed_whole_site_and_by_space_and_asked_for_by_id() {
    let server = MockServer::start().await;
    let comment = json!({"id": "5", "type": "comment", "status": "current", "title": "Re: x", "pageId": "7", "version": {"number": 1, "createdAt": "2026-09-16T08:30:00.000Z"},
        "body": {"storage": {"value": "<p>yes</p>"}}, "resolutionStatus": "open", "properties": {"inlineOriginalSelection": "the word"}});
    Mock::given(method("GET"))
        .respond_with(ok(list(vec![comment], None)))
        .mount(&server)
        .await;
    let client = client(&server);
    let batch = client.recent_comments(Inline, 10, None).await.unwrap();
    let first = &batch.items[0];
    assert_eq!(
        (first.body.as_deref(), first.quoted.as_deref()),
        (Some("<p>yes</p>"), Some("the word"))
    );
    client.recent_comments(Footer, 10, None).await.unwrap();
    let of_space = |bodies| CommentsQuery::Space {
        key: "ENG".into(),
        reach: Reach::CurrentSpaces,
        bodies,
    };
    client.comments(&of_space(false), None).await.unwrap();
    client.comments(&of_space(true), None).await.unwrap();
    let ids = CommentsQuery::Ids(vec!["5".into(), "6".into()], Reach::CurrentSpaces);
    client.comments(&ids, None).await.unwrap();
    let asked = asked(&server).await;
    let expand = "container,ancestors,version,extensions.inlineProperties,extensions.resolution";
    let search = "GET /wiki/rest/api/content/search?cql";
    let of_space = "space = \"ENG\" and type = comment order by created asc";
    assert_eq!(
        asked,
        [
            "GET /wiki/api/v2/inline-comments?sort=-modified-date&body-format=storage&limit=10"
                .to_owned(),
            "GET /wiki/api/v2/footer-comments?sort=-modified-date&body-format=storage&limit=10"
                .to_owned(),
            format!("{search}={of_space}&expand={expand}&limit=200"),
            format!("{search}={of_space}&expand={expand},body.storage&limit=50"),
            format!("{search}=id in (5,6)&expand={expand},body.storage&limit=50"),
        ]
    );
    let too_many = CommentsQuery::Ids(
        (0..51).map(|n| n.to_string().into()).collect(),
        Reach::CurrentSpaces,
    );
    assert_eq!(
        name(&client.comments(&too_many, None).await.unwrap_err()),
        "rejected"
    );
    assert_eq!(client.comment(Footer, &"x".into()).await.unwrap(), None);
}

#[tokio::test]
async fn a_download_follows_the_redirect_without_credentials() {
    let (site, media) = (MockServer::start().await, MockServer::start().await);
    let go = |to: String| raw(302, "", "text/html").insert_header("location", to.as_str());
    always(&site, DOWNLOAD, go(format!("{}/hop?token=x", media.uri()))).await;
    always(&media, "/hop", go(format!("{}/file", media.uri()))).await;
    always(&media, "/file", raw(200, "%PDF-1.7", "application/pdf")).await;
    let client = client(&site);
    assert_eq!(
        client
            .download(&"7".into(), &"att9".into(), 100)
            .await
            .unwrap(),
        b"%PDF-1.7"
    );
    for request in media.received_requests().await.unwrap() {
        assert!(!request.headers.contains_key("authorization"));
    }
    assert_eq!(
        site.received_requests().await.unwrap()[0].headers["authorization"],
        BASIC
    );
    let error = client
        .download(&"7".into(), &"att9".into(), 7)
        .await
        .unwrap_err();
    assert_eq!(name(&error), "too large");
}

#[tokio::test]
async fn a_download_goes_to_known_hosts_only() {
    for to in [
        "https://evil.example/x",
        "http://api.media.atlassian.com/x",
        "https://api.media.atlassian.com.evil.example/x",
        "file:///etc/passwd",
        "/login",
        "",
    ] {
        let site = MockServer::start().await;
        always(
            &site,
            DOWNLOAD,
            raw(302, "", "text/html").insert_header("location", to),
        )
        .await;
        let error = client(&site)
            .download(&"7".into(), &"att9".into(), 100)
            .await
            .unwrap_err();
        assert_eq!(name(&error), "rejected", "{to}: {error}");
    }
    // A public site does not send to this machine.
    let media = MockServer::start().await;
    let mut config = config(&media.uri());
    config.cloud_id = Some("1".to_owned());
    config.gateway_url = Some(media.uri().parse().unwrap());
    config.base_url = "https://x.atlassian.net".parse().unwrap();
    always(
        &media,
        &format!("/ex/confluence/1{DOWNLOAD}"),
        raw(302, "", "text/html")
            .insert_header("location", format!("{}/file", media.uri()).as_str()),
    )
    .await;
    let error = ConfluenceClient::new(&config)
        .unwrap()
        .download(&"7".into(), &"att9".into(), 100)
        .await
        .unwrap_err();
    assert_eq!(name(&error), "rejected");
    assert_eq!(media.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_download_that_is_gone_or_refused_says_so() {
    let media = MockServer::start().await;
    always(&media, "/expired", raw(403, "", "text/html")).await;
    for (answer, want) in [
        (raw(404, "", "text/html"), "not found"),
        (raw(401, "", "text/html"), "unauthorized"),
        (
            raw(302, "", "text/html")
                .insert_header("location", format!("{}/expired", media.uri()).as_str()),
            "unavailable",
        ),
        (
            raw(302, "", "text/html")
                .insert_header("location", format!("{}/none", media.uri()).as_str()),
            "not found",
        ),
    ] {
        let site = MockServer::start().await;
        always(&site, DOWNLOAD, answer).await;
        let error = client(&site)
            .download(&"7".into(), &"att9".into(), 100)
            .await
            .unwrap_err();
        assert_eq!(name(&error), want, "{error}");
    }
}
