//! Questions that found little: a list for the administrator to learn from what the wiki lacks, or says in other words.
//!
//! Who asked is not kept. What was asked is personal data all the same: nothing is kept unless the operator says for how long.
//! Questions that differ in case, spaces or their last mark are one, which is counted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::query::{Answer, AnswerSource, Confidence};
use crate::{IndexId, Timestamp};

/// Questions that are kept of an index at most; those asked last stay.
pub const KEPT: usize = 500;
/// Questions that wait to be written at most; in a flood others are not noted.
pub const WAITING: usize = 500;
/// Characters that are kept of a question.
const CHARS: usize = 300;
/// Words without a page that are kept of a question.
const WORDS: usize = 10;

/// How little a question found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FoundLittle {
    /// No passage.
    Nothing,
    /// Passages that lack most of what the question asks for.
    LowConfidence,
    /// Passages, but words of the question stand in no page.
    UnknownWords,
}

impl FoundLittle {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::LowConfidence => "low_confidence",
            Self::UnknownWords => "unknown_words",
        }
    }

    /// The one with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Nothing, Self::LowConfidence, Self::UnknownWords]
            .into_iter()
            .find(|found| found.as_str() == word)
    }

    /// Of an answer, if it found little. Where the index did not answer by itself, or filters of the asker took everything away,
    /// that says nothing of what the wiki holds.
    #[must_use]
    pub fn of(answer: &Answer) -> Option<Self> {
        let told = &answer.diagnostics;
        let filtered = !told.emptied_by.is_empty() || told.pages_under == Some(0);
        if answer.source != AnswerSource::Index || answer.as_of.is_none() || filtered {
            return None;
        }
        match told.confidence {
            _ if answer.results.is_empty() => Some(Self::Nothing),
            Confidence::Low => Some(Self::LowConfidence),
            _ if !unknown_words(answer).is_empty() => Some(Self::UnknownWords),
            _ => None,
        }
    }
}

/// Words of the question that stand in no page, but for those that were searched for as the index spells them.
fn unknown_words(answer: &Answer) -> Vec<String> {
    let unknown = answer.diagnostics.unknown_words.iter();
    unknown
        .filter(|word| word.searched_for.is_none())
        .map(|word| word.word.clone())
        .take(WORDS)
        .collect()
}

/// A question that found little, as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Question {
    /// By what it is deleted.
    pub id: String,
    /// The question as it was asked first, its beginning where it is long.
    pub question: String,
    /// How often it was asked.
    pub times: i64,
    /// When it was asked first.
    pub first_asked_at: DateTime<Utc>,
    /// When it was asked last.
    pub last_asked_at: DateTime<Utc>,
    /// How little it found then.
    pub found: FoundLittle,
    /// Words of it that stood in no page then.
    pub unknown_words: Vec<String>,
}

/// A question on its way into the list of an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Of which index.
    pub index: IndexId,
    /// The question; its times and dates are those since it was last written.
    pub question: Question,
}

/// Questions that were asked and are not yet written: bounded, so that a flood costs neither memory nor rows.
#[derive(Debug, Default)]
pub struct Waiting {
    asked: HashMap<(IndexId, String), Question>,
    left_out: u64,
}

impl Waiting {
    /// Notes a question if its answer says that it found little.
    pub fn note(&mut self, index: IndexId, question: &str, answer: &Answer, now: Timestamp) {
        let Some(found) = FoundLittle::of(answer) else {
            return;
        };
        let id = id_of(question);
        let full = self.asked.len() >= WAITING;
        match self.asked.entry((index, id.clone())) {
            Entry::Vacant(_) if full => self.left_out += 1,
            Entry::Vacant(place) => {
                place.insert(Question {
                    id,
                    question: question.trim().chars().take(CHARS).collect(),
                    times: 1,
                    first_asked_at: now,
                    last_asked_at: now,
                    found,
                    unknown_words: unknown_words(answer),
                });
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.times += 1;
                known.last_asked_at = now;
                known.found = found;
                known.unknown_words = unknown_words(answer);
            }
        }
    }

    /// What is to be written, and how many questions found no room.
    pub fn take(&mut self) -> (Vec<Asked>, u64) {
        let asked = std::mem::take(&mut self.asked).into_iter();
        let asked = asked.map(|((index, _), question)| Asked { index, question });
        (asked.collect(), std::mem::take(&mut self.left_out))
    }
}

/// The same for questions that are one: 32 hex digits.
fn id_of(question: &str) -> String {
    let words: Vec<String> = question.split_whitespace().map(str::to_lowercase).collect();
    let normal = words.join(" ");
    let normal = normal.trim_end_matches(|c: char| c.is_ascii_punctuation() || c.is_whitespace());
    let mut id = blake3::hash(normal.as_bytes()).to_hex().to_string();
    id.truncate(32);
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{Diagnostics, UnknownWord};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap_or_default()
    }

    fn answer(confidence: Confidence, results: usize) -> Answer {
        let result: serde_json::Value = serde_json::json!({"text": "x", "score": 1.0, "page": {
            "id": "1", "kind": "page", "title": "T", "url": "https://x/1", "space_key": "ENG", "version": 1,
            "last_modified": "2026-01-01T00:00:00Z", "labels": [], "breadcrumb": [], "state": "searchable",
            "reason": null, "attempts": 0, "next_try_at": null, "section": null, "anchor": null}});
        let result = serde_json::from_value(result).unwrap();
        Answer {
            results: vec![result; results],
            as_of: Some(at(0)),
            stale: false,
            source: AnswerSource::Index,
            diagnostics: Diagnostics {
                confidence,
                ..Diagnostics::default()
            },
        }
    }

    fn unknown(word: &str, searched_for: Option<&str>) -> UnknownWord {
        UnknownWord {
            word: word.to_owned(),
            searched_for: searched_for.map(str::to_owned),
            closest: Vec::new(),
        }
    }

    #[test]
    fn only_what_the_index_itself_lacks_is_noted() {
        use FoundLittle::{LowConfidence, Nothing, UnknownWords};
        for (confidence, results, found) in [
            (Confidence::None, 0, Some(Nothing)),
            (Confidence::Unknown, 0, Some(Nothing)),
            (Confidence::Low, 3, Some(LowConfidence)),
            (Confidence::Unknown, 3, None),
            (Confidence::Medium, 3, None),
            (Confidence::High, 3, None),
        ] {
            let given = answer(confidence, results);
            assert_eq!(FoundLittle::of(&given), found, "{confidence:?} {results}");
            for other in [
                Answer {
                    as_of: None,
                    ..given.clone()
                },
                Answer {
                    source: AnswerSource::Live,
                    ..given.clone()
                },
                Answer {
                    source: AnswerSource::Both,
                    ..given.clone()
                },
            ] {
                assert_eq!(FoundLittle::of(&other), None);
            }
            let mut filtered = given.clone();
            filtered.diagnostics.emptied_by = vec!["label".to_owned()];
            assert_eq!(FoundLittle::of(&filtered), None);
        }
        let mut given = answer(Confidence::Medium, 3);
        given.diagnostics.unknown_words = vec![unknown("reservaton", Some("reservation"))];
        assert_eq!(FoundLittle::of(&given), None);
        given
            .diagnostics
            .unknown_words
            .push(unknown("vacation", None));
        assert_eq!(FoundLittle::of(&given), Some(UnknownWords));
        for found in [Nothing, LowConfidence, UnknownWords] {
            assert_eq!(FoundLittle::parse(found.as_str()), Some(found));
        }
    }

    #[test]
    fn one_question_in_several_spellings_is_counted_and_kept_as_it_was_first_asked() {
        let (index, other) = (IndexId::generate(), IndexId::generate());
        let mut waiting = Waiting::default();
        let nothing = answer(Confidence::None, 0);
        for (second, text) in [
            (1, " Vacation days?"),
            (2, "vacation  DAYS"),
            (3, "Vacation days?!"),
        ] {
            waiting.note(index, text, &nothing, at(second));
        }
        waiting.note(other, "vacation days", &nothing, at(4));
        waiting.note(index, "found", &answer(Confidence::High, 1), at(5));
        let (mut asked, left_out) = waiting.take();
        asked.retain(|asked| asked.index == index);
        assert_eq!((asked.len(), left_out), (1, 0));
        let question = &asked[0].question;
        assert_eq!(question.question, "Vacation days?");
        assert_eq!(
            (
                question.times,
                question.first_asked_at,
                question.last_asked_at
            ),
            (3, at(1), at(3))
        );
        assert!(waiting.take().0.is_empty());
    }

    #[test]
    fn a_flood_is_bounded_and_known_questions_still_count() {
        let index = IndexId::generate();
        let mut waiting = Waiting::default();
        let nothing = answer(Confidence::None, 0);
        for number in 0..2_000 {
            let long = format!("{number} {}", "ü".repeat(5_000));
            waiting.note(index, &long, &nothing, at(0));
        }
        waiting.note(index, &format!("0 {}", "Ü".repeat(5_000)), &nothing, at(9));
        let (asked, left_out) = waiting.take();
        assert_eq!((asked.len(), left_out), (WAITING, 1_500));
        assert!(
            asked
                .iter()
                .all(|a| a.question.question.chars().count() == CHARS)
        );
        assert_eq!(asked.iter().map(|a| a.question.times).max(), Some(2));
    }
}
