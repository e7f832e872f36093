//! Sends requests through the rate limiter, retries passing trouble, and gives back values or errors that are final for now.
//!
//! Answers are read with a bound in bytes. Anything but the JSON that was asked for is an error, never data.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::Retryable as _;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use domain::ports::source::{Cursor, SourceError, SourceHealth};
use domain::quota::QuotaSeen;
use domain::refusals::Pauses;
use reqwest::ClientBuilder;
use reqwest::header::{ACCEPT, DATE, HeaderMap, HeaderValue, LINK};
use serde::de::DeserializeOwned;
use upstream::probe::NO_ANSWER;
use upstream::{
    Answer, ConfigError, LimitScope, LimiterSettings, Outcome, RateLimiter, TooLong, waits,
};

use crate::call::Call;
use crate::classify::{Asked, Trouble, Verdict, classify, unknown_account};
use crate::config::{ConfluenceConfig, Site};
use crate::credentials::{Access, Authorization};
use crate::cursor::{Trails, next_cursor};
use crate::endpoint::{CONTENT_SEARCH, SEARCH, USER_CURRENT};
use crate::http::{Failure, no_access, parse, send, strange};
use crate::limits::LimitHeaders;
use crate::points::Budget;
use crate::retry::RetryPolicy;
use crate::wire::{self, List};

/// A login page within this time after a refusal for rate is a consequence of it.
const LIMITED_ECHO: Duration = Duration::from_secs(60);
/// A request slower than this many times its endpoint's usual time counts as trouble.
const SLOW_FACTOR: f64 = 4.0;

pub(crate) struct Transport {
    http: reqwest::Client,
    authorization: Authorization,
    pub site: Site,
    pub limiter: Arc<RateLimiter>,
    budget: Option<Arc<Budget>>,
    policy: RetryPolicy,
    max_bytes: usize,
    trails: Mutex<Trails>,
    /// How far this machine's clock is ahead of the site's, by its last answer; one for all clients of the site.
    clock_ahead: Arc<Mutex<Option<TimeDelta>>>,
}

/// One answer of a walk.
pub(crate) struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Cursor>,
    /// `_links.base`, for the addresses of the items.
    pub base: Option<String>,
}

impl Transport {
    pub fn new(config: &ConfluenceConfig) -> Result<Self, ConfigError> {
        let refuse = |setting, cause: &str| Err(ConfigError::new(setting, cause));
        let site = Site::of(config)?;
        let authorization = Authorization::of(&config.credentials)?;
        let Some(per_second) = NonZeroU32::new(config.max_requests_per_second) else {
            return refuse("CONFLUENCE_MAX_REQUESTS_PER_SECOND", "must be at least 1");
        };
        if config.max_concurrent_requests == 0 {
            return refuse("CONFLUENCE_MAX_CONCURRENT_REQUESTS", "must be at least 1");
        }
        let headers =
            HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        let with_headers = |builder: ClientBuilder| builder.default_headers(headers);
        let http =
            config
                .network
                .client(config.connect_timeout, config.request_timeout, with_headers)?;
        Ok(Self {
            http,
            authorization,
            site,
            limiter: RateLimiter::new(LimiterSettings {
                per_second,
                per_minute: None,
                pauses: Pauses::default(),
                max_in_flight: usize::try_from(config.max_concurrent_requests)
                    .unwrap_or(usize::MAX),
                patience: config.retry.patience,
                slow_factor: SLOW_FACTOR,
            }),
            budget: config
                .max_points_per_hour
                .map(|most| Arc::new(Budget::new(most))),
            policy: config.retry,
            max_bytes: config.max_answer_bytes,
            trails: Mutex::default(),
            clock_ahead: Arc::default(),
        })
    }

    /// The same site, credentials and limiter for requests that somebody waits for: what a single try tells is not asked again and
    /// again, and a wait that the site asks for is told rather than waited for.
    pub fn for_waiting(&self) -> Self {
        Self {
            http: self.http.clone(),
            authorization: self.authorization.clone(),
            site: self.site.clone(),
            limiter: Arc::clone(&self.limiter),
            budget: self.budget.clone(),
            policy: self.policy.for_waiting(),
            max_bytes: self.max_bytes,
            trails: Mutex::default(),
            clock_ahead: Arc::clone(&self.clock_ahead),
        }
    }

    /// How the site is doing, as far as its answers told.
    pub fn health(&self) -> SourceHealth {
        let ahead = self.clock_ahead.lock();
        SourceHealth {
            clock_ahead: *ahead.unwrap_or_else(PoisonError::into_inner),
            ..self.limiter.health()
        }
    }

    /// Compares the clocks, where an answer tells the time.
    fn compare_clocks(&self, headers: &HeaderMap, now: DateTime<Utc>) {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        let Some(date) = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()) else {
            return;
        };
        let ahead = now.trunc_subsecs(0) - date.to_utc();
        let mut known = self
            .clock_ahead
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Some(ahead);
    }

    /// The base of addresses for people: what the answer says, if that is an address.
    pub fn base(&self, told: Option<String>) -> String {
        told.filter(|base| base.starts_with("https://") || base.starts_with("http://"))
            .unwrap_or_else(|| self.site.public_base())
    }

    /// One value.
    pub async fn value<T: DeserializeOwned>(&self, call: &Call) -> Result<T, SourceError> {
        let value = self
            .exchange(call, None, |answer| parse(call, &answer))
            .await?;
        self.spend(call, call.endpoint.points_each());
        Ok(value)
    }

    /// Counts points against the share of the quota that the operator named; at its end everything waits for the next hour.
    fn spend(&self, call: &Call, points: u64) -> Option<QuotaSeen> {
        let seen = self.budget.as_ref()?.spend(points, Utc::now());
        if seen.remaining == 0 {
            self.limiter
                .pause(LimitScope::Everything, call.endpoint.name, seen.refill_in);
        }
        Some(seen)
    }

    /// One answer of a walk, with the guard against walks that never end.
    pub async fn page<T: DeserializeOwned>(
        &self,
        call: &Call,
        cursor: Option<&Cursor>,
    ) -> Result<Page<T>, SourceError> {
        let (list, next) = self
            .exchange(call, cursor, |answer| {
                let list: List<T> = parse(call, &answer)?;
                let headers = answer
                    .headers
                    .get_all(LINK)
                    .into_iter()
                    .filter_map(|value| value.to_str().ok());
                let next = next_cursor(list.links.next.as_deref(), headers).map_err(|_| {
                    SourceError::BadCursor {
                        what: call.what.clone(),
                        detail: "the link to the next answer holds no cursor".to_owned(),
                    }
                })?;
                Ok((list, next))
            })
            .await?;
        if let Some(base) = &list.links.base {
            self.site.hear(base);
        }
        let items: Vec<T> = list.results.into_iter().flatten().collect();
        let objects = u64::try_from(items.len()).unwrap_or(u64::MAX);
        self.spend(call, objects.saturating_mul(call.endpoint.points_each()));
        // Search offers a further answer after the last one.
        let search = call.endpoint == &CONTENT_SEARCH || call.endpoint == &SEARCH;
        let next = next.filter(|_| !(search && items.is_empty()));
        self.trails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .step(&call.walk(), cursor, next.as_ref(), items.is_empty())
            .map_err(|detail| SourceError::BadCursor {
                what: call.what.clone(),
                detail,
            })?;
        Ok(Page {
            items,
            next,
            base: list.links.base,
        })
    }

    /// A whole walk, for listings that are known to be short.
    pub async fn all<T: DeserializeOwned>(&self, call: &Call) -> Result<Page<T>, SourceError> {
        let mut whole = self.page(call, None).await?;
        while let Some(cursor) = whole.next.take() {
            let page = self.page(call, Some(&cursor)).await?;
            whole.items.extend(page.items);
            whole.base = whole.base.or(page.base);
            whole.next = page.next;
        }
        Ok(whole)
    }

    /// The target of a redirect that the endpoint answers with.
    pub async fn location(&self, call: &Call) -> Result<String, SourceError> {
        self.exchange(call, None, |answer| {
            answer
                .headers
                .get("location")
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
                .ok_or_else(|| {
                    let status = answer.status.as_u16();
                    strange(call, format!("status {status} without a place to go"))
                })
        })
        .await
    }

    /// One try, whatever is answered: for those who want to see how the site answers. In words why nothing came, fit for a report.
    pub async fn look(&self, call: &Call, cursor: Option<&Cursor>) -> Result<Answer, String> {
        let endpoint = call.endpoint.name;
        let access = self.authorization.access().await;
        let access = access.map_err(|none| none.to_string())?;
        let permit = self
            .limiter
            .acquire_within(endpoint, self.policy.patience)
            .await
            .map_err(|TooLong(wait)| {
                format!("the site limits requests for {} s", wait.as_secs())
            })?;
        let sent = send(
            &self.http,
            &self.site,
            self.max_bytes,
            &access,
            call,
            cursor,
        )
        .await;
        let outcome = match &sent {
            Ok(answer) if answer.status.as_u16() == 429 => Outcome::PushedBack,
            _ => Outcome::Answered,
        };
        permit.ended(outcome);
        sent.map_err(|_| NO_ANSWER.to_owned())
    }

    async fn exchange<T>(
        &self,
        call: &Call,
        cursor: Option<&Cursor>,
        read: impl Fn(Answer) -> Result<T, Failure>,
    ) -> Result<T, SourceError> {
        // Whether the site said meanwhile that it knows us, so that a 404 where no item was named is a passing fault.
        let vouched = AtomicBool::new(false);
        let attempt = || async {
            match self.once(call, cursor).await.and_then(&read) {
                Err(Failure::Doubtful(status, error)) => {
                    Err(self.resolve(call, status, error, &vouched).await)
                }
                result => result,
            }
        };
        let policy = &self.policy;
        let (mut failures, mut wait) = (0, Duration::ZERO);
        let heavy = |trouble| trouble == Trouble::Heavy && call.items > 1;
        let result = attempt
            .retry(waits(policy.backoff))
            .adjust(|failure, planned| {
                let Failure::Passing {
                    trouble,
                    error,
                    at_least,
                } = failure
                else {
                    return None;
                };
                failures += 1;
                tracing::debug!(what = call.what, failures, ?trouble, %error, "a request met passing trouble");
                self.limiter.note(Some(error.to_string()));
                let allowed = if heavy(*trouble) {
                    policy.retries_before_split
                } else {
                    policy.retries
                };
                wait = planned.unwrap_or_default().max(*at_least);
                (failures <= allowed && wait <= policy.patience).then_some(wait)
            })
            .await;
        match result {
            Ok(value) => {
                self.limiter.note(None);
                Ok(value)
            }
            Err(Failure::Final(error) | Failure::Doubtful(_, error) | Failure::Expired(error)) => {
                Err(self.told(error))
            }
            Err(Failure::Passing { trouble, error, .. }) => Err(match (trouble, error) {
                (Trouble::Limited, _) => SourceError::RateLimited {
                    what: call.what.clone(),
                    retry_after: wait,
                },
                (trouble, SourceError::Unavailable { what, detail }) if heavy(trouble) => {
                    SourceError::TooLarge { what, detail }
                }
                (_, error) => error,
            }),
        }
    }

    fn told(&self, error: SourceError) -> SourceError {
        if matches!(
            error,
            SourceError::Unauthorized { .. }
                | SourceError::LacksScope { .. }
                | SourceError::Withdrawn { .. }
                | SourceError::RateLimited { .. }
        ) {
            self.limiter.note(Some(error.to_string()));
        }
        error
    }

    /// What a 403 or 404 means where no item was named: asks who we are, once, to tell bad credentials from a passing fault.
    async fn resolve(
        &self,
        call: &Call,
        status: u16,
        error: SourceError,
        vouched: &AtomicBool,
    ) -> Failure {
        if vouched.load(Ordering::Relaxed) {
            return Failure::passing(Trouble::Strange, error);
        }
        let who = Call::new(&USER_CURRENT, &[]);
        let user = self
            .once(&who, None)
            .await
            .and_then(|answer| parse::<wire::CurrentUser>(&who, &answer))
            .map(wire::CurrentUser::known);
        let what = call.what.clone();
        Failure::Final(match user {
            Ok(None) => SourceError::Unauthorized {
                what,
                detail: unknown_account(&self.site, &format!("status {status}")),
            },
            Ok(Some(_)) if status == 403 => SourceError::Forbidden {
                what,
                detail: error.to_string(),
            },
            Err(Failure::Final(
                refused @ (SourceError::Unauthorized { .. } | SourceError::LacksScope { .. }),
            )) => refused,
            _ => {
                vouched.store(true, Ordering::Relaxed);
                return Failure::passing(Trouble::Strange, error);
            }
        })
    }

    /// One try; where an access token is refused, another with the next one.
    async fn once(&self, call: &Call, cursor: Option<&Cursor>) -> Result<Answer, Failure> {
        let none = |none| no_access(call, none);
        let access = self.authorization.access().await.map_err(none)?;
        let result = self.once_with(&access, call, cursor).await;
        let Err(Failure::Expired(error)) = result else {
            return result;
        };
        match self.authorization.instead_of(&access).await.map_err(none)? {
            None => Err(Failure::Final(error)),
            Some(access) => {
                let result = self.once_with(&access, call, cursor).await;
                result.map_err(|failure| match failure {
                    Failure::Expired(error) => Failure::Final(error),
                    failure => failure,
                })
            }
        }
    }

    /// One try: through the limiter, to the end of the answer.
    async fn once_with(
        &self,
        access: &Access,
        call: &Call,
        cursor: Option<&Cursor>,
    ) -> Result<Answer, Failure> {
        let endpoint = call.endpoint.name;
        let recently_limited = self.limiter.pushed_back_within(LIMITED_ECHO);
        let permit = self
            .limiter
            .acquire_within(endpoint, self.policy.patience)
            .await
            .map_err(|TooLong(retry_after)| {
                Failure::Final(SourceError::RateLimited {
                    what: call.what.clone(),
                    retry_after,
                })
            })?;
        let sent = send(&self.http, &self.site, self.max_bytes, access, call, cursor).await;
        let (outcome, result) = match sent {
            Err(failure) => {
                let outcome = match &failure {
                    Failure::Passing { .. } => Outcome::PushedBack,
                    _ => Outcome::Answered,
                };
                (outcome, Err(failure))
            }
            Ok(answer) => {
                let now = Utc::now();
                self.compare_clocks(&answer.headers, now);
                let limits = LimitHeaders::read(&answer.headers, now);
                let asked = Asked {
                    endpoint: call.endpoint,
                    what: &call.what,
                    site: &self.site,
                    cursor: cursor.is_some(),
                    recently_limited,
                };
                let own = self.spend(call, 1);
                let status = answer.status.as_u16();
                match classify(asked, status, &answer.headers, &answer.body) {
                    Verdict::Good => {
                        // Of the two the one that is nearer to its end counts.
                        let both = own.into_iter().chain(limits.quota());
                        if let Some(seen) = both.min_by_key(|seen| seen.remaining) {
                            self.limiter.observe_quota(seen);
                        }
                        if let Some(wait) = limits.exhausted() {
                            self.limiter.pause(
                                limits.scope(),
                                endpoint,
                                self.policy.pause(wait, luck()),
                            );
                        }
                        (
                            if limits.near_limit {
                                Outcome::NearLimit
                            } else {
                                Outcome::Answered
                            },
                            Ok(answer),
                        )
                    }
                    // The one redirect that is an answer.
                    Verdict::Final(_)
                        if status == 302 && call.endpoint == &crate::endpoint::DOWNLOAD =>
                    {
                        (Outcome::Answered, Ok(answer))
                    }
                    Verdict::Final(error @ SourceError::Unauthorized { .. }) if status == 401 => {
                        (Outcome::Answered, Err(Failure::Expired(error)))
                    }
                    Verdict::Final(error) => (Outcome::Answered, Err(Failure::Final(error))),
                    Verdict::Doubtful(status, error) => {
                        (Outcome::Answered, Err(Failure::Doubtful(status, error)))
                    }
                    Verdict::Passing(trouble, error) => {
                        let at_least = self.heed(call, trouble, &limits);
                        // A 500 is mostly about one item; the others need not go slower for it.
                        let outcome = if status == 500 {
                            Outcome::Answered
                        } else {
                            Outcome::PushedBack
                        };
                        (
                            outcome,
                            Err(Failure::Passing {
                                trouble,
                                error,
                                at_least,
                            }),
                        )
                    }
                }
            }
        };
        permit.ended(outcome);
        result
    }

    /// Passes on to everyone what the site asked of us, and says how long this request has to wait at least.
    fn heed(&self, call: &Call, trouble: Trouble, limits: &LimitHeaders) -> Duration {
        let endpoint = call.endpoint.name;
        match (trouble, limits.asked_wait()) {
            (Trouble::Limited, asked) => {
                // Without a word of how long, the first wait of the back-off holds for all.
                let asked = asked.unwrap_or(self.policy.backoff.base);
                let wait = self.policy.pause(asked, luck());
                self.limiter.pause(limits.scope(), endpoint, wait);
                wait
            }
            (_, _) if limits.retry_after.is_some() => {
                let wait = self
                    .policy
                    .pause(limits.retry_after.unwrap_or_default(), luck());
                self.limiter.pause(LimitScope::Everything, endpoint, wait);
                wait
            }
            _ => Duration::ZERO,
        }
    }
}

fn luck() -> f64 {
    rand::random()
}
