//! The tables, and the format number of the file.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;

use crate::error::LocalIndexError;
use crate::options::Tokenizer;

/// The format this release writes, kept in `PRAGMA user_version`.
pub(crate) const FORMAT: i64 = 1;

diesel::table! {
    /// One per index of ours.
    collections (id) {
        id -> BigInt,
        index_id -> Text,
        name -> Text,
        tokenizer -> Text,
    }
}

diesel::table! {
    documents (key) {
        key -> BigInt,
        collection -> BigInt,
        id -> Text,
        hash -> Text,
        title -> Text,
        breadcrumb -> Text,
        space -> Text,
        labels -> Text,
        updated -> BigInt,
    }
}

diesel::table! {
    chunks (id) {
        id -> BigInt,
        document -> BigInt,
        ordinal -> BigInt,
        headings -> Text,
        anchor -> Nullable<Text>,
        text -> Text,
    }
}

diesel::joinable!(chunks -> documents (document));
diesel::allow_tables_to_appear_in_same_query!(chunks, documents);

const CREATE: &str = "
CREATE TABLE collections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    index_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    tokenizer TEXT NOT NULL
) STRICT;
-- Ids begin anywhere: a file that was lost and made anew must not answer to the ids of the one before.
INSERT INTO sqlite_sequence (name, seq) VALUES ('collections', abs(random()) % 4503599627370496);
CREATE TABLE documents (
    key INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    hash TEXT NOT NULL,
    title TEXT NOT NULL,
    breadcrumb TEXT NOT NULL,
    space TEXT NOT NULL,
    labels TEXT NOT NULL,
    updated INTEGER NOT NULL,
    UNIQUE (collection, id)
) STRICT;
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,
    document INTEGER NOT NULL REFERENCES documents (key) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    headings TEXT NOT NULL,
    anchor TEXT,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX chunks_of_document ON chunks (document, ordinal);
PRAGMA user_version = 1;
";

/// Between the headings of a chunk in its row: a character that no heading holds and no tokenizer keeps.
pub(crate) const HEADING_SEPARATOR: &str = "\u{1f}";

#[derive(QueryableByName)]
struct UserVersion {
    #[diesel(sql_type = BigInt)]
    user_version: i64,
}

/// Makes the tables of a new file; refuses a file of a newer release (`Ok(Err(found))`).
pub(crate) fn prepare(connection: &mut SqliteConnection) -> QueryResult<Result<(), i64>> {
    connection.immediate_transaction(|connection| {
        let found = diesel::sql_query("PRAGMA user_version")
            .get_result::<UserVersion>(connection)?
            .user_version;
        match found {
            0 => connection.batch_execute(CREATE).map(Ok),
            FORMAT => Ok(Ok(())),
            newer => Ok(Err(newer)),
        }
    })
}

/// The full-text table of a collection. Contentless: the text stands in `chunks` only; `rowid` is the chunk's id.
pub(crate) fn fts_table(collection: i64) -> String {
    format!("chunks_fts_{collection}")
}

pub(crate) fn create_fts(
    connection: &mut SqliteConnection,
    collection: i64,
    tokenizer: Tokenizer,
) -> QueryResult<()> {
    let (table, tokenize) = (fts_table(collection), tokenizer.fts5());
    connection.batch_execute(&format!(
        "CREATE VIRTUAL TABLE {table} USING fts5(
             title, headings, breadcrumb, text,
             content = '', contentless_delete = 1, tokenize = '{tokenize}')"
    ))
}

pub(crate) fn drop_fts(connection: &mut SqliteConnection, collection: i64) -> QueryResult<()> {
    connection.batch_execute(&format!("DROP TABLE IF EXISTS {}", fts_table(collection)))
}

/// Puts the chunks of one document, or of the whole collection, into its full-text table.
pub(crate) fn fill_fts(
    connection: &mut SqliteConnection,
    collection: i64,
    document: Option<i64>,
) -> QueryResult<()> {
    let table = fts_table(collection);
    let insert = format!(
        "INSERT INTO {table} (rowid, title, headings, breadcrumb, text)
         SELECT c.id, d.title, c.headings, d.breadcrumb, c.text
         FROM documents d JOIN chunks c ON c.document = d.key"
    );
    match document {
        Some(key) => diesel::sql_query(format!("{insert} WHERE d.key = ?"))
            .bind::<BigInt, _>(key)
            .execute(connection)?,
        None => diesel::sql_query(format!("{insert} WHERE d.collection = ? ORDER BY c.id"))
            .bind::<BigInt, _>(collection)
            .execute(connection)?,
    };
    Ok(())
}

/// Builds the full-text tables anew whose tokenizer is not the wanted one; one transaction each, so that a stop in
/// between is taken up at the next opening.
pub(crate) fn follow_language(
    connection: &mut SqliteConnection,
    tokenizer: Tokenizer,
) -> Result<(), LocalIndexError> {
    let stale: Vec<i64> = collections::table
        .filter(collections::tokenizer.ne(tokenizer.fts5()))
        .select(collections::id)
        .load(connection)?;
    for collection in stale {
        tracing::info!(
            collection,
            tokenizer = tokenizer.fts5(),
            "search language changed: building the full-text table anew"
        );
        connection.immediate_transaction(|connection| {
            drop_fts(connection, collection)?;
            create_fts(connection, collection, tokenizer)?;
            fill_fts(connection, collection, None)?;
            diesel::update(collections::table.find(collection))
                .set(collections::tokenizer.eq(tokenizer.fts5()))
                .execute(connection)
        })?;
    }
    Ok(())
}
