//! Streamable HTTP on the wire, where our own rules come on top of the SDK's.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use mcp_confluence::mcp::streamable::book::SessionBook;
use reqwest::Response;
use serde_json::{Value, json};

use crate::mcp_support::{Seen, Server, Stream, hello, http, start};

async fn post(server: &Server, bearer: &str, session: Option<&str>, message: Value) -> Response {
    post_by(&http(), server, bearer, session, message).await
}

/// By a client that there is already: making one takes a while.
async fn post_by(
    http: &reqwest::Client,
    server: &Server,
    bearer: &str,
    session: Option<&str>,
    message: Value,
) -> Response {
    let mut request = http
        .post(format!("{}/mcp", server.base))
        .bearer_auth(bearer)
        .header("accept", "application/json, text/event-stream")
        .json(&message);
    if let Some(session) = session {
        request = request
            .header("mcp-session-id", session)
            .header("mcp-protocol-version", "2025-11-25");
    }
    request.send().await.unwrap()
}

async fn answer(response: Response, id: u64) -> Value {
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    if kind.starts_with("application/json") {
        return response.json().await.unwrap();
    }
    let mut stream = Stream::of(response);
    loop {
        let (_, data) = stream.event().await;
        // A priming event carries no message.
        if let Ok(message) = serde_json::from_str::<Value>(&data)
            && message["id"] == id
        {
            return message;
        }
    }
}

async fn open(server: &Server, bearer: &str) -> String {
    let message =
        json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello("2025-11-25")});
    let response = post(server, bearer, None, message).await;
    let session = response.headers()["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let told = answer(response, 0).await;
    assert_eq!(told["result"]["serverInfo"]["name"], "mcp-confluence");
    let noted = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(
        post(server, bearer, Some(&session), noted).await.status(),
        202
    );
    session
}

fn search(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "search_confluence", "arguments": {"query": "vpn"}}})
}

#[actix_web::test]
async fn a_session_opens_calls_and_ends() {
    let server = start(|_| {});
    let session = open(&server, "admin").await;
    let found = answer(post(&server, "admin", Some(&session), search(1)).await, 1).await;
    assert!(
        found["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("> About vpn")
    );
    let url = format!("{}/mcp", server.base);
    let ended = http()
        .delete(&url)
        .bearer_auth("admin")
        .header("mcp-session-id", &session)
        .send()
        .await
        .unwrap();
    assert!(ended.status().is_success());
    assert_eq!(
        post(&server, "admin", Some(&session), search(2))
            .await
            .status(),
        404
    );
}

#[actix_web::test]
async fn an_owner_has_two_hundred_sessions_and_the_idlest_ends_for_another() {
    let server = start(|_| {});
    let others = open(&server, "2").await;
    let client = reqwest::Client::new();
    let initialize = async || {
        let message = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello("2025-11-25")});
        let response = client
            .post(format!("{}/mcp", server.base))
            .bearer_auth("admin")
            .header("accept", "application/json, text/event-stream")
            .json(&message)
            .send()
            .await
            .unwrap();
        let session = response.headers()["mcp-session-id"].to_str().unwrap();
        let session = session.to_owned();
        answer(response, 0).await;
        session
    };
    let mut own = Vec::new();
    for _ in 0..200 {
        own.push(initialize().await);
    }
    let ping = async |bearer: &str, session: &str, n: u64| {
        let message = json!({"jsonrpc": "2.0", "id": n, "method": "ping"});
        let response = post(&server, bearer, Some(session), message).await;
        response.status().as_u16()
    };
    // The first is used again, so the second is the idlest when one more comes.
    assert_eq!(ping("admin", &own[0], 1).await, 200);
    let stream = http()
        .get(format!("{}/mcp", server.base))
        .bearer_auth("admin")
        .header("accept", "text/event-stream")
        .header("mcp-session-id", &own[2])
        .send()
        .await
        .unwrap();
    assert_eq!(stream.status(), 200);
    own.push(initialize().await);
    assert_eq!(ping("admin", &own[1], 2).await, 404);
    for kept in [0, 2, 3, 199, 200] {
        assert_eq!(ping("admin", &own[kept], 3).await, 200, "{kept}");
    }
    assert_eq!(ping("2", &others, 4).await, 200);
    // Idler than all the others by now, and yet somebody listens there.
    for _ in 0..198 {
        own.push(initialize().await);
    }
    assert_eq!(ping("admin", &own[3], 5).await, 404);
    assert_eq!(ping("admin", &own[2], 5).await, 200);
    // An ended session ends its stream.
    let ended = http()
        .delete(format!("{}/mcp", server.base))
        .bearer_auth("admin")
        .header("mcp-session-id", &own[2])
        .send()
        .await
        .unwrap();
    assert!(ended.status().is_success(), "{}", ended.status());
    let mut stream = Stream::of(stream);
    while stream.next().await != Seen::End {}
}

#[actix_web::test]
async fn an_initialize_above_8_kb_is_refused_and_other_messages_are_not() {
    let server = start(|_| {});
    let mut long = hello("2025-11-25");
    long["clientInfo"]["name"] = json!("n".repeat(9_000));
    let long = json!({"jsonrpc": "2.0", "id": 7, "method": "initialize", "params": long});
    let session = open(&server, "admin").await;
    for session in [None, Some(session.as_str())] {
        let refused = post(&server, "admin", session, long.clone()).await;
        assert_eq!(refused.status(), 413);
        assert!(!refused.headers().contains_key("mcp-session-id"));
        let refused: Value = refused.json().await.unwrap();
        assert_eq!(
            (&refused["id"], &refused["error"]["code"]),
            (&json!(7), &json!(-32600))
        );
        let why = refused["error"]["message"].as_str().unwrap();
        assert!(why.contains("8 kB (8192 bytes)"), "{why}");
    }
    let mut question = search(1);
    question["params"]["arguments"]["label"] = json!("l".repeat(9_000));
    let found = post(&server, "admin", Some(&session), question).await;
    answer(found, 1).await;
    let mut endless = search(2);
    endless["params"]["arguments"]["query"] = json!("q".repeat(1024 * 1024));
    let refused = post(&server, "admin", Some(&session), endless).await;
    assert_eq!(refused.status(), 413);
    assert!(refused.text().await.unwrap().contains("1048576 bytes"));
}

#[actix_web::test]
async fn what_is_no_message_is_a_json_rpc_error() {
    let server = start(|_| {});
    let session = open(&server, "admin").await;
    let send = async |body: &str| {
        http()
            .post(format!("{}/mcp", server.base))
            .bearer_auth("admin")
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-session-id", &session)
            .header("mcp-protocol-version", "2025-11-25")
            .body(body.to_owned())
            .send()
            .await
            .unwrap()
    };
    for (body, code, why) in [
        ("", -32700, "empty"),
        ("  ", -32700, "empty"),
        ("{\"jsonrpc\"", -32700, "not JSON"),
        ("[]", -32600, "batches"),
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            -32600,
            "batches",
        ),
        (
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            -32600,
            "no JSON-RPC",
        ),
        ("{}", -32600, "no JSON-RPC"),
    ] {
        let refused = send(body).await;
        assert_eq!(refused.status(), 400, "{body}");
        let refused: Value = refused.json().await.unwrap();
        assert_eq!(refused["error"]["code"], code, "{body}: {refused}");
        assert!(
            refused["error"]["message"].as_str().unwrap().contains(why),
            "{refused}"
        );
        assert_eq!(refused.get("id"), None, "{refused}");
    }
    // The session lives on.
    answer(post(&server, "admin", Some(&session), search(1)).await, 1).await;
}

#[actix_web::test]
async fn parameters_of_a_wrong_form_are_not_an_unknown_method() {
    let server = start(|_| {});
    let session = open(&server, "admin").await;
    let calls = [
        (
            "tools/call",
            json!({"name": "search_confluence", "arguments": "{\"query\": \"vpn\"}"}),
            "expected a map",
        ),
        (
            "tools/call",
            json!({"name": "search_confluence", "arguments": ["vpn"]}),
            "expected a map",
        ),
        (
            "tools/call",
            json!({"arguments": {}}),
            "missing field `name`",
        ),
        ("resources/read", json!({"uri": 7}), "expected a string"),
        ("prompts/get", json!({}), "missing field `name`"),
    ];
    for (id, (method, params, why)) in (1..).zip(calls) {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let refused = answer(post(&server, "admin", Some(&session), message).await, id).await;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
        let told = refused["error"]["message"].as_str().unwrap();
        assert!(told.contains(method) && told.contains(why), "{told}");
    }
    let unknown = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/kall"});
    let refused = answer(post(&server, "admin", Some(&session), unknown).await, 9).await;
    assert_eq!(refused["error"]["code"], -32601, "{refused}");
}

#[actix_web::test]
async fn identity_is_taken_from_each_request() {
    let server = start(|_| {});
    assert_eq!(post(&server, "", None, search(1)).await.status(), 401);
    let session = open(&server, "2").await;
    let found = answer(post(&server, "2", Some(&session), search(1)).await, 1).await;
    assert!(
        found["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("000000000002")
    );
    // Another token of the same index opens the same, and is still somebody else.
    for other in ["1", "admin", "2/other"] {
        assert_eq!(
            post(&server, other, Some(&session), search(2))
                .await
                .status(),
            404,
            "{other}"
        );
    }
    assert_eq!(
        post(&server, "2", Some("unknown"), search(3))
            .await
            .status(),
        404
    );
}

#[actix_web::test]
async fn a_restart_costs_a_client_nothing() {
    let book = Arc::new(SessionBook::forgetful());
    let first = start(|options| options.book = book.clone());
    let session = open(&first, "admin").await;
    first.shutdown.cancel();
    first.handle.stop(true).await;
    let second = start(|options| options.book = book.clone());
    // Whose it is, is remembered too.
    for other in ["2", "admin/other"] {
        let refused = post(&second, other, Some(&session), search(1)).await;
        assert_eq!(refused.status(), 404, "{other}");
    }
    let found = answer(post(&second, "admin", Some(&session), search(1)).await, 1).await;
    assert_eq!(found["result"]["isError"], false, "{found}");
}

/// What nobody uses leaves memory and comes back without its client noticing; an open stream is a use.
#[actix_web::test]
async fn a_session_at_rest_leaves_memory_and_comes_back() {
    let server = start(|options| options.rest = Duration::from_millis(200));
    let book = &server.book;
    let (resting, watching) = (open(&server, "admin").await, open(&server, "admin").await);
    let stream = http()
        .get(format!("{}/mcp", server.base))
        .bearer_auth("admin")
        .header("accept", "text/event-stream")
        .header("mcp-session-id", &watching)
        .send()
        .await
        .unwrap();
    assert_eq!(stream.status(), 200);
    let rests = async || {
        crate::support::until("one rests", async || (book.awake() == 1).then_some(())).await;
    };
    rests().await;
    assert_eq!(book.len(), 2);
    let found = answer(post(&server, "admin", Some(&resting), search(1)).await, 1).await;
    assert_eq!(found["result"]["isError"], false, "{found}");
    let other = post(&server, "2", Some(&resting), search(1)).await;
    assert_eq!(other.status(), 404);
    rests().await;
    drop(stream);
    crate::support::until("all rest", async || (book.awake() == 0).then_some(())).await;
    let found = answer(post(&server, "admin", Some(&watching), search(2)).await, 2).await;
    assert_eq!(found["result"]["isError"], false, "{found}");
}

#[actix_web::test]
async fn the_newest_revision_needs_no_session() {
    let server = start(|_| {});
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"}
    });
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "search_confluence", "arguments": {"query": "vpn"}, "_meta": meta}});
    let response = http()
        .post(format!("{}/mcp?agent_id=hr", server.base))
        .bearer_auth("admin")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "search_confluence")
        .json(&message)
        .send()
        .await
        .unwrap();
    assert!(!response.headers().contains_key("mcp-session-id"));
    let found = answer(response, 1).await;
    assert_eq!(found["result"]["resultType"], "complete", "{found}");
    assert!(
        found["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("000000000002")
    );
}

#[actix_web::test]
async fn an_open_stream_does_not_hold_up_a_stop() {
    let server = start(|_| {});
    let session = open(&server, "admin").await;
    let stream = http()
        .get(format!("{}/mcp", server.base))
        .bearer_auth("admin")
        .header("accept", "text/event-stream")
        .header("mcp-session-id", &session)
        .send()
        .await
        .unwrap();
    assert_eq!(stream.status(), 200);
    let started = Instant::now();
    server.shutdown.cancel();
    server.handle.stop(true).await;
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
}

#[actix_web::test]
async fn the_older_transport_is_not_shadowed() {
    let server = start(|_| {});
    let response = http()
        .get(format!("{}/mcp/sse", server.base))
        .bearer_auth("admin")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let response = http()
        .put(format!("{}/mcp", server.base))
        .bearer_auth("admin")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 405);
}

/// Calls of one owner that hang take its own share of the turns, and it asks as often as the REST API lets it.
#[actix_web::test]
async fn one_owner_takes_neither_turns_nor_questions_from_the_others() {
    let server = std::rc::Rc::new(start(|_| {}));
    let (busy, other) = (open(&server, "2").await, open(&server, "2/other").await);
    let client = http();
    let slow = |id: u64| {
        let (client, server, session) = (client.clone(), server.clone(), busy.clone());
        let arguments = json!({"query": "slow"});
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": "search_confluence", "arguments": arguments}});
        actix_web::rt::spawn(
            async move { post_by(&client, &server, "2", Some(&session), call).await },
        )
    };
    let hanging: Vec<_> = (1_000..1_150).map(slow).collect();
    crate::support::until("the share is used", async || {
        (server.slow.load(Ordering::SeqCst) == 64).then_some(())
    })
    .await;
    let found = answer(post(&server, "2/other", Some(&other), search(1)).await, 1).await;
    assert_eq!(found["result"]["isError"], false, "{found}");
    assert_eq!(server.slow.load(Ordering::SeqCst), 64);
    drop(hanging);

    let third = open(&server, "2/third").await;
    let ask = async |id: u64| {
        answer(
            post_by(&client, &server, "2/third", Some(&third), search(id)).await,
            id,
        )
        .await
    };
    let asked: Vec<Value> = futures_util::stream::iter(1..=250)
        .map(ask)
        .buffer_unordered(32)
        .collect()
        .await;
    let refused: Vec<&Value> = asked
        .iter()
        .filter(|answer| answer["result"]["isError"] == true)
        .collect();
    assert!((41..=51).contains(&refused.len()), "{}", refused.len());
    assert!(refused[0].to_string().contains("ask too often"));
    let found = answer(post(&server, "2/other", Some(&other), search(2)).await, 2).await;
    assert_eq!(found["result"]["isError"], false, "{found}");
}
