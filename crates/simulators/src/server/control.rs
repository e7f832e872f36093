//! The part of a simulator's handle that tests use most: log, counters, faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::faults::{self, Fault, FaultPlan, FaultRule, Matcher, Times};
use super::log::{Log, LoggedRequest};
use super::reply::Reply;
use super::request::Request;

/// What answers requests. Called on a worker thread; must not block for long.
pub(crate) trait Service: Send + Sync + 'static {
    /// The endpoint template a request meets.
    fn template(&self, request: &Request) -> String;
    /// The answer, faults aside.
    fn respond(&self, request: &Request, template: &str) -> Reply;
    /// How this service words an error for that endpoint.
    fn error(&self, status: u16, request: &Request, template: &str) -> Reply;
    /// Latency of every answer at this moment.
    fn latency(&self) -> std::time::Duration;
}

/// Request log, counters and fault plan of one simulator. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Control {
    log: Arc<Mutex<Log>>,
    plan: Arc<Mutex<FaultPlan>>,
}

/// Locks, and carries on with the data if another thread died while holding the lock.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Control {
    /// Every request since the start or the last [`Control::reset_log`], oldest first (the first 200,000 are kept).
    pub fn requests(&self) -> Vec<LoggedRequest> {
        locked(&self.log).entries.clone()
    }

    /// How many requests came in since the start or the last reset.
    pub fn request_count(&self) -> u64 {
        locked(&self.log).next
    }

    /// Requests by `METHOD template`, e.g. `GET /wiki/api/v2/pages`.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        locked(&self.log).counts.clone()
    }

    /// Requests whose endpoint is, or ends with, this template; any method.
    pub fn count_of(&self, template: &str) -> u64 {
        locked(&self.log)
            .counts
            .iter()
            .filter(|(key, _)| key.ends_with(template))
            .map(|(_, n)| n)
            .sum()
    }

    /// Forgets the log and the counters; faults and switches stay.
    pub fn reset_log(&self) {
        *locked(&self.log) = Log::default();
    }

    /// The next `times` matching requests meet this fault.
    pub fn fail_next(&self, matcher: impl Into<Matcher>, times: u32, fault: Fault) {
        self.fail(FaultRule {
            matcher: matcher.into(),
            skip: 0,
            times: Times::Next(times),
            fault,
        });
    }

    /// Every matching request meets this fault until [`Control::clear_faults`].
    pub fn fail_always(&self, matcher: impl Into<Matcher>, fault: Fault) {
        self.fail(FaultRule {
            matcher: matcher.into(),
            skip: 0,
            times: Times::Always,
            fault,
        });
    }

    /// After `skip` good answers, the next `times` matching requests meet this fault.
    pub fn fail_after(&self, matcher: impl Into<Matcher>, skip: u32, times: u32, fault: Fault) {
        self.fail(FaultRule {
            matcher: matcher.into(),
            skip,
            times: Times::Next(times),
            fault,
        });
    }

    /// This share (0.0 to 1.0) of matching requests meets this fault, by the seed of [`Control::seed_faults`].
    pub fn fail_share(&self, matcher: impl Into<Matcher>, share: f64, fault: Fault) {
        self.fail(FaultRule {
            matcher: matcher.into(),
            skip: 0,
            times: Times::Share(share),
            fault,
        });
    }

    /// Adds a rule; the first rule that strikes decides.
    pub fn fail(&self, rule: FaultRule) {
        locked(&self.plan).add(rule);
    }

    /// Drops every rule.
    pub fn clear_faults(&self) {
        locked(&self.plan).clear();
    }

    /// Rules that may still strike.
    pub fn pending_faults(&self) -> usize {
        locked(&self.plan).pending()
    }

    /// Seeds the generator behind [`Control::fail_share`].
    pub fn seed_faults(&self, seed: u64) {
        locked(&self.plan).seed(seed);
    }

    /// The answer of a service, with the plan's faults.
    pub(crate) fn answer(
        &self,
        service: &dyn Service,
        request: &Request,
        template: &str,
    ) -> (Reply, Option<Fault>) {
        let fault = locked(&self.plan).strike(request, template);
        let Some(fault) = fault else {
            return (service.respond(request, template), None);
        };
        let error = |status| service.error(status, request, template);
        let reply = match faults::early(&fault, &error) {
            Some(reply) => reply,
            None => faults::spoil(&fault, request, service.respond(request, template)),
        };
        (reply, Some(fault))
    }

    pub(crate) fn record(&self, entry: LoggedRequest) {
        locked(&self.log).push(entry);
    }
}
