//! LlamaCloud on a small plan, and LlamaCloud that is down, as the program meets them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulators::llamacloud::LlamaCloudSim;
use simulators::{Fault, LoggedRequest, Matcher, RateLimit, RetryAfter};

use crate::mcp_support::Client;
use crate::support::{Service, id, site, start_program};

const KEY: &str = "administrator-key";
/// What a plan counts as a minute here, and what the program is told that it is. All waits that follow from it are as much shorter.
const MINUTE: Duration = Duration::from_millis(600);
/// No run takes longer, on a busy machine either.
const LONGEST: Duration = Duration::from_secs(180);
async fn service(store: &LlamaCloudSim, pages: usize, api: &str) -> Service {
    let minute = MINUTE.as_millis().to_string();
    let settings = [
        ("API_KEY", KEY),
        ("LLAMA_CLOUD_API_KEY", LlamaCloudSim::KEY),
        ("LLAMA_CLOUD_BASE_URL", store.base_url()),
        ("LLAMA_CLOUD_INDEX_API", api),
        // Sixty times as fast as a plan by the minute would need it.
        ("LLAMA_CLOUD_MAX_REQUESTS_PER_SECOND", "1000"),
        ("MCP_CONFLUENCE_MINUTE", &minute),
    ];
    start_program(site(pages), &settings).await
}

async fn asked(service: &Service) -> (u16, Value) {
    let question = json!({"query": "which host is a zebra?", "top_k": 3});
    let path = "/api/indexes/agent/small/query";
    let (status, answer) = service.post(path, question).await;
    (status.as_u16(), answer)
}

#[actix_web::test]
async fn a_small_plan_is_learned_uploads_wait_and_every_question_is_answered() {
    let plan = RateLimit {
        per_second: 20.0 / MINUTE.as_secs_f64(),
        burst: 20,
        shared: true,
        retry_after: RetryAfter::Missing,
    };
    let begin = |store: &LlamaCloudSim| store.switches(|s| s.rate_limit = Some(plan));
    let (requests, refused) = synced_while_asked("v2", begin).await;
    let uploads = requests
        .iter()
        .filter(|request| request.template.ends_with("/files/upload") && request.status != 429);
    assert_eq!(uploads.count(), 300);
    assert!(refused > 0, "the plan was none");
    let needed = requests.len() - refused;
    assert!(
        requests.len() * 10 <= needed * 11,
        "{refused} refused beside {needed}"
    );
}

/// Pipelines take 50 documents a request: of a plan that is small they see few refusals, which come in a row.
#[actix_web::test]
async fn pipelines_on_a_small_plan_are_filled_without_a_failed_run() {
    let refusals = |store: &LlamaCloudSim| {
        let fault = Fault::RateLimited(RetryAfter::Missing);
        let uploads = Matcher::endpoint("/pipelines/{pipeline_id}/documents").method("PUT");
        store.fail_next(uploads, 8, fault);
    };
    let (requests, refused) = synced_while_asked("v1", refusals).await;
    assert_eq!(refused, 8);
    let uploads = requests.iter().filter(|request| {
        let puts = request.method == "PUT" && request.template.ends_with("/documents");
        puts && request.status != 429
    });
    assert_eq!(uploads.count(), 6);
}

/// Syncs 300 pages while questions are asked, from when the store has `begun` to refuse; answers the requests that came to it, and how
/// many of them it refused.
async fn synced_while_asked(
    api: &str,
    begun: impl FnOnce(&LlamaCloudSim),
) -> (Vec<LoggedRequest>, usize) {
    let store = LlamaCloudSim::builder().start().await.unwrap();
    let service = service(&store, 5, api).await;
    let index = service.synced_index("small", &["OPS"]).await;
    for n in 0..300 {
        let body = format!("<p>Host number {n} is a zebra, too.</p>");
        let title = format!("Other host {n}");
        service.sim.site().create_page("OPS", None, &title, &body);
    }
    store.reset_log();
    begun(&store);
    let path = format!("/api/indexes/{}/sync", id(&index));
    let (status, run) = service.post(&path, json!({})).await;
    assert_eq!(status, 202, "{run}");
    let path = format!("/api/runs/{}", id(&run));
    let (mut questions, mut by_index) = (0, 0);
    let began = Instant::now();
    let run = loop {
        assert!(began.elapsed() < LONGEST, "the run does not end");
        let (status, answer) = asked(&service).await;
        assert_eq!(status, 200, "{answer}");
        assert!(
            !answer["results"].as_array().unwrap().is_empty(),
            "{answer}"
        );
        questions += 1;
        by_index += u32::from(answer["source"] == "index");
        tokio::time::sleep(MINUTE / 4).await;
        let (_, run) = service.get(&path).await;
        if !run["finished_at"].is_null() {
            break run;
        }
    };
    assert_eq!(
        [
            &run["status"],
            &run["counts"]["uploaded"],
            &run["counts"]["failed"]
        ],
        [&json!("succeeded"), &json!(300), &json!(0)],
        "{run}"
    );
    assert!(by_index > 0, "{by_index} of {questions}");
    let requests = store.requests();
    let refused = requests.iter().filter(|r| r.status == 429).count();
    service.stop().await;
    (requests, refused)
}

#[actix_web::test]
async fn a_store_that_is_down_is_not_waited_for_and_with_confluence_down_too_that_is_said_at_once()
{
    let store = LlamaCloudSim::builder().start().await.unwrap();
    let service = service(&store, 5, "v1").await;
    service.synced_index("small", &["OPS"]).await;
    assert_eq!(asked(&service).await.1["source"], "index");
    store.fail_always("*", Fault::Reset);
    store.reset_log();
    // Three questions find out; each of them is answered by Confluence.
    for _ in 0..3 {
        let (status, answer) = asked(&service).await;
        assert_eq!(
            (status, &answer["source"]),
            (200, &json!("live")),
            "{answer}"
        );
    }
    let found_out = store.request_count();
    let begun = Instant::now();
    for _ in 0..20 {
        let (status, answer) = asked(&service).await;
        assert_eq!(
            (status, &answer["source"]),
            (200, &json!("live")),
            "{answer}"
        );
    }
    // A question beside, each 2 s at most, and two tries of each.
    let probes = 2 * (begun.elapsed().as_secs() / 2 + 1);
    let beside = store.request_count() - found_out;
    assert!(beside <= probes, "{beside} requests beside 20 questions");

    let mut client = Client::open(&service.base, "?agent_id=small", KEY).await;
    client.initialize().await;
    let question = json!({"name": "search_confluence", "arguments": {"query": "zebra"}});
    let mut tool = async |number| {
        let begun = Instant::now();
        let answer = client.ask(number, "tools/call", question.clone()).await["result"].clone();
        let text = answer["content"][0]["text"].as_str().unwrap().to_owned();
        (answer["isError"] == true, text, begun.elapsed())
    };
    let (failed, text, _) = tool(1).await;
    assert!(!failed && text.contains("zebra"), "{text}");
    service.sim.fail_always("*", Fault::Reset);
    for number in 2..8 {
        let (failed, text, took) = tool(number).await;
        assert!(failed, "{text}");
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert!(!text.to_lowercase().contains("ask again"), "{text}");
        assert!(number < 5 || text.contains("changes nothing"), "{text}");
    }
    service.stop().await;
}
