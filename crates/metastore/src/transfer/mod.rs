//! A database moved from a file to a server, or back: table by table, each in one transaction, all of them compared at the end.
//!
//! What it promises: the source is read as it stood at one moment, and no engine works on either side meanwhile. A table that is whole by
//! its rows is not copied twice, so that what was cut off goes on where it was. Until everything is there and compared, the target says
//! that it is unfinished, and nothing but another copy of the same source opens it.

mod rows;

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use domain::ports::store::StoreResult;

use self::rows::{Column, Digest};
use crate::dialect::{self, Conn, Purpose, postgres, write_transaction};
use crate::error::{Done, Fault, conflict, failed};
use crate::lock;
use crate::migrate::{self, Standing, TABLES};
use crate::ops::small::{UNFINISHED_COPY, remember, remembered};
use crate::url::DatabaseUrl;

/// How long a statement waits for others; nobody else should be there.
const BUSY: Duration = Duration::from_secs(10);
/// Filled last, since the note that the copy is unfinished stands in it and goes with what it held.
const LAST: &str = "remembered";
/// What has rows in every database: migrations put them in, or whoever opens it leaves a note there.
const ANYWHERE: [&str; 3] = ["sites", "body_totals", LAST];

/// What was copied.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Transferred {
    /// Rows of each table, as both databases have them.
    pub rows: BTreeMap<&'static str, u64>,
    /// Tables that an earlier copy had brought already.
    pub kept: usize,
}

/// Copies all rows of a database into one that is empty, or that an earlier copy of the same source left unfinished; the one is a file and
/// the other on a server. `tell` hears of each table when it is there. Blocks.
///
/// # Errors
/// Both are of one kind, an engine works on one of them, the source is not up to date, the target holds something else, a statement fails,
/// or the rows differ in the end.
pub fn transfer(
    from: &DatabaseUrl,
    to: &DatabaseUrl,
    mut tell: impl FnMut(&'static str, u64),
) -> StoreResult<Transferred> {
    let (from_place, to_place) = (from.place(), to.place());
    if from.file().is_some() == to.file().is_some() {
        return Err(conflict(format!(
            "{from_place} and {to_place} are of one kind; from file to file it is `backup` and `restore`, from server to server pg_dump"
        )));
    }
    let refused = |error: &dyn std::fmt::Display| conflict(error.to_string());
    if from.file().is_some_and(|file| !file.is_file()) {
        return Err(conflict(format!("there is no database {from_place}")));
    }
    let _source_lock = lock::acquire(from).map_err(|error| refused(&error))?;
    let reading = match from.file() {
        Some(_) => Purpose::Read,
        None => Purpose::Rebuild,
    };
    let mut source = open(from, reading)?;
    match migrate::standing(&mut source, from).map_err(|error| refused(&error))? {
        Standing::Current => {}
        Standing::New => return Err(conflict(format!("there is nothing in {from_place}"))),
        Standing::Outdated(_) => {
            return Err(conflict(format!(
                "{from_place} was made by an older version; start the service with this version once, which brings it up to date"
            )));
        }
    }
    if let Some(other) = remembered(&mut source, UNFINISHED_COPY)? {
        return Err(conflict(format!(
            "{from_place} is itself an unfinished copy of {other}; finish that first"
        )));
    }
    crate::handle::make_file(to).map_err(|error| refused(&error))?;
    let _target_lock = lock::acquire(to).map_err(|error| refused(&error))?;
    let mut target = open(to, Purpose::Rebuild)?;
    migrate::up_to_date(&mut target, to).map_err(|error| refused(&error))?;
    claim(&mut target, &from_place.to_string(), &to_place.to_string())?;
    if let Some(path) = to.file() {
        private_files::make_database_private(path).map_err(|error| refused(&error))?;
    }
    let copied = source.transaction(|source| {
        if let Conn::Postgres(server) = source {
            server.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        }
        copy(source, &mut target, &mut tell)
    });
    Ok(copied?)
}

fn open(url: &DatabaseUrl, purpose: Purpose) -> StoreResult<Conn> {
    dialect::connect(url, purpose, BUSY)
        .map_err(|error| failed(format!("{} cannot be opened: {error}", url.place())))
}

/// Notes whose copy the target is to be, if nothing else is in it.
fn claim(target: &mut Conn, source: &str, place: &str) -> Done<()> {
    write_transaction(target, |target| {
        match remembered(target, UNFINISHED_COPY)? {
            Some(noted) if noted == source => return Ok(()),
            Some(other) => {
                return Err(conflict(format!(
                    "a copy of {other} into {place} was begun and not finished; finish that, or name an empty database"
                ))
                .into());
            }
            None => {}
        }
        for table in TABLES.iter().filter(|table| !ANYWHERE.contains(table)) {
            let rows = rows::count(target, table)?;
            if rows > 0 {
                return Err(conflict(format!(
                    "{place} holds something already ({rows} rows in {table}); nothing was changed: name an empty database"
                ))
                .into());
            }
        }
        // What migrations put in, last what others refer to: from here on a table is empty or whole.
        for table in TABLES.iter().rev() {
            rows::clear(target, table)?;
        }
        remember(target, UNFINISHED_COPY, source)
    })
}

fn copy(
    source: &mut Conn,
    target: &mut Conn,
    tell: &mut impl FnMut(&'static str, u64),
) -> Done<Transferred> {
    let mut done = Transferred::default();
    let mut brought = Vec::new();
    for table in TABLES.into_iter().filter(|table| *table != LAST) {
        let of_table = bring(source, target, table).map_err(|fault| named(table, fault))?;
        done.kept += usize::from(of_table.was_there);
        tell(table, of_table.wanted.rows);
        done.rows.insert(table, of_table.wanted.rows);
        brought.push((table, of_table));
    }
    // What a table is filled with may have changed another by a trigger.
    for (table, of_table) in &brought {
        compare(target, table, &of_table.columns, of_table.wanted)
            .map_err(|fault| named(table, fault))?;
    }
    let rows = finish(source, target).map_err(|fault| named(LAST, fault))?;
    tell(LAST, rows);
    done.rows.insert(LAST, rows);
    Ok(done)
}

/// A table that the target has.
struct Brought {
    columns: Vec<Column>,
    wanted: Digest,
    was_there: bool,
}

fn bring(source: &mut Conn, target: &mut Conn, table: &str) -> Done<Brought> {
    let columns = columns(source, target, table)?;
    let wanted = rows::digest(source, table, &columns)?;
    let was_there = rows::digest(target, table, &columns)? == wanted;
    if !was_there {
        write_transaction(target, |target| fill(source, target, table, &columns))?;
    }
    Ok(Brought {
        columns,
        wanted,
        was_there,
    })
}

/// Fills the last table, with which the note goes; answers its rows.
fn finish(source: &mut Conn, target: &mut Conn) -> Done<u64> {
    let columns = columns(source, target, LAST)?;
    let wanted = rows::digest(source, LAST, &columns)?;
    write_transaction(target, |target| {
        fill(source, target, LAST, &columns)?;
        compare(target, LAST, &columns, wanted)
    })?;
    Ok(wanted.rows)
}

/// A statement that failed is told with its table and in the database's words: what it means of one index elsewhere it does not mean here.
fn named(table: &str, fault: Fault) -> Fault {
    match fault {
        Fault::Diesel(error) => failed(format!("the table {table}: {error}")).into(),
        fault @ Fault::Store(_) => fault,
    }
}

/// The columns of a table, asked of the one of both that is on a server.
fn columns(source: &mut Conn, target: &mut Conn, table: &str) -> Done<Vec<Column>> {
    match (source, target) {
        (Conn::Postgres(server), _) | (_, Conn::Postgres(server)) => rows::columns(server, table),
        (Conn::Sqlite(_), Conn::Sqlite(_)) => Err(failed("neither database is on a server").into()),
    }
}

fn compare(target: &mut Conn, table: &str, columns: &[Column], wanted: Digest) -> Done<()> {
    let found = rows::digest(target, table, columns)?;
    if found == wanted {
        return Ok(());
    }
    Err(failed(format!(
        "after the copy the rows of {table} differ ({} in the source, {} in the copy), and the copy stays unfinished; begin anew with an \
         empty database, and report it if that ends so too",
        wanted.rows, found.rows
    ))
    .into())
}

/// Replaces what is in a table by what the source has.
fn fill(source: &mut Conn, target: &mut Conn, table: &str, columns: &[Column]) -> Done<()> {
    rows::clear(target, table)?;
    rows::each_batch(source, table, columns, &mut |batch| {
        rows::insert(target, table, columns, &batch)
    })?;
    if let Conn::Postgres(server) = target {
        postgres::number_on(server, table)?;
    }
    Ok(())
}
