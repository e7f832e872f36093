//! `eval`: asks an index a list of questions whose right pages are known, and says how well it answers.
//!
//! ```yaml
//! - question: how do we roll back a release?
//!   pages: ["98312", "Rollback runbook"]   # ids or titles; any of them is right
//! ```

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use domain::query::{DEFAULT_ROOM, Filters, MAX_TOP_K, RetrievalQuery};
use serde::Deserialize;

use super::conductor::{EngineOrService, indexes};
use super::table::table;
use super::{CliError, CliResult, DONE, Which, quiet_settings};
use crate::settings::Need;
use crate::wiring::open_store;

#[derive(Args, Debug)]
pub(super) struct EvalArgs {
    /// The questions, YAML: a list of `question` and `pages` (ids or titles).
    questions: PathBuf,
    /// The agent whose index is asked.
    #[arg(long, value_name = "ID")]
    agent: String,
    /// How many results count.
    #[arg(short, long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_TOP_K)))]
    k: u32,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Question {
    question: String,
    pages: Vec<String>,
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
    drop(store);
    let conductor = EngineOrService::find(&settings).await?;
    let outcome = ask_all(&conductor, &index, &questions, args.k).await;
    conductor.stop().await;
    super::print(&outcome?);
    Ok(DONE)
}

async fn ask_all(
    conductor: &EngineOrService,
    index: &domain::index::Index,
    questions: &[Question],
    k: u32,
) -> Result<String, CliError> {
    let mut ranks = Vec::with_capacity(questions.len());
    let mut rows = Vec::new();
    let mut millis = Vec::new();
    for question in questions {
        let query = RetrievalQuery {
            text: question.question.clone(),
            top_k: k,
            filters: Filters::default(),
            room: DEFAULT_ROOM,
        };
        let began = Instant::now();
        let answer = conductor.query(index, query).await?;
        millis.push(began.elapsed().as_secs_f64() * 1000.0);
        let mut pages: Vec<(&str, &str)> = Vec::new();
        for result in &answer.results {
            let page = (
                result.page.page.id.as_str(),
                result.page.page.title.as_str(),
            );
            if !pages.contains(&page) {
                pages.push(page);
            }
        }
        let is_right = |(id, title): &(&str, &str)| {
            question
                .pages
                .iter()
                .any(|wanted| wanted == id || wanted.eq_ignore_ascii_case(title))
        };
        let rank = pages.iter().position(is_right).map(|position| position + 1);
        rows.push(vec![
            rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string()),
            question.question.clone(),
            pages
                .first()
                .map(|(_, title)| (*title).to_owned())
                .unwrap_or_default(),
        ]);
        ranks.push(rank);
    }
    millis.sort_by(f64::total_cmp);
    let (recall, mrr) = scores(&ranks);
    Ok(format!(
        "{}\n\n{} questions, recall@{k} {recall:.3}, MRR {mrr:.3}, p50 {:.1} ms, p95 {:.1} ms",
        table(&["rank", "question", "first page"], &rows),
        questions.len(),
        percentile(&millis, 0.50),
        percentile(&millis, 0.95),
    ))
}

/// Share of questions whose page was among the results, and the mean of one over its place.
#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of questions and places are small"
)]
fn scores(ranks: &[Option<usize>]) -> (f64, f64) {
    let count = ranks.len().max(1) as f64;
    let found = ranks.iter().flatten().count() as f64;
    let reciprocal: f64 = ranks.iter().flatten().map(|rank| 1.0 / *rank as f64).sum();
    (found / count, reciprocal / count)
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
    #[test]
    fn recall_counts_finds_and_mrr_their_places() {
        let (recall, mrr) = super::scores(&[Some(1), Some(2), None, Some(4)]);
        assert!((recall - 0.75).abs() < 1e-9 && (mrr - (1.0 + 0.5 + 0.25) / 4.0).abs() < 1e-9);
    }
}
