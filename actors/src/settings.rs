//! What an operator may set about the engine, with the defaults of the product's contract.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::access::UnknownPeople;
use domain::index::BackendKind;
use domain::moving::OnChange;
use domain::ports::retrieval::RetrievalBackend;
use domain::quiet::QuietHours;

use crate::failpoint::Failpoints;

/// The retrieval stores there are, by kind. An index whose backend is not among them fails its runs with `needs_settings`.
pub type Backends = BTreeMap<BackendKind, Arc<dyn RetrievalBackend>>;

/// Whether the pages of an answer are checked at the source before they leave (`VERIFY_ON_READ`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VerifyOnRead {
    /// Answers come from what the last sync knew.
    #[default]
    Off,
    /// One batch of ids is asked for at the source; pages that are no longer visible are left out. When the source cannot be
    /// reached the answer goes out unchecked.
    Hits,
    /// As `Hits`; an answer that could not be checked is refused.
    Strict,
}

/// Everything about the engine that may be set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EngineSettings {
    /// How often the scheduler looks for due indexes (`SYNC_CHECK_INTERVAL_SECONDS`); it also wakes at the earliest due time.
    pub check_interval: Duration,
    /// Whether due indexes run by themselves; off for an engine that carries out one order and ends.
    pub scheduled: bool,
    /// Hours in which no scheduled run starts, for indexes that name none (`SYNC_QUIET_HOURS`).
    pub quiet_hours: Option<QuietHours>,
    /// A scheduled run whose last sweep is older than this sweeps (`SYNC_SWEEP_INTERVAL_MINUTES`).
    pub sweep_interval: Duration,
    /// The mass-deletion guard, percent of an index's documents (`SYNC_MAX_DELETE_PERCENT`).
    pub max_delete_percent: u32,
    /// Accepted but not searchable by then counts as failed (`SYNC_UPLOAD_DEADLINE_SECONDS`).
    pub upload_deadline: Duration,
    /// How long runs, events and removed pages are remembered (`SYNC_RETENTION_DAYS`).
    pub retention: Duration,
    /// How many `ConfluenceFetcher` actors there are: how many requests the engine keeps going at once
    /// (`CONFLUENCE_MAX_CONCURRENT_REQUESTS`).
    pub fetchers: usize,
    /// Steady quota of Confluence requests a second, for the estimates of dry runs (`CONFLUENCE_MAX_REQUESTS_PER_SECOND`).
    pub requests_per_second: u32,
    /// Whether answers are checked at the source (`VERIFY_ON_READ`).
    pub verify_on_read: VerifyOnRead,
    /// Labels and restrictions are left out of runs of indexes that need neither: `restricted_pages: include` and no label
    /// filter. Their documents then carry no labels. Off by default, since labels are part of the metadata contract.
    pub skip_unneeded_facts: bool,
    /// Polls ask Confluence's audit log for changed restrictions and permissions (`SYNC_AUDIT_LOG`).
    pub audit_log: bool,
    /// Pages with macros that only Confluence can resolve (includes, reports, queries) whose rendered form a run may ask
    /// for, one request each (`SYNC_RENDERED_PAGES_PER_RUN`). 0: never; then storage format alone speaks. Rendering happens
    /// with the rights of the service's account: text of restricted pages may come in by way of an include.
    pub rendered_pages_per_run: u32,
    /// Upload batches in flight at once for one store.
    pub upload_batches: usize,
    /// Bytes of bodies and documents that are in memory at once, for all runs together; a larger one passes alone.
    pub text_memory: usize,
    /// Whether runs that end in trouble are noted for the operator's webhook (`NOTIFY_WEBHOOK_URL`).
    pub notify: bool,
    /// Whether an index is rebuilt when a setting asks for another store object than it has (`REBUILD_ON_CHANGE`).
    pub on_change: OnChange,
    /// What was read of permissions longer ago counts no more, and lets nobody in (`PERMISSIONS_MAX_AGE_HOURS`).
    pub permissions_max_age: Duration,
    /// What people are shown of whom nothing is known (`UNKNOWN_PEOPLE`).
    pub unknown_people: UnknownPeople,
    /// Where tests let the engine die; nowhere by default.
    pub failpoints: Failpoints,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            check_interval: Duration::from_secs(300),
            scheduled: true,
            quiet_hours: None,
            sweep_interval: Duration::from_secs(60 * 60),
            max_delete_percent: 30,
            upload_deadline: Duration::from_secs(900),
            retention: Duration::from_secs(90 * 24 * 60 * 60),
            fetchers: 8,
            requests_per_second: 10,
            verify_on_read: VerifyOnRead::Off,
            skip_unneeded_facts: false,
            audit_log: false,
            rendered_pages_per_run: 0,
            upload_batches: 4,
            text_memory: 16 << 20,
            notify: false,
            on_change: OnChange::Ask,
            permissions_max_age: Duration::from_secs(24 * 60 * 60),
            unknown_people: UnknownPeople::Nothing,
            failpoints: Failpoints::default(),
        }
    }
}
