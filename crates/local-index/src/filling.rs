//! Gives passages their vectors, beside all else: it reads like a question and writes a little at a time, and no answer waits for it.
//! What is done stands in rows, so that a stop at any moment costs at most the requests under way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use domain::ports::embedding::{Embedder, EmbeddingError};
use domain::ports::retrieval::BackendError;
use tokio::time::Instant;

use crate::backend::LocalIndex;
use crate::vectors::{self, Came, Work};

/// Passages of one round: some requests at once.
const ROUND: i64 = 128;
/// The longest pause after trouble, and the first.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How often progress is counted while it goes on.
const COUNTED_EVERY: Duration = Duration::from_secs(5);
/// How long it sleeps when there is nothing to do, unless something changes.
const REST: Duration = Duration::from_secs(3_600);

/// Why a round gave nothing.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Index(#[from] BackendError),
    #[error(transparent)]
    Endpoint(#[from] EmbeddingError),
    #[error(
        "the model gives no vectors that can be kept: it refuses every text, or changes its dimensions"
    )]
    Useless,
}

/// Never ends.
pub(crate) async fn fill(index: LocalIndex, embedder: Arc<dyn Embedder>) {
    let mut pause = FIRST_PAUSE;
    let mut in_trouble = false;
    let mut counted: Option<Instant> = None;
    let mut is_tidy = false;
    loop {
        let filled = round(&index, embedder.as_ref()).await;
        let nothing_left = matches!(filled, Ok(false));
        if nothing_left && !is_tidy {
            // Not once more for nothing: it reads every row.
            is_tidy = tidy(&index, embedder.as_ref()).await.is_ok();
        }
        if nothing_left || counted.is_none_or(|at| at.elapsed() >= COUNTED_EVERY) {
            count(&index, embedder.as_ref()).await;
            counted = Some(Instant::now());
        }
        match filled {
            Ok(more) => {
                if in_trouble {
                    tracing::info!("passages get their vectors again");
                }
                (in_trouble, pause) = (false, FIRST_PAUSE);
                if more {
                    is_tidy = false;
                } else {
                    _ = tokio::time::timeout(REST, index.changed()).await;
                }
            }
            Err(error) => {
                if !in_trouble {
                    tracing::warn!(%error, "passages wait for their vectors; words find them meanwhile");
                }
                in_trouble = true;
                let asked = match &error {
                    Trouble::Endpoint(EmbeddingError::RateLimited { retry_after }) => *retry_after,
                    _ => Duration::ZERO,
                };
                tokio::time::sleep(pause.max(asked)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Some passages of each collection; whether there were any.
async fn round(index: &LocalIndex, embedder: &dyn Embedder) -> Result<bool, Trouble> {
    let collections = index
        .read(|connection| Ok(vectors::all_collections(connection)?))
        .await?;
    let mut any = false;
    for collection in collections {
        let recipe = embedder.recipe().clone();
        let work = index
            .read(move |connection| Ok(vectors::next_work(connection, collection, &recipe, ROUND)?))
            .await?;
        let Some(work) = work else { continue };
        any = true;
        let came = ask(embedder, &work).await?;
        let recipe = embedder.recipe().clone();
        let done = index
            .write(move |connection| Ok(vectors::put(connection, &recipe, &work, &came, today())?))
            .await?;
        if !done {
            return Err(Trouble::Useless);
        }
    }
    Ok(any)
}

/// The vectors of the texts that have none.
async fn ask(embedder: &dyn Embedder, work: &Work) -> Result<Came, EmbeddingError> {
    let mut unknown = HashMap::new();
    for one in &work.waiting {
        if !work.known.contains(&one.hash) {
            unknown.insert(one.hash, &one.text);
        }
    }
    let hashes: Vec<_> = unknown.keys().copied().collect();
    let texts: Vec<String> = hashes.iter().map(|hash| unknown[hash].clone()).collect();
    let vectors = embedder.passages(&texts).await?;
    let mut came = Came::new();
    for (hash, vector) in hashes.into_iter().zip(vectors) {
        if let Err(why) = &vector {
            tracing::debug!(why, "a passage was refused by the embeddings endpoint");
        }
        came.insert(hash, vector.ok());
    }
    Ok(came)
}

async fn tidy(index: &LocalIndex, embedder: &dyn Embedder) -> Result<(), BackendError> {
    let recipe = embedder.recipe().clone();
    index
        .write(move |connection| Ok(vectors::tidy(connection, &recipe, today())?))
        .await
}

async fn count(index: &LocalIndex, embedder: &dyn Embedder) {
    let recipe = embedder.recipe().clone();
    let counted = index
        .read(move |connection| Ok(vectors::progress(connection, &recipe)?))
        .await;
    if let Ok(counted) = counted {
        index.note_progress(counted);
    }
}

/// Days since 1970.
fn today() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let days = since.unwrap_or_default().as_secs() / 86_400;
    i64::try_from(days).unwrap_or(i64::MAX)
}
