//! Indexes from the command line, as code, and polls that Confluence asks for.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::process::{borrowed, program, text};
use crate::support::{Service, answer, assert_problem, id, pairs, site, start, until};

const KEY: &str = "administrator-key";
const HOOK: &str = "a-secret-of-the-automation-rule";

/// A command beside the service, or where it was.
async fn run(service: &Service, arguments: &[&str]) -> Output {
    let settings: Vec<_> = pairs(&service.sim, &service.folder, &[])
        .into_iter()
        .collect();
    let mut command = program(&service.folder, arguments, &borrowed(&settings));
    let ended = actix_web::web::block(move || command.output().unwrap());
    ended.await.unwrap()
}

async fn good(service: &Service, arguments: &[&str]) -> String {
    let ended = run(service, arguments).await;
    let (out, err) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!(ended.status.code(), Some(0), "{arguments:?}\n{out}\n{err}");
    out
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for space in std::fs::read_dir(folder).unwrap() {
        for file in std::fs::read_dir(space.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            found.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

#[actix_web::test]
async fn indexes_are_made_changed_listed_exported_and_deleted_from_the_command_line() {
    let service = start(site(2), &[("API_KEY", KEY)]).await;
    let wiki = service.sim.site();
    let odd = wiki.create_page("OPS", None, "../a: \"b\"", "<p>Odd.</p>");
    let hidden = wiki.create_page("OPS", None, "Salaries", "<p>Secret.</p>");
    wiki.restrict_to_user(hidden, &service.sim.account_id());
    let create = [
        "index", "create", "--agent", "ops", "--name", "Hosts", "--space", "OPS",
    ];
    let made = good(&service, &create).await;
    let path = format!("/api/indexes/{}", made.trim());
    let (_, index) = service.get(&path).await;
    let run_of = service.over(&index).await;
    assert_eq!(run_of["status"], "succeeded", "{run_of}");
    // The service says why not, and the command too.
    let again = run(&service, &create).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(
        text(&again.stderr).contains("The agent id ops belongs to"),
        "{again:?}"
    );

    let edit = [
        "index",
        "edit",
        "--agent",
        "ops",
        "--interval-minutes",
        "7",
        "--labels",
        "",
    ];
    good(&service, &edit).await;
    let (_, index) = service.get(&path).await;
    assert_eq!(index["interval_minutes"], 7);
    let pages = good(&service, &["index", "pages", "--agent", "ops", "--json"]).await;
    let pages: Vec<Value> = serde_json::from_str(&pages).unwrap();
    let of = |title: &str| pages.iter().find(|page| page["title"] == title).unwrap();
    assert_eq!(of("Salaries")["state"], "skipped");
    let skipped = good(
        &service,
        &["index", "pages", "--agent", "ops", "--state", "skipped"],
    )
    .await;
    assert!(
        skipped.contains("Salaries") && !skipped.contains("Host 1"),
        "{skipped}"
    );

    let export = ["index", "export", "--agent", "ops", "out"];
    good(&service, &export).await;
    let folder = service.folder.path().join("out");
    let beside = files(&folder);
    let file = &beside[&format!("OPS/a-b-{odd}.md")];
    let (front, body) = file
        .strip_prefix("---\n")
        .unwrap()
        .split_once("\n---\n")
        .unwrap();
    let front: Value = serde_saphyr::from_str(front).unwrap();
    assert_eq!(
        (&front["title"], &front["space"], &front["version"]),
        (&json!("../a: \"b\""), &json!("OPS"), &json!(1))
    );
    assert_eq!(body, "\n# ../a: \"b\"\n\nOdd.\n");
    assert!(!beside.values().any(|file| file.contains("Secret")));
    // Nothing is written over, and where no service runs the same comes out.
    assert_eq!(run(&service, &export).await.status.code(), Some(2));
    let delete = ["index", "delete", "--agent", "ops"];
    assert_eq!(run(&service, &delete).await.status.code(), Some(4));
    let mut service = service;
    service.app.take().unwrap().stop().await;
    good(&service, &["index", "export", "--agent", "ops", "alone"]).await;
    assert_eq!(files(&service.folder.path().join("alone")), beside);
    let list = good(&service, &["index", "list"]).await;
    assert!(list.contains("ops") && list.contains("Hosts"), "{list}");
    let delete = ["index", "delete", "--agent", "ops", "--yes"];
    let alone = run(&service, &delete).await;
    assert_eq!(alone.status.code(), Some(1));
    assert!(
        text(&alone.stderr).contains("no service runs on"),
        "{alone:?}"
    );

    service.start_again(&[("API_KEY", KEY)]).await;
    good(&service, &delete).await;
    let (status, _) = service.get(&path).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    service.stop().await;
}

#[actix_web::test]
async fn confluence_asks_for_a_poll_and_many_calls_are_one() {
    let extra = [("API_KEY", KEY), ("HOOK_SECRET", HOOK)];
    let service = start(site(2), &extra).await;
    let index = service.synced_index("ops", &["OPS"]).await;
    service.synced_index("eng", &["ENG"]).await;
    let wiki = service.sim.site();
    wiki.create_page("OPS", None, "New host", "<p>new</p>");
    let call = |key: &str, path: &str| {
        let request = service.http.post(format!("{}{path}", service.base));
        request.bearer_auth(key)
    };
    let hook = "/api/hooks/confluence";
    for _ in 0..5 {
        let called = call(HOOK, hook).json(&json!({"space": "ops"}));
        let (status, told) = answer(called).await;
        assert_eq!(
            (status, told),
            (
                StatusCode::ACCEPTED,
                json!({"agents": ["ops"], "within_seconds": 3})
            )
        );
    }
    let elsewhere = call(HOOK, hook).json(&json!({"space": "NONE"}));
    assert_eq!(answer(elsewhere).await.1["agents"], json!([]));
    let wrong = call(HOOK, hook).json(&json!({"spaces": "OPS"}));
    assert_problem(&answer(wrong).await, 422, "invalid_field");
    // The secret opens that path alone; a wrong one opens nothing, and counts as every wrong credential.
    let (status, refused) = answer(call(HOOK, "/api/indexes/agent/ops/sync")).await;
    assert_eq!(
        (status.as_u16(), &refused["code"]),
        (403, &json!("forbidden"))
    );
    // More than the budget of one client, also on a machine on which it refills meanwhile.
    let mut refused = Vec::new();
    while refused.last() != Some(&429) && refused.len() < 200 {
        let (status, _) = answer(call("a-wrong-secret", hook)).await;
        refused.push(status.as_u16());
    }
    assert_eq!(refused.pop(), Some(429));
    assert!(
        refused.len() >= 20 && refused.iter().all(|status| *status == 401),
        "{refused:?}"
    );

    let of_index = format!("/api/runs?index_id={}", id(&index));
    let runs = until("the poll is over", async || {
        let (_, runs) = service.get(&of_index).await;
        let runs = runs["items"].as_array().unwrap().clone();
        let is_over = !runs[0]["finished_at"].is_null();
        (runs.len() > 1 && is_over).then_some(runs)
    })
    .await;
    let kinds: Vec<&str> = runs
        .iter()
        .map(|run| run["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["delta", "first"]);
    assert_eq!(runs[0]["counts"]["uploaded"], 1, "{runs:?}");
    service.stop().await;
}

#[actix_web::test]
async fn indexes_are_as_their_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("indexes.yaml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    let ops = "  - agent_id: ops\n    name: Hosts\n    confluence_spaces: [OPS]\n";
    let eng = "  - agent_id: eng\n    name: Handbook\n    confluence_spaces: [ENG]\n    interval_minutes: 9\n";
    write(&format!("indexes:\n{ops}{eng}"));
    let extra = [("INDEXES_FILE", file.to_str().unwrap())];
    let mut service = start(site(2), &extra).await;
    let of = async |service: &Service, agent: &str| {
        let (status, index) = service.get(&format!("/api/indexes/agent/{agent}")).await;
        status.is_success().then_some(index)
    };
    let ops_index = until("it is made", async || of(&service, "ops").await).await;
    let eng_index = until("it is made", async || of(&service, "eng").await).await;
    assert_eq!(eng_index["interval_minutes"], 9);
    service.index("by-hand", &["ENG"]).await;

    // What is no longer named is as of a new index.
    write(&format!(
        "indexes:\n{ops}{}",
        eng.replace("interval_minutes: 9", "include_comments: true")
    ));
    let changed = until("it is changed", async || {
        let index = of(&service, "eng").await.unwrap();
        (index["include_comments"] == json!(true)).then_some(index)
    })
    .await;
    assert_eq!(
        (id(&changed), &changed["interval_minutes"]),
        (id(&eng_index), &json!(60))
    );

    // One wrong line, and nothing of the file is done.
    let wrong = "  - agent_id: more\n    name: More\n    confluence_spaces: [GONE]\n";
    write(&format!("remove: true\nindexes:\n{wrong}"));
    let told = until("it is told", async || {
        let (_, health) = service.get("/health").await;
        let reasons = health["reasons"].to_string();
        (health["status"] == "degraded" && reasons.contains("indexes.yaml:5")).then_some(reasons)
    })
    .await;
    assert!(told.contains("no space GONE: check the keys"), "{told}");
    assert!(of(&service, "ops").await.is_some() && of(&service, "more").await.is_none());

    // Left out without consent it stays; with it, it goes, also after a restart, and nobody else's does.
    write(&format!("indexes:\n{ops}"));
    until("the file is good again", async || {
        let (_, health) = service.get("/health").await;
        (!health["reasons"].to_string().contains("indexes.yaml")).then_some(())
    })
    .await;
    assert!(of(&service, "eng").await.is_some());
    service.restart(&extra).await;
    write(&format!("remove: true\nindexes:\n{ops}"));
    until("it is gone", async || {
        of(&service, "eng").await.is_none().then_some(())
    })
    .await;
    assert_eq!(id(&of(&service, "ops").await.unwrap()), id(&ops_index));
    assert!(of(&service, "by-hand").await.is_some());
    let its = until("who did it is kept", async || {
        let (_, audit) = service.get("/api/audit").await;
        let entries = audit["items"].as_array().unwrap();
        let its = entries
            .iter()
            .filter(|entry| entry["actor"] == "the file of indexes");
        let actions: Vec<&str> = its.map(|entry| entry["action"].as_str().unwrap()).collect();
        (actions.first() == Some(&"delete_index")).then(|| actions.join(" "))
    });
    assert_eq!(
        its.await,
        "delete_index change_index create_index create_index"
    );
    service.stop().await;
}

#[actix_web::test]
async fn doctor_answers_programs_too() {
    let service = start(site(1), &[]).await;
    service.synced_index("ops", &["OPS"]).await;
    let printed = good(&service, &["doctor", "--json"]).await;
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let (_, served) = answer(service.request(Method::GET, "/api/doctor")).await;
    let whats = |list: &Value| {
        let items = list["items"].as_array().unwrap().clone();
        items
            .into_iter()
            .map(|item| item["what"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(whats(&printed), whats(&served));
    service
        .sim
        .fail_always(simulators::Matcher::any(), simulators::Fault::Unauthorized);
    let bad = run(&service, &["doctor", "--json"]).await;
    assert_eq!(bad.status.code(), Some(1));
    let bad: Value = serde_json::from_str(&text(&bad.stdout)).unwrap();
    let items = bad["items"].as_array().unwrap();
    assert!(
        items
            .iter()
            .any(|item| item["what"] == "Confluence" && item["outcome"] == "failed"),
        "{bad}"
    );
    service.stop().await;
}
