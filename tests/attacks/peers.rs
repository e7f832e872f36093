//! Peers that send too much, or too little: packed bodies, bodies that do not come to an end, and more connections than descriptors.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::all_held;
use crate::process::{borrowed, listening, program, terminate};
use crate::support::{answer, assert_problem, client, prepared, site, start_program};

#[actix_web::test]
async fn a_packed_body_is_refused_on_every_path() {
    let service = start_program(site(0), &[("API_KEY", "the-admin-key-of-tests")]).await;
    for path in [
        "/api/indexes",
        "/mcp",
        "/mcp/messages?sessionId=x",
        "/mcp/sse",
        "/auth/session",
    ] {
        for (encoding, refused) in [("gzip", true), ("identity, br", true), ("identity", false)] {
            let request = service
                .http
                .post(format!("{}{path}", service.base))
                .header("content-encoding", encoding)
                .body("x");
            if refused {
                assert_problem(&answer(request).await, 415, "unsupported_media_type");
            } else {
                assert_ne!(request.send().await.unwrap().status(), 415, "{path}");
            }
        }
    }
    all_held("C4", 15, Some(service.pid()));
    service.stop().await;
}

#[actix_web::test]
async fn a_program_takes_the_descriptors_it_may_have_and_ends_bodies_that_never_come() {
    let (_sim, folder, settings) = prepared(site(0), &[]).await;
    let own = program(&folder, &[], &[]).get_program().to_owned();
    let mut child = std::process::Command::new("sh")
        .args(["-c", "ulimit -Sn 64; exec \"$0\" serve"])
        .arg(own)
        .current_dir(folder.path())
        .env_clear()
        .envs(borrowed(&settings))
        .spawn()
        .unwrap();
    let address = listening(&folder.url::<String>()).await["address"].clone();
    let base = address.as_str().unwrap().to_owned();
    let host = base.strip_prefix("http://").unwrap().to_owned();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let files: Vec<&str> = files.split_whitespace().collect();
    assert_eq!(files[3], files[4], "soft and hard: {limits}");

    let unfinished = move || {
        let open = |_| {
            let mut peer = TcpStream::connect(&host).unwrap();
            peer.set_read_timeout(Some(Duration::from_secs(25)))
                .unwrap();
            let head = "POST /api/indexes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
            peer.write_all(head.as_bytes()).unwrap();
            peer
        };
        let peers: Vec<TcpStream> = (0..200).map(open).collect();
        let began = Instant::now();
        for mut peer in peers {
            let mut said = String::new();
            peer.read_to_string(&mut said).unwrap();
            assert!(said.starts_with("HTTP/1.1 400"), "{said}");
        }
        began.elapsed()
    };
    let unfinished = actix_web::web::block(unfinished);
    // With three times as many connections as it began with, somebody else is answered.
    let health = client()
        .get(format!("{base}/health/live"))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200);
    let took = unfinished.await.unwrap();
    assert!((14..20).contains(&took.as_secs()), "{took:?}");
    all_held("C5", 200, Some(child.id()));
    terminate(&mut child).await;
}
