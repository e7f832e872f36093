//! Macros that only Confluence can resolve: their content comes from the rendered form where the operator allows it, within a
//! budget of requests; otherwise, and when it cannot be had, storage format stands.

use serde_json::{Value, json};
use simulators::Fault;
use simulators::confluence::Site;

use crate::support::{self, Service};

const BUDGET: &[(&str, &str)] = &[("SYNC_RENDERED_PAGES_PER_RUN", "5")];

fn site() -> Site {
    let site = Site::new();
    site.add_space("ENG", "Engineering");
    site.create_page("ENG", None, "Shared", "<p>The quokka rule holds.</p>");
    site.create_page(
        "ENG",
        None,
        "Guide",
        "<p>Begin here.</p><ac:structured-macro ac:name=\"include\" ac:macro-id=\"7c1d\"><ac:parameter ac:name=\"\">\
         <ac:link><ri:page ri:content-title=\"Shared\"/></ac:link></ac:parameter></ac:structured-macro><p>End there.</p>",
    );
    site
}

/// Titles of the pages whose text holds the words of the included page.
async fn found_on(service: &Service) -> Vec<String> {
    let (_, answer) = service
        .post(
            "/api/indexes/agent/reader/query",
            json!({"query": "quokka"}),
        )
        .await;
    let title = |result: &Value| result["page"]["title"].as_str().unwrap().to_owned();
    let holds = |result: &&Value| result["text"].as_str().unwrap().contains("quokka");
    let mut titles: Vec<String> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter(holds)
        .map(title)
        .collect();
    titles.sort();
    titles
}

#[actix_web::test]
async fn includes_are_resolved_from_the_rendered_form_when_allowed() {
    let service = support::start(site(), BUDGET).await;
    service.synced_index("reader", &["ENG"]).await;
    assert_eq!(found_on(&service).await, ["Guide", "Shared"]);
    let rendered = service
        .sim
        .requests()
        .iter()
        .filter(|r| r.path_and_query().contains("export_view"))
        .count();
    assert_eq!(
        rendered,
        1,
        "one request for the one page with such a macro: {:?}",
        service.sim.counts()
    );
    service.stop().await;
}

#[actix_web::test]
async fn without_leave_no_rendered_form_is_asked_for() {
    let service = support::start(site(), &[]).await;
    service.synced_index("reader", &["ENG"]).await;
    assert_eq!(found_on(&service).await, ["Shared"]);
    assert!(
        service
            .sim
            .requests()
            .iter()
            .all(|r| !r.path_and_query().contains("view"))
    );
    service.stop().await;
}

#[actix_web::test]
async fn storage_stands_when_rendering_fails() {
    let service = support::start(site(), BUDGET).await;
    service
        .sim
        .fail_always("body-format=export_view", Fault::Status(404));
    service
        .sim
        .fail_always("body-format=view", Fault::Status(404));
    let index = service.synced_index("reader", &["ENG"]).await;
    assert_eq!(index["last_run"]["status"], "succeeded", "{index}");
    assert_eq!(found_on(&service).await, ["Shared"]);
    service.stop().await;
}
