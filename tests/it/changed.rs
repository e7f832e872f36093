//! What changed lately, over REST and to agents.

use serde_json::{Value, json};

use crate::support::{answer, assert_problem, id, site, start};

#[actix_web::test]
async fn changes_are_listed_newest_first_with_their_sections_and_true_counts() {
    let site = site(0);
    let guide = site.create_page(
        "ENG",
        None,
        "Guide",
        "<h2>Limits</h2><p>10</p><h2>Old</h2><p>x</p>",
    );
    let service = start(site.clone(), &[]).await;
    let index = service.synced_index("news", &["ENG"]).await;
    let path = format!("/api/indexes/{}/changes", id(&index));
    let (_, before) = service.get(&format!("{path}?since=2020-01-01")).await;
    let known = before["total"].as_u64().unwrap();
    // With the home page of the space.
    assert_eq!(known, 4, "{before}");
    let nothing = &before["items"][0]["sections"];
    assert_eq!(nothing, &Value::Null);

    site.edit(guide, "<h2>Limits</h2><p>20</p><h2>FAQ</h2><p>q</p>");
    service.swept(&index).await;
    let (_, list) = service.get(&format!("{path}?limit=1")).await;
    assert_eq!(list["total"], 4, "counted before the cut: {list}");
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(
        (&items[0]["title"], &items[0]["version"]),
        (&json!("Guide"), &json!(2))
    );
    let sections = json!({"added": ["FAQ"], "edited": ["Limits"], "removed": ["Old"], "opening": false, "more": 0});
    assert_eq!(items[0]["sections"], sections);

    site.trash(guide);
    service.swept(&index).await;
    let (_, list) = service.get(&path).await;
    let gone = &list["items"][0];
    assert_eq!(
        (&gone["change"], &gone["title"]),
        (&json!("removed"), &json!("Guide"))
    );
    for field in ["url", "version", "sections"] {
        assert_eq!(gone[field], Value::Null, "{field}");
    }
    assert_problem(
        &service.get(&format!("{path}?since=soon")).await,
        422,
        "invalid_field",
    );
    // An agent reads its own index, and no other.
    let (_, token) = service.new_token(&index).await;
    let own = service
        .request(reqwest::Method::GET, &path)
        .bearer_auth(&token);
    assert_eq!(answer(own).await.0, 200);
    let other = service.index("other", &["OPS"]).await;
    let path = format!("/api/indexes/{}/changes", id(&other));
    let other = service
        .request(reqwest::Method::GET, &path)
        .bearer_auth(&token);
    assert_problem(&answer(other).await, 404, "not_found");
    service.stop().await;
}
