//! The time of day, so that tests can set it.

use crate::Timestamp;

/// Tells the time of day. Waiting is the runtime's matter (`tokio::time`), which tests pause.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        chrono::Utc::now()
    }
}
