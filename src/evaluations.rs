//! Evaluations: questions whose right pages are known, read from a file's text and asked of an index; by the command `eval`, or by the
//! service every day at the time that an administrator set. What comes of it is counted in [`domain::evaluation`].
//!
//! The service asks one question at a time, so that agents notice nothing. What is to be asked stands in rows: a restart goes on with
//! it from the beginning.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::IndexId;
use domain::access::Asker;
use domain::evaluation::{
    self, Evaluation, PASSAGES, Question, Report, Went, is_page, named_pages,
};
use domain::ports::clock::{Clock, SystemClock};
use domain::ports::store::{EvaluationEnd, PageFilter, QueryStore, StoreResult};
use domain::query::{Answer, DEFAULT_ROOM, Filters, RetrievalQuery};
use tokio::sync::Notify;

use crate::state::AppState;

/// The clock on the wall may be set meanwhile, so no sleep is longer.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Pages that are read at once.
const BATCH: usize = 500;
/// Questions that found no right page are named at most so often.
const MISSED: usize = 50;
/// Pages that the index does not hold are named at most so often.
const UNKNOWN: usize = 50;

/// Says that an evaluation may be due.
pub type Due = Arc<Notify>;

/// Reads questions: YAML, of which JSON is a part.
///
/// # Errors
/// What is wrong with the text, with its line.
pub fn read(text: &str) -> Result<Vec<Question>, String> {
    serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(0, |place| place.line());
        let said = error.without_snippet().to_string();
        format!(
            "line {line}: {}; a file of questions is a list of `question` and `pages`, and perhaps `kind` and `answer`",
            plain(&said)
        )
    })
}

/// What is wrong with a file, in words for people: the reader speaks of types of Rust, except where a field is at fault.
fn plain(said: &str) -> String {
    let field = said.split('`').nth(1).unwrap_or_default();
    if said.contains("unknown field") {
        format!("{field} is no field of a question")
    } else if said.contains("missing field") {
        format!("{field} is missing")
    } else {
        "this cannot be read".to_owned()
    }
}

/// The pages that questions name and that no page of the index is, by id or title.
///
/// # Errors
/// When the database cannot be read.
pub async fn unknown_pages<S: QueryStore + ?Sized>(
    store: &S,
    index: IndexId,
    questions: &[Question],
) -> StoreResult<Vec<String>> {
    let mut wanted: BTreeSet<String> = named_pages(questions);
    let mut filter = PageFilter {
        shown: true,
        limit: BATCH,
        ..PageFilter::default()
    };
    loop {
        let listed = store.pages(index, &filter).await?;
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

/// Asks all questions, one after the other.
///
/// # Errors
/// That of the first that is not answered.
pub async fn ask_all<E>(
    questions: &[Question],
    k: u32,
    ask: impl AsyncFn(RetrievalQuery) -> Result<Answer, E>,
) -> Result<Vec<Went>, E> {
    let mut all = Vec::with_capacity(questions.len());
    for question in questions {
        let query = RetrievalQuery {
            text: question.question.clone(),
            top_k: k,
            filters: Filters::default(),
            room: DEFAULT_ROOM,
        };
        let began = Instant::now();
        let answer = ask(query).await?;
        let milliseconds = began.elapsed().as_secs_f64() * 1000.0;
        all.push(evaluation::went(question, &answer, milliseconds));
    }
    Ok(all)
}

/// Carries out what is due until the service stops.
pub async fn follow(state: AppState) {
    loop {
        let wait = match next(&state).await {
            Ok(Some(due)) => {
                tokio::select! {
                    () = state.shutdown.cancelled() => return,
                    done = carry_out(&state, &due) => {
                        if let Err(error) = done {
                            tracing::error!(index = %due.index, %error, "what came of an evaluation could not be kept");
                            LOOK_AGAIN
                        } else {
                            Duration::ZERO
                        }
                    }
                }
            }
            Ok(None) => LOOK_AGAIN,
            Err(error) => {
                tracing::error!(%error, "the evaluations that are due could not be read");
                LOOK_AGAIN
            }
        };
        tokio::select! {
            () = state.shutdown.cancelled() => return,
            () = state.evaluation_due.notified(), if !wait.is_zero() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// One that is due.
async fn next(state: &AppState) -> StoreResult<Option<Evaluation>> {
    let now = SystemClock.now();
    let all = state.store.evaluations().await?;
    let is_due = |one: &Evaluation| one.due(now).is_some_and(|at| at <= now);
    Ok(all.into_iter().find(is_due))
}

async fn carry_out(state: &AppState, evaluation: &Evaluation) -> StoreResult<()> {
    let index = evaluation.index;
    let end = match asked(state, evaluation).await {
        Ok(report) => {
            tracing::info!(%index, questions = report.all.questions, hit_1 = report.all.hit_1, mrr = report.all.mrr, "an index was evaluated");
            told(report)
        }
        Err(error) => {
            tracing::warn!(%index, error, "an evaluation came to no figures");
            EvaluationEnd::Failed(error)
        }
    };
    let kept = state.store.end_evaluation(index, evaluation.set_at, &end);
    kept.await
}

async fn asked(state: &AppState, evaluation: &Evaluation) -> Result<Report, String> {
    let index = evaluation.index;
    let questions = read(&evaluation.questions)?;
    let unknown = unknown_pages(state.store.as_ref(), index, &questions).await;
    let unknown = unknown.map_err(|error| error.to_string())?;
    // What is evaluated is the index, whoever may read what of it; the figures are for those who look after it.
    let engine = state.engine.asked_for(Asker::Operator);
    let went = ask_all(&questions, PASSAGES, async |query| {
        engine.search(index, query).await
    })
    .await;
    let went = went.map_err(|error| error.to_string())?;
    Ok(evaluation::report(PASSAGES, went, unknown))
}

fn told(report: Report) -> EvaluationEnd {
    let missed = report
        .questions
        .into_iter()
        .filter(|went| went.rank.is_none());
    let mut unknown_pages = report.unknown_pages;
    unknown_pages.truncate(UNKNOWN);
    EvaluationEnd::Told {
        all: report.all,
        kinds: report.kinds,
        unknown_pages,
        missed: missed.map(|went| went.question).take(MISSED).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_and_what_is_wrong_is_told_with_its_line() {
        let good = read("- question: q\n  pages: [\"1\", Title]\n  kind: k\n").unwrap();
        assert_eq!((good.len(), good[0].pages.len()), (1, 2));
        let json =
            read("[{\"question\": \"q\", \"pages\": [\"1\"], \"answer\": [\"x\"]}]").unwrap();
        assert_eq!(json[0].answer, ["x"]);
        for (text, line, words) in [
            (
                "- question: q\n  pages: [\"1\"]\n- question: q\n  page: [\"1\"]\n",
                "line 4",
                "page",
            ),
            ("- question: q\n", "line 1", "pages"),
            ("questions: []\n", "line 1", "list"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.starts_with(line) && told.contains(words), "{told}");
            assert!(!told.contains("struct"), "{told}");
        }
    }
}
