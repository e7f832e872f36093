//! A circuit breaker: who is down is not waited for again and again.
//!
//! After some failures in a row the next questions are refused at once, and beside one of them the question is put as a probe, one at a
//! time; the first that is answered closes the circuit. It knows nothing of what is asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row after which the other side counts as down.
const FAILURES: u32 = 3;
/// The time between two probes.
const PROBE_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    last_probe: Option<Instant>,
    probing: bool,
}

/// See the module. Cheap to clone: clones share the state.
#[derive(Clone, Debug, Default)]
pub struct CircuitBreaker(Arc<Mutex<State>>);

/// What a question may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Circuit {
    /// Ask.
    Closed,
    /// Do not ask; so many questions in a row failed.
    Open {
        /// How many.
        failures: u32,
        /// Whether this question is to be put as a probe beside: then [`ended`](CircuitBreaker::ended) has to be told.
        probe: bool,
    },
}

impl CircuitBreaker {
    /// What the next question may do.
    #[must_use]
    pub fn state(&self) -> Circuit {
        let mut state = self.lock();
        if state.failures < FAILURES {
            return Circuit::Closed;
        }
        let rested = state
            .last_probe
            .is_none_or(|at| at.elapsed() >= PROBE_EVERY);
        let probe = rested && !state.probing;
        if probe {
            state.probing = true;
            state.last_probe = Some(Instant::now());
        }
        Circuit::Open {
            failures: state.failures,
            probe,
        }
    }

    /// What became of a question or a probe: whether the other side answered, be it with a refusal.
    pub fn ended(&self, answered: bool) {
        let mut state = self.lock();
        state.probing = false;
        if answered {
            *state = State::default();
        } else {
            state.failures = state.failures.saturating_add(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn three_failures_open_it_one_probe_at_a_time_and_one_answer_closes_it() {
        let breaker = CircuitBreaker::default();
        for _ in 0..3 {
            assert_eq!(breaker.state(), Circuit::Closed);
            breaker.ended(false);
        }
        let open = |failures, probe| Circuit::Open { failures, probe };
        assert_eq!(breaker.state(), open(3, true));
        assert_eq!(breaker.state(), open(3, false));
        tokio::time::advance(PROBE_EVERY).await;
        assert_eq!(breaker.state(), open(3, false), "the probe is under way");
        breaker.ended(false);
        assert_eq!(breaker.state(), open(4, true));
        breaker.ended(true);
        assert_eq!(breaker.state(), Circuit::Closed);
        breaker.ended(false);
        breaker.ended(true);
        breaker.ended(false);
        breaker.ended(false);
        assert_eq!(breaker.state(), Circuit::Closed, "three in a row");
    }
}
