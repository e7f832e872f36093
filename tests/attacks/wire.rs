//! What is wrong with a request before anybody looks at what it asks: its host, origin, framing, size and depth.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::{Tally, in_full};
use crate::support::{Service, answer, client, id, site, start_program};

const KEY: &str = "administrator-key-of-tests";

/// Sends these bytes on a connection of their own; answers all that comes until the service closes it, or is silent for a while.
pub fn raw(base: &str, bytes: &[u8]) -> String {
    let mut peer = TcpStream::connect(base.strip_prefix("http://").unwrap()).unwrap();
    peer.set_read_timeout(Some(Duration::from_millis(1_500)))
        .unwrap();
    peer.set_write_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    // It may close before it has read everything.
    let _ = peer.write_all(bytes);
    let (mut said, mut part) = (Vec::new(), [0; 8192]);
    while let Ok(length) = peer.read(&mut part) {
        if length == 0 {
            break;
        }
        said.extend(&part[..length]);
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Many at once, since each waits for the end of its connection.
async fn all_raw(base: &str, requests: Vec<Vec<u8>>) -> Vec<String> {
    let base = base.to_owned();
    actix_web::web::block(move || {
        std::thread::scope(|scope| {
            let sent: Vec<_> = requests
                .iter()
                .map(|request| scope.spawn(|| raw(&base, request)))
                .collect();
            sent.into_iter().map(|sent| sent.join().unwrap()).collect()
        })
    })
    .await
    .unwrap()
}

fn status(said: &str) -> u16 {
    let code = said
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| said.strip_prefix("HTTP/1.0 "));
    code.and_then(|rest| rest.get(..3)?.parse().ok())
        .unwrap_or(0)
}

async fn lives(service: &Service) {
    let health = client().get(format!("{}/health/live", service.base));
    assert_eq!(health.send().await.unwrap().status(), 200);
}

#[actix_web::test]
async fn hosts_of_others() {
    // Without credentials, where a page in somebody's browser could do most.
    let service = start_program(site(0), &[]).await;
    let port = service.base.rsplit(':').next().unwrap().to_owned();
    let hosts = [
        "evil.example.com".to_owned(),
        format!("evil.example.com:{port}"),
        "127.0.0.1.evil.example.com".to_owned(),
        format!("127.0.0.1.evil.example.com:{port}"),
        "localhost.evil.example.com".to_owned(),
        "evil.example.com#localhost".to_owned(),
        "evil.example.com@localhost".to_owned(),
        "localhost@evil.example.com".to_owned(),
        "localhost:80@evil.example.com".to_owned(),
        "localhost, evil.example.com".to_owned(),
        "evil.example.com, localhost".to_owned(),
        "localhost evil.example.com".to_owned(),
        "localhost.".to_owned(),
        "LOCALHOST.evil.example.com".to_owned(),
        "10.0.0.1".to_owned(),
        "169.254.169.254".to_owned(),
        "0.0.0.0".to_owned(),
        "[::]".to_owned(),
        "[::ffff:10.0.0.1]".to_owned(),
        "[fd00::1]:80".to_owned(),
        "2130706433".to_owned(),
        "0x7f.1".to_owned(),
        "127.1".to_owned(),
        "localhost:evil".to_owned(),
        "localhost:80:80".to_owned(),
        "xn--lcalhost-55a".to_owned(),
        "local\thost".to_owned(),
        String::new(),
    ];
    assert_eq!(hosts.len(), 28);
    let paths = [
        "/",
        "/api/indexes",
        "/mcp/sse",
        "/mcp",
        "/health",
        "/openapi.json",
        "/api/events",
    ];
    let mut tally = Tally::of("D2");
    for host in &hosts {
        let requests = paths.iter().map(|path| {
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes()
        });
        let said = all_raw(&service.base, requests.collect()).await;
        for (path, said) in paths.iter().zip(said) {
            tally.held(
                matches!(status(&said), 400 | 403),
                format_args!("{path} {host:?}: {said}"),
            );
        }
    }
    // Twice, and beside another in the address itself.
    for request in [
        "GET /api/indexes HTTP/1.1\r\nHost: localhost\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n",
        "GET /api/indexes HTTP/1.1\r\nHost: evil.example.com\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "GET http://evil.example.com/api/indexes HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n",
        "GET /api/indexes HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET /api/indexes HTTP/1.1\r\nHost: evil.example.com\r\nX-Forwarded-Host: localhost\r\nConnection: close\r\n\r\n",
    ] {
        let said = all_raw(&service.base, vec![request.as_bytes().to_vec()])
            .await
            .remove(0);
        tally.held(
            matches!(status(&said), 400 | 403),
            format_args!("{request}: {said}"),
        );
    }
    let right =
        format!("GET /api/indexes HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    let said = all_raw(&service.base, vec![right.into_bytes()])
        .await
        .remove(0);
    assert_eq!(status(&said), 200, "{said}");
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn origins_of_others() {
    let service = start_program(site(0), &[("ALLOWED_ORIGINS", "https://chat.example.com")]).await;
    let port = service.base.rsplit(':').next().unwrap().to_owned();
    let origins = [
        "null".to_owned(),
        "https://evil.example.com".to_owned(),
        "http://chat.example.com".to_owned(),
        "https://chat.example.com.evil.example.com".to_owned(),
        "https://evilchat.example.com".to_owned(),
        "https://chat.example.com:8443".to_owned(),
        "https://chat.example.com/".to_owned(),
        "https://chat.example.com@evil.example.com".to_owned(),
        "https://chat.example.com, https://evil.example.com".to_owned(),
        "https://evil.example.com https://chat.example.com".to_owned(),
        format!("https://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}.evil.example.com"),
        "http://127.0.0.1".to_owned(),
        "http://localhost:1".to_owned(),
        "file://".to_owned(),
        "chrome-extension://abcdefgh".to_owned(),
        "https://chat.example.com%60.evil.example.com".to_owned(),
        "https://*".to_owned(),
    ];
    assert_eq!(origins.len(), 18);
    let mut tally = Tally::of("D3");
    for origin in &origins {
        for (method, path) in [
            ("GET", "/api/indexes"),
            ("POST", "/api/indexes"),
            ("OPTIONS", "/api/indexes"),
            ("POST", "/mcp"),
            ("GET", "/mcp/sse"),
            ("GET", "/api/events"),
        ] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let said = all_raw(&service.base, vec![request.into_bytes()])
                .await
                .remove(0);
            let held = status(&said) == 403
                && !said.to_lowercase().contains("access-control-allow-origin");
            tally.held(held, format_args!("{method} {path} {origin}: {said}"));
        }
    }
    let allowed = service
        .http
        .get(format!("{}/api/indexes", service.base))
        .header("origin", "https://chat.example.com");
    assert_eq!(allowed.send().await.unwrap().status(), 200);
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn requests_smuggled_past_a_proxy() {
    let service = start_program(site(0), &[("API_KEY", KEY)]).await;
    let smuggled = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let length = smuggled.len();
    let framings = [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n".to_owned(),
        format!("Content-Length: 0\r\nContent-Length: {length}\r\n\r\n"),
        format!("Content-Length: {length}\r\nContent-Length: 0\r\n\r\n"),
        format!("Content-Length: 0, {length}\r\n\r\n"),
        "Content-Length: +0\r\n\r\n".to_owned(),
        "Content-Length: -1\r\n\r\n".to_owned(),
        "Content-Length: 0x0\r\n\r\n".to_owned(),
        "Content-Length: 99999999999999999999\r\n\r\n".to_owned(),
        "Content-Length : 0\r\n\r\n".to_owned(),
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n".to_owned(),
        "X-A: b\r\n Content-Length: 0\r\n\r\n".to_owned(),
        "X-A: b\r\n\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "X\0: b\r\n\r\n".to_owned(),
        "X-A: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
    ];
    let paths = [
        "/api/indexes",
        "/mcp",
        "/mcp/messages?sessionId=x",
        "/health/live",
    ];
    let mut tally = Tally::of("D4");
    for path in paths {
        let requests = framings
            .iter()
            .map(|framing| format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n{framing}{smuggled}").into_bytes());
        let said = all_raw(&service.base, requests.collect()).await;
        for (framing, said) in framings.iter().zip(said) {
            // One answer that refuses, or none; what was smuggled is answered by nobody.
            let answers = said.matches("HTTP/1.1 ").count();
            let held = !said.contains("\"status\":\"live\"")
                && answers <= 1
                && matches!(status(&said), 0 | 400 | 405 | 413 | 501);
            tally.held(held, format_args!("{path} {framing:?}: {said}"));
        }
    }
    lives(&service).await;
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn line_breaks_where_lines_are_made() {
    let service = start_program(site(0), &[("API_KEY", KEY), ("RUST_LOG", "info")]).await;
    let mut tally = Tally::of("D5");
    let breaks = [
        "%0d%0aX-Evil:%20yes",
        "%0aX-Evil:%20yes",
        "%0d%0a%0d%0a<script>",
        "\r\nX-Evil: yes",
        "\nX-Evil: yes",
        "%e5%98%8a%e5%98%8dX-Evil:%20yes",
        "\u{85}X-Evil: yes",
    ];
    let mut requests = Vec::new();
    for end in breaks {
        requests.push(format!("GET /api/indexes/{end} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n"));
        requests.push(format!("GET /api/runs?cursor={end} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n"));
        requests.push(format!(
            "GET /docs/{end}/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ));
        requests.push(format!("GET //evil.example.com/{end}/.. HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        requests.push(format!("GET /mcp/sse?agent_id={end} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n"));
        requests.push(format!("GET /nowhere HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a{end}\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n"));
        requests.push(format!("GET /api/indexes HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost{end}\r\nConnection: close\r\n\r\n"));
    }
    let said = all_raw(
        &service.base,
        requests
            .iter()
            .map(|request| request.as_bytes().to_vec())
            .collect(),
    )
    .await;
    for (request, said) in requests.iter().zip(said) {
        let (head, _) = said.split_once("\r\n\r\n").unwrap_or((&said, ""));
        let forged = head
            .lines()
            .any(|line| line.to_lowercase().starts_with("x-evil"));
        tally.held(
            !forged && status(&said) < 500,
            format_args!("{request:?}: {said}"),
        );
    }
    for (name, agent) in [
        ("Evil\r\nX-Evil: yes", "ok"),
        ("ok", "evil\nX-Evil: yes"),
        ("ok\u{2028}X-Evil: yes", "fine"),
    ] {
        let body = json!({"name": name, "agent_id": agent, "confluence_spaces": ["ENG"]});
        let (status, told) = service.post("/api/indexes", body).await;
        tally.held(status == 422, format_args!("{name:?} {agent:?}: {told}"));
    }
    let log = service.log();
    let forged = log
        .lines()
        .any(|line| line.trim_start().starts_with("X-Evil"));
    tally.held(!forged, format_args!("a line in the log: {log}"));
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn more_than_fits() {
    let service = start_program(site(0), &[("API_KEY", KEY)]).await;
    let mut tally = Tally::of("C11");
    let megabytes = if in_full() { 200 } else { 20 };
    let large = vec![b'a'; megabytes << 20];
    let head = |path: &str, more: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nConnection: close\r\n{more}\r\n"
        )
    };
    for path in [
        "/api/indexes",
        "/api/session",
        "/api/indexes/agent/a/query",
        "/mcp",
        "/mcp/messages?sessionId=x",
        "/nowhere",
        "/mcp/sse",
    ] {
        let length = head(path, &format!("Content-Length: {}\r\n", large.len()));
        let chunked = head(path, "Transfer-Encoding: chunked\r\n");
        let chunk = format!("{:x}\r\n", large.len());
        let bodies = vec![
            [length.as_bytes(), &large].concat(),
            [
                chunked.as_bytes(),
                chunk.as_bytes(),
                &large,
                b"\r\n0\r\n\r\n",
            ]
            .concat(),
            [length.as_bytes(), &b"[".repeat(megabytes << 20)].concat(),
        ];
        for (n, said) in all_raw(&service.base, bodies).await.into_iter().enumerate() {
            tally.held(
                matches!(status(&said), 0 | 400..=499),
                format_args!("{path} {n}: {said}"),
            );
        }
    }
    let long = "a".repeat(1 << 20);
    let many: String = (0..5_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let query: String = (0..20_000).map(|n| format!("a{n}=b&")).collect();
    for (what, request) in [
        (
            "address",
            format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        ),
        (
            "query",
            format!(
                "GET /api/runs?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            ),
        ),
        (
            "header",
            format!(
                "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: {long}\r\nConnection: close\r\n\r\n"
            ),
        ),
        (
            "name of a header",
            format!("GET / HTTP/1.1\r\nHost: localhost\r\n{long}: a\r\nConnection: close\r\n\r\n"),
        ),
        (
            "headers",
            format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}Connection: close\r\n\r\n"),
        ),
        (
            "cookie",
            format!(
                "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: a={long}\r\nConnection: close\r\n\r\n"
            ),
        ),
        (
            "method",
            format!(
                "{} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                long.to_uppercase()
            ),
        ),
        ("no head at all", long.clone()),
        ("binary", "\u{0}\u{1}\u{16}\u{3}\u{1}".repeat(10_000)),
    ] {
        let said = all_raw(&service.base, vec![request.into_bytes()])
            .await
            .remove(0);
        tally.held(
            matches!(status(&said), 0 | 400..=499),
            format_args!("{what}: {said}"),
        );
    }
    // Values of fields, each within a body that is taken.
    let index = service.index("a", &["OPS"]).await;
    let text = "x".repeat(200_000);
    for (method, path, body) in [
        (
            Method::POST,
            "/api/indexes".to_owned(),
            json!({"name": text, "agent_id": "b", "confluence_spaces": ["ENG"]}),
        ),
        (
            Method::POST,
            "/api/indexes".to_owned(),
            json!({"name": "b", "agent_id": text, "confluence_spaces": ["ENG"]}),
        ),
        (
            Method::POST,
            "/api/indexes".to_owned(),
            json!({"name": "b", "agent_id": "b", "confluence_spaces": vec!["ENG"; 20_000]}),
        ),
        (
            Method::POST,
            "/api/indexes".to_owned(),
            json!({"name": "b", "agent_id": "b", "confluence_spaces": ["ENG"], "labels": vec!["l"; 40_000]}),
        ),
        (
            Method::PATCH,
            format!("/api/indexes/{}", id(&index)),
            json!({"name": text}),
        ),
        (
            Method::POST,
            format!("/api/indexes/{}/tokens", id(&index)),
            json!({"name": text}),
        ),
        (
            Method::POST,
            "/api/indexes/agent/a/query".to_owned(),
            json!({"query": text}),
        ),
        (
            Method::POST,
            "/api/indexes/agent/a/query".to_owned(),
            json!({"query": "x", "top_k": 100_000}),
        ),
    ] {
        let (status, told) = answer(service.request(method.clone(), &path).json(&body)).await;
        tally.held(
            (400..500).contains(&status.as_u16()),
            format_args!("{method} {path}: {status} {told}"),
        );
    }
    lives(&service).await;
    let pid = service.pid();
    let peak = super::peak(pid);
    tally.held(peak < 100, format_args!("{peak} MB"));
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn nested_without_end() {
    let service = start_program(site(0), &[("API_KEY", KEY)]).await;
    service.index("a", &["OPS"]).await;
    let session = super::between::Session::open(&service.base, "", KEY, &[])
        .await
        .unwrap();
    let mut tally = Tally::of("C12");
    let deep = 100_000;
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let nested = |count: usize| format!("{}1{}", open.repeat(count), close.repeat(count));
        for count in [deep / open.len(), 200, 129] {
            let nested = nested(count);
            let bodies = [
                ("/api/indexes", nested.clone()),
                ("/api/indexes", format!("{{\"name\": {nested}}}")),
                (
                    "/api/indexes/agent/a/query",
                    format!("{{\"query\": \"x\", \"filters\": {nested}}}"),
                ),
                ("/api/session", nested.clone()),
                ("/mcp", nested.clone()),
                (
                    "/mcp",
                    format!(
                        "{{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"tools/call\", \"params\": {{\"name\": \"search_confluence\", \"arguments\": {nested}}}}}"
                    ),
                ),
                ("/mcp/messages?sessionId=x", nested),
            ];
            for (path, body) in bodies {
                let mut request = service.request(Method::POST, path);
                if path == "/mcp" {
                    request = request
                        .header("accept", "application/json, text/event-stream")
                        .header("mcp-session-id", &session.id)
                        .header("mcp-protocol-version", "2025-06-18");
                }
                let sent = request
                    .header("content-type", "application/json")
                    .body(body)
                    .send()
                    .await
                    .unwrap();
                let status = sent.status().as_u16();
                tally.held(
                    (400..500).contains(&status),
                    format_args!("{path} {open} {count}: {status}"),
                );
            }
        }
    }
    lives(&service).await;
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn control_characters_in_names() {
    let service = start_program(site(0), &[("API_KEY", KEY)]).await;
    let index = service.index("a", &["OPS"]).await;
    let mut tally = Tally::of("D9");
    for bad in [
        "a\u{1b}[31mb",
        "a\u{0}b",
        "a\u{7}",
        "a\u{8}b",
        "a\rb",
        "a\u{9b}31mb",
        "a\u{7f}",
    ] {
        for (path, body) in [
            (
                "/api/indexes".to_owned(),
                json!({"name": bad, "agent_id": "b", "confluence_spaces": ["ENG"]}),
            ),
            (
                "/api/indexes".to_owned(),
                json!({"name": "b", "agent_id": bad, "confluence_spaces": ["ENG"]}),
            ),
            (
                format!("/api/indexes/{}/tokens", id(&index)),
                json!({"name": bad}),
            ),
        ] {
            let (status, told) = service.post(&path, body).await;
            tally.held(
                status == 422,
                format_args!("{path} {bad:?}: {status} {told}"),
            );
        }
        let path = format!("/api/indexes/{}", id(&index));
        let (status, told) = service.patch(&path, json!({"name": bad})).await;
        tally.held(
            status == 422,
            format_args!("{path} {bad:?}: {status} {told}"),
        );
    }
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn well_known_paths_that_do_not_exist() {
    let service = start_program(site(0), &[("API_KEY", KEY)]).await;
    let mut tally = Tally::of("D8");
    for name in [
        "oauth-authorization-server",
        "openid-configuration",
        "oauth-protected-resource",
        "oauth-protected-resource/mcp",
        "oauth-authorization-server/mcp/sse",
        "mcp.json",
        "security.txt",
        "../api/indexes",
    ] {
        let path = format!("/.well-known/{name}");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let said = all_raw(&service.base, vec![request.into_bytes()])
            .await
            .remove(0);
        let climbs = name.starts_with("..");
        let held = status(&said) == 404 && !said.to_lowercase().contains("www-authenticate")
            || climbs && status(&said) == 401;
        tally.held(held, format_args!("{path}: {said}"));
    }
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn broken_requests_in_the_log() {
    let service = start_program(site(0), &[("API_KEY", KEY), ("RUST_LOG", "info")]).await;
    let broken = [
        "GET",
        "GET / HTTP/9.9\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "GET /%ff%fe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "POST /api/indexes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\n{",
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1\r\nConnection: close\r\n\r\n{",
        "GET http://[::1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ];
    all_raw(
        &service.base,
        broken
            .iter()
            .map(|request| request.as_bytes().to_vec())
            .collect(),
    )
    .await;
    lives(&service).await;
    let log = service.log();
    let mut tally = Tally::of("D12");
    for request in broken {
        tally.held(true, request);
    }
    for line in log.lines().filter(|line| line.contains("ERROR")) {
        tally.held(false, line);
    }
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}

#[actix_web::test]
async fn an_address_open_to_everybody() {
    let settings = [("API_HOST", "0.0.0.0"), ("AUTH_DISABLED", "true")];
    let service = start_program(site(0), &settings).await;
    let mut tally = Tally::of("D14");
    let log = service.log();
    tally.held(
        log.contains("AUTH_DISABLED"),
        format_args!("no warning in {log}"),
    );
    let base = service.base.replace("0.0.0.0", "127.0.0.1");
    for host in [
        "evil.example.com",
        "10.0.0.1.evil.example.com",
        "localhost.evil.example.com",
    ] {
        let request =
            format!("GET /api/indexes HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let said = all_raw(&base, vec![request.into_bytes()]).await.remove(0);
        tally.held(status(&said) == 403, format_args!("{host}: {said}"));
    }
    let pid = service.pid();
    tally.end(Some(pid));
    service.stop().await;
}
