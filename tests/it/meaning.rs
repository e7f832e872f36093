//! Answers by meaning, through the program: vectors from a simulated endpoint, which may be down, and a program that may be killed.

use serde_json::{Value, json};
use simulators::Fault;
use simulators::embeddings::EmbeddingsSim;

use crate::support::{Service, id, site, start, start_program, until};

const PATH: &str = "/v1/embeddings";
const KEY: &str = "sk-endpoint-4711";

async fn endpoint() -> EmbeddingsSim {
    EmbeddingsSim::builder().api_key(KEY).start().await.unwrap()
}

fn settings(url: &str) -> [(&str, &str); 3] {
    [
        ("EMBEDDINGS_URL", url),
        ("EMBEDDINGS_API_KEY", KEY),
        ("EMBEDDINGS_MODEL", EmbeddingsSim::MODEL),
    ]
}

/// Waits until every passage has its vector; answers how many.
async fn embedded(service: &Service) -> u64 {
    until("every passage has its vector", async || {
        let (_, metrics) = service.get("/metrics").await;
        let metrics = metrics.as_str()?.to_owned();
        let of = |state: &str| -> Option<u64> {
            let name = format!("mcp_confluence_embedding_passages{{state=\"{state}\"}} ");
            let line = metrics.lines().find_map(|line| line.strip_prefix(&name))?;
            line.parse().ok()
        };
        of("embedded").filter(|count| *count > 0 && of("waiting") == Some(0))
    })
    .await
}

async fn asked(service: &Service, words: &str) -> Value {
    let query = json!({"query": words});
    let (status, answer) = service.post("/api/indexes/agent/mean/query", query).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn first(answer: &Value) -> &str {
    answer["results"][0]["page"]["title"]
        .as_str()
        .unwrap_or("none")
}

#[actix_web::test]
async fn a_paraphrase_is_found_and_without_the_endpoint_words_answer() {
    let sim = endpoint().await;
    let site = site(3);
    site.create_page(
        "ENG",
        None,
        "Annual leave",
        "<p>Everybody has 28 days of leave.</p>",
    );
    let url = sim.url();
    let service = start(site, &settings(&url)).await;
    let index = service.synced_index("mean", &["ENG"]).await;
    let passages = embedded(&service).await;
    assert_eq!(sim.texts().len() as u64, passages, "each once");

    let answer = asked(&service, "vacation").await;
    assert_eq!(first(&answer), "Annual leave", "{answer}");
    assert_eq!(answer["diagnostics"]["meaning"], "used");
    let (_, findings) = service.get("/api/doctor").await;
    let of_endpoint = |findings: &Value| {
        let all = findings["items"].as_array().unwrap();
        all.iter()
            .find(|finding| finding["what"] == "embeddings")
            .unwrap()
            .clone()
    };
    let finding = of_endpoint(&findings);
    let said = finding["said"].as_str().unwrap();
    assert!(
        finding["outcome"] == "ok" && said.contains("answers with sim-embedding in 96 dimensions"),
        "{finding}"
    );
    assert!(
        said.contains(&format!("{passages} of {passages} passages")),
        "{finding}"
    );

    // What a run would have to embed: the new page only.
    let page = "<p>Pay day is the 25th.</p>";
    service.sim.site().create_page("ENG", None, "Payroll", page);
    let path = format!("/api/indexes/{}/sync", id(&index));
    let (_, run) = service.post(&path, json!({"dry_run": true})).await;
    let path = format!("/api/runs/{}", id(&run));
    let plan = until("the dry run is over", async || {
        let (_, run) = service.get(&path).await;
        (!run["finished_at"].is_null()).then(|| run["plan"].clone())
    })
    .await;
    assert_eq!(
        plan["embeddings"],
        json!({"model": EmbeddingsSim::MODEL, "passages": 1, "requests": 1})
    );

    sim.fail_always(PATH, Fault::Reset);
    let answer = asked(&service, "days of leave").await;
    assert_eq!(first(&answer), "Annual leave");
    assert_eq!(answer["diagnostics"]["meaning"], "unavailable");
    let answer = asked(&service, "physician").await;
    assert_eq!(first(&answer), "none");
    let (_, findings) = service.get("/api/doctor").await;
    let finding = of_endpoint(&findings);
    assert_eq!(finding["outcome"], "failed", "{finding}");
    assert!(!findings.to_string().contains("4711"));
    service.stop().await;
}

#[actix_web::test]
async fn a_program_that_is_killed_goes_on_with_the_passages_that_are_left() {
    const PAGES: usize = 400;
    let sim = endpoint().await;
    // Each request takes its time, so that the kill comes amid them.
    sim.switches(|switches| switches.latency = std::time::Duration::from_millis(150));
    let url = sim.url();
    let mut service = start_program(site(PAGES), &settings(&url)).await;
    service.synced_index("mean", &["ENG", "OPS"]).await;
    until("some passages have their vector", async || {
        (sim.texts().len() > 128).then_some(())
    })
    .await;
    let child = &mut service.program.as_mut().unwrap().child;
    child.kill().unwrap();
    child.wait().unwrap();
    let before = sim.texts();
    assert!(before.len() < PAGES, "killed amid them");
    sim.switches(|switches| switches.latency = std::time::Duration::ZERO);
    drop(service.program.take());
    service.start_again(&settings(&url)).await;
    let passages = embedded(&service).await;
    let mut texts = sim.texts();
    let asked_for = texts.len();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len() as u64, passages);
    assert!(
        asked_for - texts.len() <= 128,
        "at most one round was asked for twice: {asked_for} {passages}"
    );
    let answer = asked(&service, "Host 399").await;
    assert_eq!(first(&answer), "Host 399");
    service.stop().await;
}

/// Needs a program with local models and the folder that `crates/local-model/tests/models/fetch.py` makes.
#[cfg(feature = "local-model")]
#[actix_web::test]
async fn a_model_in_a_folder_finds_a_paraphrase() {
    let Some(models) = std::env::var_os("LOCAL_MODELS_DIR") else {
        println!("skipped: LOCAL_MODELS_DIR names no folder of models");
        return;
    };
    let folder = std::path::Path::new(&models).join("minilm");
    let site = site(3);
    site.create_page(
        "ENG",
        None,
        "Annual leave",
        "<p>Everybody has 28 days of leave.</p>",
    );
    let set = [("EMBEDDINGS_MODEL_DIR", folder.to_str().unwrap())];
    let service = start_program(site, &set).await;
    service.synced_index("mean", &["ENG"]).await;
    let passages = embedded(&service).await;
    let answer = asked(&service, "vacation").await;
    assert_eq!(first(&answer), "Annual leave", "{answer}");
    assert_eq!(answer["diagnostics"]["meaning"], "used");
    let (_, findings) = service.get("/api/doctor").await;
    let all = findings["items"].as_array().unwrap();
    let finding = all.iter().find(|one| one["what"] == "embeddings").unwrap();
    let said = finding["said"].as_str().unwrap();
    assert!(
        said.contains("answers in 384 dimensions")
            && said.contains(&format!("{passages} of {passages} passages")),
        "{said}"
    );
    service.stop().await;
}
