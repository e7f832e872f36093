//! Words that the index does not know, spelled as it knows them, or at least the words closest to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::analysis::{MARK, STEM};
use crate::schema::postings;
use crate::segments::Segment;

/// Letters of a word from which on one of them may be wrong, and from which on two.
const ONE_WRONG_FROM: usize = 4;
const TWO_WRONG_FROM: usize = 9;
/// Letters of a known word at least.
const KNOWN_FROM: usize = 3;
/// Words that are told as the closest at most.
const CLOSEST: usize = 3;
/// Collections whose words are kept at most.
const COLLECTIONS: usize = 64;
/// Close words that are looked at to find those.
const LOOKED_AT: usize = 32;
/// How alike a word has to be to be told as close.
const ALIKE: f64 = 0.78;

/// The words of one segment. Segments never change, so this is read once.
struct Vocabulary {
    letters: String,
    words: Vec<Known>,
}

struct Known {
    end: u32,
    /// One bit for each letter that stands in it.
    mask: u32,
    chunks: u32,
    count: u8,
}

/// The words of the segments of a collection, by their numbers.
type OfCollection = Vec<(i64, Arc<Vocabulary>)>;

/// The words of collections that were asked about. Those of segments that were merged since go with the next question.
#[derive(Default)]
pub(crate) struct Vocabularies(Mutex<HashMap<i64, OfCollection>>);

/// A word that the index knows in the place of one that it does not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Spelled {
    /// What was meant, as far as that is plain.
    pub meant: Option<String>,
    /// The closest words where it is not.
    pub closest: Vec<String>,
}

impl Vocabularies {
    fn of(
        &self,
        connection: &mut SqliteConnection,
        collection: i64,
        all: &[Segment],
    ) -> QueryResult<OfCollection> {
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&collection)
            .cloned()
            .unwrap_or_default();
        let mut read = Vec::with_capacity(all.len());
        for segment in all {
            let vocabulary = match known.iter().find(|(id, _)| *id == segment.id) {
                Some((_, vocabulary)) => Arc::clone(vocabulary),
                None => Arc::new(Vocabulary::read(connection, segment.id)?),
            };
            read.push((segment.id, vocabulary));
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of other collections are read again when they are asked for.
        if kept.len() >= COLLECTIONS && !kept.contains_key(&collection) {
            kept.clear();
        }
        kept.insert(collection, read.clone());
        Ok(read)
    }

    /// What a word that stands in no chunk was meant to be. `held` says how many chunks hold a known word for whoever asks, given how
    /// many do in all.
    pub(crate) fn spelled(
        &self,
        connection: &mut SqliteConnection,
        (collection, all): (i64, &[Segment]),
        word: &str,
        mut held: impl FnMut(&mut SqliteConnection, &str, u64) -> QueryResult<u64>,
    ) -> QueryResult<Spelled> {
        let letters = word.chars().count();
        if letters < KNOWN_FROM || !word.chars().all(char::is_alphabetic) {
            return Ok(Spelled::default());
        }
        let mut chunks: HashMap<String, u64> = HashMap::new();
        for (_, vocabulary) in self.of(connection, collection, all)? {
            vocabulary.like(word, letters, &mut chunks);
        }
        choose(word, letters, &chunks, |known, all| {
            held(connection, known, all)
        })
    }
}

impl Vocabulary {
    fn read(connection: &mut SqliteConnection, segment: i64) -> QueryResult<Self> {
        let mut vocabulary = Self {
            letters: String::new(),
            words: Vec::new(),
        };
        let rows = postings::table
            .filter(postings::segment.eq(segment))
            .select((postings::term, postings::chunks))
            .load_iter::<(String, i64), diesel::connection::DefaultLoadingMode>(connection)?;
        for row in rows {
            let (term, chunks) = row?;
            let letters = term.chars().count();
            if term.starts_with([STEM, MARK])
                || !(KNOWN_FROM..=24).contains(&letters)
                || !term.chars().all(char::is_alphabetic)
            {
                continue;
            }
            vocabulary.letters.push_str(&term);
            vocabulary.words.push(Known {
                end: u32::try_from(vocabulary.letters.len()).unwrap_or(u32::MAX),
                mask: mask(&term),
                chunks: u32::try_from(chunks).unwrap_or(u32::MAX),
                count: u8::try_from(letters).unwrap_or(u8::MAX),
            });
        }
        vocabulary.letters.shrink_to_fit();
        vocabulary.words.shrink_to_fit();
        Ok(vocabulary)
    }

    /// Adds the words that could be close, with the chunks that hold them.
    fn like(&self, word: &str, letters: usize, found: &mut HashMap<String, u64>) {
        let own = mask(word);
        let start: String = word.chars().take(3).collect();
        let mut begin = 0;
        for known in &self.words {
            let end = known.end as usize;
            let near = usize::from(known.count).abs_diff(letters) <= 2
                && (known.mask ^ own).count_ones() <= 4;
            let text = &self.letters[begin..end];
            begin = end;
            if near || text.starts_with(&start) {
                *found.entry(text.to_owned()).or_default() += u64::from(known.chunks);
            }
        }
    }
}

fn mask(word: &str) -> u32 {
    word.chars()
        .fold(0, |mask, c| mask | 1 << (u32::from(c) % 32))
}

/// By distance, then by how many chunks hold it.
fn choose(
    word: &str,
    letters: usize,
    found: &HashMap<String, u64>,
    mut held: impl FnMut(&str, u64) -> QueryResult<u64>,
) -> QueryResult<Spelled> {
    let allowed = match letters {
        TWO_WRONG_FROM.. => 2,
        ONE_WRONG_FROM.. => 1,
        _ => 0,
    };
    let own = mask(word);
    let mut meant: Vec<(usize, std::cmp::Reverse<u64>, &str)> = Vec::new();
    for (known, chunks) in found {
        let most = if known.chars().count() < ONE_WRONG_FROM {
            0
        } else {
            allowed
        };
        if most > 0 && (mask(known) ^ own).count_ones() as usize <= 2 * most {
            let distance = strsim::osa_distance(word, known);
            if distance <= most {
                let chunks = held(known, *chunks)?;
                if chunks > 0 {
                    meant.push((distance, std::cmp::Reverse(chunks), known));
                }
            }
        }
    }
    meant.sort_unstable();
    if let Some((_, _, best)) = meant.first() {
        return Ok(Spelled {
            meant: Some((*best).to_owned()),
            closest: Vec::new(),
        });
    }
    let mut alike: Vec<(f64, &str, u64)> = found
        .iter()
        .filter(|(known, chunks)| **chunks > 1 && known.chars().count() > KNOWN_FROM)
        .map(|(known, chunks)| (strsim::jaro_winkler(word, known), known.as_str(), *chunks))
        .filter(|(alike, _, _)| *alike >= ALIKE)
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let mut closest = Vec::new();
    for (_, known, chunks) in alike.into_iter().take(LOOKED_AT) {
        if closest.len() < CLOSEST && held(known, chunks)? > 1 {
            closest.push(known.to_owned());
        }
    }
    Ok(Spelled {
        meant: None,
        closest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_spelled_by_distance_then_frequency() {
        let known = [
            ("reservation", 3),
            ("host", 40),
            ("hot", 90),
            ("hose", 2),
            ("vacuum", 9),
            ("replication", 60),
            ("replicator", 50),
        ];
        let spelled = |word: &str| {
            let found = known
                .iter()
                .map(|(word, chunks)| ((*word).to_owned(), *chunks))
                .collect();
            choose(word, word.chars().count(), &found, |_, chunks| Ok(chunks)).unwrap()
        };
        for (word, meant) in [
            ("resrvatoin", Some("reservation")),
            ("hsot", Some("host")),
            ("hos", None),
            ("replicaton", Some("replication")),
            ("vacation", None),
            ("urlaub", None),
        ] {
            assert_eq!(spelled(word).meant.as_deref(), meant, "{word}");
        }
        assert_eq!(spelled("vacumming").closest, ["vacuum"]);
    }
}
