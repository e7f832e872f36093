//! `eval`: asks an index a list of questions whose right pages are known, and says how well it answers.
//!
//! ```yaml
//! - question: how do we roll back a release?
//!   pages: ["98312", "Rollback runbook"]   # ids or titles; any of them is right
//!   kind: runbooks                         # questions of a kind are also told by themselves
//!   answer: ["helm rollback"]              # words of which a passage of a right page is to hold any
//! ```

use std::path::PathBuf;

use clap::Args;
use domain::evaluation::{Figures, Report, report};
use domain::query::MAX_TOP_K;

use super::engine_or_service::{EngineOrService, indexes};
use super::table::table;
use super::{CliError, CliResult, DONE, FAILED, Which, quiet_settings};
use crate::evaluations;
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

pub(super) async fn run(args: &EvalArgs) -> CliResult {
    let text = std::fs::read_to_string(&args.questions)
        .map_err(|error| CliError::usage(format!("{}: {error}", args.questions.display())))?;
    let questions = evaluations::read(&text)
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
    let unknown_pages = evaluations::unknown_pages(&store, index.id, &questions).await?;
    drop(store);
    let through = EngineOrService::find(&settings).await?;
    let ask = async |query| through.query(&index, query).await;
    let went = evaluations::ask_all(&questions, args.k, ask).await;
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
        .map_or_else(String::new, |share| format!(", answer {share:.3}"));
    format!(
        "{} questions, hit@1 {:.3}, hit@3 {:.3}, recall@{k} {:.3}, MRR {:.3}{answer}, p50 {:.1} ms, p95 {:.1} ms",
        figures.questions,
        figures.hit_1,
        figures.hit_3,
        figures.recall,
        figures.mrr,
        figures.p50_milliseconds,
        figures.p95_milliseconds,
    )
}

#[cfg(test)]
mod tests {
    use domain::evaluation::Went;

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
    fn a_report_tells_each_kind_and_what_no_question_can_find() {
        let all = [
            went(Some(1), Some("a"), Some(Some(1))),
            went(Some(2), Some("a"), Some(None)),
            went(None, Some("b"), None),
        ];
        let told = told(&report(8, all.into(), vec!["Gone".to_owned()]));
        assert!(
            told.contains(
                "a: 2 questions, hit@1 0.500, hit@3 1.000, recall@8 1.000, MRR 0.750, answer 0.500"
            ),
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
        let all = Figures::of(&[&went(Some(2), None, None)]);
        assert_eq!(
            missed(&args, &all),
            [
                "MRR is 0.500, wanted are 0.900",
                "answer cannot be told: no question gives an `answer`"
            ]
        );
    }
}
