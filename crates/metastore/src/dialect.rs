//! Whatever another database would say differently: connection set-up, write transactions, upserts, housekeeping.
//!
//! Everything else in this crate is diesel that both SQLite and PostgreSQL take. A PostgreSQL build would make [`Conn`] its
//! connection and give this module a twin.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::error::{Done, conflict, failed};
use crate::rows::{BodyRow, CommentRow, MovedRow, OutboxRow, PageRow, SpaceRow};
use crate::schema::{
    bodies, checkpoints, comments, index_spaces, move_rows, outbox, people, remembered,
    synced_pages, tombstones,
};

/// The connection.
pub(crate) type Conn = SqliteConnection;
/// Its backend.
pub(crate) type Db = diesel::sqlite::Sqlite;

/// Rows in one statement: many enough that its parsing does not count, few enough for SQLite's 32,766 variables.
const BATCH: usize = 100;
/// Ids in one `IN (…)`.
pub(crate) const IDS: usize = 500;

/// First the time-out, then WAL: the other way round two openers race.
fn common_setup(busy: Duration) -> String {
    format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; \
         PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;",
        busy.as_millis()
    )
}

/// The writer has a cache of 4 MB for its indexes, and folds the log in every 16 MB: a first sync writes much.
pub(crate) fn writer_setup(busy: Duration) -> String {
    format!(
        "{} PRAGMA cache_size = -4000; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 33554432;",
        common_setup(busy)
    )
}

/// Readers keep few pages of their own: what they read again is in the operating system's cache.
pub(crate) fn reader_setup(busy: Duration) -> String {
    format!(
        "{} PRAGMA query_only = ON; PRAGMA cache_size = -1000;",
        common_setup(busy)
    )
}

/// A transaction that has the write lock from its beginning: upgrading a read one fails at once when another wrote meanwhile.
pub(crate) fn write_transaction<T>(
    connection: &mut Conn,
    work: impl FnOnce(&mut Conn) -> Done<T>,
) -> Done<T> {
    connection.immediate_transaction(work)
}

/// `column = excluded.column` for a list of columns.
macro_rules! take {
    ($table:ident: $($column:ident),+ $(,)?) => {
        ($($table::$column.eq(excluded($table::$column)),)+)
    };
}

pub(crate) fn put_pages(connection: &mut Conn, rows: &[PageRow]) -> Done<()> {
    for batch in rows.chunks(BATCH) {
        diesel::insert_into(synced_pages::table)
            .values(batch)
            .on_conflict((synced_pages::index_id, synced_pages::page_id))
            .do_update()
            .set(take!(synced_pages:
                kind, status, title, title_lower, space_id, parent_id, parent_kind, version, modified, url, labels,
                restriction, breadcrumb, body_version, markdown_hash, stored_hash, state, reason, attempts, next_try_at,
                seen_in_run, vanished_at, changed_at, document, comments_hash,
                media_type, file_size, links, belongs,
            ))
            .execute(connection)?;
    }
    Ok(())
}

pub(crate) fn put_outbox(connection: &mut Conn, rows: &[OutboxRow]) -> Done<()> {
    for batch in rows.chunks(BATCH) {
        diesel::insert_into(outbox::table)
            .values(batch)
            .on_conflict((outbox::index_id, outbox::page_id))
            .do_update()
            .set(take!(outbox:
                kind, op, hash, state, accepted_at, attempts, next_attempt_at, last_error, created_at,
            ))
            .execute(connection)?;
    }
    Ok(())
}

/// `refusals` stays: it counts runs, whatever was asked for in each.
pub(crate) fn put_moves(connection: &mut Conn, rows: &[MovedRow]) -> Done<()> {
    for batch in rows.chunks(BATCH) {
        diesel::insert_into(move_rows::table)
            .values(batch)
            .on_conflict((move_rows::index_id, move_rows::page_id))
            .do_update()
            .set(take!(move_rows:
                kind, op, hash, state, accepted_at, attempts, next_attempt_at, last_error,
            ))
            .execute(connection)?;
    }
    Ok(())
}

/// The new object of a move answers from now on. What it finds is what each page is stored as; a page that it failed with
/// says why and is tried again soon; one that it was never asked for is still to be stored. Of the outbox remains what the
/// new object does not hold yet, and what is to be removed from it.
pub(crate) fn take_over_pages(
    connection: &mut Conn,
    index: &str,
    now: chrono::NaiveDateTime,
) -> Done<()> {
    use diesel::sql_types::{Text, Timestamp};
    let statements = [
        "UPDATE synced_pages SET
             stored_hash = m.hash, document = m.hash IS NOT NULL AND p.state NOT IN ('vanishing', 'removed', 'skipped'),
             state = CASE WHEN p.state NOT IN ('uploaded', 'searchable') THEN p.state
                          WHEN m.hash IS NOT NULL THEN 'searchable'
                          WHEN m.failure IS NOT NULL THEN 'failed'
                          ELSE 'pending' END,
             reason = CASE WHEN m.hash IS NULL AND p.state IN ('uploaded', 'searchable') THEN m.failure ELSE p.reason END,
             attempts = CASE WHEN m.failure IS NOT NULL THEN 1 ELSE p.attempts END,
             next_try_at = CASE WHEN m.failure IS NOT NULL THEN ? ELSE p.next_try_at END
         FROM synced_pages AS p LEFT JOIN (
             SELECT page_id, CASE state WHEN 'searchable' THEN hash END AS hash,
                    CASE state WHEN 'failed' THEN COALESCE(last_error, 'the store failed with it') END AS failure
             FROM move_rows WHERE index_id = ? AND op = 'upsert'
         ) AS m ON m.page_id = p.page_id
         WHERE p.index_id = ? AND synced_pages.index_id = p.index_id AND synced_pages.page_id = p.page_id
           AND p.kind <> 'container'",
        "DELETE FROM outbox WHERE index_id = ? AND (op = 'delete' OR EXISTS (
             SELECT 1 FROM move_rows AS m
             WHERE m.index_id = outbox.index_id AND m.page_id = outbox.page_id
               AND m.hash = outbox.hash AND m.state = 'searchable'))",
        "UPDATE outbox SET state = 'waiting', accepted_at = NULL WHERE index_id = ?",
        "INSERT OR IGNORE INTO outbox
             (index_id, page_id, kind, op, hash, state, attempts, next_attempt_at, created_at)
         SELECT index_id, page_id, kind, op, hash, 'waiting', 0, next_attempt_at, next_attempt_at
         FROM move_rows WHERE index_id = ? AND op = 'delete'",
    ];
    diesel::sql_query(statements[0])
        .bind::<Timestamp, _>(now)
        .bind::<Text, _>(index)
        .bind::<Text, _>(index)
        .execute(connection)?;
    for statement in &statements[1..] {
        diesel::sql_query(*statement)
            .bind::<Text, _>(index)
            .execute(connection)?;
    }
    Ok(())
}

/// `columns`: index, backend, object, agent and remote; an older tombstone of the same object is due anew.
pub(crate) fn put_tombstone(
    connection: &mut Conn,
    columns: [&str; 5],
    now: chrono::NaiveDateTime,
) -> Done<()> {
    let [index, backend, object, agent, remote] = columns;
    diesel::insert_into(tombstones::table)
        .values((
            tombstones::index_id.eq(index),
            tombstones::backend.eq(backend),
            tombstones::object.eq(object),
            tombstones::agent_id.eq(agent),
            tombstones::remote.eq(remote),
            tombstones::attempts.eq(0),
            tombstones::next_attempt_at.eq(now),
            tombstones::created_at.eq(now),
        ))
        .on_conflict((
            tombstones::index_id,
            tombstones::backend,
            tombstones::object,
        ))
        .do_update()
        .set(take!(tombstones: agent_id, remote, attempts, next_attempt_at))
        .execute(connection)?;
    Ok(())
}

/// One by one: a batch of blobs would be bound by nothing. An older version never replaces a newer one.
pub(crate) fn put_bodies(connection: &mut Conn, rows: &[BodyRow]) -> Done<()> {
    use diesel::query_dsl::methods::FilterDsl as _;
    for row in rows {
        diesel::insert_into(bodies::table)
            .values(row)
            .on_conflict(bodies::page_id)
            .do_update()
            .set(take!(bodies: kind, version, converter, markdown_hash, stored_bytes, markdown, storage))
            .filter(bodies::version.le(excluded(bodies::version)))
            .execute(connection)?;
    }
    Ok(())
}

/// An older version never replaces a newer one.
pub(crate) fn put_comments(connection: &mut Conn, rows: &[CommentRow]) -> Done<()> {
    use diesel::query_dsl::methods::FilterDsl as _;
    for row in rows {
        diesel::insert_into(comments::table)
            .values(row)
            .on_conflict(comments::comment_id)
            .do_update()
            .set(take!(comments:
                page_id, parent_id, place, version, modified, author, standing, quoted, url, converter, absent_since,
                markdown, storage,
            ))
            .filter(comments::version.le(excluded(comments::version)))
            .execute(connection)?;
    }
    Ok(())
}

pub(crate) fn put_spaces(connection: &mut Conn, rows: &[SpaceRow]) -> Done<()> {
    for batch in rows.chunks(BATCH) {
        diesel::insert_into(index_spaces::table)
            .values(batch)
            .on_conflict((index_spaces::index_id, index_spaces::space_key))
            .do_update()
            .set(take!(index_spaces:
                position, space_id, current_key, name, url, state, reason, last_sync_at,
            ))
            .execute(connection)?;
    }
    Ok(())
}

pub(crate) fn put_person(connection: &mut Conn, account: &str, name: &str) -> Done<()> {
    diesel::insert_into(people::table)
        .values((
            people::account_id.eq(account),
            people::display_name.eq(name),
        ))
        .on_conflict(people::account_id)
        .do_update()
        .set(take!(people: display_name))
        .execute(connection)?;
    Ok(())
}

pub(crate) fn put_checkpoint(
    connection: &mut Conn,
    index: &str,
    walk: &str,
    cursor: &str,
    now: chrono::NaiveDateTime,
) -> Done<()> {
    diesel::insert_into(checkpoints::table)
        .values((
            checkpoints::index_id.eq(index),
            checkpoints::walk.eq(walk),
            checkpoints::cursor.eq(cursor),
            checkpoints::updated_at.eq(now),
        ))
        .on_conflict((checkpoints::index_id, checkpoints::walk))
        .do_update()
        .set(take!(checkpoints: cursor, updated_at))
        .execute(connection)?;
    Ok(())
}

pub(crate) fn put_remembered(connection: &mut Conn, name: &str, value: &str) -> Done<()> {
    diesel::insert_into(remembered::table)
        .values((remembered::name.eq(name), remembered::value.eq(value)))
        .on_conflict(remembered::name)
        .do_update()
        .set(take!(remembered: value))
        .execute(connection)?;
    Ok(())
}

/// Writes a consistent copy of the database into a private file that does not exist yet; when it fails, none is left.
pub(crate) fn copy_into(connection: &mut Conn, file: &Path) -> Done<()> {
    // SQLite would let others read a file that it makes; it fills an empty one as well.
    private_files::create_new(file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => conflict(format!(
            "{} exists already; a copy replaces nothing",
            file.display()
        )),
        _ => failed(format!("{} cannot be made: {error}", file.display())),
    })?;
    diesel::sql_query("VACUUM INTO ?")
        .bind::<diesel::sql_types::Text, _>(file.to_string_lossy())
        .execute(connection)
        .inspect_err(|_| {
            // The first error is the one to report.
            let _ = std::fs::remove_file(file);
        })?;
    Ok(())
}

/// Moves the write-ahead log into the database file and empties it.
pub(crate) fn checkpoint_wal(connection: &mut Conn) -> Done<()> {
    connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA optimize;")?;
    Ok(())
}
