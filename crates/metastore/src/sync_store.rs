//! [`SyncStore`]: each method takes copies of what it was given onto a blocking thread and calls one function of `ops`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use domain::access::{Grantee, Member};
use domain::comments::{CachedComment, CommentBrief};
use domain::content::{ContentFacts, ContentKind, Space};
use domain::event::{Event, NewEvent};
use domain::history::RunPage;
use domain::holding::{HoldingChange, Wanted};
use domain::index::{BackendKind, IndexSpace, IndexStatus, Remote};
use domain::links::Naming;
use domain::moving::MoveCounts;
use domain::page::{CachedBody, PageRecord, PageState};
use domain::ports::source::Cursor;
use domain::ports::store::{
    BodyBrief, DuePage, IndexState, LeavingObject, MoveBegun, OpenCounts, OpenHolding, OpenedRun,
    PageBrief, RunEnd, StoreResult, StuckRemovals, SyncStore, TriesOf,
};
use domain::run::{Counts, Requests, Run, RunKind};
use domain::sections::SectionEdit;
use domain::{AccountId, GroupId, IndexId, ObjectId, PageId, RunId, SpaceId, Timestamp, WorkerId};

use crate::codec::Packer;
use crate::handle::{Metastore, blocking};
use crate::ops::{
    access, attachments, bodies, clock, comments, events, facts, history, holdings, indexes, links,
    listing, objects, pages, prune, runs, sections, small, spaces,
};
use crate::rows::{BodyRow, CommentRow};

#[async_trait]
impl SyncStore for Metastore {
    async fn rehearsal(&self, dry_run: RunId) -> StoreResult<Arc<dyn SyncStore>> {
        let copy = self.private_copy(&dry_run.to_string()).await?;
        copy.write(move |c| runs::make_real(c, dry_run)).await?;
        Ok(Arc::new(copy))
    }

    async fn index_states(&self) -> StoreResult<Vec<IndexState>> {
        let now = self.now();
        self.read(move |c| indexes::states(c, now)).await
    }

    async fn index_state(&self, index: IndexId) -> StoreResult<IndexState> {
        let now = self.now();
        self.read(move |c| indexes::state(c, index, now)).await
    }

    async fn set_remote(&self, object: ObjectId, remote: &Remote) -> StoreResult<()> {
        let (remote, now) = (remote.clone(), self.now());
        self.write(move |c| objects::set_remote(c, object, &remote, now))
            .await
    }

    async fn set_index_status(
        &self,
        index: IndexId,
        status: IndexStatus,
        reason: Option<&str>,
    ) -> StoreResult<()> {
        let reason = reason.map(str::to_owned);
        self.write(move |c| indexes::set_status(c, index, status, reason.as_deref()))
            .await
    }

    async fn set_next_run(&self, index: IndexId, at: Option<Timestamp>) -> StoreResult<()> {
        self.write(move |c| indexes::set_next_run(c, index, at))
            .await
    }

    async fn record_spaces(&self, index: IndexId, seen: &[IndexSpace]) -> StoreResult<()> {
        let seen = seen.to_vec();
        self.write(move |c| {
            indexes::row(c, index)?;
            spaces::record(c, index, &seen)
        })
        .await
    }

    async fn known_spaces(&self) -> StoreResult<Vec<Space>> {
        self.read(spaces::known).await
    }

    async fn open_run(
        &self,
        index: IndexId,
        kind: RunKind,
        dry_run: bool,
        queue_if_open: bool,
    ) -> StoreResult<OpenedRun> {
        let now = self.now();
        self.write(move |c| runs::open(c, index, kind, dry_run, queue_if_open, now))
            .await
    }

    async fn open_run_of(&self, index: IndexId) -> StoreResult<Option<Run>> {
        self.read(move |c| runs::open_of(c, index)).await
    }

    async fn open_runs(&self) -> StoreResult<HashSet<IndexId>> {
        self.read(runs::all_open).await
    }

    async fn next_tries(&self, of: &[TriesOf]) -> StoreResult<HashMap<IndexId, Timestamp>> {
        let of = of.to_vec();
        self.read(move |c| pages::next_tries(c, &of)).await
    }

    async fn start_run(&self, run: RunId) -> StoreResult<Run> {
        let now = self.now();
        self.write(move |c| runs::start(c, run, now)).await
    }

    async fn touch_run(
        &self,
        run: RunId,
        counts: &Counts,
        requests: &Requests,
        eta_seconds: Option<i64>,
    ) -> StoreResult<Run> {
        let (counts, requests, now) = (*counts, *requests, self.now());
        self.write(move |c| runs::touch(c, run, &counts, &requests, eta_seconds, now))
            .await
    }

    async fn note_run_pages(&self, run: RunId, pages: &[RunPage]) -> StoreResult<()> {
        let pages = pages.to_vec();
        self.write(move |c| history::note_plan(c, run, &pages))
            .await
    }

    async fn finish_run(&self, run: RunId, end: &RunEnd) -> StoreResult<Run> {
        let (end, now) = (end.clone(), self.now());
        self.write(move |c| runs::finish(c, run, &end, now)).await
    }

    async fn interrupt_open_runs(&self) -> StoreResult<Vec<Run>> {
        let now = self.now();
        self.write(move |c| runs::interrupt_open(c, now)).await
    }

    async fn pages_by_id(&self, index: IndexId, ids: &[PageId]) -> StoreResult<Vec<PageRecord>> {
        let ids = ids.to_vec();
        self.read(move |c| pages::by_id(c, index, &ids)).await
    }

    async fn save_pages(
        &self,
        pages: &[PageRecord],
        wanted: &[Wanted],
        bodies: Vec<CachedBody>,
    ) -> StoreResult<()> {
        let now = self.now();
        let (pages, wanted) = (pages.to_vec(), wanted.to_vec());
        // Packed before the writer's gate, so that nobody waits for it; each is dropped when it is packed.
        let packed: Vec<BodyRow> = if bodies.is_empty() {
            Vec::new()
        } else {
            blocking(move || {
                let mut packer = Packer::new();
                let rows = bodies.into_iter();
                Ok(rows.map(|body| BodyRow::pack(&mut packer, body)).collect())
            })
            .await?
        };
        if pages.is_empty() && wanted.is_empty() && packed.is_empty() {
            return Ok(());
        }
        self.write(move |c| pages::save(c, &pages, &wanted, &packed, now))
            .await
    }

    async fn note_section_edits(&self, edits: &[SectionEdit]) -> StoreResult<()> {
        let (edits, now) = (edits.to_vec(), self.now());
        self.write(move |c| sections::note(c, &edits, now)).await
    }

    async fn briefs(&self, index: IndexId, space: &SpaceId) -> StoreResult<Vec<PageBrief>> {
        let space = space.clone();
        self.read(move |c| pages::briefs(c, index, &space)).await
    }

    async fn pages_in_states(
        &self,
        index: IndexId,
        states: &[PageState],
        after: Option<&PageId>,
        limit: usize,
    ) -> StoreResult<Vec<PageId>> {
        let (states, after) = (states.to_vec(), after.cloned());
        self.read(move |c| pages::in_states(c, index, &states, after.as_ref(), limit))
            .await
    }

    async fn unsettled_pages(&self, index: IndexId) -> StoreResult<(i64, i64)> {
        self.read(move |c| listing::unsettled(c, index)).await
    }

    async fn pages_needing_body(
        &self,
        index: IndexId,
        now: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<(PageId, ContentKind)>> {
        self.read(move |c| pages::needing_body(c, index, now, limit))
            .await
    }

    async fn pages_due(
        &self,
        index: IndexId,
        now: Timestamp,
        after: Option<&PageId>,
        limit: usize,
    ) -> StoreResult<Vec<DuePage>> {
        let after = after.cloned();
        self.read(move |c| pages::due(c, index, now, after.as_ref(), limit))
            .await
    }

    async fn record_facts(
        &self,
        index: IndexId,
        facts: &[ContentFacts],
    ) -> StoreResult<Vec<PageId>> {
        let (facts, now) = (facts.to_vec(), self.now());
        self.write(move |c| facts::record(c, index, &facts, now))
            .await
    }

    async fn record_space_readers(
        &self,
        space: &SpaceId,
        readers: &BTreeSet<Grantee>,
    ) -> StoreResult<()> {
        let (space, readers, now) = (space.clone(), readers.clone(), self.now());
        self.write(move |c| access::record_space(c, &space, &readers, now))
            .await
    }

    async fn record_group(&self, group: &GroupId, members: &[Member]) -> StoreResult<()> {
        let (group, members, now) = (group.clone(), members.to_vec(), self.now());
        self.write(move |c| access::record_group(c, &group, &members, now))
            .await
    }

    async fn accounts_with_address(&self) -> StoreResult<Vec<AccountId>> {
        self.read(access::accounts_with_address).await
    }

    async fn record_closed_accounts(
        &self,
        asked: &[AccountId],
        closed: &HashSet<AccountId>,
    ) -> StoreResult<()> {
        let (asked, closed) = (asked.to_vec(), closed.clone());
        self.write(move |c| access::record_closed(c, &asked, &closed))
            .await
    }

    async fn restrictions_were_read(
        &self,
        index: IndexId,
        space: &SpaceId,
        began: Timestamp,
    ) -> StoreResult<()> {
        let space = space.clone();
        self.write(move |c| access::restrictions_read(c, index, &space, began))
            .await
    }

    async fn groups_named(&self, index: IndexId) -> StoreResult<Vec<GroupId>> {
        self.read(move |c| access::groups_named(c, index)).await
    }

    async fn stored_pages(&self, index: IndexId) -> StoreResult<i64> {
        self.read(move |c| pages::stored(c, index)).await
    }

    async fn body_briefs(&self, ids: &[PageId]) -> StoreResult<Vec<BodyBrief>> {
        let ids = ids.to_vec();
        self.read(move |c| bodies::briefs(c, &ids)).await
    }

    async fn bodies(&self, ids: &[PageId]) -> StoreResult<Vec<CachedBody>> {
        let ids = ids.to_vec();
        let unpack = |rows: Vec<BodyRow>| rows.into_iter().map(CachedBody::try_from).collect();
        self.read_then(move |c| bodies::get(c, &ids), unpack).await
    }

    async fn titled_and_containers(
        &self,
        index: IndexId,
        titles: &BTreeSet<String>,
    ) -> StoreResult<Vec<(PageId, ContentKind)>> {
        let titles = titles.clone();
        self.read(move |c| links::titled_and_containers(c, index, &titles))
            .await
    }

    async fn find_titles(&self, wanted: &[(SpaceId, String)]) -> StoreResult<Vec<Option<PageId>>> {
        let wanted = wanted.to_vec();
        self.read(move |c| links::by_title(c, &wanted)).await
    }

    async fn naming(&self, index: IndexId, ids: &[PageId]) -> StoreResult<Vec<(PageId, Naming)>> {
        let ids = ids.to_vec();
        self.read(move |c| links::naming(c, index, &ids)).await
    }

    async fn pages_pointing_at(
        &self,
        index: IndexId,
        ids: &BTreeSet<PageId>,
    ) -> StoreResult<Vec<PageId>> {
        let ids = ids.clone();
        self.read(move |c| links::pointing_at(c, index, &ids)).await
    }

    async fn remember_people(&self, people: &[(AccountId, String)]) -> StoreResult<()> {
        let people = people.to_vec();
        self.write(move |c| links::remember_people(c, &people))
            .await
    }

    async fn comment_briefs(&self, ids: &[PageId]) -> StoreResult<Vec<CommentBrief>> {
        let ids = ids.to_vec();
        self.read(move |c| comments::briefs(c, &ids)).await
    }

    async fn comment_briefs_in(
        &self,
        index: IndexId,
        space: &SpaceId,
    ) -> StoreResult<Vec<CommentBrief>> {
        let space = space.clone();
        self.read(move |c| comments::briefs_in(c, index, &space))
            .await
    }

    async fn missed_comments(
        &self,
        index: IndexId,
        before: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<CommentBrief>> {
        self.read(move |c| comments::missed(c, index, before, limit))
            .await
    }

    async fn save_comments(&self, comments: &[CachedComment], gone: &[PageId]) -> StoreResult<()> {
        if comments.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let (kept, gone) = (comments.to_vec(), gone.to_vec());
        // Packed before the writer's gate, so that nobody waits for it.
        let packed: Vec<CommentRow> = blocking(move || {
            let mut packer = Packer::new();
            let rows = kept.iter().map(|c| CommentRow::pack(&mut packer, c));
            Ok(rows.collect())
        })
        .await?;
        self.write(move |c| comments::save(c, &packed, &gone)).await
    }

    async fn mark_comments_absent(
        &self,
        ids: &[PageId],
        since: Option<Timestamp>,
    ) -> StoreResult<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids = ids.to_vec();
        self.write(move |c| comments::mark_absent(c, &ids, since))
            .await
    }

    async fn pages_with_comments(
        &self,
        index: IndexId,
        after: Option<&PageId>,
        limit: usize,
    ) -> StoreResult<Vec<PageId>> {
        let after = after.cloned();
        self.read(move |c| comments::pages_with(c, index, after.as_ref(), limit))
            .await
    }

    async fn stranded_attachments(
        &self,
        index: IndexId,
        after: Option<&PageId>,
        limit: usize,
    ) -> StoreResult<Vec<PageId>> {
        let after = after.cloned();
        self.read(move |c| attachments::stranded(c, index, after.as_ref(), limit))
            .await
    }

    async fn attachments_left_behind(
        &self,
        index: IndexId,
        space: &SpaceId,
        limit: usize,
    ) -> StoreResult<Vec<PageId>> {
        let space = space.clone();
        self.read(move |c| attachments::left_behind(c, index, &space, limit))
            .await
    }

    async fn change_holdings(
        &self,
        object: ObjectId,
        changes: &[HoldingChange],
    ) -> StoreResult<Vec<bool>> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let (changes, now) = (changes.to_vec(), self.now());
        self.write(move |c| holdings::change(c, object, &changes, now))
            .await
    }

    async fn holdings_due(
        &self,
        object: ObjectId,
        now: Timestamp,
        began: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<OpenHolding>> {
        self.read(move |c| holdings::due(c, object, (now, began), limit))
            .await
    }

    async fn holdings_accepted(
        &self,
        object: ObjectId,
        limit: usize,
    ) -> StoreResult<Vec<OpenHolding>> {
        self.read(move |c| holdings::accepted(c, object, limit))
            .await
    }

    async fn holdings(
        &self,
        object: ObjectId,
        after: Option<&PageId>,
        limit: usize,
    ) -> StoreResult<Vec<OpenHolding>> {
        let after = after.cloned();
        self.read(move |c| holdings::all(c, object, after.as_ref(), limit))
            .await
    }

    async fn open_holdings(&self, object: ObjectId) -> StoreResult<OpenCounts> {
        self.read(move |c| holdings::counts(c, object)).await
    }

    async fn next_holding_due(&self, object: ObjectId) -> StoreResult<Option<Timestamp>> {
        self.read(move |c| holdings::next_due(c, object)).await
    }

    async fn release_claims(&self, living: &[WorkerId]) -> StoreResult<usize> {
        let (living, now) = (living.to_vec(), self.now());
        self.write(move |c| holdings::release(c, &living, now))
            .await
    }

    async fn stuck_removals(&self, index: IndexId) -> StoreResult<Option<StuckRemovals>> {
        self.read(move |c| holdings::stuck_removals(c, index)).await
    }

    async fn begin_move(&self, index: IndexId, backend: BackendKind) -> StoreResult<MoveBegun> {
        let now = self.now();
        self.write(move |c| objects::begin_move(c, index, backend, now))
            .await
    }

    async fn abandon_move(&self, index: IndexId) -> StoreResult<()> {
        let now = self.now();
        self.write(move |c| objects::abandon(c, index, now)).await
    }

    async fn move_counts(&self, filling: ObjectId) -> StoreResult<MoveCounts> {
        self.read(move |c| objects::move_counts(c, filling)).await
    }

    async fn complete_move(&self, index: IndexId, filling: ObjectId) -> StoreResult<()> {
        let now = self.now();
        self.write(move |c| objects::complete_move(c, index, filling, now))
            .await
    }

    async fn checkpoint(&self, index: IndexId, walk: &str) -> StoreResult<Option<Cursor>> {
        let walk = walk.to_owned();
        self.read(move |c| small::checkpoint(c, index, &walk)).await
    }

    async fn set_checkpoint(
        &self,
        index: IndexId,
        walk: &str,
        cursor: Option<&Cursor>,
    ) -> StoreResult<()> {
        let (walk, cursor, now) = (walk.to_owned(), cursor.cloned(), self.now());
        self.write(move |c| small::set_checkpoint(c, index, &walk, cursor.as_ref(), now))
            .await
    }

    async fn leaving_objects(&self) -> StoreResult<Vec<LeavingObject>> {
        self.read(objects::leaving).await
    }

    async fn settle_leaving(
        &self,
        object: ObjectId,
        retry_at: Option<Timestamp>,
    ) -> StoreResult<()> {
        self.write(move |c| objects::settle_leaving(c, object, retry_at))
            .await
    }

    async fn append_event(&self, event: &NewEvent) -> StoreResult<Event> {
        let (event, now) = (event.clone(), self.now());
        self.write(move |c| events::append(c, event, now)).await
    }

    async fn reset_future_dates(&self, now: Timestamp) -> StoreResult<usize> {
        self.write(move |c| clock::reset_future_dates(c, now)).await
    }

    async fn prune(&self, before: Timestamp) -> StoreResult<()> {
        prune::everything(self, before).await
    }
}
