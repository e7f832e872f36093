//! What leaves of pages for an agent, by the routes that tell of pages: what may be shown, and of the others nothing.

use reqwest::Method;
use serde_json::{Value, json};
use simulators::Fault;

use crate::attacks::all_held;
use crate::events::{Seen, Stream};
use crate::support::{answer, assert_problem, id, site, start, start_program};

const KEY: &str = "administrator-key";
const SECRET: &str = "Takeover of Acme";

/// The ids of the pages of which events say that they failed.
fn failed(seen: &[Seen]) -> Vec<&str> {
    let failures = seen.iter().filter(|seen| seen.event == "page_failed");
    failures.map(|seen| id(&seen.data)).collect()
}

/// Whether a text tells anything of the secret page.
fn tells(text: &str, secret: &str) -> bool {
    let by_id = [format!("\"{secret}\""), format!("/{secret}")];
    text.contains(SECRET) || text.contains("acme") || by_id.iter().any(|id| text.contains(id))
}

fn all(seen: &[Seen]) -> String {
    seen.iter().map(|seen| seen.data.to_string()).collect()
}

#[actix_web::test]
async fn of_pages_whose_readers_are_not_known_an_agent_learns_nothing() {
    let site = site(2);
    let parent = site.create_page("OPS", None, "Open page", "<p>open</p>");
    let service = start_program(site, &[("API_KEY", KEY)]).await;
    let index = service.synced_index("own", &["OPS"]).await;
    let base = format!("/api/indexes/{}", id(&index));
    let (_, token) = service.post(&format!("{base}/tokens"), json!({})).await;
    let token = token["token"].as_str().unwrap();
    let as_agent = |path: &str| {
        let request = service
            .http
            .request(Method::GET, format!("{}{path}", service.base));
        request.bearer_auth(token)
    };

    // A new page of which search does not tell yet who may read it, with a body that cannot be had; and an open one that
    // is edited and cannot be had either.
    let site = service.sim.site();
    let secret = site.create_page("OPS", Some(parent), SECRET, "<p>secret</p>");
    site.restrict_to_user(secret, "557058:51b7c0de-sync");
    site.label(secret, "acme");
    site.edit(parent, "<p>edited</p>");
    for at in [
        "/content/search",
        &format!("id={secret}"),
        &format!("id={parent}"),
    ] {
        service.sim.fail_always(at, Fault::Status(501));
    }
    let mut to_agent = Stream::of(as_agent(&format!("{base}/events"))).await;
    let events = service.request(Method::GET, &format!("{base}/events"));
    let mut to_admin = Stream::of(events).await;
    let run = service.swept(&index).await;
    assert_eq!(run["status"], "partial", "{run}");

    let (secret, parent) = (secret.to_string(), parent.to_string());
    let pages = format!("{base}/pages");
    let (_, page) = service.get(&format!("{pages}/{secret}")).await;
    assert_eq!(
        (page["title"].as_str(), page["state"].as_str()),
        (Some(SECRET), Some("failed")),
        "the administrator sees it: {page}"
    );
    for query in [
        "",
        "?state=failed,pending",
        "?state=skipped",
        "?title=takeover",
        "?limit=1",
    ] {
        let (status, list) = answer(as_agent(&format!("{pages}{query}"))).await;
        assert_eq!(status, 200, "{query}");
        assert!(!tells(&list.to_string(), &secret), "{query}: {list}");
    }
    let (_, list) = answer(as_agent(&pages)).await;
    let ids = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap().iter();
        items.map(|page| id(page).to_owned()).collect()
    };
    assert_eq!(ids(&list).len(), 4, "all that may be shown: {list}");
    assert!(ids(&list).contains(&parent));
    let (_, found) = answer(as_agent(&format!("{pages}?title=open"))).await;
    assert_eq!(ids(&found), [parent.as_str()]);
    assert_eq!(answer(as_agent(&format!("{pages}/{parent}"))).await.0, 200);
    // In the words that a page gets which is not there.
    let hidden = answer(as_agent(&format!("{pages}/{secret}"))).await;
    assert_problem(&hidden, 404, "not_found");
    let missing = answer(as_agent(&format!("{pages}/1"))).await;
    let same = missing.1["detail"]
        .as_str()
        .unwrap()
        .replace("page 1 ", &format!("page {secret} "));
    assert_eq!(hidden.1["detail"], same.as_str());

    let of_admin = to_admin.until("run_finished").await;
    let of_agent = to_agent.until("run_finished").await;
    let mut told = failed(&of_admin);
    told.sort_unstable();
    let mut both = [parent.as_str(), secret.as_str()];
    both.sort_unstable();
    assert_eq!(told, both);
    assert_eq!(failed(&of_agent), [parent.as_str()]);
    let failure = of_agent.iter().find(|seen| seen.event == "page_failed");
    let data = &failure.unwrap().data;
    assert_eq!(
        (data["title"].as_str(), &data["run_id"], &data["index_id"]),
        (Some("Open page"), &run["id"], &index["id"])
    );
    assert!(!tells(&all(&of_agent), &secret), "{of_agent:?}");
    // Nor from what is kept of them.
    let events = as_agent(&format!("{base}/events")).header("last-event-id", of_agent[0].id);
    let replayed = Stream::of(events).await.until("run_finished").await;
    assert_eq!(failed(&replayed), [parent.as_str()]);
    assert!(!tells(&all(&replayed), &secret), "{replayed:?}");
    all_held("A2", 11, Some(service.pid()));
    service.stop().await;
}

#[actix_web::test]
async fn no_answer_holds_what_nobody_sees() {
    let site = site(0);
    let unseen = "Plan\u{2028}\u{202E}\u{E0041}\u{200B} B";
    let page = site.create_page(
        "OPS",
        None,
        unseen,
        "<p>A falcon\u{2029} on the\u{202E} plan.</p>",
    );
    site.label(page, "runbook");
    let service = start(site, &[]).await;
    let mut events = Stream::of(service.request(Method::GET, "/api/events")).await;
    let index = service.synced_index("own", &["OPS"]).await;
    let base = format!("/api/indexes/{}", id(&index));
    let query = json!({"query": "falcon plan"});
    let (_, found) = service.post("/api/indexes/agent/own/query", query).await;
    assert_eq!(found["results"][0]["page"]["title"], "Plan B", "{found}");
    let (_, listed) = service.get(&format!("{base}/pages")).await;
    let titles: Vec<&Value> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|page| &page["title"])
        .collect();
    assert!(titles.contains(&&json!("Plan B")), "{titles:?}");
    let (_, one) = service.get(&format!("{base}/pages/{page}")).await;
    assert_eq!(one["title"], "Plan B");

    // Nor an event: the page can no longer be read, and the failure names it.
    let site = service.sim.site();
    site.edit(page, "<p>edited</p>");
    service
        .sim
        .fail_always(format!("id={page}").as_str(), Fault::Status(501));
    service.swept(&index).await;
    events.until("run_finished").await;
    let seen = events.until("run_finished").await;
    let failure = seen
        .iter()
        .find(|seen| seen.event == "page_failed")
        .unwrap();
    assert_eq!(failure.data["title"], "Plan B");
    for text in [found, listed, one]
        .iter()
        .map(Value::to_string)
        .chain([all(&seen)])
    {
        for c in ['\u{2028}', '\u{2029}', '\u{202E}', '\u{E0041}', '\u{200B}'] {
            assert!(!text.contains(c), "{text:?}");
        }
    }
    service.stop().await;
}
