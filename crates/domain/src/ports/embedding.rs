//! Meaning as vectors: texts in, directions out. Texts whose vectors point the same way mean much the same.

use std::time::Duration;

use async_trait::async_trait;

/// What vectors are made by. Only vectors of one recipe can be compared.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Recipe {
    /// The model, as its endpoint names it, or the name of the numbers in a folder.
    pub model: String,
    /// How many numbers a vector is asked to have; `None`: as many as the model gives.
    pub dimensions: Option<u32>,
    /// What is put before a question; some models were trained so.
    pub question_prefix: String,
    /// What is put before a passage.
    pub passage_prefix: String,
}

/// The vector of a text, of length 1; in words why this text has none, while others may have theirs.
pub type Embedded = Result<Vec<f32>, String>;

/// The state of an embedder, for metrics and `doctor`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EmbedderHealth {
    /// Requests made since the start, to an endpoint or to a model here.
    pub requests: u64,
    /// The last trouble, in words; cleared by a success.
    pub trouble: Option<String>,
}

/// Makes vectors of texts.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// What vectors are made by now.
    fn recipe(&self) -> &Recipe;

    /// Passages that are given to an endpoint, or to a model here, at a time.
    fn batch(&self) -> u64;

    /// The vectors of passages, one for each text in order. Takes its time: nobody waits.
    async fn passages(&self, texts: &[String]) -> Result<Vec<Embedded>, EmbeddingError>;

    /// The vector of a question by this recipe, which may be an earlier one of the same endpoint. Gives up soon: somebody waits.
    async fn question(&self, text: &str, recipe: &Recipe) -> Result<Vec<f32>, EmbeddingError>;

    /// Asks for one vector; in words what answered, with how many dimensions.
    async fn probe(&self) -> Result<String, EmbeddingError>;

    /// The state; computes nothing and makes no request.
    fn health(&self) -> EmbedderHealth;
}

/// Why there are no vectors.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EmbeddingError {
    /// 401, 403.
    #[error("the embeddings endpoint {host} refuses the key: {detail}; check EMBEDDINGS_API_KEY")]
    Unauthorized {
        /// The host that was asked.
        host: String,
        /// What the answer said, never the secret.
        detail: String,
    },
    /// 429 beyond what the client waits for by itself.
    #[error("the embeddings endpoint limits requests; go on in {} s", retry_after.as_secs())]
    RateLimited {
        /// How long from now.
        retry_after: Duration,
    },
    /// No connection, a time-out, 5xx, HTML or a cut answer.
    #[error("the embeddings endpoint {host} cannot be reached: {detail}; check EMBEDDINGS_URL")]
    Unavailable {
        /// The host that was asked.
        host: String,
        /// The last cause.
        detail: String,
    },
    /// The request is refused as wrong, whatever the text: an unknown model, above all.
    #[error("the embeddings endpoint {host} refuses the request: {detail}")]
    Rejected {
        /// The host that was asked.
        host: String,
        /// What the answer said.
        detail: String,
    },
    /// The answer holds other vectors than were asked for.
    #[error("the embeddings endpoint {host} answers with something else: {detail}")]
    Wrong {
        /// The host that was asked.
        host: String,
        /// Cause and remedy.
        detail: String,
    },
    /// The model of this machine gave no vector.
    #[error("the model in {folder} gives no vector: {detail}")]
    Model {
        /// The model's folder.
        folder: String,
        /// The cause, and what would help where something would.
        detail: String,
    },
}
