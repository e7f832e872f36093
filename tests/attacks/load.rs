//! Many at once, and slow ones: connections, heads, readers, sessions, calls.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use simulators::{Fault, Matcher};

use super::between::Session;
use super::{Tally, in_full, peak};
use crate::mcp_support::{hello, http};
use crate::support::{Service, answer, client, site, start_program};

const KEY: &str = "administrator-key-of-tests";

fn connect(base: &str) -> TcpStream {
    let peer = TcpStream::connect(base.strip_prefix("http://").unwrap()).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(25)))
        .unwrap();
    peer
}

/// Whether somebody else is answered meanwhile, at all: how fast depends on the machine.
async fn others_are_answered(service: &Service, tally: &mut Tally) {
    for path in ["/health/live", "/api/indexes", "/"] {
        let asked = client()
            .get(format!("{}{path}", service.base))
            .bearer_auth(KEY);
        let status = asked.send().await.map(|told| told.status().as_u16());
        tally.held(
            matches!(status, Ok(200)),
            format_args!("{path}: {status:?}"),
        );
    }
}

#[actix_web::test]
async fn heads_that_come_a_byte_at_a_time() {
    let service = start_program(site(0), &[("API_KEY", KEY)]).await;
    let mut tally = Tally::of("C6");
    let count = if in_full() { 500 } else { 50 };
    let base = service.base.clone();
    let drip = actix_web::rt::task::spawn_blocking(move || {
        let mut peers: Vec<TcpStream> = (0..count).map(|_| connect(&base)).collect();
        let began = Instant::now();
        let mut ended = 0;
        let head = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        for byte in head {
            peers.retain_mut(|peer| {
                let alive = peer.write_all(&[*byte]).is_ok();
                ended += usize::from(!alive);
                alive
            });
            if peers.is_empty() || began.elapsed() > Duration::from_secs(30) {
                break;
            }
            std::thread::sleep(Duration::from_millis(400));
        }
        (ended, began.elapsed())
    });
    others_are_answered(&service, &mut tally).await;
    let (ended, took) = drip.await.unwrap();
    for n in 0..count {
        tally.held(
            n < ended && took < Duration::from_secs(22),
            format_args!("{ended} of {count} ended after {took:?}"),
        );
    }
    others_are_answered(&service, &mut tally).await;
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn readers_that_do_not_read() {
    let service = start_program(site(0), &[("API_KEY", KEY)]).await;
    let mut tally = Tally::of("C7");
    let count = if in_full() { 1_500 } else { 300 };
    let base = service.base.clone();
    let request = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let peers = actix_web::web::block(move || {
        let open = |_| {
            let mut peer = connect(&base);
            // One after another on each connection.
            peer.write_all(&request.repeat(8)).unwrap();
            peer
        };
        (0..count).map(open).collect::<Vec<TcpStream>>()
    })
    .await
    .unwrap();
    others_are_answered(&service, &mut tally).await;
    let memory = peak(service.pid());
    tally.held(
        memory < 100 + count * 70 / 1_000,
        format_args!("{memory} MB with {count} readers"),
    );
    drop(peers);
    others_are_answered(&service, &mut tally).await;
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn connections_that_do_nothing() {
    let service = start_program(site(0), &[("API_KEY", KEY)]).await;
    let mut tally = Tally::of("C8");
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let most = limits.lines().find_map(|line| {
        line.strip_prefix("Max open files")?
            .split_whitespace()
            .next()?
            .parse::<usize>()
            .ok()
    });
    // This process needs descriptors as well.
    let count = if in_full() {
        10_000.min(most.unwrap_or(1_024) - 500)
    } else {
        500
    };
    let base = service.base.clone();
    let peers =
        actix_web::web::block(move || (0..count).map(|_| connect(&base)).collect::<Vec<_>>())
            .await
            .unwrap();
    others_are_answered(&service, &mut tally).await;
    let memory = peak(service.pid());
    tally.held(
        memory < 100 + count as u64 * 12 / 1_000,
        format_args!("{memory} MB with {count} connections"),
    );
    drop(peers);
    others_are_answered(&service, &mut tally).await;
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn sessions_without_end() {
    let service = start_program(site(1), &[("API_KEY", KEY)]).await;
    let greedy = service.synced_index("a", &["OPS"]).await;
    let other = service.index("b", &["OPS"]).await;
    let (_, greedy) = service.new_token(&greedy).await;
    let (_, other) = service.new_token(&other).await;
    let mut tally = Tally::of("C9");
    let count = if in_full() { 10_500 } else { 600 };
    let long = "n".repeat(6_000);
    let open = async |n: usize| {
        let mut params = hello("2025-06-18");
        params["clientInfo"]["name"] = json!(format!("{n}{long}"));
        let message = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let request = service
            .http
            .post(format!("{}/mcp", service.base))
            .bearer_auth(&greedy);
        let sent = request
            .header("accept", "application/json, text/event-stream")
            .json(&message)
            .send()
            .await
            .unwrap();
        let status = sent.status().as_u16();
        sent.bytes().await.unwrap();
        status
    };
    for n in (0..count).step_by(20) {
        for status in futures_util::future::join_all((n..n + 20).map(&open)).await {
            tally.held(matches!(status, 200 | 429 | 503), status);
        }
    }
    // Others open theirs, and so does the greedy one: the idlest of its own goes first.
    for (who, token) in [("another", &other), ("the administrator", &KEY.to_owned())] {
        let opened = Session::open(&service.base, "", token, &[]).await;
        tally.held(
            opened.is_ok(),
            format_args!("{who}: {:?}", opened.as_ref().err()),
        );
    }
    let mut params = hello("2025-06-18");
    params["clientInfo"]["name"] = json!("n".repeat(20_000));
    let message = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let large = http()
        .post(format!("{}/mcp", service.base))
        .bearer_auth(&other)
        .header("accept", "application/json, text/event-stream")
        .json(&message);
    let status = large.send().await.unwrap().status();
    tally.held(
        status.is_client_error(),
        format_args!("an initialize of 20 kB: {status}"),
    );
    let memory = peak(service.pid());
    tally.held(
        memory < 150,
        format_args!("{memory} MB after {count} sessions"),
    );
    let file = std::fs::metadata(service.folder.path().join("sync.db"))
        .unwrap()
        .len()
        >> 20;
    tally.held(file < 50, format_args!("a database of {file} MB"));
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn slow_calls_in_every_turn() {
    let service = start_program(site(2), &[("API_KEY", KEY), ("VERIFY_ON_READ", "hits")]).await;
    let greedy = service.synced_index("a", &["OPS"]).await;
    let other = service.synced_index("b", &["ENG"]).await;
    let (_, greedy) = service.new_token(&greedy).await;
    let (_, other) = service.new_token(&other).await;
    // Each question of either waits for Confluence for a while, within the time that it has for it.
    service
        .sim
        .fail_always(Matcher::any(), Fault::Slow(Duration::from_secs(4)));
    let mut tally = Tally::of("C10");
    let count = if in_full() { 400 } else { 250 };
    let ask = |agent: &str, token: &str| {
        let request = http().request(
            Method::POST,
            format!("{}/api/indexes/agent/{agent}/query", service.base),
        );
        request
            .bearer_auth(token)
            .json(&json!({"query": "zebra falcon"}))
            .send()
    };
    let slow: Vec<_> = (0..count)
        .map(|_| actix_web::rt::spawn(ask("a", &greedy)))
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // What needs no Confluence is answered, by whoever asks; a question of another has its own turn.
    for _ in 0..5 {
        let indexes = service
            .http
            .get(format!("{}/api/indexes", service.base))
            .bearer_auth(&other);
        let (status, _) = answer(indexes).await;
        tally.held(status == 200, format_args!("indexes: {status}"));
    }
    let status = ask("b", &other).await.unwrap().status();
    tally.held(
        status == 200,
        format_args!("a question of another: {status}"),
    );
    let session = Session::open(&service.base, "", &other, &[]).await;
    tally.held(session.is_ok(), "a session of another");
    if let Ok(session) = session {
        let (status, told) = session
            .ask(
                "tools/call",
                json!({"name": "list_spaces", "arguments": {}}),
            )
            .await;
        tally.held(
            status == 200 && told.contains("ENG"),
            format_args!("a call of another: {status} {told}"),
        );
    }
    for asked in slow {
        let status = asked.await.unwrap().unwrap().status().as_u16();
        tally.held(
            matches!(status, 200 | 429 | 503),
            format_args!("one of many: {status}"),
        );
    }
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}
