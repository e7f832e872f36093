//! Every switch and every fault does what its name says.

use std::time::Duration;

use chrono::{TimeZone, Utc};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use simulators::confluence::{
    Account, BadCredentials, ConfluenceSim, CqlSpaceKeys, Kind, NextLinks, Orphans, Site, Status,
};
use simulators::llamacloud::{DuplicateId, IngestionStatus, LlamaCloudSim, Serving};
use simulators::{Clock, Fault, FaultRule, Matcher, RateLimit, RetryAfter, Times};

use crate::support::{
    client, confluence, each, get, json, llama, llama_call, llama_json, status_of,
};

fn site() -> Site {
    let site = Site::new();
    site.add_space("ENG", "Engineering");
    let home = site.homepage("ENG");
    for n in 0..9 {
        site.create_page("ENG", Some(home), &format!("Page {n}"), "<p>words</p>");
    }
    site
}

fn header(response: &reqwest::Response, name: &str) -> Option<String> {
    response
        .headers()
        .get(name)
        .map(|v| v.to_str().unwrap().to_owned())
}

#[actix_rt::test]
async fn each_fault_shows() {
    let sim = confluence(site()).await;
    let cases = [
        (Fault::Status(502), 502),
        (Fault::HtmlStatus(503), 503),
        (Fault::EmptyStatus(504), 504),
        (Fault::RateLimited(RetryAfter::True), 429),
        (Fault::Unavailable(7), 503),
        (Fault::Html200, 200),
        (Fault::Slow(Duration::from_millis(30)), 200),
        (Fault::TransientNotFound, 404),
        (Fault::TransientForbidden, 403),
        (Fault::Unauthorized, 401),
        (Fault::PaymentRequired, 402),
        (Fault::EmptyPage, 200),
        (Fault::Lacks(&["version", "next"]), 200),
        (Fault::Header("X-Odd", "yes"), 200),
    ];
    for (fault, status) in cases {
        sim.reset_log();
        sim.fail_next("*", 1, fault.clone());
        let answer = get(&sim, "/wiki/api/v2/pages?limit=3")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), status, "{fault:?}");
        match fault {
            Fault::RateLimited(_) => {
                assert_eq!(header(&answer, "retry-after").as_deref(), Some("1"))
            }
            Fault::Unavailable(_) => {
                assert_eq!(header(&answer, "retry-after").as_deref(), Some("7"))
            }
            Fault::TransientNotFound => assert!(header(&answer, "x-cache").is_some()),
            Fault::Slow(_) => assert!(sim.requests()[0].ms >= 30),
            Fault::EmptyPage => {
                let body: Value = answer.json().await.unwrap();
                assert!(body["results"] == json!([]) && body["_links"]["next"].is_string());
            }
            Fault::Lacks(_) => {
                let body: Value = answer.json().await.unwrap();
                assert!(
                    body["results"][0]["version"].is_null() && body["results"][0]["id"].is_string()
                );
                assert!(body["_links"]["next"].is_null() && body["_links"]["base"].is_string());
            }
            Fault::Header(name, value) => assert_eq!(header(&answer, name).as_deref(), Some(value)),
            _ => {}
        }
        assert_eq!(sim.requests()[0].fault, Some(format!("{fault:?}")));
    }
    for (kind, value) in [
        (RetryAfter::Missing, None),
        (RetryAfter::Zero, Some("0")),
        (RetryAfter::Seconds(9), Some("9")),
    ] {
        sim.fail_next("*", 1, Fault::RateLimited(kind));
        let answer = get(&sim, "/wiki/api/v2/pages").send().await.unwrap();
        assert_eq!(
            (
                answer.status().as_u16(),
                header(&answer, "retry-after").as_deref()
            ),
            (429, value)
        );
    }
    // A cursor that fails leaves requests without one alone.
    sim.fail_next("/pages", 1, Fault::InvalidCursor);
    let first = json(&sim, "/wiki/api/v2/pages?limit=3").await;
    let next = first["_links"]["next"].as_str().unwrap();
    assert_eq!(
        (status_of(&sim, next).await, status_of(&sim, next).await),
        (400, 200)
    );
}

#[actix_rt::test]
async fn rules_skip_repeat_and_choose() {
    let sim = confluence(site()).await;
    let pages = "/wiki/api/v2/pages";
    let statuses = async |n: usize, path: &str| {
        let mut out = Vec::new();
        for _ in 0..n {
            out.push(status_of(&sim, path).await);
        }
        out
    };
    sim.fail_after("/pages", 2, 1, Fault::Status(500));
    assert_eq!(statuses(4, pages).await, [200, 200, 500, 200]);
    sim.fail(FaultRule {
        matcher: "/pages".into(),
        skip: 0,
        times: Times::Every(2),
        fault: Fault::Status(503),
    });
    assert_eq!(statuses(4, pages).await, [200, 503, 200, 503]);
    sim.clear_faults();
    sim.fail_always(
        Matcher::endpoint("/spaces").method("POST"),
        Fault::Status(500),
    );
    sim.fail_always(
        Matcher::containing("body-format=storage").and_containing("limit=2"),
        Fault::Status(504),
    );
    assert_eq!(status_of(&sim, "/wiki/api/v2/spaces").await, 200);
    assert_eq!(status_of(&sim, "/wiki/api/v2/pages?limit=2").await, 200);
    assert_eq!(
        status_of(&sim, "/wiki/api/v2/pages?limit=2&body-format=storage").await,
        504
    );
    sim.clear_faults();
    sim.seed_faults(3);
    sim.fail_share("/pages", 0.5, Fault::Status(500));
    let mixed = statuses(20, pages).await;
    assert!(mixed.contains(&200) && mixed.contains(&500));
}

#[actix_rt::test]
async fn odd_data_on_demand() {
    let site = site();
    let page = site.find("ENG", "Page 1").unwrap();
    let sim = confluence(site).await;
    let path = format!("/wiki/api/v2/pages/{page}?body-format=storage");
    sim.switches(|s| {
        s.unknown_fields = true;
        s.unknown_enums = true;
    });
    let odd = json(&sim, &path).await;
    assert!(odd["futureField"].is_object() && odd["version"]["futureField"].is_object());
    assert_eq!(
        (&odd["parentType"], &odd["subtype"]),
        (&json!("constellation"), &json!("hologram"))
    );
    assert_eq!(
        each(&json(&sim, "/wiki/api/v2/spaces").await, "results", "type"),
        ["starship"]
    );
    sim.switches(|s| {
        s.null_parents = true;
        s.missing_body = true;
    });
    let odd = json(&sim, &path).await;
    assert!(odd["parentId"].is_null() && odd.get("body").is_none());
    sim.site()
        .override_json(page, json!({"version": null, "parentType": 7}));
    let odd = json(&sim, &path).await;
    assert_eq!(
        (&odd["version"], &odd["parentType"]),
        (&Value::Null, &json!(7))
    );
    sim.switches(|s| s.sees_nothing = true);
    for path in [
        "/wiki/api/v2/pages",
        "/wiki/api/v2/spaces",
        "/wiki/rest/api/content/search?cql=type=page",
    ] {
        assert_eq!(json(&sim, path).await["results"], json!([]), "{path}");
    }
}

#[actix_rt::test]
async fn life_cycle_variants() {
    let sim = confluence(site()).await;
    let site = sim.site();
    let family = |n: u32| {
        let home = site.homepage("ENG");
        let parent = site.create_page("ENG", Some(home), &format!("Parent {n}"), "<p>p</p>");
        (
            home,
            parent,
            site.create_page("ENG", Some(parent), &format!("Child {n}"), "<p>c</p>"),
        )
    };
    let cases = [
        (Orphans::Archived, Status::Archived, false, false),
        (Orphans::MoveUp, Status::Current, true, false),
        (Orphans::Trashed, Status::Trashed, false, true),
        (Orphans::Stay, Status::Current, false, true),
    ];
    for (n, (orphans, status, moved_up, stays)) in cases.into_iter().enumerate() {
        let (home, parent, child) = family(n as u32);
        sim.switches(|s| s.orphans = orphans);
        site.trash(parent);
        let child = site.true_page(child).unwrap();
        assert_eq!(child.status, status, "{orphans:?}");
        assert_eq!(
            (child.parent == Some(home), child.parent == Some(parent)),
            (moved_up, stays),
            "{orphans:?}"
        );
    }
    let (_, parent, child) = family(9);
    let before = site.true_page(child).unwrap();
    site.move_under(child, None);
    assert_eq!(site.true_page(child).unwrap().version, before.version);
    sim.switches(|s| {
        s.moves_bump_version = true;
        s.status_changes_bump_version = true;
    });
    site.move_under(child, Some(parent));
    site.archive(child);
    assert_eq!(site.true_page(child).unwrap().version, before.version + 2);
}

#[actix_rt::test]
async fn wrong_credentials_get_what_the_switch_says() {
    let sim = confluence(site()).await;
    let ask = async |path: &str| {
        let request = client()
            .get(format!("{}{path}", sim.base_url()))
            .basic_auth("bot@example.com", Some("no"));
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    };
    let (v2, v1) = ("/wiki/api/v2/spaces", "/wiki/rest/api/user/current");
    for (kind, of_v2, of_v1) in [
        (BadCredentials::ForbiddenAndNotFound, 404, 403),
        (BadCredentials::Unauthorized, 401, 401),
        (BadCredentials::HtmlUnauthorized, 401, 401),
        (BadCredentials::Anonymous, 200, 200),
    ] {
        sim.switches(|s| s.bad_credentials = kind);
        let (answers, user) = (ask(v2).await, ask(v1).await);
        assert_eq!((answers.0, user.0), (of_v2, of_v1), "{kind:?}");
        match kind {
            BadCredentials::HtmlUnauthorized => {
                assert!(user.1.contains("Basic Authentication Failure"))
            }
            BadCredentials::Anonymous => {
                assert!(answers.1.contains("\"results\":[]") && user.1.contains("\"anonymous\""));
            }
            _ => {}
        }
    }
}

#[actix_rt::test]
async fn search_switches() {
    let site = site();
    let home = site.homepage("ENG");
    let draft = site.by("somebody").create_draft("ENG", Some(home), "Draft");
    let below = site.create_page("ENG", Some(draft), "Below the draft", "<p>x</p>");
    let sim = confluence(site).await;
    let cql = "/wiki/rest/api/content/search?cql=type%3Dpage&expand=version&limit=250";
    sim.switches(|s| s.cql_cap = 4);
    let page = json(&sim, cql).await;
    assert_eq!(
        (page["size"].as_u64(), page["limit"].as_u64()),
        (Some(4), Some(4))
    );
    sim.switches(|s| {
        s.cql_cap = 200;
        s.cql_empty_last_page = true;
    });
    let last = json(&sim, cql).await;
    let next = format!("/wiki{}", last["_links"]["next"].as_str().unwrap());
    let empty = json(&sim, &next).await;
    assert!(empty["results"] == json!([]) && empty["_links"]["next"].is_string());
    // Reaching for the restrictions of an ancestor that cannot be read fails the whole batch.
    sim.switches(|s| s.cql_empty_last_page = false);
    let deep =
        format!("/wiki/rest/api/content/search?cql=id={below}&expand=ancestors.restrictions.read");
    assert_eq!(status_of(&sim, &deep).await, 404);
    let plain = json(
        &sim,
        &format!("/wiki/rest/api/content/search?cql=id={below}&expand=ancestors"),
    )
    .await;
    assert_eq!(
        each(&plain["results"][0], "ancestors", "title"),
        ["Engineering Home"]
    );
    // A literal is read in the site's zone.
    let clock = Clock::manual(Utc.with_ymd_and_hms(2026, 11, 1, 9, 30, 0).unwrap());
    let site = Site::with_clock(clock.clone());
    site.add_space("A", "A");
    let sim = confluence(site).await;
    let since =
        "/wiki/rest/api/content/search?cql=lastmodified%20%3E%3D%20%222026%2F11%2F01%2009%3A30%22";
    assert_eq!(json(&sim, since).await["size"], 1);
    sim.switches(|s| s.cql_zone_minutes = -60);
    assert_eq!(json(&sim, since).await["size"], 0);
    // An archived space is out of search, its pages stay readable.
    sim.site().archive_space("A");
    let all = "cql=type%3Dpage";
    assert_eq!(
        json(&sim, &format!("/wiki/rest/api/search?{all}")).await["totalSize"],
        0
    );
    assert_eq!(
        json(
            &sim,
            &format!("/wiki/rest/api/search?{all}&includeArchivedSpaces=true")
        )
        .await["totalSize"],
        1
    );
    assert_eq!(
        status_of(
            &sim,
            &format!("/wiki/api/v2/pages/{}", sim.site().homepage("A"))
        )
        .await,
        200
    );
}

#[actix_rt::test]
async fn lists_that_lead_on_otherwise_and_leave_out() {
    let site = site();
    site.alias_space("ENG", "TEAM");
    let sim = confluence(site).await;
    let newest = "/wiki/api/v2/pages?limit=3&sort=-modified-date";
    let ids = |list: &Value| {
        let rows = list["results"].as_array().unwrap();
        let ids = rows
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let usual = json(&sim, newest).await;
    assert!(
        usual["_links"]["next"]
            .as_str()
            .unwrap()
            .contains("cursor=")
    );
    sim.switches(|s| {
        s.next_links = NextLinks::Offset;
        s.sort_is_ignored = true;
    });
    let odd = json(&sim, newest).await;
    let next = odd["_links"]["next"].as_str().unwrap();
    assert!(
        next.contains("?start=3&") && !next.contains("cursor"),
        "{next}"
    );
    assert_ne!(ids(&odd), ids(&usual));
    sim.switches(|s| s.next_links = NextLinks::HeaderOnly);
    let answer = get(&sim, newest).send().await.unwrap();
    assert!(header(&answer, "link").unwrap().contains("cursor="));
    let body: Value = answer.json().await.unwrap();
    assert!(body["_links"]["next"].is_null());
    sim.switches(|s| s.ids_answered = 2);
    let these: Vec<_> = ids(&usual).iter().map(|id| format!("id={id}")).collect();
    let list = json(&sim, &format!("/wiki/api/v2/pages?{}", these.join("&"))).await;
    assert_eq!(ids(&list).len(), 2);

    let by = async |key: &str| {
        let path = format!("/wiki/rest/api/content/search?cql=space%3D{key}%20and%20type%3Dpage");
        json(&sim, &path).await["size"].as_u64().unwrap()
    };
    for (known, found) in [
        (CqlSpaceKeys::First, [10, 0]),
        (CqlSpaceKeys::Shown, [0, 10]),
        (CqlSpaceKeys::Both, [10, 10]),
    ] {
        sim.switches(|s| s.cql_space_keys = known);
        assert_eq!([by("ENG").await, by("TEAM").await], found, "{known:?}");
    }
}

#[actix_rt::test]
async fn quotas_and_children() {
    let site = site();
    let home = site.homepage("ENG");
    for child in site.all_for(simulators::confluence::DEFAULT_AUTHOR) {
        if child.kind == Kind::Page {
            site.set_position(child.id, None);
        }
    }
    let clock = Clock::manual(Utc.with_ymd_and_hms(2026, 11, 1, 9, 30, 0).unwrap());
    let sim = confluence(site).await;
    let path = format!("/wiki/api/v2/pages/{home}/direct-children?limit=4");
    let first = json(&sim, &path).await;
    let second = json(&sim, first["_links"]["next"].as_str().unwrap()).await;
    assert_eq!(
        second["results"],
        json!([]),
        "the default order breaks where positions are null"
    );
    let first = json(&sim, &format!("{path}&sort=id")).await;
    let second = json(&sim, first["_links"]["next"].as_str().unwrap()).await;
    assert_eq!(second["results"].as_array().unwrap().len(), 4);

    let site = Site::with_clock(clock.clone());
    site.add_space("A", "A");
    let sim = confluence(site).await;
    sim.switches(|s| {
        s.points_per_hour = Some(3);
        s.quota_is_beta = true;
    });
    let announced = get(&sim, "/wiki/api/v2/pages").send().await.unwrap();
    assert!(
        header(&announced, "beta-ratelimit-policy").is_some()
            && header(&announced, "ratelimit-policy").is_none()
    );
    assert_eq!(
        (
            status_of(&sim, "/wiki/api/v2/pages").await,
            status_of(&sim, "/wiki/api/v2/pages").await
        ),
        (200, 200)
    );
    sim.switches(|s| s.quota_is_beta = false);
    let refused = get(&sim, "/wiki/api/v2/pages").send().await.unwrap();
    assert_eq!(
        (
            refused.status().as_u16(),
            header(&refused, "retry-after").as_deref()
        ),
        (429, Some("1800"))
    );
    assert_eq!(
        header(&refused, "x-ratelimit-reset").as_deref(),
        Some("2026-11-01T10:00Z")
    );
    clock.advance(Duration::from_secs(1801));
    assert_eq!(status_of(&sim, "/wiki/api/v2/pages").await, 200);
}

#[actix_rt::test]
async fn permission_checks_ask_about_everything() {
    let site = site();
    site.add_user("ada", "Ada", "");
    let page = site.find("ENG", "Page 1").unwrap();
    let sim = ConfluenceSim::builder()
        .site(site)
        .account(Account::classic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN).admin())
        .start()
        .await
        .unwrap();
    let ask = async |who: &str| {
        let url = format!(
            "{}/wiki/rest/api/content/{page}/permission/check",
            sim.base_url()
        );
        let body = json!({"subject": {"type": "user", "identifier": who}, "operation": "read"});
        let request = client()
            .post(url)
            .basic_auth(ConfluenceSim::EMAIL, Some(ConfluenceSim::TOKEN))
            .json(&body);
        request.send().await.unwrap().json::<Value>().await.unwrap()["hasPermission"].clone()
    };
    assert_eq!(ask("ada").await, true);
    sim.site()
        .restrict_to_user(sim.site().homepage("ENG"), &sim.account_id());
    assert_eq!(ask("ada").await, false, "an ancestor's restriction counts");
    assert_eq!(ask(&sim.account_id()).await, true);
    sim.site().close_user("ada");
    sim.site().unrestrict(sim.site().homepage("ENG"));
    assert_eq!(ask("ada").await, false, "a closed account may nothing");
}

/// Turns a switch.
type Change = fn(&mut simulators::llamacloud::Switches);

async fn pipeline(sim: &LlamaCloudSim) -> String {
    let made = llama_json(sim, "PUT", "/api/v1/pipelines", Some(json!({"name": "p"}))).await;
    format!("/api/v1/pipelines/{}", made["id"].as_str().unwrap())
}

#[actix_rt::test]
async fn llamacloud_switches() {
    let sim = llama().await;
    let base = pipeline(&sim).await;
    let documents = format!("{base}/documents");
    let batch = |n: usize| {
        let one =
            |i: usize| json!({"id": format!("d{i}"), "text": "words ".repeat(50), "metadata": {}});
        Some(Value::Array((0..n).map(one).collect()))
    };
    let status = async |method: &str, path: &str, body: Option<Value>| {
        llama_call(&sim, method, path, body).await.status().as_u16()
    };
    sim.switches(|s| s.max_documents = Some(2));
    assert_eq!(status("PUT", &documents, batch(3)).await, 413);
    sim.switches(|s| s.max_body_bytes = Some(500));
    assert_eq!(status("PUT", &documents, batch(2)).await, 413);
    sim.switches(|s| s.max_body_bytes = None);
    sim.switches(|s| {
        s.stuck_documents.insert("~d1".into());
        s.needs_sync = true;
    });
    assert_eq!(status("PUT", &documents, batch(2)).await, 200);
    let states = || {
        sim.documents("p")
            .iter()
            .map(|d| d.status)
            .collect::<Vec<_>>()
    };
    assert_eq!(states(), [IngestionStatus::NotStarted; 2]);
    llama_json(&sim, "POST", &format!("{base}/sync"), None).await;
    assert_eq!(
        states(),
        [IngestionStatus::Success, IngestionStatus::InProgress]
    );
    llama_json(&sim, "POST", &format!("{base}/sync/cancel"), None).await;
    assert_eq!(
        states(),
        [IngestionStatus::Success, IngestionStatus::NotStarted]
    );
    sim.switches(|s| {
        s.unknown_enums = true;
        s.unknown_fields = true;
    });
    let odd = llama_json(&sim, "GET", &base, None).await;
    assert_eq!(
        (&odd["pipeline_type"], odd["future_field"].is_object()),
        (&json!("HYPERMANAGED"), true)
    );
    assert_eq!(
        llama_json(&sim, "GET", &format!("{documents}/d1/status"), None).await["status"],
        "QUEUED"
    );
    let refusals: [(u16, Change); 6] = [
        (404, |s| s.v1 = Serving::Absent),
        (403, |s| s.v1 = Serving::Refused),
        (402, |s| s.out_of_credits = true),
        (401, |s| s.wrong_region = true),
        (401, |s| s.key_expires_after = Some(0)),
        (429, |s| {
            s.rate_limit = Some(RateLimit {
                burst: 0,
                retry_after: RetryAfter::Zero,
                ..RateLimit::per_second(0.0)
            })
        }),
    ];
    for (expected, change) in refusals {
        sim.switches(|s| *s = Default::default());
        sim.switches(change);
        let mut last = 0;
        for _ in 0..2 {
            last = status("GET", &base, None).await;
        }
        assert_eq!(last, expected);
    }
}

#[actix_rt::test]
async fn llamacloud_index_switches() {
    let clock = Clock::manual(Utc.with_ymd_and_hms(2026, 11, 1, 9, 0, 0).unwrap());
    let sim = LlamaCloudSim::builder()
        .clock(clock.clone())
        .start()
        .await
        .unwrap();
    sim.switches(|s| {
        s.duplicate_unique_id = DuplicateId::SecondEntry;
        s.parser_page_bytes = Some(5);
    });
    let directory = llama_json(
        &sim,
        "POST",
        "/api/v1/beta/directories",
        Some(json!({"name": "d"})),
    )
    .await;
    let directory = directory["id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let form = Form::new()
            .part("upload_file", Part::text("0123456789").file_name("a.md"))
            .text("unique_id", "a");
        let url = format!(
            "{}/api/v1/beta/directories/{directory}/files/upload",
            sim.base_url()
        );
        let sent = client()
            .post(url)
            .bearer_auth(LlamaCloudSim::KEY)
            .multipart(form)
            .send()
            .await
            .unwrap();
        assert_eq!(sent.status(), 201);
    }
    assert_eq!(sim.directory_files("d").len(), 2);
    let index = llama_json(
        &sim,
        "POST",
        "/api/v1/indexes",
        Some(json!({"source_directory_id": directory})),
    )
    .await;
    let path = format!("/api/v1/indexes/{}", index["id"].as_str().unwrap());
    assert_eq!(
        sim.indexed_files("d")
            .iter()
            .map(|f| f.text.as_str())
            .collect::<Vec<_>>(),
        ["01234", "01234"]
    );
    // The old "ready" is still read right after a sync was asked for, and a second sync is refused.
    sim.switches(|s| {
        s.index_sync_takes = Duration::from_secs(30);
        s.stale_ready_for = Duration::from_secs(5);
        s.sync_running_status = 429;
        s.index_sync_fails = true;
    });
    llama_json(&sim, "POST", &format!("{path}/sync"), None).await;
    let state = async || {
        llama_json(&sim, "GET", &path, None).await["metadata"]["status"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(state().await, "ready");
    assert_eq!(
        llama_call(&sim, "POST", &format!("{path}/sync"), None)
            .await
            .status(),
        429
    );
    clock.advance(Duration::from_secs(10));
    assert_eq!(state().await, "syncing");
    clock.advance(Duration::from_secs(30));
    let failed = llama_json(&sim, "GET", &path, None).await;
    assert_eq!(
        (
            &failed["metadata"]["status"],
            failed["metadata"]["error_message"].is_string()
        ),
        (&json!("failed"), true)
    );
    assert_eq!(
        llama_call(&sim, "POST", &format!("{path}/sync/cancel"), None)
            .await
            .status(),
        409
    );
    for (serving, reading, syncing) in [
        (Serving::ReadOnly, 200, 403),
        (Serving::Refused, 403, 403),
        (Serving::Absent, 404, 404),
    ] {
        sim.switches(|s| s.v2 = serving);
        let read = llama_call(&sim, "GET", &path, None).await;
        let sync = llama_call(&sim, "POST", &format!("{path}/sync"), None).await;
        assert_eq!(
            (read.status().as_u16(), sync.status().as_u16()),
            (reading, syncing),
            "{serving:?}"
        );
    }
    assert_eq!(
        llama_call(&sim, "GET", "/api/v1/pipelines", None)
            .await
            .status(),
        200
    );
}
