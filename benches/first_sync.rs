//! A first sync as an operator sees it: the real program against simulated services with latency, at a quota.
//!
//! ```sh
//! cargo bench --bench first_sync -- [PAGES…] [--kilobytes N] [--llamacloud] [--without-facts] [--quota N]
//!                                   [--confluence-latency MS] [--store-latency MS]
//! cargo bench --bench first_sync -- --everything
//! ```
//!
//! Prints a Markdown table: start to ready, first sync, quiet poll, sweep, an edit until it is found, and processor time and
//! memory of the program from `/proc` (the simulators live in this process, so theirs is not in it). `--without-facts`: an index
//! that needs neither labels nor restrictions, with `SYNC_SKIP_UNNEEDED_FACTS`. `--everything`: all that the documentation
//! tells, in one table; takes a quarter of an hour. `MALLOC_ARENA_MAX` is handed on to the program.

mod service;

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use service::{BOUND, Program, post, seconds, until_over};
use simulators::confluence::{ConfluenceSim, Site};
use simulators::llamacloud::LlamaCloudSim;

/// Spaces that the pages are spread over.
const SPACES: usize = 20;

/// One row of the table.
#[derive(Clone)]
struct Options {
    pages: usize,
    /// Of one body.
    kilobytes: usize,
    llamacloud: bool,
    facts: bool,
    quota: u32,
    confluence: Duration,
    store: Duration,
}

fn options() -> Vec<Options> {
    let mut pages = Vec::new();
    let mut options = Options {
        pages: 0,
        kilobytes: 3,
        llamacloud: false,
        facts: true,
        quota: 10,
        confluence: Duration::from_millis(40),
        store: Duration::from_millis(100),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> u32 {
            let text = arguments.next();
            text.and_then(|n| n.parse().ok()).expect("a number")
        };
        match argument.as_str() {
            // Cargo's own.
            "--bench" => {}
            "--everything" => return everything(&options),
            "--llamacloud" => options.llamacloud = true,
            "--without-facts" => options.facts = false,
            "--kilobytes" => options.kilobytes = number() as usize,
            "--quota" => options.quota = number(),
            "--confluence-latency" => options.confluence = Duration::from_millis(number().into()),
            "--store-latency" => options.store = Duration::from_millis(number().into()),
            count => pages.push(count.parse().expect("a number of pages")),
        }
    }
    if pages.is_empty() {
        pages = vec![1_000, 10_000];
    }
    let row = |pages| Options {
        pages,
        ..options.clone()
    };
    pages.into_iter().map(row).collect()
}

fn everything(usual: &Options) -> Vec<Options> {
    let mut rows = Vec::new();
    for pages in [1_000, 10_000] {
        for facts in [true, false] {
            rows.push(Options {
                pages,
                facts,
                ..usual.clone()
            });
        }
    }
    for (millis, quota) in [(100, 10), (40, 100), (100, 100)] {
        rows.push(Options {
            pages: 10_000,
            confluence: Duration::from_millis(millis),
            quota,
            ..usual.clone()
        });
    }
    rows.push(Options {
        pages: 10_000,
        kilobytes: 11,
        quota: 100,
        ..usual.clone()
    });
    rows.push(Options {
        pages: 100_000,
        quota: 100,
        ..usual.clone()
    });
    rows.push(Options {
        pages: 10_000,
        llamacloud: true,
        ..usual.clone()
    });
    rows
}

/// Pages of so many kilobytes with headings, a table, code and a link, in a tree; every tenth has a label. The spaces' home pages are
/// among them. They were written over the last month, one after the other.
fn site(pages: usize, kilobytes: usize) -> Site {
    let site = Site::new();
    let begin = chrono::Utc::now() - chrono::TimeDelta::days(30);
    let apart = chrono::TimeDelta::days(29) / i32::try_from(pages).unwrap_or(i32::MAX).max(1);
    for space in 0..SPACES {
        let site = site.at(begin);
        site.add_space(&format!("SP{space}"), &format!("Space {space}"));
    }
    let mut parents = vec![None; SPACES];
    for n in 0..pages.saturating_sub(SPACES) {
        let space = n % SPACES;
        let sentence = format!(
            "Service {n} keeps the queue of region {} in step and reports to team {}. ",
            n % 13,
            n % 29
        );
        // It stands in the body four times.
        let filler = sentence.repeat(kilobytes * 1_000 / (4 * sentence.len()));
        let body = format!(
            "<h2>Purpose</h2><p>{filler}</p><h2>Settings</h2><table><tbody><tr><th>Name</th><th>Value</th></tr>\
             <tr><td>replicas</td><td>{}</td></tr><tr><td>region</td><td>{}</td></tr></tbody></table>\
             <ac:structured-macro ac:name=\"code\"><ac:parameter ac:name=\"language\">sh</ac:parameter><ac:plain-text-body>\
             <![CDATA[restart service-{n} --region {}]]></ac:plain-text-body></ac:structured-macro>\
             <h2>Failures</h2><p>{filler}</p><ul><li>{filler}</li><li>See <a href=\"https://example.com/{n}\">the log</a>.</li></ul>",
            n % 7,
            n % 13,
            n % 13,
        );
        let written = begin + apart * i32::try_from(n).unwrap_or(i32::MAX);
        let id = site.at(written).create_page(
            &format!("SP{space}"),
            parents[space],
            &format!("Service {n}"),
            &body,
        );
        if (n / SPACES).is_multiple_of(25) {
            parents[space] = Some(id);
        }
        if n % 10 == 0 {
            site.label(id, "runbook");
        }
    }
    site
}

async fn measure(options: &Options) -> String {
    let pages = options.pages;
    let http = Client::builder().no_proxy().build().expect("a client");
    let site = site(pages, options.kilobytes);
    site.set_switches(|switches| switches.latency = options.confluence);
    let sim = ConfluenceSim::builder()
        .site(site.clone())
        .start()
        .await
        .expect("a port");
    let store = LlamaCloudSim::builder().start().await.expect("a port");
    store.switches(|switches| switches.latency = options.store);
    let folder = tempfile::tempdir().expect("a folder");
    let (mut command, base) = service::command(folder.path(), &sim);
    command
        .env(
            "CONFLUENCE_MAX_REQUESTS_PER_SECOND",
            options.quota.to_string(),
        )
        // How much freed memory glibc keeps; the image sets it.
        .envs(std::env::var("MALLOC_ARENA_MAX").map(|most| ("MALLOC_ARENA_MAX", most)));
    if options.llamacloud {
        command
            .env("LLAMA_CLOUD_API_KEY", LlamaCloudSim::KEY)
            .env("LLAMA_CLOUD_BASE_URL", store.base_url());
    }
    if !options.facts {
        command.env("SYNC_SKIP_UNNEEDED_FACTS", "true");
    }
    let began = Instant::now();
    let program = Program::start(command, &http, &base).await;
    let ready = began.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = program.megabytes("VmRSS");

    let spaces: Vec<String> = (0..SPACES).map(|n| format!("SP{n}")).collect();
    let mut body = json!({"name": "bench", "agent_id": "bench", "confluence_spaces": spaces});
    if !options.facts {
        body["restricted_pages"] = json!("include");
    }
    let index = post(&http, &format!("{base}/api/indexes/"), &body).await;
    let first = until_over(&http, &base, &index["last_run"]).await;
    let (took, cpu, peak) = (
        seconds(&first),
        program.cpu_seconds(),
        program.megabytes("VmHWM"),
    );
    let counts = &first["counts"];
    let searchable = counts["searchable"].as_f64().expect("a number");

    let sync = format!("{base}/api/indexes/agent/bench/sync");
    let poll = post(&http, &sync, &json!({"full": false})).await;
    let poll = until_over(&http, &base, &poll).await;
    let sweep = post(&http, &sync, &json!({})).await;
    let sweep = until_over(&http, &base, &sweep).await;
    assert_eq!(
        sweep["counts"]["uploaded"], 0,
        "nothing is uploaded twice: {sweep}"
    );
    let question = json!({"query": "walrus tickets", "top_k": 1});
    let query = format!("{base}/api/indexes/agent/bench/query");
    let before = post(&http, &query, &question).await;
    assert_eq!(before["results"][0], Value::Null, "in vain: {before}");
    let edited = site.find("SP3", "Service 3").expect("a page");
    site.edit(edited, "<p>The walrus counts its tickets.</p>");
    let began = Instant::now();
    let run = post(&http, &sync, &json!({"full": false})).await;
    loop {
        let answer = post(&http, &query, &question).await;
        let text = answer["results"][0]["text"].as_str();
        if text.is_some_and(|text| text.contains("walrus")) {
            break;
        }
        assert!(began.elapsed() < BOUND, "not found: {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let found = began.elapsed().as_secs_f64();
    until_over(&http, &base, &run).await;
    let store = if options.llamacloud {
        format!("LlamaCloud, {} ms", options.store.as_millis())
    } else {
        "embedded".to_owned()
    };
    let facts = if options.facts { "with" } else { "without" };
    format!(
        "| {pages} | {} | {facts} | {} ms | {}/s | {store} | {:.0} ms | {took:.1} s | {:.0} | {} | {} | {:.2} ms | {} ({:.1} s) | {} ({:.1} s) | {found:.1} s | {idle:.0} MB | {peak:.0} MB |",
        options.kilobytes,
        options.confluence.as_millis(),
        options.quota,
        ready.as_secs_f64() * 1000.0,
        searchable / took,
        first["requests"]["confluence"],
        first["requests"]["store"],
        cpu * 1000.0 / searchable,
        poll["requests"]["confluence"],
        seconds(&poll),
        sweep["requests"]["confluence"],
        seconds(&sweep),
    )
}

fn main() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    actix_web::rt::System::new().block_on(async {
        println!("| pages | kB each | labels and restrictions | Confluence | quota | store | start to ready | first sync | pages/s | requests to Confluence | to the store | CPU a page | quiet poll: requests | sweep: requests | an edit is found after | idle | peak |");
        println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        for options in options() {
            println!("{}", measure(&options).await);
        }
    });
}
