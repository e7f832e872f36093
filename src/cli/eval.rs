//! `eval`: asks an index a list of questions whose right pages are known, and says how well it answers.
//!
//! ```yaml
//! - question: how do we roll back a release?
//!   pages: ["98312", "Rollback runbook"]   # ids or titles; any of them is right
//!   kind: runbooks                         # questions of a kind are also told by themselves
//!   answer: ["helm rollback"]              # words of which a passage of a right page is to hold any
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use domain::ports::store::{PageFilter, QueryStore};
use domain::query::{Answer, DEFAULT_ROOM, Filters, MAX_TOP_K, RetrievalQuery};
use serde::{Deserialize, Serialize};

use super::engine_or_service::{EngineOrService, indexes};
use super::table::table;
use super::{CliError, CliResult, DONE, FAILED, Which, quiet_settings};
use crate::settings::Need;
use crate::wiring::open_store;

#[derive(Args, Debug)]
pub(super) struct EvalArgs {
    /// The questions, YAML: a list of `question` and `pages` (ids or titles), and if you like `kind` and `answer`.
    questions: PathBuf,
    /// The agent whose index is asked.
    #[arg(long, value_name = "ID")]
    agent: String,
    /// How many results count.
    #[arg(short, long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_TOP_K)))]
    k: u32,
    /// Tell it as JSON.
    #[arg(long)]
    json: bool,
    /// Fail (exit code 1) when fewer questions find a right page: a share, such as 0.8.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_recall: Option<f64>,
    /// Fail when the mean of one over the place of the first right page is lower.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_mrr: Option<f64>,
    /// Fail when fewer questions find their answer in a passage.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_answer: Option<f64>,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Question {
    question: String,
    pages: Vec<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    answer: Vec<String>,
}

/// How one question went.
#[derive(Serialize, Debug)]
struct Went {
    question: String,
    kind: Option<String>,
    /// Place of the first right page, from 1.
    rank: Option<usize>,
    /// Place of the first passage that holds the answer; null also where none was given.
    answer: Option<usize>,
    #[serde(skip)]
    answerable: bool,
    first_page: Option<String>,
    milliseconds: f64,
}

/// How some questions went.
#[derive(Serialize, Debug, PartialEq)]
struct Figures {
    questions: usize,
    recall: f64,
    mrr: f64,
    /// Of the questions that give an answer; null where none does.
    answer: Option<f64>,
    p50_milliseconds: f64,
    p95_milliseconds: f64,
}

#[derive(Serialize, Debug)]
struct Report {
    k: u32,
    all: Figures,
    kinds: BTreeMap<String, Figures>,
    /// Pages of the questions that the index does not hold: such a question cannot succeed by them.
    unknown_pages: Vec<String>,
    questions: Vec<Went>,
}

pub(super) async fn run(args: &EvalArgs) -> CliResult {
    let text = std::fs::read_to_string(&args.questions)
        .map_err(|error| CliError::usage(format!("{}: {error}", args.questions.display())))?;
    let questions: Vec<Question> = serde_saphyr::from_str(&text)
        .map_err(|error| CliError::usage(format!("{}: {error}", args.questions.display())))?;
    if questions.is_empty() {
        return Err(CliError::usage(format!(
            "{} holds no question",
            args.questions.display()
        )));
    }
    let settings = quiet_settings(Need::Confluence)?;
    let store = open_store(&settings)?;
    let which = Which {
        agent: Some(args.agent.clone()),
        index: None,
    };
    let index = indexes(&store, &which).await?.remove(0);
    let unknown_pages = unknown_pages(&store, index.id, &questions).await?;
    drop(store);
    let through = EngineOrService::find(&settings).await?;
    let went = ask_all(&through, &index, &questions, args.k).await;
    through.stop().await;
    let report = report(args.k, went?, unknown_pages);
    if args.json {
        let json = serde_json::to_string_pretty(&report);
        super::print_exactly(&json.map_err(|error| CliError::failed(error.to_string()))?);
    } else {
        super::print(&told(&report));
    }
    let missed = missed(args, &report.all);
    for one in &missed {
        eprintln!("{one}");
    }
    Ok(if missed.is_empty() { DONE } else { FAILED })
}

/// The thresholds that were not reached, in words.
fn missed(args: &EvalArgs, all: &Figures) -> Vec<String> {
    let thresholds = [
        ("recall", args.min_recall, Some(all.recall)),
        ("MRR", args.min_mrr, Some(all.mrr)),
        ("answer", args.min_answer, all.answer),
    ];
    let below = |(name, least, is): (&str, Option<f64>, Option<f64>)| {
        let least = least?;
        match is {
            Some(is) if is >= least => None,
            Some(is) => Some(format!("{name} is {is:.3}, wanted are {least:.3}")),
            None => Some(format!(
                "{name} cannot be told: no question gives an `answer`"
            )),
        }
    };
    thresholds.into_iter().filter_map(below).collect()
}

/// The pages of the questions that no page of the index is, by id or title.
async fn unknown_pages(
    store: &impl QueryStore,
    index: domain::IndexId,
    questions: &[Question],
) -> Result<Vec<String>, CliError> {
    let mut wanted: BTreeSet<String> = questions
        .iter()
        .flat_map(|question| question.pages.iter().cloned())
        .collect();
    let mut filter = PageFilter {
        shown: true,
        limit: 500,
        ..PageFilter::default()
    };
    loop {
        let listed = store
            .pages(index, &filter)
            .await
            .map_err(|error| CliError::failed(error.to_string()))?;
        for page in &listed.items {
            let record = &page.record;
            wanted.retain(|name| !is_page(name, record.page_id.as_str(), &record.facts.title));
        }
        filter.cursor = listed.next_cursor;
        if filter.cursor.is_none() || wanted.is_empty() {
            return Ok(wanted.into_iter().collect());
        }
    }
}

fn is_page(name: &str, id: &str, title: &str) -> bool {
    name == id || name.to_lowercase() == title.to_lowercase()
}

async fn ask_all(
    through: &EngineOrService,
    index: &domain::index::Index,
    questions: &[Question],
    k: u32,
) -> Result<Vec<Went>, CliError> {
    let mut all = Vec::with_capacity(questions.len());
    for question in questions {
        let query = RetrievalQuery {
            text: question.question.clone(),
            top_k: k,
            filters: Filters::default(),
            room: DEFAULT_ROOM,
        };
        let began = Instant::now();
        let answer = through.query(index, query).await?;
        all.push(went(
            question,
            &answer,
            began.elapsed().as_secs_f64() * 1000.0,
        ));
    }
    Ok(all)
}

fn went(question: &Question, answer: &Answer, milliseconds: f64) -> Went {
    let mut pages: Vec<(&str, &str)> = Vec::new();
    let mut place = None;
    for (at, result) in answer.results.iter().enumerate() {
        let page = (
            result.page.page.id.as_str(),
            result.page.page.title.as_str(),
        );
        if !pages.contains(&page) {
            pages.push(page);
        }
        let text = result.text.to_lowercase();
        let holds = question
            .answer
            .iter()
            .any(|words| text.contains(&words.to_lowercase()));
        if place.is_none() && holds && is_right(question, page) {
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

fn is_right(question: &Question, (id, title): (&str, &str)) -> bool {
    question.pages.iter().any(|name| is_page(name, id, title))
}

fn report(k: u32, questions: Vec<Went>, unknown_pages: Vec<String>) -> Report {
    let mut kinds: BTreeMap<String, Vec<&Went>> = BTreeMap::new();
    for went in &questions {
        if let Some(kind) = &went.kind {
            kinds.entry(kind.clone()).or_default().push(went);
        }
    }
    let kinds = kinds
        .into_iter()
        .map(|(kind, some)| (kind, figures(&some)))
        .collect();
    let all = figures(&questions.iter().collect::<Vec<_>>());
    Report {
        k,
        all,
        kinds,
        unknown_pages,
        questions,
    }
}

/// The report as a table, and what it comes to.
fn told(report: &Report) -> String {
    let place = |place: Option<usize>| place.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let rows: Vec<Vec<String>> = report
        .questions
        .iter()
        .map(|went| {
            vec![
                place(went.rank),
                if went.answerable {
                    place(went.answer)
                } else {
                    String::new()
                },
                went.question.clone(),
                went.first_page.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let mut out = table(&["rank", "answer", "question", "first page"], &rows);
    out.push_str("\n\n");
    for (kind, figures) in &report.kinds {
        out.push_str(&format!("{kind}: {}\n", line(figures, report.k)));
    }
    out.push_str(&line(&report.all, report.k));
    if !report.unknown_pages.is_empty() {
        out.push_str(&format!(
            "\nNot in the index, so that no question can find them: {}",
            report.unknown_pages.join(", ")
        ));
    }
    out
}

fn line(figures: &Figures, k: u32) -> String {
    let answer = figures
        .answer
        .map_or_else(String::new, |share| format!(", answer in {k} {share:.3}"));
    format!(
        "{} questions, recall@{k} {:.3}, MRR {:.3}{answer}, p50 {:.1} ms, p95 {:.1} ms",
        figures.questions,
        figures.recall,
        figures.mrr,
        figures.p50_milliseconds,
        figures.p95_milliseconds,
    )
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of questions and places are small"
)]
fn figures(some: &[&Went]) -> Figures {
    let count = some.len().max(1) as f64;
    let answerable = some.iter().filter(|went| went.answerable).count();
    let answered = some.iter().filter(|went| went.answer.is_some()).count();
    let mut millis: Vec<f64> = some.iter().map(|went| went.milliseconds).collect();
    millis.sort_by(f64::total_cmp);
    Figures {
        questions: some.len(),
        recall: some.iter().filter(|went| went.rank.is_some()).count() as f64 / count,
        // Not `sum`: of nothing that is -0.
        mrr: some
            .iter()
            .filter_map(|went| went.rank)
            .fold(0.0, |sum, rank| sum + 1.0 / rank as f64)
            / count,
        answer: (answerable > 0).then(|| answered as f64 / answerable as f64),
        p50_milliseconds: percentile(&millis, 0.50),
        p95_milliseconds: percentile(&millis, 0.95),
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index into a short list"
)]
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
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

    #[test]
    fn figures_count_finds_their_places_and_answers() {
        let all = [
            went(Some(1), Some("a"), Some(Some(1))),
            went(Some(2), Some("a"), Some(None)),
            went(None, Some("b"), None),
            went(Some(4), None, None),
        ];
        let report = report(8, all.into(), vec!["Gone".to_owned()]);
        assert!((report.all.recall - 0.75).abs() < 1e-9);
        assert!((report.all.mrr - (1.0 + 0.5 + 0.25) / 4.0).abs() < 1e-9);
        assert_eq!(report.all.answer, Some(0.5));
        let missing = &report.kinds["b"];
        assert_eq!((missing.questions, missing.answer), (1, None));
        assert_eq!(format!("{:.3}", missing.mrr), "0.000");
        let told = told(&report);
        assert!(
            told.contains("a: 2 questions, recall@8 1.000, MRR 0.750, answer in 8 0.500"),
            "{told}"
        );
        assert!(told.ends_with("no question can find them: Gone"), "{told}");
    }

    #[test]
    fn thresholds_that_are_not_reached_are_named() {
        let args = EvalArgs {
            questions: PathBuf::new(),
            agent: "a".to_owned(),
            k: 8,
            json: false,
            min_recall: Some(0.5),
            min_mrr: Some(0.9),
            min_answer: Some(0.1),
        };
        let all = figures(&[&went(Some(2), None, None)]);
        assert_eq!(
            missed(&args, &all),
            [
                "MRR is 0.500, wanted are 0.900",
                "answer cannot be told: no question gives an `answer`"
            ]
        );
    }
}
