//! Collections and documents in and out. Blocking; each function is one transaction.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use domain::document::Document;
use domain::ports::retrieval::{ItemOutcome, StoreSpec, StoredDocument, StoredPassage};
use domain::{DocumentId, IndexId};

use crate::chunking::{self, Piece};
use crate::error::LocalIndexError;
use crate::language::Languages;
use crate::schema::{self, chunks, collections, documents};
use crate::segments::{self, Builder, Read};

/// One row of `collections`.
#[derive(Clone, Debug)]
pub(crate) struct Collection {
    pub id: i64,
    pub name: String,
    index_id: String,
}

impl Collection {
    fn is_of(&self, index: IndexId) -> bool {
        self.index_id == index.to_string()
    }
}

type Row = (i64, String, String);

fn to_collection((id, index_id, name): Row) -> Collection {
    Collection { id, name, index_id }
}

fn by_id(connection: &mut SqliteConnection, id: i64) -> QueryResult<Option<Collection>> {
    let columns = (collections::id, collections::index_id, collections::name);
    Ok(collections::table
        .find(id)
        .select(columns)
        .first::<Row>(connection)
        .optional()?
        .map(to_collection))
}

/// The collection of an id as the engine remembers it.
pub(crate) fn collection(
    connection: &mut SqliteConnection,
    remote_id: &str,
) -> Result<Collection, LocalIndexError> {
    let gone = || LocalIndexError::NoCollection(remote_id.to_owned());
    let id: i64 = remote_id.parse().map_err(|_| gone())?;
    by_id(connection, id)?.ok_or_else(gone)
}

/// Finds the collection of an index, by its id where known, else by our mark; follows a new agent id; makes it where
/// there is none.
pub(crate) fn ensure(
    connection: &mut SqliteConnection,
    spec: &StoreSpec,
    known: Option<&str>,
    languages: &Languages,
) -> Result<Collection, LocalIndexError> {
    connection.immediate_transaction(|connection| {
        let name = spec.name();
        let columns = (collections::id, collections::index_id, collections::name);
        // A remembered id that another index has by now is not ours, and not in our way either.
        let mut found = match known.and_then(|id| id.parse().ok()) {
            Some(id) => by_id(connection, id)?.filter(|collection| collection.is_of(spec.index)),
            None => None,
        };
        if found.is_none() {
            let mark = collections::table.filter(collections::index_id.eq(spec.index.to_string()));
            found = mark
                .select(columns)
                .first::<Row>(connection)
                .optional()?
                .map(to_collection);
        }
        if found
            .as_ref()
            .is_some_and(|collection| collection.name == name)
        {
            return found.ok_or(LocalIndexError::NotOurs(name));
        }
        let taken: i64 = collections::table
            .filter(collections::name.eq(&name))
            .count()
            .get_result(connection)?;
        if taken > 0 {
            return Err(LocalIndexError::NotOurs(name));
        }
        match found {
            Some(collection) => {
                diesel::update(collections::table.find(collection.id))
                    .set(collections::name.eq(&name))
                    .execute(connection)?;
                Ok(Collection { name, ..collection })
            }
            None => {
                let id: i64 = diesel::insert_into(collections::table)
                    .values((
                        collections::index_id.eq(spec.index.to_string()),
                        collections::name.eq(&name),
                        collections::tokenizer.eq(schema::signature(languages)),
                    ))
                    .returning(collections::id)
                    .get_result(connection)?;
                Ok(Collection {
                    id,
                    name,
                    index_id: spec.index.to_string(),
                })
            }
        }
    })
}

/// Removes a collection with all that is in it; one that is gone is a success.
pub(crate) fn remove(
    connection: &mut SqliteConnection,
    spec: &StoreSpec,
    remote_id: &str,
) -> Result<(), LocalIndexError> {
    connection.immediate_transaction(|connection| {
        let found = match collection(connection, remote_id) {
            Ok(found) => found,
            Err(LocalIndexError::NoCollection(_)) => return Ok(()),
            Err(other) => return Err(other),
        };
        if !found.is_of(spec.index) {
            return Err(LocalIndexError::NotOurs(found.name));
        }
        segments::drop_all(connection, found.id)?;
        // Rows below go with it.
        diesel::delete(collections::table.find(found.id)).execute(connection)?;
        Ok(())
    })
}

/// Stores a batch in one transaction: searchers see all of it or nothing. A document whose hash is there already is
/// not written again.
pub(crate) fn upsert(
    connection: &mut SqliteConnection,
    remote_id: &str,
    batch: &[Document],
    languages: &Languages,
) -> Result<Vec<ItemOutcome>, LocalIndexError> {
    // Cutting costs processor time and is done before the write lock is taken.
    let cut: Vec<Vec<Piece>> = batch.iter().map(chunking::pieces).collect();
    connection.immediate_transaction(|connection| {
        let collection = collection(connection, remote_id)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut builder = Builder::new(languages);
        for (number, (document, pieces)) in batch.iter().zip(&cut).enumerate() {
            if !collection.is_of(document.metadata.index) {
                let reason = format!(
                    "it belongs to index {}, not to {}",
                    document.metadata.index, collection.name
                );
                outcomes.push(ItemOutcome::Refused(reason));
                continue;
            }
            if batch[..number].iter().any(|one| one.id == document.id) {
                // Chunks can only be noted as gone in a segment that is written.
                let before = std::mem::replace(&mut builder, Builder::new(languages));
                before.write(connection, collection.id)?;
            }
            put(connection, collection.id, document, pieces, &mut builder)?;
            outcomes.push(ItemOutcome::Accepted);
        }
        builder.write(connection, collection.id)?;
        segments::merge_some(connection, collection.id)?;
        Ok(outcomes)
    })
}

fn put(
    connection: &mut SqliteConnection,
    collection: i64,
    document: &Document,
    pieces: &[Piece],
    builder: &mut Builder<'_>,
) -> QueryResult<()> {
    let metadata = &document.metadata;
    let present: Option<(i64, String, i64)> = documents::table
        .filter(
            documents::collection
                .eq(collection)
                .and(documents::id.eq(document.id.as_str())),
        )
        .select((documents::key, documents::hash, documents::first_chunk))
        .first(connection)
        .optional()?;
    if present
        .as_ref()
        .is_some_and(|(_, hash, _)| *hash == metadata.hash)
    {
        return Ok(());
    }
    let first = segments::next_chunk(connection)?;
    let number = i64::try_from(pieces.len()).unwrap_or(i64::MAX);
    segments::use_chunks(connection, first.saturating_add(number))?;
    let values = (
        documents::hash.eq(&metadata.hash),
        documents::title.eq(&metadata.title),
        documents::breadcrumb.eq(&metadata.breadcrumb),
        documents::space.eq(metadata.space.as_str()),
        documents::labels.eq(&metadata.labels),
        documents::updated.eq(metadata.updated),
        documents::first_chunk.eq(first),
        documents::chunks.eq(number),
    );
    let key = match present {
        Some((key, _, first)) => {
            drop_chunks(connection, collection, key, first)?;
            diesel::update(documents::table.find(key))
                .set(values)
                .execute(connection)?;
            key
        }
        None => diesel::insert_into(documents::table)
            .values((
                documents::collection.eq(collection),
                documents::id.eq(document.id.as_str()),
                values,
            ))
            .returning(documents::key)
            .get_result(connection)?,
    };
    builder.next_document();
    for (id, (ordinal, piece)) in (first..).zip(pieces.iter().enumerate()) {
        diesel::insert_into(chunks::table)
            .values((
                chunks::id.eq(id),
                chunks::document.eq(key),
                chunks::ordinal.eq(i64::try_from(ordinal).unwrap_or(i64::MAX)),
                chunks::headings.eq(&piece.headings),
                chunks::anchor.eq(piece.anchor.as_deref()),
                chunks::text.eq(&piece.text),
            ))
            .execute(connection)?;
        builder.read(&Read {
            id,
            title: &metadata.title,
            headings: &piece.headings,
            breadcrumb: &metadata.breadcrumb,
            text: &piece.text,
        });
    }
    Ok(())
}

fn drop_chunks(
    connection: &mut SqliteConnection,
    collection: i64,
    document: i64,
    first: i64,
) -> QueryResult<()> {
    let dropped =
        diesel::delete(chunks::table.filter(chunks::document.eq(document))).execute(connection)?;
    segments::note_gone(
        connection,
        collection,
        first,
        i64::try_from(dropped).unwrap_or(i64::MAX),
    )
}

/// Removes documents in one transaction; unknown ids are accepted.
pub(crate) fn delete(
    connection: &mut SqliteConnection,
    remote_id: &str,
    ids: &[DocumentId],
) -> Result<(), LocalIndexError> {
    connection.immediate_transaction(|connection| {
        let collection = collection(connection, remote_id)?;
        for id in ids {
            let found: Option<(i64, i64)> = documents::table
                .filter(
                    documents::collection
                        .eq(collection.id)
                        .and(documents::id.eq(id.as_str())),
                )
                .select((documents::key, documents::first_chunk))
                .first(connection)
                .optional()?;
            if let Some((key, first)) = found {
                drop_chunks(connection, collection.id, key, first)?;
                diesel::delete(documents::table.find(key)).execute(connection)?;
            }
        }
        Ok(())
    })
}

/// Merges what the writes of a run have left in small segments.
pub(crate) fn tidy(
    connection: &mut SqliteConnection,
    remote_id: &str,
) -> Result<(), LocalIndexError> {
    use diesel::connection::SimpleConnection;
    let collection = collection(connection, remote_id)?.id;
    connection.immediate_transaction(|connection| segments::merge_all(connection, collection))?;
    connection.batch_execute("PRAGMA wal_checkpoint(PASSIVE)")?;
    Ok(())
}

/// Which of these documents are there.
pub(crate) fn present(
    connection: &mut SqliteConnection,
    remote_id: &str,
    ids: &[DocumentId],
) -> Result<std::collections::HashSet<String>, LocalIndexError> {
    let collection = collection(connection, remote_id)?;
    let mut there = std::collections::HashSet::new();
    for some in ids.chunks(500) {
        there.extend(
            documents::table
                .filter(documents::collection.eq(collection.id))
                .filter(documents::id.eq_any(some.iter().map(DocumentId::as_str)))
                .select(documents::id)
                .load::<String>(connection)?,
        );
    }
    Ok(there)
}

/// The chunks of a document in the order of its text; none of one that is not there.
pub(crate) fn passages(
    connection: &mut SqliteConnection,
    remote_id: &str,
    document: &DocumentId,
) -> Result<Vec<StoredPassage>, LocalIndexError> {
    let collection = collection(connection, remote_id)?;
    let rows: Vec<(String, Option<String>, String)> = chunks::table
        .inner_join(documents::table)
        .filter(documents::collection.eq(collection.id))
        .filter(documents::id.eq(document.as_str()))
        .order(chunks::ordinal)
        .select((chunks::headings, chunks::anchor, chunks::text))
        .load(connection)?;
    let passage = |(headings, anchor, text): (String, _, _)| StoredPassage {
        headings: schema::heading_path(&headings),
        anchor,
        text,
    };
    Ok(rows.into_iter().map(passage).collect())
}

/// Documents behind `after` in the order of their ids, with their hashes.
pub(crate) fn list(
    connection: &mut SqliteConnection,
    remote_id: &str,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<StoredDocument>, LocalIndexError> {
    let collection = collection(connection, remote_id)?;
    let index = collection.index_id.parse().ok();
    let rows: Vec<(String, String)> = documents::table
        .filter(
            documents::collection
                .eq(collection.id)
                .and(documents::id.gt(after.unwrap_or(""))),
        )
        .order(documents::id)
        .select((documents::id, documents::hash))
        .limit(limit)
        .load(connection)?;
    Ok(rows
        .into_iter()
        .map(|(id, hash)| StoredDocument {
            id: DocumentId::new(id),
            hash: Some(hash),
            index,
        })
        .collect())
}
