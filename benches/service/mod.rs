//! The real program as a bench starts and asks it.

// No bench uses all of it.
#![allow(dead_code)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::Value;
use simulators::confluence::ConfluenceSim;

/// No sync takes longer.
pub const BOUND: Duration = Duration::from_secs(1800);

/// How the program is started in a folder over a simulated Confluence, and where it answers.
pub fn command(folder: &Path, sim: &ConfluenceSim) -> (Command, String) {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a port")
        .port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-confluence"));
    command
        .env_clear()
        .current_dir(folder)
        .env("CONFLUENCE_BASE_URL", sim.base_url())
        .env("CONFLUENCE_EMAIL", ConfluenceSim::EMAIL)
        .env("CONFLUENCE_API_TOKEN", ConfluenceSim::TOKEN)
        .env("API_PORT", port.to_string())
        .env("DEFAULT_SYNC_INTERVAL_MINUTES", "600")
        .env("RUST_LOG", "warn")
        .stderr(Stdio::inherit());
    (command, format!("http://127.0.0.1:{port}"))
}

/// The program; ended when dropped.
pub struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    /// Starts it, and waits until it is ready.
    pub async fn start(mut command: Command, http: &Client, base: &str) -> Self {
        let began = Instant::now();
        let program = Self(command.spawn().expect("the program starts"));
        while get(http, &format!("{base}/health/ready")).await.is_none() {
            assert!(began.elapsed() < Duration::from_secs(30), "not ready");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        program
    }

    /// Megabytes: `VmRSS` now, `VmHWM` at its highest.
    pub fn megabytes(&self, line: &str) -> f64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let kilobytes = status.lines().find_map(|text| {
            text.strip_prefix(line)?
                .trim_start_matches(':')
                .split_whitespace()
                .next()?
                .parse::<f64>()
                .ok()
        });
        kilobytes.unwrap_or(f64::NAN) / 1024.0
    }

    /// Seconds of processor time, all threads.
    pub fn cpu_seconds(&self) -> f64 {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap_or_default();
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |place: usize| {
            fields
                .get(place)
                .and_then(|n| n.parse::<f64>().ok())
                .unwrap_or(f64::NAN)
        };
        (ticks(11) + ticks(12)) / 100.0
    }
}

/// The JSON of an answer that is a success.
pub async fn get(http: &Client, url: &str) -> Option<Value> {
    http.get(url)
        .send()
        .await
        .ok()?
        .error_for_status()
        .ok()?
        .json()
        .await
        .ok()
}

/// The JSON of an answer that has to be a success.
pub async fn post(http: &Client, url: &str, body: &Value) -> Value {
    let answer = http
        .post(url)
        .json(body)
        .send()
        .await
        .expect("the service answers");
    let status = answer.status();
    let body: Value = answer.json().await.expect("JSON");
    assert!(status.is_success(), "{status} {body}");
    body
}

/// Waits until a run has succeeded.
pub async fn until_over(http: &Client, base: &str, run: &Value) -> Value {
    let url = format!("{base}/api/runs/{}", run["id"].as_str().expect("an id"));
    let began = Instant::now();
    loop {
        let run = get(http, &url).await.expect("the run");
        if !run["finished_at"].is_null() {
            assert_eq!(run["status"], "succeeded", "{run}");
            return run;
        }
        assert!(began.elapsed() < BOUND, "{run}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How long a run took.
pub fn seconds(run: &Value) -> f64 {
    let moment = |name: &str| {
        chrono::DateTime::parse_from_rfc3339(run[name].as_str().expect("a time")).expect("RFC 3339")
    };
    (moment("finished_at") - moment("started_at")).as_seconds_f64()
}
