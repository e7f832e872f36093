//! The inverted index in rows: segments of chunks, and for each segment the list of every term in it.
//!
//! A batch of documents becomes a segment. Numbers of chunks only rise, so segments cover ranges one after the other, and
//! lists of a term can be read one after the other too. Lists are never changed but by being merged with those of
//! neighbours; chunks that are gone stay in them until then, and are passed over because their rows are gone.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::analysis::{self, Kind, folded, language_term, stem_term};
use crate::language::{Language, Languages};
use crate::postings::{Counts, List, Reader, impact};
use crate::schema::{chunks, next_chunk, postings, segments};

/// Segments of about a size that are merged into one.
const FAN: usize = 4;
/// Chunks that a write merges at most; more wait for the end of the run.
const MERGED_AT_ONCE: i64 = 4_000;
/// Segments from which on a write merges whatever their size: each costs every question a look.
const TOO_MANY: usize = 24;

/// A range of chunks with lists of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub id: i64,
    pub first: i64,
    pub last: i64,
    /// Chunks when it was written.
    pub chunks: i64,
    /// Of them gone since.
    pub gone: i64,
}

impl Segment {
    /// Chunks that are still there.
    pub(crate) fn left(&self) -> i64 {
        (self.chunks - self.gone).max(0)
    }
}

/// The segments of a collection, in the order of their chunks.
pub(crate) fn of_collection(
    connection: &mut SqliteConnection,
    collection: i64,
) -> QueryResult<Vec<Segment>> {
    let columns = (
        segments::id,
        segments::first,
        segments::last,
        segments::chunks,
        segments::gone,
    );
    let rows: Vec<(i64, i64, i64, i64, i64)> = segments::table
        .filter(segments::collection.eq(collection))
        .order(segments::first)
        .select(columns)
        .load(connection)?;
    let to_segment = |(id, first, last, chunks, gone)| Segment {
        id,
        first,
        last,
        chunks,
        gone,
    };
    Ok(rows.into_iter().map(to_segment).collect())
}

/// The number of the next chunk; none is used twice.
pub(crate) fn next_chunk(connection: &mut SqliteConnection) -> QueryResult<i64> {
    next_chunk::table.select(next_chunk::next).first(connection)
}

/// Notes the numbers below this one as used.
pub(crate) fn use_chunks(connection: &mut SqliteConnection, next: i64) -> QueryResult<()> {
    diesel::update(next_chunk::table)
        .set(next_chunk::next.eq(next))
        .execute(connection)
        .map(drop)
}

/// Notes that chunks of a document are gone.
pub(crate) fn note_gone(
    connection: &mut SqliteConnection,
    collection: i64,
    first: i64,
    count: i64,
) -> QueryResult<()> {
    diesel::update(
        segments::table
            .filter(segments::collection.eq(collection))
            .filter(segments::first.le(first))
            .filter(segments::last.ge(first)),
    )
    .set(segments::gone.eq(segments::gone + count))
    .execute(connection)
    .map(drop)
}

/// A chunk as it is read into lists.
pub(crate) struct Read<'t> {
    pub id: i64,
    pub title: &'t str,
    pub headings: &'t str,
    pub breadcrumb: &'t str,
    pub text: &'t str,
}

/// Terms of a word as they were met before.
#[derive(Clone, Copy)]
struct Known {
    exact: u32,
    stem: Option<u32>,
}

/// Makes the lists of a segment.
pub(crate) struct Builder<'l> {
    languages: &'l Languages,
    first: i64,
    last: i64,
    chunks: i64,
    terms: HashMap<String, u32>,
    lists: Vec<List>,
    words: HashMap<Option<Language>, HashMap<String, Known>>,
    around: Option<Language>,
}

impl<'l> Builder<'l> {
    pub(crate) fn new(languages: &'l Languages) -> Self {
        Self {
            languages,
            first: 0,
            last: 0,
            chunks: 0,
            terms: HashMap::new(),
            lists: Vec::new(),
            words: HashMap::new(),
            around: None,
        }
    }

    /// The next chunks are of another document.
    pub(crate) fn next_document(&mut self) {
        self.around = None;
    }

    fn term(&mut self, term: String) -> u32 {
        let next = u32::try_from(self.lists.len()).unwrap_or(u32::MAX);
        let number = *self.terms.entry(term).or_insert(next);
        if number == next {
            self.lists.push(List::new(self.first));
        }
        number
    }

    fn known(&mut self, piece: &str, kind: Kind, language: Option<Language>) -> Known {
        if kind != Kind::Word {
            let exact = match kind {
                Kind::Whole => folded(piece),
                _ => piece.to_owned(),
            };
            let exact = self.term(exact);
            return Known { exact, stem: None };
        }
        if let Some(known) = self.words.get(&language).and_then(|words| words.get(piece)) {
            return *known;
        }
        let stem = language.and_then(|language| stem_term(piece, language));
        let known = Known {
            exact: self.term(folded(piece)),
            stem: stem.map(|stem| self.term(stem)),
        };
        self.words
            .entry(language)
            .or_default()
            .insert(piece.to_owned(), known);
        known
    }

    /// Reads a chunk; its number is above those before.
    pub(crate) fn read(&mut self, chunk: &Read<'_>) {
        if self.chunks == 0 {
            self.first = chunk.id;
        }
        self.last = chunk.id;
        self.chunks += 1;
        let language = self.languages.detect(chunk.text, self.around);
        self.around = self.around.or(language);
        let mut length = 0;
        let mut met: Vec<(u32, u8)> = Vec::with_capacity(512);
        for (text, field) in [chunk.title, chunk.headings, chunk.breadcrumb, chunk.text]
            .into_iter()
            .zip(0_u8..)
        {
            analysis::pieces(text, |piece, kind| {
                let known = self.known(piece, kind, language);
                met.push((known.exact, field));
                met.extend(known.stem.map(|stem| (stem, field)));
                length += u32::from(matches!(kind, Kind::Word | Kind::Signs));
            });
        }
        met.sort_unstable();
        for same in met.chunk_by(|a, b| a.0 == b.0) {
            let mut counts: Counts = [0; 4];
            for (_, field) in same {
                let count = &mut counts[usize::from(*field)];
                *count = count.saturating_add(1);
            }
            if let Some((term, _)) = same.first() {
                self.lists[*term as usize].push(chunk.id, impact(counts, length));
            }
        }
        if let Some(language) = language {
            let term = self.term(language_term(language));
            self.lists[term as usize].push(chunk.id, 1);
        }
    }

    /// Writes the segment; nothing where nothing was read.
    pub(crate) fn write(
        self,
        connection: &mut SqliteConnection,
        collection: i64,
    ) -> QueryResult<()> {
        if self.chunks == 0 {
            return Ok(());
        }
        let mut terms: Vec<(String, u32)> = self.terms.into_iter().collect();
        terms.sort_unstable();
        let span = (self.first, self.last, self.chunks);
        let segment = insert_segment(connection, collection, span)?;
        for (term, number) in terms {
            insert_list(connection, segment, &term, &self.lists[number as usize])?;
        }
        Ok(())
    }
}

/// Makes a segment without lists, and tells its number.
fn insert_segment(
    connection: &mut SqliteConnection,
    collection: i64,
    (first, last, count): (i64, i64, i64),
) -> QueryResult<i64> {
    diesel::insert_into(segments::table)
        .values((
            segments::collection.eq(collection),
            segments::first.eq(first),
            segments::last.eq(last),
            segments::chunks.eq(count),
            segments::gone.eq(0),
        ))
        .returning(segments::id)
        .get_result(connection)
}

fn insert_list(
    connection: &mut SqliteConnection,
    segment: i64,
    term: &str,
    list: &List,
) -> QueryResult<()> {
    diesel::insert_into(postings::table)
        .values((
            postings::segment.eq(segment),
            postings::term.eq(term),
            postings::chunks.eq(i64::from(list.chunks)),
            postings::list.eq(list.bytes.as_slice()),
        ))
        .execute(connection)
        .map(drop)
}

/// Merges small segments after a write, so that their number stays small.
pub(crate) fn merge_some(connection: &mut SqliteConnection, collection: i64) -> QueryResult<()> {
    loop {
        let all = of_collection(connection, collection)?;
        let Some(run) = to_merge(&all) else {
            return Ok(());
        };
        merge(connection, collection, run)?;
    }
}

/// The newest segments that are of about a size, where they are enough of them to be merged.
fn to_merge(all: &[Segment]) -> Option<&[Segment]> {
    let mut from = all.len();
    let mut sum = 0;
    while from > 0 {
        let next = all[from - 1].left();
        // A larger one is joined once the newer ones together are as large as a good part of it.
        let number = all.len() - from;
        if number >= FAN - 1 && next > sum * 2 {
            break;
        }
        if sum + next > MERGED_AT_ONCE && all.len() <= TOO_MANY {
            break;
        }
        sum += next;
        from -= 1;
    }
    let run = &all[from..];
    (run.len() >= FAN).then_some(run)
}

/// Merges what the writes of a run have left: everything where many chunks are gone or most are in small segments.
pub(crate) fn merge_all(connection: &mut SqliteConnection, collection: i64) -> QueryResult<()> {
    let all = of_collection(connection, collection)?;
    let (chunks, gone): (i64, i64) = all
        .iter()
        .fold((0, 0), |sum, s| (sum.0 + s.chunks, sum.1 + s.gone));
    if gone * 4 > chunks {
        return merge(connection, collection, &all);
    }
    // From the newest on, as long as what is newer is worth rewriting what is older.
    let (mut from, mut sum) = (all.len(), 0);
    while from > 0 {
        let next = all[from - 1].left();
        if sum > 0 && next > sum * 8 {
            break;
        }
        sum += next;
        from -= 1;
    }
    match &all[from..] {
        [] | [_] => Ok(()),
        run => merge(connection, collection, run),
    }
}

/// Terms that are read at a time while segments are merged.
const TERMS_AT_A_TIME: i64 = 2_000;

/// One segment of neighbours, without what is gone.
fn merge(connection: &mut SqliteConnection, collection: i64, run: &[Segment]) -> QueryResult<()> {
    let (Some(oldest), Some(newest)) = (run.first(), run.last()) else {
        return Ok(());
    };
    let gone = run.iter().any(|segment| segment.gone > 0);
    let there = there(connection, collection, oldest.first, newest.last)?;
    let ids: Vec<i64> = run.iter().map(|segment| segment.id).collect();
    let (Some(&first), Some(&last)) = (there.first(), there.last()) else {
        return drop_segments(connection, &ids);
    };
    let holds = |chunk: i64| !gone || there.binary_search(&chunk).is_ok();
    let mut sources: Vec<Source> = run.iter().map(|segment| Source::new(*segment)).collect();
    let count = i64::try_from(there.len()).unwrap_or(i64::MAX);
    let segment = insert_segment(connection, collection, (first, last, count))?;
    loop {
        for source in &mut sources {
            source.fill(connection)?;
        }
        let Some(term) = sources
            .iter()
            .filter_map(Source::term)
            .min()
            .map(str::to_owned)
        else {
            break;
        };
        let mut list = List::new(first);
        for source in &mut sources {
            if source.term() == Some(term.as_str())
                && let Some(bytes) = source.take()
            {
                for (chunk, impact) in Reader::new(&bytes, source.segment.first) {
                    if holds(chunk) {
                        list.push(chunk, impact);
                    }
                }
            }
        }
        if list.chunks > 0 {
            insert_list(connection, segment, &term, &list)?;
        }
    }
    drop_segments(connection, &ids)
}

fn there(
    connection: &mut SqliteConnection,
    collection: i64,
    first: i64,
    last: i64,
) -> QueryResult<Vec<i64>> {
    use crate::schema::documents;
    chunks::table
        .inner_join(documents::table)
        .filter(documents::collection.eq(collection))
        .filter(chunks::id.between(first, last))
        .order(chunks::id)
        .select(chunks::id)
        .load(connection)
}

fn drop_segments(connection: &mut SqliteConnection, ids: &[i64]) -> QueryResult<()> {
    for id in ids {
        diesel::delete(postings::table.filter(postings::segment.eq(id))).execute(connection)?;
        diesel::delete(segments::table.find(id)).execute(connection)?;
    }
    Ok(())
}

/// Removes every list of a collection.
pub(crate) fn drop_all(connection: &mut SqliteConnection, collection: i64) -> QueryResult<()> {
    let all = of_collection(connection, collection)?;
    let ids: Vec<i64> = all.iter().map(|segment| segment.id).collect();
    drop_segments(connection, &ids)
}

/// The lists of a segment in the order of their terms, some at a time.
struct Source {
    segment: Segment,
    read: std::collections::VecDeque<(String, Vec<u8>)>,
    behind: Option<String>,
    ended: bool,
}

impl Source {
    fn new(segment: Segment) -> Self {
        Self {
            segment,
            read: std::collections::VecDeque::new(),
            behind: None,
            ended: false,
        }
    }

    fn fill(&mut self, connection: &mut SqliteConnection) -> QueryResult<()> {
        if self.ended || !self.read.is_empty() {
            return Ok(());
        }
        let rows: Vec<(String, Vec<u8>)> = postings::table
            .filter(postings::segment.eq(self.segment.id))
            .filter(postings::term.gt(self.behind.as_deref().unwrap_or("")))
            .order(postings::term)
            .limit(TERMS_AT_A_TIME)
            .select((postings::term, postings::list))
            .load(connection)?;
        self.ended = rows.is_empty();
        self.behind = rows.last().map(|(term, _)| term.clone());
        self.read = rows.into();
        Ok(())
    }

    fn term(&self) -> Option<&str> {
        self.read.front().map(|(term, _)| term.as_str())
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        self.read.pop_front().map(|(_, list)| list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(sizes: &[i64]) -> Vec<Segment> {
        let mut first = 1;
        let mut all = Vec::new();
        for (id, size) in sizes.iter().enumerate() {
            let id = i64::try_from(id).unwrap();
            all.push(Segment {
                id,
                first,
                last: first + size - 1,
                chunks: *size,
                gone: 0,
            });
            first += size;
        }
        all
    }

    #[test]
    fn small_segments_are_merged_and_large_ones_left() {
        for (sizes, merged) in [
            (&[30_000, 1, 1, 1][..], None),
            (&[30_000, 1, 1, 1, 1], Some(4)),
            (&[30_000, 4, 1, 1, 1], Some(4)),
            (&[30_000, 64, 4, 1], None),
            (&[2_000, 2_000, 2_000, 2_000], None),
            (&[1; 4], Some(4)),
            (&[], None),
        ] {
            let all = segments(sizes);
            assert_eq!(to_merge(&all).map(<[Segment]>::len), merged, "{sizes:?}");
        }
        let many = segments(&[2_000; 25]);
        assert_eq!(to_merge(&many).map(<[Segment]>::len), Some(25));
    }
}
