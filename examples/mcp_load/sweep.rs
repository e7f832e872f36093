//! What a question waits for while a run goes on, and how that grows with the index: searches and reads while nothing else goes on,
//! and during sweeps, one after the other from one client.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulators::confluence::{ConfluenceSim, Site};

use crate::Outcome;
use crate::client::Client;
use crate::load::at;
use crate::service::Service;

/// Spaces that the pages are spread over.
const SPACES: usize = 20;
/// Pages that are asked for and read in turn.
const READ: usize = 200;
/// What Confluence takes for an answer.
const LATENCY: Duration = Duration::from_millis(40);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(2);
/// What is measured, in turn.
const KINDS: [&str; 4] = [
    "REST query",
    "MCP search_confluence",
    "MCP get_page",
    "GET /health/live",
];

/// What to measure.
pub struct Options {
    pub binary: PathBuf,
    /// An index of each of these sizes.
    pub pages: Vec<usize>,
    /// How long questions are asked of an idle service, and during sweeps at least.
    pub time: Duration,
}

/// How long each question took, by kind.
type Took = [Vec<Duration>; KINDS.len()];

pub async fn run(options: &Options) -> Outcome<()> {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "one client, {} s of questions each; simulated Confluence at {} ms; {} processors, load average before: {}\n",
        options.time.as_secs(),
        LATENCY.as_millis(),
        std::thread::available_parallelism().map_or(0, usize::from),
        load.split_whitespace().next().unwrap_or("unknown"),
    );
    println!(
        "| pages | question | while | answers | p50 ms | p95 ms | p99 ms | longest ms |\n| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |"
    );
    for pages in &options.pages {
        measure(options, *pages).await?;
    }
    Ok(())
}

/// Pages of some 3 kB of common words, each with a word of its own and one that it has in common with fifteen others: the questions
/// are made of these, since ranking every page by a common word is the store's matter.
fn site(pages: usize) -> (Site, Vec<String>, Vec<Value>) {
    let site = Site::new();
    let spaces: Vec<String> = (0..SPACES).map(|n| format!("SP{n}")).collect();
    for space in &spaces {
        site.add_space(space, &format!("Space {space}"));
    }
    let step = (pages / READ).max(1);
    let mut asked = Vec::new();
    for n in 0..pages.saturating_sub(SPACES) {
        let filler = format!(
            "The service keeps the queue of region {} in step and reports to team {}. ",
            n % 13,
            n % 29
        )
        .repeat(16);
        let body = format!(
            "<h2>Purpose</h2><p>{filler}</p><h2>Failures</h2><p>See ticket{n} of batch{} first.</p><p>{filler}</p>",
            n / 16
        );
        let space = &spaces[n % SPACES];
        let id = site.create_page(space, None, &format!("Service {n}"), &body);
        if n % step == 0 {
            let words = format!("ticket{n} of batch{}", n / 16);
            asked.push(json!({"page": id.to_string(), "words": words}));
        }
    }
    site.set_switches(|switches| switches.latency = LATENCY);
    (site, spaces, asked)
}

async fn measure(options: &Options, pages: usize) -> Outcome<()> {
    let (site, spaces, asked) = site(pages);
    let sim = ConfluenceSim::builder().site(site).start().await?;
    let service = Service::new(&options.binary, &sim)?;
    let _program = service.start()?;
    service.ready().await?;
    service.synced(&spaces).await?;
    let asked = Arc::new(asked);
    // Not measured: what is read for the first time.
    let warm = asking(&service, &asked, async || {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    });
    warm.await?;
    let idle = asking(&service, &asked, async || {
        tokio::time::sleep(options.time).await;
        Ok(())
    });
    print(pages, "nothing else", idle.await?);
    let busy = asking(&service, &asked, async || {
        let began = Instant::now();
        while began.elapsed() < options.time {
            service.sweep().await?;
        }
        Ok(())
    });
    print(pages, "sweeps", busy.await?);
    Ok(())
}

fn print(pages: usize, meanwhile: &str, took: Took) {
    for (kind, mut took) in KINDS.into_iter().zip(took) {
        took.sort_unstable();
        println!(
            "| {pages} | {kind} | {meanwhile} | {} | {:.1} | {:.1} | {:.1} | {:.1} |",
            took.len(),
            at(&took, 0.5),
            at(&took, 0.95),
            at(&took, 0.99),
            at(&took, 1.0),
        );
    }
}

/// Asks as long as something goes on. On a thread of its own, so that the simulated Confluence, which is in this process too, holds
/// up no measurement.
async fn asking(
    service: &Service,
    asked: &Arc<Vec<Value>>,
    meanwhile: impl AsyncFnOnce() -> Outcome<()>,
) -> Outcome<Took> {
    let over = Arc::new(AtomicBool::new(false));
    let asker = std::thread::spawn({
        let (base, asked, over) = (service.base.clone(), asked.clone(), over.clone());
        move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(ask(&base, &asked, &over))
        }
    });
    let done = meanwhile().await;
    over.store(true, Ordering::Relaxed);
    let took = tokio::task::spawn_blocking(|| asker.join()).await?;
    done?;
    took.map_err(|_| "the asking thread panicked")?
}

async fn ask(base: &str, asked: &[Value], over: &AtomicBool) -> Outcome<Took> {
    let http = reqwest::Client::builder().tcp_nodelay(true).build()?;
    let client = Client::open(&format!("{base}/mcp").into()).await?;
    let query = format!("{base}/api/indexes/agent/load/query");
    let live = format!("{base}/health/live");
    let mut took = Took::default();
    for turn in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let question = &asked[turn / KINDS.len() % asked.len()];
        let kind = turn % KINDS.len();
        let began = Instant::now();
        match kind {
            0 => {
                let wanted = json!({"query": question["words"]});
                let answer = http.post(&query).json(&wanted).send().await?;
                let answer: Value = answer.error_for_status()?.json().await?;
                let first = &answer["results"][0]["page"]["id"];
                if first != &question["page"] {
                    return Err(format!("{question} was answered with {answer}").into());
                }
            }
            1 => {
                let wanted = json!({"query": question["words"]});
                client.call("search_confluence", &wanted).await?;
            }
            2 => {
                let wanted = json!({"page_id": question["page"]});
                client.call("get_page", &wanted).await?;
            }
            _ => {
                http.get(&live).send().await?.error_for_status()?;
            }
        }
        took[kind].push(began.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(took)
}
