//! Stand-ins of the outside world, with faults on demand.

pub mod clock;
pub mod confluence;
pub mod reader;
pub mod requests;
pub mod retrieval;

pub use clock::TestClock;
pub use confluence::SimulatedSource;
pub use reader::FakeReader;
pub use requests::{Fault, InFlight};
pub use retrieval::FakeRetrieval;
