//! The engine's state as readiness, metrics, `doctor` and the web page read it. Making it sends no request anywhere.

use domain::index::BackendKind;
use domain::ports::retrieval::BackendHealth;
use domain::ports::source::SourceHealth;
use domain::run::Run;
use domain::{IndexId, Timestamp};

/// How the whole engine stands.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EngineStatus {
    /// Whether it takes orders: the scheduler answers and it is not stopping. Upstream faults do not clear it.
    pub ready: bool,
    /// What is wrong, in words: faults of the engine, of Confluence, of the retrieval stores.
    pub reasons: Vec<String>,
    /// One entry per living index actor.
    pub indexes: Vec<IndexGauge>,
    /// Fetcher actors that answer.
    pub fetchers: usize,
    /// Requests to Confluence that are being worked on by fetchers now.
    pub fetchers_busy: usize,
    /// Confluence.
    pub source: SourceHealth,
    /// The retrieval stores.
    pub backends: Vec<BackendStatus>,
    /// Store objects of deleted and moved indexes that are still to be removed, due or not.
    pub leaving: usize,
    /// When the scheduler looks for due indexes next.
    pub next_tick: Option<Timestamp>,
    /// How often an actor had to be started again since the start.
    pub respawns: u64,
}

/// How one index actor stands.
#[derive(Clone, PartialEq, Debug)]
pub struct IndexGauge {
    /// The index.
    pub index: IndexId,
    /// The run under way, with its newest counters.
    pub run: Option<Run>,
    /// Credits handed out for this index: requests to Confluence of its run that are in flight.
    pub credits_used: usize,
    /// Whether it was given up after too many failures in a row; an order or a change starts it again.
    pub given_up: bool,
}

/// How one retrieval store stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackendStatus {
    /// Which one.
    pub kind: BackendKind,
    /// The state of its client.
    pub health: BackendHealth,
    /// Batches that are being uploaded or deleted now.
    pub in_flight: usize,
}

impl EngineStatus {
    /// What is wrong, in words.
    pub(crate) fn trouble(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if !self.ready {
            reasons.push("the engine is stopping".to_owned());
        }
        if self.fetchers == 0 {
            reasons.push("no fetcher answers".to_owned());
        }
        reasons.extend(
            self.source
                .trouble
                .iter()
                .map(|trouble| format!("Confluence: {trouble}")),
        );
        for backend in &self.backends {
            let trouble = backend.health.trouble.iter();
            reasons.extend(trouble.map(|trouble| format!("{}: {trouble}", backend.kind)));
        }
        for gauge in self.indexes.iter().filter(|gauge| gauge.given_up) {
            reasons.push(format!("the actor of index {} died too often", gauge.index));
        }
        reasons
    }
}
