//! The place where pages come from: Confluence.
//!
//! Each method is one request (or one answer's worth of them), so that the engine can count, interleave and checkpoint.
//! The implementation owns the rate gate and retries passing trouble by itself up to a bound; what reaches the caller is
//! final for now, and [`SourceError::disposition`] says what to do about it.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;

use crate::access::{Grantee, Member};
use crate::comments::{CommentPlace, SourceComment};
use crate::content::{
    Account, ContentFacts, ContentKind, ContentStatus, LiveHit, Person, SourceFile, SourcePage,
    Space,
};
use crate::part::Part;
use crate::{AccountId, Disposition, GroupId, PageId, SpaceId, SpaceKey, Timestamp};

/// How many ids one request by id may name; also the largest page of a listing.
pub const MAX_BATCH: usize = 250;
/// How many spaces one listing may span.
pub const MAX_SPACES_PER_LISTING: usize = 100;

/// An opaque place in a walk; kept in checkpoints, so it outlives the process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor(pub String);

/// One answer of a walk.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch<T> {
    /// What it held; may be fewer than asked for (permission filtering), even none, with more to come.
    pub items: Vec<T>,
    /// Where to go on; `None`: the walk is complete.
    pub next: Option<Cursor>,
}

/// In which order a listing comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListOrder {
    /// By id: stable under edits; for sweeps.
    Id,
    /// Newest modification first; for polls.
    NewestFirst,
}

/// Which items to list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListQuery {
    /// Pages or blog posts.
    pub kind: ContentKind,
    /// The spaces, by id; one for a sweep (an unseen space is then `NotFound`), up to 100 for a poll.
    pub spaces: Vec<SpaceId>,
    /// The order.
    pub order: ListOrder,
    /// The statuses wanted.
    pub statuses: Vec<ContentStatus>,
    /// Whether bodies in storage format shall come along, and how many bytes the answer may have then: one that has more is
    /// [`SourceError::TooLarge`].
    pub bodies: Option<usize>,
    /// Items wanted at most, 1 to 250.
    pub limit: usize,
}

/// How far search is to look. What stands in an archived space it leaves out unless it is told otherwise, and that takes another
/// request (`/search` instead of `/content/search`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Spaces in use.
    CurrentSpaces,
    /// Archived spaces, too.
    ArchivedSpaces,
}

/// Which items to ask labels, restrictions and ancestors of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FactsQuery {
    /// Everything in a space, by its present key: pages, blog posts, and containers where the site lets them be asked.
    Space(SpaceKey, Reach),
    /// Some items, at most 100.
    Ids(Vec<PageId>, Reach),
}

/// Which comments to ask for. Search answers, so it lags: a comment missing in an answer says nothing by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommentsQuery {
    /// Every comment and reply in a space, by its present key, on pages and blog posts, in the order of their making.
    Space {
        /// The space.
        key: SpaceKey,
        /// Whether it is archived.
        reach: Reach,
        /// With their texts: fewer of them in one answer.
        bodies: bool,
    },
    /// Some comments with their texts, at most [`MAX_COMMENTS`].
    Ids(Vec<PageId>, Reach),
}

/// How many comments one request by id may name: with texts, search answers no more at once.
pub const MAX_COMMENTS: usize = 50;

/// The source's present state, for readiness, `doctor` and the web page.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceHealth {
    /// Requests made since the start.
    pub requests: u64,
    /// How many may be in flight now.
    pub concurrency_limit: usize,
    /// How many are in flight.
    pub in_flight: usize,
    /// Until when every request waits.
    pub paused_until: Option<Timestamp>,
    /// The last trouble, in words; cleared by a success.
    pub trouble: Option<String>,
    /// What the last answer told of the quota; `None` as long as none told anything.
    pub quota: Option<QuotaLeft>,
    /// How far this machine's clock is ahead of the source's, by the date of its last answer (to the second); negative: behind.
    pub clock_ahead: Option<TimeDelta>,
}

/// What is left of a quota that is refilled at a known time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotaLeft {
    /// Points or requests.
    pub remaining: u64,
    /// When all of it is there again.
    pub refilled_at: Timestamp,
}

/// The optional parts whose access is to be checked beside what every index needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AccessNeeds {
    /// Some index includes comments.
    pub comments: bool,
    /// Some index includes attached files.
    pub files: bool,
    /// Some index answers per person.
    pub permissions: bool,
    /// Some index has each answer checked for the person who asks.
    pub checks: bool,
    /// Polls follow the audit log.
    pub audit_log: bool,
}

/// What one record of the audit log is about. It names things as people see them, by title or name and without an id, and says what
/// happened in the words of the site's language: so it is a reason to look again, and never an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audited {
    /// When that happened.
    pub at: Timestamp,
    /// Pages and containers by title, spaces, groups, people.
    pub names: Vec<String>,
}

/// Whether one kind of thing may be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessCheck {
    /// For people: `pages`, `comments`, …
    pub what: &'static str,
    /// The scope that a token with scopes needs for it.
    pub scope: &'static str,
    /// The part that fails alone without it; `None`: no index can do without.
    pub part: Option<Part>,
    /// What came of asking for one of them.
    pub outcome: Result<(), SourceError>,
}

/// Where pages come from.
#[async_trait]
pub trait ContentSource: Send + Sync {
    /// Who the credentials are (`GET /wiki/rest/api/user/current`). An anonymous answer is [`SourceError::Unauthorized`].
    async fn whoami(&self) -> Result<Account, SourceError>;

    /// Asks one item of every kind that is needed, so that everything that is missing is known at once. `me` is who the
    /// credentials are, where that is known.
    async fn access(&self, needs: AccessNeeds, me: Option<&AccountId>) -> Vec<AccessCheck>;

    /// Spaces by key, personal ones (`~…`) included; keys that cannot be seen are simply not among the answer.
    async fn spaces_by_key(&self, keys: &[SpaceKey]) -> Result<Vec<Space>, SourceError>;

    /// Spaces by id, at most 250; those that cannot be seen are left out.
    async fn spaces_by_id(&self, ids: &[SpaceId]) -> Result<Vec<Space>, SourceError>;

    /// Every space that the account can see.
    async fn visible_spaces(&self) -> Result<Vec<Space>, SourceError>;

    /// One answer of a listing.
    async fn list(
        &self,
        query: &ListQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourcePage>, SourceError>;

    /// Items by id, at most 250, in any of `statuses`; those that cannot be seen are left out silently.
    /// Answers are bounded in bytes, with `bodies` to what that says ([`ListQuery::bodies`]): [`Disposition::Split`] asks for
    /// smaller batches.
    async fn by_ids(
        &self,
        kind: ContentKind,
        ids: &[PageId],
        statuses: &[ContentStatus],
        bodies: Option<usize>,
    ) -> Result<Vec<SourcePage>, SourceError>;

    /// One item by id with its body, whatever its status. `Ok(None)`: 404, that is gone **or** not allowed **or** a passing
    /// fault of the site: never proof by itself.
    async fn one(&self, kind: ContentKind, id: &PageId) -> Result<Option<SourcePage>, SourceError>;

    /// One answer of a walk over labels, own read restrictions and ancestors (CQL `/content/search` with expansions).
    /// Search lags behind: an item missing here says nothing.
    async fn facts(
        &self,
        query: &FactsQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<ContentFacts>, SourceError>;

    /// Labels and own read restriction of one item, not from the search index (so without lag). For the few that
    /// [`facts`](Self::facts) does not know yet, and for containers. `Ok(None)`: 404.
    async fn facts_of(
        &self,
        kind: ContentKind,
        id: &PageId,
    ) -> Result<Option<ContentFacts>, SourceError>;

    /// One answer of the newest comments and replies of the whole site with their texts, newest modification first, at most
    /// `limit` (1 to 250): the cheap way to learn what changed.
    async fn recent_comments(
        &self,
        place: CommentPlace,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceComment>, SourceError>;

    /// One answer of a walk over comments and replies (CQL `/content/search`).
    async fn comments(
        &self,
        query: &CommentsQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceComment>, SourceError>;

    /// One comment or reply by its id with its text, not from the search index. `Ok(None)`: 404.
    async fn comment(
        &self,
        place: CommentPlace,
        id: &PageId,
    ) -> Result<Option<SourceComment>, SourceError>;

    /// One answer of the newest attached files of the whole site, newest version first, at most `limit` (1 to 250).
    async fn recent_files(
        &self,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceFile>, SourceError>;

    /// One answer of a walk over the files attached to pages and blog posts of a space, by its present key (CQL
    /// `/content/search`). Search lags behind: a file missing here says nothing by itself.
    async fn files(
        &self,
        space: &SpaceKey,
        reach: Reach,
        cursor: Option<&Cursor>,
    ) -> Result<Batch<SourceFile>, SourceError>;

    /// One file by its id, not from the search index. `Ok(None)`: 404.
    async fn file(&self, id: &PageId) -> Result<Option<SourceFile>, SourceError>;

    /// The bytes of the newest version of a file of `page`, at most `max_bytes` of them ([`SourceError::TooLarge`] above).
    async fn download(
        &self,
        page: &PageId,
        file: &PageId,
        max_bytes: usize,
    ) -> Result<Vec<u8>, SourceError>;

    /// Names of people, in bulk (`POST /users-bulk`, 250 a call); unknown ids are left out.
    async fn people(&self, ids: &[AccountId]) -> Result<Vec<Person>, SourceError>;

    /// Who may use a space: the grantees of its permission to read, in whichever form the site tells them (`/spaces/{id}/permissions`,
    /// or `/spaces/{id}/role-assignments` where it has roles). [`SourceError::NotFound`] for a space that is not seen.
    async fn space_readers(&self, space: &SpaceId) -> Result<BTreeSet<Grantee>, SourceError>;

    /// Everybody in a group (`/group/{id}/membersByGroupId`); of one that is no more, nobody.
    async fn group_members(&self, group: &GroupId) -> Result<Vec<Member>, SourceError>;

    /// Which of these accounts may not use the site (any more): those of which `POST /users-bulk` does not say that they are `active`.
    async fn closed_accounts(&self, ids: &[AccountId]) -> Result<HashSet<AccountId>, SourceError>;

    /// What the audit log holds from `since` on, in no order (`GET /audit`). The account has to be a Confluence administrator for that.
    async fn audited(&self, since: Timestamp) -> Result<Vec<Audited>, SourceError>;

    /// Whether a person may read an item, all told: site, space and restrictions (POST `/content/{id}/permission/check`). The account
    /// has to be a Confluence administrator for that. Of an item that is not seen: no.
    async fn may_read(&self, person: &AccountId, item: &PageId) -> Result<bool, SourceError>;

    /// The rendered body (`export_view`) of one page, for macros that storage cannot resolve. `Ok(None)`: not to be had.
    async fn rendered(&self, kind: ContentKind, id: &PageId)
    -> Result<Option<String>, SourceError>;

    /// Confluence's own search over some spaces, best first, at most `limit`: stop words out, all words, then any word.
    async fn search_live(
        &self,
        words: &str,
        spaces: &[SpaceKey],
        limit: usize,
    ) -> Result<Vec<LiveHit>, SourceError>;

    /// The state of the client; makes no request.
    fn health(&self) -> SourceHealth;
}

/// Why the source did not answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SourceError {
    /// Credentials are missing, wrong, expired, or taken as anonymous.
    #[error("Confluence refuses the credentials for {what}: {detail}")]
    Unauthorized {
        /// The endpoint or operation.
        what: String,
        /// Cause and remedy, never the secret.
        detail: String,
    },
    /// The token was made with scopes, and without the one that this takes.
    #[error(
        "Confluence refuses the credentials for {what}: the token lacks the scope {scope}; make a token that has it (`doctor` names \
         every scope that is missing)"
    )]
    LacksScope {
        /// The endpoint or operation.
        what: String,
        /// The granular scope.
        scope: &'static str,
    },
    /// The account may not do this; may be passing (403 bursts were measured on valid credentials).
    #[error("Confluence does not allow {what}: {detail}")]
    Forbidden {
        /// The endpoint or operation.
        what: String,
        /// What the answer said.
        detail: String,
    },
    /// 404 for something that is not an item by id (a space of a listing, for example): gone or not allowed.
    #[error("Confluence does not know {what}, or this account may not see it")]
    NotFound {
        /// The thing.
        what: String,
    },
    /// 410: the endpoint is withdrawn for good.
    #[error("Confluence has withdrawn {what}: a newer version of this program is needed")]
    Withdrawn {
        /// The endpoint.
        what: String,
    },
    /// 429, or a quota is used up, beyond what the client waits for by itself.
    #[error("Confluence limits requests: {what} may go on in {} s", retry_after.as_secs())]
    RateLimited {
        /// The endpoint.
        what: String,
        /// How long from now.
        retry_after: Duration,
    },
    /// A page of HTML where JSON was asked for: a login page, a proxy's or a maintenance page, or another site.
    #[error(
        "something else than Confluence answers for {what}: {detail}; check CONFLUENCE_BASE_URL, and whether a proxy or a login page \
         stands in front of the site"
    )]
    NotConfluence {
        /// The endpoint.
        what: String,
        /// What came.
        detail: String,
    },
    /// No connection, a time-out, 5xx or a cut answer, again and again.
    #[error("Confluence cannot be reached for {what}: {detail}")]
    Unavailable {
        /// The endpoint.
        what: String,
        /// The last cause.
        detail: String,
    },
    /// The answer would be, or was, too large (413, 504, our own bound in bytes).
    #[error("the answer to {what} is too large: {detail}")]
    TooLarge {
        /// The endpoint.
        what: String,
        /// Which bound.
        detail: String,
    },
    /// The cursor of a walk is refused, or a walk turns in a circle.
    #[error("the walk over {what} cannot go on: {detail}")]
    BadCursor {
        /// The endpoint.
        what: String,
        /// What happened.
        detail: String,
    },
    /// The request is refused as wrong (400, 405, 415…): our fault.
    #[error("Confluence refuses the request for {what}: {detail}")]
    Rejected {
        /// The endpoint.
        what: String,
        /// What the answer said.
        detail: String,
    },
}

impl SourceError {
    /// The answers of a walk lead back to themselves.
    #[must_use]
    pub fn endless(what: String) -> Self {
        let detail = "its answers lead back to themselves".to_owned();
        Self::BadCursor { what, detail }
    }

    /// What to do about it.
    #[must_use]
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Unauthorized { .. } | Self::LacksScope { .. } | Self::Withdrawn { .. } => {
                Disposition::FailRun
            }
            Self::Forbidden { .. } | Self::NotFound { .. } | Self::Rejected { .. } => {
                Disposition::SkipItem
            }
            Self::RateLimited { retry_after, .. } => Disposition::Retry {
                after: *retry_after,
            },
            Self::Unavailable { .. } | Self::NotConfluence { .. } => Disposition::RETRY,
            Self::TooLarge { .. } => Disposition::Split,
            Self::BadCursor { .. } => Disposition::RestartWalk,
        }
    }

    /// The problem code that REST answers with.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "confluence_unauthorized",
            Self::LacksScope { .. } => "confluence_scope_missing",
            Self::Withdrawn { .. } => "confluence_withdrawn",
            Self::RateLimited { .. } => "confluence_rate_limited",
            Self::NotConfluence { .. } => "not_confluence",
            _ => "confluence_unreachable",
        }
    }
}
