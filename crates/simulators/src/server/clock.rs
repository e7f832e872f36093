//! The time a simulated site lives in.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};

/// The site's clock: the machine's own, or one that only moves when told to. Clones share the same time.
#[derive(Clone, Debug)]
pub struct Clock(Inner);

#[derive(Clone, Debug)]
enum Inner {
    Real,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Follows the machine's clock.
    pub fn real() -> Clock {
        Clock(Inner::Real)
    }

    /// Stands still at `start` until [`Clock::advance`] or [`Clock::set`] moves it.
    pub fn manual(start: DateTime<Utc>) -> Clock {
        Clock(Inner::Manual(Arc::new(AtomicI64::new(
            start.timestamp_millis(),
        ))))
    }

    /// The present moment, in whole milliseconds as Confluence reports them.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Inner::Real => Utc::now().trunc_subsecs(3),
            Inner::Manual(millis) => {
                DateTime::from_timestamp_millis(millis.load(Ordering::SeqCst)).unwrap_or_default()
            }
        }
    }

    /// Moves a manual clock forward; a real clock is left alone.
    pub fn advance(&self, by: Duration) {
        if let Inner::Manual(millis) = &self.0 {
            millis.fetch_add(
                i64::try_from(by.as_millis()).unwrap_or(i64::MAX),
                Ordering::SeqCst,
            );
        }
    }

    /// Sets a manual clock; a real clock is left alone.
    pub fn set(&self, to: DateTime<Utc>) {
        if let Inner::Manual(millis) = &self.0 {
            millis.store(to.timestamp_millis(), Ordering::SeqCst);
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Clock::real()
    }
}
