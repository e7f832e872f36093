//! HTTP with SSE on the wire: the traps that real clients lay, one by one.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::mcp_support::{Client, Seen, Stream, hello, http, start};

#[actix_web::test]
async fn a_session_opens_lists_and_calls() {
    let server = start(|_| {});
    let mut client = Client::open(&server.base, "", "admin").await;
    let answer = client.initialize().await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(answer["result"]["serverInfo"]["name"], "mcp-confluence");
    let instructions = answer["result"]["instructions"].as_str().unwrap();
    assert!(
        instructions.ends_with("\n\nIndexed spaces: ENG."),
        "{instructions}"
    );
    let list = client.ask(1, "tools/list", json!({})).await;
    assert_eq!(list["result"]["tools"].as_array().unwrap().len(), 4);
    let found = client.search(2, "vpn").await;
    assert_eq!(found["result"]["isError"], false);
    assert!(
        found["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("> About vpn")
    );
    assert_eq!(found["result"]["structuredContent"]["source"], "index");
    let unknown = client.ask(3, "tools/call", json!({"name": "nope"})).await;
    assert_eq!(unknown["error"]["code"], -32602);
    assert!(
        unknown["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("Unknown tool: nope")
    );
}

#[actix_web::test]
async fn the_endpoint_holds_behind_a_trailing_slash() {
    let server = start(|_| {});
    let client = Client::open(&server.base, "/", "admin").await;
    assert_eq!(
        client
            .post(json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string())
            .await,
        202
    );
}

#[actix_web::test]
async fn a_client_that_reconnects_goes_on_without_initialize() {
    let server = start(|_| {});
    let mut client = Client::open(&server.base, "", "admin").await;
    let found = client.search(7, "vpn").await;
    assert_eq!(found["result"]["isError"], false, "{found}");
    // And one that does introduce itself later is not refused either.
    let answer = client.ask(8, "initialize", hello("2025-06-18")).await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
}

#[actix_web::test]
async fn a_ping_is_answered_before_initialize_and_after() {
    let server = start(|_| {});
    let mut client = Client::open(&server.base, "", "admin").await;
    assert_eq!(client.ask(1, "ping", json!({})).await["result"], json!({}));
    client.initialize().await;
    assert_eq!(client.ask(2, "ping", json!({})).await["result"], json!({}));
}

#[actix_web::test]
async fn what_is_no_message_is_refused() {
    let server = start(|_| {});
    let client = Client::open(&server.base, "", "admin").await;
    assert_eq!(client.post("{").await, 400);
    assert_eq!(
        client
            .post(json!([{"jsonrpc": "2.0", "id": 1, "method": "ping"}]).to_string())
            .await,
        400
    );
    assert_eq!(client.post(json!({"hello": 1}).to_string()).await, 400);
    assert_eq!(client.post("x".repeat(2 * 1024 * 1024)).await, 413);
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let post = |path: String| {
        http()
            .post(path)
            .bearer_auth("admin")
            .body(ping.clone())
            .send()
    };
    let status = async |path: &str| {
        post(format!("{}{path}", server.base))
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(status("/mcp/messages").await, 400);
    assert_eq!(status("/mcp/messages?sessionId=nonsense").await, 404);
    assert_eq!(
        status("/mcp/messages?sessionId=11d3afd6-a48a-4416-bb0d-e524d23f93ba").await,
        404
    );
    // The session lives on.
    assert_eq!(client.post(ping.clone()).await, 202);
}

#[actix_web::test]
async fn probes_get_405_before_anything_else() {
    let server = start(|_| {});
    let url = format!("{}/mcp/sse", server.base);
    let probes = [
        http().head(&url),
        http().post(&url).body("{}"),
        http().put(&url),
        http().delete(&url),
        http().get(format!("{}/mcp/messages", server.base)),
    ];
    for probe in probes {
        let started = Instant::now();
        let response = probe.send().await.unwrap();
        assert_eq!(response.status(), 405);
        assert!(response.headers().contains_key("allow"));
        assert!(started.elapsed() < Duration::from_secs(1));
    }
    assert_eq!(server.legacy.sessions().await, 0);
}

#[actix_web::test]
async fn nobody_gets_in_and_a_session_is_its_openers() {
    let server = start(|_| {});
    let url = format!("{}/mcp/sse", server.base);
    assert_eq!(http().get(&url).send().await.unwrap().status(), 401);
    let own = Client::open(&server.base, "", "2").await;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let as_other = |bearer: Option<&'static str>| {
        let mut request = http().post(own.endpoint.clone()).body(ping.clone());
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        request.send()
    };
    assert_eq!(as_other(None).await.unwrap().status(), 401);
    assert_eq!(as_other(Some("1")).await.unwrap().status(), 404);
    assert_eq!(as_other(Some("admin")).await.unwrap().status(), 404);
    // Another token of the same index opens the same, and is still somebody else.
    assert_eq!(as_other(Some("2/other")).await.unwrap().status(), 404);
    assert_eq!(own.post(ping.clone()).await, 202);
}

#[actix_web::test]
async fn the_agent_is_named_on_the_stream_and_an_unknown_one_is_a_tool_error() {
    let server = start(|_| {});
    let title = async |query: &str, bearer: &str| {
        let mut client = Client::open(&server.base, query, bearer).await;
        client.initialize().await;
        client.search(1, "vpn").await["result"].clone()
    };
    let found = title("?agent_id=hr", "admin").await;
    assert!(
        found["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("vpn in 00000000-0000-0000-0000-000000000002")
    );
    let ghost = title("?agent_id=ghost", "admin").await;
    assert_eq!(ghost["isError"], true);
    assert!(
        ghost["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("Known agent ids: support, hr")
    );
    // A token's own index, whatever the address names.
    let own = title("?agent_id=support", "2").await;
    assert!(
        own["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("vpn in 00000000-0000-0000-0000-000000000002")
    );
}

#[actix_web::test]
async fn an_idle_stream_is_kept_alive_by_comments() {
    let server = start(|options| options.keep_alive = Duration::from_millis(100));
    // A client that gives up when no byte comes for half a second.
    let impatient = reqwest::Client::builder()
        .read_timeout(Duration::from_millis(500))
        .build()
        .unwrap();
    let response = impatient
        .get(format!("{}/mcp/sse", server.base))
        .bearer_auth("admin")
        .send()
        .await
        .unwrap();
    let mut stream = Stream::of(response);
    stream.event().await;
    for _ in 0..8 {
        assert!(matches!(stream.next().await, Seen::Comment(_)));
    }
}

#[actix_web::test]
async fn a_peer_that_is_gone_is_noticed_at_once() {
    let server = start(|_| {});
    let Client {
        stream, endpoint, ..
    } = Client::open(&server.base, "", "admin").await;
    server.until_sessions(1).await;
    drop(stream);
    server.until_sessions(0).await;
    let response = http()
        .post(endpoint)
        .bearer_auth("admin")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 404);
}

#[actix_web::test]
async fn clients_side_by_side_get_their_own_answers() {
    let server = start(|_| {});
    let work = (0..20).map(|n| {
        let base = server.base.clone();
        async move {
            let mut client = Client::open(&base, "", "admin").await;
            client.initialize().await;
            for call in 1..5 {
                let query = format!("q{n}x{call}");
                let found = client.search(call, &query).await;
                let text = found["result"]["content"][0]["text"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                assert!(text.contains(&format!("About {query}")), "{text}");
            }
        }
    });
    futures_util::future::join_all(work).await;
    server.until_sessions(0).await;
}

#[actix_web::test]
async fn a_hundred_streams_opened_and_dropped_leave_nothing() {
    let server = start(|_| {});
    let open = (0..100).map(|_| Client::open(&server.base, "", "admin"));
    let clients = futures_util::future::join_all(open).await;
    server.until_sessions(100).await;
    drop(clients);
    server.until_sessions(0).await;
}

#[actix_web::test]
async fn the_number_of_sessions_is_bounded_and_never_429() {
    let server = start(|options| options.max_sessions = 2);
    let _open = (
        Client::open(&server.base, "", "admin").await,
        Client::open(&server.base, "", "admin").await,
    );
    let response = http()
        .get(format!("{}/mcp/sse", server.base))
        .bearer_auth("admin")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
}

#[actix_web::test]
async fn an_owner_has_two_hundred_streams_and_the_idlest_ends_for_another() {
    let server = start(|_| {});
    let other = Client::open(&server.base, "", "2").await;
    let mut own = Vec::new();
    for _ in 0..200 {
        own.push(Client::open(&server.base, "", "admin").await);
    }
    server.until_sessions(201).await;
    own[0].initialize().await;
    let _one_more = Client::open(&server.base, "", "admin").await;
    while own[1].stream.next().await != Seen::End {}
    server.until_sessions(201).await;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    assert_eq!(own[1].post(ping.clone()).await, 404);
    for kept in [&own[0], &own[2], &other] {
        assert_eq!(kept.post(ping.clone()).await, 202);
    }
}

#[actix_web::test]
async fn an_initialize_above_8_kb_is_refused() {
    let server = start(|_| {});
    let mut client = Client::open(&server.base, "", "admin").await;
    let mut long = hello("2025-11-25");
    long["clientInfo"]["name"] = json!("n".repeat(9_000));
    let message = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": long});
    assert_eq!(client.post(message.to_string()).await, 413);
    client.initialize().await;
}

#[actix_web::test]
async fn an_idle_session_ends() {
    let server = start(|options| options.idle = Duration::from_millis(200));
    let mut client = Client::open(&server.base, "", "admin").await;
    while client.stream.next().await != Seen::End {}
    server.until_sessions(0).await;
}

#[actix_web::test]
async fn open_streams_do_not_hold_up_a_stop() {
    let server = start(|_| {});
    let mut client = Client::open(&server.base, "", "admin").await;
    client.initialize().await;
    let slow = json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "search_confluence", "arguments": {"query": "slow"}}});
    assert_eq!(client.post(slow.to_string()).await, 202);
    let silent = Client::open(&server.base, "", "admin").await;
    let started = Instant::now();
    server.shutdown.cancel();
    server.handle.stop(true).await;
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    while client.stream.next().await != Seen::End {}
    drop(silent);
}

#[actix_web::test]
async fn slow_calls_tell_progress_and_stop_when_cancelled() {
    let server = start(|_| {});
    let mut client = Client::open(&server.base, "", "admin").await;
    client.initialize().await;
    let slow = json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {
        "name": "search_confluence", "arguments": {"query": "slow"}, "_meta": {"progressToken": "t"}}});
    assert_eq!(client.post(slow.to_string()).await, 202);
    let mut last = 0.0;
    for _ in 0..2 {
        let told = client.stream.message().await;
        assert_eq!(told["method"], "notifications/progress");
        assert_eq!(told["params"]["progressToken"], "t");
        let progress = told["params"]["progress"].as_f64().unwrap();
        assert!(progress > last);
        last = progress;
    }
    assert!(server.slow.load(Ordering::SeqCst) > 0);
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5, "reason": "enough"}});
    assert_eq!(client.post(cancel.to_string()).await, 202);
    // Work stops, nothing is sent for the cancelled request, and the session answers on.
    let found = client.search(6, "vpn").await;
    assert_eq!(found["result"]["isError"], false);
    let waited = tokio::time::timeout(Duration::from_secs(5), async {
        while server.slow.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "the slow search goes on");
}
