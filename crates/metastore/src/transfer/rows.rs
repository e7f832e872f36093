//! Rows as both databases give and take them: JSON arrays with one form for each kind of column.

use std::hash::{DefaultHasher, Hash, Hasher};

use diesel::connection::{DefaultLoadingMode, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde_json::Value;

use crate::dialect::postgres::PgConn;
use crate::dialect::{Conn, on_either};
use crate::error::{Done, failed};

/// Bytes of rows that are in memory at once, as JSON.
const BATCH: usize = 4 << 20;
/// Rows that a server is asked for at once; of those with bodies less.
const ROWS: usize = 500;
const ROWS_WITH_BYTES: usize = 20;

/// A column of a table, as the server has it.
pub(super) struct Column {
    name: String,
    kind: Kind,
}

/// How a value of it looks in between.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `true` or `false`.
    Truth,
    /// `2026-03-04 12:00:00.123456`, always with six digits.
    Time,
    /// In hex.
    Bytes,
    /// A number.
    Number,
    /// As it is.
    Text,
}

/// How many rows, and a sum over what is in them, in whatever order they come. Of accidents, not of attacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Digest {
    pub(super) rows: u64,
    sum: u64,
}

#[derive(QueryableByName)]
struct Told {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    row: String,
}

/// The columns that are not derived from others.
pub(super) fn columns(server: &mut PgConn, table: &str) -> Done<Vec<Column>> {
    let told: Vec<Told> = diesel::sql_query(
        "SELECT column_name::text AS name, data_type::text AS kind FROM information_schema.columns \
         WHERE table_schema = current_schema() AND table_name = $1 AND is_generated = 'NEVER' ORDER BY ordinal_position",
    )
    .bind::<Text, _>(table)
    .load(server)?;
    let columns = told.into_iter().map(|told| {
        let kind = match told.kind.as_str() {
            "boolean" => Kind::Truth,
            "bytea" => Kind::Bytes,
            "timestamp without time zone" => Kind::Time,
            "integer" | "bigint" => Kind::Number,
            "text" => Kind::Text,
            other => return Err(failed(format!("{table}.{} is of type {other}", told.name)).into()),
        };
        Ok(Column {
            name: told.name,
            kind,
        })
    });
    columns.collect()
}

impl Column {
    /// How SQLite gives it.
    fn given_by_file(&self) -> String {
        let name = &self.name;
        match self.kind {
            Kind::Truth => {
                format!("CASE {name} WHEN 0 THEN json('false') WHEN 1 THEN json('true') END")
            }
            Kind::Time => format!(
                "CASE WHEN instr({name}, '.') > 0 THEN substr({name} || '000000', 1, 26) ELSE {name} || '.000000' END"
            ),
            Kind::Bytes => format!("CASE WHEN {name} IS NOT NULL THEN lower(hex({name})) END"),
            Kind::Number | Kind::Text => name.clone(),
        }
    }

    /// How PostgreSQL gives it.
    fn given_by_server(&self) -> String {
        let name = &self.name;
        match self.kind {
            Kind::Time => format!("to_char({name}, 'YYYY-MM-DD HH24:MI:SS.US')"),
            Kind::Bytes => format!("encode({name}, 'hex')"),
            Kind::Truth | Kind::Number | Kind::Text => name.clone(),
        }
    }

    /// How SQLite takes it, in the form in which diesel writes it there.
    fn taken_by_file(&self, at: usize) -> String {
        let value = format!("(value ->> {at})");
        match self.kind {
            Kind::Time => format!(
                "CASE WHEN {value} LIKE '%.000000' THEN substr({value}, 1, 19) \
                 WHEN {value} LIKE '%000' THEN substr({value}, 1, 23) ELSE {value} END"
            ),
            Kind::Bytes => format!("unhex({value})"),
            Kind::Truth | Kind::Number | Kind::Text => value,
        }
    }

    /// How PostgreSQL takes it.
    fn taken_by_server(&self, at: usize) -> String {
        let value = format!("(value ->> {at})");
        match self.kind {
            Kind::Truth => format!("{value}::boolean"),
            Kind::Time => format!("{value}::timestamp"),
            Kind::Bytes => format!("decode({value}, 'hex')"),
            Kind::Number => format!("{value}::bigint"),
            Kind::Text => value,
        }
    }
}

fn list(columns: &[Column], each: impl Fn(usize, &Column) -> String) -> String {
    let all: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| each(at, column))
        .collect();
    all.join(", ")
}

/// Gives the rows of a table, some at a time.
pub(super) fn each_batch(
    connection: &mut Conn,
    table: &str,
    columns: &[Column],
    take: &mut dyn FnMut(Vec<String>) -> Done<()>,
) -> Done<()> {
    match connection {
        Conn::Sqlite(file) => {
            let values = list(columns, |_, column| column.given_by_file());
            let ask = format!("SELECT json_array({values}) AS row FROM {table}");
            let rows = diesel::sql_query(ask).load_iter::<Row, DefaultLoadingMode>(file)?;
            let (mut batch, mut bytes) = (Vec::new(), 0);
            for row in rows {
                let row = row?.row;
                bytes += row.len();
                batch.push(row);
                if bytes >= BATCH {
                    take(std::mem::take(&mut batch))?;
                    bytes = 0;
                }
            }
            take(batch)
        }
        Conn::Postgres(server) => {
            // A function of PostgreSQL takes a hundred arguments at most, so arrays are made of arrays of one.
            let values = list(columns, |_, column| {
                format!("jsonb_build_array({})", column.given_by_server())
            });
            let values = values.replace(", jsonb_build_array", " || jsonb_build_array");
            let has_bytes = columns.iter().any(|column| column.kind == Kind::Bytes);
            let rows = if has_bytes { ROWS_WITH_BYTES } else { ROWS };
            server.batch_execute(&format!(
                "DECLARE batches NO SCROLL CURSOR FOR SELECT ({values})::text AS row FROM {table}"
            ))?;
            loop {
                let some: Vec<Row> =
                    diesel::sql_query(format!("FETCH {rows} FROM batches")).load(server)?;
                if some.is_empty() {
                    break;
                }
                take(some.into_iter().map(|row| row.row).collect())?;
            }
            server.batch_execute("CLOSE batches")?;
            Ok(())
        }
    }
}

/// What PostgreSQL does not take in a text; U+FFFD stands in its place there.
const NUL: char = '\0';

fn parsed(row: &str) -> Done<Vec<Value>> {
    let mut values: Vec<Value> = serde_json::from_str(row)
        .map_err(|error| failed(format!("a row cannot be read: {error}")))?;
    for value in &mut values {
        if let Value::String(text) = value
            && text.contains(NUL)
        {
            *text = text.replace(NUL, "\u{fffd}");
        }
    }
    Ok(values)
}

/// Counts and sums up the rows of a table.
pub(super) fn digest(connection: &mut Conn, table: &str, columns: &[Column]) -> Done<Digest> {
    let mut digest = Digest::default();
    let mut look = |connection: &mut Conn| {
        each_batch(connection, table, columns, &mut |batch| {
            for row in &batch {
                let mut hasher = DefaultHasher::new();
                for value in parsed(row)? {
                    value.to_string().hash(&mut hasher);
                }
                digest.rows += 1;
                digest.sum = digest.sum.wrapping_add(hasher.finish());
            }
            Ok(())
        })
    };
    // A cursor lives in a transaction.
    connection.transaction(&mut look)?;
    Ok(digest)
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// How many rows a table has.
pub(super) fn count(connection: &mut Conn, table: &str) -> Done<i64> {
    let ask = diesel::sql_query(format!("SELECT COUNT(*) AS number FROM {table}"));
    let found: Number = on_either!(connection => ask.get_result(connection))?;
    Ok(found.number)
}

/// Empties a table, and what hangs on its rows.
pub(super) fn clear(connection: &mut Conn, table: &str) -> Done<()> {
    let delete = diesel::sql_query(format!("DELETE FROM {table}"));
    on_either!(connection => delete.execute(connection))?;
    Ok(())
}

/// Puts rows in.
pub(super) fn insert(
    connection: &mut Conn,
    table: &str,
    columns: &[Column],
    batch: &[String],
) -> Done<()> {
    let rows: Done<Vec<Value>> = batch
        .iter()
        .map(|row| parsed(row).map(Value::Array))
        .collect();
    let rows = Value::Array(rows?).to_string();
    let names = list(columns, |_, column| column.name.clone());
    match connection {
        Conn::Sqlite(file) => {
            let values = list(columns, |at, column| column.taken_by_file(at));
            let put = format!("INSERT INTO {table} ({names}) SELECT {values} FROM json_each(?)");
            diesel::sql_query(put).bind::<Text, _>(rows).execute(file)?;
        }
        Conn::Postgres(server) => {
            let values = list(columns, |at, column| column.taken_by_server(at));
            let put = format!(
                "INSERT INTO {table} ({names}) SELECT {values} FROM jsonb_array_elements($1::jsonb) AS rows(value)"
            );
            diesel::sql_query(put)
                .bind::<Text, _>(rows)
                .execute(server)?;
        }
    }
    Ok(())
}
