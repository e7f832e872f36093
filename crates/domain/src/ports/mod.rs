//! What the engine needs from the world, as traits; adapters implement them and wiring brings them together.
//!
//! Held as `Arc<dyn …>` with boxed async methods: the cost vanishes beside the network.

pub mod clock;
pub mod embedding;
pub mod reader;
pub mod retrieval;
pub mod source;
pub mod store;
