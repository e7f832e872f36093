//! The request log.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

/// One request that reached a simulator, with its outcome.
#[derive(Clone, Debug)]
pub struct LoggedRequest {
    /// Counts from 1 since the last reset.
    pub seq: u64,
    /// When it arrived (machine time).
    pub at: DateTime<Utc>,
    /// Upper-case method.
    pub method: String,
    /// Path as sent, percent-encoding untouched.
    pub path: String,
    /// Query as sent, without `?`.
    pub query: String,
    /// The endpoint it met, without a gateway prefix, e.g. `/wiki/api/v2/pages/{id}`; the path itself if none.
    pub template: String,
    /// Status answered; 0 when the connection was reset instead.
    pub status: u16,
    /// Milliseconds from arrival to answer, simulated latency included.
    pub ms: u64,
    /// Bytes of the answer's body.
    pub bytes: usize,
    /// The fault that shaped the answer, if one did.
    pub fault: Option<String>,
    /// The JSON body of the request, if it had one.
    pub body: Option<Value>,
    /// Content type of the request.
    pub content_type: Option<String>,
}

impl LoggedRequest {
    /// Path and query together.
    pub fn path_and_query(&self) -> String {
        if self.query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query)
        }
    }

    /// A query parameter, decoded; repeated ones are joined by commas.
    pub fn query_value(&self, name: &str) -> Option<String> {
        let values: Vec<String> = url::form_urlencoded::parse(self.query.as_bytes())
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.into_owned())
            .collect();
        (!values.is_empty()).then(|| values.join(","))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    pub entries: Vec<LoggedRequest>,
    pub next: u64,
    /// Requests counted but, above the cap, no longer kept.
    pub counts: BTreeMap<String, u64>,
}

/// Entries kept; counters go on beyond.
const KEPT: usize = 200_000;

impl Log {
    pub(crate) fn push(&mut self, mut entry: LoggedRequest) {
        self.next += 1;
        entry.seq = self.next;
        *self
            .counts
            .entry(format!("{} {}", entry.method, entry.template))
            .or_default() += 1;
        if self.entries.len() < KEPT {
            self.entries.push(entry);
        }
    }
}
