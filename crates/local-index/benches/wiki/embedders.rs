//! What gives the passages their vectors: endpoints and models on this machine, by a file that names them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ports::embedding::Embedder;
use domain::ports::retrieval::RetrievalBackend as _;
use embeddings::{Embeddings, EmbeddingsConfig, Timeouts};
use local_index::LocalIndex;
use local_model::{LocalModel, LocalModelConfig};
use serde::Deserialize;

use crate::{Outcome, cpu};

/// One of `WIKI_EMBEDDERS`.
#[derive(Deserialize)]
pub struct Named {
    pub name: String,
    #[serde(flatten)]
    kind: Kind,
    #[serde(default)]
    question_prefix: String,
    #[serde(default)]
    passage_prefix: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Kind {
    Endpoint { url: String, model: String },
    Folder { folder: PathBuf },
}

/// Those of the file that `WIKI_EMBEDDERS` names; none without it.
pub fn named() -> Outcome<Vec<Named>> {
    match std::env::var("WIKI_EMBEDDERS") {
        Ok(path) => Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?),
        Err(_) => Ok(Vec::new()),
    }
}

impl Named {
    pub fn embedder(&self) -> Outcome<Arc<dyn Embedder>> {
        let (question_prefix, passage_prefix) =
            (self.question_prefix.clone(), self.passage_prefix.clone());
        match &self.kind {
            Kind::Folder { folder } => Ok(Arc::new(LocalModel::open(&LocalModelConfig {
                question_prefix,
                passage_prefix,
                ..LocalModelConfig::new(folder)
            })?)),
            Kind::Endpoint { url, model } => {
                _ = rustls::crypto::ring::default_provider().install_default();
                let mut config = EmbeddingsConfig::new(url.parse()?, model);
                config.recipe.question_prefix = question_prefix;
                config.recipe.passage_prefix = passage_prefix;
                config.max_requests_per_second = 1_000;
                config.request_timeout = Duration::from_secs(600);
                config.timeouts = Timeouts {
                    // How well it answers is measured here, not how fast the endpoint is.
                    question: Duration::from_secs(60),
                    ..config.timeouts
                };
                Ok(Arc::new(Embeddings::new(&config)?))
            }
        }
    }
}

/// Gives every passage its vector.
pub async fn fill(local: &LocalIndex, name: &str) -> Outcome<()> {
    let filling = local.background().map(tokio::spawn);
    let (begun, spent) = (Instant::now(), cpu());
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let vectors = local.health().vectors.unwrap_or_default();
        if vectors.waiting == 0 && vectors.embedded > 0 {
            println!(
                "{name}: {} passages embedded in {} requests, {:.1} s ({:.1} s of processor time here); {} refused",
                vectors.embedded,
                vectors.requests,
                begun.elapsed().as_secs_f64(),
                (cpu() - spent).as_secs_f64(),
                vectors.refused
            );
            break;
        }
    }
    if let Some(filling) = filling {
        filling.abort();
    }
    Ok(())
}
