//! What indexes are asked on a schedule, and what came of it.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use diesel::prelude::*;
use domain::daily::DailyAt;
use domain::evaluation::{Evaluation, EvaluationResult, Figures, KEPT_RESULTS};
use domain::ports::store::EvaluationEnd;
use domain::{IndexId, Timestamp};

use crate::convert::{db_time, from_json, id, list, opt_time, rows, time, to_json};
use crate::dialect::{self, Conn, on_either};
use crate::error::{Done, Fault, not_found};
use crate::rows::EvaluationRow;
use crate::schema::{evaluation_results, evaluations};

/// Of all questions of a result together.
const ALL: &str = "";

impl TryFrom<EvaluationRow> for Evaluation {
    type Error = Fault;
    fn try_from(row: EvaluationRow) -> Done<Self> {
        let schedule = row.schedule.as_deref();
        Ok(Self {
            index: id("evaluations.index_id", &row.index_id)?,
            questions: row.questions,
            schedule: schedule
                .map(|text| id::<DailyAt>("evaluations.schedule", text))
                .transpose()?,
            set_at: time(row.set_at),
            wanted_at: opt_time(row.wanted_at),
            ran_at: opt_time(row.ran_at),
            error: row.error,
            unknown_pages: list("evaluations.unknown_pages", &row.unknown_pages)?,
            missed: list("evaluations.missed", &row.missed)?,
        })
    }
}

/// All of them: one an index at most.
pub(crate) fn all(conn: &mut Conn) -> Done<Vec<Evaluation>> {
    let found: Vec<EvaluationRow> = evaluations::table
        .order(evaluations::index_id)
        .select(EvaluationRow::as_select())
        .load(conn)?;
    found.into_iter().map(Evaluation::try_from).collect()
}

pub(crate) fn of_index(conn: &mut Conn, index: IndexId) -> Done<Option<Evaluation>> {
    let found = evaluations::table
        .find(index.to_string())
        .select(EvaluationRow::as_select())
        .first(conn)
        .optional()?;
    found.map(Evaluation::try_from).transpose()
}

/// Sets what an index is asked, and that it is asked now.
pub(crate) fn set(
    conn: &mut Conn,
    index: IndexId,
    questions: &str,
    schedule: Option<DailyAt>,
    now: Timestamp,
) -> Done<()> {
    let row = EvaluationRow {
        index_id: index.to_string(),
        questions: questions.to_owned(),
        schedule: schedule.map(|at| at.to_string()),
        set_at: db_time(now),
        wanted_at: Some(db_time(now)),
        ran_at: None,
        error: None,
        unknown_pages: "[]".to_owned(),
        missed: "[]".to_owned(),
    };
    dialect::put_evaluation(conn, &row)
}

/// Notes that somebody wants an index asked now.
pub(crate) fn want(conn: &mut Conn, index: IndexId, now: Timestamp) -> Done<()> {
    let row = evaluations::table.find(index.to_string());
    let changed = diesel::update(row)
        .set(evaluations::wanted_at.eq(db_time(now)))
        .execute(conn)?;
    found(index, changed)
}

/// Forgets what an index is asked, with all that came of it.
pub(crate) fn delete(conn: &mut Conn, index: IndexId) -> Done<()> {
    let gone = diesel::delete(evaluations::table.find(index.to_string())).execute(conn)?;
    found(index, gone)
}

fn found(index: IndexId, rows: usize) -> Done<()> {
    match rows {
        0 => Err(not_found(format!("evaluation of index {index}")).into()),
        _ => Ok(()),
    }
}

/// Notes what came of asking, unless other questions were set meanwhile.
pub(crate) fn end(
    conn: &mut Conn,
    evaluation: (IndexId, Timestamp),
    end: &EvaluationEnd,
    now: Timestamp,
) -> Done<()> {
    let (index, set_at) = evaluation;
    let index = index.to_string();
    let same = evaluations::table
        .find(&index)
        .filter(evaluations::set_at.eq(db_time(set_at)));
    let (error, unknown, missed) = match end {
        EvaluationEnd::Failed(error) => (Some(error.as_str()), &[][..], &[][..]),
        EvaluationEnd::Told {
            unknown_pages,
            missed,
            ..
        } => (None, unknown_pages.as_slice(), missed.as_slice()),
    };
    let changed = diesel::update(same)
        .set((
            evaluations::ran_at.eq(db_time(now)),
            evaluations::wanted_at.eq(None::<NaiveDateTime>),
            evaluations::error.eq(error),
            evaluations::unknown_pages.eq(to_json(&unknown)),
            evaluations::missed.eq(to_json(&missed)),
        ))
        .execute(conn)?;
    let EvaluationEnd::Told { all, kinds, .. } = end else {
        return Ok(());
    };
    if changed == 0 {
        return Ok(());
    }
    let of_kinds = kinds.iter().map(|(kind, figures)| (kind.as_str(), figures));
    let rows: Vec<_> = std::iter::once((ALL, all))
        .chain(of_kinds)
        .map(|(kind, figures)| {
            (
                evaluation_results::index_id.eq(&index),
                evaluation_results::at.eq(db_time(now)),
                evaluation_results::kind.eq(kind),
                evaluation_results::figures.eq(to_json(figures)),
            )
        })
        .collect();
    on_either!(conn => diesel::insert_into(evaluation_results::table).values(rows).execute(conn))?;
    let of_index = evaluation_results::table.filter(evaluation_results::index_id.eq(&index));
    let newest_left_out: Option<NaiveDateTime> = of_index
        .filter(evaluation_results::kind.eq(ALL))
        .order(evaluation_results::at.desc())
        .select(evaluation_results::at)
        .offset(i64::try_from(KEPT_RESULTS).unwrap_or(i64::MAX))
        .first(conn)
        .optional()?;
    if let Some(at) = newest_left_out {
        diesel::delete(of_index.filter(evaluation_results::at.le(at))).execute(conn)?;
    }
    Ok(())
}

/// Results of an index, the newest first.
pub(crate) fn results(
    conn: &mut Conn,
    index: IndexId,
    limit: usize,
) -> Done<Vec<EvaluationResult>> {
    let of_index =
        || evaluation_results::table.filter(evaluation_results::index_id.eq(index.to_string()));
    let times: Vec<NaiveDateTime> = of_index()
        .filter(evaluation_results::kind.eq(ALL))
        .order(evaluation_results::at.desc())
        .select(evaluation_results::at)
        .limit(rows(limit))
        .load(conn)?;
    let Some(oldest) = times.last() else {
        return Ok(Vec::new());
    };
    let found: Vec<(NaiveDateTime, String, String)> = of_index()
        .filter(evaluation_results::at.ge(oldest))
        .select((
            evaluation_results::at,
            evaluation_results::kind,
            evaluation_results::figures,
        ))
        .load(conn)?;
    let mut by_time: BTreeMap<NaiveDateTime, BTreeMap<String, Figures>> = BTreeMap::new();
    for (at, kind, figures) in found {
        let figures = from_json("evaluation_results.figures", &figures)?;
        by_time.entry(at).or_default().insert(kind, figures);
    }
    let results = by_time.into_iter().rev().filter_map(|(at, mut kinds)| {
        Some(EvaluationResult {
            at: time(at),
            all: kinds.remove(ALL)?,
            kinds,
        })
    });
    Ok(results.collect())
}
