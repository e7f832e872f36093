//! Who may: every kind of credential against every kind of path.

use std::time::Instant;

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::attacks::{all_held, in_full, peak};
use crate::support::{Service, answer, assert_problem, id, read, site, start, start_program};

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
            let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("Bearer"), "{closed}");
            assert_problem(&read(refused).await, 401, "unauthorized");
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
    let (_, token) = service.new_token(&own).await;
    let token = token.as_str();
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
    assert_eq!(
        view,
        json!({"required": true, "signed_in": false, "role": null, "name": null, "oidc": null})
    );
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
    service.stop().await;
}

/// Signs in to the web page; the cookie as a browser sends it.
async fn signed_in(service: &Service, key: &str) -> String {
    let session = service.http.post(format!("{}/api/session", service.base));
    let opened = session.json(&json!({"key": key})).send().await.unwrap();
    assert_eq!(opened.status(), 200);
    let cookie = opened.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[actix_web::test]
async fn a_restart_signs_nobody_out_of_the_web_page_but_signing_out_and_another_key_do() {
    let mut service = start(site(0), &[("API_KEY", KEY)]).await;
    let (stays, leaves) = (
        signed_in(&service, KEY).await,
        signed_in(&service, KEY).await,
    );
    let status = async |service: &Service, cookie: &str| {
        let list = with(service, Method::GET, "/api/indexes", "").header("cookie", cookie);
        list.send().await.unwrap().status().as_u16()
    };
    let closed = with(&service, Method::DELETE, "/api/session", "").header("cookie", &leaves);
    assert_eq!(closed.send().await.unwrap().status(), 204);

    service.restart(&[("API_KEY", KEY)]).await;
    assert_eq!(status(&service, &stays).await, 200);
    assert_eq!(status(&service, &leaves).await, 401);

    // Another key knows none of them; the first one does again.
    service.restart(&[("API_KEY", "another-key")]).await;
    assert_eq!(status(&service, &stays).await, 401);
    service.restart(&[]).await;
    assert_eq!(status(&service, &stays).await, 200, "nothing is asked for");
    service.restart(&[("API_KEY", KEY)]).await;
    assert_eq!(status(&service, &stays).await, 200);

    // Neither cookie nor key is in the database.
    let secret = stays.split('=').nth(1).unwrap();
    for file in std::fs::read_dir(service.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let holds = |text: &str| {
            bytes
                .windows(text.len())
                .any(|some| some == text.as_bytes())
        };
        assert!(!holds(secret) && !holds(KEY));
    }
    service.stop().await;
}

/// A wrong credential, presented in one of all ways.
fn wrong(service: &Service, way: usize) -> RequestBuilder {
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}});
    match way % 8 {
        0 => with(service, Method::POST, "/api/session", "").json(&json!({"key": "wrong"})),
        1 => with(service, Method::GET, "/api/indexes", "wrong"),
        2 => with(service, Method::GET, "/metrics", "").header("x-api-key", "wrong"),
        3 => with(service, Method::GET, "/mcp/sse", "wrong"),
        4 => with(
            service,
            Method::POST,
            "/mcp/messages?sessionId=x",
            "mcs_wrong",
        )
        .body("{}"),
        5 => with(service, Method::POST, "/mcp", "wrong").json(&initialize),
        6 => with(service, Method::GET, "/api/events", "").header("authorization", "Basic YTpi"),
        _ => with(service, Method::DELETE, "/nowhere", "mcs_wrong"),
    }
}

/// Presents `tries` wrong credentials; answers how many were told so, the others being too many. One more may be within the
/// budget for each 3 s that this takes.
async fn within_budget(tries: usize, present: impl Fn(usize) -> RequestBuilder) -> usize {
    let mut told = 0;
    for n in 0..tries {
        let refused = present(n).send().await.unwrap();
        match refused.status().as_u16() {
            401 => told += 1,
            status => {
                assert_eq!(status, 429, "{n}");
                assert_eq!(refused.headers()["retry-after"], "60");
                assert_problem(&read(refused).await, 429, "rate_limited");
            }
        }
    }
    told
}

#[actix_web::test]
async fn failed_credentials_have_one_budget_on_every_path_that_locks_nobody_out() {
    let service = start_program(site(0), &[("API_KEY", KEY)]).await;
    let index = service.index("ops", &["OPS"]).await;
    let (_, token) = service
        .post(&format!("/api/indexes/{}/tokens", id(&index)), json!({}))
        .await;
    let session = || with(&service, Method::POST, "/api/session", "").json(&json!({"key": KEY}));
    let opened = session().send().await.unwrap();
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().to_owned();
    let began = Instant::now();
    let told = within_budget(300, |n| {
        // Who it says it is makes no difference.
        wrong(&service, n).header("x-forwarded-for", format!("198.51.100.{}", n % 250))
    })
    .await;
    let refilled = began.elapsed().as_secs() as usize / 3 + 1;
    assert!((20..=20 + refilled).contains(&told), "{told} of 300");
    // On every path, whichever it was used up on.
    for way in 0..8 {
        assert!(
            within_budget(3, |_| wrong(&service, way)).await < 3,
            "{way}"
        );
    }
    let indexes = |credential| with(&service, Method::GET, "/api/indexes", credential);
    for right in [
        indexes(KEY),
        indexes(token["token"].as_str().unwrap()),
        indexes("").header("x-api-key", KEY),
        indexes("").header("cookie", cookie.split(';').next().unwrap()),
        with(&service, Method::GET, "/mcp/sse", KEY),
        session(),
    ] {
        assert_eq!(right.send().await.unwrap().status(), 200);
    }
    // Without credentials nothing is guessed, and a client has to hear which it needs.
    assert_problem(&answer(indexes("")).await, 401, "unauthorized");
    all_held("C13", 324, Some(service.pid()));
    service.stop().await;
}

#[actix_web::test]
async fn behind_a_trusted_proxy_each_client_has_a_budget_of_its_own() {
    let settings = [("API_KEY", KEY), ("TRUSTED_PROXIES", "127.0.0.0/8")];
    let service = start(site(0), &settings).await;
    let began = Instant::now();
    let from = async |client: &str, tries| {
        let named = format!("203.0.113.9, {client}");
        let present = |n| wrong(&service, n).header("x-forwarded-for", named.as_str());
        within_budget(tries, present).await
    };
    let told = from("198.51.100.1", 40).await;
    let refilled = began.elapsed().as_secs() as usize / 3 + 1;
    assert!((20..=20 + refilled).contains(&told), "{told} of 40");
    assert_eq!(from("198.51.100.2", 8).await, 8);
    service.stop().await;
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

/// Before anything else is looked at: its host, its path, its credentials.
#[actix_web::test]
async fn a_method_that_nobody_knows_is_refused_first_and_makes_no_label() {
    let service = start_program(site(0), &[("API_KEY", KEY)]).await;
    let counted = async || -> u64 {
        let (_, numbers) = service.get("/metrics").await;
        let numbers = numbers.as_str().unwrap().to_owned();
        assert!(!numbers.contains("MADEUP"), "{numbers}");
        numbers
            .lines()
            .filter(|line| line.starts_with("mcp_confluence_http_requests_total{"))
            .filter(|line| line.contains("method=\"other\"") && line.contains("status=\"405\""))
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
            .sum()
    };
    let before = counted().await;
    let paths = ["/api/indexes", "/mcp", "/mcp/sse", "/nowhere", "/"];
    let many = if in_full() { 10_000 } else { 50 };
    for n in 0..many {
        let method = format!("MADEUP{n}{}", "X".repeat(10_000));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = with(&service, method, paths[n % paths.len()], "")
            .header("host", "evil.example.com")
            .send();
        let refused = request.await.unwrap();
        let allowed = refused.headers()["allow"].to_str().unwrap().to_owned();
        assert_eq!(allowed, "GET, HEAD, POST, PATCH, DELETE, OPTIONS");
        let refused = read(refused).await;
        assert_problem(&refused, 405, "method_not_allowed");
        let detail = refused.1["detail"].as_str().unwrap();
        assert!(detail.len() < 400, "{detail}");
    }
    assert_eq!(counted().await - before, many as u64);
    let pid = service.pid();
    assert!(peak(pid) < 100);
    all_held("C3", many, Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn two_credentials_of_one_kind_are_a_bad_request() {
    for settings in [&[("API_KEY", KEY)][..], &[]] {
        let service = start_program(site(0), settings).await;
        let ask = |headers: &[(&'static str, String)]| {
            let mut request = service.http.get(format!("{}/api/indexes", service.base));
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            answer(request)
        };
        let bearer = || ("authorization", format!("Bearer {KEY}"));
        let key = || ("x-api-key", KEY.to_owned());
        for twice in [
            [bearer(), bearer()],
            [bearer(), ("authorization", "Bearer other".to_owned())],
            [key(), key()],
        ] {
            assert_problem(&ask(&twice).await, 400, "bad_request");
        }
        if !settings.is_empty() {
            assert_eq!(ask(&[bearer(), key()]).await.0, 200);
        }
        service.stop().await;
    }
    all_held("D6", 6, None);
}

#[actix_web::test]
async fn every_answer_has_the_headers_that_keep_browsers_from_misreading_it() {
    for (base, is_https) in [
        ("http://sync.example.com", false),
        ("https://sync.example.com", true),
    ] {
        let service = start_program(site(0), &[("API_KEY", KEY), ("PUBLIC_BASE_URL", base)]).await;
        for (path, credential, status, no_store) in [
            ("/", "", 200, false),
            ("/assets/app.js", "", 200, false),
            ("/docs", "", 200, false),
            ("/docs/swagger-ui.css", "", 200, false),
            ("/docs/problems", "", 200, false),
            ("/openapi.json", "", 200, false),
            ("/health", "", 200, false),
            ("/nowhere", KEY, 404, false),
            ("/api/indexes", KEY, 200, true),
            ("/api/indexes", "", 401, true),
            ("/api/session", "", 200, true),
            ("/metrics", KEY, 200, true),
            ("/mcp", "", 401, true),
        ] {
            let told = with(&service, Method::GET, path, credential)
                .send()
                .await
                .unwrap();
            assert_eq!(told.status(), status, "{path}");
            let value = |name: &str| {
                let value = told.headers().get(name);
                value
                    .map(|value| value.to_str().unwrap())
                    .unwrap_or_default()
            };
            assert_eq!(value("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(value("referrer-policy"), "no-referrer", "{path}");
            let policy = value("content-security-policy");
            assert!(
                policy.starts_with("default-src 'none'")
                    && policy.contains("frame-ancestors 'none'"),
                "{path}: {policy}"
            );
            assert_eq!(value("cache-control") == "no-store", no_store, "{path}");
            let hsts = value("strict-transport-security");
            assert_eq!(hsts == "max-age=31536000", is_https, "{path}");
        }
        service.stop().await;
    }
    all_held("D7", 26, None);
}

#[actix_web::test]
async fn a_variable_that_nobody_filled_in_is_named() {
    let service = start(site(0), &[("API_KEY", KEY)]).await;
    for (secret, variable) in [
        ("${CONFLUENCE_SYNC_TOKEN}", true),
        ("{{CONFLUENCE_SYNC_TOKEN}}", true),
        ("${not a name}", false),
    ] {
        for path in ["/api/indexes", "/mcp"] {
            let refused = answer(with(&service, Method::GET, path, secret)).await;
            assert_problem(&refused, 401, "unauthorized");
            let detail = refused.1["detail"].as_str().unwrap();
            assert_eq!(detail.contains(secret), variable, "{detail}");
        }
    }
    service.stop().await;
}

#[actix_web::test]
async fn a_metrics_token_reads_the_numbers_and_nothing_else() {
    let token = "token-of-the-collector";
    let service = start(site(0), &[("API_KEY", KEY), ("METRICS_TOKEN", token)]).await;
    for path in ["/metrics", "/metrics/"] {
        let asked = service.http.get(format!("{}{path}", service.base));
        let told = asked.bearer_auth(token).send().await.unwrap();
        assert_eq!(told.status(), 200);
        assert!(
            told.text()
                .await
                .unwrap()
                .contains("mcp_confluence_build_info")
        );
    }
    for path in ["/api/indexes", "/api/doctor", "/mcp/sse", "/metrics/more"] {
        let asked = service.http.get(format!("{}{path}", service.base));
        assert_problem(&answer(asked.bearer_auth(token)).await, 403, "forbidden");
    }
    // Of `/health` it is told no more than strangers are.
    let asked = service.http.get(format!("{}/health", service.base));
    assert_eq!(asked.bearer_auth(token).send().await.unwrap().status(), 403);
    service.stop().await;
}
