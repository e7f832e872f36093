//! The main job, end to end: 600 pages of three spaces into a LlamaCloud pipeline, over real HTTP on both sides.
//!
//! What it holds: each page once, with its metadata and its text; few requests; a second run that uploads nothing; and no
//! request that the official documents do not allow.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::StatusCode;
use serde_json::{Value, json};
use simulators::confluence::{ConfluenceSim, Site};
use simulators::llamacloud::LlamaCloudSim;
use simulators::spec_check::Specs;

use crate::support::{self, Service, id};

const PER_SPACE: usize = 200;
const PIPELINE: &str = "confluence-handbook";

/// Three spaces of 200 pages each (home page included), two levels deep, every third page labelled, one restricted.
fn site() -> Site {
    let site = Site::new();
    for (key, name) in [
        ("ENG", "Engineering"),
        ("OPS", "Operations"),
        ("~712020abc", "Ana's space"),
    ] {
        site.add_space(key, name);
        let home = site.homepage(key);
        let mut parent = home;
        for n in 1..PER_SPACE {
            let body = format!(
                "<h2>About {key} {n}</h2><p>Page <strong>{n}</strong> of {name} &amp; friends.</p>\
                 <ac:structured-macro ac:name=\"code\"><ac:parameter ac:name=\"language\">sh</ac:parameter>\
                 <ac:plain-text-body><![CDATA[make page-{n}]]></ac:plain-text-body></ac:structured-macro>"
            );
            let page = site.create_page(key, Some(parent), &format!("{key} page {n}"), &body);
            if n % 3 == 0 {
                site.label(page, "third");
            }
            parent = if n % 10 == 0 {
                home
            } else if n % 10 == 1 {
                page
            } else {
                parent
            };
        }
    }
    site
}

struct Worlds {
    service: Service,
    llama: LlamaCloudSim,
}

async fn start() -> Worlds {
    let llama = LlamaCloudSim::builder().start().await.unwrap();
    let base = llama.base_url().to_owned();
    let service = support::start(
        site(),
        &[
            ("LLAMA_CLOUD_API_KEY", LlamaCloudSim::KEY),
            ("LLAMA_CLOUD_BASE_URL", &base),
            ("LLAMA_CLOUD_MAX_REQUESTS_PER_SECOND", "1000"),
        ],
    )
    .await;
    Worlds { service, llama }
}

async fn create(service: &Service) -> Value {
    let body = json!({
        "name": "Handbook",
        "agent_id": "handbook",
        "confluence_spaces": ["ENG", "OPS", "~712020abc"],
    });
    let (status, index) = service.post("/api/indexes/", body).await;
    assert_eq!(status, StatusCode::CREATED, "{index}");
    index
}

/// Asserts that the pipeline holds the truth of the site: each page once, newest version, metadata, text.
fn assert_pipeline_is_true(sim: &ConfluenceSim, llama: &LlamaCloudSim, index: &Value) {
    let documents = llama.documents(PIPELINE);
    let ids: BTreeSet<String> = documents
        .iter()
        .map(|document| document.id.clone())
        .collect();
    assert_eq!(ids.len(), documents.len(), "each page once");
    let truth: BTreeMap<String, _> = sim
        .truth()
        .into_iter()
        .filter(|page| !page.restricted)
        .map(|page| (format!("confluence-page-{}", page.id), page))
        .collect();
    assert_eq!(
        ids,
        truth.keys().cloned().collect(),
        "exactly the pages of the scope"
    );
    for document in &documents {
        let (page, metadata) = (&truth[&document.id], &document.metadata);
        assert_eq!(metadata["cf_index"], index["id"]);
        assert_eq!(metadata["cf_page_id"], page.id.to_string());
        assert_eq!(metadata["cf_kind"], "page");
        assert_eq!(metadata["cf_title"], page.title);
        assert_eq!(metadata["cf_space"], page.space_key);
        assert_eq!(metadata["cf_version"], page.version);
        assert!(
            metadata["cf_updated"].is_i64()
                && metadata["cf_url"].as_str().unwrap().starts_with("http")
        );
        assert!(
            metadata["cf_space_name"].is_string()
                && metadata["cf_hash"].as_str().unwrap().len() == 64
        );
        let labels = if page.labels.is_empty() {
            String::new()
        } else {
            format!(
                "|{}|",
                page.labels.iter().cloned().collect::<Vec<_>>().join("|")
            )
        };
        assert_eq!(metadata["cf_labels"], labels);
        assert!(
            metadata["cf_breadcrumb"]
                .as_str()
                .unwrap()
                .starts_with(metadata["cf_space_name"].as_str().unwrap())
        );
        assert!(
            document.text.starts_with(&format!("# {}\n", page.title)),
            "{}",
            document.text
        );
        assert!(
            !document.text.contains("ac:") && !document.text.contains("CDATA"),
            "{}",
            document.text
        );
    }
}

#[actix_web::test]
async fn six_hundred_pages_enter_once_with_few_requests() {
    let Worlds { service, llama } = start().await;
    service.sim.reset_log();
    let index = create(&service).await;
    let first = service.over(&index).await;
    assert_eq!(first["status"], "succeeded", "{first}");
    assert_eq!(first["counts"]["searchable"], 3 * PER_SPACE, "{first}");
    let requests = service.sim.request_count();
    assert!(
        requests <= 25,
        "the first run made {requests} Confluence requests: {:?}",
        service.sim.counts()
    );
    assert_pipeline_is_true(&service.sim, &llama, &index);
    let page = llama
        .documents(PIPELINE)
        .into_iter()
        .find(|d| d.metadata["cf_title"] == "OPS page 7")
        .unwrap();
    assert!(
        page.text.contains(
            "## About OPS 7\n\nPage **7** of Operations & friends.\n\n```sh\nmake page-7\n```"
        ),
        "{}",
        page.text
    );

    // A second run by hand: a sweep that finds nothing to do.
    service.sim.reset_log();
    llama.reset_log();
    let (status, run) = service
        .post("/api/indexes/agent/handbook/sync", json!({}))
        .await;
    assert_eq!(status, StatusCode::ACCEPTED, "{run}");
    let second = support::until("the second run is over", async || {
        let (_, run) = service.get(&format!("/api/runs/{}", id(&run))).await;
        (!run["finished_at"].is_null()).then_some(run)
    })
    .await;
    assert_eq!(
        (&second["status"], &second["counts"]["uploaded"]),
        (&json!("succeeded"), &json!(0)),
        "{second}"
    );
    let requests = service.sim.request_count();
    assert!(
        requests <= 15,
        "the second run made {requests} Confluence requests: {:?}",
        service.sim.counts()
    );
    assert!(
        llama
            .requests()
            .iter()
            .all(|r| !(r.method == "PUT" && r.path.ends_with("/documents"))),
        "nothing is uploaded again: {:?}",
        llama.counts()
    );

    // And the agent finds it.
    let question =
        json!({"query": "make page-7 Operations", "top_k": 5, "filters": {"space": "OPS"}});
    let (status, answer) = service
        .post("/api/indexes/agent/handbook/query", question)
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let results = answer["results"].as_array().unwrap();
    assert!(
        results.iter().any(|r| r["page"]["title"] == "OPS page 7"),
        "{answer}"
    );
    assert!(
        results.iter().all(|r| r["page"]["space_key"] == "OPS"),
        "{answer}"
    );
    assert_eq!(
        (&answer["stale"], &answer["source"]),
        (&json!(false), &json!("index"))
    );
    service.stop().await;
}

#[actix_web::test]
async fn changes_at_the_source_reach_the_pipeline() {
    let Worlds { service, llama } = start().await;
    let index = create(&service).await;
    service.over(&index).await;
    let site = service.sim.site();
    let find = |title: &str| site.find("ENG", title).unwrap();
    site.edit(find("ENG page 1"), "<p>Entirely new words: xylophone.</p>");
    site.rename(find("ENG page 2"), "ENG page two");
    site.trash(find("ENG page 3"));
    site.archive(find("ENG page 4"));
    let secret = find("ENG page 5");
    site.restrict_to_user(secret, &service.sim.account_id());
    site.create_page("OPS", None, "Brand new", "<p>Just written.</p>");
    let (_, run) = service
        .post("/api/indexes/agent/handbook/sync", json!({}))
        .await;
    let run = support::until("the sweep is over", async || {
        let (_, run) = service.get(&format!("/api/runs/{}", id(&run))).await;
        (!run["finished_at"].is_null()).then_some(run)
    })
    .await;
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_pipeline_is_true(&service.sim, &llama, &index);
    service.stop().await;
}

#[actix_web::test]
async fn no_request_is_outside_the_official_documents() {
    let Some(specs) =
        Specs::from_env("the check of every request of a run against the official documents")
    else {
        return;
    };
    let specs = specs.unwrap();
    let Worlds { service, llama } = start().await;
    let index = create(&service).await;
    service.over(&index).await;
    let site = service.sim.site();
    site.edit(site.find("ENG", "ENG page 1").unwrap(), "<p>edited</p>");
    site.purge(site.find("ENG", "ENG page 19").unwrap());
    for body in [
        json!({}),
        json!({"full": true}),
        json!({"full": false}),
        json!({"dry_run": true}),
    ] {
        let (_, run) = service.post("/api/indexes/agent/handbook/sync", body).await;
        support::until("the run is over", async || {
            let (_, run) = service.get(&format!("/api/runs/{}", id(&run))).await;
            (!run["finished_at"].is_null()).then_some(())
        })
        .await;
    }
    service
        .post(
            "/api/indexes/agent/handbook/query",
            json!({"query": "page"}),
        )
        .await;
    service.get("/api/spaces").await;
    service
        .delete(&format!("/api/indexes/{}", id(&index)))
        .await;
    support::until("the pipeline is removed", async || {
        llama.pipelines().is_empty().then_some(())
    })
    .await;
    let (confluence, store) = (service.sim.requests(), llama.requests());
    assert!(confluence.len() > 20 && store.len() > 10);
    let violations = specs.check_requests(confluence.iter().chain(&store));
    assert!(
        violations.is_empty(),
        "{}",
        violations
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    );
    service.stop().await;
}
