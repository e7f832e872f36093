//! The steps of a run:
//!
//! 1. Who are we, and which spaces does the account see.
//! 2. What is kept is put right: what the administrator does not want any more leaves, what an older converter made is made anew.
//! 3. What Confluence lists: of a poll what is new, of a sweep everything, space by space ([`super::ask`]).
//! 4. Labels and restrictions of that; pages that a sweep did not name are asked for. Meanwhile what can be decided is decided.
//! 5. Texts of what is new: fetched, converted, kept ([`super::text`]).
//! 6. What the store is to hold of each page ([`super::decide`]).
//! 7. What leaves, if the guard lets it go.
//! 8. The run ends when the upload worker, at work since step 2, has seen everything to its end ([`super::uploading`]); its row and
//!    its index say how ([`super::finish`]).
//!
//! A dry run is all of this over a copy of the database ([`super::dry`]); the run of a move is step 8 alone over another object
//! ([`super::moving`]).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use domain::SpaceId;
use domain::index::Remote;
use domain::ports::store::{IndexState, StoreError};
use domain::run::{Run, RunKind, RunStatus};
use tokio::sync::Semaphore;

use super::context::RunParts;
use super::decide::{files, links, reconcile, vanish};
use super::execution::{Ended, Execution};
use super::heartbeat::Heartbeat;
use super::spaces::{self, SpacesBefore};
use super::text::convert::Links;
use super::text::{self, bodies, reconvert};
use super::uploading::{Target, while_uploading};
use super::{RunCtx, audit, delta, dry, finish, moving, object, sweep};
use crate::fetcher::Fetchers;
use crate::shared::Shared;
use crate::stop::{RunError, Stop};

/// Works on an open run until it is over.
pub(crate) async fn execute(
    shared: Arc<Shared>,
    run: Run,
    stop: Stop,
    credits: Arc<Semaphore>,
) -> Result<Ended, StoreError> {
    shared.correct_clock_skew().await?;
    let state = shared.store.index_state(run.index_id).await?;
    let run = match shared.store.start_run(run.id).await {
        Ok(run) => run,
        // Begun in an earlier execution, or to be canceled before it began.
        Err(StoreError::Conflict { .. }) => match shared.store.open_run_of(run.index_id).await? {
            Some(run) => run,
            None => return Ok(Ended::Over),
        },
        Err(error) => return Err(error),
    };
    if run.status == RunStatus::Canceling {
        stop.cancel();
    }
    tracing::info!(index = %run.index_id, name = %state.index.settings.name, run = %run.id, kind = run.kind.as_str(), dry_run = run.dry_run, "a run begins");
    shared.hub.run_started(&run).await;
    shared.fail_point("after_run_started");

    let counters = match run.dry_run {
        // It begins anew, since nothing of it was kept.
        true => Arc::default(),
        false => shared.counters_of(&run),
    };
    let source = Fetchers::new(
        Arc::clone(&shared.source),
        Arc::clone(&shared.fetchers),
        credits,
        Arc::clone(&shared.texts),
        Arc::clone(&counters),
        stop.clone(),
    );
    let mut execution = Execution {
        before: state.clone(),
        shared,
        run,
        counters,
        stop,
        ctx: None,
        rehearsed: None,
        move_blocked_because: None,
    };
    let mut heartbeat = Heartbeat::new(&execution);
    let outcome = tokio::select! {
        biased;
        outcome = execution.work(state, source) => outcome,
        () = heartbeat.go_on() => Err(RunError::Stopped),
    };
    if outcome.is_ok() {
        heartbeat.learn();
    }
    finish::finish(execution, outcome).await
}

impl Execution {
    async fn work(&mut self, mut state: IndexState, source: Fetchers) -> Result<(), RunError> {
        self.stop.check()?;
        let started_at = self.shared.now();
        if self.run.dry_run {
            let mut rehearsal = dry::set_up(self).await?;
            let state = rehearsal.execution.before.clone();
            // What ends a run early ends its rehearsal in the same way.
            Box::pin(rehearsal.execution.work(state, source)).await?;
            self.rehearsed = Some(rehearsal.found(self).await?);
            return Ok(());
        }
        if self.run.kind == RunKind::Move {
            return self.carry_move_on(state, source).await;
        }
        let spaces_before = spaces::look_up(&self.shared, &source, &mut state).await?;
        let ctx = Arc::new(RunCtx::new(RunParts {
            link_spaces: link_spaces(&self.shared).await?,
            cached_spaces: cached_spaces(&self.shared, &state).await?,
            spaces_before,
            stored_before: self.shared.store.stored_pages(self.run.index_id).await?,
            shared: Arc::clone(&self.shared),
            run: self.run.clone(),
            state,
            counters: Arc::clone(&self.counters),
            source,
            stop: self.stop.clone(),
            started_at,
        }));
        self.ctx = Some(Arc::clone(&ctx));
        let remote = object::ensure(&ctx).await?;
        let target = Target {
            backend: ctx.settings().backend,
            object: ctx.state.serving,
            remote: &remote,
            answers: true,
        };
        while_uploading(&ctx, target, changes(&ctx, &remote)).await
    }

    async fn carry_move_on(&mut self, state: IndexState, source: Fetchers) -> Result<(), RunError> {
        let ctx = Arc::new(RunCtx::new(RunParts {
            link_spaces: HashMap::new(),
            cached_spaces: HashSet::new(),
            spaces_before: SpacesBefore::default(),
            stored_before: 0,
            shared: Arc::clone(&self.shared),
            run: self.run.clone(),
            started_at: self.shared.now(),
            state,
            counters: Arc::clone(&self.counters),
            source,
            stop: self.stop.clone(),
        }));
        self.move_blocked_because = moving::carry_on(&ctx).await?;
        Ok(())
    }
}

/// The steps that change rows, in their order.
async fn changes(ctx: &RunCtx, remote: &Remote) -> Result<(), RunError> {
    let spaces = ctx.visible_spaces();
    ctx.uploads.wake();
    // 2. What the administrator or a better converter changed.
    text::comments::leave_if_unwanted(ctx).await?;
    reconvert::all(ctx).await?;
    if ctx.run.kind.sweeps() {
        vanish::leave_removed_spaces(ctx).await?;
    }
    // 3. and 4. What Confluence lists, and what is known of it.
    match ctx.run.kind {
        RunKind::Delta => delta::delta(ctx, &spaces).await?,
        RunKind::Full => {
            audit::audit(ctx, remote).await?;
            sweep::sweep(ctx, &spaces).await?;
        }
        _ => sweep::sweep(ctx, &spaces).await?,
    }
    ctx.counters.all_listed();
    // 5. Texts.
    bodies::fetch_due(ctx).await?;
    bodies::resolve_links(ctx).await?;
    // 6. What the store is to hold.
    let fresh = ctx.find(|f| std::mem::take(&mut f.fresh_bodies));
    reconcile::these(ctx, &HashSet::new(), &fresh, Links::AsKnown).await?;
    links::settle(ctx).await?;
    // 7. What leaves.
    files::follow(ctx).await?;
    vanish::remove(ctx).await
}

async fn link_spaces(shared: &Shared) -> Result<HashMap<String, SpaceId>, RunError> {
    let spaces = shared.store.known_spaces().await?;
    let aliases = spaces
        .iter()
        .filter_map(|space| Some((space.alias.as_ref()?, &space.id)));
    let keys = spaces.iter().map(|space| (&space.key, &space.id));
    // A body may name a space by either; where one space has the key of another as its alias, the key counts.
    let named = aliases.chain(keys);
    Ok(named
        .map(|(key, id)| (key.to_string(), id.clone()))
        .collect())
}

/// Spaces that another index has synced: their bodies are kept already.
async fn cached_spaces(shared: &Shared, state: &IndexState) -> Result<HashSet<SpaceId>, RunError> {
    let others = shared.store.index_states().await?;
    Ok(others
        .into_iter()
        .filter(|other| other.index.id != state.index.id && other.progress.synced_at.is_some())
        .flat_map(|other| other.index.spaces)
        .filter(|space| space.pages > 0)
        .filter_map(|space| space.id)
        .collect())
}
