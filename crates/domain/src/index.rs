//! An index: what an administrator asked for, and how it stands.

mod patch;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::content::Restriction;
use crate::quiet::QuietHours;
use crate::run::Run;
use crate::{AgentId, IndexId, SpaceId, SpaceKey};

pub use patch::IndexPatch;

/// Which retrieval store holds an index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// LlamaCloud.
    LlamaCloud,
    /// The embedded index.
    Local,
}

impl BackendKind {
    /// The word used in settings, rows and REST.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LlamaCloud => "llamacloud",
            Self::Local => "local",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::LlamaCloud, Self::Local]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What becomes of pages whose reading is restricted to some people.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RestrictedPages {
    /// They stay out: whoever asks the agent could not have read them.
    #[default]
    Skip,
    /// They enter: the administrator vouches for everyone who asks.
    Include,
}

/// Everything about an index that an administrator chooses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IndexSettings {
    /// The name shown to people.
    pub name: String,
    /// The agent that asks this index; unique among living indexes.
    pub agent_id: AgentId,
    /// Keys of the spaces, as given; 1 to 100, distinct.
    pub confluence_spaces: Vec<SpaceKey>,
    /// Minutes between scheduled runs; at least 1.
    pub interval_minutes: u32,
    /// Whether scheduled runs happen.
    pub enabled: bool,
    /// Hours in which no scheduled run starts; null: those of `SYNC_QUIET_HOURS`, if any.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::quiet::QuietHoursText>))]
    pub quiet_hours: Option<QuietHours>,
    /// Which store holds it.
    pub backend: BackendKind,
    /// Blog posts of the spaces too.
    pub include_blog_posts: bool,
    /// Footer and inline comments folded into their page's document. Costs 2 requests a poll; a sweep costs 2 and 1 per 200
    /// comments of a space; new and changed ones come 50 a request.
    pub include_comments: bool,
    /// Text files attached to pages as documents of their own. Costs 1 request a poll; a sweep costs 1 and 1 per 200 files of a
    /// space; each new or changed file that can be read is one download.
    pub include_attachments: bool,
    /// Only pages with at least one of these labels; empty: all.
    pub labels: Vec<String>,
    /// No page with any of these labels.
    pub exclude_labels: Vec<String>,
    /// Only these pages and all below them; empty: all.
    pub root_page_ids: Vec<String>,
    /// What becomes of restricted pages. Without meaning where `access` is per user: then they enter, and each is shown to those who
    /// may read it.
    pub restricted_pages: RestrictedPages,
    /// Whom it answers.
    #[serde(default)]
    pub access: Access,
}

/// Whether pages enter whose reading is restricted, or of which that is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// They enter.
    In,
    /// They stay out.
    Out,
    /// They wait until it is known.
    Wait,
}

impl IndexSettings {
    /// Whether a page enters by who may read it.
    #[must_use]
    pub const fn admits(&self, restriction: Restriction) -> Admission {
        match (
            self.access.is_per_user(),
            self.restricted_pages,
            restriction,
        ) {
            (_, _, Restriction::Open)
            | (true, _, Restriction::Restricted)
            | (false, RestrictedPages::Include, _) => Admission::In,
            (false, RestrictedPages::Skip, Restriction::Restricted) => Admission::Out,
            (true, _, Restriction::Unknown)
            | (false, RestrictedPages::Skip, Restriction::Unknown) => Admission::Wait,
        }
    }
}

/// How an index stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum IndexStatus {
    /// Never synced.
    New,
    /// A run is under way.
    Syncing,
    /// The last run succeeded.
    Ok,
    /// The last run was partial, or a space is archived or gone: it answers, and something needs a look.
    Degraded,
    /// The last run failed.
    Failed,
    /// The mass-deletion guard waits for the administrator.
    NeedsConfirmation,
    /// No scheduled runs.
    Disabled,
}

impl IndexStatus {
    /// Every status, for parsing and documentation.
    pub const ALL: [Self; 7] = [
        Self::New,
        Self::Syncing,
        Self::Ok,
        Self::Degraded,
        Self::Failed,
        Self::NeedsConfirmation,
        Self::Disabled,
    ];

    /// The word used in rows and REST.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Syncing => "syncing",
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
            Self::NeedsConfirmation => "needs_confirmation",
            Self::Disabled => "disabled",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// The store object that holds an index: a pipeline, a directory with its index, or an embedded collection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Remote {
    /// `pipeline`, `directory_index` or `local`.
    pub kind: String,
    /// The id in the store.
    pub id: String,
    /// The name in the store: `confluence-<agent_id>`.
    pub name: String,
    /// Whatever else the backend must remember about it (a JSON object as text); never shown over REST.
    #[serde(skip)]
    pub extra: Option<String>,
}

/// An index on its way to another store object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Moving {
    /// Which store is to hold it.
    pub backend: BackendKind,
    /// The object there; null until it exists.
    pub remote: Option<Remote>,
    /// Documents that are to go there.
    pub documents: i64,
    /// Documents that it finds already.
    pub searchable: i64,
    /// Documents that it refused; they are tried again by the next run of the move.
    pub failed: i64,
    /// When the move was asked for.
    pub since: DateTime<Utc>,
}

/// How one space of an index stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IndexSpace {
    /// The key as the administrator gave it.
    pub key: SpaceKey,
    /// The identity, once seen; a renamed space is followed by it.
    pub id: Option<SpaceId>,
    /// The present key, once seen; differs from `key` after a rename.
    pub current_key: Option<SpaceKey>,
    /// The key that people see in addresses, where the space was given another one than `current_key`.
    #[serde(default)]
    pub alias: Option<SpaceKey>,
    /// The name shown to people, once seen.
    pub name: Option<String>,
    /// Absolute address, once seen.
    pub url: Option<String>,
    /// What is to be said about it.
    pub state: SpaceState,
    /// The last trouble with it, in words.
    pub reason: Option<String>,
    /// Pages of it that are in the index now.
    pub pages: i64,
    /// When a listing of it last ended without error.
    pub last_sync_at: Option<DateTime<Utc>>,
}

impl IndexSpace {
    /// The key by which requests and the documents of the index name the space.
    #[must_use]
    pub fn present_key(&self) -> &SpaceKey {
        self.current_key.as_ref().unwrap_or(&self.key)
    }

    /// Every key that people may know the space by, the present one first: as Confluence names it, as its addresses show it, and as
    /// the administrator gave it.
    pub fn keys(&self) -> impl Iterator<Item = &SpaceKey> {
        [
            Some(self.present_key()),
            self.alias.as_ref(),
            Some(&self.key),
        ]
        .into_iter()
        .flatten()
    }
}

/// The space that a key names, whatever its case: the one whose present key it is, else the one that has it as another name.
#[must_use]
pub fn space_named<'a>(
    spaces: impl IntoIterator<Item = &'a IndexSpace> + Clone,
    key: &SpaceKey,
) -> Option<&'a IndexSpace> {
    let same = |other: &SpaceKey| other.as_str().eq_ignore_ascii_case(key.as_str());
    let by_present = spaces.clone().into_iter().find(|s| same(s.present_key()));
    by_present.or_else(|| spaces.into_iter().find(|s| s.keys().any(same)))
}

/// What is to be said about a space of an index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum SpaceState {
    /// Not looked at yet.
    #[default]
    New,
    /// There and current.
    Current,
    /// Archived in Confluence; its pages stay.
    Archived,
    /// The account sees it no more. Its pages stay; where it sees another space of the index, they are hidden and leave
    /// through the guard when a second run does not see it either.
    Vanished,
    /// The last walk through it ended with an error.
    Failing,
}

/// Whether a space has to be read whole by a run of any kind: polls went on without it meanwhile.
#[must_use]
pub const fn needs_full_listing(before: SpaceState, now: SpaceState) -> bool {
    matches!(before, SpaceState::Failing | SpaceState::Vanished)
        && !matches!(now, SpaceState::Vanished)
}

impl SpaceState {
    /// The word used in rows and REST.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Current => "current",
            Self::Archived => "archived",
            Self::Vanished => "vanished",
            Self::Failing => "failing",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::New,
            Self::Current,
            Self::Archived,
            Self::Vanished,
            Self::Failing,
        ]
        .into_iter()
        .find(|s| s.as_str() == word)
    }
}

/// An index as REST and events show it.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Index {
    /// The identity.
    pub id: IndexId,
    /// What the administrator chose.
    #[serde(flatten)]
    pub settings: IndexSettings,
    /// Where it is kept; null until the store object exists.
    pub remote: Option<Remote>,
    /// Where it is moving to, while it does; until then `backend` and `remote` answer.
    pub moving: Option<Moving>,
    /// How it stands.
    pub status: IndexStatus,
    /// Why it stands so, in words; null when there is nothing to say.
    pub status_reason: Option<String>,
    /// Its spaces one by one.
    pub spaces: Vec<IndexSpace>,
    /// Documents that are searchable or accepted.
    pub document_count: i64,
    /// The newest run that is not a dry one, running or over.
    pub last_run: Option<Run>,
    /// How fresh its answers are: `finished_at` of the newest succeeded or partial run that read Confluence and did not end ahead of
    /// now; null before the first, and while only a clock that was ahead tells of one.
    pub as_of: Option<DateTime<Utc>>,
    /// When the next scheduled run is due; null while disabled.
    pub next_run_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When its settings last changed.
    pub updated_at: DateTime<Utc>,
}

/// What the engine must remember about an index between runs; not shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IndexProgress {
    /// Highest `version.createdAt` seen by a listing whose pages are all settled. The server's clock.
    pub watermark: Option<DateTime<Utc>>,
    /// When a sweep last began that then ended without error (our clock).
    pub last_sweep_at: Option<DateTime<Utc>>,
    /// `finished_at` of the last succeeded or partial run: the `as_of` of answers.
    pub synced_at: Option<DateTime<Utc>>,
    /// Counts changes of scope by the administrator.
    pub scope_revision: i32,
    /// The scope revision that the last complete run applied; lower means that removals by scope are still owed and
    /// are exempt from the mass-deletion guard.
    pub applied_scope_revision: i32,
    /// A run's removals that wait for `confirm`; `Some(run)` keeps deletions of absent pages stopped.
    pub awaiting_confirmation: Option<crate::RunId>,
    /// The pages that the last question to the administrator was about, while it waits or its answer holds.
    pub guarded_pages: std::collections::BTreeSet<crate::PageId>,
    /// The administrator accepted that those go: the next sweep removes them.
    pub deletions_accepted: bool,
    /// The administrator refused that those go: they stay, and are not asked about again.
    pub deletions_refused: bool,
    /// When the administrator last answered. Written with the answer only.
    pub guard_answered_at: Option<DateTime<Utc>>,
    /// Who that was, as far as known: how and from where. Written with the answer only.
    pub guard_answered_by: Option<String>,
    /// The settings that the last complete run applied. What would still belong by them leaves by the administrator's own
    /// change of scope.
    pub applied_settings: Option<IndexSettings>,
}
