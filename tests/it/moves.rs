//! An index moves between stores over real HTTP: from the embedded one into LlamaCloud, from one generation of its API to the
//! other, without a request to Confluence, answering all the while, and over a `kill -9`. A setting that asks for it waits for the word.

use std::process::Stdio;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use simulators::llamacloud::LlamaCloudSim;

use crate::process::{borrowed, program};
use crate::support::{self, Service, id, pairs, site, until};

const PAGES: usize = 120;
/// With the space's home page.
const DOCUMENTS: usize = PAGES + 1;

fn account(llama: &LlamaCloudSim, api: &'static str) -> Vec<(&'static str, String)> {
    vec![
        ("LLAMA_CLOUD_API_KEY", LlamaCloudSim::KEY.to_owned()),
        ("LLAMA_CLOUD_BASE_URL", llama.base_url().to_owned()),
        ("LLAMA_CLOUD_MAX_REQUESTS_PER_SECOND", "1000".to_owned()),
        ("LLAMA_CLOUD_INDEX_API", api.to_owned()),
        ("RETRIEVAL_BACKEND", "local".to_owned()),
    ]
}

fn as_pairs<'a>(account: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    let pairs = account.iter().map(|(name, value)| (*name, value.as_str()));
    pairs.collect()
}

/// Asks until the index lives in `kind`, and asserts that it answers each time.
async fn answers_until_it_lives_in(service: &Service, index: &Value, kind: &str) -> Value {
    let path = format!("/api/indexes/{}", id(index));
    let moved = until("the index has moved", async || {
        let question = json!({"query": "zebra", "top_k": 5});
        let (status, answer) = service.post("/api/indexes/agent/a/query", question).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["results"].as_array().unwrap().len(), 5, "{answer}");
        assert_eq!(answer["source"], "index");
        let (_, index) = service.get(&path).await;
        let there = index["remote"]["kind"] == kind && index["moving"].is_null();
        there.then_some(index)
    })
    .await;
    assert_eq!(service.sim.request_count(), 0, "{:?}", service.sim.counts());
    assert_eq!(moved["document_count"], DOCUMENTS, "{moved}");
    moved
}

#[actix_web::test]
async fn from_store_to_store_without_a_request_to_confluence() {
    let llama = LlamaCloudSim::builder().start().await.unwrap();
    let v1 = account(&llama, "v1");
    let mut service = support::start(site(PAGES), &as_pairs(&v1)).await;
    let index = service.synced_index("a", &["OPS"]).await;
    assert_eq!(index["backend"], "local", "{index}");
    let path = format!("/api/indexes/{}", id(&index));
    service.sim.reset_log();

    let (status, shown) = service.patch(&path, json!({"backend": "llamacloud"})).await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    assert_eq!(
        (&shown["backend"], &shown["moving"]["backend"]),
        (&json!("local"), &json!("llamacloud")),
        "the present store answers until the new one is complete"
    );
    let moved = answers_until_it_lives_in(&service, &index, "pipeline").await;
    assert_eq!(moved["backend"], "llamacloud");
    assert_eq!(llama.documents("confluence-a").len(), DOCUMENTS);
    let (_, runs) = service.get("/api/runs?limit=1").await;
    let run = &runs["items"][0];
    assert_eq!(
        (&run["kind"], &run["requests"]["confluence"]),
        (&json!("move"), &json!(0)),
        "{run}"
    );

    // The other generation, as soon as the settings name it and agree to a rebuild.
    service.sim.reset_log();
    let mut v2 = account(&llama, "v2");
    v2.push(("REBUILD_ON_CHANGE", "yes".to_owned()));
    service.restart(&as_pairs(&v2)).await;
    answers_until_it_lives_in(&service, &index, "directory_index").await;
    until("the old pipeline is removed", async || {
        llama.pipelines().is_empty().then_some(())
    })
    .await;

    let (_, bad) = service
        .post(
            &format!("{path}/sync"),
            json!({"rebuild": true, "full": true}),
        )
        .await;
    assert_eq!(bad["errors"][0]["field"], "rebuild", "{bad}");
    service.stop().await;
}

/// The rebuilds that wait for the administrator's word, as the page shows them.
async fn pending(service: &Service) -> Vec<Value> {
    let (_, health) = service.get("/health").await;
    assert_eq!(health["status"], "ok", "asking degrades nothing: {health}");
    health["pending_rebuilds"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn another_generation_says_what_it_costs_and_waits_for_the_word() {
    let llama = LlamaCloudSim::builder().start().await.unwrap();
    let mut v1 = account(&llama, "v1");
    v1.retain(|(name, _)| *name != "RETRIEVAL_BACKEND");
    let mut service = support::start(site(PAGES), &as_pairs(&v1)).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let other = service.synced_index("b", &["ENG"]).await;
    assert_eq!(index["remote"]["kind"], "pipeline", "{index}");
    assert!(pending(&service).await.is_empty());

    v1.retain(|(name, _)| *name != "LLAMA_CLOUD_INDEX_API");
    let v2 = [v1, vec![("LLAMA_CLOUD_INDEX_API", "v2".to_owned())]].concat();
    service.restart(&as_pairs(&v2)).await;
    service.sim.reset_log();
    let asked = pending(&service).await;
    assert_eq!(asked.len(), 2, "{asked:?}");
    let of_a = asked.iter().find(|one| one["index_id"] == index["id"]);
    let of_a = of_a.unwrap();
    // 121 documents, 50 a batch, at the price of the built-in table.
    let (credits, requests) = (of_a["cost"]["credits"].as_f64().unwrap(), 3);
    assert_eq!(
        json!([
            of_a["setting"],
            of_a["present"],
            of_a["wanted"],
            of_a["documents"],
            of_a["store_requests"]
        ]),
        json!(["LLAMA_CLOUD_INDEX_API", "v1", "v2", DOCUMENTS, requests]),
        "{of_a}"
    );
    assert!(credits >= DOCUMENTS as f64, "{of_a}");
    let said = format!("{}; {}", of_a["said"], of_a["remedy"]);
    for told in [
        "121 documents",
        &credits.to_string(),
        "sync --rebuild --agent a",
        "REBUILD_ON_CHANGE=yes",
        "LLAMA_CLOUD_INDEX_API=v1",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let (_, checks) = service.get("/api/doctor").await;
    let told = checks["items"].as_array().unwrap().iter();
    let told = told.filter(|item| item["outcome"] == "warning" && item["what"] == "index of a");
    assert_eq!(told.count(), 1, "{checks}");

    // It goes on where it is: answers, and takes what is new.
    service
        .sim
        .site()
        .create_page("OPS", None, "Host new", "<p>A zebra too.</p>");
    let run = service.swept(&index).await;
    assert_eq!(
        (&run["status"], &run["counts"]["uploaded"]),
        (&json!("succeeded"), &json!(1)),
        "{run}"
    );
    let (_, shown) = service.get(&format!("/api/indexes/{}", id(&index))).await;
    assert_eq!(
        (&shown["remote"], &shown["moving"]),
        (&index["remote"], &Value::Null)
    );
    let sent = llama.documents("confluence-a").len();
    assert_eq!(sent, DOCUMENTS + 1, "in the object that it has");

    // One index agrees, the other waits.
    service.sim.reset_log();
    let path = format!("/api/indexes/{}/sync", id(&index));
    let (status, run) = service.post(&path, json!({"rebuild": true})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{run}");
    until("the index has moved", async || {
        let (_, shown) = service.get(&format!("/api/indexes/{}", id(&index))).await;
        (shown["remote"]["kind"] == "directory_index" && shown["moving"].is_null()).then_some(())
    })
    .await;
    assert_eq!(service.sim.request_count(), 0, "{:?}", service.sim.counts());
    let asked = pending(&service).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0]["index_id"], other["id"], "{asked:?}");
    service.stop().await;
}

#[actix_web::test]
async fn another_language_waits_for_the_word_and_is_followed_index_by_index() {
    let mut service = support::start(site(2), &[("SEARCH_LANGUAGE", "none")]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let other = service.synced_index("b", &["OPS"]).await;
    let found = async |service: &Service, agent: &str| {
        let question = json!({"query": "numbering", "top_k": 5});
        let path = format!("/api/indexes/agent/{agent}/query");
        let (status, answer) = service.post(&path, question).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["results"].as_array().unwrap().len()
    };
    assert_eq!(
        (found(&service, "a").await, found(&service, "b").await),
        (0, 0)
    );

    let english = [("SEARCH_LANGUAGE", "english")];
    service.restart(&english).await;
    let asked = pending(&service).await;
    assert_eq!(asked.len(), 2, "{asked:?}");
    for one in &asked {
        assert_eq!(
            json!([
                one["setting"],
                one["present"],
                one["wanted"],
                one["documents"],
                one["store_requests"],
                one["cost"]
            ]),
            json!(["SEARCH_LANGUAGE", "none", "english", 3, 0, null]),
            "{one}"
        );
    }
    assert_eq!(
        (found(&service, "a").await, found(&service, "b").await),
        (0, 0)
    );

    let path = format!("/api/indexes/{}/sync", id(&index));
    let (status, run) = service.post(&path, json!({"rebuild": true})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{run}");
    until("it is found by the stem", async || {
        (found(&service, "a").await == 2).then_some(())
    })
    .await;
    assert_eq!(found(&service, "b").await, 0);
    until("the move is over", async || {
        let (_, shown) = service.get(&format!("/api/indexes/{}", id(&index))).await;
        shown["moving"].is_null().then_some(())
    })
    .await;
    let asked = pending(&service).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0]["index_id"], other["id"], "{asked:?}");

    // Agreed to for all.
    let yes = [english[0], ("REBUILD_ON_CHANGE", "yes")];
    service.restart(&yes).await;
    until("it is found by the stem", async || {
        (found(&service, "b").await == 2).then_some(())
    })
    .await;
    assert_eq!(found(&service, "a").await, 2);
    assert!(pending(&service).await.is_empty());
    service.stop().await;
}

#[actix_web::test]
async fn a_kill_in_the_middle_of_a_move_loses_nothing() {
    let llama = LlamaCloudSim::builder().start().await.unwrap();
    let account = account(&llama, "v1");
    let service = support::start(site(PAGES), &as_pairs(&account)).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let Service {
        app,
        sim,
        folder,
        http,
        ..
    } = service;
    app.unwrap().stop().await;
    sim.reset_log();
    // Slow enough to be met in the middle.
    llama.switches(|switches| switches.ingestion_takes = Duration::from_secs(3));

    let settings: Vec<_> = pairs(&sim, &folder, &as_pairs(&account))
        .into_iter()
        .collect();
    let path = format!("/api/indexes/{}", id(&index));
    let database: String = folder.url();
    let address = async || {
        until("the service says where it is", async || {
            let holder = test_database::holder(&database)?;
            let holder: Value = serde_json::from_str(&holder).ok()?;
            let address = holder["address"].as_str().map(str::to_owned)?;
            http.get(format!("{address}/health/live"))
                .send()
                .await
                .ok()?;
            Some(address)
        })
        .await
    };
    let mut child = program(&folder, &[], &borrowed(&settings))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let base = address().await;
    let patched = http
        .patch(format!("{base}{path}"))
        .json(&json!({"backend": "llamacloud"}))
        .send();
    assert_eq!(patched.await.unwrap().status(), StatusCode::OK);
    until("the new store holds something", async || {
        let there = !llama.pipelines().is_empty() && !llama.documents("confluence-a").is_empty();
        there.then_some(())
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();

    let mut child = program(&folder, &[], &borrowed(&settings))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let base = address().await;
    let moved = until("the move is complete", async || {
        let shown = http.get(format!("{base}{path}")).send().await.ok()?;
        let shown: Value = shown.json().await.unwrap();
        (shown["remote"]["kind"] == "pipeline").then_some(shown)
    })
    .await;
    assert_eq!(
        (&moved["document_count"], &moved["moving"]),
        (&json!(DOCUMENTS), &Value::Null),
        "{moved}"
    );
    let runs = http
        .get(format!("{base}/api/runs?limit=5"))
        .send()
        .await
        .unwrap();
    let runs: Value = runs.json().await.unwrap();
    let moves: Vec<&Value> = runs["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|run| run["kind"] == "move")
        .collect();
    assert!(moves.len() >= 2, "interrupted, and gone on with: {runs}");
    assert!(
        moves.iter().all(|run| run["requests"]["confluence"] == 0),
        "{runs}"
    );
    let documents = llama.documents("confluence-a");
    assert_eq!(documents.len(), DOCUMENTS, "each page once");
    let sent: usize = llama
        .requests()
        .iter()
        .filter(|r| r.method == "PUT" && r.path.ends_with("/documents"))
        .count();
    assert!(sent <= 2 * DOCUMENTS.div_ceil(50) + 2, "{sent} batches");
    child.kill().unwrap();
    child.wait().unwrap();
}
