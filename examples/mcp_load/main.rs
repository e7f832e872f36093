//! Load on a running service over MCP: latencies and calls a second of `get_page` and `search_confluence` at 1, 8 and 64
//! clients, and what idle SSE sessions cost.
//!
//! `cargo run --release --example mcp_load -- http://127.0.0.1:8001 [--seconds 5] [--pid PID] [--idle 1000] [--tool NAME --arguments JSON]`

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{join_all, try_join_all};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A tool and the arguments with which it is called in turn.
type Load = (String, Arc<Vec<Value>>);

/// One client of Streamable HTTP with a session of its own.
struct Client {
    http: reqwest::Client,
    url: Arc<str>,
}

impl Client {
    async fn open(url: &Arc<str>) -> Outcome<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        let plain = reqwest::Client::builder()
            .default_headers(headers.clone())
            .build()?;
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "load", "version": "1"}}});
        let response = plain
            .post(&**url)
            .json(&hello)
            .send()
            .await?
            .error_for_status()?;
        if let Some(session) = response.headers().get("mcp-session-id") {
            headers.insert("mcp-session-id", session.clone());
        }
        headers.insert(
            "mcp-protocol-version",
            HeaderValue::from_static("2025-06-18"),
        );
        message(response, 0).await?;
        let client = Self {
            http: reqwest::Client::builder()
                .default_headers(headers)
                .tcp_nodelay(true)
                .build()?,
            url: url.clone(),
        };
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        client
            .http
            .post(&*client.url)
            .json(&ready)
            .send()
            .await?
            .error_for_status()?;
        Ok(client)
    }

    async fn call(&self, tool: &str, arguments: &Value) -> Outcome<Value> {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}});
        let response = self
            .http
            .post(&*self.url)
            .json(&request)
            .send()
            .await?
            .error_for_status()?;
        let answer = message(response, 1).await?;
        if answer["result"]["isError"] == true || answer.get("error").is_some() {
            return Err(format!("{tool} {arguments}: {answer}").into());
        }
        Ok(answer)
    }
}

/// The answer with this id, whether it comes as JSON or on a stream.
async fn message(response: reqwest::Response, id: u64) -> Outcome<Value> {
    let streamed = response
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !streamed {
        return Ok(response.json().await?);
    }
    let mut body = response.bytes_stream();
    let mut text = String::new();
    while let Some(part) = body.next().await {
        text.push_str(&String::from_utf8_lossy(&part?));
        while let Some(end) = text.find('\n') {
            let line: String = text.drain(..=end).collect();
            if let Some(data) = line.strip_prefix("data:")
                && let Ok(message) = serde_json::from_str::<Value>(data.trim())
                && message["id"] == id
            {
                return Ok(message);
            }
        }
    }
    Err("the stream ended without an answer".into())
}

struct Row {
    tool: String,
    clients: usize,
    calls: usize,
    seconds: f64,
    sorted: Vec<Duration>,
}

impl Row {
    fn at(&self, share: f64) -> f64 {
        let last = self.sorted.len().saturating_sub(1);
        let place = (share * last as f64).round() as usize;
        self.sorted
            .get(place)
            .map_or(0.0, |d| d.as_secs_f64() * 1_000.0)
    }

    fn print(&self) {
        println!(
            "| {} | {} | {:.2} | {:.2} | {:.2} | {:.0} |",
            self.tool,
            self.clients,
            self.at(0.5),
            self.at(0.95),
            self.at(0.99),
            self.calls as f64 / self.seconds
        );
    }
}

async fn measure(
    url: &Arc<str>,
    tool: &str,
    variants: &Arc<Vec<Value>>,
    clients: usize,
    time: Duration,
) -> Outcome<Row> {
    let open = try_join_all((0..clients).map(|_| Client::open(url))).await?;
    for client in &open {
        client.call(tool, &variants[0]).await?;
    }
    let started = Instant::now();
    let work = open.into_iter().enumerate().map(|(number, client)| {
        let (variants, tool) = (variants.clone(), tool.to_owned());
        tokio::spawn(async move {
            let mut took = Vec::new();
            let mut turn = number;
            while started.elapsed() < time {
                let began = Instant::now();
                client.call(&tool, &variants[turn % variants.len()]).await?;
                took.push(began.elapsed());
                turn += 1;
            }
            Outcome::Ok(took)
        })
    });
    let mut sorted = Vec::new();
    for took in join_all(work).await {
        sorted.extend(took??);
    }
    let seconds = started.elapsed().as_secs_f64();
    sorted.sort_unstable();
    Ok(Row {
        tool: tool.to_owned(),
        clients,
        calls: sorted.len(),
        seconds,
        sorted,
    })
}

/// Memory of a process in MB, as the kernel counts it.
fn memory(pid: Option<u32>) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid?)).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

async fn idle(base: &str, sessions: usize, pid: Option<u32>) -> Outcome<()> {
    let before = memory(pid);
    let http = reqwest::Client::new();
    let began = Instant::now();
    let mut open = Vec::with_capacity(sessions);
    for _ in 0..sessions.div_ceil(100) {
        let batch = (0..100.min(sessions - open.len())).map(|_| async {
            let mut response = http
                .get(format!("{base}/mcp/sse"))
                .header(ACCEPT, "text/event-stream")
                .send()
                .await?
                .error_for_status()?;
            let first = response.chunk().await?;
            Outcome::Ok((response, first))
        });
        open.extend(try_join_all(batch).await?);
    }
    let opened = began.elapsed();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let with = memory(pid);
    println!(
        "\n{sessions} idle SSE sessions opened in {:.2} s",
        opened.as_secs_f64()
    );
    if let (Some(before), Some(with)) = (before, with) {
        let each = (with - before) * 1024.0 / sessions as f64;
        println!("memory {before:.1} MB before, {with:.1} MB with them: {each:.1} kB each");
    }
    let url: Arc<str> = format!("{base}/mcp").into();
    let client = Client::open(&url).await?;
    let mut took = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        client
            .call("search_confluence", &json!({"query": "release"}))
            .await?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    println!(
        "search_confluence beside them: p50 {:.2} ms, p95 {:.2} ms",
        took[100].as_secs_f64() * 1e3,
        took[190].as_secs_f64() * 1e3
    );
    drop(open);
    tokio::time::sleep(Duration::from_secs(2)).await;
    if let Some(after) = memory(pid) {
        println!("memory {after:.1} MB after they closed");
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        arguments
            .iter()
            .position(|a| a == name)
            .and_then(|at| arguments.get(at + 1))
            .cloned()
    };
    let base = arguments
        .first()
        .filter(|a| a.starts_with("http"))
        .ok_or("name the service: http://127.0.0.1:8001")?;
    let base = base.trim_end_matches('/').to_owned();
    let time = Duration::from_secs(option("--seconds").map_or(Ok(5), |n| n.parse())?);
    let pid = option("--pid").map(|pid| pid.parse()).transpose()?;
    let url: Arc<str> = format!("{base}/mcp").into();

    let questions = [
        "roll back a release",
        "on call rotation",
        "vacation policy",
        "backup restore",
        "incident review",
        "vpn",
        "access request",
        "deploy checklist",
    ];
    let (tools, rounds): (Vec<Load>, _) = match (option("--tool"), option("--arguments")) {
        (Some(tool), Some(arguments)) => (
            vec![(tool, Arc::new(vec![serde_json::from_str(&arguments)?]))],
            "given arguments",
        ),
        _ => {
            let client = Client::open(&url).await?;
            let mut pages = Vec::new();
            for question in questions {
                let found = client
                    .call("search_confluence", &json!({"query": question}))
                    .await?;
                for result in found["result"]["structuredContent"]["results"]
                    .as_array()
                    .into_iter()
                    .flatten()
                {
                    let wanted = json!({"page_id": result["page"]["id"]});
                    if !pages.contains(&wanted) {
                        pages.push(wanted);
                    }
                }
            }
            let questions = questions.iter().map(|q| json!({"query": q})).collect();
            (
                vec![
                    ("get_page".into(), Arc::new(pages)),
                    ("search_confluence".into(), Arc::new(questions)),
                ],
                "8 questions and the pages they find, in turn",
            )
        }
    };
    println!("{} s each; {rounds}; milliseconds\n", time.as_secs());
    println!(
        "| tool | clients | p50 | p95 | p99 | calls/s |\n| --- | ---: | ---: | ---: | ---: | ---: |"
    );
    for (tool, variants) in &tools {
        for clients in [1, 8, 64] {
            measure(&url, tool, variants, clients, time).await?.print();
        }
    }
    if let Some(memory) = memory(pid) {
        println!("\nmemory after this {memory:.1} MB");
    }
    if let Some(sessions) = option("--idle") {
        idle(&base, sessions.parse()?, pid).await?;
    }
    Ok(())
}
