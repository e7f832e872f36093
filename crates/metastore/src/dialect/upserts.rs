//! Rows that are put in the place of what was there under their key, and rows by the batch: each is written once and compiled for
//! each database, since neither `ON CONFLICT` nor several rows in one statement exist on a connection that may be either.

use std::collections::HashSet;
use std::hash::Hash;

use diesel::prelude::*;
use diesel::upsert::excluded;

use super::{Conn, on_either};
use crate::error::Done;
use crate::rows::{
    BodyRow, CommentRow, EvaluationRow, HoldingRow, PageRow, QuestionRow, RunPageRow, SpaceRow,
};
use crate::schema::{
    bodies, checkpoints, comments, evaluations, holdings, index_spaces, member_emails, people,
    questions, read_groups, read_restrictions, remembered, run_pages, section_edits, space_readers,
    synced_pages, told,
};

/// Rows in one statement: many enough that its parsing does not count, few enough for SQLite's 32,766 variables.
const BATCH: usize = 100;

/// The rows in statements of [`BATCH`] at most, none with two rows of one key: SQLite would take the later one, PostgreSQL refuses
/// the statement.
fn batches<'a, R, K: Eq + Hash>(rows: &'a [R], key: impl Fn(&'a R) -> K) -> Vec<&'a [R]> {
    let (mut batches, mut begin, mut seen) = (Vec::new(), 0, HashSet::new());
    for (at, row) in rows.iter().enumerate() {
        let key = key(row);
        if at - begin == BATCH || seen.contains(&key) {
            batches.push(&rows[begin..at]);
            begin = at;
            seen.clear();
        }
        seen.insert(key);
    }
    if begin < rows.len() {
        batches.push(&rows[begin..]);
    }
    batches
}

/// `column = excluded.column` for a list of columns.
macro_rules! take {
    ($table:ident: $($column:ident),+ $(,)?) => {
        ($($table::$column.eq(excluded($table::$column)),)+)
    };
}

pub(crate) fn put_pages(connection: &mut Conn, rows: &[PageRow]) -> Done<()> {
    for batch in batches(rows, |row| (&row.index_id, &row.page_id)) {
        on_either!(connection => diesel::insert_into(synced_pages::table)
            .values(batch)
            .on_conflict((synced_pages::index_id, synced_pages::page_id))
            .do_update()
            .set(take!(synced_pages:
                kind, status, title, title_lower, space_id, parent_id, parent_kind, version, modified, url, labels,
                restriction, breadcrumb, body_version, markdown_hash, state, reason, attempts, next_try_at,
                seen_in_run, vanished_at, changed_at, comments_hash,
                media_type, file_size, standing, kept, document, links, belongs, lost_reads, readers, guards, guarded,
            ))
            .execute(connection))?;
    }
    Ok(())
}

pub(crate) fn put_holdings(connection: &mut Conn, rows: &[HoldingRow]) -> Done<()> {
    for batch in batches(rows, |row| (row.object_id, &row.page_id)) {
        on_either!(connection => diesel::insert_into(holdings::table)
            .values(batch)
            .on_conflict((holdings::object_id, holdings::page_id))
            .do_update()
            .set(take!(holdings:
                kind, want, have, in_doubt, claimed_by, accepted_at, attempts, failed_at, next_try_at, last_error, since,
                open,
            ))
            .execute(connection))?;
    }
    Ok(())
}

pub(crate) fn put_run_pages(connection: &mut Conn, rows: &[RunPageRow]) -> Done<()> {
    for batch in batches(rows, |row| (&row.run_id, &row.page_id)) {
        on_either!(connection => diesel::insert_into(run_pages::table)
            .values(batch)
            .on_conflict((run_pages::run_id, run_pages::page_id))
            .do_update()
            .set(take!(run_pages: kind, change, reason, title, url))
            .execute(connection))?;
    }
    Ok(())
}

/// One by one: a batch of blobs would be bound by nothing. An older version never replaces a newer one.
pub(crate) fn put_bodies(connection: &mut Conn, rows: &[BodyRow]) -> Done<()> {
    use diesel::query_dsl::methods::FilterDsl as _;
    for row in rows {
        on_either!(connection => diesel::insert_into(bodies::table)
            .values(row)
            .on_conflict((bodies::site_id, bodies::page_id))
            .do_update()
            .set(take!(bodies:
                kind, version, converter, markdown_hash, stored_bytes, text_bytes, markdown, storage, rendered,
            ))
            .filter(bodies::version.le(excluded(bodies::version)))
            .execute(connection))?;
    }
    Ok(())
}

/// An older version never replaces a newer one.
pub(crate) fn put_comments(connection: &mut Conn, rows: &[CommentRow]) -> Done<()> {
    use diesel::query_dsl::methods::FilterDsl as _;
    for row in rows {
        on_either!(connection => diesel::insert_into(comments::table)
            .values(row)
            .on_conflict((comments::site_id, comments::comment_id))
            .do_update()
            .set(take!(comments:
                page_id, parent_id, place, version, modified, author, standing, quoted, url, converter, absent_since,
                markdown, storage,
            ))
            .filter(comments::version.le(excluded(comments::version)))
            .execute(connection))?;
    }
    Ok(())
}

pub(crate) fn put_spaces(connection: &mut Conn, rows: &[SpaceRow]) -> Done<()> {
    for batch in batches(rows, |row| (&row.index_id, &row.space_key)) {
        on_either!(connection => diesel::insert_into(index_spaces::table)
            .values(batch)
            .on_conflict((index_spaces::index_id, index_spaces::space_key))
            .do_update()
            .set(take!(index_spaces:
                position, space_id, current_key, alias, name, url, state, reason, last_sync_at,
            ))
            .execute(connection))?;
    }
    Ok(())
}

pub(crate) fn put_person(connection: &mut Conn, account: &str, name: &str) -> Done<()> {
    on_either!(connection => diesel::insert_into(people::table)
        .values((
            people::account_id.eq(account),
            people::display_name.eq(name),
        ))
        .on_conflict((people::site_id, people::account_id))
        .do_update()
        .set(take!(people: display_name))
        .execute(connection))?;
    Ok(())
}

pub(crate) fn put_checkpoint(
    connection: &mut Conn,
    index: &str,
    walk: &str,
    cursor: &str,
    now: chrono::NaiveDateTime,
) -> Done<()> {
    on_either!(connection => diesel::insert_into(checkpoints::table)
        .values((
            checkpoints::index_id.eq(index),
            checkpoints::walk.eq(walk),
            checkpoints::cursor.eq(cursor),
            checkpoints::updated_at.eq(now),
        ))
        .on_conflict((checkpoints::index_id, checkpoints::walk))
        .do_update()
        .set(take!(checkpoints: cursor, updated_at))
        .execute(connection))?;
    Ok(())
}

pub(crate) fn put_remembered(connection: &mut Conn, name: &str, value: &str) -> Done<()> {
    on_either!(connection => diesel::insert_into(remembered::table)
        .values((remembered::name.eq(name), remembered::value.eq(value)))
        .on_conflict(remembered::name)
        .do_update()
        .set(take!(remembered: value))
        .execute(connection))?;
    Ok(())
}

pub(crate) fn put_told(connection: &mut Conn, index: &str, state: &str) -> Done<()> {
    on_either!(connection => diesel::insert_into(told::table)
        .values((told::index_id.eq(index), told::state.eq(state)))
        .on_conflict(told::index_id)
        .do_update()
        .set(take!(told: state))
        .execute(connection))?;
    Ok(())
}

/// What came of the questions before stays in the history; what is told of the last time goes.
pub(crate) fn put_evaluation(connection: &mut Conn, row: &EvaluationRow) -> Done<()> {
    on_either!(connection => diesel::insert_into(evaluations::table)
        .values(row)
        .on_conflict(evaluations::index_id)
        .do_update()
        .set(take!(evaluations:
            questions, schedule, set_at, wanted_at, ran_at, error, unknown_pages, missed,
        ))
        .execute(connection))?;
    Ok(())
}

/// Times are added up; the wording stays that of the first time.
pub(crate) fn put_questions(connection: &mut Conn, rows: &[QuestionRow]) -> Done<()> {
    for batch in batches(rows, |row| (&row.index_id, &row.id)) {
        on_either!(connection => diesel::insert_into(questions::table)
            .values(batch)
            .on_conflict((questions::index_id, questions::id))
            .do_update()
            .set((
                questions::times.eq(questions::times + excluded(questions::times)),
                take!(questions: last_asked_at, found, unknown_words),
            ))
            .execute(connection))?;
    }
    Ok(())
}

pub(crate) fn put_section_edit(
    connection: &mut Conn,
    (site, page): (i32, &str),
    version: i32,
    changes: &str,
    now: chrono::NaiveDateTime,
) -> Done<()> {
    on_either!(connection => diesel::insert_into(section_edits::table)
        .values((
            section_edits::site_id.eq(site),
            section_edits::page_id.eq(page),
            section_edits::version.eq(version),
            section_edits::at.eq(now),
            section_edits::changes.eq(changes),
        ))
        .on_conflict((
            section_edits::site_id,
            section_edits::page_id,
            section_edits::version,
        ))
        .do_update()
        .set(take!(section_edits: at, changes))
        .execute(connection))?;
    Ok(())
}

pub(crate) fn put_space_readers(
    connection: &mut Conn,
    (site, space): (i32, &str),
    readers: &str,
    now: chrono::NaiveDateTime,
) -> Done<()> {
    on_either!(connection => diesel::insert_into(space_readers::table)
        .values((
            space_readers::site_id.eq(site),
            space_readers::space_id.eq(space),
            space_readers::readers.eq(readers),
            space_readers::read_at.eq(now),
        ))
        .on_conflict((space_readers::site_id, space_readers::space_id))
        .do_update()
        .set(take!(space_readers: readers, read_at))
        .execute(connection))?;
    Ok(())
}

pub(crate) fn put_read_group(
    connection: &mut Conn,
    (site, group): (i32, &str),
    now: chrono::NaiveDateTime,
) -> Done<()> {
    on_either!(connection => diesel::insert_into(read_groups::table)
        .values((
            read_groups::site_id.eq(site),
            read_groups::group_id.eq(group),
            read_groups::read_at.eq(now),
        ))
        .on_conflict((read_groups::site_id, read_groups::group_id))
        .do_update()
        .set(take!(read_groups: read_at))
        .execute(connection))?;
    Ok(())
}

/// Of a member who shows no address none is kept.
pub(crate) fn put_member_email(
    connection: &mut Conn,
    site: i32,
    account: &str,
    email: Option<&domain::access::Email>,
) -> Done<()> {
    let Some(email) = email else {
        diesel::delete(member_emails::table.find((site, account))).execute(connection)?;
        return Ok(());
    };
    on_either!(connection => diesel::insert_into(member_emails::table)
        .values((
            member_emails::site_id.eq(site),
            member_emails::account_id.eq(account),
            member_emails::email.eq(email.as_str()),
        ))
        .on_conflict((member_emails::site_id, member_emails::account_id))
        .do_update()
        .set(take!(member_emails: email))
        .execute(connection))?;
    Ok(())
}

pub(crate) fn put_read_restrictions(
    connection: &mut Conn,
    index: &str,
    space: &str,
    began: chrono::NaiveDateTime,
) -> Done<()> {
    on_either!(connection => diesel::insert_into(read_restrictions::table)
        .values((
            read_restrictions::index_id.eq(index),
            read_restrictions::space_id.eq(space),
            read_restrictions::read_at.eq(began),
        ))
        .on_conflict((read_restrictions::index_id, read_restrictions::space_id))
        .do_update()
        .set(take!(read_restrictions: read_at))
        .execute(connection))?;
    Ok(())
}
