//! The sample site of `mcp-confluence demo`: three spaces of a made-up company, and a story that goes on changing it.
//!
//! The content lies in `demo/` of this crate as storage format, with a `space.yaml` for each space.

mod content;
mod story;

pub use content::{AUTHORS, site, site_with_clock};
pub use story::{Story, StoryRunner};
