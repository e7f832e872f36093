//! The database as the engine and the service use it: rows of intent, progress and pending uploads.
//!
//! **Rows first, messages second**: whatever must survive the process is written here before anybody is told. Each method is
//! one transaction. Methods never wait for the network. The closure of a write finishes even when its caller is dropped.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::comments::{CachedComment, CommentBrief};
use crate::content::{ContentFacts, ContentKind, Restriction, Space};
use crate::event::{Event, NewEvent};
use crate::index::{
    Index, IndexPatch, IndexProgress, IndexSettings, IndexSpace, IndexStatus, Remote,
};
use crate::links::{Naming, PageName};
use crate::moving::{MoveCounts, MoveRow};
use crate::page::{CachedBody, Page, PageRecord, PageState, PlacedPage};
use crate::ports::source::Cursor;
use crate::problem::Problem;
use crate::query::QueryTarget;
use crate::run::{Counts, Requests, Run, RunKind, RunPlan, RunStatus};
use crate::token::Token;
use crate::{AgentId, Disposition, IndexId, PageId, RunId, SpaceId, SpaceKey, Timestamp, TokenId};

/// Why the database did not do it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such row.
    #[error("there is no {what}")]
    NotFound {
        /// The thing, with its id.
        what: String,
    },
    /// A unique rule or the present state does not allow it.
    #[error("{what}")]
    Conflict {
        /// The rule, in words.
        what: String,
    },
    /// Locked or out of connections for longer than we wait.
    #[error("the database is busy: {detail}")]
    Busy {
        /// What the driver said.
        detail: String,
    },
    /// Anything else: disk, corruption, a bug.
    #[error("the database cannot be used: {detail}")]
    Failed {
        /// What the driver said; never a URL with a password.
        detail: String,
    },
}

impl StoreError {
    /// What to do about it.
    #[must_use]
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::NotFound { .. } | Self::Conflict { .. } => Disposition::SkipItem,
            Self::Busy { .. } => Disposition::RETRY,
            Self::Failed { .. } => Disposition::Fatal,
        }
    }
}

/// The result of every method here.
pub type StoreResult<T> = Result<T, StoreError>;

/// An index with everything that the engine decides from.
#[derive(Clone, PartialEq, Debug)]
pub struct IndexState {
    /// The index as REST shows it.
    pub index: Index,
    /// What is remembered between runs.
    pub progress: IndexProgress,
}

/// What came of asking for a run.
#[derive(Clone, PartialEq, Debug)]
pub enum OpenedRun {
    /// A new run was recorded (`pending`).
    New(Run),
    /// One is open already; nothing was recorded.
    AlreadyOpen(Run),
    /// One is open already, and a follow-up is noted on it (`queued` is true).
    Queued(Run),
}

/// How a run ended.
#[derive(Clone, PartialEq, Debug)]
pub struct RunEnd {
    /// The state; never an open one.
    pub status: RunStatus,
    /// The last counters.
    pub counts: Counts,
    /// The last request counts.
    pub requests: Requests,
    /// What went wrong, if anything.
    pub error: Option<Problem>,
    /// What a dry run found.
    pub plan: Option<RunPlan>,
    /// Problems of single spaces and the like, folded into the index's `status_reason`.
    pub index_status: IndexStatus,
    /// Why the index stands so.
    pub index_reason: Option<String>,
    /// What to remember for the next run; `None` leaves the old (failed, canceled and dry runs).
    pub progress: Option<IndexProgress>,
    /// When the next scheduled run is due.
    pub next_run_at: Option<Timestamp>,
    /// The run that follows at once, recorded in the same transaction; one that was ordered meanwhile goes before it.
    pub then: Option<RunKind>,
}

/// What the outbox asks of the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OutboxOp {
    /// Store the page's newest document.
    Upsert,
    /// Remove the page's document.
    Delete,
}

/// How far an outbox row is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OutboxState {
    /// To be sent, not before `next_attempt_at`.
    Waiting,
    /// The store accepted it then; to be confirmed.
    Accepted {
        /// When.
        at: Timestamp,
    },
}

/// One pending change of the store; unique by index and page, so the newest wins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutboxEntry {
    /// The index.
    pub index_id: IndexId,
    /// The page.
    pub page_id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// What to do.
    pub op: OutboxOp,
    /// Hash of the document to store; empty for deletions. An acknowledgement settles the row only if this is still the hash.
    pub hash: String,
    /// How far it is.
    pub state: OutboxState,
    /// Tries that failed.
    pub attempts: i32,
    /// Not before then.
    pub next_attempt_at: Timestamp,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// What became of an outbox row; applied only where the row still has the same `op` and `hash`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OutboxOutcome {
    /// The store accepted it: page becomes `uploaded` with `stored_hash` (upsert); the row waits for confirmation.
    Accepted,
    /// The store finds it (upsert): page becomes `searchable`, row goes. For a deletion: gone, page becomes `removed`
    /// (or `skipped`, when that is why it left; a page that is `pending` again stays so), `stored_hash` `None`, row goes.
    Settled,
    /// It was not taken just now and is sent again in the same run; the row waits until then. The page stands as it does,
    /// and shows the reason.
    Retry {
        /// In words.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// It failed in this run. To store: the page becomes `failed` until `next_try`, and the row goes. Where the store had
    /// accepted this very document, `stored_hash` becomes the empty text, so that a retry stores it again.
    /// To remove: the row waits until `next_try`, since what has left must not stay; the page stands as it does, and says so.
    Failed {
        /// In words.
        reason: String,
        /// When it is tried again, by a run that comes then or later.
        next_try: Timestamp,
    },
}

/// Numbers about the outbox of an index.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OutboxCounts {
    /// Rows to be sent.
    pub waiting: i64,
    /// Rows accepted and not confirmed.
    pub accepted: i64,
    /// When the oldest of all was made, epoch seconds; 0 when there is none.
    pub oldest: i64,
}

/// Removals that a store refused or did not answer, and that are tried again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StuckRemovals {
    /// How many documents stay that should have left.
    pub documents: i64,
    /// What went wrong the last time, of one of those that were tried most often.
    pub last_error: String,
}

/// A remote object that is still to be removed: its index was deleted, or lives in another object now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tombstone {
    /// The index that it belonged to.
    pub index_id: IndexId,
    /// Its agent id (gives the object's name).
    pub agent_id: AgentId,
    /// Which backend.
    pub backend: crate::index::BackendKind,
    /// The object.
    pub remote: Remote,
    /// Tries that failed.
    pub attempts: i32,
    /// Not before then.
    pub next_attempt_at: Timestamp,
}

/// What asking for a move led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoveBegun {
    /// It is recorded (or was already, for the same store); a run of kind `move` carries it out.
    Recorded,
    /// Nothing is stored yet, so the index simply belongs to the other store now.
    AtOnce,
}

/// The little that a sweep keeps in memory of every page of a space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageBrief {
    /// The page.
    pub page_id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// The space.
    pub space_id: SpaceId,
    /// The item above it.
    pub parent_id: Option<PageId>,
    /// Its title.
    pub title: String,
    /// Own restriction.
    pub restriction: Restriction,
    /// How far it has come.
    pub state: PageState,
    /// Whether the store holds it.
    pub stored: bool,
    /// Whether documents of the index may name it.
    pub naming: Naming,
    /// The newest run whose listing named it.
    pub seen_in_run: Option<RunId>,
    /// When it was first found absent.
    pub vanished_at: Option<Timestamp>,
}

/// What questions need, and no more: nothing of it changes a row, or counts what grows with the number of pages.
#[async_trait]
pub trait QueryStore: Send + Sync {
    /// One living index; [`StoreError::NotFound`] otherwise.
    async fn query_target(&self, index: IndexId) -> StoreResult<QueryTarget>;
    /// Every living index, by name.
    async fn query_targets(&self) -> StoreResult<Vec<QueryTarget>>;
    /// The living index of an agent; [`StoreError::NotFound`] when it has none.
    async fn index_id_of_agent(&self, agent: &AgentId) -> StoreResult<IndexId>;
    /// One living index and rows of it by id, as both stand at one moment; unknown ids are left out.
    async fn target_with_pages(
        &self,
        index: IndexId,
        ids: &[PageId],
    ) -> StoreResult<(QueryTarget, Vec<PageRecord>)>;
    /// Pages of an index.
    async fn pages(&self, index: IndexId, filter: &PageFilter) -> StoreResult<Listed<PlacedPage>>;
    /// The page with this title in a space (ignoring case), if an answer may quote it.
    async fn page_by_title(
        &self,
        index: IndexId,
        space: &SpaceKey,
        title: &str,
    ) -> StoreResult<Option<PlacedPage>>;
    /// Bodies by page; unknown ones are left out.
    async fn bodies(&self, ids: &[PageId]) -> StoreResult<Vec<CachedBody>>;
    /// Every kept comment of some pages.
    async fn comments_of(&self, pages: &[PageId]) -> StoreResult<Vec<CachedComment>>;
    /// Display names that are known: for mentions.
    async fn known_people(
        &self,
        ids: &[crate::AccountId],
    ) -> StoreResult<Vec<(crate::AccountId, String)>>;
    /// What is told of those of these pages that documents of an index may name ([`Naming::Named`]).
    async fn page_names(&self, index: IndexId, ids: &[PageId]) -> StoreResult<Vec<PageName>>;
}

/// What the engine needs beyond [`QueryStore`].
#[async_trait]
pub trait SyncStore: QueryStore {
    // --- a copy to try a run on

    /// A private copy of everything, in which this dry run is a real one: what is written there goes with its last handle.
    /// Nothing changes here.
    async fn rehearsal(&self, dry_run: RunId) -> StoreResult<std::sync::Arc<dyn SyncStore>>;

    // --- indexes

    /// Every living index.
    async fn index_states(&self) -> StoreResult<Vec<IndexState>>;
    /// One living index; [`StoreError::NotFound`] otherwise.
    async fn index_state(&self, index: IndexId) -> StoreResult<IndexState>;
    /// Remembers the store object of an index.
    async fn set_remote(&self, index: IndexId, remote: Option<&Remote>) -> StoreResult<()>;
    /// Sets status and reason without a run.
    async fn set_index_status(
        &self,
        index: IndexId,
        status: IndexStatus,
        reason: Option<&str>,
    ) -> StoreResult<()>;
    /// Sets when the next scheduled run is due.
    async fn set_next_run(&self, index: IndexId, at: Option<Timestamp>) -> StoreResult<()>;
    /// Records what was seen of an index's spaces (by the key as given): id, present key, name, state, reason.
    /// `pages` of the rows is ignored.
    async fn record_spaces(&self, index: IndexId, spaces: &[IndexSpace]) -> StoreResult<()>;
    /// Every space that any index knows, by id: for links and names.
    async fn known_spaces(&self) -> StoreResult<Vec<Space>>;

    // --- runs

    /// Records a run, unless one is open. With `queue_if_open`, a follow-up of that kind is noted on the open run instead.
    async fn open_run(
        &self,
        index: IndexId,
        kind: RunKind,
        dry_run: bool,
        queue_if_open: bool,
    ) -> StoreResult<OpenedRun>;
    /// The open run of an index, if there is one.
    async fn open_run_of(&self, index: IndexId) -> StoreResult<Option<Run>>;
    /// Every index that has an open run.
    async fn indexes_with_open_run(&self) -> StoreResult<Vec<IndexId>>;
    /// `pending` → `running`, with the time of its beginning; the index becomes `syncing`, unless it is a dry run.
    /// [`StoreError::Conflict`] if it may not.
    async fn start_run(&self, run: RunId) -> StoreResult<Run>;
    /// Writes counters, request counts and eta; a heartbeat. Answers the run as it stands, so that the engine sees `canceling`.
    async fn touch_run(
        &self,
        run: RunId,
        counts: &Counts,
        requests: &Requests,
        eta_seconds: Option<i64>,
    ) -> StoreResult<Run>;
    /// Ends a run and everything that goes with it in one transaction: the follow-up that was noted on it is recorded as the
    /// next pending run, which `follow_up_run_id` names.
    async fn finish_run(&self, run: RunId, end: &RunEnd) -> StoreResult<Run>;
    /// At start (one process per database): every run that an earlier process had begun becomes `interrupted`, and in the
    /// same transaction a pending run is recorded that goes on in its place ([`RunKind::goes_on_as`], with the follow-up
    /// that was noted); where it was being canceled or only looked, only that follow-up. Runs not begun stay pending.
    /// Answers those it interrupted.
    async fn interrupt_open_runs(&self) -> StoreResult<Vec<Run>>;

    // --- pages

    /// Rows by id; unknown ids are left out.
    async fn pages_by_id(&self, index: IndexId, ids: &[PageId]) -> StoreResult<Vec<PageRecord>>;
    /// Writes rows whole (insert or replace), in one transaction, with the outbox rows that belong to them, and the bodies.
    /// An outbox row replaces an older one of the same page.
    async fn save_pages(
        &self,
        pages: &[PageRecord],
        outbox: &[OutboxEntry],
        bodies: &[CachedBody],
    ) -> StoreResult<()>;
    /// Marks pages as named by a run's listing; nothing else of them changes.
    async fn mark_seen(&self, index: IndexId, run: RunId, ids: &[PageId]) -> StoreResult<()>;
    /// The little of every page (containers and removed ones too) of a space.
    async fn briefs(&self, index: IndexId, space: &SpaceId) -> StoreResult<Vec<PageBrief>>;
    /// Ids of pages in some states, in id order after `after`, at most `limit`.
    async fn pages_in_states(
        &self,
        index: IndexId,
        states: &[PageState],
        after: Option<&PageId>,
        limit: usize,
    ) -> StoreResult<Vec<PageId>>;
    /// Ids of pages whose body is missing or older than their version and that are due (attempts and back-off considered).
    async fn pages_needing_body(
        &self,
        index: IndexId,
        now: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<(PageId, ContentKind)>>;
    /// Labels and restrictions, as the bulk answer said; items that have no row in this index get one as a container only
    /// when they are containers. Answers the ids whose labels or restriction changed.
    async fn record_facts(
        &self,
        index: IndexId,
        facts: &[ContentFacts],
    ) -> StoreResult<Vec<PageId>>;
    /// How many pages are in the store for an index now (the base of the mass-deletion guard), in all and per space.
    async fn stored_pages(&self, index: IndexId) -> StoreResult<i64>;

    // --- bodies (once per site, shared by indexes)

    /// Which of these versions are in the cache already: `(page, version)`.
    async fn cached_versions(&self, ids: &[PageId]) -> StoreResult<Vec<(PageId, i32)>>;
    /// Current pages of any index by (space, lower-case title), in the same order: what a link by title means. Which index
    /// may name them is another question.
    async fn find_titles(&self, wanted: &[(SpaceId, String)]) -> StoreResult<Vec<Option<PageId>>>;
    /// Remembers display names.
    async fn remember_people(&self, people: &[(crate::AccountId, String)]) -> StoreResult<()>;

    // --- links (which pages a document may name is a matter of its index)

    /// Whether documents of an index may name these pages; those that have no row in it are left out.
    async fn naming(&self, index: IndexId, ids: &[PageId]) -> StoreResult<Vec<(PageId, Naming)>>;
    /// Pages of an index whose kept text points at one of these. Reads every row that points at any page.
    async fn pages_pointing_at(
        &self,
        index: IndexId,
        ids: &BTreeSet<PageId>,
    ) -> StoreResult<Vec<PageId>>;

    // --- comments (once per site, shared by indexes)

    /// Kept comments by id, in little; unknown ones are left out.
    async fn comment_briefs(&self, ids: &[PageId]) -> StoreResult<Vec<CommentBrief>>;
    /// Kept comments of all pages that stand in a space of an index, in little.
    async fn comment_briefs_in(
        &self,
        index: IndexId,
        space: &SpaceId,
    ) -> StoreResult<Vec<CommentBrief>>;
    /// Kept comments on pages of an index that listings have left out since `before` or longer, the longest first, at most `limit`.
    async fn missed_comments(
        &self,
        index: IndexId,
        before: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<CommentBrief>>;
    /// Keeps comments (an older version never replaces a newer one; whoever is kept is no longer absent) and forgets others.
    async fn save_comments(&self, comments: &[CachedComment], gone: &[PageId]) -> StoreResult<()>;
    /// Notes since when a complete listing has left comments out; `None`: it names them again.
    async fn mark_comments_absent(
        &self,
        ids: &[PageId],
        since: Option<Timestamp>,
    ) -> StoreResult<()>;
    /// Pages whose document holds comments, in id order after `after`, at most `limit`.
    async fn pages_with_comments(
        &self,
        index: IndexId,
        after: Option<&PageId>,
        limit: usize,
    ) -> StoreResult<Vec<PageId>>;

    // --- attachments

    /// Attachments that stand otherwise than their page lets them: not removed, although their page has no row, or is
    /// removed, vanishing or skipped. In id order after `after`, at most `limit`.
    async fn stranded_attachments(
        &self,
        index: IndexId,
        after: Option<&PageId>,
        limit: usize,
    ) -> StoreResult<Vec<PageId>>;
    /// Attachments, not removed, whose row still names another space although their page stands in this one; at most `limit`.
    async fn attachments_left_behind(
        &self,
        index: IndexId,
        space: &SpaceId,
        limit: usize,
    ) -> StoreResult<Vec<PageId>>;

    // --- outbox

    /// Rows to send now, oldest first, at most `limit`.
    async fn outbox_due(
        &self,
        index: IndexId,
        now: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<OutboxEntry>>;
    /// Rows accepted and not confirmed.
    async fn outbox_accepted(&self, index: IndexId, limit: usize) -> StoreResult<Vec<OutboxEntry>>;
    /// Applies what became of rows, in one transaction with the page states.
    async fn settle_outbox(
        &self,
        outcomes: &[(OutboxEntry, OutboxOutcome)],
        now: Timestamp,
    ) -> StoreResult<()>;
    /// Numbers about the outbox.
    async fn outbox_counts(&self, index: IndexId) -> StoreResult<OutboxCounts>;
    /// Removals that the store did not carry out so far, if there are any.
    async fn stuck_removals(&self, index: IndexId) -> StoreResult<Option<StuckRemovals>>;
    /// When the next waiting row is due.
    async fn outbox_next_due(&self, index: IndexId) -> StoreResult<Option<Timestamp>>;

    // --- a move to another store object: its own outbox and memory, apart from those of the object that answers

    /// Records that an index is to move to a store (also one of the same kind: another object of it, or the same one filled
    /// anew). A move to another store that was under way is given up, as by [`abandon_move`](Self::abandon_move).
    async fn begin_move(
        &self,
        index: IndexId,
        backend: crate::index::BackendKind,
    ) -> StoreResult<MoveBegun>;
    /// Gives a move up: what it holds elsewhere gets a tombstone. Nothing to give up is a success.
    async fn abandon_move(&self, index: IndexId) -> StoreResult<()>;
    /// Remembers the object that a move fills; another one than before holds nothing yet. [`StoreError::Conflict`] when no
    /// move to that store is under way.
    async fn set_move_remote(
        &self,
        index: IndexId,
        backend: crate::index::BackendKind,
        remote: &Remote,
    ) -> StoreResult<()>;
    /// What the object is asked to hold of these pages, and how far it is.
    async fn move_rows(&self, index: IndexId, ids: &[PageId]) -> StoreResult<Vec<MoveRow>>;
    /// Writes entries that are to be sent (insert or replace).
    async fn stage_move(&self, entries: &[OutboxEntry]) -> StoreResult<()>;
    /// As [`outbox_due`](Self::outbox_due), of the move.
    async fn move_due(
        &self,
        index: IndexId,
        now: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<OutboxEntry>>;
    /// As [`outbox_accepted`](Self::outbox_accepted), of the move.
    async fn move_accepted(&self, index: IndexId, limit: usize) -> StoreResult<Vec<OutboxEntry>>;
    /// As [`outbox_next_due`](Self::outbox_next_due), of the move.
    async fn move_next_due(&self, index: IndexId) -> StoreResult<Option<Timestamp>>;
    /// As [`settle_outbox`](Self::settle_outbox), of the move; pages stay as they are.
    async fn settle_move(
        &self,
        outcomes: &[(OutboxEntry, OutboxOutcome)],
        now: Timestamp,
    ) -> StoreResult<()>;
    /// How far a move is.
    async fn move_counts(&self, index: IndexId) -> StoreResult<MoveCounts>;
    /// The new object answers from now on, in one transaction: the index's store and object, what each page is stored as,
    /// the outbox, and a tombstone of the object that answered until now (unless it is the same).
    /// [`StoreError::Conflict`] when no move to this object is under way.
    async fn complete_move(
        &self,
        index: IndexId,
        backend: crate::index::BackendKind,
        remote: &Remote,
    ) -> StoreResult<()>;

    // --- checkpoints

    /// Where a walk of this index stopped.
    async fn checkpoint(&self, index: IndexId, walk: &str) -> StoreResult<Option<Cursor>>;
    /// Remembers where a walk is; `None` forgets it. Moves only over settled work.
    async fn set_checkpoint(
        &self,
        index: IndexId,
        walk: &str,
        cursor: Option<&Cursor>,
    ) -> StoreResult<()>;
    /// Forgets every walk of an index.
    async fn clear_checkpoints(&self, index: IndexId) -> StoreResult<()>;

    // --- tombstones, events, housekeeping

    /// Remote objects of deleted and moved indexes that are due for removal.
    async fn tombstones_due(&self, now: Timestamp) -> StoreResult<Vec<Tombstone>>;
    /// Removal done (`None`), or to be tried again then.
    async fn settle_tombstone(
        &self,
        tombstone: &Tombstone,
        retry_at: Option<Timestamp>,
    ) -> StoreResult<()>;
    /// Records an event and gives it its number.
    async fn append_event(&self, event: &NewEvent) -> StoreResult<Event>;
    /// Takes waits and observations that lie further ahead than `now` allows as `now`: they were written by a clock that was
    /// ahead and has been set back. Answers how many.
    async fn bring_forward(&self, now: Timestamp) -> StoreResult<usize>;
    /// Forgets runs, events, tombstoned rows and removed pages that are older than this.
    async fn prune(&self, before: Timestamp) -> StoreResult<()>;
}

/// A new index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewIndex {
    /// What the administrator chose.
    pub settings: IndexSettings,
    /// Its spaces as just seen.
    pub spaces: Vec<IndexSpace>,
}

/// Which runs to list, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RunFilter {
    /// Only of this index.
    pub index: Option<IndexId>,
    /// Only in this state.
    pub status: Option<RunStatus>,
    /// After this place.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// Which pages of an index to list, by id.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PageFilter {
    /// Only in these states; empty: all but containers.
    pub states: Vec<PageState>,
    /// Only of this space (present key).
    pub space: Option<SpaceKey>,
    /// Only titles that contain this, ignoring case.
    pub title: Option<String>,
    /// Only pages that may be shown ([`PageRecord::may_be_shown`]).
    pub shown: bool,
    /// Only changed after this moment, newest change first (for `recent_changes`).
    pub changed_after: Option<Timestamp>,
    /// After this place.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// A page of a list. A cursor that is none of the list's own is answered with [`StoreError::NotFound`] that says so.
#[derive(Clone, PartialEq, Debug)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next_cursor: Option<String>,
}

/// What the disk holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DiskUse {
    /// The database file(s), bytes.
    pub database_bytes: i64,
    /// Cached bodies as stored (compressed), bytes.
    pub bodies_bytes: i64,
    /// Cached bodies, number.
    pub bodies: i64,
}

/// What the service (REST, MCP, command line) needs beyond [`SyncStore`].
#[async_trait]
pub trait AdminStore: SyncStore {
    /// Creates an index; [`StoreError::Conflict`] when the agent id is taken.
    async fn create_index(&self, new: &NewIndex) -> StoreResult<Index>;
    /// Changes the named settings of the index as it is when they are written; the store only changes by a move
    /// ([`SyncStore::begin_move`]). `seen` tells of named spaces what is known of them; what the index's own rows know of a
    /// space holds, since it is newer. A change of `confluence_spaces`, labels, roots, restriction rule or include flags
    /// raises the scope revision. [`StoreError::Conflict`] when the agent id is taken.
    async fn update_index(
        &self,
        index: IndexId,
        patch: &IndexPatch,
        seen: &[IndexSpace],
    ) -> StoreResult<Index>;
    /// Deletes an index, its rows, and leaves a tombstone where it has a remote object.
    async fn delete_index(&self, index: IndexId) -> StoreResult<()>;
    /// Every living index, by name, with the cursor of the list.
    async fn indexes(&self, cursor: Option<&str>, limit: usize) -> StoreResult<Listed<Index>>;
    /// One living index.
    async fn index(&self, index: IndexId) -> StoreResult<Index>;

    /// Runs, newest first.
    async fn runs(&self, filter: &RunFilter) -> StoreResult<Listed<Run>>;
    /// One run.
    async fn run(&self, run: RunId) -> StoreResult<Run>;
    /// `pending`/`running` → `canceling`; [`StoreError::Conflict`] when it is over.
    async fn request_cancel(&self, run: RunId) -> StoreResult<Run>;
    /// Records the answer to the guard, for the pages that were shown: accept lets the next sweep remove them, refuse keeps
    /// them. Conflict when none waits, or a newer run asks about more.
    async fn answer_guard(&self, run: RunId, accept: bool) -> StoreResult<Run>;

    /// One page of an index.
    async fn page(&self, index: IndexId, page: &PageId) -> StoreResult<PlacedPage>;
    /// Makes a failed page due now.
    async fn retry_page(&self, index: IndexId, page: &PageId) -> StoreResult<Page>;

    /// Makes a token for an index from its secret's hash and prefix.
    async fn create_token(
        &self,
        index: IndexId,
        name: &str,
        prefix: &str,
        secret_hash: &str,
    ) -> StoreResult<Token>;
    /// Tokens of an index.
    async fn tokens(&self, index: IndexId) -> StoreResult<Vec<Token>>;
    /// Revokes a token.
    async fn revoke_token(&self, index: IndexId, token: TokenId) -> StoreResult<()>;
    /// The living token with this hash; notes its use (to the minute).
    async fn token_by_hash(&self, secret_hash: &str) -> StoreResult<Option<Token>>;

    /// Events after a number, oldest first, of one index or all; at most `limit`.
    async fn events_after(
        &self,
        seq: i64,
        index: Option<IndexId>,
        limit: usize,
    ) -> StoreResult<Vec<Event>>;
    /// The numbers of the oldest and newest event kept; `(0, 0)` without any.
    async fn event_range(&self) -> StoreResult<(i64, i64)>;

    /// What the disk holds.
    async fn disk_use(&self) -> StoreResult<DiskUse>;
    /// Answers when the database can be written (for readiness).
    async fn check(&self) -> StoreResult<()>;
    /// A remembered value, for the few things that are neither row nor setting.
    async fn remembered(&self, key: &str) -> StoreResult<Option<String>>;
    /// Remembers a value.
    async fn remember(&self, key: &str, value: &str) -> StoreResult<()>;
}
