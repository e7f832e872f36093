//! What the store promises, over a real file.

mod bed;
mod story;
