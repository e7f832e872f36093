//! Answers: passages of the store behind the gate of [`domain::answer`], Confluence's own search where the store cannot
//! answer, and on request a check at the source ([`verify`]).

use std::collections::HashMap;
use std::time::Duration;

use domain::answer::{interleave, modified_since, results};
use domain::index::{Index, space_named};
use domain::page::PlacedPage;
use domain::ports::retrieval::RetrievalBackend;
use domain::ports::store::IndexState;
use domain::query::{Answer, AnswerSource, Passage, QueryResult, RetrievalQuery};
use domain::{IndexId, PageId, schedule};

use super::{live, verify};
use crate::EngineError;
use crate::document::{SpaceNames, page_texts};
use crate::shared::Shared;

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
/// A store that has not answered by then is down for this question.
const STORE_PATIENCE: Duration = Duration::from_secs(20);
/// Passages asked for beyond those wanted, since some may have to be left out.
const SPARE: u32 = 8;

/// Answers a question to one index.
pub(crate) async fn answer(
    shared: &Shared,
    index: IndexId,
    query: &RetrievalQuery,
    fallback: Fallback,
) -> Result<Answer, EngineError> {
    let state = shared.store.index_state(index).await?;
    let query = &by_present_key(&state.index, query);
    let as_of = state.index.as_of();
    let interval = state.index.settings.interval_minutes;
    let stale = schedule::is_stale(as_of, interval, shared.now());
    let mut answer = Answer {
        results: Vec::new(),
        as_of,
        stale,
        source: AnswerSource::Index,
    };
    let never_synced = as_of.is_none() && state.index.document_count == 0;
    if never_synced && fallback == Fallback::WhenDown {
        return Ok(answer);
    }
    let from_index = from_index(shared, &state, query).await;
    let ask_live = match &from_index {
        Ok(found) => stale || (found.is_empty() && fallback == Fallback::WhenEmpty),
        Err(_) => true,
    };
    let live = if ask_live {
        // What changed since need not be among the best of all.
        let look = if stale { LIVE_LOOK } else { 0 };
        match live::search(shared, &state, query, wanted(query).max(look)).await {
            Ok(found) => found,
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
            // By the source's clock where it is known: a page that changed while the last run went on is later than that run saw.
            let since = state.progress.watermark.or(as_of);
            let news = match found.is_empty() {
                true => live,
                false => modified_since(live, since),
            };
            answer.source = match (found.is_empty(), news.is_empty()) {
                (_, true) => AnswerSource::Index,
                (true, false) => AnswerSource::Live,
                (false, false) => AnswerSource::Both,
            };
            answer.results = interleave(found, news, wanted(query));
        }
        Err(error) if live.is_empty() => return Err(error),
        Err(error) => {
            tracing::warn!(%index, %error, "the store does not answer; Confluence's own search did");
            answer.source = AnswerSource::Live;
            answer.results = live;
            answer.results.truncate(wanted(query));
        }
    }
    let told = answer.results.iter().map(|result| {
        let page = &result.page.page;
        (page.kind, page.id.clone())
    });
    let checked = verify::among(shared, &state, told.collect()).await?;
    answer
        .results
        .retain(|result| checked.contains(&result.page.page.id));
    Ok(answer)
}

/// The question with its space named as the documents name it, by whichever of its keys the asker knows it.
fn by_present_key(index: &Index, query: &RetrievalQuery) -> RetrievalQuery {
    let mut query = query.clone();
    if let Some(space) = &mut query.filters.space
        && let Some(named) = space_named(&index.spaces, space)
    {
        *space = named.present_key().clone();
    }
    query
}

fn wanted(query: &RetrievalQuery) -> usize {
    usize::try_from(query.top_k).unwrap_or(usize::MAX)
}

async fn from_index(
    shared: &Shared,
    state: &IndexState,
    query: &RetrievalQuery,
) -> Result<Vec<QueryResult>, EngineError> {
    let index = &state.index;
    let Some(remote) = &index.remote else {
        return Ok(Vec::new());
    };
    let kind = index.settings.backend;
    let backend = shared.backend(kind).ok_or(EngineError::BackendMissing {
        index: index.id,
        backend: kind,
    })?;
    let mut ask = RetrievalQuery {
        top_k: query.top_k.saturating_add(SPARE),
        ..query.clone()
    };
    let mut found = Vec::new();
    // A second, wider question only where too much had to be left out.
    for _ in 0..2 {
        let passages = search(backend.as_ref(), remote, &ask).await?;
        let all = passages.len();
        found = gate(shared, state, backend.as_ref(), passages, query).await?;
        let exhausted = all < usize::try_from(ask.top_k).unwrap_or(usize::MAX);
        if found.len() >= wanted(query) || exhausted {
            break;
        }
        ask.top_k = ask.top_k.saturating_mul(5);
    }
    Ok(found)
}

async fn search(
    backend: &dyn RetrievalBackend,
    remote: &domain::index::Remote,
    query: &RetrievalQuery,
) -> Result<Vec<Passage>, EngineError> {
    match tokio::time::timeout(STORE_PATIENCE, backend.search(remote, query)).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(domain::ports::retrieval::BackendError::Unavailable {
            detail: format!("no answer within {} s", STORE_PATIENCE.as_secs()),
        }
        .into()),
    }
}

/// Lets through what may be shown.
async fn gate(
    shared: &Shared,
    state: &IndexState,
    backend: &dyn RetrievalBackend,
    mut passages: Vec<Passage>,
    query: &RetrievalQuery,
) -> Result<Vec<QueryResult>, EngineError> {
    let mut ids: Vec<PageId> = passages
        .iter()
        .filter_map(|passage| Some(passage.document.page()?.1))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let names = SpaceNames::of(&state.index);
    let records = shared.store.pages_by_id(state.index.id, &ids).await?;
    let known: HashMap<PageId, PlacedPage> = records
        .into_iter()
        .filter_map(|record| {
            // A page of a space that is no longer the index's is on its way out.
            let space_key = names.key(&record.facts.space_id)?.clone();
            Some((record.page_id.clone(), PlacedPage { record, space_key }))
        })
        .collect();
    if !backend.capabilities().knows_sections {
        find_sections(shared, state.index.id, &mut passages, &known).await?;
    }
    Ok(results(passages, &known, &query.filters, wanted(query)))
}

/// Headings of passages from the kept Markdown, for stores that do not tell them.
async fn find_sections(
    shared: &Shared,
    index: IndexId,
    passages: &mut [Passage],
    known: &HashMap<PageId, PlacedPage>,
) -> Result<(), EngineError> {
    let records: Vec<_> = known.values().map(|known| &known.record).collect();
    let texts = page_texts(shared.store.as_ref(), index, &records).await?;
    for passage in passages {
        let Some((_, page)) = passage.document.page() else {
            continue;
        };
        let Some(text) = texts.get(&page) else {
            continue;
        };
        if let Some((path, anchor)) = crate::section::of_passage(&text.markdown, &passage.text) {
            passage.heading_path = path;
            passage.anchor = Some(anchor);
        }
    }
    Ok(())
}
