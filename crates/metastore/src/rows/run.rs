//! `sync_runs`.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::run::{Counts, Requests, Run, RunKind, RunStatus};
use domain::{IndexId, RunId, Timestamp};

use crate::convert::{db_time, from_json, id, opt_time, word};
use crate::dialect::Db;
use crate::error::{Done, Fault};
use crate::schema::sync_runs;

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = sync_runs, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct RunRow {
    pub id: String,
    pub index_id: String,
    pub kind: String,
    pub status: String,
    pub dry_run: bool,
    pub plan: Option<String>,
    pub follow_up: Option<String>,
    pub created_at: NaiveDateTime,
    pub heartbeat_at: NaiveDateTime,
    pub started_at: Option<NaiveDateTime>,
    pub finished_at: Option<NaiveDateTime>,
    pub seen: i64,
    pub fetched: i64,
    pub uploaded: i64,
    pub searchable: i64,
    pub deleted: i64,
    pub unchanged: i64,
    pub skipped: i64,
    pub failed: i64,
    pub requests_confluence: i64,
    pub requests_store: i64,
    pub eta_seconds: Option<i64>,
    pub error: Option<String>,
    pub follow_up_run_id: Option<String>,
}

impl RunRow {
    /// A run that is recorded now.
    pub(crate) fn pending(
        id: RunId,
        index: IndexId,
        kind: RunKind,
        dry_run: bool,
        now: Timestamp,
    ) -> Self {
        let now = db_time(now);
        Self {
            id: id.to_string(),
            index_id: index.to_string(),
            kind: kind.as_str().to_owned(),
            status: RunStatus::Pending.as_str().to_owned(),
            dry_run,
            plan: None,
            follow_up: None,
            created_at: now,
            heartbeat_at: now,
            started_at: None,
            finished_at: None,
            seen: 0,
            fetched: 0,
            uploaded: 0,
            searchable: 0,
            deleted: 0,
            unchanged: 0,
            skipped: 0,
            failed: 0,
            requests_confluence: 0,
            requests_store: 0,
            eta_seconds: None,
            error: None,
            follow_up_run_id: None,
        }
    }

    pub(crate) fn status(&self) -> Done<RunStatus> {
        word("sync_runs.status", &self.status, RunStatus::parse)
    }

    pub(crate) fn follow_up(&self) -> Done<Option<RunKind>> {
        self.follow_up
            .as_deref()
            .map(|kind| word("sync_runs.follow_up", kind, RunKind::parse))
            .transpose()
    }
}

impl TryFrom<RunRow> for Run {
    type Error = Fault;
    fn try_from(row: RunRow) -> Done<Self> {
        let run_id = id("sync_runs.id", &row.id)?;
        Ok(Self {
            run_id,
            id: run_id,
            index_id: id("sync_runs.index_id", &row.index_id)?,
            kind: word("sync_runs.kind", &row.kind, RunKind::parse)?,
            status: row.status()?,
            dry_run: row.dry_run,
            plan: row
                .plan
                .map(|plan| from_json("sync_runs.plan", &plan))
                .transpose()?,
            queued: row.follow_up.is_some(),
            follow_up_run_id: row
                .follow_up_run_id
                .map(|run| id("sync_runs.follow_up_run_id", &run))
                .transpose()?,
            started_at: opt_time(row.started_at),
            finished_at: opt_time(row.finished_at),
            counts: Counts {
                seen: row.seen,
                fetched: row.fetched,
                uploaded: row.uploaded,
                searchable: row.searchable,
                deleted: row.deleted,
                unchanged: row.unchanged,
                skipped: row.skipped,
                failed: row.failed,
            },
            requests: Requests {
                confluence: row.requests_confluence,
                store: row.requests_store,
            },
            eta_seconds: row.eta_seconds,
            error: row
                .error
                .map(|error| from_json("sync_runs.error", &error))
                .transpose()?,
        })
    }
}
