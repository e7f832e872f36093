//! What the steps of a run share.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::blocked::Blocked;
use domain::content::ContentKind;
use domain::guard::{Asked, Passage, Question};
use domain::index::{IndexSettings, IndexSpace, SpaceState};
use domain::links::Naming;
use domain::overlap::Window;
use domain::page::PageRecord;
use domain::part::Part;
use domain::ports::source::{Reach, SourceError};
use domain::ports::store::{IndexState, SyncStore};
use domain::run::{Run, RunKind};
use domain::scope::Scope;
use domain::sizes::{Piece, pieces};
use domain::tree::Unseen;
use domain::{AccountId, GroupId, IndexId, PageId, SpaceId, SpaceKey, Timestamp};
use tokio::time::Instant;

use super::spaces::SpacesBefore;

use crate::counters::RunCounters;
use crate::document::SpaceNames;
use crate::fetcher::Fetchers;
use crate::memory::Held;
use crate::shared::{RowsLock, Shared, lock};
use crate::stop::{RunError, Stop};
use crate::uploader::UploadSignal;

/// Labels and restrictions that search does not know yet are asked for one by one, so many a run.
const SINGLE_FACTS: i64 = 25;
/// Items above pages that no listing names and nothing is known of (folders, where search does not name them; drafts): so many
/// are asked for one by one in a run. One folder holds back all that stands in it, so this is not of the budget of pages.
const NEW_ABOVE: i64 = 250;
/// So many vanished pages are asked for by a request of their own in a run; the answer in bulk decides the others.
const SINGLE_LOOKS: i64 = 25;
/// So many comments that a sweep missed are asked for by a request of their own.
const COMMENT_LOOKS: i64 = 25;
/// So many files that a sweep missed are asked for by a request of their own.
const FILE_LOOKS: i64 = 200;

/// One run, as its steps see it.
pub(crate) struct RunCtx {
    pub(super) shared: Arc<Shared>,
    pub(super) run: Run,
    /// The index as it was when the run began; `spaces` as this run saw them.
    pub(super) state: IndexState,
    pub(super) names: SpaceNames,
    /// Every space that any index knows, for links: by key.
    pub(super) link_spaces: Arc<HashMap<String, SpaceId>>,
    /// What the run before this one left over of spaces.
    pub(super) spaces_before: SpacesBefore,
    /// How many documents the store held when this run began: what it uploads meanwhile changes nothing of what it may remove.
    pub(super) stored_before: i64,
    /// Spaces whose bodies are kept already for another index.
    pub(super) cached_spaces: HashSet<SpaceId>,
    pub(super) counters: Arc<RunCounters>,
    pub(super) source: Fetchers,
    pub(super) rows: RowsLock,
    pub(super) stop: Stop,
    /// How the upload worker of the run hears of new rows.
    pub(super) uploads: UploadSignal,
    pub(super) started: Instant,
    pub(super) started_at: Timestamp,
    pub(super) single_facts: Budget,
    pub(super) new_above: Budget,
    pub(super) lookup_budget: Budget,
    pub(super) comment_looks: Budget,
    pub(super) file_looks: Budget,
    /// Rendered bodies that this run may still ask for.
    pub(super) rendered: Budget,
    findings: Mutex<Findings>,
}

/// What the steps found that the end of the run decides from.
#[derive(Default)]
pub(super) struct Findings {
    /// Pages that have to leave; their rows say why.
    pub(super) removals: BTreeMap<PageId, Passage>,
    /// Pages that were found absent twice together with all others of their space: whether they leave is asked.
    pub(super) doubted: BTreeSet<PageId>,
    /// Spaces whose walk or facts ended with an error, by given key.
    pub(super) space_trouble: HashMap<SpaceKey, String>,
    /// What is new in all spaces could not be listed: the watermark stays.
    pub(super) poll_trouble: Option<String>,
    /// Spaces whose listing ended without error.
    pub(super) listed: HashSet<SpaceKey>,
    /// Pages whose body came and that nobody has decided since.
    pub(super) fresh_bodies: HashSet<PageId>,
    /// Pages kept with links that are resolved when everything is listed.
    pub(super) unlinked: HashSet<PageId>,
    /// Pages to be stored whose text points at pages of which it is not known yet whether they may be named.
    pub(super) unnamed: HashSet<PageId>,
    /// Pages that may be named since this run, or not any more.
    pub(super) renamed: BTreeSet<PageId>,
    /// Items above pages that this run has asked for in vain, and what that says.
    pub(super) unseen_above: HashMap<PageId, Unseen>,
    /// Items whose restrictions this run has asked for in vain, and what came of it, in words.
    pub(super) in_vain: HashMap<PageId, String>,
    /// Pages that wait for such an item.
    pub(super) blocked: Blocked,
    /// The next watermark.
    pub(super) newest: Option<Timestamp>,
    /// A walk that an earlier run began: what was newest then bounds the watermark.
    pub(super) newest_at_most: Option<Timestamp>,
    /// Authors of comments whose names this run has asked for.
    pub(super) people_asked: HashSet<AccountId>,
    /// Groups whose members this run has asked for.
    pub(super) groups_read: HashSet<GroupId>,
    /// Accounts of which this run has asked whether they are closed.
    pub(super) accounts_asked: HashSet<AccountId>,
    /// Optional parts that are not complete.
    pub(super) missing: BTreeMap<Part, Missing>,
    /// The guard stopped removals.
    pub(super) guard: Option<Stopped>,
    /// Removals that were refused before, and would be done but for that.
    pub(super) refused: BTreeSet<PageId>,
}

/// Why an optional part is not complete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Missing {
    /// In words.
    pub(super) why: String,
    /// Confluence refuses all of it: nothing more of it is asked for in this run.
    pub(super) refused: bool,
}

/// Removals that wait for the administrator.
pub(super) struct Stopped {
    /// In words.
    pub(super) reason: String,
    /// What is asked.
    pub(super) question: Question,
}

/// A number of dear requests that a run may make.
pub(super) struct Budget(AtomicI64);

impl Budget {
    pub(super) const fn new(amount: i64) -> Self {
        Self(AtomicI64::new(amount))
    }

    /// Takes one; `false` when none is left.
    pub(super) fn take(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) > 0
    }
}

/// What a context is made of beside its defaults.
pub(super) struct RunParts {
    pub(super) shared: Arc<Shared>,
    pub(super) run: Run,
    pub(super) state: IndexState,
    pub(super) link_spaces: HashMap<String, SpaceId>,
    pub(super) cached_spaces: HashSet<SpaceId>,
    pub(super) spaces_before: SpacesBefore,
    pub(super) stored_before: i64,
    pub(super) counters: Arc<RunCounters>,
    pub(super) source: Fetchers,
    pub(super) stop: Stop,
    pub(super) started_at: Timestamp,
}

impl RunCtx {
    pub(super) fn new(parts: RunParts) -> Self {
        let rendered = i64::from(parts.shared.settings.rendered_pages_per_run);
        Self {
            rows: parts.shared.rows_of(parts.run.index_id),
            names: SpaceNames::of(&parts.state.index),
            shared: parts.shared,
            run: parts.run,
            state: parts.state,
            link_spaces: Arc::new(parts.link_spaces),
            cached_spaces: parts.cached_spaces,
            spaces_before: parts.spaces_before,
            stored_before: parts.stored_before,
            counters: parts.counters,
            source: parts.source,
            stop: parts.stop,
            uploads: UploadSignal::default(),
            started: Instant::now(),
            started_at: parts.started_at,
            single_facts: Budget::new(SINGLE_FACTS),
            new_above: Budget::new(NEW_ABOVE),
            lookup_budget: Budget::new(SINGLE_LOOKS),
            comment_looks: Budget::new(COMMENT_LOOKS),
            file_looks: Budget::new(FILE_LOOKS),
            rendered: Budget::new(rendered),
            findings: Mutex::default(),
        }
    }

    pub(super) fn store(&self) -> &dyn SyncStore {
        self.shared.store.as_ref()
    }

    /// Rows of these pages that are there.
    pub(super) async fn records(
        &self,
        ids: &[PageId],
    ) -> Result<HashMap<PageId, PageRecord>, RunError> {
        let records = self.store().pages_by_id(self.index(), ids).await?;
        Ok(records
            .into_iter()
            .map(|record| (record.page_id.clone(), record))
            .collect())
    }

    /// Cuts pages into pieces of which as much is kept as there is room for at once. Those of which nothing is kept are left out.
    pub(super) async fn kept_in_pieces(
        &self,
        ids: &[PageId],
    ) -> Result<Vec<Piece<PageId>>, RunError> {
        let kept = self.store().body_briefs(ids).await?;
        let sizes = kept.into_iter().map(|brief| (brief.page_id, brief.bytes));
        let most = self.shared.texts.bodies.piece();
        Ok(pieces(sizes, ids.len().max(1), most))
    }

    /// Waits until so many bytes of bodies may be in memory.
    pub(super) async fn hold(&self, bytes: usize) -> Result<Held, RunError> {
        let room = self.shared.texts.bodies.hold(bytes);
        self.stop.unless_asked(room).await
    }

    pub(super) const fn index(&self) -> IndexId {
        self.run.index_id
    }

    pub(super) const fn settings(&self) -> &IndexSettings {
        &self.state.index.settings
    }

    pub(super) fn now(&self) -> Timestamp {
        self.shared.now()
    }

    pub(super) fn find<T>(&self, note: impl FnOnce(&mut Findings) -> T) -> T {
        note(&mut lock(&self.findings))
    }

    /// The kinds of content that are listed space by space.
    pub(super) fn kinds(&self) -> &'static [ContentKind] {
        if self.settings().include_blog_posts {
            &[ContentKind::Page, ContentKind::BlogPost]
        } else {
            &[ContentKind::Page]
        }
    }

    /// Whether this kind of content may be in the index.
    pub(super) fn holds(&self, kind: ContentKind) -> bool {
        let attachment = kind == ContentKind::Attachment && self.settings().include_attachments;
        attachment || self.kinds().contains(&kind)
    }

    /// Whether labels and restrictions are read at all.
    pub(super) fn needs_facts(&self) -> bool {
        use domain::index::RestrictedPages;
        let settings = self.settings();
        !self.shared.settings.skip_unneeded_facts
            || settings.access.is_per_user()
            || settings.restricted_pages == RestrictedPages::Skip
            || !settings.labels.is_empty()
            || !settings.exclude_labels.is_empty()
    }

    /// Whether the administrator changed the scope since the last complete run: then what leaves by scope is exempt from the
    /// guard.
    pub(super) fn scope_changed(&self) -> bool {
        let progress = &self.state.progress;
        progress.scope_revision != progress.applied_scope_revision
    }

    /// What the administrator was asked about removals, and answered. A full run, which is only ever ordered by hand, asks
    /// again about what was refused.
    pub(super) fn asked(&self) -> Asked {
        match Asked::of(&self.state.progress) {
            Asked::Refused(_) if self.asks_again() => Asked::Nothing,
            asked => asked,
        }
    }

    /// Whether this run asks again about what was refused.
    pub(super) fn asks_again(&self) -> bool {
        self.run.kind == RunKind::Full
    }

    /// When the administrator last answered.
    pub(super) fn answered_at(&self) -> Timestamp {
        let answered = self.state.progress.guard_answered_at;
        answered.unwrap_or(self.started_at)
    }

    /// What a poll of one feed of the index has to read, from what it knows up to this watermark.
    pub(super) fn window(&self, feed: &'static str, watermark: Option<Timestamp>) -> Window {
        self.shared
            .with_overlap(self.index(), feed, |overlap, now| {
                overlap.window(watermark, now)
            })
    }

    /// All of it was read and recorded. While another feed cannot be read, what hangs on its pages may have found none.
    pub(super) fn window_was_read(&self, feed: &'static str, window: Window) {
        if self.find(|f| f.poll_trouble.is_some()) {
            return;
        }
        self.shared
            .with_overlap(self.index(), feed, |overlap, _| overlap.was_read(window));
    }

    /// Whether what leaves in this space may leave by the administrator's own change of scope: a space that could not be
    /// read when the others followed the change still owes it.
    pub(super) fn scope_changed_in(&self, space: &SpaceId) -> bool {
        let applied = self.state.progress.applied_settings.as_ref();
        let owes = self.spaces_before.unlisted.contains(space) && applied != Some(self.settings());
        self.scope_changed() || owes
    }

    /// The scope that the last complete run applied in this space, where it was another: a page that belongs by it leaves by the
    /// administrator's own change, and not by anything that happened at the source.
    pub(super) fn scope_before(&self, space: &SpaceId) -> Option<Scope<'_>> {
        let before = self.state.progress.applied_settings.as_ref();
        before
            .filter(|_| self.scope_changed_in(space))
            .map(Scope::of)
    }

    /// How far search has to look for items of any space of the index.
    pub(super) fn reach(&self) -> Reach {
        reach_of(&self.state.index.spaces)
    }

    /// The spaces that can be walked: seen by this run.
    pub(super) fn visible_spaces(&self) -> Vec<SeenSpace> {
        self.state
            .index
            .spaces
            .iter()
            .filter(|space| space.state != SpaceState::Vanished)
            .filter_map(SeenSpace::of)
            .collect()
    }

    /// Notes a page that others may name now, or not any more, so that their documents follow. In a first run they are all still
    /// to be composed.
    pub(super) fn note_naming(&self, before: Naming, after: &PageRecord) {
        let may_be = |naming: Naming| naming == Naming::Named;
        if self.state.progress.synced_at.is_some() && may_be(before) != may_be(after.naming()) {
            self.find(|f| f.renamed.insert(after.page_id.clone()));
        }
    }

    pub(super) fn poll_failed(&self, what: String) {
        tracing::warn!(index = %self.index(), what, "a poll failed; the next one begins where the last one ended");
        self.find(|f| {
            f.poll_trouble.get_or_insert(what);
        });
    }

    /// The restrictions of an item were asked for, and this came of it.
    pub(super) fn asked_in_vain(&self, id: &PageId, answer: &str) {
        self.find(|f| f.in_vain.insert(id.clone(), answer.to_owned()));
    }

    /// Something of an optional part could not be read; everything else goes on.
    pub(super) fn note_missing(&self, part: Part, what: &str, error: &SourceError) {
        tracing::warn!(index = %self.index(), what, %error, "an optional part fails; the pages go on");
        let refused = error.disposition().ends_run(None);
        self.find(|f| {
            let missing = f.missing.entry(part).or_insert_with(|| Missing {
                why: format!("{what}: {error}"),
                refused,
            });
            missing.refused |= refused;
        });
    }

    /// What came of reading something of an optional part; `None`: it could not be read, which is noted.
    pub(super) fn optional<T>(
        &self,
        part: Part,
        what: &str,
        outcome: Result<T, RunError>,
    ) -> Result<Option<T>, RunError> {
        match outcome {
            Ok(read) => Ok(Some(read)),
            Err(failure) => {
                self.note_missing(part, what, &failure.recoverable_for(part)?);
                Ok(None)
            }
        }
    }

    /// Whether Confluence refused all of an optional part in this run.
    pub(super) fn is_refused(&self, part: Part) -> bool {
        self.find(|f| f.missing.get(&part).is_some_and(|missing| missing.refused))
    }

    /// What came of reading something of a space; `None`: it could not be read, which is noted, and the others go on.
    pub(super) fn of_space<T>(
        &self,
        space: &SeenSpace,
        what: &str,
        outcome: Result<T, RunError>,
    ) -> Result<Option<T>, RunError> {
        match outcome {
            Ok(read) => Ok(Some(read)),
            Err(failure) => {
                self.trouble_with(space, &format!("{what}{}", failure.recoverable()?));
                Ok(None)
            }
        }
    }

    pub(super) fn trouble_with(&self, space: &SeenSpace, what: &str) {
        tracing::warn!(index = %self.index(), space = %space.given, what, "a space could not be read; the others go on");
        self.find(|f| f.space_trouble.insert(space.given.clone(), what.to_owned()));
    }
}

/// How far search has to look for items of these spaces.
pub(crate) fn reach_of(spaces: &[IndexSpace]) -> Reach {
    let archived = |space: &IndexSpace| space.state == SpaceState::Archived;
    match spaces.iter().any(archived) {
        true => Reach::ArchivedSpaces,
        false => Reach::CurrentSpaces,
    }
}

/// A space of the index that this run saw.
#[derive(Clone, Debug)]
pub(super) struct SeenSpace {
    pub(super) id: SpaceId,
    /// The key as the administrator gave it: names the row.
    pub(super) given: SpaceKey,
    /// The present key: what requests ask for.
    pub(super) key: SpaceKey,
    /// How far search has to look for what stands in it.
    pub(super) reach: Reach,
}

impl SeenSpace {
    pub(super) fn of(space: &IndexSpace) -> Option<Self> {
        Some(Self {
            id: space.id.clone()?,
            given: space.key.clone(),
            key: space.present_key().clone(),
            reach: reach_of(std::slice::from_ref(space)),
        })
    }
}
