//! How well an index answers: questions whose right pages are known, and the figures that come of asking them.
//!
//! One mechanism for the command and for what an index is asked on a schedule. This module must not know how questions are read
//! or who answers them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::query::{Answer, QueryResult};
use crate::{IndexId, Timestamp};

/// Questions of an evaluation on a schedule at most.
pub const MAX_QUESTIONS: usize = 500;
/// Kinds of its questions at most: each has a row and figures of its own.
pub const MAX_KINDS: usize = 20;
/// Passages that a question of a schedule asks for: enough for ten pages.
pub const PASSAGES: u32 = 20;
/// Results that are kept of an index at most, the newest.
pub const KEPT_RESULTS: usize = 400;
/// The answer is looked for in so many passages.
const ANSWER_IN: usize = 8;

/// A question whose right pages are known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The question.
    pub question: String,
    /// Ids or titles of its right pages; any of them is right.
    pub pages: Vec<String>,
    /// Questions of a kind are also told by themselves.
    #[serde(default)]
    pub kind: Option<String>,
    /// Words of which a passage of a right page is to hold any.
    #[serde(default)]
    pub answer: Vec<String>,
}

/// How one question went.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Went {
    /// The question.
    pub question: String,
    /// Its kind.
    pub kind: Option<String>,
    /// Place of the first right page among the pages that were found, from 1.
    pub rank: Option<usize>,
    /// Place of the first passage, of the first eight, that holds the answer; null also where none was given.
    pub answer: Option<usize>,
    /// Whether it gives an answer to look for.
    #[serde(skip)]
    pub answerable: bool,
    /// The title of the page that was found first.
    pub first_page: Option<String>,
    /// How long the answer took.
    pub milliseconds: f64,
}

/// How some questions went. Shares are from 0 to 1.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Figures {
    /// How many they are.
    pub questions: usize,
    /// The share that found a right page first.
    pub hit_1: f64,
    /// The share that found one among the first three pages.
    pub hit_3: f64,
    /// The share that found one among the first ten pages, as far as so many were asked for.
    pub hit_10: f64,
    /// The share that found one at all.
    pub recall: f64,
    /// The mean of one over the place of the first right page.
    pub mrr: f64,
    /// The share that found its answer in the first eight passages, of the questions that give one; null where none does.
    pub answer: Option<f64>,
    /// Half of the answers took at most so long.
    pub p50_milliseconds: f64,
    /// 95 of 100 answers took at most so long.
    pub p95_milliseconds: f64,
}

/// How all questions went.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Report {
    /// Passages that each asked for.
    pub k: u32,
    /// All questions together.
    pub all: Figures,
    /// Those of each kind.
    pub kinds: BTreeMap<String, Figures>,
    /// Pages of the questions that the index does not hold: such a question cannot succeed by them.
    pub unknown_pages: Vec<String>,
    /// One by one.
    pub questions: Vec<Went>,
}

/// What an index is asked on a schedule.
#[derive(Clone, PartialEq, Debug)]
pub struct Evaluation {
    /// The index.
    pub index: IndexId,
    /// The questions as the administrator wrote them: the text of a file.
    pub questions: String,
    /// When they are asked, every day; `None`: when somebody says so.
    pub schedule: Option<crate::daily::DailyAt>,
    /// When the questions were set.
    pub set_at: Timestamp,
    /// Since when somebody wants them asked now.
    pub wanted_at: Option<Timestamp>,
    /// When they were asked last, to the end or not.
    pub ran_at: Option<Timestamp>,
    /// Why the last time came to no figures, in words.
    pub error: Option<String>,
    /// Pages that the questions of last time named and the index did not hold.
    pub unknown_pages: Vec<String>,
    /// Questions that found no right page last time.
    pub missed: Vec<String>,
}

impl Evaluation {
    /// When the questions are to be asked next; `None`: when somebody says so.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        if self.wanted_at.is_some() {
            return Some(now);
        }
        // What was set after the time of day has its first go the day after: setting it wants one already.
        let done = self.ran_at.unwrap_or(self.set_at);
        Some(self.schedule?.due(Some(done), now))
    }
}

/// What an evaluation came to, as it is kept.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvaluationResult {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// All questions together.
    pub all: Figures,
    /// Those of each kind.
    pub kinds: BTreeMap<String, Figures>,
}

/// What is wrong with questions for a schedule, by the place of the question from 1; nothing: they are fine.
#[must_use]
pub fn troubles(questions: &[Question]) -> Vec<String> {
    let mut wrong = Vec::new();
    if questions.is_empty() {
        wrong.push("holds no question".to_owned());
    }
    if questions.len() > MAX_QUESTIONS {
        wrong.push(format!(
            "holds {} questions; at most {MAX_QUESTIONS} are asked",
            questions.len()
        ));
    }
    let kinds: BTreeSet<&str> = questions.iter().filter_map(|q| q.kind.as_deref()).collect();
    if kinds.len() > MAX_KINDS {
        wrong.push(format!(
            "holds {} kinds; at most {MAX_KINDS} have figures of their own",
            kinds.len()
        ));
    }
    if kinds
        .iter()
        .any(|kind| kind.is_empty() || kind.chars().count() > 60)
    {
        wrong.push("has a kind that is empty or longer than 60 characters".to_owned());
    }
    for (place, question) in questions.iter().enumerate() {
        let at = place + 1;
        let length = question.question.trim().chars().count();
        if length == 0 || length > 1_000 {
            wrong.push(format!("question {at} must have 1 to 1000 characters"));
        }
        if question.pages.iter().all(|page| page.trim().is_empty()) {
            wrong.push(format!(
                "question {at} names no page: `pages` takes ids or titles, any of which is right"
            ));
        }
    }
    wrong
}

/// The pages that questions name: ids or titles.
#[must_use]
pub fn named_pages(questions: &[Question]) -> BTreeSet<String> {
    let pages = questions.iter().flat_map(|question| &question.pages);
    pages.cloned().collect()
}

/// Whether a page is meant by this id or title; case does not matter.
#[must_use]
pub fn is_page(name: &str, id: &str, title: &str) -> bool {
    name == id || name.to_lowercase() == title.to_lowercase()
}

/// How a question went, by its answer.
#[must_use]
pub fn went(question: &Question, answer: &Answer, milliseconds: f64) -> Went {
    let mut pages: Vec<(&str, &str)> = Vec::new();
    let mut place = None;
    for (at, result) in answer.results.iter().enumerate() {
        let page = page_of(result);
        if !pages.contains(&page) {
            pages.push(page);
        }
        let text = result.text.to_lowercase();
        let holds = question
            .answer
            .iter()
            .any(|words| text.contains(&words.to_lowercase()));
        if at < ANSWER_IN && place.is_none() && holds && is_right(question, page) {
            place = Some(at + 1);
        }
    }
    Went {
        question: question.question.clone(),
        kind: question.kind.clone(),
        rank: pages
            .iter()
            .position(|page| is_right(question, *page))
            .map(|at| at + 1),
        answer: place,
        answerable: !question.answer.is_empty(),
        first_page: pages.first().map(|(_, title)| (*title).to_owned()),
        milliseconds,
    }
}

fn page_of(result: &QueryResult) -> (&str, &str) {
    let page = &result.page.page;
    (page.id.as_str(), page.title.as_str())
}

fn is_right(question: &Question, (id, title): (&str, &str)) -> bool {
    question.pages.iter().any(|name| is_page(name, id, title))
}

/// The figures of all questions and of each kind.
#[must_use]
pub fn report(k: u32, questions: Vec<Went>, unknown_pages: Vec<String>) -> Report {
    let mut kinds: BTreeMap<String, Vec<&Went>> = BTreeMap::new();
    for went in &questions {
        if let Some(kind) = &went.kind {
            kinds.entry(kind.clone()).or_default().push(went);
        }
    }
    let kinds = kinds
        .into_iter()
        .map(|(kind, some)| (kind, Figures::of(&some)))
        .collect();
    let all = Figures::of(&questions.iter().collect::<Vec<_>>());
    Report {
        k,
        all,
        kinds,
        unknown_pages,
        questions,
    }
}

impl Figures {
    /// Of these questions; of none all shares are 0.
    #[must_use]
    pub fn of(some: &[&Went]) -> Self {
        let share = |count: usize, of: usize| quotient(count, of.max(1));
        let within = |most: usize| {
            let hits = some
                .iter()
                .filter(|went| went.rank.is_some_and(|rank| rank <= most));
            share(hits.count(), some.len())
        };
        let answerable = some.iter().filter(|went| went.answerable).count();
        let answered = some.iter().filter(|went| went.answer.is_some()).count();
        let mut millis: Vec<f64> = some.iter().map(|went| went.milliseconds).collect();
        millis.sort_by(f64::total_cmp);
        // Not `sum`: of nothing that is -0.
        let reciprocal = some
            .iter()
            .filter_map(|went| went.rank)
            .fold(0.0, |sum, rank| sum + quotient(1, rank));
        Self {
            questions: some.len(),
            hit_1: within(1),
            hit_3: within(3),
            hit_10: within(10),
            recall: within(usize::MAX),
            mrr: reciprocal * share(1, some.len()),
            answer: (answerable > 0).then(|| share(answered, answerable)),
            p50_milliseconds: percentile(&millis, 50),
            p95_milliseconds: percentile(&millis, 95),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of questions and places are small"
)]
fn quotient(count: usize, of: usize) -> f64 {
    count as f64 / of as f64
}

/// The value that so many of a hundred are not above, to the nearest place.
fn percentile(sorted: &[f64], of_hundred: usize) -> f64 {
    let place = (sorted.len().saturating_sub(1) * of_hundred + 50) / 100;
    sorted.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn went(rank: Option<usize>, kind: Option<&str>, answer: Option<Option<usize>>) -> Went {
        Went {
            question: "q".to_owned(),
            kind: kind.map(str::to_owned),
            rank,
            answer: answer.flatten(),
            answerable: answer.is_some(),
            first_page: None,
            milliseconds: 1.0,
        }
    }

    fn question(text: &str, pages: &[&str], kind: Option<&str>) -> Question {
        Question {
            question: text.to_owned(),
            pages: pages.iter().map(|page| (*page).to_owned()).collect(),
            kind: kind.map(str::to_owned),
            answer: Vec::new(),
        }
    }

    #[test]
    fn figures_count_finds_their_places_and_answers() {
        let all = [
            went(Some(1), Some("a"), Some(Some(1))),
            went(Some(2), Some("a"), Some(None)),
            went(None, Some("b"), None),
            went(Some(4), None, None),
        ];
        let report = report(8, all.into(), vec!["Gone".to_owned()]);
        let figures = &report.all;
        let shares = [figures.hit_1, figures.hit_3, figures.hit_10, figures.recall];
        assert_eq!(shares, [0.25, 0.5, 0.75, 0.75]);
        assert!((figures.mrr - (1.0 + 0.5 + 0.25) / 4.0).abs() < 1e-9);
        assert_eq!(figures.answer, Some(0.5));
        assert_eq!(
            (figures.p50_milliseconds, figures.p95_milliseconds),
            (1.0, 1.0)
        );
        let missing = &report.kinds["b"];
        assert_eq!((missing.questions, missing.answer), (1, None));
        assert_eq!(format!("{:.3}", missing.mrr), "0.000");
        assert_eq!(format!("{:.3}", Figures::of(&[]).mrr), "0.000");
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 50), 3.0);
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 95), 4.0);
    }

    #[test]
    fn a_page_counts_once_and_an_answer_in_the_first_eight_passages() {
        let page = |id: &str, title: &str, text: &str| {
            let value = serde_json::json!({"text": text, "score": 1.0, "page": {
                "id": id, "kind": "page", "title": title, "url": "https://x/1", "space_key": "ENG", "version": 1,
                "last_modified": "2026-01-01T00:00:00Z", "labels": [], "breadcrumb": [], "state": "searchable",
                "reason": null, "attempts": 0, "next_try_at": null, "section": null, "anchor": null}});
            serde_json::from_value::<QueryResult>(value).unwrap()
        };
        let mut results = vec![
            page("1", "One", "x"),
            page("1", "One", "y"),
            page("2", "Two", "z"),
        ];
        let answer = |results: &[QueryResult]| Answer {
            results: results.to_vec(),
            as_of: None,
            stale: false,
            source: crate::query::AnswerSource::Index,
            diagnostics: crate::query::Diagnostics::default(),
        };
        let asked = Question {
            answer: vec!["HELM".to_owned()],
            ..question("q", &["two"], None)
        };
        let first = super::went(&asked, &answer(&results), 2.0);
        assert_eq!((first.rank, first.answer), (Some(2), None));
        assert_eq!(first.first_page.as_deref(), Some("One"));
        results[2].text = "by helm".to_owned();
        // Words on another page are no answer.
        results[0].text = "by helm".to_owned();
        assert_eq!(super::went(&asked, &answer(&results), 2.0).answer, Some(3));
        results.splice(0..0, std::iter::repeat_n(page("3", "Three", "x"), 6));
        assert_eq!(super::went(&asked, &answer(&results), 2.0).answer, None);
    }

    #[test]
    fn what_is_wrong_with_questions_is_told_by_their_place() {
        assert_eq!(troubles(&[question("q", &["1"], Some("k"))]), [""; 0]);
        assert_eq!(troubles(&[]), ["holds no question"]);
        let wrong = [
            question(" ", &["1"], None),
            question("q", &[], None),
            question("q", &[" "], Some("")),
        ];
        let told = troubles(&wrong);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(
            told[1].starts_with("question 1 must have")
                && told[3].starts_with("question 3 names no page")
        );
        let kinds: Vec<String> = (0..21).map(|n| n.to_string()).collect();
        let many: Vec<Question> = (0..501)
            .map(|n| question("q", &["1"], Some(&kinds[n % 21])))
            .collect();
        assert_eq!(troubles(&many).len(), 2);
    }

    #[test]
    fn questions_are_due_when_wanted_and_at_their_time_of_day() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let mut evaluation = Evaluation {
            index: IndexId::generate(),
            questions: String::new(),
            schedule: None,
            set_at: at("2026-01-01T12:00:00Z"),
            wanted_at: None,
            ran_at: None,
            error: None,
            unknown_pages: Vec::new(),
            missed: Vec::new(),
        };
        let now = at("2026-01-01T13:00:00Z");
        assert_eq!(evaluation.due(now), None);
        evaluation.schedule = "03:00".parse().ok();
        assert_eq!(evaluation.due(now), Some(at("2026-01-02T03:00:00Z")));
        evaluation.wanted_at = Some(now);
        assert_eq!(evaluation.due(now), Some(now));
        (evaluation.wanted_at, evaluation.ran_at) = (None, Some(now));
        // Missed while the service did not run.
        let later = at("2026-01-05T08:00:00Z");
        assert_eq!(evaluation.due(later), Some(later));
    }
}
