//! An endpoint of OpenAI's form on loopback: `POST /v1/embeddings`.
//!
//! It promises the shapes of OpenAI's document, and vectors that are the same for the same text everywhere: each word has a
//! direction of its own, words of one group of synonyms the same, and a text points where its words point together. What other
//! servers of that form do otherwise is a [switch](Switches).

mod meaning;
mod service;
mod sim;
mod switches;

pub use sim::{Builder, EmbeddingsSim};
pub use switches::{Encoding, Switches};
