//! Who asked what, as whom, and got which pages: what is kept of it, for how long, and who may see it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::access::{KEY, Person, per_user, token, world};
use crate::support::{Service, answer, assert_problem, id, site, start};

const TEXT: [(&str, &str); 2] = [("API_KEY", KEY), ("AUDIT_QUESTIONS", "text")];

async fn entries(service: &Service, query: &str) -> Vec<Value> {
    let (status, list) = service
        .get(&format!("/api/audit?kind=question{query}"))
        .await;
    assert_eq!(status, 200, "{list}");
    list["items"].as_array().unwrap().clone()
}

fn pages(of: &Value) -> BTreeSet<String> {
    let pages = of.as_array().unwrap().iter();
    pages.map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn every_way_to_ask_leaves_who_asked_as_whom_and_what_was_handed_out() {
    let world = world();
    let service = start(world.site.clone(), &TEXT).await;
    let index = per_user(&service, "per_user").await;
    let token = token(&service, &index, true).await;
    let ann = Person {
        service: &service,
        token: &token,
        email: "Ann@example.org",
    };
    let found = ann.asks(json!({"query": "zebra", "top_k": 50})).await;
    let results = found["results"].as_array().unwrap();
    let told = results.iter().map(|result| &result["page"]["id"]);
    let told = Value::Array(told.cloned().collect());
    let session = ann.session().await;
    let page = world.pages[0].1.to_string();
    let searched = ann
        .tool(&session, "search_confluence", json!({"query": "guidebook"}))
        .await;
    assert!(searched.contains("Guidebook"), "{searched}");
    ann.tool(&session, "get_page", json!({"page_id": page}))
        .await;
    ann.tool(&session, "recent_changes", json!({"since": "2020-01-01"}))
        .await;
    // Neither what hands out nothing of a page nor what is wrong.
    ann.tool(&session, "list_spaces", json!({})).await;
    ann.tool(&session, "get_page", json!({"page_id": "1"}))
        .await;
    let nobody = Person { email: "", ..ann };
    nobody.asks(json!({"query": "zebra"})).await;
    // The administrator reads a page, and asks as somebody, as the page's Ask does.
    let path = format!("/api/indexes/{}/pages/{page}/markdown", id(&index));
    assert_eq!(service.get(&path).await.0, 200);
    let ask = service.request(Method::POST, "/api/indexes/agent/a/query");
    let ask = ask
        .header("X-User-Email", "bob@example.org")
        .json(&json!({"query": "runbookhome"}));
    assert_eq!(answer(ask).await.0, 200);

    let all = entries(&service, "").await;
    let told_of: Vec<Value> = all
        .iter()
        .map(|entry| {
            assert_eq!(
                (&entry["index_id"], &entry["outcome"], &entry["address"]),
                (&index["id"], &json!("done"), &json!("127.0.0.1")),
                "{entry}"
            );
            let count = entry["detail"]["count"].as_u64().unwrap() as usize;
            assert_eq!(count, pages(&entry["detail"]["pages"]).len());
            json!([
                entry["action"],
                entry["actor"],
                entry["person"],
                entry["detail"]["question"]
            ])
        })
        .collect();
    let admin = "the administrator (by the API key)";
    let (chat, ann) = (all[2]["actor"].as_str().unwrap(), "ann@example.org");
    assert!(chat.ends_with(", agent (by a key)"), "{chat}");
    assert_eq!(
        Value::from(told_of),
        json!([
            ["query_index", admin, "bob@example.org", "runbookhome"],
            ["get_page_markdown", admin, null, null],
            ["query_index", chat, null, "zebra"],
            ["recent_changes", chat, ann, null],
            ["get_page", chat, ann, null],
            ["search_confluence", chat, ann, "guidebook"],
            ["query_index", chat, ann, "zebra"],
        ])
    );
    assert_eq!(pages(&all[6]["detail"]["pages"]), pages(&told));
    assert!(pages(&told).len() >= world.readable("a:ann").len());
    assert_eq!(all[4]["detail"]["pages"], json!([page]));
    assert_eq!(
        all[2]["detail"],
        json!({"question": "zebra", "pages": [], "count": 0})
    );
    assert!(all[4]["token_id"].is_string() && all[0]["token_id"].is_null());

    // By person, action and index; changes go their own way.
    assert_eq!(entries(&service, "&person=ANN@example.org").await, all[3..]);
    assert_eq!(entries(&service, "&action=get_page").await, all[4..5]);
    let of_index = format!("&index_id={}", id(&index));
    assert_eq!(entries(&service, &of_index).await, all);
    let (_, changes) = service.get("/api/audit?kind=change").await;
    let actions: Vec<&Value> = changes["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["action"])
        .collect();
    assert_eq!(actions, ["create_token", "create_index"]);
    for wrong in ["person=ann", "kind=all"] {
        let refused = service.get(&format!("/api/audit?{wrong}")).await;
        assert_problem(&refused, 422, "invalid_field");
    }
    let export = "/api/audit/export?kind=question&person=ann@example.org";
    let export = service.request(Method::GET, export).send().await.unwrap();
    let lines = export.text().await.unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, all[3..]);
    // The administrator's alone.
    for path in [
        "/api/audit?kind=question",
        "/api/audit/export?kind=question",
    ] {
        let refused = service
            .http
            .get(format!("{}{path}", service.base))
            .bearer_auth(&token);
        assert_problem(&answer(refused).await, 403, "forbidden");
    }
    service.stop().await;
}

#[actix_web::test]
async fn only_what_the_setting_names_is_kept_and_a_stop_loses_nothing() {
    let mut service = start(site(2), &[("API_KEY", KEY)]).await;
    let index = service.synced_index("ops", &["OPS"]).await;
    let (_, token) = service.new_token(&index).await;
    let ask = async |service: &Service, words: &str| {
        let path = "/api/indexes/agent/ops/query";
        let asked = service
            .http
            .post(format!("{}{path}", service.base))
            .bearer_auth(&token)
            .json(&json!({"query": words}));
        assert_eq!(answer(asked).await.0, 200);
    };
    ask(&service, "secret of nobody").await;
    assert_eq!(entries(&service, "").await, Vec::<Value>::new());
    let pages = [("API_KEY", KEY), ("AUDIT_QUESTIONS", "pages")];
    service.restart(&pages).await;
    ask(&service, "secret of ann").await;
    service.restart(&pages).await;
    let [only] = &entries(&service, "").await[..] else {
        panic!("one entry");
    };
    assert_eq!(only["action"], "query_index");
    assert!(only["detail"]["pages"].is_array(), "{only}");
    assert!(!only.to_string().contains("secret"), "{only}");
    // Turned off, what is kept goes with its time.
    service.restart(&[("API_KEY", KEY)]).await;
    ask(&service, "secret of bob").await;
    assert_eq!(entries(&service, "").await.len(), 1);
    service.stop().await;
}
