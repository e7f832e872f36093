//! Comments over the whole service: chosen at creation, found by their words, edited, deleted, gone with their page or by choice.

use serde_json::{Value, json};
use simulators::confluence::{ContentId, Site};

use crate::support::{self, Service};

struct Made {
    site: Site,
    page: ContentId,
    comment: ContentId,
    reply: ContentId,
}

fn made() -> Made {
    let site = Site::new();
    site.add_space("ENG", "Engineering");
    let page = site.create_page("ENG", None, "Guide", "<h1>Start</h1><p>Begin here.</p>");
    site.create_page("ENG", None, "Other", "<p>Nothing of note.</p>");
    let comment = site.comment(page, "<p>Does the quokka rule hold?</p>");
    let reply = site.reply(comment, "<p>It does, says the narwhal.</p>");
    site.inline_comment(page, "Begin here", "<p>Where is the ocelot?</p>");
    Made {
        site,
        page,
        comment,
        reply,
    }
}

/// Passages with this word, as `title / section`.
async fn found(service: &Service, word: &str) -> Vec<String> {
    let (_, answer) = service
        .post("/api/indexes/agent/reader/query", json!({"query": word}))
        .await;
    answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|result| result["text"].as_str().unwrap().contains(word))
        .map(|result| {
            let page = &result["page"];
            format!(
                "{} / {}",
                page["title"].as_str().unwrap(),
                page["section"].as_str().unwrap_or("-")
            )
        })
        .collect()
}

async fn created(service: &Service) -> Value {
    let (status, index) = service
        .post(
            "/api/indexes/",
            json!({"name": "Reader", "agent_id": "reader", "confluence_spaces": ["ENG"], "include_comments": true}),
        )
        .await;
    assert_eq!(status, 201, "{index}");
    assert_eq!(index["include_comments"], true);
    service.over(&index).await;
    service
        .get(&format!("/api/indexes/{}", support::id(&index)))
        .await
        .1
}

#[actix_web::test]
async fn comments_are_found_and_follow_what_happens_to_them() {
    let made = made();
    let service = support::start(made.site.clone(), &[]).await;
    let index = created(&service).await;
    assert_eq!(index["last_run"]["status"], "succeeded", "{index}");
    assert_eq!(found(&service, "quokka").await, ["Guide / Comments"]);
    assert_eq!(found(&service, "narwhal").await, ["Guide / Comments"]);
    assert_eq!(found(&service, "ocelot").await, ["Guide / Comments"]);

    made.site
        .edit_comment(made.comment, "<p>Does the wombat rule hold?</p>");
    made.site.delete_comment(made.reply);
    let run = service.swept(&index).await;
    assert_eq!(
        (&run["status"], &run["counts"]["uploaded"]),
        (&json!("succeeded"), &json!(1)),
        "{run}"
    );
    assert_eq!(found(&service, "wombat").await, ["Guide / Comments"]);
    // That the reply is not there is believed when it is seen again, a minute later.
    assert_eq!(found(&service, "narwhal").await, ["Guide / Comments"]);

    let run = service.swept(&index).await;
    assert_eq!(run["counts"]["uploaded"], 0, "{run}");

    // Off: out of the documents with the next run, the page stays. And on again.
    let id = index["id"].as_str().unwrap();
    for (choice, sections) in [(false, 0), (true, 1)] {
        let (status, _) = service
            .patch(
                &format!("/api/indexes/{id}"),
                json!({"include_comments": choice}),
            )
            .await;
        assert_eq!(status, 200);
        let run = service.swept(&index).await;
        assert_eq!(run["status"], "succeeded", "{run}");
        assert_eq!(found(&service, "wombat").await.len(), sections);
        // The comments of so short a page come in the same passage.
        assert_eq!(found(&service, "Begin").await.len(), 1);
    }

    made.site.restrict_to_user(made.page, "somebody");
    let run = service.swept(&index).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    assert!(found(&service, "wombat").await.is_empty());
    support::assert_official(&service);
    service.stop().await;
}
