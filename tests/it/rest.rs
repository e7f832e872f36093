//! Indexes, pages, queries, tokens, spaces: every route, good and bad.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use simulators::Fault;
use simulators::confluence::Site;

use crate::support::{answer, assert_problem, fields, id, site, start, until};

const KEY: &str = "administrator-key";

#[actix_web::test]
async fn an_index_lives_from_its_creation_to_its_end() {
    let service = start(site(3), &[]).await;
    let body = json!({"name": "All", "agent_id": "agent_1", "confluence_spaces": ["ENG", "OPS"], "interval_minutes": 30});
    let response = service
        .request(Method::POST, "/api/indexes/")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 201);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let created: Value = response.json().await.unwrap();
    assert_eq!(location, format!("/api/indexes/{}", id(&created)));
    for (key, value) in [
        ("name", json!("All")),
        ("agent_id", json!("agent_1")),
        ("confluence_spaces", json!(["ENG", "OPS"])),
        ("interval_minutes", json!(30)),
        ("enabled", json!(true)),
        ("backend", json!("local")),
        ("restricted_pages", json!("skip")),
        ("labels", json!([])),
        ("include_comments", json!(false)),
    ] {
        assert_eq!(created[key], value, "{key}");
    }
    for nullable in ["remote", "last_run", "next_run_at", "status_reason"] {
        assert!(created.get(nullable).is_some(), "{nullable} is present");
    }
    assert_eq!(
        created["last_run"]["kind"], "first",
        "its first run starts at once"
    );
    assert!(created["created_at"].as_str().unwrap().ends_with('Z'));

    let run = service.over(&created).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_eq!(run["run_id"], run["id"]);
    let (_, index) = service.get(&location).await;
    assert_eq!(
        (index["status"].as_str(), index["document_count"].as_i64()),
        (Some("ok"), run["counts"]["searchable"].as_i64())
    );
    assert_eq!(index["remote"]["name"], "confluence-agent_1");
    assert_eq!(
        service.get("/api/indexes/agent/agent_1").await.1["id"],
        created["id"]
    );
    let (_, list) = service.get("/api/indexes/").await;
    assert_eq!(
        (
            list["items"].as_array().unwrap().len(),
            &list["next_cursor"]
        ),
        (1, &Value::Null)
    );

    let (status, found) = service
        .post(
            "/api/indexes/agent/agent_1/query",
            json!({"query": "roll back falcon"}),
        )
        .await;
    assert_eq!(status, 200);
    assert_eq!(
        (found["source"].as_str(), found["stale"].as_bool()),
        (Some("index"), Some(false))
    );
    assert_eq!(found["as_of"], run["finished_at"]);
    let first = &found["results"][0];
    assert_eq!(first["page"]["title"], "Rollback runbook", "{found}");
    assert_eq!(first["page"]["section"], "When a release goes wrong");
    assert_eq!(
        (&first["page"]["labels"], &first["page"]["space_key"]),
        (&json!(["runbook"]), &json!("ENG"))
    );
    assert!(
        first["score"].is_number() && first["page"]["url"].as_str().unwrap().starts_with("http")
    );
    assert!(first["page"]["version"].is_i64());

    let (status, changed) = service
        .patch(
            &location,
            json!({"name": "Less", "confluence_spaces": ["ENG"]}),
        )
        .await;
    assert_eq!(
        (
            status.as_u16(),
            &changed["name"],
            &changed["confluence_spaces"]
        ),
        (200, &json!("Less"), &json!(["ENG"]))
    );
    assert_eq!(changed["interval_minutes"], 30, "what is not named stays");

    assert_eq!(service.delete(&location).await.0, 204);
    assert_problem(&service.get(&location).await, 404, "not_found");
    assert_problem(
        &service.get("/api/indexes/agent/agent_1").await,
        404,
        "not_found",
    );
    assert_problem(&service.delete(&location).await, 404, "not_found");
    service.index("agent_1", &["ENG"]).await;
    service.stop().await;
}

#[actix_web::test]
async fn a_change_that_waits_for_confluence_overwrites_no_other() {
    let service = start(site(1), &[]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let path = format!("/api/indexes/{}", id(&index));
    service.sim.switches(|s| s.latency = Duration::from_secs(4));
    let source = service.app.as_ref().unwrap().state.source.clone();
    let slow = service.patch(&path, json!({"confluence_spaces": ["OPS", "ENG"]}));
    let quick = async {
        until("Confluence is asked for the space", async || {
            (source.health().in_flight > 0).then_some(())
        })
        .await;
        service
            .patch(&path, json!({"exclude_labels": ["draft"], "agent_id": "b"}))
            .await
    };
    let (slow, quick) = futures_util::future::join(slow, quick).await;
    assert_eq!((slow.0.as_u16(), quick.0.as_u16()), (200, 200));
    assert_eq!(
        (
            &quick.1["exclude_labels"],
            &quick.1["confluence_spaces"],
            quick.1["agent_id"].as_str()
        ),
        (&json!(["draft"]), &json!(["OPS"]), Some("b"))
    );
    let (_, after) = service.get(&path).await;
    for after in [&slow.1, &after] {
        assert_eq!(
            (
                &after["exclude_labels"],
                &after["confluence_spaces"],
                after["agent_id"].as_str()
            ),
            (&json!(["draft"]), &json!(["OPS", "ENG"]), Some("b"))
        );
    }
    service.stop().await;
}

#[actix_web::test]
async fn creating_is_checked_fields_first_then_the_agent_then_the_spaces() {
    let service = start(site(0), &[]).await;
    service.index("taken", &["ENG"]).await;
    let create = |body: Value| service.post("/api/indexes/", body);

    let bad = create(
        json!({"name": "", "agent_id": "taken", "confluence_spaces": ["NOPE"], "colour": "red"}),
    )
    .await;
    assert_problem(&bad, 422, "invalid_field");
    assert_eq!(fields(&bad.1), ["colour", "name"]);
    for body in [
        json!({}),
        json!({"name": "n", "agent_id": "ä", "confluence_spaces": ["ENG"]}),
        json!({"name": "n", "agent_id": "x", "confluence_spaces": []}),
        json!({"name": "n", "agent_id": "x", "confluence_spaces": ["ENG"], "interval_minutes": 0}),
        json!({"name": "n", "agent_id": "x", "confluence_spaces": ["ENG", "ENG"]}),
    ] {
        assert_problem(&create(body).await, 422, "invalid_field");
    }
    let taken =
        create(json!({"name": "n", "agent_id": "taken", "confluence_spaces": ["NOPE"]})).await;
    assert_problem(&taken, 409, "agent_id_taken");
    let unseen = create(
        json!({"name": "n", "agent_id": "free", "confluence_spaces": ["ENG", "NOPE", "~gone"]}),
    )
    .await;
    assert_problem(&unseen, 422, "spaces_not_visible");
    let detail = unseen.1["detail"].as_str().unwrap();
    assert!(
        detail.contains("NOPE") && detail.contains("~gone") && !detail.contains("ENG"),
        "{detail}"
    );
    let missing = create(json!({"name": "n", "agent_id": "free", "confluence_spaces": ["ENG"], "backend": "llamacloud"})).await;
    assert_problem(&missing, 422, "needs_settings");
    assert_eq!(
        service.get("/api/indexes").await.1["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    service.stop().await;
}

#[actix_web::test]
async fn while_confluence_is_away_nothing_is_stored() {
    let service = start(site(0), &[]).await;
    service
        .sim
        .fail_always(simulators::Matcher::any(), Fault::Unauthorized);
    let body = json!({"name": "n", "agent_id": "a", "confluence_spaces": ["ENG"]});
    assert_problem(
        &service.post("/api/indexes/", body.clone()).await,
        503,
        "confluence_unauthorized",
    );
    assert_problem(
        &service.get("/api/spaces").await,
        503,
        "confluence_unauthorized",
    );
    service.sim.clear_faults();
    service
        .sim
        .fail_always(simulators::Matcher::any(), Fault::Reset);
    assert_problem(
        &service.post("/api/indexes/", body).await,
        503,
        "confluence_unreachable",
    );
    assert_eq!(service.get("/api/indexes").await.1["items"], json!([]));
    assert_eq!(
        service.get("/health/ready").await.0,
        200,
        "faults elsewhere do not make it unready"
    );
    service.stop().await;
}

#[actix_web::test]
async fn what_is_no_request_is_a_problem_with_the_right_status() {
    let service = start(Site::new(), &[]).await;
    let post = |path: &str| service.request(Method::POST, path);
    assert_problem(
        &answer(
            post("/api/indexes/")
                .header("content-type", "application/json")
                .body("{"),
        )
        .await,
        400,
        "malformed_json",
    );
    assert_problem(
        &answer(
            post("/api/indexes/")
                .header("content-type", "text/plain")
                .body("{}"),
        )
        .await,
        415,
        "unsupported_media_type",
    );
    assert_problem(
        &answer(post("/api/indexes/").body("{}")).await,
        415,
        "unsupported_media_type",
    );
    assert_problem(
        &answer(post("/api/indexes/").json(&json!([]))).await,
        422,
        "invalid_field",
    );
    let large = json!({"name": "x".repeat(300 * 1024)}).to_string();
    assert_problem(
        &answer(
            post("/api/indexes/")
                .header("content-type", "application/json")
                .body(large),
        )
        .await,
        413,
        "payload_too_large",
    );
    assert_problem(&service.get("/api/nowhere").await, 404, "not_found");
    assert_problem(&service.get("/nowhere/at/all").await, 404, "not_found");
    assert_problem(
        &service.get("/api/indexes/not-an-id").await,
        404,
        "not_found",
    );
    assert_problem(
        &service.get("/api/indexes/agent/no%20agent").await,
        404,
        "not_found",
    );
    let refused = service
        .request(Method::PUT, "/api/indexes")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            refused.status().as_u16(),
            refused.headers()["allow"].to_str().unwrap()
        ),
        (405, "GET, POST")
    );
    assert_problem(
        &answer(service.request(Method::PUT, "/api/indexes")).await,
        405,
        "method_not_allowed",
    );
    for query in [
        "limit=0",
        "limit=many",
        "status=done",
        "index_id=7",
        "colour=red",
        "cursor=%7B",
    ] {
        let refused = service.get(&format!("/api/runs?{query}")).await;
        assert_problem(&refused, 422, "invalid_field");
        assert_eq!(fields(&refused.1), [query.split('=').next().unwrap()]);
    }
    service.stop().await;
}

#[actix_web::test]
async fn every_path_answers_with_and_without_a_slash_at_the_end() {
    let service = start(site(1), &[]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let id = id(&index);
    for path in [
        "/api/indexes".to_owned(),
        format!("/api/indexes/{id}"),
        "/api/indexes/agent/a".to_owned(),
        "/api/runs".to_owned(),
        format!("/api/runs/{}", index["last_run"]["id"].as_str().unwrap()),
        format!("/api/indexes/{id}/pages"),
        format!("/api/indexes/{id}/tokens"),
        "/api/spaces".to_owned(),
        "/health".to_owned(),
        "/health/live".to_owned(),
        "/health/ready".to_owned(),
        "/metrics".to_owned(),
        "/openapi.json".to_owned(),
        "/docs".to_owned(),
        "/docs/problems".to_owned(),
    ] {
        for path in [path.clone(), format!("{path}/")] {
            // The client would follow a redirect; the address tells.
            let response = service.request(Method::GET, &path).send().await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(response.url().path(), path);
        }
    }
    for path in ["/api/indexes/agent/a/query", "/api/indexes/agent/a/query/"] {
        assert_eq!(
            service.post(path, json!({"query": "zebra"})).await.0,
            200,
            "{path}"
        );
    }
    service.stop().await;
}

#[actix_web::test]
async fn a_query_has_bounds_and_filters() {
    let service = start(site(12), &[]).await;
    service.synced_index("a", &["ENG", "OPS"]).await;
    let ask = |body: Value| service.post("/api/indexes/agent/a/query", body);
    let count = |found: &Value| found["results"].as_array().unwrap().len();

    let (_, found) = ask(json!({"query": "zebra"})).await;
    assert_eq!(count(&found), 8, "eight when nobody says");
    assert_eq!(
        count(&ask(json!({"query": "zebra", "top_k": 3})).await.1),
        3
    );
    let scores: Vec<f64> = found["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["score"].as_f64().unwrap())
        .collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "best first: {scores:?}");
    assert_eq!(
        count(
            &ask(json!({"query": "zebra", "filters": {"space": "ENG"}}))
                .await
                .1
        ),
        0
    );
    assert_eq!(
        count(
            &ask(json!({"query": "falcon", "filters": {"label": "runbook"}}))
                .await
                .1
        ),
        1
    );
    assert_eq!(
        count(
            &ask(json!({"query": "falcon", "filters": {"label": "run"}}))
                .await
                .1
        ),
        0
    );
    assert_eq!(
        count(
            &ask(json!({"query": "zebra", "filters": {"updated_after": "2999-01-01"}}))
                .await
                .1
        ),
        0
    );

    for (body, field) in [
        (json!({"query": " "}), "query"),
        (json!({}), "query"),
        (json!({"query": "a", "top_k": 0}), "top_k"),
        (json!({"query": "a", "top_k": 51}), "top_k"),
        (
            json!({"query": "a", "filters": {"updated_after": "soon"}}),
            "filters.updated_after",
        ),
        (json!({"query": "a", "limit": 3}), "limit"),
    ] {
        let refused = ask(body).await;
        assert_problem(&refused, 422, "invalid_field");
        assert_eq!(fields(&refused.1), [field]);
    }
    assert_problem(
        &service
            .post("/api/indexes/agent/b/query", json!({"query": "a"}))
            .await,
        404,
        "not_found",
    );
    // Punctuation of every search syntax is just words.
    for query in [
        "\"",
        "zebra AND",
        "a* OR (",
        "'; DROP TABLE pages; --",
        "NEAR(",
        "🦓",
    ] {
        assert_eq!(ask(json!({"query": query})).await.0, 200, "{query}");
    }
    service.stop().await;
}

#[actix_web::test]
async fn before_its_first_sync_an_index_answers_nothing() {
    let service = start(site(1), &[]).await;
    let body =
        json!({"name": "n", "agent_id": "a", "confluence_spaces": ["ENG"], "enabled": false});
    let (status, index) = service.post("/api/indexes/", body).await;
    assert_eq!(
        (status.as_u16(), index["enabled"].as_bool()),
        (201, Some(false))
    );
    let (status, found) = service
        .post("/api/indexes/agent/a/query", json!({"query": "falcon"}))
        .await;
    assert_eq!(status, 200);
    assert_eq!(
        (&found["results"], &found["as_of"]),
        (&json!([]), &Value::Null)
    );
    service.stop().await;
}

#[actix_web::test]
async fn pages_tell_what_is_indexed_and_what_is_not() {
    let site = site(5);
    let secret = site.create_page("OPS", None, "Secret", "<p>hidden</p>");
    site.restrict_to_user(secret, simulators::confluence::DEFAULT_AUTHOR);
    let service = start(site, &[]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let path = format!("/api/indexes/{}/pages", id(&index));

    let (_, all) = service.get(&path).await;
    let titles: Vec<&str> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["title"].as_str().unwrap())
        .collect();
    assert!(titles.contains(&"Host 3"), "{titles:?}");
    let (_, searchable) = service
        .get(&format!("{path}?state=searchable&title=host&limit=2"))
        .await;
    assert_eq!(searchable["items"].as_array().unwrap().len(), 2);
    let cursor = searchable["next_cursor"].as_str().expect("there is more");
    let (_, more) = service
        .get(&format!(
            "{path}?state=searchable&title=host&limit=50&cursor={cursor}"
        ))
        .await;
    assert_eq!(
        (
            more["items"].as_array().unwrap().len(),
            &more["next_cursor"]
        ),
        (3, &Value::Null)
    );

    let page = &searchable["items"][0];
    let (status, one) = service
        .get(&format!("{path}/{}", page["id"].as_str().unwrap()))
        .await;
    assert_eq!((status.as_u16(), &one), (200, page));
    assert_eq!(
        (one["state"].as_str(), &one["reason"], one["kind"].as_str()),
        (Some("searchable"), &Value::Null, Some("page"))
    );
    let of = |page: &Value, what: &str| format!("{path}/{}/{what}", page["id"].as_str().unwrap());
    let (_, text) = service.get(&of(page, "markdown")).await;
    assert_eq!(text["page"], *page);
    assert!(
        text["markdown"].as_str().unwrap().contains("is a zebra."),
        "{text}"
    );
    let (_, cut) = service.get(&of(page, "passages")).await;
    assert_eq!(
        (&cut["known"], cut["items"].as_array().unwrap().len()),
        (&json!(true), 1)
    );
    assert!(
        cut["items"][0]["text"].as_str().unwrap().contains("zebra"),
        "{cut}"
    );
    // What no answer may quote is not shown in this way either.
    let hidden = json!({"id": secret.to_string()});
    assert_eq!(
        service.get(&of(&hidden, "retry")).await.0,
        405,
        "it is known"
    );
    for what in ["markdown", "passages"] {
        assert_problem(&service.get(&of(&hidden, what)).await, 404, "not_found");
    }
    assert_problem(&service.get(&format!("{path}/1")).await, 404, "not_found");
    assert_problem(
        &service.get(&format!("{path}?state=lost")).await,
        422,
        "invalid_field",
    );
    assert_problem(
        &service.post(&format!("{path}/1/retry"), json!({})).await,
        404,
        "not_found",
    );
    service.stop().await;
}

#[actix_web::test]
async fn tokens_are_shown_once_and_end_when_revoked() {
    let service = start(site(0), &[]).await;
    let index = service.index("a", &["ENG"]).await;
    let path = format!("/api/indexes/{}/tokens", id(&index));
    let (status, token) = service.post(&path, json!({"name": "librechat"})).await;
    assert_eq!(
        (status.as_u16(), token["name"].as_str()),
        (201, Some("librechat"))
    );
    let secret = token["token"].as_str().unwrap();
    let (_, list) = service.get(&path).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert!(
        !list.to_string().contains(secret),
        "the list does not show it"
    );
    let ask = || {
        answer(
            service
                .http
                .get(format!("{}/api/indexes/{}", service.base, id(&index)))
                .bearer_auth(secret),
        )
    };
    assert_eq!(ask().await.0, 200);
    assert_eq!(
        service.delete(&format!("{path}/{}", id(&token))).await.0,
        204
    );
    assert_problem(&ask().await, 401, "unauthorized");
    assert_problem(
        &service.delete(&format!("{path}/{}", id(&token))).await,
        404,
        "not_found",
    );
    for wrong in [
        json!({"nam": "x"}),
        json!({"expires_in_days": 0}),
        json!({"expires_in_days": 3651}),
        json!({"expires_in_days": "soon"}),
    ] {
        assert_problem(&service.post(&path, wrong).await, 422, "invalid_field");
    }
    let (_, lasting) = service.post(&path, json!({"expires_in_days": null})).await;
    assert_eq!(lasting["expires_at"], Value::Null);
    let (_, ending) = service.post(&path, json!({"expires_in_days": 90})).await;
    let moment =
        |of: &Value| -> chrono::DateTime<chrono::Utc> { of.as_str().unwrap().parse().unwrap() };
    let lasts = moment(&ending["expires_at"]) - moment(&ending["created_at"]);
    assert_eq!(
        lasts.num_hours(),
        90 * 24 - i64::from(lasts.num_hours() < 90 * 24)
    );
    service.stop().await;
}

#[actix_web::test]
async fn quiet_hours_show_the_real_next_start() {
    let service = start(site(1), &[]).await;
    let index = service.index("a", &["OPS"]).await;
    service.over(&index).await;
    let path = format!("/api/indexes/{}", id(&index));
    let now = chrono::Utc::now();
    let clock = |hours: i64| {
        (now + chrono::TimeDelta::hours(hours))
            .format("%H:%M")
            .to_string()
    };
    let quiet = json!({"from": clock(-1), "to": clock(5), "time_zone": "Etc/UTC"});
    let (status, changed) = service.patch(&path, json!({"quiet_hours": quiet})).await;
    assert_eq!(status, 200, "{changed}");
    let next = |index: &Value| -> chrono::DateTime<chrono::Utc> {
        index["next_run_at"].as_str().unwrap().parse().unwrap()
    };
    assert!(
        next(&changed) > now + chrono::TimeDelta::minutes(4 * 60 + 58),
        "{changed}"
    );
    assert_eq!(service.get(&path).await.1["quiet_hours"], quiet);
    let (_, loud) = service.patch(&path, json!({"quiet_hours": null})).await;
    assert_eq!(loud["quiet_hours"], json!(null));
    let refused = service.patch(
        &path,
        json!({"quiet_hours": {"from": "25:00", "to": "06:00"}}),
    );
    let refused = refused.await;
    assert_problem(&refused, 422, "invalid_field");
    assert!(refused.1.to_string().contains("25:00"), "{}", refused.1);
    service.stop().await;
}

#[actix_web::test]
async fn spaces_health_and_metrics_tell_how_things_stand() {
    let service = start(site(2), &[]).await;
    let (_, spaces) = service.get("/api/spaces").await;
    let keys: Vec<&str> = spaces["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["ENG", "OPS"]);
    service.synced_index("a", &["OPS"]).await;
    assert_eq!(service.get("/health/live").await.1["status"], "live");
    let (status, ready) = service.get("/health/ready").await;
    assert_eq!(
        (status.as_u16(), &ready),
        (200, &json!({"status": "ready", "reasons": []}))
    );
    let (_, summary) = service.get("/health").await;
    assert_eq!(
        (
            summary["status"].as_str(),
            summary["indexes"]["ok"].as_i64()
        ),
        (Some("ok"), Some(1))
    );
    assert_eq!(summary["reasons"], json!([]));
    assert_eq!(summary["confluence"]["site"], service.sim.base_url());
    assert_eq!(summary["confluence"]["paused_until"], Value::Null);
    assert_eq!(summary["stores"][0]["backend"], "local");
    assert_eq!(summary["disk"]["bodies"], 3);
    service
        .post("/api/indexes/agent/a/query", json!({"query": "zebra"}))
        .await;
    let (_, metrics) = service.get("/metrics").await;
    let metrics = metrics.as_str().unwrap();
    for series in [
        "mcp_confluence_http_requests_total{",
        "mcp_confluence_search_seconds_bucket{",
        "mcp_confluence_outbox_rows{agent=\"a\",state=\"waiting\"} 0",
        "mcp_confluence_runs_total{kind=\"first\",status=\"succeeded\"}",
        "mcp_confluence_confluence_requests_total",
        "mcp_confluence_documents{agent=\"a\"}",
        "mcp_confluence_pages_unsettled{agent=\"a\",state=\"pending\"}",
        "mcp_confluence_pages_unsettled{agent=\"a\",state=\"failed\"}",
    ] {
        assert!(
            metrics.contains(series),
            "{series} is missing in\n{metrics}"
        );
    }
    assert!(
        !metrics.contains(id(&service.get("/api/indexes/agent/a").await.1)),
        "ids make no series"
    );
    let path = format!(
        "/api/indexes/{}",
        id(&service.get("/api/indexes/agent/a").await.1)
    );
    assert_eq!(service.delete(&path).await.0, 204);
    let (_, metrics) = service.get("/metrics").await;
    assert!(
        !metrics.as_str().unwrap().contains("agent=\"a\""),
        "a deleted index is told of no more"
    );
    service.stop().await;
}

/// The proxy strips its prefix; `PUBLIC_BASE_URL` has it.
#[actix_web::test]
async fn under_a_prefix_what_names_a_path_names_it_with_the_prefix() {
    let public = "https://kb.example.com/confluence/";
    let service = start(site(0), &[("PUBLIC_BASE_URL", public), ("API_KEY", KEY)]).await;
    let body = json!({"name": "All", "agent_id": "a", "confluence_spaces": ["ENG"]});
    let created = service
        .request(Method::POST, "/api/indexes/")
        .json(&body)
        .send()
        .await
        .unwrap();
    let location = created.headers()["location"].to_str().unwrap().to_owned();
    let created: Value = created.json().await.unwrap();
    assert_eq!(
        location,
        format!("/confluence/api/indexes/{}", id(&created))
    );
    let http = crate::support::client();
    for (path, code) in [
        ("/api/indexes/agent/ghost", "not_found"),
        ("/nowhere", "not_found"),
        ("/api/runs?limit=0", "invalid_field"),
    ] {
        let (_, problem) = answer(service.request(Method::GET, path)).await;
        let kind = format!("/confluence/docs/problems#{code}");
        assert_eq!(problem["type"], kind, "{problem}");
        assert_eq!(problem["code"], code);
    }
    // Those that middleware makes, too.
    for (path, code) in [("/api/indexes", "unauthorized"), ("/mcp", "unauthorized")] {
        let (_, problem) = answer(http.get(format!("{}{path}", service.base))).await;
        let kind = format!("/confluence/docs/problems#{code}");
        assert_eq!(problem["type"], kind, "{problem}");
    }
    service.stop().await;
}
