//! LlamaCloud as a retrieval backend.
//!
//! * [`LlamaCloud`] implements [`domain::ports::retrieval::RetrievalBackend`] on Index v1 (`/api/v1/pipelines`) and on
//!   Index v2 (directories, indexes, retrieval): two sibling modules behind one port. Which of them an index lives in
//!   stands in its `Remote`; which a new index gets is [`IndexApi`].
//! * Every request goes through one rate limiter (steady quota, adaptive concurrency, pauses the service asked for) and has
//!   bounded retries. Answers are read leniently: unknown words, missing and further fields, HTML instead of JSON never
//!   break more than the one call.
//!
//! Layout: [`config`], `call` and `http` (one exchange with its retries), `answer` (what an answer means), `v1`, `v2`, `offers`
//! (which of the two an account has), `backend` (the port). It must not know Confluence, databases or the sync engine.
#![warn(missing_docs)]

mod answer;
mod backend;
mod call;
pub mod config;
mod http;
mod mark;
mod offers;
mod passages;
mod prices;
pub mod probe;
mod v1;
mod v2;

pub use backend::{FoundOut, LlamaCloud};
pub use config::{ConfigError, IndexApi, LlamaCloudConfig, Timeouts};
pub use prices::Prices;
