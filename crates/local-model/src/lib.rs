//! Vectors of texts from a model in a folder, on this machine: encoders of the BERT family, as sentence-transformers saves them.
//!
//! * [`LocalModel`] implements [`domain::ports::embedding::Embedder`].
//! * Two threads of its own compute, one for questions, one for passages, the latter with the lowest priority that the system has: neither the
//!   engine nor a server ever computes a vector, and no question waits for passages.
//! * The layers are in memory (43 MB for six of 384 dimensions). The table of words, which is most of a multilingual model, stays in its file:
//!   a text reads its own rows.
//! * A folder that does not fit is refused when it is opened, with the file, the cause and the remedy ([`FolderError`]).
//!
//! Layout: `folder` (which files, what they say), `weights` (numbers from `model.safetensors`), `encoder` (the computation), `model` (a text's
//! vector), `local` (threads, the port). It must not know who keeps the vectors, nor what they are for.
//!
//! Why not a general engine: these models differ in nothing but numbers, and the computation is one page. candle and tract would bring every
//! operation of every network, minutes of building, threads that are not ours to bound, and the whole table of words into memory.
#![warn(missing_docs)]

mod encoder;
mod folder;
mod local;
mod model;
mod weights;

pub use folder::FolderError;
pub use local::{LocalModel, LocalModelConfig};
