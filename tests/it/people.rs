//! People of the service: keys with roles, what each may, and who did what.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::mcp_support::Client;
use crate::support::{Service, answer, assert_problem, id, site, start, start_program};

const KEY: &str = "administrator-key";

fn with(service: &Service, method: Method, path: &str, secret: &str) -> RequestBuilder {
    let request = service
        .http
        .request(method, format!("{}{path}", service.base));
    request.bearer_auth(secret)
}

/// A new key: its record and its secret.
async fn key(service: &Service, fields: Value) -> (Value, String) {
    let (status, made) = service.post("/api/keys", fields).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let secret = made["token"].as_str().unwrap().to_owned();
    (made, secret)
}

async fn status(service: &Service, method: Method, path: &str, secret: &str) -> u16 {
    let asked = with(service, method, path, secret).json(&json!({}));
    answer(asked).await.0.as_u16()
}

#[actix_web::test]
async fn each_role_may_what_its_name_says() {
    let service = start(site(2), &[("API_KEY", KEY)]).await;
    let ops = service.synced_index("ops", &["OPS"]).await;
    let eng = service.synced_index("eng", &["ENG"]).await;
    let (_, admin) = key(&service, json!({"name": "Root", "role": "administrator"})).await;
    let (_, reader) = key(&service, json!({"name": "Rae", "role": "reader"})).await;
    let own = json!({"name": "Ed", "role": "editor", "indexes": [id(&ops)]});
    let (_, editor) = key(&service, own).await;
    let both = json!({"name": "bot", "role": "agent", "indexes": [id(&ops), id(&eng)]});
    let (_, agent) = key(&service, both).await;

    let run = ops["last_run"]["id"].as_str().unwrap();
    let other_run = eng["last_run"]["id"].as_str().unwrap();
    let (ops_id, eng_id) = (id(&ops), id(&eng));
    use Method as M;
    // Of the administrator, the reader, the editor of `ops` and the agent of both.
    let rights = [
        (
            M::GET,
            format!("/api/indexes/{ops_id}"),
            [200, 200, 200, 200],
        ),
        (
            M::GET,
            format!("/api/indexes/{eng_id}"),
            [200, 200, 404, 200],
        ),
        (
            M::GET,
            format!("/api/runs/{other_run}"),
            [200, 200, 404, 200],
        ),
        (
            M::GET,
            format!("/api/runs/{run}/pages"),
            [200, 403, 200, 403],
        ),
        (
            M::GET,
            format!("/api/runs/{other_run}/pages"),
            [200, 403, 404, 403],
        ),
        (
            M::GET,
            format!("/api/indexes/{ops_id}/question"),
            [200, 403, 200, 403],
        ),
        (
            M::GET,
            format!("/api/indexes/{ops_id}/tokens"),
            [200, 403, 200, 403],
        ),
        (
            M::GET,
            format!("/api/indexes/{eng_id}/tokens"),
            [200, 403, 404, 403],
        ),
        (
            M::PATCH,
            format!("/api/indexes/{ops_id}"),
            [200, 403, 200, 403],
        ),
        (
            M::PATCH,
            format!("/api/indexes/{eng_id}"),
            [200, 403, 404, 403],
        ),
        (
            M::POST,
            format!("/api/indexes/{ops_id}/tokens"),
            [201, 403, 201, 403],
        ),
        (
            M::POST,
            format!("/api/indexes/{eng_id}/sync"),
            [202, 403, 404, 403],
        ),
        (
            M::POST,
            "/api/indexes/agent/ops/sync".to_owned(),
            [202, 403, 202, 403],
        ),
        (
            M::POST,
            "/api/indexes/agent/eng/sync".to_owned(),
            [202, 403, 404, 403],
        ),
        (
            M::POST,
            format!("/api/runs/{other_run}/cancel"),
            [409, 403, 404, 403],
        ),
        (
            M::POST,
            format!("/api/runs/{other_run}/confirm"),
            [422, 403, 422, 403],
        ),
        (
            M::DELETE,
            format!("/api/indexes/{eng_id}/nothing"),
            [404, 404, 404, 404],
        ),
        (M::GET, "/api/spaces".to_owned(), [200, 403, 200, 403]),
        (M::POST, "/api/indexes".to_owned(), [422, 403, 422, 403]),
        (M::GET, "/api/keys".to_owned(), [200, 403, 403, 403]),
        (M::POST, "/api/keys".to_owned(), [422, 403, 403, 403]),
        (M::GET, "/api/audit".to_owned(), [200, 403, 403, 403]),
        (M::GET, "/api/audit/export".to_owned(), [200, 403, 403, 403]),
        (M::GET, "/api/doctor".to_owned(), [200, 403, 403, 403]),
        (M::GET, "/metrics".to_owned(), [200, 403, 403, 403]),
        (
            M::POST,
            "/api/notices/test".to_owned(),
            [422, 403, 403, 403],
        ),
    ];
    let keys = [&admin, &reader, &editor, &agent];
    for (method, path, expected) in rights {
        let mut found = [0; 4];
        for (found, secret) in found.iter_mut().zip(keys) {
            *found = status(&service, method.clone(), &path, secret).await;
        }
        assert_eq!(found, expected, "{method} {path}");
    }
    let listed = async |secret: &str| {
        let (_, list) = answer(with(&service, M::GET, "/api/indexes", secret)).await;
        let items = list["items"].as_array().unwrap();
        let agents = items
            .iter()
            .map(|index| index["agent_id"].as_str().unwrap());
        agents.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(listed(&admin).await, "eng ops");
    assert_eq!(listed(&reader).await, "eng ops");
    assert_eq!(listed(&editor).await, "ops");
    assert_eq!(listed(&agent).await, "eng ops");
    let runs = async |secret: &str| {
        let (_, list) = answer(with(&service, M::GET, "/api/runs", secret)).await;
        let runs = list["items"].as_array().unwrap();
        runs.iter().any(|run| run["index_id"] == eng["id"])
    };
    assert!(runs(&agent).await && !runs(&editor).await);
    // The key itself is not a member of any list, and nothing of the secret is.
    let (_, keys) = service.get("/api/keys").await;
    let keys = keys.to_string();
    assert!(!keys.contains(&admin) && !keys.contains(&agent) && keys.contains("\"Rae\""));
    service.stop().await;
}

#[actix_web::test]
async fn an_editor_looks_after_what_he_makes_and_hears_of_it_at_once() {
    let service = start_program(site(1), &[("API_KEY", KEY)]).await;
    let foreign = service.synced_index("ops", &["OPS"]).await;
    let (record, editor) = key(&service, json!({"name": "Ed", "role": "editor"})).await;
    assert_eq!(record["indexes"], json!([]));
    let events = with(&service, Method::GET, "/api/events", &editor);
    let mut events = events.send().await.unwrap();
    let mut told = String::new();
    while !told.contains("event: snapshot") {
        told += std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap();
    }
    assert!(!told.contains(id(&foreign)), "{told}");

    let body = json!({"name": "Mine", "agent_id": "mine", "confluence_spaces": ["ENG"]});
    let asked = with(&service, Method::POST, "/api/indexes", &editor).json(&body);
    let (status, mine) = answer(asked).await;
    assert_eq!(status, 201, "{mine}");
    while !told.contains("event: run_finished") {
        told += std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap();
    }
    assert!(told.contains(id(&mine)) && !told.contains(id(&foreign)));
    let path = format!("/api/indexes/{}", id(&mine));
    let change = with(&service, Method::PATCH, &path, &editor).json(&json!({"name": "Ours"}));
    assert_eq!(answer(change).await.1["name"], "Ours");
    let (_, keys) = service.get("/api/keys").await;
    assert_eq!(keys["items"][0]["indexes"], json!([mine["id"]]));
    assert_eq!(
        answer(with(&service, Method::DELETE, &path, &editor))
            .await
            .0,
        204
    );
    let (_, list) = answer(with(&service, Method::GET, "/api/indexes", &editor)).await;
    assert_eq!(list["items"], json!([]));
    service.stop().await;
}

#[actix_web::test]
async fn bad_keys_are_refused_by_the_name_of_their_field() {
    let service = start(site(0), &[("API_KEY", KEY)]).await;
    let ops = service.index("ops", &["OPS"]).await;
    for (fields, bad) in [
        (json!({}), vec!["name", "role"]),
        (json!({"name": " ", "role": "root"}), vec!["name", "role"]),
        (json!({"name": "a", "role": "agent"}), vec!["indexes"]),
        (
            json!({"name": "a", "role": "agent", "indexes": "ops"}),
            vec!["indexes"],
        ),
        (
            json!({"name": "a", "role": "reader", "indexes": [id(&ops)]}),
            vec!["indexes"],
        ),
        (
            json!({"name": "a", "role": "reader", "expires_in_days": 0}),
            vec!["expires_in_days"],
        ),
        (
            json!({"name": "a", "role": "reader", "rolle": 1}),
            vec!["rolle"],
        ),
    ] {
        let (status, problem) = service.post("/api/keys", fields.clone()).await;
        let errors = problem["errors"].as_array().unwrap();
        let named: Vec<&str> = errors
            .iter()
            .map(|e| e["field"].as_str().unwrap())
            .collect();
        assert_eq!((status.as_u16(), named), (422, bad), "{fields}");
    }
    let nowhere = json!({"name": "a", "role": "agent", "indexes": [uuid::Uuid::nil()]});
    assert_problem(&service.post("/api/keys", nowhere).await, 404, "not_found");
    for unknown in ["x", "00000000-0000-0000-0000-000000000000"] {
        let path = format!("/api/keys/{unknown}");
        assert_problem(&service.delete(&path).await, 404, "not_found");
        let replaced = service.post(&format!("{path}/replace"), json!({})).await;
        assert_problem(&replaced, 404, "not_found");
    }
    assert_eq!(service.get("/api/keys").await.1["items"], json!([]));
    service.stop().await;
}

#[actix_web::test]
async fn a_replaced_key_ends_when_it_was_said_and_a_revoked_one_at_once() {
    let service = start_program(site(0), &[("API_KEY", KEY)]).await;
    let (old, secret) = key(&service, json!({"name": "Rae", "role": "reader"})).await;
    let replace = format!("/api/keys/{}/replace", id(&old));
    let (status, heir) = service.post(&replace, json!({})).await;
    assert_eq!(status, 201, "{heir}");
    assert_eq!((&heir["name"], &heir["role"]), (&old["name"], &old["role"]));
    let heirs = heir["token"].as_str().unwrap().to_owned();
    let lets_in = async |secret: &str| {
        let list = with(&service, Method::GET, "/api/indexes", secret);
        list.send().await.unwrap().status() == 200
    };
    assert!(lets_in(&secret).await && lets_in(&heirs).await);
    let stream = with(&service, Method::GET, "/api/events", &heirs);
    let mut stream = stream.send().await.unwrap();
    // At once: its stream ends too, though it had no end of its own when it was opened.
    let again = format!("/api/keys/{}/replace", id(&heir));
    let (_, last) = service.post(&again, json!({"old_ends_in_hours": 0})).await;
    assert!(!lets_in(&heirs).await && lets_in(last["token"].as_str().unwrap()).await);
    let over = async { while let Ok(Some(_)) = stream.chunk().await {} };
    tokio::time::timeout(std::time::Duration::from_secs(10), over)
        .await
        .unwrap();
    let wrong = service
        .post(&again, json!({"old_ends_in_hours": 721}))
        .await;
    assert_problem(&wrong, 422, "invalid_field");
    assert_eq!(
        service.delete(&format!("/api/keys/{}", id(&old))).await.0,
        204
    );
    assert!(!lets_in(&secret).await);
    service.stop().await;
}

#[actix_web::test]
async fn people_sign_in_to_the_page_with_their_own_key() {
    let mut service = start(site(0), &[("API_KEY", KEY)]).await;
    let index = service.index("ops", &["OPS"]).await;
    let (record, reader) = key(&service, json!({"name": "Rae", "role": "reader"})).await;
    let (_, agent) = service.new_token(&index).await;
    let sign_in = async |service: &Service, key: &str| {
        let session = service.http.post(format!("{}/api/session", service.base));
        let opened = session.json(&json!({"key": key})).send().await.unwrap();
        let cookie = opened.headers().get("set-cookie").cloned();
        let cookie =
            cookie.map(|text| text.to_str().unwrap().split(';').next().unwrap().to_owned());
        (opened.status().as_u16(), cookie)
    };
    assert_eq!(sign_in(&service, &agent).await, (403, None));
    assert_eq!(sign_in(&service, "mcs_unknown").await, (401, None));
    let (status, cookie) = sign_in(&service, &reader).await;
    let cookie = cookie.unwrap();
    assert_eq!(status, 200);
    let ask = async |service: &Service, method: Method, path: &str| {
        let asked = service
            .http
            .request(method, format!("{}{path}", service.base));
        answer(asked.header("cookie", &cookie).json(&json!({}))).await
    };
    let stands =
        json!({"required": true, "signed_in": true, "role": "reader", "name": "Rae", "oidc": null});
    assert_eq!(ask(&service, Method::GET, "/api/session").await.1, stands);
    assert_eq!(ask(&service, Method::GET, "/api/indexes").await.0, 200);
    assert_eq!(ask(&service, Method::POST, "/api/indexes").await.0, 403);

    service.restart(&[("API_KEY", KEY)]).await;
    assert_eq!(ask(&service, Method::GET, "/api/session").await.1, stands);
    assert_eq!(
        service
            .delete(&format!("/api/keys/{}", id(&record)))
            .await
            .0,
        204
    );
    let out =
        json!({"required": true, "signed_in": false, "role": null, "name": null, "oidc": null});
    assert_eq!(ask(&service, Method::GET, "/api/session").await.1, out);
    let refused = ask(&service, Method::GET, "/api/indexes").await;
    assert_problem(&refused, 401, "unauthorized");
    assert_eq!(ask(&service, Method::GET, "/health").await.0, 200);
    service.stop().await;
}

#[actix_web::test]
async fn who_did_what_is_kept_and_told_to_administrators() {
    let service = start(site(1), &[("API_KEY", KEY)]).await;
    let index = service.synced_index("ops", &["OPS"]).await;
    let (rae, reader) = key(&service, json!({"name": "Rae", "role": "reader"})).await;
    let path = format!("/api/indexes/{}", id(&index));
    let renamed = service.patch(&path, json!({"name": "Operations"})).await;
    assert_eq!(renamed.0, 200);
    // Neither what is wrong nor what only reads is done; what may not be is told apart.
    assert_eq!(service.patch(&path, json!({"name": 1})).await.0, 422);
    assert_eq!(service.get(&path).await.0, 200);
    let query = service.post("/api/indexes/agent/ops/query", json!({"query": "zebra"}));
    assert_eq!(query.await.0, 200);
    assert_eq!(status(&service, Method::DELETE, &path, &reader).await, 403);
    let (token, _) = service.new_token(&index).await;
    assert_eq!(service.delete(&token).await.0, 204);

    let (_, audit) = service.get("/api/audit").await;
    let told: Vec<Value> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            json!([
                e["action"],
                e["outcome"],
                e["actor"],
                e["index_id"] == index["id"],
                e["detail"]
            ])
        })
        .collect();
    let admin = "the administrator (by the API key)";
    assert_eq!(
        Value::from(told),
        json!([
            ["revoke_token", "done", admin, true, null],
            ["create_token", "done", admin, true, {}],
            ["delete_index", "refused", "Rae, reader (by a key)", true, null],
            ["change_index", "done", admin, true, {"name": "Operations"}],
            ["create_key", "done", admin, false, {"name": "Rae", "role": "reader"}],
            [
                "create_index",
                "done",
                admin,
                true,
                {"name": "Index of ops", "agent_id": "ops", "confluence_spaces": ["OPS"]}
            ],
        ])
    );
    let items = audit["items"].as_array().unwrap();
    assert_eq!(items[2]["token_id"], rae["id"]);
    assert_eq!(items[4]["subject"], rae["id"]);
    assert!(items.iter().all(|entry| entry["address"] == "127.0.0.1"));

    let first = service.get("/api/audit?limit=4").await.1;
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = service
        .get(&format!("/api/audit?limit=4&cursor={cursor}"))
        .await
        .1;
    assert_eq!(rest["items"].as_array().unwrap().len(), 2);
    let changes = service.get("/api/audit?action=change_index").await.1;
    assert_eq!(changes["items"].as_array().unwrap().len(), 1);
    let of_index = service
        .get(&format!("/api/audit?index_id={}", id(&index)))
        .await
        .1;
    assert_eq!(of_index["items"].as_array().unwrap().len(), 5);
    assert_problem(
        &service.get("/api/audit?since=soon").await,
        422,
        "invalid_field",
    );
    assert_problem(
        &service.get("/api/audit?cursor=x").await,
        422,
        "invalid_field",
    );

    // Whoever is refused again and again fills no disk.
    for _ in 0..100 {
        assert_eq!(status(&service, Method::DELETE, &path, &reader).await, 403);
    }
    let refused = service
        .get("/api/audit?action=delete_index&limit=500")
        .await
        .1;
    let refused = refused["items"].as_array().unwrap().len();
    assert!((60..=62).contains(&refused), "{refused} are kept");
    let (_, audit) = service.get("/api/audit?limit=500").await;

    let export = service.request(Method::GET, "/api/audit/export");
    let export = export.send().await.unwrap();
    assert_eq!(export.headers()["content-type"], "application/x-ndjson");
    let lines = export.text().await.unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(Value::from(lines), audit["items"]);
    service.stop().await;
}

#[actix_web::test]
async fn an_agent_of_two_indexes_searches_both_over_mcp() {
    let service = start(site(2), &[("API_KEY", KEY)]).await;
    let ops = service.synced_index("ops", &["OPS"]).await;
    let eng = service.synced_index("eng", &["ENG"]).await;
    service.synced_index("all", &["OPS", "ENG"]).await;
    let both = json!({"name": "bot", "role": "agent", "indexes": [id(&ops), id(&eng)]});
    let (record, agent) = key(&service, both).await;
    for (named, known) in [
        ("", vec!["ENG", "OPS"]),
        ("?agent_id=ops", vec!["OPS"]),
        ("?agent_id=all", vec!["ENG", "OPS"]),
    ] {
        let mut client = Client::open(&service.base, named, &agent).await;
        client.initialize().await;
        let call = json!({"name": "list_spaces", "arguments": {}});
        let answer = client.ask(1, "tools/call", call).await;
        let spaces = &answer["result"]["structuredContent"]["items"];
        let spaces = spaces.as_array().unwrap().iter();
        let keys: Vec<&str> = spaces.map(|space| space["key"].as_str().unwrap()).collect();
        assert_eq!(keys, known, "{named}");
    }
    // By REST, the agent of each.
    for agent_id in ["ops", "eng"] {
        let path = format!("/api/indexes/agent/{agent_id}/query");
        let asked = with(&service, Method::POST, &path, &agent).json(&json!({"query": "zebra"}));
        assert_eq!(answer(asked).await.0, 200, "{agent_id}");
    }
    let path = "/api/indexes/agent/all/query";
    let asked = with(&service, Method::POST, path, &agent).json(&json!({"query": "zebra"}));
    assert_problem(&answer(asked).await, 404, "not_found");
    // Taken from it for one index, it reads the other.
    let token = format!("/api/indexes/{}/tokens/{}", id(&ops), id(&record));
    assert_eq!(service.delete(&token).await.0, 204);
    let reads = async |index: &Value| {
        let path = format!("/api/indexes/{}", id(index));
        status(&service, Method::GET, &path, &agent).await
    };
    assert_eq!((reads(&ops).await, reads(&eng).await), (404, 200));
    let (_, keys) = service.get("/api/keys").await;
    assert_eq!(keys["items"][0]["indexes"], json!([eng["id"]]));
    service.stop().await;
}
