//! What an index is asked to see how well it answers: set, asked, kept, told.

use serde_json::{Value, json};

use crate::support::{Service, answer, assert_problem, fields, id, site, start, until};

const QUESTIONS: &str = "- question: falcon tool\n  pages: [\"rollback RUNBOOK\"]\n  kind: runbooks\n  answer: [\"falcon\"]\n\
                         - question: zebra\n  pages: [Handbook]\n";

fn of(index: &Value, rest: &str) -> String {
    format!("/api/indexes/{}/evaluation{rest}", id(index))
}

async fn results(service: &Service, index: &Value, count: usize) -> Vec<Value> {
    until("the evaluation has ended", async || {
        let (_, now) = service.get(&of(index, "")).await;
        let (_, list) = service.get(&of(index, "/results")).await;
        let items = list["items"].as_array()?.clone();
        (now["evaluation"]["waiting"] == false && items.len() == count).then_some(items)
    })
    .await
}

#[actix_web::test]
async fn an_index_is_evaluated_when_questions_are_set_and_when_somebody_says_so() {
    let mut service = start(site(2), &[]).await;
    let index = service.synced_index("good", &["ENG"]).await;
    let (_, none) = service.get(&of(&index, "")).await;
    assert_eq!(none, json!({"evaluation": null}));
    assert_problem(
        &service.post(&of(&index, "/run"), json!({})).await,
        404,
        "not_found",
    );
    let set = json!({"questions": QUESTIONS, "schedule": "03:00 Europe/Berlin"});
    let (status, said) = service.post(&of(&index, ""), set).await;
    assert_eq!(status, 202, "{said}");
    assert_eq!(
        (&said["waiting"], &said["schedule"]),
        (&json!(true), &json!("03:00 Europe/Berlin"))
    );

    let first = results(&service, &index, 1).await;
    let all = &first[0]["all"];
    let shares =
        ["questions", "hit_1", "hit_3", "hit_10", "mrr", "answer"].map(|field| all[field].as_f64());
    assert_eq!(
        shares,
        [2.0, 0.5, 0.5, 0.5, 0.5, 1.0].map(Some),
        "{first:?}"
    );
    assert_eq!(first[0]["kinds"]["runbooks"]["hit_1"], 1.0);
    let (_, now) = service.get(&of(&index, "")).await;
    let now = &now["evaluation"];
    assert_eq!(
        (&now["missed"], &now["error"]),
        (&json!(["zebra"]), &Value::Null)
    );
    assert_eq!(
        (&now["questions"], &now["unknown_pages"]),
        (&json!(QUESTIONS), &json!([]))
    );
    assert!(now["next_at"].as_str().is_some());
    let (_, metrics) = service.get("/metrics").await;
    let metrics = metrics.as_str().unwrap();
    for line in [
        "mcp_confluence_evaluation_hit_ratio{agent=\"good\",within=\"1\"} 0.5\n",
        "mcp_confluence_evaluation_reciprocal_rank{agent=\"good\"} 0.5\n",
        "mcp_confluence_evaluation_answer_ratio{agent=\"good\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }

    assert_eq!(service.post(&of(&index, "/run"), json!({})).await.0, 202);
    let both = results(&service, &index, 2).await;
    assert_eq!(both[1], first[0], "the newest is first");
    // Over a restart too.
    service.restart(&[]).await;
    assert_eq!(results(&service, &index, 2).await, both);
    assert_eq!(service.delete(&of(&index, "")).await.0, 204);
    assert_problem(&service.delete(&of(&index, "")).await, 404, "not_found");
    let (_, list) = service.get(&of(&index, "/results")).await;
    assert_eq!(list["items"], json!([]));
    service.stop().await;
}

#[actix_web::test]
async fn what_is_wrong_with_questions_is_said_when_they_are_set() {
    let service = start(site(2), &[]).await;
    let index = service.synced_index("good", &["ENG"]).await;
    for (questions, schedule, field, words) in [
        (
            json!("- question: q\n  page: [x]\n"),
            json!(null),
            "questions",
            "line 2",
        ),
        (json!("[]"), json!(null), "questions", "holds no question"),
        (
            json!("- question: q\n  pages: []\n"),
            json!(null),
            "questions",
            "question 1 names no page",
        ),
        (
            json!("- question: q\n  pages: [Host 0, Handbook]\n"),
            json!(null),
            "questions",
            "does not hold, by id or title: “Host 0”",
        ),
        (
            json!(QUESTIONS),
            json!("nightly"),
            "schedule",
            "a time of day",
        ),
        (json!(7), json!(null), "questions", "must be text"),
    ] {
        let set = json!({"questions": questions, "schedule": schedule});
        let refused = service.post(&of(&index, ""), set).await;
        assert_problem(&refused, 422, "invalid_field");
        assert_eq!(fields(&refused.1), [field], "{questions}");
        let said = refused.1["errors"][0]["message"].as_str().unwrap();
        assert!(said.contains(words), "{said}");
    }
    let (_, none) = service.get(&of(&index, "")).await;
    assert_eq!(none, json!({"evaluation": null}));
    // An agent neither sets nor reads it.
    let (_, token) = service.new_token(&index).await;
    for (method, path) in [
        (reqwest::Method::GET, of(&index, "")),
        (reqwest::Method::GET, of(&index, "/results")),
        (reqwest::Method::POST, of(&index, "/run")),
        (reqwest::Method::DELETE, of(&index, "")),
    ] {
        let refused = answer(service.request(method, &path).bearer_auth(&token)).await;
        assert_problem(&refused, 403, "forbidden");
    }
    service.stop().await;
}
