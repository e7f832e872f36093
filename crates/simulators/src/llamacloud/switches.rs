//! Everything about the service's behaviour that can be turned while it runs.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::server::RateLimit;

/// The switches of a LlamaCloud simulator.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Added to every answer.
    pub latency: Duration,
    /// Refuse bursts.
    pub rate_limit: Option<RateLimit>,

    /// From upload (or sync, see `needs_sync`) to `IN_PROGRESS`.
    pub not_started_for: Duration,
    /// From upload (or sync) until a document is searchable or has failed; old chunks are served until then.
    pub ingestion_takes: Duration,
    /// Documents wait as `NOT_STARTED` until a pipeline or document sync.
    pub needs_sync: bool,
    /// Documents that end as `ERROR`, once or for good until taken out of the set. Ids, or substrings with a leading `~`.
    pub failing_documents: BTreeSet<String>,
    /// Documents that never end: `IN_PROGRESS` for ever.
    pub stuck_documents: BTreeSet<String>,
    /// Documents that end as `SUCCESS` without a single chunk.
    pub chunkless_documents: BTreeSet<String>,
    /// From a delete until the document's record is gone; its chunks go at half that time.
    pub deletion_takes: Duration,
    /// A pipeline says `NOT_STARTED` while deletions are under way.
    pub deletions_not_started: bool,

    /// Most documents of one request; more is 413.
    pub max_documents: Option<usize>,
    /// Most bytes of a request; more is 413.
    pub max_body_bytes: Option<usize>,
    /// Every request is 402.
    pub out_of_credits: bool,
    /// Every request is 401, as for a key of the other region.
    pub wrong_region: bool,
    /// Keys stop working after this many requests in all.
    pub key_expires_after: Option<u64>,
    /// `project_id=` without a value selects a project that is not there (404), as on the real service.
    pub empty_project_is_selector: bool,
    /// Document ids in paths outside `[A-Za-z0-9_.-]` must be encoded twice, or are 404.
    pub odd_ids_need_double_encoding: bool,

    /// Where a node carries its metadata.
    pub node_metadata: NodeMetadata,
    /// Unknown fields in every object.
    pub unknown_fields: bool,
    /// Enum values nobody has heard of: pipeline type, retrieval mode, and `QUEUED` instead of `NOT_STARTED`.
    pub unknown_enums: bool,

    /// How index v1 (pipelines) is served.
    pub v1: Serving,
    /// How index v2 (directories, indexes, retrieval) is served.
    pub v2: Serving,
    /// What a second upload under a `unique_id` does.
    pub duplicate_unique_id: DuplicateId,
    /// Which of an index's two ids its calls accept.
    pub index_ids: IndexIds,
    /// How long a sync of an index takes.
    pub index_sync_takes: Duration,
    /// Status of a sync while one runs (409, sometimes 429).
    pub sync_running_status: u16,
    /// The next index syncs end as `failed`.
    pub index_sync_fails: bool,
    /// Text beyond this many bytes of a file is dropped by the parser.
    pub parser_page_bytes: Option<usize>,
    /// `metadata.status` still says `ready` this long after a sync was asked for.
    pub stale_ready_for: Duration,
}

/// How a generation of the index API is served to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// To its full extent.
    Full,
    /// What only reads is answered; the rest is 403, as where the plan does not include it.
    ReadOnly,
    /// Everything is 403.
    Refused,
    /// Its paths are 404.
    Absent,
}

/// Where a v1 node carries its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeMetadata {
    /// `extra_info`, as every published document says.
    ExtraInfo,
    /// `metadata`.
    Metadata,
    /// Both.
    Both,
}

/// What a second upload under a `unique_id` does (v2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateId {
    /// 409.
    Conflict,
    /// A second entry beside the first.
    SecondEntry,
}

/// Which of an index's two ids its calls accept (v2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexIds {
    /// Either.
    Both,
    /// `id` only.
    IdOnly,
    /// `export_config_id` only.
    ExportOnly,
    /// `id` for get, sync and delete; `export_config_id` for retrieval.
    ByOperation,
}

impl Default for Switches {
    fn default() -> Self {
        Switches {
            latency: Duration::ZERO,
            rate_limit: None,
            not_started_for: Duration::ZERO,
            ingestion_takes: Duration::ZERO,
            needs_sync: false,
            failing_documents: BTreeSet::new(),
            stuck_documents: BTreeSet::new(),
            chunkless_documents: BTreeSet::new(),
            deletion_takes: Duration::ZERO,
            deletions_not_started: false,
            max_documents: None,
            max_body_bytes: None,
            out_of_credits: false,
            wrong_region: false,
            key_expires_after: None,
            empty_project_is_selector: true,
            odd_ids_need_double_encoding: true,
            node_metadata: NodeMetadata::ExtraInfo,
            unknown_fields: false,
            unknown_enums: false,
            v1: Serving::Full,
            v2: Serving::Full,
            duplicate_unique_id: DuplicateId::Conflict,
            index_ids: IndexIds::Both,
            index_sync_takes: Duration::ZERO,
            sync_running_status: 409,
            index_sync_fails: false,
            parser_page_bytes: None,
            stale_ready_for: Duration::ZERO,
        }
    }
}

/// Whether a set of ids names this one; entries with a leading `~` are substrings.
pub(crate) fn names(set: &BTreeSet<String>, id: &str) -> bool {
    set.contains(id)
        || set
            .iter()
            .any(|s| s.strip_prefix('~').is_some_and(|part| id.contains(part)))
}
