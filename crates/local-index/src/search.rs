//! The best passages for a question. Blocking.
//!
//! The words of the question are looked up in every segment (`question`, `spelling`), their lists are added up (`scoring`), and the
//! best chunks are read, each page at most twice while there are others, with what stands around them (`surroundings`).

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use domain::query::{
    Confidence, Diagnostics, Filters, Found, Meaning, Passage, Readable, RetrievalQuery,
    UnknownWord,
};
use domain::{DocumentId, SpaceKey};

use crate::analysis::{Kind, MARK};
use crate::error::LocalIndexError;
use crate::freshness::Decay;
use crate::fusion::{self, Likeness};
use crate::language::Language;
use crate::options::MeaningWeights;
use crate::postings::Reader;
use crate::quantised::Quantised;
use crate::question::{self, Word};
use crate::schema::{chunks, documents, heading_path, postings};
use crate::scoring::{self, Best, Scored, Walk};
use crate::segments::{self, Segment};
use crate::spelling::Vocabularies;
use crate::surroundings::{self, Neighbour};
use crate::vectors::{self, Model};
use crate::write;

/// What a word counts as it stands, and what its stem.
const EXACT: f32 = 0.5;
const STEMMED: f32 = 0.5;
/// What a name counts as a whole, beside its parts.
const WHOLE: f32 = 1.0;
/// What a word counts that stands in the place of one that the index does not know.
const SPELLED: f32 = 0.8;
/// Passages of one page that are told before those of others.
const OF_A_PAGE: usize = 2;
/// A language counts as one of the index from so many of a thousand passages, and as one of its main languages.
const SPOKEN: i64 = 5;
const MAIN: i64 = 150;

/// What a word is found by in the index.
struct Asked {
    word: Word,
    /// Lists, with the first chunk of their segment and the weight of an impact of 1.
    lists: Vec<(Vec<u8>, i64, f32)>,
    /// What it tells.
    weight: f32,
    unknown: bool,
}

/// What is known of a question's meaning.
#[derive(Default)]
pub(crate) struct Meant {
    /// Whether it is looked for; `None` where that is not set up.
    pub meaning: Option<Meaning>,
    /// Where the question points, by a model.
    pub vector: Option<(Model, Quantised)>,
    /// What it counts.
    pub weights: MeaningWeights,
}

/// Answers a question from one collection.
pub(crate) fn search(
    connection: &mut SqliteConnection,
    vocabularies: &Vocabularies,
    remote_id: &str,
    query: &RetrievalQuery,
    (meant, decay): (&Meant, Option<Decay>),
) -> Result<Found, LocalIndexError> {
    // One snapshot for counting, ranking and reading.
    connection.transaction(|connection| {
        let collection = write::collection(connection, remote_id)?.id;
        let mut index = Index::of(connection, collection)?;
        index.decay = decay;
        let readable = query.filters.readable.as_ref();
        if let Some(readable) = readable.filter(|readable| readable.leaves_out()) {
            index.show_only(connection, readable)?;
        }
        let languages = index.languages(connection, SPOKEN)?;
        let mut diagnostics = Diagnostics {
            confidence: Confidence::None,
            candidates: Some(0),
            languages: languages
                .iter()
                .map(|language| language.name().to_owned())
                .collect(),
            meaning: meant.meaning,
            ..Diagnostics::default()
        };
        let mut asked = Vec::new();
        for word in question::words(&query.text, &languages) {
            asked.push(index.ask(connection, word)?);
        }
        for asked in asked.iter_mut().filter(|asked| asked.unknown) {
            let unknown = index.respell(connection, vocabularies, asked, &languages)?;
            diagnostics.unknown_words.push(unknown);
        }
        let filters = filters_named(&query.filters);
        let ranges = match filters.is_empty() {
            true => index.readable.clone(),
            false => Some(index.ranges(connection, &query.filters)?),
        };
        let wanted = usize::try_from(query.top_k).unwrap_or(usize::MAX);
        let likeness = match &meant.vector {
            Some((model, question)) => {
                vectors::likeness(connection, model, collection, question, ranges.as_deref())?
            }
            None => Likeness::default(),
        };
        let likeness = (likeness, meant.weights);
        let (best, places) = index.best(connection, &asked, ranges.as_deref(), likeness, wanted)?;
        diagnostics.candidates = Some(best.candidates);
        if places.is_empty() && !filters.is_empty() {
            let by_words = (Likeness::default(), meant.weights);
            let readable = index.readable.as_deref();
            let (_, unfiltered) = index.best(connection, &asked, readable, by_words, 1)?;
            if !unfiltered.is_empty() {
                diagnostics.emptied_by = filters;
            }
        }
        if let Some((best, _)) = places.first() {
            diagnostics.best_score = Some(f64::from(best.score));
            judge(&mut diagnostics, &asked, best.words);
        }
        let passages = read(connection, places, wanted, query.room)?;
        Ok(Found {
            passages,
            diagnostics,
        })
    })
}

/// The main languages of a collection, the most frequent first.
pub(crate) fn languages(
    connection: &mut SqliteConnection,
    remote_id: &str,
) -> Result<Vec<String>, LocalIndexError> {
    let collection = write::collection(connection, remote_id)?.id;
    let index = Index::of(connection, collection)?;
    let languages = index.languages(connection, MAIN)?;
    Ok(languages
        .into_iter()
        .map(|language| language.name().to_owned())
        .collect())
}

/// How surely the best passage answers, by the words that it holds.
fn judge(diagnostics: &mut Diagnostics, asked: &[Asked], held: u32) {
    let (mut all, mut here) = (0.0, 0.0);
    for (at, asked) in asked
        .iter()
        .enumerate()
        .filter(|(_, asked)| asked.word.kind != Kind::Whole)
    {
        all += f64::from(asked.weight);
        if held & bit(at) != 0 {
            here += f64::from(asked.weight);
        } else if !asked.unknown {
            diagnostics.missing_words.push(asked.word.typed.clone());
        }
    }
    diagnostics.confidence = Confidence::of_share(if all > 0.0 { here / all } else { 1.0 });
}

const fn bit(at: usize) -> u32 {
    1 << (if at > 31 { 31 } else { at })
}

fn filters_named(filters: &Filters) -> Vec<String> {
    let named = [
        ("space", filters.space.is_some()),
        ("label", filters.label.is_some()),
        ("updated_after", filters.updated_after.is_some()),
        ("under", filters.under.is_some()),
    ];
    named
        .into_iter()
        .filter(|(_, set)| *set)
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// A collection as one question sees it.
struct Index {
    collection: i64,
    segments: Vec<Segment>,
    chunks: i64,
    /// The chunks that whoever asks may read, where those are not all: nothing else is ranked, counted or known.
    readable: Option<Vec<(i64, i64)>>,
    /// Whether and how age counts.
    decay: Option<Decay>,
}

/// A list of a segment, and the number of the segment's first chunk.
type List = (Vec<u8>, i64);

impl Index {
    fn of(connection: &mut SqliteConnection, collection: i64) -> QueryResult<Self> {
        let segments = segments::of_collection(connection, collection)?;
        Ok(Self {
            collection,
            chunks: segments.iter().map(Segment::left).sum::<i64>().max(1),
            segments,
            readable: None,
            decay: None,
        })
    }

    /// From here on as an index of nothing but what may be read.
    fn show_only(
        &mut self,
        connection: &mut SqliteConnection,
        readable: &Readable,
    ) -> QueryResult<()> {
        let only = Filters {
            readable: Some(readable.clone()),
            ..Filters::default()
        };
        let ranges = self.ranges(connection, &only)?;
        let chunks = ranges.iter().map(|(first, last)| last - first + 1);
        self.chunks = chunks.sum::<i64>().max(1);
        self.readable = Some(ranges);
        Ok(())
    }

    /// How many of a list's chunks count, given how many there are.
    fn held(&self, all: i64, list: &[u8], first: i64) -> i64 {
        let Some(readable) = &self.readable else {
            return all;
        };
        let mut ranges = readable.iter();
        let mut range = ranges.next();
        let mut held = 0;
        for (chunk, _) in Reader::new(list, first) {
            while range.is_some_and(|(_, last)| *last < chunk) {
                range = ranges.next();
            }
            match range {
                Some((first, _)) => held += i64::from(*first <= chunk),
                None => break,
            }
        }
        held
    }

    /// The languages in which so many of a thousand passages are written, the most frequent first.
    fn languages(
        &self,
        connection: &mut SqliteConnection,
        of_a_thousand: i64,
    ) -> QueryResult<Vec<Language>> {
        let mut spoken: HashMap<String, i64> = HashMap::new();
        let (from, to) = (MARK.to_string(), format!("{MARK}\u{7f}"));
        for segment in &self.segments {
            let rows: Vec<(String, i64)> = postings::table
                .filter(postings::segment.eq(segment.id))
                .filter(postings::term.between(&from, &to))
                .select((postings::term, postings::chunks))
                .load(connection)?;
            for (term, chunks) in rows {
                *spoken.entry(term).or_default() += chunks;
            }
        }
        if self.readable.is_some() {
            for (term, chunks) in &mut spoken {
                *chunks = self.list(connection, term)?.0;
            }
        }
        let mut spoken: Vec<(i64, Language)> = spoken
            .into_iter()
            .filter(|(_, chunks)| *chunks * 1000 >= self.chunks * of_a_thousand)
            .filter_map(|(term, chunks)| {
                Some((-chunks, Language::named(term.trim_start_matches(MARK))?))
            })
            .collect();
        spoken.sort_unstable();
        Ok(spoken.into_iter().map(|(_, language)| language).collect())
    }

    /// How many of the chunks that count hold a term, and its list of each segment with the number of the segment's first chunk.
    fn list(&self, connection: &mut SqliteConnection, term: &str) -> QueryResult<(i64, Vec<List>)> {
        let mut chunks = 0;
        let mut lists = Vec::new();
        for segment in &self.segments {
            let row: Option<(i64, Vec<u8>)> = postings::table
                .filter(
                    postings::segment
                        .eq(segment.id)
                        .and(postings::term.eq(term)),
                )
                .select((postings::chunks, postings::list))
                .first(connection)
                .optional()?;
            if let Some((held, list)) = row {
                chunks += self.held(held, &list, segment.first);
                lists.push((list, segment.first));
            }
        }
        Ok((chunks, lists))
    }

    /// Rarity of a term that so many chunks hold.
    #[expect(clippy::cast_precision_loss, reason = "numbers of chunks")]
    fn rarity(&self, held: i64) -> f32 {
        let (all, held) = (self.chunks.max(held) as f32, held as f32);
        (1.0 + (all - held + 0.5) / (held + 0.5)).ln()
    }

    fn ask(&self, connection: &mut SqliteConnection, word: Word) -> QueryResult<Asked> {
        let (held, lists) = self.list(connection, &word.exact)?;
        let rarity = self.rarity(held);
        let factor = match word.kind {
            Kind::Whole => WHOLE,
            Kind::Word if !word.stems.is_empty() => EXACT,
            _ => EXACT + STEMMED,
        };
        let mut all: Vec<(Vec<u8>, i64, f32)> = lists
            .into_iter()
            .map(|(list, first)| (list, first, rarity * factor))
            .collect();
        let mut most = held;
        for stem in &word.stems {
            let (held, lists) = self.list(connection, stem)?;
            most = most.max(held);
            let weight = self.rarity(held) * STEMMED;
            all.extend(lists.into_iter().map(|(list, first)| (list, first, weight)));
        }
        Ok(Asked {
            unknown: most == 0 && word.kind == Kind::Word,
            weight: self.rarity(most),
            lists: all,
            word,
        })
    }

    /// Looks for a word as the index spells it in the place of one that it does not know.
    fn respell(
        &self,
        connection: &mut SqliteConnection,
        vocabularies: &Vocabularies,
        asked: &mut Asked,
        languages: &[Language],
    ) -> QueryResult<UnknownWord> {
        let of_index = (self.collection, self.segments.as_slice());
        let held = |connection: &mut SqliteConnection, known: &str, all| match &self.readable {
            None => Ok(all),
            Some(_) => Ok(self.list(connection, known)?.0.unsigned_abs()),
        };
        let spelled = vocabularies.spelled(connection, of_index, &asked.word.exact, held)?;
        if let Some(meant) = &spelled.meant {
            let found = self.ask(connection, Word::plain(meant, languages))?;
            asked.weight = found.weight * SPELLED;
            let lists = found.lists.into_iter();
            asked.lists = lists
                .map(|(list, first, weight)| (list, first, weight * SPELLED))
                .collect();
        }
        Ok(UnknownWord {
            word: asked.word.typed.clone(),
            searched_for: spelled.meant,
            closest: spelled.closest,
        })
    }

    /// Ranges of the chunks that are there and pass the filters, ascending.
    fn ranges(
        &self,
        connection: &mut SqliteConnection,
        filters: &Filters,
    ) -> QueryResult<Vec<(i64, i64)>> {
        let mut query = documents::table
            .filter(documents::collection.eq(self.collection))
            .into_boxed();
        if let Some(space) = &filters.space {
            query = query.filter(documents::space.eq(space.as_str()));
        }
        let readable = filters.readable.as_ref();
        if let Some(readable) = readable.filter(|readable| readable.sees_fewer_spaces()) {
            let spaces = readable.spaces.iter().map(SpaceKey::as_str);
            query = query.filter(documents::space.eq_any(spaces.collect::<Vec<_>>()));
        }
        if let Some(after) = filters.updated_after {
            query = query.filter(documents::updated.gt(after.timestamp()));
        }
        let label = filters.label.as_ref().map(|label| format!("|{label}|"));
        let hidden = readable.map(|readable| &readable.hidden);
        let hidden = hidden.filter(|hidden| !hidden.is_empty());
        let by_page = filters.under.is_some() || hidden.is_some();
        let is_wanted = |id: String| {
            !by_page
                || DocumentId::new(id).page().is_some_and(|(_, page)| {
                    let under = filters.under.as_ref();
                    under.is_none_or(|under| under.holds(&page))
                        && hidden.is_none_or(|hidden| !hidden.contains(&page))
                })
        };
        let rows: Vec<(i64, i64, String, String)> = query
            .select((
                documents::first_chunk,
                documents::chunks,
                documents::labels,
                documents::id,
            ))
            .load(connection)?;
        let mut ranges: Vec<(i64, i64)> = rows
            .into_iter()
            .filter(|(_, _, labels, _)| {
                label
                    .as_ref()
                    .is_none_or(|label| labels.contains(label.as_str()))
            })
            .filter_map(|(first, count, _, id)| is_wanted(id).then_some((first, first + count - 1)))
            .collect();
        ranges.sort_unstable();
        Ok(ranges)
    }

    /// The best chunks that are still there, with their places, some more than wanted so that pages can take turns.
    fn best(
        &self,
        connection: &mut SqliteConnection,
        asked: &[Asked],
        ranges: Option<&[(i64, i64)]>,
        (likeness, weights): (Likeness, MeaningWeights),
        wanted: usize,
    ) -> QueryResult<(Best, Vec<(Scored, Place)>)> {
        let look = wanted * 2 + 16;
        let (mut best, all_by_words) = scored(asked, ranges, &likeness, weights, look);
        let found = places(connection, &best.chunks, self.decay)?;
        if all_by_words {
            // All of them were looked at, so those that are gone are not counted.
            let by_words = found.iter().filter(|(scored, _)| scored.words != 0);
            best.candidates = u64::try_from(by_words.count()).unwrap_or(u64::MAX);
        }
        if found.len() >= wanted || (all_by_words && likeness.is_empty()) {
            return Ok((best, found));
        }
        // Too many of the best are gone: once more among those that are there.
        let there = match ranges {
            Some(ranges) => ranges.to_vec(),
            None => self.ranges(connection, &Filters::default())?,
        };
        let within = likeness.within(&there);
        let (best, _) = scored(asked, Some(&there), &within, weights, look);
        let found = places(connection, &best.chunks, self.decay)?;
        Ok((best, found))
    }
}

/// The best `look` chunks by the lists of all words and by meaning, those among them that are gone included unless `ranges` leave them
/// out; and whether they are all that there are.
fn scored(
    asked: &[Asked],
    ranges: Option<&[(i64, i64)]>,
    likeness: &Likeness,
    of_meaning: MeaningWeights,
    look: usize,
) -> (Best, bool) {
    let weights: Vec<f32> = asked.iter().map(|asked| asked.weight).collect();
    let mut walks = Vec::new();
    for (word, asked) in (0_u32..).zip(asked) {
        for (list, first, weight) in &asked.lists {
            walks.push(Walk::new(list, *first, *weight, word));
        }
    }
    if likeness.is_empty() {
        let best = scoring::best(walks, &weights, ranges, &[], look);
        let all = best.chunks.len() < look;
        return (best, all);
    }
    let nearest = likeness.nearest();
    let mut best = scoring::best(
        walks,
        &weights,
        ranges,
        &nearest.chunks,
        look.max(fusion::NEAREST),
    );
    let words = asked.iter().filter(|asked| asked.word.kind != Kind::Whole);
    let unknown = words.clone().filter(|asked| asked.unknown).count();
    let weight = fusion::weight(of_meaning, words.count(), unknown);
    let mut by_words = std::mem::take(&mut best.chunks);
    by_words.append(&mut best.also);
    best.chunks = fusion::fused(by_words, &nearest, likeness, weight);
    // Reading where each stands takes longer than all of the above.
    let all = best.chunks.len() < look;
    best.chunks.truncate(look);
    (best, all)
}

/// Where a chunk stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    document: i64,
    first: i64,
    count: i64,
}

/// Where the best chunks stand that are still there, the best first; where age counts, by what it leaves of their scores.
fn places(
    connection: &mut SqliteConnection,
    best: &[Scored],
    decay: Option<Decay>,
) -> QueryResult<Vec<(Scored, Place)>> {
    let rows: Vec<(i64, i64, i64, i64, i64)> = chunks::table
        .inner_join(documents::table)
        .filter(chunks::id.eq_any(best.iter().map(|scored| scored.chunk)))
        .select((
            chunks::id,
            documents::key,
            documents::first_chunk,
            documents::chunks,
            documents::updated,
        ))
        .load(connection)?;
    let rows: HashMap<i64, (Place, i64)> = rows
        .into_iter()
        .map(|(id, document, first, count, updated)| {
            let place = Place {
                document,
                first,
                count,
            };
            (id, (place, updated))
        })
        .collect();
    let mut found: Vec<(Scored, Place)> = best
        .iter()
        .filter_map(|scored| {
            let (place, updated) = rows.get(&scored.chunk)?;
            let weight = decay.map_or(1.0, |decay| decay.weight(*updated));
            let score = scored.score * weight;
            Some((Scored { score, ..*scored }, *place))
        })
        .collect();
    if decay.is_some() {
        found.sort_by(|(a, _), (b, _)| b.score.total_cmp(&a.score));
    }
    Ok(found)
}

/// The order in which passages are told: by score, but a page's third and later ones behind the first ones of others.
fn in_turn(places: Vec<(Scored, Place)>) -> Vec<(Scored, Place)> {
    let mut told: HashMap<i64, usize> = HashMap::new();
    let (mut first, mut later) = (Vec::with_capacity(places.len()), Vec::new());
    for (scored, place) in places {
        let of_page = told.entry(place.document).or_default();
        *of_page += 1;
        match *of_page <= OF_A_PAGE {
            true => first.push((scored, place)),
            false => later.push((scored, place)),
        }
    }
    first.append(&mut later);
    first
}

type Row = (i64, String, String, Option<String>, String);

/// The texts that stand around those hits beside which there is room.
fn around(
    connection: &mut SqliteConnection,
    order: &[(Scored, Place)],
    rows: &HashMap<i64, Row>,
    room: usize,
) -> QueryResult<HashMap<i64, String>> {
    let mut ids: Vec<i64> = Vec::new();
    for (scored, place) in order {
        let size = rows.get(&scored.chunk).map_or(room, |row| row.4.len());
        if size + surroundings::WORTH_IT <= room {
            let last = place.first + place.count - 1;
            let reach = (scored.chunk - surroundings::REACH).max(place.first)
                ..=(scored.chunk + surroundings::REACH).min(last);
            ids.extend(reach.filter(|chunk| !rows.contains_key(chunk)));
        }
    }
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let texts: Vec<(i64, String)> = chunks::table
        .filter(chunks::id.eq_any(&ids))
        .select((chunks::id, chunks::text))
        .load(connection)?;
    Ok(texts.into_iter().collect())
}

/// Reads the passages, each with what stands around it as far as there is room.
fn read(
    connection: &mut SqliteConnection,
    places: Vec<(Scored, Place)>,
    wanted: usize,
    room: usize,
) -> QueryResult<Vec<Passage>> {
    let order = in_turn(places);
    // What is shown in the surroundings of another need not be told again, so a few more are read than are wanted.
    let order = &order[..order.len().min(wanted + wanted / 2)];
    let rows: Vec<Row> = chunks::table
        .inner_join(documents::table)
        .filter(chunks::id.eq_any(order.iter().map(|(scored, _)| scored.chunk)))
        .select((
            chunks::id,
            documents::id,
            chunks::headings,
            chunks::anchor,
            chunks::text,
        ))
        .load(connection)?;
    let rows: HashMap<i64, Row> = rows.into_iter().map(|row| (row.0, row)).collect();
    let around = around(connection, order, &rows, room)?;
    let text_of = |chunk: i64| {
        let own = rows.get(&chunk).map(|row| row.4.as_str());
        own.or_else(|| around.get(&chunk).map(String::as_str))
    };
    let mut passages = Vec::with_capacity(wanted);
    let mut shown: Vec<i64> = Vec::new();
    // What waited for its turn is told with the score of its place, so that scores fall.
    let mut least = f32::INFINITY;
    for (scored, place) in order {
        if passages.len() == wanted {
            break;
        }
        let Some((_, document, headings, anchor, text)) = rows.get(&scored.chunk) else {
            continue;
        };
        if shown.contains(&scored.chunk) {
            continue;
        }
        let neighbour = |chunk: i64| {
            let of_page = (place.first..place.first + place.count).contains(&chunk);
            let text = text_of(chunk).filter(|_| of_page && !shown.contains(&chunk))?;
            Some(Neighbour { chunk, text })
        };
        let (text, with) = surroundings::widened(
            Neighbour {
                chunk: scored.chunk,
                text,
            },
            neighbour,
            room,
        );
        shown.extend(with);
        least = least.min(scored.score);
        passages.push(Passage {
            document: DocumentId::new(document.clone()),
            text,
            score: f64::from(least),
            heading_path: heading_path(headings),
            anchor: anchor.clone(),
        });
    }
    Ok(passages)
}
