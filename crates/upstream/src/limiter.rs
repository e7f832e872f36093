//! The rate limiter: one per service and credentials, shared by everyone who sends requests there.
//!
//! Five parts: a steady quota (governor), an adaptive limit of requests in flight ([`domain::adaptive`]), the pace at which the
//! rest of the service's own quota is used up once little is left ([`domain::quota`]), the rate that was set for it or that bare
//! refusals taught ([`domain::refusals`]), and pauses that the service asked for, of everything or of one endpoint. First come, first
//! served, but for what somebody waits for: it goes before the queue, and what waits there goes that much later, yet never more than
//! [`GIVES_WAY`] turns at once. An endpoint that is paused waits outside the queue. The limiter knows nothing of HTTP: it is told what became of each request.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::adaptive::{AdaptiveLimit, LimitSettings, Signal};
use domain::ports::source::{QuotaLeft, SourceHealth};
use domain::quota::{QuotaPace, QuotaSeen};
use domain::refusals::{MINUTE, Pauses, Refusals};
use governor::Quota;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use tokio::sync::Notify;
use tokio::time::Instant;

/// A request faster than this is never slow.
const NEVER_SLOW: Duration = Duration::from_millis(500);

/// How many turns the first in the queue gives up at most to what somebody waits for; of more, those behind it give theirs.
const GIVES_WAY: u32 = 3;

/// The runtime's clock for governor, so that paused time in tests rules it too.
#[derive(Clone, Debug)]
struct RuntimeClock(Instant);

impl governor::clock::Clock for RuntimeClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

type SteadyQuota =
    governor::RateLimiter<NotKeyed, InMemoryState, RuntimeClock, NoOpMiddleware<Duration>>;

/// The wait ahead is longer than the limiter's patience; the caller is told instead of kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong(pub Duration);

/// Which requests a limit concerns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitScope {
    /// All of them.
    Everything,
    /// Those of the same endpoint.
    Endpoint,
}

/// What became of a request, as far as the limiter is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The service answered, be it with an error about the request itself.
    Answered,
    /// The service answered, and said that little of the quota is left.
    NearLimit,
    /// 429, 5xx, a time-out or a broken connection.
    PushedBack,
}

/// The bounds of a [`RateLimiter`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LimiterSettings {
    /// The steady quota.
    pub per_second: NonZeroU32,
    /// What the plan allows a minute, where that is known.
    pub per_minute: Option<NonZeroU32>,
    /// How long everything pauses after refusals that do not say for how long.
    pub pauses: Pauses,
    /// The ceiling of the adaptive limit of requests in flight.
    pub max_in_flight: usize,
    /// The longest wait that a caller is kept for.
    pub patience: Duration,
    /// An answer that takes this many times its endpoint's usual time counts as trouble. Infinite where time says nothing, since
    /// requests of one endpoint differ in size.
    pub slow_factor: f64,
}

/// See the module.
pub struct RateLimiter {
    started: Instant,
    /// The time over which plans count requests.
    minute: Duration,
    patience: Duration,
    slow_factor: f64,
    quota: SteadyQuota,
    clock: RuntimeClock,
    queue: tokio::sync::Mutex<()>,
    freed: Notify,
    state: Mutex<State>,
}

struct State {
    adaptive: AdaptiveLimit,
    in_flight: usize,
    requests: u64,
    everything_until: Option<Instant>,
    pace: QuotaPace,
    /// The time between two requests that the pace asks for, as long as the service's quota is not refilled.
    paced: Option<Paced>,
    /// The time between two requests that the plan asks for.
    plan: Option<Duration>,
    refusals: Refusals,
    /// When the last request went out in its turn.
    last: Option<Instant>,
    /// How many have gone before the queue whose turns it has not given yet.
    owed: u32,
    endpoint_until: HashMap<&'static str, Instant>,
    usual: HashMap<&'static str, Duration>,
    pushed_back_at: Option<Instant>,
    trouble: Option<String>,
    /// What an answer told last of what is left of the quota, and when it is refilled.
    left: Option<(u64, Instant)>,
}

impl State {
    /// The time between two requests that the plan asks for, or that was learned.
    fn between(&self, started: Instant) -> Option<Duration> {
        self.plan.max(self.refusals.between(started.elapsed()))
    }

    /// When the next turn of the queue is, as far as the plan goes.
    fn turn(&self, started: Instant) -> Option<Instant> {
        let (last, between) = self.last.zip(self.between(started))?;
        Some(last + between * (1 + self.owed.min(GIVES_WAY)))
    }
}

#[derive(Clone, Copy)]
struct Paced {
    between: Duration,
    until: Instant,
}

impl RateLimiter {
    /// A limiter that nobody has used.
    #[must_use]
    pub fn new(settings: LimiterSettings) -> Arc<Self> {
        let started = Instant::now();
        let clock = RuntimeClock(started);
        Arc::new(Self {
            started,
            minute: settings.pauses.minute,
            patience: settings.patience,
            slow_factor: settings.slow_factor,
            quota: SteadyQuota::direct_with_clock(
                Quota::per_second(settings.per_second),
                clock.clone(),
            ),
            clock,
            queue: tokio::sync::Mutex::new(()),
            freed: Notify::new(),
            state: Mutex::new(State {
                adaptive: AdaptiveLimit::new(LimitSettings::up_to(settings.max_in_flight)),
                in_flight: 0,
                requests: 0,
                everything_until: None,
                pace: QuotaPace::default(),
                paced: None,
                plan: settings.per_minute.map(|n| MINUTE / n.get()),
                refusals: Refusals::new(settings.pauses),
                last: None,
                owed: 0,
                endpoint_until: HashMap::new(),
                usual: HashMap::new(),
                pushed_back_at: None,
                trouble: None,
                left: None,
            }),
        })
    }

    /// Takes in that a request was refused for its rate, with no word of how long to wait; answers for how long everything pauses.
    pub fn refused(&self, permit: Permit) -> Duration {
        let now = Instant::now();
        let mut state = self.lock();
        let lesson = state
            .refusals
            .refused(permit.began - self.started, now - self.started);
        if let Some(lesson) = lesson {
            state.everything_until = state.everything_until.max(Some(now + lesson.pause));
            if let Some(between) = lesson.between {
                tracing::info!(
                    seconds_between = between.as_secs_f64(),
                    "the service refuses requests for their rate; they go out at the rate that it takes"
                );
            }
        }
        let wait = state.everything_until.and_then(ahead);
        drop(state);
        permit.ended(Outcome::PushedBack);
        wait.unwrap_or_default()
    }

    /// For a request that somebody waits for: it goes before the queue and takes no slot of it, but keeps pauses.
    ///
    /// # Errors
    /// [`TooLong`] when a pause is under way that is longer than `patience`.
    pub async fn acquire_urgent(
        self: &Arc<Self>,
        endpoint: &'static str,
        patience: Duration,
    ) -> Result<Permit, TooLong> {
        while let Some(wait) = self.common_wait().max(self.wait_of(endpoint)) {
            sleep(wait, patience).await?;
        }
        let mut state = self.lock();
        state.in_flight += 1;
        let in_flight = state.in_flight;
        state.adaptive.began(in_flight);
        drop(state);
        let permit = Permit {
            limiter: Arc::clone(self),
            endpoint,
            began: Instant::now(),
            urgent: true,
        };
        Ok(permit.begin())
    }

    /// Waits until a request to `endpoint` may go. The permit is held until its answer is read.
    ///
    /// # Errors
    /// [`TooLong`] when the service asked for a longer pause than the limiter's patience.
    pub async fn acquire(self: &Arc<Self>, endpoint: &'static str) -> Result<Permit, TooLong> {
        self.acquire_within(endpoint, self.patience).await
    }

    /// The same for a caller with a patience of its own.
    ///
    /// # Errors
    /// [`TooLong`] when the service asked for a longer pause than `patience`.
    pub async fn acquire_within(
        self: &Arc<Self>,
        endpoint: &'static str,
        patience: Duration,
    ) -> Result<Permit, TooLong> {
        loop {
            if let Some(wait) = self.wait_of(endpoint) {
                sleep(wait, patience).await?;
                continue;
            }
            let _turn = self.queue.lock().await;
            if self.wait_of(endpoint).is_some() {
                continue;
            }
            if let Some(permit) = self.acquire_first(endpoint, patience).await? {
                return Ok(permit);
            }
        }
    }

    /// First in the queue: waits for the common pause, a slot in flight, and the quota. `None`: the endpoint was paused.
    async fn acquire_first(
        self: &Arc<Self>,
        endpoint: &'static str,
        patience: Duration,
    ) -> Result<Option<Permit>, TooLong> {
        loop {
            if let Some(wait) = self.common_wait().max(self.paced_wait()) {
                sleep(wait, patience).await?;
                continue;
            }
            let freed = self.freed.notified();
            let Some(permit) = self.take_slot(endpoint) else {
                freed.await;
                continue;
            };
            while let Err(not_yet) = self.quota.check() {
                tokio::time::sleep(not_yet.wait_time_from(self.clock.now())).await;
            }
            // A pause may have come up meanwhile; the slot is given back by dropping the permit.
            if self.common_wait().is_none() {
                if self.wait_of(endpoint).is_some() {
                    return Ok(None);
                }
                return Ok(Some(permit.begin()));
            }
        }
    }

    fn take_slot(self: &Arc<Self>, endpoint: &'static str) -> Option<Permit> {
        let mut state = self.lock();
        if state.in_flight >= state.adaptive.limit() {
            return None;
        }
        state.in_flight += 1;
        let in_flight = state.in_flight;
        state.adaptive.began(in_flight);
        Some(Permit {
            limiter: Arc::clone(self),
            endpoint,
            began: Instant::now(),
            urgent: false,
        })
    }

    /// Lets no request of this scope go for so long (counted from now). A pause only ever grows.
    pub fn pause(&self, scope: LimitScope, endpoint: &'static str, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.lock();
        match scope {
            LimitScope::Everything => {
                state.everything_until = state.everything_until.max(Some(until))
            }
            LimitScope::Endpoint => {
                let slot = state.endpoint_until.entry(endpoint).or_insert(until);
                *slot = (*slot).max(until);
            }
        }
    }

    /// Takes in what an answer told about the service's quota: when little is left, requests go out evenly until it is refilled.
    pub fn observe_quota(&self, seen: QuotaSeen) {
        let now = Instant::now();
        let mut state = self.lock();
        state.left = Some((seen.remaining, now + seen.refill_in));
        let requests = state.requests;
        let between = state.pace.seen(seen, requests);
        if state.paced.is_none() {
            state.last = Some(now);
        }
        state.paced = (!between.is_zero()).then(|| Paced {
            between,
            until: now + seen.refill_in,
        });
    }

    /// Notes trouble in words, for [`health`](Self::health); `None` clears it.
    pub fn note(&self, trouble: Option<String>) {
        self.lock().trouble = trouble;
    }

    /// Whether a request was pushed back within this time.
    pub fn pushed_back_within(&self, time: Duration) -> bool {
        self.lock()
            .pushed_back_at
            .is_some_and(|at| at.elapsed() <= time)
    }

    /// How the service is doing: requests, limit, pause, trouble.
    #[must_use]
    pub fn health(&self) -> SourceHealth {
        let state = self.lock();
        let now = Instant::now();
        let at = |until: Instant| (until > now).then(|| chrono::Utc::now() + (until - now));
        SourceHealth {
            requests: state.requests,
            concurrency_limit: state.adaptive.limit(),
            in_flight: state.in_flight,
            paused_until: state.everything_until.and_then(at),
            trouble: state.trouble.clone(),
            quota: state.left.and_then(|(remaining, until)| {
                Some(QuotaLeft {
                    remaining,
                    refilled_at: at(until)?,
                })
            }),
            clock_ahead: None,
        }
    }

    fn common_wait(&self) -> Option<Duration> {
        self.lock().everything_until.and_then(ahead)
    }

    fn paced_wait(&self) -> Option<Duration> {
        let state = self.lock();
        let last = state.last?;
        let quota = state
            .paced
            .map(|paced| (last + paced.between).min(paced.until));
        ahead(quota.max(state.turn(self.started))?)
    }

    fn wait_of(&self, endpoint: &'static str) -> Option<Duration> {
        self.lock()
            .endpoint_until
            .get(endpoint)
            .copied()
            .and_then(ahead)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ahead(until: Instant) -> Option<Duration> {
    until
        .checked_duration_since(Instant::now())
        .filter(|wait| !wait.is_zero())
}

/// The right to have one request in flight. Dropping it gives the slot back.
pub struct Permit {
    limiter: Arc<RateLimiter>,
    endpoint: &'static str,
    began: Instant,
    urgent: bool,
}

impl Permit {
    fn begin(mut self) -> Self {
        self.began = Instant::now();
        let began = self.began;
        let mut state = self.limiter.lock();
        state.requests += 1;
        let started = self.limiter.started;
        match state.turn(started).filter(|turn| *turn > began) {
            Some(_) if self.urgent => {
                // What is older than a minute, the service has forgotten.
                let turns = state
                    .between(started)
                    .map(|between| self.limiter.minute.as_secs_f64() / between.as_secs_f64());
                let most = turns.map_or(0, |turns| turns as u32);
                state.owed = (state.owed + 1).min(most);
            }
            _ => {
                state.last = Some(began);
                state.owed = state.owed.saturating_sub(GIVES_WAY);
            }
        }
        drop(state);
        self
    }

    /// Says what became of the request, from which the limit learns.
    pub fn ended(self, outcome: Outcome) {
        let now = Instant::now();
        let took = now - self.began;
        let mut state = self.limiter.lock();
        let signal = match outcome {
            Outcome::PushedBack => {
                state.pushed_back_at = Some(now);
                Signal::PushedBack
            }
            Outcome::NearLimit => Signal::PushedBack,
            Outcome::Answered => {
                let usual = state.usual.entry(self.endpoint).or_insert(took);
                let slow = took > NEVER_SLOW
                    && took.as_secs_f64() > usual.as_secs_f64() * self.limiter.slow_factor;
                *usual = usual.mul_f64(0.8) + took.mul_f64(0.2);
                state.refusals.passed(now - self.limiter.started);
                if slow {
                    Signal::PushedBack
                } else {
                    Signal::Answered(took)
                }
            }
        };
        state.adaptive.ended(signal, now - self.limiter.started);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.lock().in_flight -= 1;
        self.limiter.freed.notify_one();
    }
}

async fn sleep(wait: Duration, patience: Duration) -> Result<(), TooLong> {
    if wait > patience {
        return Err(TooLong(wait));
    }
    tokio::time::sleep(wait).await;
    Ok(())
}

#[cfg(test)]
mod tests;
