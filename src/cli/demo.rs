//! `demo`: the whole service against a simulated site, with nothing to set up and nothing left behind.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use domain::event::EventKind;
use domain::run::Run;
use serde_json::json;
use simulators::confluence::ConfluenceSim;
use simulators::demo::{Story, site};
use tokio::sync::broadcast::error::RecvError;

use super::{CliError, CliResult, serve};
use crate::settings::{Need, Pairs, Settings};
use crate::shutdown::Signals;
use crate::telemetry;
use crate::wiring::App;

/// The port that is tried first.
const FIRST_PORT: u16 = 8001;
/// How many ports after it are tried.
const MORE_PORTS: u16 = 100;
/// What each answer of the simulated site takes, so that there is something to see.
const LATENCY: Duration = Duration::from_millis(40);
/// The spaces of the sample site.
const SPACES: [&str; 3] = ["ENG", "OPS", "PEOPLE"];

#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    /// The port to listen at; the next free one when it is taken.
    #[arg(long, default_value_t = FIRST_PORT)]
    port: u16,
    /// Seconds between two changes of the sample site.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
}

/// A folder that goes when the demo does.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path =
            std::env::temp_dir().join(format!("mcp-confluence-demo-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind, it is in the way of nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) async fn run(args: &DemoArgs, signals: &mut Signals) -> CliResult {
    let folder = Folder::new().map_err(CliError::failed)?;
    let site = site();
    site.set_switches(|switches| switches.latency = LATENCY);
    let sim = ConfluenceSim::builder()
        .site(site.clone())
        .start()
        .await
        .map_err(|error| {
            CliError::failed(format!("the simulated Confluence does not start: {error}"))
        })?;
    let listener = free_port(args.port)
        .map_err(|error| CliError::failed(format!("no port is free: {error}")))?;
    let settings = settings(&sim, &folder)?;
    telemetry::start(&settings.log);
    let app = App::start(settings, listener).await?;
    let base = app.local_url();
    super::print(&format!(
        "mcp-confluence {} serves at {base}\nConfluence is simulated ({} spaces), the index is the embedded one, the data goes when you stop.\n",
        crate::version(),
        SPACES.len(),
    ));

    let progress = tell_progress(app.state.engine.hub().subscribe());
    let first_sync = async {
        let told = async {
            progress.await;
            Ok(())
        };
        tokio::try_join!(create_index(&base), told).map(drop)
    };
    tokio::select! {
        done = first_sync => done?,
        signal = signals.next() => return Ok(serve::stop(app, signal, signals).await),
    }
    super::print(&what_to_try(&base));
    let story = Story::new(site)
        .run(Duration::from_secs(args.every), |told| {
            super::print(&format!("Confluence: {told}"))
        })
        .map_err(CliError::failed)?;
    let outcome = serve::until_told(app, signals).await;
    drop(story);
    drop(sim);
    outcome
}

/// Binds the wanted port, or one of those after it, or any.
fn free_port(wanted: u16) -> std::io::Result<TcpListener> {
    (wanted..=wanted.saturating_add(MORE_PORTS))
        .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .map_or_else(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)), Ok)
}

/// Nothing is read from the environment but `RUST_LOG`: what is set there may belong to a real site.
fn settings(sim: &ConfluenceSim, folder: &Folder) -> Result<Settings, CliError> {
    let database = format!("sqlite:///{}", folder.0.join("demo.db").display());
    let log = std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".to_owned());
    let pairs: Pairs = [
        ("CONFLUENCE_BASE_URL", sim.base_url()),
        ("CONFLUENCE_EMAIL", ConfluenceSim::EMAIL),
        ("CONFLUENCE_API_TOKEN", ConfluenceSim::TOKEN),
        ("RETRIEVAL_BACKEND", "local"),
        ("DATABASE_URL", database.as_str()),
        // What changes on the site shows within a minute or two.
        ("DEFAULT_SYNC_INTERVAL_MINUTES", "1"),
        ("SYNC_SWEEP_INTERVAL_MINUTES", "1"),
        ("SYNC_CHECK_INTERVAL_SECONDS", "15"),
        // Nobody's but whoever tries it, and gone with the folder.
        ("QUESTIONS_KEPT_DAYS", "1"),
        ("AUDIT_QUESTIONS", "text"),
        ("RUST_LOG", log.as_str()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    Ok(Settings::from_pairs(&pairs, Need::Serve)?.0)
}

/// Over REST, as anybody would.
async fn create_index(base: &str) -> Result<(), CliError> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(CliError::failed)?;
    let answer = client
        .post(format!("{base}/api/indexes/"))
        .json(
            &json!({"name": "Sample company", "agent_id": "demo", "confluence_spaces": SPACES,
            "include_comments": true, "include_attachments": true}),
        )
        .send()
        .await
        .map_err(CliError::failed)?;
    if answer.status().is_success() {
        return Ok(());
    }
    let said = answer.text().await.unwrap_or_default();
    Err(CliError::failed(format!(
        "the sample index could not be created: {said}"
    )))
}

/// One line for each look at the first run, until it is over.
async fn tell_progress(
    mut events: tokio::sync::broadcast::Receiver<std::sync::Arc<domain::event::Event>>,
) {
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let Ok(run) = serde_json::from_value::<Run>(event.event.data.clone()) else {
            continue;
        };
        let counts = &run.counts;
        match event.event.kind {
            EventKind::RunStarted => super::print("First sync begins."),
            EventKind::Progress => super::print(&format!(
                "  {} pages seen, {} fetched, {} searchable",
                counts.seen, counts.fetched, counts.searchable
            )),
            EventKind::RunFinished => {
                super::print(&format!(
                    "First sync {}: {} pages searchable with {} requests to Confluence.",
                    run.status.as_str(),
                    counts.searchable,
                    run.requests.confluence,
                ));
                return;
            }
            EventKind::PageFailed | EventKind::IndexChanged => {}
        }
    }
}

fn what_to_try(base: &str) -> String {
    format!(
        r#"
Try, in another terminal (the page at {base} shows the same):

  # ask the index
  curl -s {base}/api/indexes/agent/demo/query -H 'content-type: application/json' \
       -d '{{"query": "how do we roll back a release?", "top_k": 3}}'

  # an index of your own; its first run starts at once
  curl -s {base}/api/indexes/ -H 'content-type: application/json' \
       -d '{{"name": "Runbooks", "agent_id": "ops", "confluence_spaces": ["OPS"], "interval_minutes": 5}}'

  # watch
  curl -sN {base}/api/events

  # for agents: MCP at {base}/mcp/sse (LibreChat's type: sse) and {base}/mcp
  # the whole API: {base}/docs

Ctrl-C ends it. The sample site now changes by and by:
"#
    )
}
