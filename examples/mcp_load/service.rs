//! Our own service, synced with a simulated Confluence.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use simulators::confluence::ConfluenceSim;

use crate::Outcome;
use crate::program::{Program, free_port, until};

/// No sync takes longer.
const BOUND: Duration = Duration::from_secs(1800);

/// Our service on a fixed port and database, so that it can be killed and started again.
pub struct Service {
    binary: OsString,
    environment: Vec<(String, String)>,
    folder: tempfile::TempDir,
    pub base: String,
}

impl Service {
    pub fn new(binary: &Path, sim: &ConfluenceSim) -> Outcome<Self> {
        let port = free_port()?;
        let environment = [
            ("CONFLUENCE_BASE_URL", sim.base_url()),
            ("CONFLUENCE_EMAIL", ConfluenceSim::EMAIL),
            ("CONFLUENCE_API_TOKEN", ConfluenceSim::TOKEN),
            ("CONFLUENCE_MAX_REQUESTS_PER_SECOND", "1000"),
            ("API_PORT", &port.to_string()),
            ("DEFAULT_SYNC_INTERVAL_MINUTES", "600"),
            ("RUST_LOG", "warn"),
        ];
        Ok(Self {
            binary: std::path::absolute(binary)?.into(),
            environment: environment
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            folder: tempfile::tempdir()?,
            base: format!("http://127.0.0.1:{port}"),
        })
    }

    pub fn start(&self) -> Outcome<Program> {
        let environment: Vec<(&str, &str)> = self
            .environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Program::start(&self.binary, &["serve"], &environment, self.folder.path())
    }

    pub async fn ready(&self) -> Outcome<()> {
        let url = format!("{}/health/ready", self.base);
        until("the service", BOUND, async || {
            Ok(_ = reqwest::get(&url).await?.error_for_status()?)
        })
        .await
    }

    /// Creates an index of these spaces for the agent `load` and waits until it is synced.
    pub async fn synced(&self, spaces: &[String]) -> Outcome<()> {
        let http = reqwest::Client::new();
        let wish = json!({"name": "load", "agent_id": "load", "confluence_spaces": spaces});
        let created = http
            .post(format!("{}/api/indexes/", self.base))
            .json(&wish)
            .send()
            .await?;
        created.error_for_status()?;
        let url = format!("{}/api/indexes/agent/load", self.base);
        until("the first sync", BOUND, async || {
            let index: Value = http.get(&url).send().await?.json().await?;
            match index["last_run"]["status"].as_str() {
                Some("succeeded") => Ok(()),
                status => Err(format!("its run is {status:?}").into()),
            }
        })
        .await
    }

    /// Sweeps the index of the agent `load` once.
    pub async fn sweep(&self) -> Outcome<()> {
        let http = reqwest::Client::new();
        let order = http
            .post(format!("{}/api/indexes/agent/load/sync", self.base))
            .json(&json!({}))
            .send()
            .await?;
        let run: Value = order.error_for_status()?.json().await?;
        let id = run["id"].as_str().ok_or("a run without an id")?;
        let url = format!("{}/api/runs/{id}", self.base);
        loop {
            let run: Value = http.get(&url).send().await?.json().await?;
            match run["status"].as_str() {
                Some("succeeded") => return Ok(()),
                Some("pending" | "running") => tokio::time::sleep(Duration::from_millis(50)).await,
                _ => return Err(format!("the sweep did not succeed: {run}").into()),
            }
        }
    }
}
