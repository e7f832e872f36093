//! What the service holds.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::ranking::{Chunk, cut};
use super::switches::{Switches, names};

/// The state of a document's ingestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IngestionStatus {
    /// Accepted, waiting.
    NotStarted,
    /// Being cut and embedded.
    InProgress,
    /// Searchable (or so it says).
    Success,
    /// Failed.
    Error,
}

impl IngestionStatus {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            IngestionStatus::NotStarted => "NOT_STARTED",
            IngestionStatus::InProgress => "IN_PROGRESS",
            IngestionStatus::Success => "SUCCESS",
            IngestionStatus::Error => "ERROR",
        }
    }
}

/// A document as the service really holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueDocument {
    /// The client's id.
    pub id: String,
    /// Its newest text.
    pub text: String,
    /// Its newest metadata.
    pub metadata: Map<String, Value>,
    /// Where its ingestion stands.
    pub status: IngestionStatus,
    /// Texts of the chunks that are searchable now.
    pub chunks: Vec<String>,
}

/// A file of a v2 directory as the service really holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueFile {
    /// The handle, `dfl-…`.
    pub id: String,
    /// The client's id.
    pub unique_id: String,
    /// Name shown.
    pub display_name: String,
    /// Whole content.
    pub text: String,
    /// Metadata.
    pub metadata: Map<String, Value>,
}

#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub id: String,
    pub text: String,
    pub metadata: Map<String, Value>,
    pub excluded_embed: Vec<String>,
    pub excluded_llm: Vec<String>,
    pub page_positions: Option<Vec<i64>>,
    pub job: Job,
    pub job_id: Uuid,
    pub chunks: Vec<Chunk>,
    pub error: Option<String>,
    /// Deleted at: the record goes when the deletion is over.
    pub deleted_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Waits for a sync.
    Waiting,
    /// Started at.
    Running(DateTime<Utc>),
    Done(IngestionStatus),
}

#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub id: Uuid,
    pub name: String,
    pub project_id: Uuid,
    pub settings: Map<String, Value>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub documents: BTreeMap<String, Document>,
    /// Ids in the order of first upload.
    pub order: Vec<String>,
    pub files: BTreeMap<Uuid, PipelineFile>,
}

#[derive(Clone, Debug)]
pub(crate) struct PipelineFile {
    pub document: Document,
    pub name: String,
    pub custom_metadata: Map<String, Value>,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    pub id: Uuid,
    pub name: String,
    pub external_id: Option<String>,
    pub purpose: String,
    pub data: Vec<u8>,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub(crate) struct Directory {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub kind: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
    pub files: BTreeMap<u64, DirectoryFile>,
}

#[derive(Clone, Debug)]
pub(crate) struct DirectoryFile {
    pub id: String,
    pub unique_id: String,
    pub file_id: String,
    pub display_name: String,
    pub metadata: Map<String, Value>,
    pub text: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Index {
    pub id: String,
    pub export_config_id: String,
    pub sync_config_id: String,
    pub source_directory_id: String,
    pub output_directory_id: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub last_synced_at: Option<DateTime<Utc>>,
    pub last_exported_at: Option<DateTime<Utc>>,
    /// Start of the sync that runs.
    pub syncing_since: Option<DateTime<Utc>>,
    pub failed: Option<String>,
    pub parsed: Vec<ParsedFile>,
}

#[derive(Clone, Debug)]
pub(crate) struct ParsedFile {
    pub id: String,
    pub source_id: String,
    pub source_updated_at: DateTime<Utc>,
    pub name: String,
    pub text: String,
    pub metadata: Map<String, Value>,
    pub chunks: Vec<Chunk>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub project_id: Uuid,
    pub organization_id: Uuid,
    pub next: u64,
    pub pipelines: Vec<Pipeline>,
    pub files: BTreeMap<Uuid, StoredFile>,
    pub directories: Vec<Directory>,
    pub indexes: Vec<Index>,
    pub requests: u64,
}

impl State {
    pub(crate) fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

fn span(duration: std::time::Duration) -> Duration {
    Duration::from_std(duration).unwrap_or_default()
}

impl Document {
    /// Where the document stands at this moment.
    pub(crate) fn status(&self, now: DateTime<Utc>, switches: &Switches) -> IngestionStatus {
        match self.job {
            Job::Waiting => IngestionStatus::NotStarted,
            Job::Running(since) if now < since + span(switches.not_started_for) => {
                IngestionStatus::NotStarted
            }
            Job::Running(_) => IngestionStatus::InProgress,
            Job::Done(status) => status,
        }
    }

    /// Starts (again) to ingest.
    pub(crate) fn start(&mut self, now: DateTime<Utc>) {
        self.job = Job::Running(now);
        self.job_id = Uuid::new_v4();
    }

    /// Lets time do its work. False: the document is gone.
    pub(crate) fn settle(
        &mut self,
        now: DateTime<Utc>,
        switches: &Switches,
        chunk: (usize, usize),
    ) -> bool {
        if let Some(deleted) = self.deleted_at {
            let takes = span(switches.deletion_takes);
            if now >= deleted + takes {
                return false;
            }
            if now >= deleted + takes / 2 {
                self.chunks.clear();
            }
            return true;
        }
        let Job::Running(since) = self.job else {
            return true;
        };
        let over =
            now >= since + span(switches.ingestion_takes).max(span(switches.not_started_for));
        if !over || names(&switches.stuck_documents, &self.id) {
            return true;
        }
        if names(&switches.failing_documents, &self.id) {
            self.error = Some("Failed to embed the document".into());
            self.job = Job::Done(IngestionStatus::Error);
            return true;
        }
        self.error = None;
        self.chunks = if names(&switches.chunkless_documents, &self.id) {
            Vec::new()
        } else {
            cut(&self.text, chunk.0, chunk.1)
        };
        self.job = Job::Done(IngestionStatus::Success);
        true
    }
}

impl Pipeline {
    /// Chunk size and overlap in characters, from the transform settings (given in tokens of about four characters).
    pub(crate) fn chunking(&self) -> (usize, usize) {
        let transform = self.settings.get("transform_config");
        let number = |name: &str, default: u64| {
            transform
                .and_then(|t| t.get(name))
                .and_then(Value::as_u64)
                .unwrap_or(default)
        };
        let whole = transform
            .and_then(|t| t.pointer("/chunking_config/mode"))
            .and_then(Value::as_str)
            == Some("none");
        if whole {
            return (usize::MAX, 0);
        }
        let size = usize::try_from(number("chunk_size", 1024)).unwrap_or(1024) * 4;
        let overlap = usize::try_from(number("chunk_overlap", 200)).unwrap_or(200) * 4;
        (size.max(4), overlap.min(size / 2))
    }

    pub(crate) fn settle(&mut self, now: DateTime<Utc>, switches: &Switches) {
        let chunk = self.chunking();
        self.documents.retain(|_, d| d.settle(now, switches, chunk));
        if self.order.len() != self.documents.len() {
            let documents = &self.documents;
            self.order.retain(|id| documents.contains_key(id));
        }
        self.files
            .retain(|_, f| f.document.settle(now, switches, chunk));
    }

    /// Everything that can be searched: documents and files.
    pub(crate) fn searchable(&self) -> impl Iterator<Item = &Document> {
        self.documents
            .values()
            .chain(self.files.values().map(|f| &f.document))
    }
}
