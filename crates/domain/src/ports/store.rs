//! The database as the engine and the service use it: rows of intent, progress and pending uploads.
//!
//! **Rows first, messages second**: whatever must survive the process is written here before anybody is told. Each method is
//! one transaction. Methods never wait for the network. The closure of a write finishes even when its caller is dropped.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use chrono::TimeDelta;

use crate::access::{Asker, Email, Grantee, Member, People, ViewFacts};
use crate::audit::{Entry, EntryFilter, NewEntry};
use crate::comments::{CachedComment, CommentBrief};
use crate::content::{ContentFacts, ContentKind, Restriction, Space};
use crate::daily::DailyAt;
use crate::evaluation::{Evaluation, EvaluationResult, Figures};
use crate::event::{Event, NewEvent};
use crate::grant::{Grant, SealedTokens};
use crate::guard::Inquiry;
use crate::history::{PageChange, RunPage};
use crate::holding::{Holding, HoldingChange, Wanted};
use crate::index::{
    BackendKind, Index, IndexPatch, IndexProgress, IndexSettings, IndexSpace, IndexStatus, Remote,
};
use crate::links::{Naming, PageName};
use crate::moving::MoveCounts;
use crate::notice::{Delivery, Notice};
use crate::page::{CachedBody, CachedText, Page, PageRecord, PageState, PlacedPage};
use crate::ports::source::Cursor;
use crate::problem::Problem;
use crate::query::QueryTarget;
use crate::questions::{Asked, Question};
use crate::run::{Counts, Requests, Run, RunKind, RunPlan, RunStatus};
use crate::sections::SectionEdit;
use crate::token::{NewToken, Person, Token};
use crate::{
    AccountId, AgentId, Disposition, GroupId, IndexId, ObjectId, PageId, RunId, SpaceId, SpaceKey,
    Timestamp, TokenId, WorkerId,
};

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

/// A session of MCP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownSession {
    /// What its client names it by.
    pub id: String,
    /// Who opened it.
    pub owner: String,
    /// When it was used last.
    pub used_at: Timestamp,
}

/// An index with everything that the engine decides from.
#[derive(Clone, PartialEq, Debug)]
pub struct IndexState {
    /// The index as REST shows it.
    pub index: Index,
    /// What is remembered between runs.
    pub progress: IndexProgress,
    /// The object that answers, be it made or not.
    pub serving: ObjectId,
    /// The object that a move fills.
    pub filling: Option<ObjectId>,
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
    /// Whether the operator is told if it ended in trouble: then a notice is recorded in the same transaction.
    pub notify: bool,
}

/// A row of a holding as an upload worker needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenHolding {
    /// The page.
    pub page_id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// How it stands.
    pub holding: Holding,
}

/// Numbers about the holdings of an object that are not settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OpenCounts {
    /// To be sent, now or later.
    pub waiting: i64,
    /// Claimed by a worker.
    pub claimed: i64,
    /// Accepted and not confirmed.
    pub accepted: i64,
    /// When the oldest of all came to be wanted, epoch seconds; 0 when there is none.
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

/// What a store object is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ObjectRole {
    /// It answers.
    Serving,
    /// An index moves there.
    Filling,
    /// It is to be removed: its index was deleted, or lives in another object now.
    Leaving,
}

impl ObjectRole {
    /// The word used in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Filling => "filling",
            Self::Leaving => "leaving",
        }
    }
}

/// A store object that is still to be removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeavingObject {
    /// Its row.
    pub id: ObjectId,
    /// The index that it belonged to.
    pub index_id: IndexId,
    /// The agent id of that (gives the object's name).
    pub agent_id: AgentId,
    /// Which backend.
    pub backend: BackendKind,
    /// The object; `None`: it may have been made although nobody came to remember it, since a process died in between. Whoever
    /// removes it looks for it by name and mark.
    pub remote: Option<Remote>,
    /// Tries that failed.
    pub attempts: i32,
    /// Not before then.
    pub next_try_at: Timestamp,
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
    /// Whether the object that answers may hold it and is to keep it.
    pub stored: bool,
    /// Whether documents of the index may name it.
    pub naming: Naming,
    /// The newest run whose listing named it.
    pub seen_in_run: Option<RunId>,
    /// When it was first found absent.
    pub vanished_at: Option<Timestamp>,
}

/// The little of a kept body that tells what reading it takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BodyBrief {
    /// The page.
    pub page_id: PageId,
    /// The version that is kept.
    pub version: i32,
    /// Bytes of all its forms together, unpacked.
    pub bytes: usize,
}

/// A page that is to be decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DuePage {
    /// The page.
    pub page_id: PageId,
    /// What it is.
    pub kind: ContentKind,
    /// Own restriction.
    pub restriction: Restriction,
}

/// An index of which the scheduler asks when something is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TriesOf {
    /// The index.
    pub index: IndexId,
    /// The object that answers.
    pub serving: ObjectId,
    /// Only tries later than this count.
    pub after: Timestamp,
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
    /// The kept text of pages; unknown ones are left out.
    async fn texts(&self, ids: &[PageId]) -> StoreResult<Vec<CachedText>>;
    /// What versions of these pages that were taken in after a moment changed by heading, of each page by version.
    async fn section_edits(
        &self,
        ids: &[PageId],
        after: Timestamp,
    ) -> StoreResult<Vec<SectionEdit>>;
    /// Every kept comment of some pages.
    async fn comments_of(&self, pages: &[PageId]) -> StoreResult<Vec<CachedComment>>;
    /// Display names that are known: for mentions.
    async fn known_people(
        &self,
        ids: &[crate::AccountId],
    ) -> StoreResult<Vec<(crate::AccountId, String)>>;
    /// What is told of those of these pages that documents of an index may name ([`Naming::Named`]).
    async fn page_names(&self, index: IndexId, ids: &[PageId]) -> StoreResult<Vec<PageName>>;
    /// The page of this id, or else every page of this title (ignoring case; also of one space only), and all that is below, files
    /// included: those of it that may be shown, and nothing where the page itself may not.
    async fn pages_under(
        &self,
        index: IndexId,
        page: &str,
        space: Option<&SpaceKey>,
    ) -> StoreResult<HashSet<PageId>>;
    /// What is known of one person and of who may read what in an index.
    async fn view_facts(&self, index: IndexId, asker: &Asker) -> StoreResult<ViewFacts>;
    /// What stands around a page, as far as it may be shown: at most so many pages of a kind, by title.
    async fn around(&self, index: IndexId, page: &PageId, most: usize) -> StoreResult<Around>;
}

/// The pages around a page.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Around {
    /// The page above it; folders between them are passed over.
    pub parent: Option<PageId>,
    /// What is right below it, or in folders there.
    pub children: Vec<PageId>,
    /// The pages whose text points at it.
    pub linked_from: Vec<PageId>,
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
    /// Remembers what was made in the store for an object; another one than before holds nothing.
    /// [`StoreError::NotFound`] when the index was deleted meanwhile, or the move given up.
    async fn set_remote(&self, object: ObjectId, remote: &Remote) -> StoreResult<()>;
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
    /// The indexes that have an open run, in one question for all of them.
    async fn open_runs(&self) -> StoreResult<HashSet<IndexId>>;
    /// The earliest next try of a page, an upload or a removal of each of these indexes, in one reading of the database. Left out:
    /// indexes of which nothing waits for a try.
    async fn next_tries(&self, of: &[TriesOf]) -> StoreResult<HashMap<IndexId, Timestamp>>;
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
    /// same transaction a pending run is recorded that goes on in its place ([`RunKind::resumed_as`], with the follow-up
    /// that was noted); where it was being canceled or only looked, only that follow-up. Runs not begun stay pending.
    /// Answers those it interrupted.
    async fn interrupt_open_runs(&self) -> StoreResult<Vec<Run>>;

    /// Notes what a dry run found page by page; a real one notes it by itself, with every change of a holding.
    async fn note_run_pages(&self, run: RunId, pages: &[RunPage]) -> StoreResult<()>;

    // --- pages

    /// Rows by id; unknown ids are left out.
    async fn pages_by_id(&self, index: IndexId, ids: &[PageId]) -> StoreResult<Vec<PageRecord>>;
    /// Writes rows whole (insert or replace; `holding` is left out), in one transaction with what the object that answers is to
    /// hold of them, and with the bodies, which are given away: they are large.
    async fn save_pages(
        &self,
        pages: &[PageRecord],
        wanted: &[Wanted],
        bodies: Vec<CachedBody>,
    ) -> StoreResult<()>;
    /// Keeps what versions of pages changed by heading; of each page the newest
    /// [`KEPT_VERSIONS`](crate::sections::KEPT_VERSIONS) stay. They go with the page's body.
    async fn note_section_edits(&self, edits: &[SectionEdit]) -> StoreResult<()>;
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
    /// Pages that are pending or failed, and to be decided now: those whose document is wanted already are only to be sent, and
    /// those whose next try is later wait. In id order after `after`, at most `limit`.
    async fn pages_due(
        &self,
        index: IndexId,
        now: Timestamp,
        after: Option<&PageId>,
        limit: usize,
    ) -> StoreResult<Vec<DuePage>>;
    /// Labels and restrictions, as the bulk answer said; items that have no row in this index get one as a container only
    /// when they are containers. Answers the ids whose labels or restriction changed.
    async fn record_facts(
        &self,
        index: IndexId,
        facts: &[ContentFacts],
    ) -> StoreResult<Vec<PageId>>;
    /// Who may use a space, as just read.
    async fn record_space_readers(
        &self,
        space: &SpaceId,
        readers: &BTreeSet<Grantee>,
    ) -> StoreResult<()>;
    /// Who is in a group, as just read.
    async fn record_group(&self, group: &GroupId, members: &[Member]) -> StoreResult<()>;
    /// The accounts that an address of e-mail may name: by what members of groups show, or by the operator's word.
    async fn accounts_with_address(&self) -> StoreResult<Vec<AccountId>>;
    /// Which of some accounts are closed, as just read.
    async fn record_closed_accounts(
        &self,
        asked: &[AccountId],
        closed: &HashSet<AccountId>,
    ) -> StoreResult<()>;
    /// All restrictions in a space were read for an index, beginning at this moment.
    async fn restrictions_were_read(
        &self,
        index: IndexId,
        space: &SpaceId,
        began: Timestamp,
    ) -> StoreResult<()>;
    /// The groups that the spaces of an index, or restrictions in it, name.
    async fn groups_named(&self, index: IndexId) -> StoreResult<Vec<GroupId>>;
    /// How many pages are pending and how many failed, in this order.
    async fn unsettled_pages(&self, index: IndexId) -> StoreResult<(i64, i64)>;
    /// How many pages the object that answers may hold and is to keep (the base of the mass-deletion guard).
    async fn stored_pages(&self, index: IndexId) -> StoreResult<i64>;

    // --- bodies (once per site, shared by indexes)

    /// What is kept of these pages, in little; unknown ones are left out.
    async fn body_briefs(&self, ids: &[PageId]) -> StoreResult<Vec<BodyBrief>>;
    /// Kept bodies with everything that conversion needs; unknown ones are left out.
    async fn bodies(&self, ids: &[PageId]) -> StoreResult<Vec<CachedBody>>;
    /// Pages of an index whose title is one of these (ignoring case), and every container, since their titles are not kept.
    async fn titled_and_containers(
        &self,
        index: IndexId,
        titles: &BTreeSet<String>,
    ) -> StoreResult<Vec<(PageId, ContentKind)>>;
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

    // --- holdings: what each store object is to hold of each page, and what it holds

    /// Applies changes in their order, in one transaction with the words of the pages; answers of each whether it applied.
    async fn change_holdings(
        &self,
        object: ObjectId,
        changes: &[HoldingChange],
    ) -> StoreResult<Vec<bool>>;
    /// Rows to send now, oldest first, at most `limit`; not those that failed at `began` or later: a run tries nothing again that
    /// failed in it.
    async fn holdings_due(
        &self,
        object: ObjectId,
        now: Timestamp,
        began: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<OpenHolding>>;
    /// Rows accepted and not confirmed.
    async fn holdings_accepted(
        &self,
        object: ObjectId,
        limit: usize,
    ) -> StoreResult<Vec<OpenHolding>>;
    /// Pages of which an object has a row, in id order after `after`, at most `limit`.
    async fn holdings(
        &self,
        object: ObjectId,
        after: Option<&PageId>,
        limit: usize,
    ) -> StoreResult<Vec<OpenHolding>>;
    /// Numbers about rows that are not settled.
    async fn open_holdings(&self, object: ObjectId) -> StoreResult<OpenCounts>;
    /// When the next row is to be sent.
    async fn next_holding_due(&self, object: ObjectId) -> StoreResult<Option<Timestamp>>;
    /// Takes back what workers have claimed that live no more; answers how many rows that were.
    async fn release_claims(&self, living: &[WorkerId]) -> StoreResult<usize>;
    /// Removals that the object that answers did not carry out so far, if there are any.
    async fn stuck_removals(&self, index: IndexId) -> StoreResult<Option<StuckRemovals>>;

    // --- a move to another store object

    /// Records that an index is to move to a store (also one of the same kind: another object of it, or the same one filled
    /// anew). A move to another store that was under way is given up, as by [`abandon_move`](Self::abandon_move).
    async fn begin_move(&self, index: IndexId, backend: BackendKind) -> StoreResult<MoveBegun>;
    /// Gives a move up: what it has made elsewhere is to be removed. Nothing to give up is a success.
    async fn abandon_move(&self, index: IndexId) -> StoreResult<()>;
    /// How far a move is.
    async fn move_counts(&self, filling: ObjectId) -> StoreResult<MoveCounts>;
    /// The object that was filled answers from now on, in one transaction; the one that answered until now is to be removed
    /// (unless it is the same). [`StoreError::Conflict`] when no move to this object is under way.
    async fn complete_move(&self, index: IndexId, filling: ObjectId) -> StoreResult<()>;

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

    // --- objects to be removed, events, housekeeping

    /// Objects of deleted and moved indexes that are still to be removed, the one that is due first in front.
    async fn leaving_objects(&self) -> StoreResult<Vec<LeavingObject>>;
    /// Removal done (`None`), or to be tried again then.
    async fn settle_leaving(
        &self,
        object: ObjectId,
        retry_at: Option<Timestamp>,
    ) -> StoreResult<()>;
    /// Records an event and gives it its number.
    async fn append_event(&self, event: &NewEvent) -> StoreResult<Event>;
    /// Takes waits and observations that lie further ahead than `now` allows as `now`: they were written by a clock that was
    /// ahead and has been set back. Answers how many.
    async fn reset_future_dates(&self, now: Timestamp) -> StoreResult<usize>;
    /// Forgets runs, events, notices and removed pages that are older than this.
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
    /// Only of these indexes.
    pub indexes: Option<Vec<IndexId>>,
    /// Only in this state.
    pub status: Option<RunStatus>,
    /// After this place.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// Which pages of a run to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RunPageFilter {
    /// Only those of which this became; `None`: all.
    pub change: Option<PageChange>,
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

/// What came of asking the questions of an evaluation.
#[derive(Clone, PartialEq, Debug)]
pub enum EvaluationEnd {
    /// No figures: why, in words.
    Failed(String),
    /// Figures.
    Told {
        /// Of all questions.
        all: Figures,
        /// Of each kind.
        kinds: BTreeMap<String, Figures>,
        /// Pages that questions name and the index does not hold.
        unknown_pages: Vec<String>,
        /// Questions that found no right page.
        missed: Vec<String>,
    },
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

/// A session of the web page, as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageSession {
    /// What is kept of its cookie.
    pub hash: String,
    /// When it ends.
    pub until: Timestamp,
    /// The token that was traded for it; `None`: the first key.
    pub token: Option<TokenId>,
}

/// What the service (REST, MCP, command line) needs beyond [`SyncStore`].
#[async_trait]
pub trait AdminStore: SyncStore {
    /// Creates an index, which the bearer of that token is to look after; [`StoreError::Conflict`] when the agent id is taken.
    async fn create_index_for(&self, new: &NewIndex, editor: Option<TokenId>)
    -> StoreResult<Index>;
    /// As [`create_index_for`](Self::create_index_for) the administrators.
    async fn create_index(&self, new: &NewIndex) -> StoreResult<Index> {
        self.create_index_for(new, None).await
    }
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
    /// Deletes an index and its rows; its objects in stores are to be removed.
    async fn delete_index(&self, index: IndexId) -> StoreResult<()>;
    /// Whose addresses of e-mail are; of those that nobody knew it says nothing.
    async fn people(&self) -> StoreResult<People>;
    /// Says whose these addresses are, whatever Confluence shows: these, those of the file of people, and no others.
    /// [`StoreError::Conflict`] when the file says another account of one.
    async fn map_people(&self, people: &BTreeMap<Email, AccountId>) -> StoreResult<()>;
    /// Says whose addresses are by the file of people: these, and no others of the file. What was set by hand for one of them goes.
    /// Answers how many are another's than before.
    async fn map_people_of_file(&self, people: &BTreeMap<Email, AccountId>) -> StoreResult<usize>;
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
    /// them. An answer may be taken back by the other one, as long as it holds. Conflict when none waits and none holds, when the
    /// same answer holds already, or a newer run asks about more. `by` says for people who that is.
    async fn answer_guard_by(&self, run: RunId, accept: bool, by: Option<&str>)
    -> StoreResult<Run>;
    /// As [`answer_guard_by`](Self::answer_guard_by) somebody who is not known.
    async fn answer_guard(&self, run: RunId, accept: bool) -> StoreResult<Run> {
        self.answer_guard_by(run, accept, None).await
    }
    /// The question of an index that waits, or whose answer holds.
    async fn inquiry(&self, index: IndexId) -> StoreResult<Option<Inquiry>>;
    /// What a run did page by page, by page id; at most [`KEPT_IN_A_RUN`](crate::history::KEPT_IN_A_RUN) for each change are kept.
    async fn run_pages(&self, run: RunId, filter: &RunPageFilter) -> StoreResult<Listed<RunPage>>;

    /// Counts questions that found little into the lists of their indexes; of each index the
    /// [`KEPT`](crate::questions::KEPT) that were asked last stay. Indexes that are gone are passed over.
    async fn note_questions(&self, asked: &[Asked]) -> StoreResult<()>;
    /// Questions of an index that found little, asked last first.
    async fn questions(
        &self,
        index: IndexId,
        cursor: Option<&str>,
        limit: usize,
    ) -> StoreResult<Listed<Question>>;
    /// Forgets one question of an index, or all of them.
    async fn delete_questions(&self, index: IndexId, id: Option<&str>) -> StoreResult<()>;
    /// Forgets questions that were asked last before this moment, of all indexes.
    async fn prune_questions(&self, before: Timestamp) -> StoreResult<()>;

    /// What indexes are asked to see how well they answer: one an index at most.
    async fn evaluations(&self) -> StoreResult<Vec<Evaluation>>;
    /// That of one index.
    async fn evaluation(&self, index: IndexId) -> StoreResult<Option<Evaluation>>;
    /// Sets what an index is asked, in the place of what it was, and that it is asked now. The history stays.
    async fn set_evaluation(
        &self,
        index: IndexId,
        questions: &str,
        schedule: Option<DailyAt>,
    ) -> StoreResult<()>;
    /// Notes that somebody wants an index asked now.
    async fn want_evaluation(&self, index: IndexId) -> StoreResult<()>;
    /// Forgets what an index is asked, and the history.
    async fn delete_evaluation(&self, index: IndexId) -> StoreResult<()>;
    /// Notes what came of asking the questions that were set at `set_at`; nothing where others were set meanwhile.
    async fn end_evaluation(
        &self,
        index: IndexId,
        set_at: Timestamp,
        end: &EvaluationEnd,
    ) -> StoreResult<()>;
    /// What came of evaluations of an index, the newest first, at most `limit`; the newest
    /// [`KEPT_RESULTS`](crate::evaluation::KEPT_RESULTS) are kept.
    async fn evaluation_results(
        &self,
        index: IndexId,
        limit: usize,
    ) -> StoreResult<Vec<EvaluationResult>>;

    /// One page of an index.
    async fn page(&self, index: IndexId, page: &PageId) -> StoreResult<PlacedPage>;
    /// Makes a failed page due now.
    async fn retry_page(&self, index: IndexId, page: &PageId) -> StoreResult<Page>;

    /// Keeps a token. [`StoreError::NotFound`] when one of its indexes is not there.
    async fn create_token(&self, new: &NewToken) -> StoreResult<Token>;
    /// Every token, by its id.
    async fn tokens(&self) -> StoreResult<Vec<Token>>;
    /// The agents' tokens that read an index.
    async fn tokens_of_index(&self, index: IndexId) -> StoreResult<Vec<Token>>;
    /// Takes an index away from an agent's token; one that has no other is revoked.
    async fn revoke_token_of_index(&self, index: IndexId, token: TokenId) -> StoreResult<()>;
    /// Revokes a token, whatever its role; its sessions of the web page end. Somebody who signs in at an issuer is kept out from then
    /// on: the row stays, with its end.
    async fn revoke_token(&self, token: TokenId) -> StoreResult<()>;
    /// Lets somebody in again who signs in at an issuer and was kept out. [`StoreError::Conflict`] for a token with a secret.
    async fn admit_person(&self, token: TokenId) -> StoreResult<Token>;
    /// Forgets somebody who signs in at an issuer, with name, address and `sub`, kept out or not; who signs in again is new.
    /// [`StoreError::Conflict`] for a token with a secret.
    async fn forget_person(&self, token: TokenId) -> StoreResult<()>;
    /// The row of somebody whom an issuer names, one that is kept out included.
    async fn person(&self, subject: &str) -> StoreResult<Option<Token>>;
    /// Keeps somebody whom an issuer names: a new row, or the one that is there with the name, address and role of now. Lets nobody in
    /// who is kept out.
    async fn keep_person(&self, person: &Person) -> StoreResult<Token>;
    /// Keeps another token with the rights of this one, which ends after that time: the secret is new (prefix and hash).
    async fn replace_token(
        &self,
        token: TokenId,
        secret: (&str, &str),
        by: &str,
        after: TimeDelta,
    ) -> StoreResult<Token>;
    /// Which of these tokens are good, and with which indexes: the others were revoked, are gone with their index, or have expired.
    async fn living_tokens(&self, tokens: &[TokenId]) -> StoreResult<Vec<(TokenId, Vec<IndexId>)>>;
    /// The living token with this hash, unless it has expired; notes its use (to the minute).
    async fn token_by_hash(&self, secret_hash: &str) -> StoreResult<Option<Token>>;
    /// The living token with this id, unless it has expired; notes its use (to the minute).
    async fn token(&self, id: TokenId) -> StoreResult<Option<Token>>;

    /// Keeps an entry of who did what.
    async fn note(&self, entry: &NewEntry) -> StoreResult<()>;
    /// Keeps entries of what was done a little earlier, all or none.
    async fn note_all(&self, entries: &[(Timestamp, NewEntry)]) -> StoreResult<()>;
    /// Forgets entries of questions that are older than a moment.
    async fn prune_asked(&self, before: Timestamp) -> StoreResult<()>;
    /// Entries of who did what, newest first.
    async fn audit(&self, filter: &EntryFilter) -> StoreResult<Listed<Entry>>;

    /// Events after a number, oldest first, of one index or all; at most `limit`.
    async fn events_after(
        &self,
        seq: i64,
        index: Option<IndexId>,
        limit: usize,
    ) -> StoreResult<Vec<Event>>;
    /// The numbers of the oldest and newest event kept; `(0, 0)` without any.
    async fn event_range(&self) -> StoreResult<(i64, i64)>;

    /// Notices to deliver now, the oldest first, at most `limit`.
    async fn notices_due(&self, limit: usize) -> StoreResult<Vec<Notice>>;
    /// When the next notice is to be delivered.
    async fn next_notice(&self) -> StoreResult<Option<Timestamp>>;
    /// What came of delivering the notice about a run.
    async fn settle_notice(&self, run: RunId, delivery: &Delivery) -> StoreResult<()>;

    /// What the disk holds.
    async fn disk_use(&self) -> StoreResult<DiskUse>;
    /// Answers when the database can be written (for readiness).
    async fn check(&self) -> StoreResult<()>;
    /// A remembered value, for the few things that are neither row nor setting.
    async fn remembered(&self, key: &str) -> StoreResult<Option<String>>;
    /// Remembers a value.
    async fn remember(&self, key: &str, value: &str) -> StoreResult<()>;

    /// What the service may do at Confluence by OAuth.
    async fn grant(&self) -> StoreResult<Option<Grant>>;
    /// Keeps a grant in the place of the one before.
    async fn put_grant(&self, grant: &Grant) -> StoreResult<()>;
    /// Keeps the tokens of a refresh; of a grant that was forgotten meanwhile nothing.
    async fn refresh_grant(&self, tokens: &SealedTokens) -> StoreResult<()>;
    /// Keeps that there will be no more tokens, and why.
    async fn refuse_grant(&self, why: &str) -> StoreResult<()>;
    /// Keeps the grant no longer; whether there was one.
    async fn forget_grant(&self) -> StoreResult<bool>;

    /// Every session of MCP that is kept, those used last at the end.
    async fn sessions(&self) -> StoreResult<Vec<KnownSession>>;
    /// Keeps a new session with the message that opened it.
    async fn keep_session(&self, session: &KnownSession, opening: &str) -> StoreResult<()>;
    /// The message that opened a session.
    async fn session_opening(&self, id: &str) -> StoreResult<Option<String>>;
    /// Notes when sessions were used last; nothing of those that are not kept.
    async fn sessions_used(&self, used: &[(String, Timestamp)]) -> StoreResult<()>;
    /// Keeps sessions no longer.
    async fn forget_sessions(&self, ids: &[String]) -> StoreResult<()>;

    /// The sessions of the web page that are kept.
    async fn page_sessions(&self) -> StoreResult<Vec<PageSession>>;
    /// Keeps a session of the web page.
    async fn keep_page_session(&self, session: &PageSession) -> StoreResult<()>;
    /// Keeps these sessions of the web page no longer.
    async fn end_page_sessions(&self, hashes: &[String]) -> StoreResult<()>;
}
