//! Who may: every kind of credential against every kind of path.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::support::{Service, answer, assert_problem, id, site, start};

const KEY: &str = "administrator-key";

fn with(service: &Service, method: Method, path: &str, credential: &str) -> RequestBuilder {
    let request = service
        .http
        .request(method, format!("{}{path}", service.base));
    match credential {
        "" => request,
        bearer => request.bearer_auth(bearer),
    }
}

#[actix_web::test]
async fn with_a_key_everything_is_closed_but_what_is_named() {
    let service = start(site(0), &[("API_KEY", KEY)]).await;
    for open in [
        "/",
        "/health",
        "/health/live",
        "/health/ready",
        "/openapi.json",
        "/docs",
        "/docs/problems",
        "/docs/swagger-ui.css",
    ] {
        assert_eq!(
            with(&service, Method::GET, open, "")
                .send()
                .await
                .unwrap()
                .status(),
            200,
            "{open}"
        );
    }
    for closed in [
        "/api/indexes",
        "/api/runs",
        "/api/spaces",
        "/api/events",
        "/metrics",
        "/nowhere",
        "/api/nowhere",
    ] {
        for credential in ["", "wrong-key", "mcs_no-such-token"] {
            let refused = with(&service, Method::GET, closed, credential)
                .send()
                .await
                .unwrap();
            assert!(
                refused.headers()["www-authenticate"]
                    .to_str()
                    .unwrap()
                    .starts_with("Bearer"),
                "{closed}"
            );
            assert_problem(
                &answer(with(&service, Method::GET, closed, credential)).await,
                401,
                "unauthorized",
            );
        }
    }
    // Before the body is even looked at.
    let body = with(&service, Method::POST, "/api/indexes", "").body("{");
    assert_problem(&answer(body).await, 401, "unauthorized");
    for header in ["Basic YTpi", "Bearer", "Bearer ", "administrator-key"] {
        let request =
            with(&service, Method::GET, "/api/indexes", "").header("authorization", header);
        assert_problem(&answer(request).await, 401, "unauthorized");
    }
    assert_eq!(
        with(&service, Method::GET, "/api/indexes", KEY)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    let by_header = with(&service, Method::GET, "/api/indexes", "").header("x-api-key", KEY);
    assert_eq!(by_header.send().await.unwrap().status(), 200);
    service.stop().await;
}

#[actix_web::test]
async fn without_a_key_on_loopback_all_is_open_but_a_wrong_credential_is_refused() {
    let service = start(site(0), &[]).await;
    assert_eq!(
        with(&service, Method::GET, "/api/indexes", "")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_problem(
        &answer(with(&service, Method::GET, "/api/indexes", "some-key")).await,
        401,
        "unauthorized",
    );
    let header = with(&service, Method::GET, "/api/indexes", "").header("x-api-key", "x");
    assert_problem(&answer(header).await, 401, "unauthorized");
    service.stop().await;
}

#[actix_web::test]
async fn an_agent_token_reads_its_own_index_and_nothing_else() {
    let service = start(site(2), &[("API_KEY", KEY)]).await;
    let own = service.synced_index("own", &["OPS"]).await;
    let other = service.synced_index("other", &["ENG"]).await;
    let (_, token) = service
        .post(&format!("/api/indexes/{}/tokens", id(&own)), json!({}))
        .await;
    let token = token["token"].as_str().unwrap();
    let get = async |path: String| answer(with(&service, Method::GET, &path, token)).await;

    let own_run = own["last_run"]["id"].as_str().unwrap();
    for readable in [
        format!("/api/indexes/{}", id(&own)),
        "/api/indexes/agent/own".to_owned(),
        format!("/api/indexes/{}/pages", id(&own)),
        format!("/api/runs/{own_run}"),
    ] {
        assert_eq!(get(readable.clone()).await.0, 200, "{readable}");
    }
    let (_, list) = get("/api/indexes".to_owned()).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let (_, runs) = get("/api/runs".to_owned()).await;
    assert!(
        runs["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|run| run["index_id"] == own["id"])
    );
    let query = |agent: &str| {
        answer(
            with(
                &service,
                Method::POST,
                &format!("/api/indexes/agent/{agent}/query"),
                token,
            )
            .json(&json!({"query": "zebra"})),
        )
    };
    assert_eq!(query("own").await.0, 200);
    assert_problem(&query("other").await, 404, "not_found");

    let other_run = other["last_run"]["id"].as_str().unwrap();
    for hidden in [
        format!("/api/indexes/{}", id(&other)),
        "/api/indexes/agent/other".to_owned(),
        format!("/api/indexes/{}/pages", id(&other)),
        format!("/api/indexes/{}/events", id(&other)),
        format!("/api/runs/{other_run}"),
    ] {
        assert_problem(&get(hidden).await, 404, "not_found");
    }
    for admin_only in [
        "/api/spaces".to_owned(),
        "/metrics".to_owned(),
        format!("/api/indexes/{}/tokens", id(&own)),
    ] {
        assert_problem(&get(admin_only).await, 403, "forbidden");
    }
    let own_id = id(&own);
    for (method, path) in [
        (Method::POST, "/api/indexes".to_owned()),
        (Method::PATCH, format!("/api/indexes/{own_id}")),
        (Method::DELETE, format!("/api/indexes/{own_id}")),
        (Method::POST, format!("/api/indexes/{own_id}/sync")),
        (Method::POST, "/api/indexes/agent/own/sync".to_owned()),
        (Method::POST, format!("/api/runs/{own_run}/cancel")),
        (Method::POST, format!("/api/runs/{own_run}/confirm")),
        (Method::POST, format!("/api/indexes/{own_id}/pages/1/retry")),
        (Method::POST, format!("/api/indexes/{own_id}/tokens")),
        (Method::DELETE, format!("/api/indexes/{}", id(&other))),
    ] {
        let refused = answer(with(&service, method.clone(), &path, token).json(&json!({}))).await;
        assert_eq!(
            (refused.0.as_u16(), refused.1["code"].as_str()),
            (403, Some("forbidden")),
            "{method} {path}"
        );
    }
    service.stop().await;
}

#[actix_web::test]
async fn the_web_page_trades_the_key_for_a_cookie() {
    let service = start(site(0), &[("API_KEY", KEY)]).await;
    let session = || service.http.post(format!("{}/api/session", service.base));
    let (_, view) = answer(with(&service, Method::GET, "/api/session", "")).await;
    assert_eq!(view, json!({"required": true, "signed_in": false}));
    assert_problem(
        &answer(session().json(&json!({"key": "wrong"}))).await,
        401,
        "unauthorized",
    );
    let opened = session().json(&json!({"key": KEY})).send().await.unwrap();
    assert_eq!(opened.status(), 200);
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Strict")
            && cookie.contains("Path=/"),
        "{cookie}"
    );
    assert!(!cookie.contains(KEY));
    let value = cookie.split(';').next().unwrap();
    let list = || with(&service, Method::GET, "/api/indexes", "").header("cookie", value);
    assert_eq!(list().send().await.unwrap().status(), 200);
    let closed = with(&service, Method::DELETE, "/api/session", "")
        .header("cookie", value)
        .send()
        .await
        .unwrap();
    assert_eq!(closed.status(), 204);
    assert_problem(&answer(list()).await, 401, "unauthorized");
    for _ in 0..30 {
        let refused = session()
            .json(&json!({"key": "wrong"}))
            .send()
            .await
            .unwrap();
        if refused.status() == 429 {
            // Behind a proxy somebody else is somebody else.
            let other = session().header("x-forwarded-for", "198.51.100.7");
            let other = other.json(&json!({"key": KEY})).send().await.unwrap();
            assert_eq!(other.status(), 200);
            return service.stop().await;
        }
    }
    panic!("guessing is never slowed down");
}

#[actix_web::test]
async fn foreign_hosts_and_origins_are_refused_everywhere() {
    let service = start(site(0), &[("ALLOWED_ORIGINS", "https://chat.example.com")]).await;
    for path in ["/", "/api/indexes", "/health", "/openapi.json", "/mcp/sse"] {
        let host = with(&service, Method::GET, path, "").header("host", "evil.example.com");
        assert_eq!(host.send().await.unwrap().status(), 403, "{path}");
        let origin =
            with(&service, Method::GET, path, "").header("origin", "https://evil.example.com");
        assert_eq!(origin.send().await.unwrap().status(), 403, "{path}");
    }
    let origin = |origin: &str| {
        with(&service, Method::GET, "/api/indexes", "").header("origin", origin.to_owned())
    };
    assert_problem(&answer(origin("null")).await, 403, "origin_not_allowed");
    assert_eq!(origin(&service.base).send().await.unwrap().status(), 200);
    let allowed = origin("https://chat.example.com").send().await.unwrap();
    assert_eq!(
        allowed.headers()["access-control-allow-origin"],
        "https://chat.example.com"
    );
    let preflight = with(&service, Method::OPTIONS, "/api/indexes", "")
        .header("origin", "https://chat.example.com")
        .header("access-control-request-method", "POST");
    assert_eq!(preflight.send().await.unwrap().status(), 204);
    let host = with(&service, Method::GET, "/api/indexes", "").header("host", "localhost:1");
    assert_eq!(host.send().await.unwrap().status(), 200);
    service.stop().await;
}
