//! `sync`: runs in sight, with a bar each and a table at the end.

use std::time::Duration;

use actors::SyncOrder;
use clap::Args;
use domain::RunId;
use domain::index::Index;
use domain::run::{Run, RunKind, RunStatus};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::engine_or_service::{EngineOrService, indexes};
use super::table::table;
use super::{
    CliError, CliResult, DONE, FAILED, NEEDS_CONFIRMATION, PARTIAL, Which, quiet_settings,
};
use crate::settings::Need;
use crate::shutdown::{INTERRUPTED, Signals};
use crate::wiring::open_store;

/// How often counters are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long canceled runs may take to settle.
const SETTLE: Duration = Duration::from_secs(8);

#[derive(Args, Debug)]
pub(super) struct SyncArgs {
    #[command(flatten)]
    which: Which,
    /// Also re-check every version and label by id.
    #[arg(long)]
    full: bool,
    /// Only look, and say what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Fill the store anew from what is kept, without asking Confluence: to follow a changed LLAMA_CLOUD_INDEX_API or SEARCH_LANGUAGE, or to
    /// make good what was lost. What answers now does so until that is done.
    #[arg(long, conflicts_with_all = ["full", "dry_run"])]
    rebuild: bool,
}

pub(super) async fn run(args: &SyncArgs, signals: &mut Signals) -> CliResult {
    let settings = quiet_settings(Need::Confluence)?;
    let store = open_store(&settings)?;
    let wanted = indexes(&store, &args.which).await?;
    if wanted.is_empty() {
        return Err(CliError::failed(
            "there is no index to sync; POST /api/indexes/ of the service creates one",
        ));
    }
    drop(store);
    let through = tokio::select! {
        found = EngineOrService::find(&settings) => found?,
        signal = signals.next() => return Ok(signal.code_of_what_it_cut()),
    };
    let order = SyncOrder {
        full: args.full.then_some(true),
        dry_run: args.dry_run,
    };
    let outcome = follow(&through, wanted, order, args.rebuild, signals).await;
    through.stop().await;
    outcome
}

/// One index being synced.
struct Followed {
    index: Index,
    run: Run,
    /// The order was queued behind `run`, and is followed after it.
    queued: bool,
    bar: ProgressBar,
}

impl Followed {
    /// The run that carries the order on when the one followed so far is over: the one that was queued, or the one that
    /// goes on after the service was restarted.
    fn next(&self) -> Option<RunId> {
        let goes_on = self.queued || self.run.status == RunStatus::Interrupted;
        self.run.follow_up_run_id.filter(|_| goes_on)
    }
}

async fn follow(
    through: &EngineOrService,
    wanted: Vec<Index>,
    order: SyncOrder,
    rebuild: bool,
    signals: &mut Signals,
) -> CliResult {
    let bars = MultiProgress::new();
    let style = ProgressStyle::with_template("{prefix:24!} [{bar:30}] {pos}/{len} {msg}")
        .map_err(CliError::failed)?
        .progress_chars("=> ");
    let mut followed = Vec::new();
    for index in wanted {
        let run = if rebuild {
            through.rebuild(&index).await?
        } else {
            through.sync(index.id, order).await?
        };
        let bar = bars.add(ProgressBar::new(0).with_style(style.clone()));
        bar.set_prefix(index.settings.name.clone());
        followed.push(Followed {
            index,
            queued: run.queued,
            run,
            bar,
        });
    }
    let interrupted = tokio::select! {
        result = until_done(through, &mut followed, rebuild) => {
            result?;
            false
        }
        _ = signals.next() => true,
    };
    if interrupted {
        eprintln!("Canceling; work in flight settles.");
        for one in followed.iter().filter(|one| one.run.status.is_open()) {
            // A run that just ended needs no canceling.
            let _ = through.cancel(&one.run).await;
        }
        let _ = tokio::time::timeout(SETTLE, until_over(through, &mut followed)).await;
    }
    for one in &followed {
        one.bar.finish_and_clear();
    }
    super::print(&summary(&followed));
    Ok(if interrupted {
        INTERRUPTED
    } else {
        exit_code(followed.iter().map(|one| one.run.status))
    })
}

/// Waits for the runs; where a rebuild had to wait for another run, for the run that carries it out as well.
async fn until_done(
    through: &EngineOrService,
    followed: &mut [Followed],
    rebuild: bool,
) -> Result<(), CliError> {
    until_over(through, followed).await?;
    let mut waited = false;
    for one in followed
        .iter_mut()
        .filter(|one| rebuild && one.run.kind != RunKind::Move)
    {
        if let Some(run) = through.newest_run(one.index.id).await? {
            one.run = run;
            waited = true;
        }
    }
    if waited {
        until_over(through, followed).await?;
    }
    Ok(())
}

async fn until_over(through: &EngineOrService, followed: &mut [Followed]) -> Result<(), CliError> {
    loop {
        let mut open = false;
        for one in followed.iter_mut().filter(|one| one.run.status.is_open()) {
            one.run = through.run(one.index.id, one.run.id).await?;
            if let Some(next) = one.next() {
                one.run = through.run(one.index.id, next).await?;
                one.queued &= one.run.queued;
            }
            show(one);
            open |= one.run.status.is_open();
        }
        if !open {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn show(one: &Followed) {
    let counts = &one.run.counts;
    let done = counts.searchable + counts.unchanged + counts.skipped + counts.failed;
    one.bar
        .set_length(u64::try_from(counts.seen.max(done)).unwrap_or(0));
    one.bar.set_position(u64::try_from(done).unwrap_or(0));
    let eta = one
        .run
        .eta_seconds
        .map(|eta| format!(", about {eta} s more"))
        .unwrap_or_default();
    one.bar.set_message(format!(
        "{} fetched, {} uploaded, {} failed{eta}",
        counts.fetched, counts.uploaded, counts.failed
    ));
}

/// The worst outcome decides: failed, then waiting, then partial.
fn exit_code(statuses: impl Iterator<Item = RunStatus>) -> u8 {
    let code = |status| match status {
        RunStatus::Succeeded => (0, DONE),
        RunStatus::Partial => (1, PARTIAL),
        RunStatus::NeedsConfirmation => (2, NEEDS_CONFIRMATION),
        RunStatus::Canceled | RunStatus::Canceling => (3, INTERRUPTED),
        RunStatus::Failed | RunStatus::Interrupted | RunStatus::Pending | RunStatus::Running => {
            (4, FAILED)
        }
    };
    statuses.map(code).max().map_or(DONE, |(_, code)| code)
}

fn summary(followed: &[Followed]) -> String {
    let planned = followed.iter().any(|one| one.run.plan.is_some());
    let mut rows = Vec::new();
    for one in followed {
        let run = &one.run;
        let seconds = match (run.started_at, run.finished_at) {
            (Some(from), Some(to)) => format!("{:.1}", (to - from).as_seconds_f64()),
            _ => String::new(),
        };
        let mut row = vec![
            one.index.settings.agent_id.to_string(),
            run.kind.as_str().to_owned(),
            run.status.as_str().to_owned(),
        ];
        if planned {
            let plan = run.plan.clone().unwrap_or_default();
            row.extend(
                [
                    plan.add,
                    plan.update,
                    plan.hide,
                    plan.remove,
                    plan.unchanged,
                    plan.confluence_requests,
                ]
                .map(|n| n.to_string()),
            );
            row.push(plan.cost.as_ref().map_or_else(
                || "-".to_owned(),
                |cost| format!("{:.0} credits, ${:.2}", cost.credits, cost.dollars),
            ));
        } else {
            let c = &run.counts;
            row.extend(
                [
                    c.seen,
                    c.fetched,
                    c.searchable,
                    c.deleted,
                    c.unchanged,
                    c.skipped,
                    c.failed,
                    run.requests.confluence,
                ]
                .map(|n| n.to_string()),
            );
        }
        row.push(seconds);
        rows.push(row);
    }
    let headings: &[&str] = if planned {
        &[
            "agent",
            "kind",
            "status",
            "add",
            "update",
            "hide",
            "remove",
            "unchanged",
            "requests",
            "cost, about",
            "seconds",
        ]
    } else {
        &[
            "agent",
            "kind",
            "status",
            "seen",
            "fetched",
            "searchable",
            "deleted",
            "unchanged",
            "skipped",
            "failed",
            "requests",
            "seconds",
        ]
    };
    let mut text = table(headings, &rows);
    for one in followed {
        if let Some(cost) = one.run.plan.as_ref().and_then(|plan| plan.cost.as_ref()) {
            text.push_str(&format!(
                "\n{}: prices of {}, {}: {}",
                one.index.settings.agent_id, cost.prices_as_of, cost.product, cost.basis
            ));
        }
        if let Some(embeddings) = one
            .run
            .plan
            .as_ref()
            .and_then(|plan| plan.embeddings.as_ref())
        {
            text.push_str(&format!(
                "\n{}: {} passages to embed by {}, in {} requests",
                one.index.settings.agent_id,
                embeddings.passages,
                embeddings.model,
                embeddings.requests
            ));
        }
        if let Some(error) = &one.run.error {
            text.push_str(&format!(
                "\n{}: {}",
                one.index.settings.agent_id, error.detail
            ));
        }
        if one.run.status == RunStatus::NeedsConfirmation {
            text.push_str(&format!(
                "\n{}: too many pages would go; answer with POST /api/runs/{}/confirm",
                one.index.settings.agent_id, one.run.id
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_outcome_decides() {
        use RunStatus::{Canceled, Failed, NeedsConfirmation, Partial, Succeeded};
        for (statuses, code) in [
            (vec![Succeeded], 0),
            (vec![Succeeded, Partial], 3),
            (vec![NeedsConfirmation, Partial], 4),
            (vec![Failed, NeedsConfirmation], 1),
            (vec![Canceled, Succeeded], 130),
        ] {
            assert_eq!(
                exit_code(statuses.clone().into_iter()),
                code,
                "{statuses:?}"
            );
        }
    }
}
