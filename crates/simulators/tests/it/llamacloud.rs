//! LlamaCloud: documents from upload to retrieval, and the v2 way round.

use std::time::Duration;

use chrono::{TimeZone, Utc};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use simulators::llamacloud::{IndexIds, IngestionStatus, LlamaCloudSim, NodeMetadata};
use simulators::{Clock, Fault};

use crate::support::{client, llama, llama_call, llama_json};

async fn pipeline(sim: &LlamaCloudSim) -> String {
    let created = llama_json(
        sim,
        "PUT",
        "/api/v1/pipelines",
        Some(json!({"name": "confluence-docs"})),
    )
    .await;
    format!("/api/v1/pipelines/{}", created["id"].as_str().unwrap())
}

fn document(id: &str, text: &str, space: &str) -> Value {
    json!({"id": id, "text": text, "metadata": {"cf_space": space, "cf_version": 3}})
}

#[actix_rt::test]
async fn a_document_is_found_after_upload_and_gone_after_delete() {
    let sim = llama().await;
    let base = pipeline(&sim).await;
    assert_eq!(pipeline(&sim).await, base, "PUT is by name");
    let batch = json!([
        document("p1", "How to drain a Kafka broker", "OPS"),
        document("p2", "Holiday policy", "HR")
    ]);
    llama_json(&sim, "PUT", &format!("{base}/documents"), Some(batch)).await;
    llama_json(&sim, "POST", &format!("{base}/sync"), None).await;
    assert_eq!(
        llama_json(&sim, "GET", &format!("{base}/status"), None).await["status"],
        "SUCCESS"
    );
    let found = llama_json(
        &sim,
        "POST",
        &format!("{base}/retrieve"),
        Some(json!({"query": "draining kafka brokers"})),
    )
    .await;
    let node = &found["retrieval_nodes"][0]["node"];
    assert_eq!(node["extra_info"]["cf_space"], "OPS");
    assert_eq!(node["relationships"]["1"]["node_id"], "p1");
    assert_eq!(found["retrieval_nodes"].as_array().unwrap().len(), 1);
    let filter = json!({"query": "kafka policy", "search_filters": {"filters": [{"key": "cf_space", "value": "HR"}]}});
    let found = llama_json(&sim, "POST", &format!("{base}/retrieve"), Some(filter)).await;
    assert_eq!(
        found["retrieval_nodes"][0]["node"]["relationships"]["1"]["node_id"],
        "p2"
    );
    assert_eq!(
        llama_call(&sim, "DELETE", &format!("{base}/documents/p1"), None)
            .await
            .status(),
        204
    );
    assert_eq!(
        llama_call(&sim, "GET", &format!("{base}/documents/p1"), None)
            .await
            .status(),
        404
    );
    let left: Vec<String> = sim
        .documents("confluence-docs")
        .into_iter()
        .map(|d| d.id)
        .collect();
    assert_eq!(left, ["p2"]);
    let page = llama_json(
        &sim,
        "GET",
        &format!("{base}/documents/paginated?limit=5"),
        None,
    )
    .await;
    assert_eq!(page["total_count"], 1);
}

#[actix_rt::test]
async fn old_chunks_are_served_until_the_job_ends() {
    let clock = Clock::manual(Utc.with_ymd_and_hms(2026, 11, 1, 9, 0, 0).unwrap());
    let sim = LlamaCloudSim::builder()
        .clock(clock.clone())
        .start()
        .await
        .unwrap();
    let base = pipeline(&sim).await;
    let put = |text: &str| {
        let batch = json!([document("p1", text, "OPS")]);
        let (sim, path) = (&sim, format!("{base}/documents"));
        async move { llama_json(sim, "PUT", &path, Some(batch)).await }
    };
    put("old words").await;
    sim.switches(|s| {
        s.not_started_for = Duration::from_secs(5);
        s.ingestion_takes = Duration::from_secs(20);
        s.deletion_takes = Duration::from_secs(10);
    });
    put("new words").await;
    let status = |sim: &LlamaCloudSim| sim.documents("confluence-docs")[0].status;
    assert_eq!(
        (
            status(&sim),
            sim.documents("confluence-docs")[0].chunks[0].as_str()
        ),
        (IngestionStatus::NotStarted, "old words")
    );
    clock.advance(Duration::from_secs(6));
    assert_eq!(status(&sim), IngestionStatus::InProgress);
    let counts = llama_json(
        &sim,
        "GET",
        &format!("{base}/documents/status-counts"),
        None,
    )
    .await;
    assert_eq!(counts["counts"]["IN_PROGRESS"], 1);
    clock.advance(Duration::from_secs(15));
    assert_eq!(
        (
            status(&sim),
            sim.documents("confluence-docs")[0].chunks[0].as_str()
        ),
        (IngestionStatus::Success, "new words")
    );
    llama_call(&sim, "DELETE", &format!("{base}/documents/p1"), None).await;
    let page = format!("{base}/documents/paginated");
    assert_eq!(
        llama_json(&sim, "GET", &page, None).await["total_count"],
        1,
        "deletion is a job"
    );
    clock.advance(Duration::from_secs(11));
    assert_eq!(llama_json(&sim, "GET", &page, None).await["total_count"], 0);
}

#[actix_rt::test]
async fn failures_are_seen_and_forced_again() {
    let sim = llama().await;
    let base = pipeline(&sim).await;
    sim.switches(|s| {
        s.failing_documents.insert("bad".into());
        s.chunkless_documents.insert("hollow".into());
        s.node_metadata = NodeMetadata::Metadata;
    });
    let batch = json!([
        document("bad", "a", "X"),
        document("hollow", "b", "X"),
        document("good", "c word", "X")
    ]);
    llama_json(&sim, "POST", &format!("{base}/documents"), Some(batch)).await;
    let status = llama_json(
        &sim,
        "GET",
        &format!("{base}/status?full_details=true"),
        None,
    )
    .await;
    assert_eq!(
        (
            status["status"].as_str(),
            status["error"][0]["step"].as_str()
        ),
        (Some("PARTIAL_SUCCESS"), Some("INGESTION"))
    );
    assert_eq!(
        llama_json(
            &sim,
            "GET",
            &format!("{base}/documents/hollow/chunks"),
            None
        )
        .await,
        json!([])
    );
    let chunks = llama_json(&sim, "GET", &format!("{base}/documents/good/chunks"), None).await;
    assert_eq!(
        (&chunks[0]["metadata"]["cf_space"], &chunks[0]["extra_info"]),
        (&json!("X"), &Value::Null)
    );
    sim.switches(|s| s.failing_documents.clear());
    assert_eq!(
        llama_call(
            &sim,
            "POST",
            &format!("{base}/documents/force-sync-all"),
            None
        )
        .await
        .status(),
        202
    );
    assert_eq!(
        llama_json(&sim, "GET", &format!("{base}/documents/bad/status"), None).await["status"],
        "SUCCESS"
    );
}

#[actix_rt::test]
async fn bad_requests_get_what_the_service_gives() {
    let sim = llama().await;
    let base = pipeline(&sim).await;
    let unauthorized = client()
        .get(format!("{}/api/v1/projects", sim.base_url()))
        .bearer_auth("llx-other")
        .send()
        .await;
    assert_eq!(unauthorized.unwrap().status(), 401);
    let cases = [
        (
            "POST",
            format!("{base}/documents"),
            json!([{"text": "no metadata"}]),
            422,
        ),
        (
            "POST",
            format!("{base}/documents"),
            json!({"text": "not a list"}),
            422,
        ),
        (
            "POST",
            format!("{base}/retrieve"),
            json!({"query": ""}),
            422,
        ),
        (
            "POST",
            format!("{base}/retrieve"),
            json!({"query": "x", "dense_similarity_top_k": 101}),
            422,
        ),
        (
            "POST",
            format!("{base}/retrieve"),
            json!({"query": "x", "search_filters": {"filters": [{"key": "a", "value": true}]}}),
            422,
        ),
        ("PUT", "/api/v1/pipelines".into(), json!({}), 422),
        (
            "PUT",
            "/api/v1/pipelines".into(),
            json!({"name": "x", "embedding_config": {"type": "OPENAI_EMBEDDING", "component": {"api_key": "bad"}}}),
            400,
        ),
        (
            "POST",
            "/api/v1/pipelines?project_id=".into(),
            json!({"name": "x"}),
            404,
        ),
        (
            "POST",
            "/api/v1/pipelines/8f14e45f-ceea-467f-a9c2-1b3f6d9a0c11/retrieve".into(),
            json!({"query": "x"}),
            404,
        ),
    ];
    for (method, path, body, status) in cases {
        let response = llama_call(&sim, method, &path, Some(body.clone())).await;
        assert_eq!(response.status().as_u16(), status, "{method} {path} {body}");
        assert!(
            response
                .json::<Value>()
                .await
                .unwrap()
                .get("detail")
                .is_some()
        );
    }
    llama_json(
        &sim,
        "PUT",
        &format!("{base}/documents"),
        Some(json!([document("a b", "text", "X")])),
    )
    .await;
    assert_eq!(
        llama_call(&sim, "GET", &format!("{base}/documents/a%20b"), None)
            .await
            .status(),
        404
    );
    assert_eq!(
        llama_call(&sim, "GET", &format!("{base}/documents/a%2520b"), None)
            .await
            .status(),
        200
    );
    sim.fail_next("*", 1, Fault::PaymentRequired);
    assert_eq!(llama_call(&sim, "GET", &base, None).await.status(), 402);
}

#[actix_rt::test]
async fn the_second_generation_goes_by_files_and_one_sync() {
    let clock = Clock::manual(Utc.with_ymd_and_hms(2026, 11, 1, 9, 0, 0).unwrap());
    let sim = LlamaCloudSim::builder()
        .clock(clock.clone())
        .start()
        .await
        .unwrap();
    let directory = llama_json(
        &sim,
        "POST",
        "/api/v1/beta/directories",
        Some(json!({"name": "docs"})),
    )
    .await;
    let directory = directory["id"].as_str().unwrap().to_owned();
    let upload = |unique: &str, text: &str| {
        let form = Form::new()
            .part(
                "upload_file",
                Part::text(text.to_owned()).file_name("page.md"),
            )
            .text("unique_id", unique.to_owned())
            .text(
                "metadata",
                json!({"cf_page_id": unique, "cf_version": 1}).to_string(),
            );
        let url = format!(
            "{}/api/v1/beta/directories/{directory}/files/upload",
            sim.base_url()
        );
        let request = client()
            .post(url)
            .bearer_auth(LlamaCloudSim::KEY)
            .multipart(form);
        async move { request.send().await.unwrap() }
    };
    let first = upload("1@v1", "Draining a Kafka broker").await;
    assert_eq!(first.status(), 201);
    let first: Value = first.json().await.unwrap();
    assert_eq!(upload("1@v1", "again").await.status(), 409);
    sim.switches(|s| s.index_sync_takes = Duration::from_secs(30));
    let index = llama_json(
        &sim,
        "POST",
        "/api/v1/indexes",
        Some(json!({"source_directory_id": directory})),
    )
    .await;
    let (id, export) = (
        index["id"].as_str().unwrap(),
        index["export_config_id"].as_str().unwrap(),
    );
    assert_eq!(
        llama_call(&sim, "POST", &format!("/api/v1/indexes/{id}/sync"), None)
            .await
            .status(),
        409
    );
    clock.advance(Duration::from_secs(31));
    let ready = llama_json(
        &sim,
        "GET",
        &format!("/api/v1/indexes/{id}?expand=sync_in_progress"),
        None,
    )
    .await;
    assert_eq!(
        (&ready["metadata"]["status"], &ready["sync_in_progress"]),
        (&json!("ready"), &json!(false))
    );
    let ask = |by: &str| json!({"index_id": by, "query": "kafka", "custom_filters": {"cf_version": {"operator": "eq", "value": 1}}});
    let found = llama_json(
        &sim,
        "POST",
        "/api/v1/retrieval/retrieve",
        Some(ask(export)),
    )
    .await;
    assert_eq!(found["results"][0]["metadata"]["cf_page_id"], "1@v1");
    assert_ne!(
        found["results"][0]["static_fields"]["parsed_directory_file_id"],
        first["id"]
    );
    sim.switches(|s| s.index_ids = IndexIds::ByOperation);
    assert_eq!(
        llama_call(&sim, "POST", "/api/v1/retrieval/retrieve", Some(ask(id)))
            .await
            .status(),
        404
    );
    // New revision first, then the old one goes; nothing changes for searchers before the sync.
    assert_eq!(
        upload("1@v2", "Draining a Pulsar broker").await.status(),
        201
    );
    let old = format!(
        "/api/v1/beta/directories/{directory}/files/{}",
        first["id"].as_str().unwrap()
    );
    assert_eq!(llama_call(&sim, "DELETE", &old, None).await.status(), 204);
    assert_eq!(sim.indexed_files(id).len(), 1);
    llama_json(&sim, "POST", &format!("/api/v1/indexes/{id}/sync"), None).await;
    clock.advance(Duration::from_secs(31));
    let indexed = sim.indexed_files(id);
    assert_eq!(
        (indexed.len(), indexed[0].text.as_str()),
        (1, "Draining a Pulsar broker")
    );
    let tool = json!({"index_id": export, "file_id": indexed[0].id, "pattern": "(?i)pul.ar"});
    let hits = llama_json(&sim, "POST", "/api/v1/retrieval/files/grep", Some(tool)).await;
    assert_eq!(hits["items"].as_array().unwrap().len(), 1);
}
