//! `doctor`: prints what [`crate::diagnosis`] finds, as it comes, or all of it as JSON.

use std::pin::pin;
use std::sync::Arc;

use actors::Backends;
use domain::index::BackendKind;
use domain::ports::source::ContentSource;
use domain::ports::store::AdminStore;
use futures_util::StreamExt as _;
use local_index::LocalIndexError;
use metastore::OpenError;

use super::{CliError, CliResult, DONE, FAILED, USAGE, quiet_settings};
use crate::diagnosis::{self, Finding, Outcome, Subject};
use crate::http::list::List;
use crate::settings::{Need, Settings};
use crate::wiring::{self, StartError, confluence_client, llamacloud_client, open_store};

/// What was found, and how many of it were bad.
struct Told {
    bad: usize,
    /// For one JSON object at the end; otherwise each is printed as it comes.
    kept: Option<Vec<Finding>>,
}

impl Told {
    fn tell(&mut self, finding: Finding) {
        self.bad += usize::from(finding.outcome == Outcome::Failed);
        match &mut self.kept {
            Some(kept) => kept.push(finding),
            None => print(&finding),
        }
    }

    /// Ends with this exit code.
    fn end(self, code: u8) -> CliResult {
        if let Some(kept) = self.kept {
            let list = serde_json::to_string_pretty(&List::whole(kept));
            super::print_exactly(&list.map_err(CliError::failed)?);
        }
        Ok(code)
    }
}

fn print(
    Finding {
        what,
        outcome,
        said,
    }: &Finding,
) {
    let word = match outcome {
        Outcome::Ok => "ok   ",
        Outcome::Warning => "warn ",
        Outcome::Failed => "FAIL ",
    };
    // One line each, whatever a server answered: else it could add findings of its own.
    let said = said.split(['\n', '\r']).map(str::trim).collect::<Vec<_>>();
    super::print(&format!("{word} {what}: {}", said.join(" ")));
}

pub(super) async fn run(as_json: bool) -> CliResult {
    let mut told = Told {
        bad: 0,
        kept: as_json.then(Vec::new),
    };
    let settings = match quiet_settings(Need::Serve) {
        Ok(settings) => settings,
        Err(error) => {
            told.tell(Finding::bad("settings", error.message));
            return told.end(USAGE);
        }
    };
    told.tell(diagnosis::of_settings(&settings));

    let mut beforehand = Vec::new();
    let store = open_store(&settings)
        .map_err(|error| beforehand.push(unopened(error)))
        .ok();
    let client = confluence_client(&settings, store.as_ref())
        .map_err(|error| beforehand.push(Finding::bad("Confluence", error)))
        .ok();
    let (client, connection) = client.unzip();
    let source = client.map(|client| client.for_waiting());
    let embedder = wiring::embedder(&settings)
        .map_err(|error| beforehand.push(Finding::bad("embeddings", error)))
        .ok();
    let backends = backends(&settings, &mut beforehand);
    let subject = Subject {
        settings: &settings,
        store: store.as_ref().map(|store| store as &dyn AdminStore),
        source: source.as_ref().map(|source| source as &dyn ContentSource),
        connection: connection.flatten(),
        backends: &backends,
        embedder: embedder.flatten(),
        beforehand,
    };
    let mut checks = pin!(diagnosis::checks(&subject));
    while let Some(finding) = checks.next().await {
        told.tell(finding);
    }
    let code = if told.bad == 0 { DONE } else { FAILED };
    told.end(code)
}

/// A database that is not there yet is no fault, nor is one of an earlier version.
fn unopened(error: StartError) -> Finding {
    match error {
        StartError::Database(OpenError::Missing { database }) => {
            let said = format!("there is none yet; the first start makes {database}");
            Finding::good("database", said)
        }
        // The next start brings it up to date.
        StartError::Database(error @ OpenError::Outdated { .. }) => {
            Finding::warning("database", error)
        }
        error => Finding::bad("database", error),
    }
}

/// The stores, to look at: nothing is made, brought up to date or remembered.
fn backends(settings: &Settings, beforehand: &mut Vec<Finding>) -> Backends {
    let mut backends = Backends::new();
    let what = format!("store {}", BackendKind::Local);
    match wiring::local_index_to_look_at(settings) {
        Ok(local) => {
            backends.insert(BackendKind::Local, Arc::new(local));
        }
        Err(error @ LocalIndexError::Missing { .. }) => {
            beforehand.push(Finding::good(what, error));
        }
        Err(error @ LocalIndexError::Older { .. }) => {
            beforehand.push(Finding::warning(what, error));
        }
        Err(error) => beforehand.push(Finding::bad(what, error)),
    }
    match llamacloud_client(settings) {
        Ok(client) => backends.extend(client.map(|client| {
            let client: Arc<dyn domain::ports::retrieval::RetrievalBackend> = Arc::new(client);
            (BackendKind::LlamaCloud, client)
        })),
        Err(error) => beforehand.push(Finding::bad("store llamacloud", error)),
    }
    backends
}
