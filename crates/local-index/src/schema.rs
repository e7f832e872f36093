//! The tables, and the format number of the file.

use std::collections::HashMap;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;

use crate::error::LocalIndexError;
use crate::language::Languages;
use crate::segments::{Builder, Read};

/// The format this release writes, kept in `PRAGMA user_version`.
pub(crate) const FORMAT: i64 = 3;

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
        first_chunk -> BigInt,
        chunks -> BigInt,
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

diesel::table! {
    /// Ranges of chunks whose lists stand together; of no one document.
    segments (id) {
        id -> BigInt,
        collection -> BigInt,
        first -> BigInt,
        last -> BigInt,
        chunks -> BigInt,
        gone -> BigInt,
    }
}

diesel::table! {
    /// The chunks of a segment that hold a term.
    postings (segment, term) {
        segment -> BigInt,
        term -> Text,
        chunks -> BigInt,
        list -> Binary,
    }
}

diesel::table! {
    /// What vectors were made by.
    models (id) {
        id -> BigInt,
        model -> Text,
        asked -> BigInt,
        question_prefix -> Text,
        passage_prefix -> Text,
        dimensions -> BigInt,
    }
}

diesel::table! {
    /// The vector of a text, by the hash of the text: it outlives passage, page and index.
    embedded (model, hash) {
        model -> BigInt,
        hash -> Binary,
        used_on -> BigInt,
        vector -> Binary,
    }
}

diesel::table! {
    /// Vectors of chunks one after the other, as a question reads them.
    vectors (id) {
        id -> BigInt,
        model -> BigInt,
        collection -> BigInt,
        first -> BigInt,
        chunks -> BigInt,
        list -> Binary,
    }
}

diesel::table! {
    /// Up to which chunk a collection has its vectors of a model.
    filled (model, collection) {
        model -> BigInt,
        collection -> BigInt,
        behind -> BigInt,
        refused -> BigInt,
    }
}

diesel::table! {
    /// The number of the next chunk, in its one row.
    next_chunk (next) {
        next -> BigInt,
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
    first_chunk INTEGER NOT NULL DEFAULT 0,
    chunks INTEGER NOT NULL DEFAULT 0,
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
";

/// Lists of terms, which format 1 left to FTS5.
const CREATE_LISTS: &str = "
-- Numbers are never used again: what was read of a segment is known by its number.
CREATE TABLE segments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    gone INTEGER NOT NULL
) STRICT;
CREATE INDEX segments_of_collection ON segments (collection, first);
CREATE INDEX segments_by_last ON segments (last);
CREATE TABLE postings (
    segment INTEGER NOT NULL,
    term TEXT NOT NULL,
    chunks INTEGER NOT NULL,
    list BLOB NOT NULL,
    PRIMARY KEY (segment, term)
) STRICT, WITHOUT ROWID;
";

/// Vectors, which format 2 did not have; and the number of the next chunk, since one that was used again would be taken for the one
/// whose vector is known.
const CREATE_VECTORS: &str = "
CREATE TABLE models (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    model TEXT NOT NULL,
    -- Dimensions that are asked for; 0: as many as the model gives.
    asked INTEGER NOT NULL,
    question_prefix TEXT NOT NULL,
    passage_prefix TEXT NOT NULL,
    dimensions INTEGER NOT NULL,
    UNIQUE (model, asked, question_prefix, passage_prefix, dimensions)
) STRICT;
CREATE TABLE embedded (
    model INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    hash BLOB NOT NULL,
    -- A day since 1970.
    used_on INTEGER NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (model, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE vectors (
    id INTEGER PRIMARY KEY,
    model INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    collection INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    first INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    list BLOB NOT NULL
) STRICT;
CREATE INDEX vectors_of_collection ON vectors (collection, model, first);
CREATE TABLE filled (
    model INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    collection INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    behind INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    PRIMARY KEY (model, collection)
) STRICT, WITHOUT ROWID;
CREATE TABLE next_chunk (next INTEGER NOT NULL) STRICT;
INSERT INTO next_chunk (next) VALUES (1 + max(
    coalesce((SELECT max(id) FROM chunks), 0), coalesce((SELECT max(last) FROM segments), 0)));
PRAGMA user_version = 3;
";

/// From format 1: the chunks stay, and are read into lists when their collection is next opened, since its signature is none.
const FROM_1: &str = "
ALTER TABLE documents ADD COLUMN first_chunk INTEGER NOT NULL DEFAULT 0;
ALTER TABLE documents ADD COLUMN chunks INTEGER NOT NULL DEFAULT 0;
UPDATE documents SET
    first_chunk = coalesce((SELECT min(c.id) FROM chunks c WHERE c.document = documents.key), 0),
    chunks = (SELECT count(*) FROM chunks c WHERE c.document = documents.key);
UPDATE collections SET tokenizer = '';
";

/// Between the headings of a chunk in its row: a character that no heading holds and no tokenizer keeps.
pub(crate) const HEADING_SEPARATOR: &str = "\u{1f}";

/// The headings of a chunk, from the top, as its row holds them.
pub(crate) fn heading_path(headings: &str) -> Vec<String> {
    headings
        .split(HEADING_SEPARATOR)
        .filter(|heading| !heading.is_empty())
        .map(str::to_owned)
        .collect()
}

#[derive(QueryableByName)]
struct UserVersion {
    #[diesel(sql_type = BigInt)]
    user_version: i64,
}

/// The format of a file; 0 of one that has no tables yet.
pub(crate) fn format(connection: &mut SqliteConnection) -> QueryResult<i64> {
    let found = diesel::sql_query("PRAGMA user_version").get_result::<UserVersion>(connection)?;
    Ok(found.user_version)
}

/// Makes the tables of a new file, and those of this format of an earlier one; refuses a file of a newer release
/// (`Ok(Err(found))`).
pub(crate) fn prepare(connection: &mut SqliteConnection) -> QueryResult<Result<(), i64>> {
    connection.immediate_transaction(|connection| match format(connection)? {
        0 => {
            connection.batch_execute(CREATE)?;
            connection.batch_execute(CREATE_LISTS)?;
            connection.batch_execute(CREATE_VECTORS).map(Ok)
        }
        1 => {
            let all: Vec<i64> = collections::table
                .select(collections::id)
                .load(connection)?;
            for collection in all {
                connection
                    .batch_execute(&format!("DROP TABLE IF EXISTS chunks_fts_{collection}"))?;
            }
            connection.batch_execute(FROM_1)?;
            connection.batch_execute(CREATE_LISTS)?;
            connection.batch_execute(CREATE_VECTORS).map(Ok)
        }
        2 => connection.batch_execute(CREATE_VECTORS).map(Ok),
        FORMAT => Ok(Ok(())),
        newer => Ok(Err(newer)),
    })
}

/// What lists that are written now depend on beside the text: how text is read here, and the languages.
pub(crate) fn signature(languages: &Languages) -> String {
    format!("{READING} {}", languages.signature)
}

/// Raised whenever text is read into other terms or impacts than before.
const READING: i64 = 1;

/// Documents that are read into one segment at most while lists are built anew.
const READ_AT_ONCE: i64 = 200;

/// The languages by which the text of a collection was read, by its signature; `None` when it was read into other terms than this
/// release reads, or by a release that did not note them.
fn read_by(signature: &str) -> Option<&str> {
    let (reading, languages) = signature.split_once(' ')?;
    (reading.parse() == Ok(READING)).then_some(languages)
}

/// The collections whose text was read by other languages than these, each with its own.
pub(crate) fn read_otherwise(
    connection: &mut SqliteConnection,
    languages: &Languages,
) -> QueryResult<HashMap<i64, Languages>> {
    let all: Vec<(i64, String)> = collections::table
        .filter(collections::tokenizer.ne(signature(languages)))
        .select((collections::id, collections::tokenizer))
        .load(connection)?;
    let own = |(id, signature): (i64, String)| Some((id, Languages::of(read_by(&signature)?)));
    Ok(all.into_iter().filter_map(own).collect())
}

/// Builds the lists anew of collections that a release before this one read: by the languages by which it did, or by these where it did
/// not note them. One transaction each, so that a stop in between is taken up at the next opening.
pub(crate) fn follow_release(
    connection: &mut SqliteConnection,
    languages: &Languages,
) -> Result<(), LocalIndexError> {
    let all: Vec<(i64, String)> = collections::table
        .select((collections::id, collections::tokenizer))
        .load(connection)?;
    for (collection, signature) in all {
        if read_by(&signature).is_some() {
            continue;
        }
        match signature.split_once(' ') {
            Some((reading, own)) if reading.parse::<i64>().is_ok() => {
                read_anew(connection, collection, &Languages::of(own))?;
            }
            _ => read_anew(connection, collection, languages)?,
        }
    }
    Ok(())
}

/// Builds the lists of a collection anew from its chunks, by these languages; searchers find by the old ones until that is done.
pub(crate) fn read_anew(
    connection: &mut SqliteConnection,
    collection: i64,
    languages: &Languages,
) -> Result<(), LocalIndexError> {
    tracing::info!(collection, languages = %languages.signature, "text is read anew into the embedded index");
    connection.immediate_transaction(|connection| {
        crate::segments::drop_all(connection, collection)?;
        fill(connection, collection, languages)?;
        crate::segments::merge_all(connection, collection)?;
        diesel::update(collections::table.find(collection))
            .set(collections::tokenizer.eq(signature(languages)))
            .execute(connection)?;
        Ok(())
    })
}

type Row = (i64, i64, String, String, String, String);

fn fill(
    connection: &mut SqliteConnection,
    collection: i64,
    languages: &Languages,
) -> QueryResult<()> {
    let mut behind = 0;
    loop {
        let some: Vec<(i64, i64)> = documents::table
            .filter(
                documents::collection
                    .eq(collection)
                    .and(documents::first_chunk.gt(behind)),
            )
            .order(documents::first_chunk)
            .limit(READ_AT_ONCE)
            .select((documents::first_chunk, documents::chunks))
            .load(connection)?;
        let (Some((first, _)), Some((last, count))) = (some.first(), some.last()) else {
            return Ok(());
        };
        behind = *last;
        let rows: Vec<Row> = chunks::table
            .inner_join(documents::table)
            .filter(documents::collection.eq(collection))
            .filter(chunks::id.between(*first, last + count - 1))
            .order(chunks::id)
            .select((
                chunks::id,
                documents::key,
                documents::title,
                chunks::headings,
                documents::breadcrumb,
                chunks::text,
            ))
            .load(connection)?;
        let mut builder = Builder::new(languages);
        let mut document = 0;
        for (id, key, title, headings, breadcrumb, text) in &rows {
            if *key != document {
                builder.next_document();
                document = *key;
            }
            builder.read(&Read {
                id: *id,
                title,
                headings,
                breadcrumb,
                text,
            });
        }
        builder.write(connection, collection)?;
    }
}
