//! MCP under load: latencies and calls a second of `get_page` and `search_confluence` at 1, 8 and 64 clients, what idle SSE
//! sessions cost, and how soon clients get an answer after `kill -9`.
//!
//! Against a service that runs already:
//! `cargo run --release --example mcp_load -- http://127.0.0.1:8001 [--seconds 5] [--pid PID] [--idle 1000]`
//!
//! Everything at once, with a simulated Confluence and the peer on the same (`benches/mcp_compare.sh` prepares it):
//! `mcp_load compare [--binary target/release/mcp-confluence] [--peer PATH/mcp-atlassian] [--pages 2000] [--seconds 5]
//! [--idle 1000] [--restarts 10]`
//!
//! Questions while nothing else goes on and during sweeps, over indexes of several sizes:
//! `mcp_load sweep [--binary target/release/mcp-confluence] [--pages 600,6000] [--seconds 5]`

mod client;
mod compare;
mod idle;
mod load;
mod program;
mod service;
mod sweep;

use std::error::Error;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use self::client::Client;
use self::load::Load;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Questions to the demo's pages.
const QUESTIONS: [&str; 8] = [
    "roll back a release",
    "on call rotation",
    "vacation policy",
    "backup restore",
    "incident review",
    "vpn",
    "access request",
    "deploy checklist",
];

struct Arguments(Vec<String>);

impl Arguments {
    fn option(&self, name: &str) -> Option<&str> {
        let at = self.0.iter().position(|argument| argument == name)?;
        self.0.get(at + 1).map(String::as_str)
    }

    /// The program to measure: the one named, or the one that was built with this example.
    fn binary(&self) -> Outcome<PathBuf> {
        let beside = || {
            let own = std::env::current_exe().ok()?;
            Some(own.parent()?.parent()?.join("mcp-confluence"))
        };
        let named = self.option("--binary").map(PathBuf::from);
        named
            .or_else(beside)
            .ok_or_else(|| "name the program with --binary".into())
    }

    fn number<T: FromStr>(&self, name: &str, default: T) -> Outcome<T> {
        match self.option(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| format!("{name} takes a number, not {text}").into()),
        }
    }
}

#[tokio::main]
async fn main() -> Outcome<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let arguments = Arguments(std::env::args().skip(1).collect());
    let time = Duration::from_secs(arguments.number("--seconds", 5)?);
    match arguments.0.first().map(String::as_str) {
        Some("sweep") => {
            let sizes = arguments.option("--pages").unwrap_or("600,6000").split(',');
            let pages = sizes.map(str::parse).collect::<Result<_, _>>();
            sweep::run(&sweep::Options {
                binary: arguments.binary()?,
                pages: pages.map_err(|_| "--pages takes numbers with commas between them")?,
                time,
            })
            .await
        }
        Some("compare") => {
            compare::run(&compare::Options {
                binary: arguments.binary()?,
                peer: arguments.option("--peer").map(PathBuf::from),
                pages: arguments.number("--pages", 2_000)?,
                sessions: arguments.number("--idle", 1_000)?,
                restarts: arguments.number("--restarts", 10)?,
                time,
            })
            .await
        }
        Some(base) if base.starts_with("http") => {
            let base = base.trim_end_matches('/');
            running(base, time, &arguments).await
        }
        _ => Err("name a service (http://127.0.0.1:8001), or say `compare` or `sweep`".into()),
    }
}

/// Measures a service that runs already.
async fn running(base: &str, time: Duration, arguments: &Arguments) -> Outcome<()> {
    let url: Arc<str> = format!("{base}/mcp").into();
    let pid = match arguments.number("--pid", 0)? {
        0 => None,
        pid => Some(pid),
    };
    let client = Client::open(&url).await?;
    let mut pages = Vec::new();
    for question in QUESTIONS {
        let found = client
            .call("search_confluence", &json!({"query": question}))
            .await?;
        let results = found["result"]["structuredContent"]["results"].as_array();
        for result in results.into_iter().flatten() {
            let wanted = json!({"page_id": result["page"]["id"]});
            if !pages.contains(&wanted) {
                pages.push(wanted);
            }
        }
    }
    let questions: Vec<Value> = QUESTIONS.map(|q| json!({"query": q})).to_vec();
    let loads: [Load; 2] = [
        ("get_page".into(), Arc::new(pages)),
        ("search_confluence".into(), Arc::new(questions)),
    ];
    println!(
        "{} s each; 8 questions and the pages they find, in turn\n",
        time.as_secs()
    );
    load::table(&url, &loads, time).await?;
    if let Some(memory) = program::memory(pid) {
        println!("\nmemory after this {memory:.1} MB");
    }
    match arguments.number("--idle", 0)? {
        0 => Ok(()),
        sessions => idle::sessions(base, sessions, pid, "release").await,
    }
}
