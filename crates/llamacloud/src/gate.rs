//! The rate gate of one account: a steady quota, an adaptive number of requests in flight, and pauses that the service
//! asked for. It knows nothing of HTTP; it is told what became of each request.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::adaptive::{AdaptiveLimit, LimitSettings, Signal};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Notify;
use tokio::time::Instant;

pub(crate) struct Gate {
    born: Instant,
    quota: DefaultDirectRateLimiter,
    freed: Notify,
    state: Mutex<State>,
}

struct State {
    adaptive: AdaptiveLimit,
    in_flight: usize,
    paused_until: Option<Instant>,
}

impl Gate {
    pub(crate) fn new(per_second: u32, ceiling: usize) -> Arc<Self> {
        // Uploads of different sizes take different times: latency says nothing here, only push-back does.
        let settings = LimitSettings {
            latency_factor: 1e6,
            ..LimitSettings::up_to(ceiling)
        };
        Arc::new(Self {
            born: Instant::now(),
            quota: RateLimiter::direct(Quota::per_second(
                NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN),
            )),
            freed: Notify::new(),
            state: Mutex::new(State {
                adaptive: AdaptiveLimit::new(settings),
                in_flight: 0,
                paused_until: None,
            }),
        })
    }

    /// Waits until a request may go. The permit is held until its answer is read.
    pub(crate) async fn enter(self: &Arc<Self>) -> Permit {
        loop {
            let freed = self.freed.notified();
            match self.take_place() {
                Ok(permit) => {
                    self.quota.until_ready().await;
                    return permit;
                }
                Err(Some(pause)) => tokio::time::sleep(pause).await,
                Err(None) => freed.await,
            }
        }
    }

    /// A place, or how long the pause still lasts, or that all places are taken.
    fn take_place(self: &Arc<Self>) -> Result<Permit, Option<Duration>> {
        let mut state = self.lock();
        let pause = state
            .paused_until
            .and_then(|until| until.checked_duration_since(Instant::now()));
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            return Err(Some(pause));
        }
        if state.in_flight >= state.adaptive.limit() {
            return Err(None);
        }
        state.in_flight += 1;
        let in_flight = state.in_flight;
        state.adaptive.began(in_flight);
        Ok(Permit {
            gate: Arc::clone(self),
            began: Instant::now(),
        })
    }

    /// Lets nothing pass for so long; pauses only ever grow.
    pub(crate) fn pause(&self, wait: Duration) {
        let mut state = self.lock();
        state.paused_until = state.paused_until.max(Some(Instant::now() + wait));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have one request in flight; dropping it gives the place back.
pub(crate) struct Permit {
    gate: Arc<Gate>,
    began: Instant,
}

impl Permit {
    /// Says that an answer came.
    pub(crate) fn answered(self) {
        let signal = Signal::Answered(self.began.elapsed());
        self.tell(signal);
    }

    /// Says that the service pushed back: 429, 5xx, a time-out, a broken connection.
    pub(crate) fn pushed_back(self) {
        self.tell(Signal::PushedBack);
    }

    fn tell(&self, signal: Signal) {
        let now = self.gate.born.elapsed();
        self.gate.lock().adaptive.ended(signal, now);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.lock().in_flight -= 1;
        self.gate.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_in_flight_than_the_limit_and_places_come_back() {
        let gate = Gate::new(1000, 2);
        let (first, _second) = (gate.enter().await, gate.enter().await);
        let third = tokio::time::timeout(Duration::from_secs(1), gate.enter());
        assert!(third.await.is_err(), "two places only");
        drop(first);
        tokio::time::timeout(Duration::from_secs(1), gate.enter())
            .await
            .expect("a place came back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everyone() {
        let gate = Gate::new(1000, 8);
        let begun = Instant::now();
        gate.pause(Duration::from_secs(7));
        gate.pause(Duration::from_secs(2));
        gate.enter().await.answered();
        assert!(begun.elapsed() >= Duration::from_secs(7));
    }
}
