//! In-memory stand-ins of the outside world, with faults on demand.

pub mod clock;
pub mod comments;
pub mod confluence;
pub mod files;
pub mod reader;
pub mod retrieval;

pub use clock::TestClock;
pub use confluence::{FakeConfluence, Fault};
pub use reader::FakeReader;
pub use retrieval::FakeRetrieval;
