//! What actors say to one another, grouped by receiver.
//!
//! Hints (`Activate`, `Look`, `DrainOutbox`…) carry no data and are idempotent: what is to be done stands in rows.

use actix::Message;
use domain::comments::{CommentPlace, SourceComment};
use domain::content::{
    Account, ContentFacts, ContentKind, ContentStatus, Person, SourceFile, SourcePage, Space,
};
use domain::ports::source::{
    Batch, CommentsQuery, Cursor, FactsQuery, ListQuery, Reach, SourceError,
};
use domain::{AccountId, IndexId, PageId, RunId, SpaceId, SpaceKey};

use crate::credits::Lease;
use crate::status::{EngineStatus, IndexGauge};
use crate::supervise::Child;
use crate::uploader::{LaneReport, UploadJob};

// --- to the SchedulerActor

/// Look for due indexes, new and deleted ones, tombstones; then sleep until the next due time.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Tick;

/// An index has an open run: let its actor work on it.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct ActivateIndex(pub IndexId);

/// Rows of an index were written from outside.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct IndexChanged(pub IndexId);

/// A run is `canceling`.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct CancelRun(pub RunId);

/// A child ended.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ChildGone {
    pub who: Child,
    /// Which life of it: news of an earlier one are old.
    pub generation: u64,
}

/// Start a child again.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Respawn(pub Child);

/// Stop: no new work; answers when every run has put down what it had in hand.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct BeginDrain;

/// How does the engine stand?
#[derive(Clone, Copy, Message)]
#[rtype(result = "EngineStatus")]
pub(crate) struct GetStatus;

// --- to an IndexActor

/// Work on the open run, if there is one. Twice equals once.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Activate;

/// Rows changed: open a run if they call for one. Twice equals once.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Look;

/// Stop this run.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Cancel(pub RunId);

/// The index is gone: stop for good.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Retire;

/// Put down what is in hand and answer.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Drain;

/// How does the index stand?
#[derive(Clone, Copy, Message)]
#[rtype(result = "IndexGauge")]
pub(crate) struct GetIndexStatus;

// --- to a ConfluenceFetcher: each is one request, and carries the credit for it

type Answered<T> = Result<T, SourceError>;

/// Who are we?
#[derive(Message)]
#[rtype(result = "Answered<Account>")]
pub(crate) struct WhoAmI {
    pub lease: Lease,
}

/// Spaces by id (known ones) or by key (new ones).
#[derive(Message)]
#[rtype(result = "Answered<Vec<Space>>")]
pub(crate) struct LookUpSpaces {
    pub by: SpacesBy,
    pub lease: Lease,
}

/// How spaces are looked up.
#[derive(Clone)]
pub(crate) enum SpacesBy {
    Ids(Vec<SpaceId>),
    Keys(Vec<SpaceKey>),
    Visible,
}

/// One answer of a listing.
#[derive(Message)]
#[rtype(result = "Answered<Batch<SourcePage>>")]
pub(crate) struct ListPages {
    pub query: ListQuery,
    pub cursor: Option<Cursor>,
    pub lease: Lease,
}

/// Items by id.
#[derive(Message)]
#[rtype(result = "Answered<Vec<SourcePage>>")]
pub(crate) struct FetchPages {
    pub kind: ContentKind,
    pub ids: Vec<PageId>,
    pub statuses: &'static [ContentStatus],
    pub bodies: bool,
    pub lease: Lease,
}

/// One item by id, whatever its status.
#[derive(Message)]
#[rtype(result = "Answered<Option<SourcePage>>")]
pub(crate) struct FetchPage {
    pub kind: ContentKind,
    pub id: PageId,
    pub lease: Lease,
}

/// One answer of a walk over labels and restrictions.
#[derive(Message)]
#[rtype(result = "Answered<Batch<ContentFacts>>")]
pub(crate) struct FetchFacts {
    pub query: FactsQuery,
    pub cursor: Option<Cursor>,
    pub lease: Lease,
}

/// Labels and restriction of one item, without search's lag.
#[derive(Message)]
#[rtype(result = "Answered<Option<ContentFacts>>")]
pub(crate) struct FetchFactsOf {
    pub kind: ContentKind,
    pub id: PageId,
    pub lease: Lease,
}

/// One answer of the newest comments of the site.
#[derive(Message)]
#[rtype(result = "Answered<Batch<SourceComment>>")]
pub(crate) struct FetchRecentComments {
    pub place: CommentPlace,
    pub limit: usize,
    pub cursor: Option<Cursor>,
    pub lease: Lease,
}

/// One answer of a walk over comments.
#[derive(Message)]
#[rtype(result = "Answered<Batch<SourceComment>>")]
pub(crate) struct FetchComments {
    pub query: CommentsQuery,
    pub cursor: Option<Cursor>,
    pub lease: Lease,
}

/// One answer of the newest files of the site.
#[derive(Message)]
#[rtype(result = "Answered<Batch<SourceFile>>")]
pub(crate) struct FetchRecentFiles {
    pub limit: usize,
    pub cursor: Option<Cursor>,
    pub lease: Lease,
}

/// One answer of a walk over the files of a space.
#[derive(Message)]
#[rtype(result = "Answered<Batch<SourceFile>>")]
pub(crate) struct FetchFiles {
    pub space: SpaceKey,
    pub reach: Reach,
    pub cursor: Option<Cursor>,
    pub lease: Lease,
}

/// One file, without its bytes.
#[derive(Message)]
#[rtype(result = "Answered<Option<SourceFile>>")]
pub(crate) struct FetchFile {
    pub id: PageId,
    pub lease: Lease,
}

/// The bytes of a file.
#[derive(Message)]
#[rtype(result = "Answered<Vec<u8>>")]
pub(crate) struct Download {
    pub page: PageId,
    pub file: PageId,
    pub max_bytes: usize,
    pub lease: Lease,
}

/// One comment.
#[derive(Message)]
#[rtype(result = "Answered<Option<SourceComment>>")]
pub(crate) struct FetchComment {
    pub place: CommentPlace,
    pub id: PageId,
    pub lease: Lease,
}

/// Names of people.
#[derive(Message)]
#[rtype(result = "Answered<Vec<Person>>")]
pub(crate) struct FetchPeople {
    pub ids: Vec<AccountId>,
    pub lease: Lease,
}

/// The rendered body of one page.
#[derive(Message)]
#[rtype(result = "Answered<Option<String>>")]
pub(crate) struct FetchRendered {
    pub kind: ContentKind,
    pub id: PageId,
    pub lease: Lease,
}

// --- to a LlamaUploader

/// Send what waits in the outbox of an index, until told that no more will come; then confirm it.
#[derive(Message)]
#[rtype(result = "LaneReport")]
pub(crate) struct OpenLane(pub UploadJob);

/// Rows were written into the outbox of an index.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct DrainOutbox(pub IndexId);

/// No more rows will come for this index's run.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct CloseLane(pub IndexId);

/// How many batches are in flight?
#[derive(Clone, Copy, Message)]
#[rtype(result = "usize")]
pub(crate) struct GetInFlight;
