//! Questions that found little.

use std::collections::BTreeSet;

use diesel::prelude::*;
use domain::ports::store::Listed;
use domain::questions::{Asked, KEPT, Question};
use domain::{IndexId, Timestamp};

use crate::convert::{db_time, limit, rows};
use crate::cursor;
use crate::dialect::{self, Conn};
use crate::error::{Done, not_found};
use crate::rows::QuestionRow;
use crate::schema::{indexes, questions};

const LIST: &str = "questions";

/// Counts what was asked into the lists; of each index those asked last stay. Indexes that are gone are passed over.
pub(crate) fn put(conn: &mut Conn, asked: &[Asked]) -> Done<()> {
    let named: BTreeSet<String> = asked.iter().map(|asked| asked.index.to_string()).collect();
    let living: Vec<String> = indexes::table
        .filter(indexes::id.eq_any(&named))
        .select(indexes::id)
        .load(conn)?;
    let rows: Vec<QuestionRow> = asked
        .iter()
        .map(QuestionRow::from)
        .filter(|row| living.contains(&row.index_id))
        .collect();
    dialect::put_questions(conn, &rows)?;
    for index in &living {
        let of_index = questions::table.filter(questions::index_id.eq(index));
        let oldest_kept = i64::try_from(KEPT).unwrap_or(i64::MAX);
        let left_out: Vec<String> = of_index
            .order((questions::last_asked_at.desc(), questions::id.desc()))
            .select(questions::id)
            .offset(oldest_kept)
            .limit(i64::MAX)
            .load(conn)?;
        for ids in left_out.chunks(dialect::IDS) {
            diesel::delete(of_index.filter(questions::id.eq_any(ids))).execute(conn)?;
        }
    }
    Ok(())
}

/// Those of an index, asked last first.
pub(crate) fn of_index(
    conn: &mut Conn,
    index: IndexId,
    after: Option<&str>,
    asked: usize,
) -> Done<Listed<Question>> {
    let limit = limit(asked);
    let mut query = questions::table
        .filter(questions::index_id.eq(index.to_string()))
        .order((questions::last_asked_at.desc(), questions::id.desc()))
        .select(QuestionRow::as_select())
        .limit(rows(limit + 1))
        .into_boxed();
    if let Some(after) = after {
        let [time, id] = cursor::decode(LIST, after)?;
        let time = cursor::read_time(&time)?;
        let earlier = questions::last_asked_at.lt(time);
        let same = questions::last_asked_at.eq(time).and(questions::id.lt(id));
        query = query.filter(earlier.or(same));
    }
    let mut found: Vec<QuestionRow> = query.load(conn)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found
        .last()
        .filter(|_| more)
        .map(|last| cursor::encode(LIST, [&cursor::time_part(last.last_asked_at), &last.id]));
    let items = found.into_iter().map(Question::try_from);
    Ok(Listed {
        items: items.collect::<Done<_>>()?,
        next_cursor,
    })
}

/// Forgets one of an index, or all of them.
pub(crate) fn delete(conn: &mut Conn, index: IndexId, id: Option<&str>) -> Done<()> {
    let of_index = questions::table.filter(questions::index_id.eq(index.to_string()));
    let Some(id) = id else {
        diesel::delete(of_index).execute(conn)?;
        return Ok(());
    };
    match diesel::delete(of_index.filter(questions::id.eq(id))).execute(conn)? {
        0 => Err(not_found(format!("question {id} of index {index}")).into()),
        _ => Ok(()),
    }
}

/// Forgets what was asked last before a moment. An index has few.
pub(crate) fn prune(conn: &mut Conn, before: Timestamp) -> Done<()> {
    let old = questions::table.filter(questions::last_asked_at.lt(db_time(before)));
    diesel::delete(old).execute(conn)?;
    Ok(())
}
