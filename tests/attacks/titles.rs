//! What a page that may be read tells of pages that may not.

use reqwest::Method;
use serde_json::{Value, json};
use simulators::confluence::{ContentId, Site};

use super::{Tally, in_full};
use crate::support::{Service, answer, id, start_program};

const KEY: &str = "administrator-key-of-tests";

/// Every way by which a body can point at the page of this id without saying its title.
fn links(base: &str, space: &str, id: ContentId) -> Vec<String> {
    let mut links = vec![
        format!("<ac:link><ri:page ri:content-id=\"{id}\"/></ac:link>"),
        format!("<ac:link><ri:content-entity ri:content-id=\"{id}\"/></ac:link>"),
        format!(
            "<ac:link><ri:page ri:content-id=\"{id}\"/><ac:link-body>see</ac:link-body></ac:link>"
        ),
        format!(
            "<ac:structured-macro ac:name=\"include\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-id=\"{id}\"/></ac:link></ac:parameter></ac:structured-macro>"
        ),
        format!(
            "<ac:structured-macro ac:name=\"excerpt-include\"><ac:parameter ac:name=\"\"><ac:link><ri:page ri:content-id=\"{id}\"/></ac:link></ac:parameter></ac:structured-macro>"
        ),
    ];
    for address in [
        format!("{base}/wiki/spaces/{space}/pages/{id}"),
        format!("/wiki/spaces/{space}/pages/{id}"),
        format!("{base}/wiki/pages/viewpage.action?pageId={id}"),
    ] {
        links.push(format!("<a href=\"{address}\">{address}</a>"));
        links.push(format!(
            "<a href=\"{address}\" data-card-appearance=\"inline\">{address}</a>"
        ));
    }
    links
}

/// All that an agent can make the service say: lists, pages, questions.
async fn all_told(
    service: &Service,
    index: &Value,
    token: &str,
    pages: &[ContentId],
) -> Vec<String> {
    let base = format!("/api/indexes/{}", id(index));
    let get = |path: &str| {
        service
            .http
            .get(format!("{}{path}", service.base))
            .bearer_auth(token)
    };
    let mut told = Vec::new();
    for path in [
        base.clone(),
        format!("{base}/pages"),
        "/api/runs".to_owned(),
    ] {
        told.push(answer(get(&path)).await.1.to_string());
    }
    for page in pages {
        told.push(
            answer(get(&format!("{base}/pages/{page}")))
                .await
                .1
                .to_string(),
        );
    }
    let session = super::between::Session::open(&service.base, "", token, &[])
        .await
        .unwrap();
    for page in pages {
        let read = json!({"name": "get_page", "arguments": {"page_id": page.to_string()}});
        told.push(session.ask("tools/call", read).await.1);
        let uri = json!({"uri": format!("confluence://page/{page}")});
        told.push(session.ask("resources/read", uri).await.1);
    }
    for words in ["margins", "links see include", "page"] {
        let ask = json!({"name": "search_confluence", "arguments": {"query": words}});
        told.push(session.ask("tools/call", ask).await.1);
    }
    for name in ["recent_changes", "list_spaces"] {
        told.push(
            session
                .ask("tools/call", json!({"name": name, "arguments": {}}))
                .await
                .1,
        );
    }
    told.push(session.ask("resources/list", json!({})).await.1);
    session.close().await;
    told
}

#[actix_web::test]
async fn links_to_pages_that_may_not_be_shown() {
    let site = Site::new();
    site.add_space("OWN", "Own space");
    site.add_space("HIDE", "Other space");
    let open = site.create_page("OWN", None, "Onyx sibling", "<p>Open.</p>");
    let restricted = site.create_page("OWN", None, "Quartz restricted", "<p>x</p>");
    let below = site.create_page("OWN", Some(restricted), "Quartz below", "<p>x</p>");
    let left_out = site.create_page("OWN", None, "Quartz left out", "<p>x</p>");
    site.label(left_out, "hidden");
    let other = site.create_page("HIDE", None, "Quartz of another", "<p>x</p>");
    let page = site.create_page("OWN", None, "Links", "<p>margins</p>");
    let service = start_program(site.clone(), &[("API_KEY", KEY)]).await;
    site.restrict_to_user(restricted, &service.sim.account_id());
    let base = service.sim.base_url();
    let targets = [
        ("OWN", restricted),
        ("OWN", below),
        ("OWN", left_out),
        ("HIDE", other),
    ];
    let mut bodies: Vec<String> = targets
        .iter()
        .flat_map(|(space, id)| links(base, space, *id))
        .collect();
    let tried = bodies.len();
    bodies.extend(links(base, "OWN", open));
    let body: String = bodies
        .iter()
        .map(|link| format!("<p>margins {link}</p>"))
        .collect();
    site.edit(page, &body);
    let made = json!({"name": "Own", "agent_id": "ann", "confluence_spaces": ["OWN"], "exclude_labels": ["hidden"]});
    let (status, index) = service.post("/api/indexes/", made).await;
    assert_eq!(status, 201, "{index}");
    service.over(&index).await;
    // Another index knows the other page.
    service.synced_index("bob", &["HIDE"]).await;
    service.swept(&index).await;
    let (_, token) = service.new_token(&index).await;
    let pages = [page, restricted, below, left_out, other];
    let told = all_told(&service, &index, &token, &pages).await;
    let text = told.join("\n");
    assert!(
        text.contains("Onyx sibling"),
        "links that may be resolved are: {text}"
    );
    let mut tally = Tally::of("A1");
    for (n, answer) in told.iter().enumerate() {
        tally.held(
            !answer.contains("Quartz"),
            format_args!("answer {n}: {answer}"),
        );
    }
    // Nor do its titles stand in the embedded index, where a search would find them.
    for file in ["sync.index.db", "sync.index.db-wal"] {
        let bytes = std::fs::read(service.folder.path().join(file)).unwrap();
        for title in ["Quartz restricted", "Quartz below", "Quartz left out"] {
            let found = bytes
                .windows(title.len())
                .any(|window| window == title.as_bytes());
            tally.held(!found, format_args!("{title} in {file}"));
        }
    }
    for _ in 0..tried {
        tally.held(true, "");
    }
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn a_restriction_far_above() {
    let site = Site::new();
    site.add_space("OWN", "Own space");
    site.create_page("OWN", None, "Open page", "<p>margins</p>");
    let depth = if in_full() { 200 } else { 80 };
    let mut chain: Vec<ContentId> = Vec::new();
    for n in 0..depth {
        let title = format!("Quartz {n}");
        let next = site.create_page(
            "OWN",
            chain.last().copied(),
            &title,
            "<p>margins of page</p>",
        );
        chain.push(next);
    }
    let service = start_program(site.clone(), &[("API_KEY", KEY)]).await;
    site.restrict_to_user(chain[0], &service.sim.account_id());
    let index = service.synced_index("ann", &["OWN"]).await;
    let (_, token) = service.new_token(&index).await;
    let asked: Vec<ContentId> = chain
        .iter()
        .copied()
        .step_by(if in_full() { 1 } else { 16 })
        .collect();
    let told = all_told(&service, &index, &token, &asked).await;
    assert!(told.join("\n").contains("Open page"));
    let mut tally = Tally::of("A3");
    for (n, answer) in told.iter().enumerate() {
        tally.held(
            !answer.contains("Quartz"),
            format_args!("answer {n}: {answer}"),
        );
    }
    // The administrator sees that they are there, and stay out.
    let path = format!(
        "{}/api/indexes/{}/pages/{}",
        service.base,
        id(&index),
        chain[depth - 1]
    );
    let (_, last) = answer(service.http.request(Method::GET, path).bearer_auth(KEY)).await;
    assert_eq!(last["state"], "skipped", "{last}");
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}
