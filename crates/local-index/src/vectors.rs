//! Vectors in rows. Blocking.
//!
//! Each text that was embedded stands once for each model, by its hash (`embedded`): a page that is edited, a collection that is filled
//! anew and another index over the same page ask the endpoint for nothing that is there. What a question reads are copies of
//! them in the order of the chunks, some hundred in a row (`vectors`). Numbers of chunks only rise, so one number tells how far a
//! collection is (`filled`). Vectors of chunks that are gone are passed over, since their rows are gone, until the next tidying.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use domain::ports::embedding::Recipe;

use crate::chunking;
use crate::fusion::Likeness;
use crate::quantised::Quantised;
use crate::schema::{chunks, collections, documents, embedded, filled, models, vectors};
use crate::segments::{self, Segment};

/// Chunks of one row.
const IN_A_ROW: usize = 128;
/// Bytes by which a text is known again.
const HASH: usize = 16;
/// A collection answers by meaning once so many of a hundred passages have their vector.
const ENOUGH: i64 = 90;
/// Days for which the vector of a text that stands on no page is kept.
const KEPT_DAYS: i64 = 30;

/// By what a text is known again.
pub(crate) type Hash = [u8; HASH];

/// A row of `models`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Model {
    pub id: i64,
    pub recipe: Recipe,
    pub dimensions: usize,
}

type ModelRow = (i64, String, i64, String, String, i64);

fn to_model((id, model, asked, question_prefix, passage_prefix, dimensions): ModelRow) -> Model {
    Model {
        id,
        recipe: Recipe {
            model,
            dimensions: u32::try_from(asked).ok().filter(|asked| *asked > 0),
            question_prefix,
            passage_prefix,
        },
        dimensions: usize::try_from(dimensions).unwrap_or(0),
    }
}

/// All models, the newest first.
fn all_models(connection: &mut SqliteConnection) -> QueryResult<Vec<Model>> {
    let rows: Vec<ModelRow> = models::table.order(models::id.desc()).load(connection)?;
    Ok(rows.into_iter().map(to_model).collect())
}

/// The newest model of a recipe.
pub(crate) fn model_of(
    connection: &mut SqliteConnection,
    recipe: &Recipe,
) -> QueryResult<Option<Model>> {
    let all = all_models(connection)?;
    Ok(all.into_iter().find(|model| model.recipe == *recipe))
}

fn make_model(
    connection: &mut SqliteConnection,
    recipe: &Recipe,
    dimensions: usize,
) -> QueryResult<Model> {
    let all = all_models(connection)?;
    let is_it = |model: &Model| model.recipe == *recipe && model.dimensions == dimensions;
    if let Some(known) = all.into_iter().find(is_it) {
        return Ok(known);
    }
    let id = diesel::insert_into(models::table)
        .values((
            models::model.eq(&recipe.model),
            models::asked.eq(i64::from(recipe.dimensions.unwrap_or(0))),
            models::question_prefix.eq(&recipe.question_prefix),
            models::passage_prefix.eq(&recipe.passage_prefix),
            models::dimensions.eq(i64::try_from(dimensions).unwrap_or(i64::MAX)),
        ))
        .returning(models::id)
        .get_result(connection)?;
    Ok(Model {
        id,
        recipe: recipe.clone(),
        dimensions,
    })
}

/// The model by which a collection is asked: that of the settings, or an earlier one as long as the new one is not filled in. `None`
/// as long as too few passages have a vector of any.
pub(crate) fn serving(
    connection: &mut SqliteConnection,
    collection: i64,
    recipe: &Recipe,
) -> QueryResult<Option<Model>> {
    let all = segments::of_collection(connection, collection)?;
    let there: i64 = all.iter().map(Segment::left).sum();
    let progress: Vec<(i64, i64)> = filled::table
        .filter(filled::collection.eq(collection))
        .select((filled::model, filled::behind))
        .load(connection)?;
    let is_enough = |behind: i64| {
        let waiting: i64 = all.iter().map(|segment| waiting_of(segment, behind)).sum();
        (there - waiting) * 100 >= there * ENOUGH
    };
    let mut able: Vec<Model> = Vec::new();
    for model in all_models(connection)? {
        let of_it = progress.iter().find(|(id, _)| *id == model.id);
        if of_it.is_some_and(|(_, behind)| is_enough(*behind)) {
            able.push(model);
        }
    }
    // That of the settings before the newest of the others.
    let at = able.iter().position(|model| model.recipe == *recipe);
    Ok(able.into_iter().nth(at.unwrap_or(0)))
}

/// Chunks of a segment that have no vector yet, as if those that are gone were evenly among the others.
fn waiting_of(segment: &Segment, behind: i64) -> i64 {
    if segment.last <= behind {
        return 0;
    }
    let span = segment.last - segment.first + 1;
    let beyond = (segment.last - behind).min(span);
    (segment.left() * beyond).div_euclid(span.max(1))
}

/// How alike the passages of a collection are to a question, those of `ranges` only.
pub(crate) fn likeness(
    connection: &mut SqliteConnection,
    model: &Model,
    collection: i64,
    question: &Quantised,
    ranges: Option<&[(i64, i64)]>,
) -> QueryResult<Likeness> {
    use diesel::connection::DefaultLoadingMode;
    let mut all = Vec::new();
    if question.numbers.len() != model.dimensions {
        return Ok(Likeness::default());
    }
    let rows = vectors::table
        .filter(vectors::collection.eq(collection))
        .filter(vectors::model.eq(model.id))
        .order(vectors::first)
        .select((vectors::first, vectors::chunks, vectors::list))
        .load_iter::<(i64, i64, Vec<u8>), DefaultLoadingMode>(connection)?;
    for row in rows {
        let (first, chunks, list) = row?;
        let entries = entries(first, chunks, &list, model.dimensions);
        all.extend(
            entries.map(|entry| (entry.chunk, question.likeness(entry.scale, entry.numbers))),
        );
    }
    let all = Likeness::new(all);
    Ok(match ranges {
        Some(ranges) => all.within(ranges),
        None => all,
    })
}

/// A vector as it stands in a row.
struct Entry<'l> {
    chunk: i64,
    scale: f32,
    hash: &'l [u8],
    numbers: &'l [u8],
}

/// A row's vectors: their chunks as distances from the first, their scales, the hashes of their texts, their numbers.
fn entries(
    first: i64,
    count: i64,
    list: &[u8],
    dimensions: usize,
) -> impl Iterator<Item = Entry<'_>> {
    let count = usize::try_from(count).unwrap_or(0);
    let whole = count.saturating_mul(4 + 4 + HASH + dimensions) == list.len() && dimensions > 0;
    let list = if whole { list } else { &[] };
    let count = if whole { count } else { 0 };
    let (distances, list) = list.split_at(count * 4);
    let (scales, list) = list.split_at(count * 4);
    let (hashes, numbers) = list.split_at(count * HASH);
    let four = |bytes: &[u8]| [bytes[0], bytes[1], bytes[2], bytes[3]];
    distances
        .chunks_exact(4)
        .zip(scales.chunks_exact(4))
        .zip(hashes.chunks_exact(HASH))
        .zip(numbers.chunks_exact(dimensions.max(1)))
        .map(move |(((distance, scale), hash), numbers)| Entry {
            chunk: first + i64::from(u32::from_le_bytes(four(distance))),
            scale: f32::from_le_bytes(four(scale)),
            hash,
            numbers,
        })
}

/// Makes the bytes of a row.
#[derive(Default)]
struct Row {
    first: i64,
    count: usize,
    distances: Vec<u8>,
    scales: Vec<u8>,
    hashes: Vec<u8>,
    numbers: Vec<u8>,
}

impl Row {
    /// Whether one more has its place here.
    fn has_room(&self, chunk: i64) -> bool {
        self.count == 0 || (self.count < IN_A_ROW && u32::try_from(chunk - self.first).is_ok())
    }

    fn push(&mut self, entry: &Entry<'_>) {
        if self.count == 0 {
            self.first = entry.chunk;
        }
        self.count += 1;
        let distance = u32::try_from(entry.chunk - self.first).unwrap_or(u32::MAX);
        self.distances.extend(distance.to_le_bytes());
        self.scales.extend(entry.scale.to_le_bytes());
        self.hashes.extend(entry.hash);
        self.numbers.extend(entry.numbers);
    }

    fn write(
        self,
        connection: &mut SqliteConnection,
        model: i64,
        collection: i64,
    ) -> QueryResult<()> {
        if self.count == 0 {
            return Ok(());
        }
        let list = [self.distances, self.scales, self.hashes, self.numbers].concat();
        diesel::insert_into(vectors::table)
            .values((
                vectors::model.eq(model),
                vectors::collection.eq(collection),
                vectors::first.eq(self.first),
                vectors::chunks.eq(i64::try_from(self.count).unwrap_or(i64::MAX)),
                vectors::list.eq(list),
            ))
            .execute(connection)
            .map(drop)
    }
}

/// A passage that waits for its vector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Waiting {
    pub chunk: i64,
    pub hash: Hash,
    pub text: String,
}

/// What is to be done next for a collection.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub collection: i64,
    /// The model's row, once there is one.
    pub model: Option<i64>,
    /// In the order of their chunks.
    pub waiting: Vec<Waiting>,
    /// Up to which chunk all is done with these.
    pub behind: i64,
    /// Vectors that are there already.
    pub known: HashSet<Hash>,
}

/// Every collection.
pub(crate) fn all_collections(connection: &mut SqliteConnection) -> QueryResult<Vec<i64>> {
    collections::table
        .order(collections::id)
        .select(collections::id)
        .load(connection)
}

/// The next passages of a collection without a vector; `None` where there are none.
pub(crate) fn next_work(
    connection: &mut SqliteConnection,
    collection: i64,
    recipe: &Recipe,
    most: i64,
) -> QueryResult<Option<Work>> {
    connection.transaction(|connection| {
        let model = model_of(connection, recipe)?.map(|model| model.id);
        let done = match model {
            Some(model) => filled::table
                .find((model, collection))
                .select(filled::behind)
                .first::<i64>(connection)
                .optional()?,
            None => None,
        };
        let behind = done.unwrap_or(0);
        let next = segments::next_chunk(connection)?;
        if behind + 1 >= next {
            return Ok(None);
        }
        let rows: Vec<(i64, String, String, String)> = chunks::table
            .inner_join(documents::table)
            .filter(documents::collection.eq(collection))
            .filter(chunks::id.gt(behind))
            .order(chunks::id)
            .limit(most)
            .select((chunks::id, documents::title, chunks::headings, chunks::text))
            .load(connection)?;
        let is_last = (rows.len() as i64) < most;
        let waiting: Vec<Waiting> = rows
            .iter()
            .map(|(chunk, title, headings, text)| {
                let text = chunking::meant(title, headings, text);
                let hash = hash_of(&text);
                Waiting {
                    chunk: *chunk,
                    hash,
                    text,
                }
            })
            .collect();
        if waiting.is_empty() && done.is_none() {
            return Ok(None);
        }
        let behind = match waiting.last() {
            Some(last) if !is_last => last.chunk,
            _ => next - 1,
        };
        let hashes: Vec<Hash> = waiting.iter().map(|one| one.hash).collect();
        let known = match model {
            Some(model) => known(connection, model, &hashes)?.into_keys().collect(),
            None => HashSet::new(),
        };
        Ok(Some(Work {
            collection,
            model,
            waiting,
            behind,
            known,
        }))
    })
}

/// By what a text is known again.
pub(crate) fn hash_of(text: &str) -> Hash {
    let mut hash = [0; HASH];
    hash.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..HASH]);
    hash
}

/// Hashes that are looked up at a time.
const AT_A_TIME: usize = 400;

/// The vectors of texts that are there: scale and numbers as they are stored.
fn known(
    connection: &mut SqliteConnection,
    model: i64,
    hashes: &[Hash],
) -> QueryResult<HashMap<Hash, Vec<u8>>> {
    let mut found = HashMap::new();
    for some in hashes.chunks(AT_A_TIME) {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = embedded::table
            .filter(embedded::model.eq(model))
            .filter(embedded::hash.eq_any(some.iter().map(<Hash>::as_slice)))
            .select((embedded::hash, embedded::vector))
            .load(connection)?;
        let to_hash = |(hash, vector): (Vec<u8>, Vec<u8>)| Some((hash.try_into().ok()?, vector));
        found.extend(rows.into_iter().filter_map(to_hash));
    }
    Ok(found)
}

/// How many of these texts have no vector, each text once.
pub(crate) fn count_unknown(
    connection: &mut SqliteConnection,
    recipe: &Recipe,
    hashes: &HashSet<Hash>,
) -> QueryResult<usize> {
    let Some(model) = model_of(connection, recipe)? else {
        return Ok(hashes.len());
    };
    let hashes: Vec<Hash> = hashes.iter().copied().collect();
    Ok(hashes.len() - known(connection, model.id, &hashes)?.len())
}

/// What came for a piece of work: a vector for each text that had none; `None` for one that was refused.
pub(crate) type Came = HashMap<Hash, Option<Vec<f32>>>;

/// Keeps what came, and gives the passages of the work their vectors. Whether the work is done with: not so where the model gives other
/// dimensions than before, or has refused everything so far.
pub(crate) fn put(
    connection: &mut SqliteConnection,
    recipe: &Recipe,
    work: &Work,
    came: &Came,
    today: i64,
) -> QueryResult<bool> {
    connection.immediate_transaction(|connection| {
        let dimensions = came.values().flatten().map(Vec::len).next();
        let model = match (dimensions, work.model) {
            (Some(dimensions), _) => make_model(connection, recipe, dimensions)?,
            (None, Some(_)) => match model_of(connection, recipe)? {
                Some(model) => model,
                None => return Ok(false),
            },
            (None, None) => return Ok(false),
        };
        for (hash, vector) in came {
            let Some(vector) = vector else { continue };
            let quantised = Quantised::of(vector);
            let mut bytes = quantised.scale.to_le_bytes().to_vec();
            bytes.extend(
                quantised
                    .numbers
                    .iter()
                    .map(|number| number.cast_unsigned()),
            );
            diesel::insert_or_ignore_into(embedded::table)
                .values((
                    embedded::model.eq(model.id),
                    embedded::hash.eq(hash.as_slice()),
                    embedded::used_on.eq(today),
                    embedded::vector.eq(bytes),
                ))
                .execute(connection)?;
        }
        if work.model.is_some_and(|before| before != model.id) {
            // Its vectors begin anew.
            return Ok(false);
        }
        // A collection that was removed meanwhile has no place for them.
        let there: i64 = collections::table
            .filter(collections::id.eq(work.collection))
            .count()
            .get_result(connection)?;
        if there == 0 {
            return Ok(true);
        }
        let hashes: Vec<Hash> = work.waiting.iter().map(|one| one.hash).collect();
        let known = known(connection, model.id, &hashes)?;
        let mut refused = 0;
        let mut row = last_row(connection, model.id, work.collection, model.dimensions)?;
        for one in &work.waiting {
            let Some((scale, numbers)) = known
                .get(&one.hash)
                .and_then(|bytes| bytes.split_first_chunk::<4>())
            else {
                refused += 1;
                continue;
            };
            if !row.has_room(one.chunk) {
                std::mem::take(&mut row).write(connection, model.id, work.collection)?;
            }
            row.push(&Entry {
                chunk: one.chunk,
                scale: f32::from_le_bytes(*scale),
                hash: &one.hash,
                numbers,
            });
        }
        row.write(connection, model.id, work.collection)?;
        let counted = (filled::behind.eq(work.behind), filled::refused.eq(refused));
        let key = (
            filled::model.eq(model.id),
            filled::collection.eq(work.collection),
        );
        diesel::insert_into(filled::table)
            .values((key, counted))
            .on_conflict((filled::model, filled::collection))
            .do_update()
            .set((
                filled::behind.eq(work.behind),
                filled::refused.eq(filled::refused + refused),
            ))
            .execute(connection)
            .map(|_| true)
    })
}

/// The last row of a collection, taken out to be gone on with; an empty one where it is full.
fn last_row(
    connection: &mut SqliteConnection,
    model: i64,
    collection: i64,
    dimensions: usize,
) -> QueryResult<Row> {
    let last: Option<(i64, i64, i64, Vec<u8>)> = vectors::table
        .filter(vectors::collection.eq(collection))
        .filter(vectors::model.eq(model))
        .order(vectors::first.desc())
        .select((vectors::id, vectors::first, vectors::chunks, vectors::list))
        .first(connection)
        .optional()?;
    let mut row = Row::default();
    if let Some((id, first, count, list)) = last
        && (count as usize) < IN_A_ROW
    {
        for entry in entries(first, count, &list, dimensions) {
            row.push(&entry);
        }
        diesel::delete(vectors::table.find(id)).execute(connection)?;
    }
    Ok(row)
}

/// Once every collection has its vectors: lets go what is gone, vectors of earlier models, and those of texts that stand on no page any
/// more and did not come back.
pub(crate) fn tidy(
    connection: &mut SqliteConnection,
    recipe: &Recipe,
    today: i64,
) -> QueryResult<()> {
    connection.immediate_transaction(|connection| {
        let Some(model) = model_of(connection, recipe)? else {
            return Ok(());
        };
        diesel::delete(models::table.filter(models::id.ne(model.id))).execute(connection)?;
        let mut used: HashSet<Hash> = HashSet::new();
        for collection in all_collections(connection)? {
            rewrite(connection, &model, collection, &mut used)?;
        }
        let old: Vec<Vec<u8>> = embedded::table
            .filter(embedded::model.eq(model.id))
            .filter(embedded::used_on.lt(today - KEPT_DAYS))
            .select(embedded::hash)
            .load(connection)?;
        for hash in old {
            let is_used = <Hash>::try_from(hash.as_slice()).is_ok_and(|hash| used.contains(&hash));
            let row = embedded::table.find((model.id, &hash));
            if is_used {
                diesel::update(row)
                    .set(embedded::used_on.eq(today))
                    .execute(connection)?;
            } else {
                diesel::delete(row).execute(connection)?;
            }
        }
        Ok(())
    })
}

/// Writes the rows of a collection anew where many of their chunks are gone; the hashes of those that are left are added to `used`.
fn rewrite(
    connection: &mut SqliteConnection,
    model: &Model,
    collection: i64,
    used: &mut HashSet<Hash>,
) -> QueryResult<()> {
    let there: Vec<i64> = chunks::table
        .inner_join(documents::table)
        .filter(documents::collection.eq(collection))
        .order(chunks::id)
        .select(chunks::id)
        .load(connection)?;
    let rows: Vec<(i64, i64)> = vectors::table
        .filter(vectors::collection.eq(collection))
        .filter(vectors::model.eq(model.id))
        .order(vectors::first)
        .select((vectors::id, vectors::chunks))
        .load(connection)?;
    let listed: i64 = rows.iter().map(|(_, chunks)| chunks).sum();
    let anew = listed - (there.len() as i64).min(listed) > listed / 4;
    let mut row = Row::default();
    for (id, _) in rows {
        let (first, count, list): (i64, i64, Vec<u8>) = vectors::table
            .find(id)
            .select((vectors::first, vectors::chunks, vectors::list))
            .first(connection)?;
        if anew {
            diesel::delete(vectors::table.find(id)).execute(connection)?;
        }
        for entry in entries(first, count, &list, model.dimensions) {
            if there.binary_search(&entry.chunk).is_err() {
                continue;
            }
            used.extend(<Hash>::try_from(entry.hash));
            if anew {
                if !row.has_room(entry.chunk) {
                    std::mem::take(&mut row).write(connection, model.id, collection)?;
                }
                row.push(&entry);
            }
        }
    }
    row.write(connection, model.id, collection)
}

/// How many passages have their vector, wait for it, and were refused.
pub(crate) fn progress(
    connection: &mut SqliteConnection,
    recipe: &Recipe,
) -> QueryResult<(i64, i64, i64)> {
    let all: i64 = chunks::table.count().get_result(connection)?;
    let Some(model) = model_of(connection, recipe)? else {
        return Ok((0, all, 0));
    };
    let of_model: Vec<(i64, i64, i64)> = filled::table
        .filter(filled::model.eq(model.id))
        .select((filled::collection, filled::behind, filled::refused))
        .load(connection)?;
    let mut done = 0;
    for (collection, behind, _) in &of_model {
        done += chunks::table
            .inner_join(documents::table)
            .filter(documents::collection.eq(collection))
            .filter(chunks::id.le(behind))
            .count()
            .get_result::<i64>(connection)?;
    }
    let refused: i64 = of_model.iter().map(|(_, _, refused)| refused).sum();
    let refused = refused.min(done);
    Ok((done - refused, all - done, refused))
}
