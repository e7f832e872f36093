//! Everything in one run: a simulated Confluence, the service synced with it, loads, idle sessions, `kill -9`, and the peer
//! `mcp-atlassian` on the same Confluence.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulators::confluence::{ConfluenceSim, Site};

use crate::Outcome;
use crate::client::{Client, SseClient};
use crate::idle;
use crate::load::{CLIENTS, Load, Row, at, table};
use crate::program::{Program, free_port, memory, until};
use crate::service::Service;

/// Bytes of a page's body.
const BODY: usize = 3_000;
/// Pages that are read in turn.
const READ: usize = 200;
/// Nothing that is waited for takes longer.
const BOUND: Duration = Duration::from_secs(120);
/// Questions in words that the pages have.
const QUESTIONS: [&str; 8] = [
    "deploy queue",
    "restart database",
    "replica backup",
    "customer invoice",
    "release schedule",
    "metric alert",
    "cluster region",
    "token review",
];

/// What to measure.
pub struct Options {
    pub binary: PathBuf,
    pub peer: Option<PathBuf>,
    pub pages: usize,
    pub sessions: usize,
    pub restarts: usize,
    pub time: Duration,
}

pub async fn run(options: &Options) -> Outcome<()> {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "{} pages of {BODY} bytes, {} s each, simulated Confluence at 0 ms; {} processors, load average before: {}",
        options.pages,
        options.time.as_secs(),
        std::thread::available_parallelism().map_or(0, usize::from),
        load.split_whitespace().next().unwrap_or("unknown"),
    );
    let site = Site::new();
    site.set_switches(|switches| switches.v1_content_reads = true);
    let spaces: Vec<String> = (0..4).map(|n| format!("SP{n}")).collect();
    let mut pages = Vec::new();
    for space in &spaces {
        site.add_space(space, &format!("Space {space}"));
        pages.extend(site.populate(space, options.pages / spaces.len(), BODY));
    }
    let step = (pages.len() / READ).max(1);
    let read: Vec<Value> = pages
        .iter()
        .step_by(step)
        .map(|id| json!({"page_id": id.to_string()}))
        .collect();
    let sim = ConfluenceSim::builder().site(site).start().await?;

    let ours = of_ours(options, &sim, &spaces, read.clone()).await?;
    let Some(peer) = &options.peer else {
        println!("\nmcp-atlassian is not measured: name its program with --peer.");
        return Ok(());
    };
    let theirs = of_peer(options, peer, &sim, read).await?;
    println!("\n## Ours against mcp-atlassian\n");
    println!(
        "| tool | clients | calls/s, times theirs | p50, theirs / ours | p95, theirs / ours |\n| --- | ---: | ---: | ---: | ---: |"
    );
    for (own, other) in ours.iter().zip(&theirs) {
        println!(
            "| {} | {} | {:.0} | {:.0} | {:.0} |",
            own.tool,
            own.clients,
            own.per_second / other.per_second,
            other.milliseconds(0.5) / own.milliseconds(0.5),
            other.milliseconds(0.95) / own.milliseconds(0.95),
        );
    }
    Ok(())
}

async fn of_ours(
    options: &Options,
    sim: &ConfluenceSim,
    spaces: &[String],
    read: Vec<Value>,
) -> Outcome<Vec<Row>> {
    let service = Service::new(&options.binary, sim)?;
    let mut program = service.start()?;
    service.ready().await?;
    service.synced(spaces).await?;
    let url: Arc<str> = format!("{}/mcp", service.base).into();
    let questions = QUESTIONS.map(|words| json!({"query": words}));
    let loads: [Load; 2] = [
        ("get_page".into(), Arc::new(read)),
        ("search_confluence".into(), Arc::new(questions.to_vec())),
    ];
    println!("\n## mcp-confluence\n");
    let rows = table(&url, &loads, options.time).await?;
    if let Some(memory) = memory(Some(program.pid())) {
        println!("\nmemory after this {memory:.1} MB");
    }
    // A process that has done nothing else, so that its memory grows by the sessions alone.
    program.kill();
    program = service.start()?;
    service.ready().await?;
    let warm = Client::open(&url).await?;
    for words in QUESTIONS {
        warm.call("search_confluence", &json!({"query": words}))
            .await?;
    }
    let pid = Some(program.pid());
    idle::sessions(&service.base, options.sessions, pid, QUESTIONS[0]).await?;
    restarts(options, &service, program).await?;
    let tools = CLIENTS.len();
    assert_eq!(rows.len(), loads.len() * tools, "a row for each");
    Ok(rows)
}

/// `kill -9`, start, and the time until clients from before get their next answer. They try again all the time; what a client
/// waits of its own accord (an event source 3 s, LibreChat 2 to 8 s) comes on top.
async fn restarts(options: &Options, service: &Service, mut program: Program) -> Outcome<()> {
    let url: Arc<str> = format!("{}/mcp", service.base).into();
    let wish = json!({"query": QUESTIONS[0]});
    let mut took: [Vec<Duration>; 2] = Default::default();
    for _ in 0..options.restarts {
        let streamable = Client::open(&url).await?;
        streamable.call("search_confluence", &wish).await?;
        let legacy = SseClient::new(&service.base)?;
        legacy.call("search_confluence", &wish).await?;
        // Sessions are written down a second after they open.
        tokio::time::sleep(Duration::from_secs(2)).await;
        program.kill();
        let began = Instant::now();
        program = service.start()?;
        let first = until("the session", BOUND, async || {
            streamable.call("search_confluence", &wish).await
        });
        let second = until("a stream", BOUND, async || {
            legacy.call("search_confluence", &wish).await
        });
        let first = async { (first.await, began.elapsed()) };
        let second = async { (second.await, began.elapsed()) };
        let ((one, after_one), (two, after_two)) = tokio::join!(first, second);
        one?;
        two?;
        took[0].push(after_one);
        took[1].push(after_two);
    }
    println!(
        "\n{} times kill -9 and start; until a client from before gets its next answer:",
        options.restarts
    );
    for (name, mut took) in ["Streamable HTTP, same session", "SSE, new stream"]
        .into_iter()
        .zip(took)
    {
        took.sort_unstable();
        println!(
            "- {name}: median {:.0} ms, longest {:.0} ms",
            at(&took, 0.5),
            at(&took, 1.0)
        );
    }
    Ok(())
}

async fn of_peer(
    options: &Options,
    peer: &Path,
    sim: &ConfluenceSim,
    read: Vec<Value>,
) -> Outcome<Vec<Row>> {
    let port = free_port()?.to_string();
    let folder = tempfile::tempdir()?;
    let home = folder.path().to_string_lossy().into_owned();
    let address = format!("{}/wiki", sim.base_url());
    let program = Program::start(
        std::path::absolute(peer)?.as_os_str(),
        &[
            "--transport",
            "streamable-http",
            "--host",
            "127.0.0.1",
            "--port",
            &port,
        ],
        &[
            ("CONFLUENCE_URL", &address),
            ("CONFLUENCE_USERNAME", ConfluenceSim::EMAIL),
            ("CONFLUENCE_API_TOKEN", ConfluenceSim::TOKEN),
            // Its own account answers all clients, as ours does.
            ("ALLOW_GLOBAL_CRED_FALLBACK", "true"),
            ("HOME", &home),
        ],
        folder.path(),
    )?;
    let url: Arc<str> = format!("http://127.0.0.1:{port}/mcp").into();
    let log = |error| {
        let log = std::fs::read_to_string(folder.path().join("stderr.log")).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(20).collect();
        format!(
            "{error}; the end of its log, backwards:\n{}",
            last.join("\n")
        )
    };
    let opened = until("mcp-atlassian", BOUND, async || Client::open(&url).await).await;
    opened.map_err(log)?;
    let questions =
        QUESTIONS.map(|words| json!({"query": format!("text ~ \"{words}\""), "limit": 8}));
    let loads: [Load; 2] = [
        ("confluence_get_page".into(), Arc::new(read)),
        ("confluence_search".into(), Arc::new(questions.to_vec())),
    ];
    println!("\n## mcp-atlassian, live on the same Confluence\n");
    let rows = table(&url, &loads, options.time).await.map_err(log)?;
    if let Some(memory) = memory(Some(program.pid())) {
        println!("\nmemory after this {memory:.1} MB");
    }
    Ok(rows)
}
