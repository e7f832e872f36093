//! What goes wrong on the way: passing trouble loses nothing, lasting trouble has its name, limits are kept.

use std::sync::Arc;
use std::time::Duration;

use confluence::ConfluenceClient;
use domain::PageId;
use domain::content::ContentKind::Page;
use domain::content::ContentStatus::Current;
use domain::ports::source::{ContentSource, ListOrder, ListQuery, SourceError};
use simulators::confluence::BadCredentials;
use simulators::{Fault, RateLimit, RetryAfter};

use super::{client, eng, facts, page_id, settings, site, site_of, start, sweep, sweep_of};
use crate::support::name;

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
        (Fault::Html200, "not Confluence"),
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
            let client = super::client(&sim);
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
        match client
            .by_ids(Page, &ids, &[Current], Some(usize::MAX))
            .await
        {
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
        bodies: Some(usize::MAX),
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
    // How many exactly is a matter of the machine's pace; a client that did not wait would be refused over and over.
    let total = sim.requests().len();
    assert!(2 * refused < total, "{refused} of {total} were refused");
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
