//! Search: passages of the store behind the gate of [`domain::answer`], Confluence's own search where the store cannot answer,
//! and on request a check at the source ([`verify`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::access::Asker;
use domain::answer::{interleave, modified_since, results};
use domain::index::{IndexSpace, space_named};
use domain::page::PlacedPage;
use domain::ports::retrieval::{BackendError, RetrievalBackend};
use domain::query::{
    Answer, AnswerSource, Diagnostics, Found, Passage, QueryResult, QueryTarget, RetrievalQuery,
};
use domain::{IndexId, PageId, schedule};

use super::pool::Question;
use super::quotable::Quotable;
use super::viewer::{readable, viewer};
use super::{Sources, live, surroundings, verify};
use crate::EngineError;
use crate::document::page_texts;

/// Passages that answer some words.
pub(crate) struct Search {
    pub query: RetrievalQuery,
    pub fallback: Fallback,
}

/// When Confluence's own search is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fallback {
    /// When the store is down, or the index stale. An index that was never synced answers nothing.
    WhenDown,
    /// Also when the index has nothing to say.
    WhenEmpty,
}

/// Hits of Confluence's own search among which those are looked for that a stale index does not know.
const LIVE_LOOK: usize = 50;
/// How long passages that the store has found wait for what Confluence's own search finds beside.
const BESIDE_TIMEOUT: Duration = Duration::from_secs(10);
/// A store that has not answered by then is down for this question.
const STORE_TIMEOUT: Duration = Duration::from_secs(20);
/// Passages asked for beyond those wanted, since some may have to be left out.
const SPARE: u32 = 8;

impl Question for Search {
    type Answer = Answer;

    async fn answer(
        self,
        sources: &Sources,
        index: IndexId,
        asker: &Asker,
    ) -> Result<Answer, EngineError> {
        let Self { query, fallback } = self;
        let target = sources.store.query_target(index).await?;
        let mut query = by_present_key(&target.spaces, query);
        let viewer = viewer(sources, &target, asker).await?;
        query.filters.readable = readable(&target, &viewer);
        let one_person = viewer.view().is_some();
        let stale = schedule::is_stale(
            target.as_of,
            target.settings.interval_minutes,
            sources.now(),
        );
        let mut answer = Answer {
            results: Vec::new(),
            as_of: target.as_of,
            stale,
            source: AnswerSource::Index,
            diagnostics: Diagnostics::default(),
        };
        let never_synced = target.as_of.is_none() && target.document_count() == 0;
        let nothing_readable = sees_nothing(&query);
        let nothing_under = match &mut query.filters.under {
            Some(under) => {
                let space = query.filters.space.as_ref();
                let pages = sources.store.pages_under(index, &under.page, space).await?;
                answer.diagnostics.pages_under = u64::try_from(pages.len()).ok();
                under.pages = Arc::new(pages);
                under.pages.is_empty()
            }
            None => false,
        };
        if nothing_readable || nothing_under || (never_synced && fallback == Fallback::WhenDown) {
            answer.diagnostics = told(answer.diagnostics, one_person);
            answer.diagnostics = answer.diagnostics.of_answer(answer.source, true);
            return Ok(answer);
        }
        let pages_under = answer.diagnostics.pages_under;
        let whose = (&target, asker);
        let from_index = match from_index(sources, whose, &query).await {
            Ok((found, diagnostics)) => {
                answer.diagnostics = Diagnostics {
                    pages_under,
                    ..diagnostics
                };
                Ok(found)
            }
            Err(error) => Err(error),
        };
        let ask_live = match &from_index {
            Ok(found) => stale || (found.is_empty() && fallback == Fallback::WhenEmpty),
            Err(error) if error.is_not_found() => false,
            Err(_) => true,
        };
        let live = if ask_live {
            // What changed since need not be among the best of all.
            let look = if stale { LIVE_LOOK } else { 0 };
            let search = live::search(sources, whose, &query, wanted(&query).max(look));
            let searched = match &from_index {
                Ok(found) if !found.is_empty() => tokio::time::timeout(BESIDE_TIMEOUT, search)
                    .await
                    .unwrap_or_else(|_| Err(slow("Confluence's own search", BESIDE_TIMEOUT))),
                _ => search.await,
            };
            match searched {
                Ok(found) => found,
                Err(error) if error.is_not_found() => return Err(error),
                Err(error) => {
                    tracing::warn!(%index, %error, "Confluence's own search does not answer");
                    Vec::new()
                }
            }
        } else {
            Vec::new()
        };
        match from_index {
            Ok(found) => {
                // By the source's clock where it is known: a page that changed while the last run went on is later than that
                // run saw.
                let since = target.watermark.or(target.as_of);
                let news = match found.is_empty() {
                    true => live,
                    false => modified_since(live, since),
                };
                answer.source = match (found.is_empty(), news.is_empty()) {
                    (_, true) => AnswerSource::Index,
                    (true, false) => AnswerSource::Live,
                    (false, false) => AnswerSource::Both,
                };
                answer.results = interleave(found, news, wanted(&query));
            }
            Err(error) if live.is_empty() => return Err(error),
            Err(error) => {
                tracing::warn!(%index, %error, "the store does not answer; Confluence's own search did");
                answer.source = AnswerSource::Live;
                answer.results = live;
                answer.results.truncate(wanted(&query));
            }
        }
        let named = answer.results.iter().map(|result| {
            let page = &result.page.page;
            (page.kind, page.id.clone())
        });
        let checked = verify::visible(sources, whose, named.collect()).await?;
        answer
            .results
            .retain(|result| checked.contains(&result.page.page.id));
        answer.diagnostics = told(answer.diagnostics, one_person)
            .of_answer(answer.source, answer.results.is_empty());
        Ok(answer)
    }
}

/// Whether the asker may read nothing of what is asked about.
fn sees_nothing(query: &RetrievalQuery) -> bool {
    let space = query.filters.space.as_ref();
    query.filters.readable.as_ref().is_some_and(|readable| {
        readable.is_nothing() || space.is_some_and(|space| !readable.spaces.contains(space))
    })
}

/// How well a question was met, as far as it may be told.
fn told(diagnostics: Diagnostics, one_person: bool) -> Diagnostics {
    match one_person {
        true => diagnostics.of_one_person(),
        false => diagnostics,
    }
}

fn slow(what: &str, timeout: Duration) -> EngineError {
    EngineError::Busy {
        detail: format!("{what} has not answered within {} s", timeout.as_secs()),
    }
}

/// The question with its space named as the documents name it, by whichever of its keys the asker knows it.
fn by_present_key(spaces: &[IndexSpace], mut query: RetrievalQuery) -> RetrievalQuery {
    if let Some(space) = &mut query.filters.space
        && let Some(named) = space_named(spaces, space)
    {
        *space = named.present_key().clone();
    }
    query
}

fn wanted(query: &RetrievalQuery) -> usize {
    usize::try_from(query.top_k).unwrap_or(usize::MAX)
}

async fn from_index(
    sources: &Sources,
    (target, asker): (&QueryTarget, &Asker),
    query: &RetrievalQuery,
) -> Result<(Vec<QueryResult>, Diagnostics), EngineError> {
    let Some(remote) = &target.remote else {
        return Ok((Vec::new(), Diagnostics::default()));
    };
    let kind = target.settings.backend;
    let backend = sources.backend(kind).ok_or(EngineError::BackendMissing {
        index: target.id,
        backend: kind,
    })?;
    let mut ask = RetrievalQuery {
        top_k: query.top_k.saturating_add(SPARE),
        ..query.clone()
    };
    let mut found = Vec::new();
    let mut said = Diagnostics::default();
    // A second, wider question only where too much had to be left out.
    for _ in 0..2 {
        let Found {
            passages,
            diagnostics,
        } = search(backend.as_ref(), remote, &ask).await?;
        said = diagnostics;
        let all = passages.len();
        let whose = (target.id, asker);
        found = gate(sources, whose, backend.as_ref(), passages, query).await?;
        let exhausted = all < usize::try_from(ask.top_k).unwrap_or(usize::MAX);
        if found.len() >= wanted(query) || exhausted {
            break;
        }
        ask.top_k = ask.top_k.saturating_mul(5);
    }
    Ok((found, said))
}

async fn search(
    backend: &dyn RetrievalBackend,
    remote: &domain::index::Remote,
    query: &RetrievalQuery,
) -> Result<Found, EngineError> {
    match tokio::time::timeout(STORE_TIMEOUT, backend.search(remote, query)).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(BackendError::Unavailable {
            detail: format!("no answer within {} s", STORE_TIMEOUT.as_secs()),
        }
        .into()),
    }
}

/// Lets through what may be shown now that the store has answered.
async fn gate(
    sources: &Sources,
    whose: (IndexId, &Asker),
    backend: &dyn RetrievalBackend,
    mut passages: Vec<Passage>,
    query: &RetrievalQuery,
) -> Result<Vec<QueryResult>, EngineError> {
    let ids = passages
        .iter()
        .filter_map(|passage| Some(passage.document.page()?.1));
    let quotable = Quotable::read(sources, whose, ids.collect()).await?;
    let known = quotable.take_all();
    if !backend.capabilities().knows_sections {
        passages = with_places(sources, whose.0, passages, &known, query.room).await?;
    }
    Ok(results(passages, &known, &query.filters, wanted(query)))
}

/// Headings of passages, and what stands around them, from the kept Markdown, for stores that do not return them.
async fn with_places(
    sources: &Sources,
    index: IndexId,
    mut passages: Vec<Passage>,
    known: &HashMap<PageId, PlacedPage>,
    room: usize,
) -> Result<Vec<Passage>, EngineError> {
    let records: Vec<_> = known.values().map(|known| &known.record).collect();
    let texts = page_texts(sources.store.as_ref(), index, &records).await?;
    // Each line of a passage may be looked for in the whole text of a page: other questions do not wait for that.
    let found = tokio::task::spawn_blocking(move || {
        for passage in &mut passages {
            let page = passage.document.page();
            let Some(text) = page.and_then(|(_, page)| texts.get(&page)) else {
                continue;
            };
            let section = crate::section::of_passage(&text.markdown, &passage.text);
            if let Some((path, anchor)) = section {
                passage.heading_path = path;
                passage.anchor = Some(anchor);
            }
        }
        let texts = texts
            .iter()
            .map(|(page, text)| (page.clone(), text.markdown.as_str()));
        surroundings::around(passages, &texts.collect(), room)
    });
    found.await.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => EngineError::Busy {
            detail: "the engine has stopped".to_owned(),
        },
    })
}
