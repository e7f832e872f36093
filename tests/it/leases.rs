//! What is open ends with the credentials that opened it.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response};
use serde_json::json;
use simulators::Fault;

use crate::attacks::all_held;
use crate::mcp_support::hello;
use crate::support::{Service, answer, id, site, start_program};

const KEY: &str = "administrator-key";
/// Within this everything has ended: a look every 2 s, and a busy machine.
const SOON: Duration = Duration::from_secs(8);

/// Reads a stream to its end.
async fn ends(mut response: Response) {
    while let Ok(Some(_)) = response.chunk().await {}
}

async fn opened(request: RequestBuilder) -> Response {
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.chunk().await.unwrap().is_some(), "it is open");
    response
}

/// Every kind of stream there is, opened with this token.
async fn streams(service: &Service, token: &str) -> Vec<Response> {
    let get = |path: &str| {
        let request = service.http.get(format!("{}{path}", service.base));
        request.bearer_auth(token)
    };
    let post = service
        .http
        .post(format!("{}/mcp", service.base))
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .json(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello("2025-06-18")}));
    let began = post.send().await.unwrap();
    let session = began.headers()["mcp-session-id"].clone();
    began.bytes().await.unwrap();
    let streamable = get("/mcp")
        .header("accept", "text/event-stream")
        .header("mcp-session-id", session)
        .header("mcp-protocol-version", "2025-06-18");
    vec![
        opened(get("/api/events")).await,
        opened(get("/mcp/sse").header("accept", "text/event-stream")).await,
        opened(streamable).await,
    ]
}

async fn all_end(streams: Vec<Response>) {
    let began = Instant::now();
    let all = futures_util::future::join_all(streams.into_iter().map(ends));
    tokio::time::timeout(SOON, all)
        .await
        .unwrap_or_else(|_| panic!("not all ended within {:?}", began.elapsed()));
}

#[actix_web::test]
async fn streams_end_when_their_token_is_revoked_and_when_its_index_is_deleted() {
    let service = start_program(site(1), &[("API_KEY", KEY)]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let other = service.synced_index("b", &["OPS"]).await;
    let (first_path, first) = service.new_token(&index).await;
    let (_, second) = service.new_token(&index).await;
    let (_, third) = service.new_token(&other).await;
    let of_first = streams(&service, &first).await;
    let of_second = streams(&service, &second).await;
    let mut of_third = streams(&service, &third).await;

    assert_eq!(service.delete(&first_path).await.0, 204);
    all_end(of_first).await;
    let deleted = format!("/api/indexes/{}", id(&index));
    assert_eq!(service.delete(&deleted).await.0, 204);
    all_end(of_second).await;

    // Another index's token goes on: its stream is told of what happens next.
    let sync = format!("/api/indexes/{}/sync", id(&other));
    assert_eq!(service.post(&sync, json!({})).await.0, 202);
    let events = &mut of_third[0];
    let told = tokio::time::timeout(SOON, events.chunk()).await.unwrap();
    assert!(told.unwrap().is_some());
    all_held("A7", 9, Some(service.pid()));
    service.stop().await;
}

#[actix_web::test]
async fn an_event_stream_ends_when_its_session_signs_out() {
    let service = start_program(site(1), &[("API_KEY", KEY)]).await;
    let sign_in = || {
        let session = format!("{}/api/session", service.base);
        service.http.post(session).json(&json!({"key": KEY}))
    };
    let cookie = async || {
        let signed_in = sign_in().send().await.unwrap();
        let cookie = signed_in.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    };
    let (mine, others) = (cookie().await, cookie().await);
    let ask = |method: Method, path: &str, cookie: &str| {
        let request = service
            .http
            .request(method, format!("{}{path}", service.base));
        request.header("cookie", cookie)
    };
    let mut kept = opened(ask(Method::GET, "/api/events", &others)).await;
    let stream = opened(ask(Method::GET, "/api/events", &mine)).await;
    assert_eq!(
        answer(ask(Method::DELETE, "/api/session", &mine)).await.0,
        204
    );
    let began = Instant::now();
    ends(stream).await;
    assert!(began.elapsed() < Duration::from_secs(1), "at once");
    let index = json!({"name": "a", "agent_id": "a", "confluence_spaces": ["OPS"]});
    let created = ask(Method::POST, "/api/indexes", &others).json(&index);
    assert_eq!(answer(created).await.0, 201);
    assert!(kept.chunk().await.unwrap().is_some(), "the other goes on");
    assert_eq!(answer(ask(Method::GET, "/api/indexes", &mine)).await.0, 401);
    service.stop().await;
}

#[actix_web::test]
async fn a_call_under_way_is_not_answered_to_a_revoked_token() {
    let site = site(0);
    site.create_page("OPS", None, "Birds", "<p>A falcon is fast.</p>");
    let service = start_program(site, &[("API_KEY", KEY), ("VERIFY_ON_READ", "strict")]).await;
    let index = service.synced_index("a", &["OPS"]).await;
    let (path, token) = service.new_token(&index).await;
    // Each read of the answer's pages waits for Confluence for 4.5 s.
    service
        .sim
        .fail_always("/pages", Fault::Slow(Duration::from_millis(4_500)));
    let query = service
        .http
        .post(format!("{}/api/indexes/agent/a/query", service.base))
        .bearer_auth(&token)
        .json(&json!({"query": "falcon"}));
    let asked = actix_web::rt::spawn(async move { answer(query).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(service.delete(&path).await.0, 204);
    let (status, body) = asked.await.unwrap();
    assert_eq!(status, 401, "{body}");
    service.stop().await;
}
