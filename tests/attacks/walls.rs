//! What a running program gives away, and to whom: memory to readers that do not read, sessions to a kill, words to strangers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use simulators::confluence::ConfluenceSim;
use test_database::Database;

use super::all_held;
use crate::mcp_support::hello;
use crate::process::{borrowed, listening, program, terminate, text};
use crate::support::{client, pairs, site};

const KEY: &str = "the-admin-key-of-tests";

/// A program that serves.
struct Program {
    _sim: ConfluenceSim,
    folder: Database,
    settings: Vec<(String, String)>,
    child: Child,
    base: String,
}

impl Program {
    async fn start(extra: &[(&str, &str)]) -> Self {
        let sim = ConfluenceSim::builder()
            .site(site(0))
            .start()
            .await
            .unwrap();
        let folder = Database::new();
        let settings: Vec<_> = pairs(&sim, &folder, extra).into_iter().collect();
        let mut program = Self {
            _sim: sim,
            child: Self::spawn(&folder, &settings),
            base: String::new(),
            folder,
            settings,
        };
        program.listening().await;
        program
    }

    fn spawn(folder: &Database, settings: &[(String, String)]) -> Child {
        program(folder, &[], &borrowed(settings))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    async fn listening(&mut self) {
        let holder = listening(&self.folder.url::<String>()).await;
        self.base = holder["address"].as_str().unwrap().to_owned();
    }

    /// SIGKILL, and another start on what is left.
    async fn killed_and_started(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::spawn(&self.folder, &self.settings);
        // The lock file still names the address of the one that was killed.
        crate::support::until("it listens anew", async || {
            let holder = listening(&self.folder.url::<String>()).await;
            (holder["pid"].as_u64() == Some(u64::from(self.child.id()))).then_some(())
        })
        .await;
        self.listening().await;
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.base.strip_prefix("http://").unwrap()).unwrap()
    }

    /// Sockets that it holds, those of others too.
    fn sockets(&self) -> usize {
        let held = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let names = held.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        names
            .filter(|name| name.to_string_lossy().starts_with("socket:"))
            .count()
    }

    /// Resident memory, MB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            / 1024
    }
}

#[actix_web::test]
async fn a_session_is_in_the_book_before_its_id_is_answered() {
    let mut program = Program::start(&[("API_KEY", KEY)]).await;
    let post = async |base: &str, session: Option<&str>, message: Value| {
        let mut request = client()
            .post(format!("{base}/mcp"))
            .bearer_auth(KEY)
            .header("accept", "application/json, text/event-stream")
            .json(&message);
        if let Some(session) = session {
            request = request.header("mcp-session-id", session);
        }
        request.send().await.unwrap()
    };
    let opened =
        json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello("2025-11-25")});
    let opened = post(&program.base, None, opened).await;
    let session = opened.headers()["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    program.killed_and_started().await;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let answered = post(&program.base, Some(&session), ping).await;
    assert_eq!(answered.status(), 200);
    assert!(answered.text().await.unwrap().contains("\"result\":{}"));
    terminate(&mut program.child).await;
    all_held("C17", 1, None);
}

/// Readers of the largest file there is who take nothing of it hold a part each, and not for long.
#[actix_web::test]
async fn who_does_not_read_holds_little_and_loses_the_connection() {
    const READERS: usize = 150;
    let mut program = Program::start(&[]).await;
    let bundle = format!("{}/docs/swagger-ui-bundle.js", program.base);
    let whole = client()
        .get(bundle)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert!(whole.len() > 1_000_000, "{}", whole.len());
    let before = program.memory();
    let readers: Vec<TcpStream> = (0..READERS)
        .map(|_| {
            let mut peer = program.connect();
            // Without reading, the systems on both sides take some of them; so many that something is left.
            for _ in 0..8 {
                peer.write_all(
                    b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n",
                )
                .unwrap();
            }
            peer
        })
        .collect();
    crate::support::until("all are connected", async || {
        (program.sockets() >= READERS).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let held = program.memory().saturating_sub(before);
    println!("{READERS} readers that do not read hold {held} MB");
    assert!(held < 60, "{held} MB for {READERS} readers");
    // What is read would let the service write on; that a connection was reset is seen without.
    let mut waiting = readers;
    crate::support::until("the connections are reset", async || {
        waiting.retain(|peer| {
            let ended = peer.take_error().unwrap();
            if let Some(error) = &ended {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
            }
            ended.is_none()
        });
        waiting.is_empty().then_some(())
    })
    .await;
    terminate(&mut program.child).await;
}

#[actix_web::test]
async fn strangers_hear_the_status_and_the_log_names_who_asked_for_what() {
    let settings = [
        ("API_KEY", KEY),
        ("RUST_LOG", "info"),
        ("LOG_FORMAT", "json"),
        ("NO_COLOR", "1"),
    ];
    let mut program = Program::start(&settings).await;
    let get = async |path: &str, key: &str| {
        let request = client().get(format!("{}{path}", program.base));
        let request = match key {
            "" => request,
            key => request.bearer_auth(key),
        };
        request.send().await.unwrap()
    };
    for (path, status) in [("/health", "ok"), ("/health/ready", "ready")] {
        let told: Value = get(path, "").await.json().await.unwrap();
        assert_eq!(told, json!({"status": status}), "{path}");
        let told: Value = get(path, KEY).await.json().await.unwrap();
        assert_eq!(told["reasons"], json!([]), "{path}");
        let wrong = get(path, "wrong").await.status();
        assert_eq!(wrong, 401, "a guess is one here too");
    }
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/oauth-protected-resource",
    ] {
        let told = get(path, "").await;
        assert_eq!(told.status(), 404, "{path}");
        assert!(!told.headers().contains_key("www-authenticate"), "{path}");
    }
    assert_eq!(get("/api/indexes?word=quince", KEY).await.status(), 422);
    for broken in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let mut peer = program.connect();
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        peer.write_all(broken).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        _ = peer.read_to_end(&mut Vec::new());
    }
    terminate(&mut program.child).await;
    let log = text(&program.child.wait_with_output().unwrap().stderr);
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.iter().all(|line| line["level"] != "ERROR"), "{log}");
    let asked: Vec<&Value> = lines
        .iter()
        .filter(|line| line["message"] == "request" && line["path"] == "/api/indexes")
        .collect();
    assert_eq!(asked.len(), 1, "{log}");
    assert_eq!(asked[0]["principal"], "admin");
    assert_eq!(asked[0]["span"]["client"], "127.0.0.1");
    assert!(!log.contains("quince"), "{log}");
    all_held("D13", 1, None);
}
