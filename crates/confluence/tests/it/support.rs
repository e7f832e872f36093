//! A client with waits of milliseconds, and canned answers.

use std::time::Duration;

use confluence::{ConfluenceClient, ConfluenceConfig, Credentials, RetryPolicy};
use domain::backoff::Backoff;
use domain::content::{ContentKind, ContentStatus};
use domain::ports::source::{ListOrder, ListQuery, SourceError};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

pub const EMAIL: &str = "sync@example.org";
pub const TOKEN: &str = "ATATT-very-secret-token";
/// `sync@example.org:ATATT-very-secret-token` as Basic authentication carries it.
pub const BASIC: &str = "Basic c3luY0BleGFtcGxlLm9yZzpBVEFUVC12ZXJ5LXNlY3JldC10b2tlbg==";

pub const PAGES: &str = "/wiki/api/v2/pages";
pub const ME: &str = "/wiki/rest/api/user/current";

pub fn fast() -> RetryPolicy {
    RetryPolicy {
        retries: 3,
        retries_before_split: 1,
        backoff: Backoff {
            base: Duration::from_millis(5),
            cap: Duration::from_millis(40),
        },
        floor: Duration::from_millis(30),
        cap: Duration::from_secs(3660),
        patience: Duration::from_secs(2),
    }
}

pub fn basic(email: &str, api_token: &str) -> Credentials {
    Credentials::Basic {
        email: email.to_owned(),
        api_token: api_token.to_owned().into(),
    }
}

pub fn config(base: &str) -> ConfluenceConfig {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let mut config = ConfluenceConfig::new(base.parse().unwrap(), EMAIL, TOKEN.to_owned().into());
    config.max_requests_per_second = 1000;
    config.retry = fast();
    config.request_timeout = Duration::from_secs(5);
    config
}

pub fn client(server: &MockServer) -> ConfluenceClient {
    ConfluenceClient::new(&config(&server.uri())).unwrap()
}

/// A poll of one space, newest first.
pub fn poll() -> ListQuery {
    ListQuery {
        kind: ContentKind::Page,
        spaces: vec!["65540".into()],
        order: ListOrder::NewestFirst,
        statuses: vec![ContentStatus::Current, ContentStatus::Archived],
        bodies: None,
        limit: 25,
    }
}

/// A sweep of one space, by id.
pub fn sweep() -> ListQuery {
    ListQuery {
        order: ListOrder::Id,
        statuses: vec![ContentStatus::Current],
        limit: 250,
        ..poll()
    }
}

pub fn page(id: u64) -> Value {
    json!({
        "id": id.to_string(), "status": "current", "title": format!("Page {id}"), "spaceId": "65540",
        "parentId": null, "parentType": null, "position": null,
        "version": {"number": 3, "createdAt": "2026-09-16T08:30:00.000Z", "authorId": "557058:aa"},
        "body": {"storage": {"representation": "storage", "value": format!("<p>{id}</p>")}},
        "_links": {"webui": format!("/spaces/ENG/pages/{id}")}
    })
}

pub fn list(items: Vec<Value>, next: Option<&str>) -> Value {
    json!({"results": items, "_links": {"next": next, "base": "https://x.atlassian.net/wiki"}})
}

pub fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

pub fn raw(status: u16, body: &str, kind: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body.as_bytes().to_vec(), kind)
}

pub fn known() -> Value {
    json!({"type": "known", "accountId": "557058:me", "displayName": "Sync"})
}

/// Answers a path like this, always.
pub async fn always(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(path(at))
        .respond_with(answer)
        .mount(server)
        .await;
}

/// Answers a path like this for the first so many requests; mount before what comes after.
pub async fn first(server: &MockServer, times: u64, at: &str, answer: ResponseTemplate) {
    Mock::given(method("GET"))
        .and(path(at))
        .respond_with(answer)
        .up_to_n_times(times)
        .mount(server)
        .await;
}

/// How many requests came to a path.
pub async fn count(server: &MockServer, at: &str) -> usize {
    server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .filter(|request| request.url.path() == at)
        .count()
}

/// Every request so far: method, path, decoded query.
pub async fn asked(server: &MockServer) -> Vec<String> {
    let told = |request: &wiremock::Request| {
        let query: Vec<String> = request
            .url
            .query_pairs()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!(
            "{} {}{mark}{}",
            request.method,
            request.url.path(),
            query.join("&")
        )
    };
    server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(told)
        .collect()
}

/// The error's name, after a look that it holds no secret.
pub fn name(error: &SourceError) -> &'static str {
    let told = format!("{error} {error:?}");
    assert!(
        !told.contains(TOKEN) && !told.contains(&BASIC[6..]),
        "a secret in {told}"
    );
    match error {
        SourceError::Unauthorized { .. } => "unauthorized",
        SourceError::LacksScope { .. } => "lacks scope",
        SourceError::NotConfluence { .. } => "not Confluence",
        SourceError::Forbidden { .. } => "forbidden",
        SourceError::NotFound { .. } => "not found",
        SourceError::Withdrawn { .. } => "withdrawn",
        SourceError::RateLimited { .. } => "rate limited",
        SourceError::Unavailable { .. } => "unavailable",
        SourceError::TooLarge { .. } => "too large",
        SourceError::BadCursor { .. } => "bad cursor",
        SourceError::Rejected { .. } => "rejected",
    }
}
