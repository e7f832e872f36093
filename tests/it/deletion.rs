//! Deletion, proven through the shipped program: what leaves Confluence, one way or another, leaves the store, to its last
//! document and at last the store's object itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use simulators::confluence::Site;

use crate::support::until;
use crate::world::{KillPlan, PIPELINE, World};

fn held(world: &World) -> BTreeSet<String> {
    let documents = world.llama.documents(PIPELINE);
    let ids = documents.into_iter().map(|document| document.id);
    ids.collect()
}

async fn swept(world: &mut World) -> Value {
    let run = world.order(json!({})).await;
    world.over(&run).await
}

#[actix_web::test]
async fn what_is_deleted_leaves_the_store_to_its_last_document() {
    let site = Site::new();
    site.add_space("ENG", "Engineering");
    site.add_space("OPS", "Operations");
    let home = site.homepage("ENG");
    let pages: Vec<_> = (0..5)
        .map(|n| site.create_page("ENG", None, &format!("Page {n}"), "<p>Words.</p>"))
        .collect();
    site.attach(pages[0], "notes.txt", "text/plain", b"Words of a file.");
    let mut world = World::of(site.clone(), KillPlan::default(), &["ENG"]).await;
    world.choices = json!({"include_attachments": true});
    world.start().await;
    let index = world.index().await;
    let first = index["last_run"]["id"].as_str().map(str::to_owned);
    let first = match first {
        Some(first) => first,
        None => world.order(json!({})).await,
    };
    let run = world.over(&first).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_eq!(held(&world).len(), 7, "home, five pages and a file");

    // Trashed with its file, restricted, moved out: each with the sweep that sees it.
    site.trash(pages[0]);
    site.restrict_to_user(pages[1], &world.confluence.account_id());
    site.move_to_space(pages[2], "OPS", None);
    let run = swept(&mut world).await;
    assert_eq!(
        (&run["status"], &run["counts"]["deleted"]),
        (&json!("succeeded"), &json!(4)),
        "{run}"
    );
    let left = [home, pages[3], pages[4]].map(|id| format!("confluence-page-{id}"));
    assert_eq!(held(&world), BTreeSet::from(left));

    // Its very last page.
    for id in [home, pages[3], pages[4]] {
        site.trash(id);
    }
    let run = swept(&mut world).await;
    assert_eq!(run["counts"]["deleted"], 3, "{run}");
    assert_eq!(held(&world), BTreeSet::new());
    let now = world.index().await;
    assert_eq!(now["document_count"], 0, "{now}");

    // And the object with the index.
    assert_eq!(world.llama.pipelines(), [PIPELINE]);
    let id = now["id"].as_str().unwrap().to_owned();
    let path = format!("/api/indexes/{id}");
    let request = world.program.as_ref().unwrap().base.clone() + &path;
    let answer = world.http.delete(request).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    until("the object is removed", async || {
        world.llama.pipelines().is_empty().then_some(())
    })
    .await;
}
