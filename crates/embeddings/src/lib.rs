//! Vectors of texts from an endpoint of OpenAI's form: `POST …/embeddings`, as OpenAI, Azure, Ollama, LiteLLM, vLLM and
//! text-embeddings-inference serve it.
//!
//! * [`Embeddings`] implements [`domain::ports::embedding::Embedder`].
//! * Passages go in batches, through one rate limiter, with bounded retries; a batch that is refused is halved, a text that is refused
//!   alone is shortened, and one that is refused even then has no vector while the others have theirs.
//! * A question goes before the queue, has one try and a short deadline; an endpoint that is down is not waited for by each question.
//! * What comes back is checked: as many vectors as texts, all of the dimensions that were asked for, numbers all of them.
//!
//! Layout: [`config`], `wire` (what is sent and what came), `client` (one exchange, batches, the port). It must not know who keeps the
//! vectors, nor what they are for.
#![warn(missing_docs)]

mod client;
pub mod config;
mod wire;

pub use client::Embeddings;
pub use config::{ConfigError, EmbeddingsConfig, Timeouts};
