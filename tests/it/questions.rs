//! Questions that found little: what is noted, who may read it, and that nothing is without a setting.

use serde_json::{Value, json};

use crate::support::{Service, answer, assert_problem, id, site, start, until};

const ON: [(&str, &str); 1] = [("QUESTIONS_KEPT_DAYS", "30")];

/// Asks with an agent's token, over REST.
async fn ask(service: &Service, token: &str, words: &str) {
    let path = "/api/indexes/agent/curious/query";
    let request = service
        .request(reqwest::Method::POST, path)
        .bearer_auth(token);
    let (status, said) = answer(request.json(&json!({"query": words}))).await;
    assert_eq!(status, 200, "{said}");
}

async fn listed(service: &Service, index: &Value) -> Value {
    let (status, list) = service
        .get(&format!("/api/indexes/{}/questions", id(index)))
        .await;
    assert_eq!(status, 200, "{list}");
    list
}

#[actix_web::test]
async fn questions_that_found_little_are_listed_for_the_administrator_alone() {
    let service = start(site(2), &ON).await;
    let index = service.synced_index("curious", &["ENG"]).await;
    let (_, token) = service.new_token(&index).await;
    for words in ["vacation days", "  Vacation DAYS?", "falcon"] {
        ask(&service, &token, words).await;
    }
    // The administrator's own are trials.
    let path = "/api/indexes/agent/curious/query";
    service.post(path, json!({"query": "trial balloon"})).await;
    let list = listed(&service, &index).await;
    assert_eq!(list["kept_days"], 30);
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{list}");
    let one = &items[0];
    assert_eq!(
        (&one["question"], &one["times"]),
        (&json!("vacation days"), &json!(2))
    );
    assert_eq!(
        (&one["found"], &one["unknown_words"]),
        (&json!("nothing"), &json!(["vacation", "days"]))
    );
    assert_eq!(list["next_cursor"], Value::Null);

    let own = format!("/api/indexes/{}/questions", id(&index));
    for (method, path) in [
        (reqwest::Method::GET, own.clone()),
        (reqwest::Method::DELETE, own.clone()),
        (
            reqwest::Method::DELETE,
            format!("{own}/{}", one["id"].as_str().unwrap()),
        ),
    ] {
        let refused = answer(service.request(method, &path).bearer_auth(&token)).await;
        assert_problem(&refused, 403, "forbidden");
    }
    let one = format!("{own}/{}", one["id"].as_str().unwrap());
    assert_eq!(service.delete(&one).await.0, 204);
    assert_problem(&service.delete(&one).await, 404, "not_found");
    // What is not written yet goes with all.
    ask(&service, &token, "sabbatical").await;
    assert_eq!(service.delete(&own).await.0, 204);
    assert_eq!(listed(&service, &index).await["items"], json!([]));
    let nowhere = "/api/indexes/0197f1c2-0000-7000-8000-000000000000/questions";
    assert_problem(&service.get(nowhere).await, 404, "not_found");
    service.stop().await;
}

#[actix_web::test]
async fn without_the_setting_nothing_is_kept_and_what_was_kept_goes() {
    let mut service = start(site(2), &ON).await;
    let index = service.synced_index("curious", &["ENG"]).await;
    let (_, token) = service.new_token(&index).await;
    ask(&service, &token, "sabbatical").await;
    // A stop writes what was noted, and a start with the setting finds it.
    service.restart(&ON).await;
    assert_eq!(
        listed(&service, &index).await["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    service.restart(&[]).await;
    ask(&service, &token, "vacation").await;
    let list = until("what was kept is gone", async || {
        let list = listed(&service, &index).await;
        (list["items"] == json!([])).then_some(list)
    });
    assert_eq!(list.await["kept_days"], Value::Null);
    service.stop().await;
}
