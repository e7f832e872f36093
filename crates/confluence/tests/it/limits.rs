//! Refusals for rate: everyone waits as asked, not less, and not for ever.

use std::time::{Duration, Instant};

use confluence::ConfluenceClient;
use domain::content::ContentKind::Page;
use domain::ports::source::{ContentSource, SourceError};
use simulators::confluence::{ConfluenceSim, Site};
use wiremock::MockServer;

use crate::support::*;

#[tokio::test]
async fn retry_after_is_a_minimum_with_a_floor() {
    for (value, least) in [(Some("1"), 1000), (Some("0"), 30), (None, 30)] {
        let server = MockServer::start().await;
        let mut refusal = raw(429, "", "text/html");
        if let Some(value) = value {
            refusal = refusal.insert_header("Retry-After", value);
        }
        first(&server, 1, PAGES, refusal).await;
        always(&server, PAGES, ok(list(vec![], None))).await;
        let client = client(&server);
        let began = Instant::now();
        client.list(&poll(), None).await.unwrap();
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(least), "{value:?}: {took:?}");
        assert!(
            took < Duration::from_millis(least + 1500),
            "{value:?}: {took:?}"
        );
        assert_eq!(count(&server, PAGES).await, 2);
    }
}

#[tokio::test]
async fn a_used_up_quota_stops_every_request_until_it_is_refilled() {
    let server = MockServer::start().await;
    let reset = (chrono::Utc::now() + Duration::from_secs(1200))
        .format("%Y-%m-%dT%H:%MZ")
        .to_string();
    let refusal = raw(429, "", "text/html")
        .insert_header("X-RateLimit-Remaining", "0")
        .insert_header("X-RateLimit-Reset", reset.as_str())
        .insert_header("RateLimit-Reason", "confluence-quota-tenant-based");
    always(&server, PAGES, refusal).await;
    always(&server, "/wiki/api/v2/pages/7", ok(page(7))).await;
    let client = client(&server);
    for what in ["the refused endpoint", "any other"] {
        let error = match what {
            "any other" => client.one(Page, &"7".into()).await.unwrap_err(),
            _ => client.list(&poll(), None).await.unwrap_err(),
        };
        let SourceError::RateLimited { retry_after, .. } = &error else {
            panic!("{what}: {error}")
        };
        assert!(
            (1100..=1400).contains(&retry_after.as_secs()),
            "{what}: {error}"
        );
    }
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        1,
        "nothing was sent after the refusal"
    );
    assert!(client.health().paused_until.is_some());
    assert!(client.health().trouble.is_some());
}

#[tokio::test]
async fn a_burst_slows_its_endpoint_only() {
    let server = MockServer::start().await;
    let refusal = raw(429, "", "text/html")
        .insert_header("Retry-After", "1")
        .insert_header("RateLimit-Reason", "burst-based");
    first(&server, 1, PAGES, refusal).await;
    always(&server, PAGES, ok(list(vec![], None))).await;
    always(&server, "/wiki/api/v2/pages/7", ok(page(7))).await;
    let client = client(&server);
    let began = Instant::now();
    let (poll, one) = (poll(), "7".into());
    let other = async {
        while count(&server, PAGES).await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        client.one(Page, &one).await.map(|_| began.elapsed())
    };
    let (listed, other) = tokio::join!(client.list(&poll, None), other);
    listed.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(other.unwrap() < Duration::from_millis(900));
}

#[tokio::test]
async fn nearing_a_limit_is_no_error() {
    let server = MockServer::start().await;
    let near = ok(list(vec![page(1)], None)).insert_header("X-RateLimit-NearLimit", "true");
    always(&server, PAGES, near).await;
    let client = client(&server);
    assert_eq!(client.list(&poll(), None).await.unwrap().items.len(), 1);
    assert_eq!(
        (client.health().trouble, client.health().paused_until),
        (None, None)
    );
}

#[tokio::test]
async fn an_announced_limit_is_not_enforced() {
    let server = MockServer::start().await;
    let beta = ok(list(vec![page(1)], None))
        .insert_header("Beta-RateLimit", r#""global-app-quota";r=0;t=600"#)
        .insert_header("X-Beta-RateLimit-Remaining", "0");
    always(&server, PAGES, beta).await;
    let client = client(&server);
    client.list(&poll(), None).await.unwrap();
    assert_eq!(client.health().paused_until, None);
}

#[tokio::test]
async fn a_login_page_after_a_refusal_is_its_echo() {
    let server = MockServer::start().await;
    first(
        &server,
        1,
        PAGES,
        raw(429, "", "text/html").insert_header("Retry-After", "0"),
    )
    .await;
    first(
        &server,
        1,
        PAGES,
        raw(401, r#"{"message":"Login Required"}"#, "application/json"),
    )
    .await;
    always(&server, PAGES, ok(list(vec![], None))).await;
    client(&server).list(&poll(), None).await.unwrap();
    assert_eq!(count(&server, PAGES).await, 3);
}

/// Counted by the documented rules, as the simulator counts.
#[tokio::test]
async fn a_share_of_the_quota_is_kept_to() {
    let site = Site::new();
    for n in 0..5 {
        site.add_space(&format!("S{n}"), "A space");
    }
    let sim = ConfluenceSim::builder().site(site).start().await.unwrap();
    let mut config = config(sim.base_url());
    config.credentials = basic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN);
    config.max_points_per_hour = Some(12);
    let client = ConfluenceClient::new(&config).unwrap();
    client.visible_spaces().await.unwrap();
    assert_eq!(sim.points_used(), 6);
    let left = client.health().quota.unwrap();
    assert_eq!(left.remaining, 11, "of the answer that was read last");
    client.visible_spaces().await.unwrap();
    let waiting = client.for_waiting();
    let error = waiting.visible_spaces().await.unwrap_err();
    assert!(matches!(error, SourceError::RateLimited { .. }), "{error}");
    assert_eq!(sim.points_used(), 12);
    assert!(client.health().paused_until.is_some());
}
