//! Sends requests through the rate gate, retries passing trouble, and gives back values or errors that are final for now.
//!
//! Answers are read with a bound in bytes. Anything but the JSON that was asked for is an error, never data.

use std::error::Error as _;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ports::source::{Cursor, SourceError};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LINK};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::classify::{Asked, Trouble, Verdict, classify, nobody};
use crate::config::{ConfigError, ConfluenceConfig, Site};
use crate::cursor::{Trails, next_cursor};
use crate::endpoint::{CONTENT_SEARCH, SEARCH, USER_CURRENT};
use crate::gate::{Outcome, RateGate, TooLong};
use crate::limits::{LimitHeaders, Scope};
use crate::retry::RetryPolicy;
use crate::wire::{self, List};

/// Bytes read of an error's body.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// A login page within this time after a refusal for rate is a consequence of it.
const LIMITED_ECHO: Duration = Duration::from_secs(60);

pub(crate) struct Transport {
    http: reqwest::Client,
    pub site: Site,
    pub gate: Arc<RateGate>,
    policy: RetryPolicy,
    max_bytes: usize,
    trails: Mutex<Trails>,
}

/// An answer, read.
pub(crate) struct Raw {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// One answer of a walk.
pub(crate) struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Cursor>,
    /// `_links.base`, for the addresses of the items.
    pub base: Option<String>,
}

/// Why one try gave nothing.
enum Failure {
    Final(SourceError),
    Passing {
        trouble: Trouble,
        error: SourceError,
        at_least: Duration,
    },
    Doubtful(u16, String),
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::Final(error)
    }
}

/// A client for the addresses of `config`, without credentials: the transport adds its own, downloads must not.
pub(crate) fn http_client(
    config: &ConfluenceConfig,
) -> Result<reqwest::ClientBuilder, ConfigError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(&config.user_agent)
        .connect_timeout(config.connect_timeout)
        .timeout(config.request_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    if let Some(url) = &config.proxy {
        let refuse = |_| ConfigError::Address {
            setting: "HTTPS_PROXY",
            cause: "is no proxy address".to_owned(),
        };
        let proxy = reqwest::Proxy::all(url.as_str()).map_err(refuse)?;
        builder =
            builder.proxy(proxy.no_proxy(reqwest::NoProxy::from_string("localhost,127.0.0.1,::1")));
    }
    if let Some(pem) = &config.extra_ca_pem {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| {
            ConfigError::Certificate(format!("is no PEM file of certificates: {error}"))
        })?;
        if certificates.is_empty() {
            return Err(ConfigError::Certificate("holds no certificate".to_owned()));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    Ok(builder)
}

impl Transport {
    pub fn new(config: &ConfluenceConfig) -> Result<Self, ConfigError> {
        let refuse = |setting, cause: &str| {
            Err(ConfigError::Value {
                setting,
                cause: cause.to_owned(),
            })
        };
        let site = Site::of(config)?;
        if config.email.trim().is_empty() || config.email.contains(':') {
            return refuse(
                "CONFLUENCE_EMAIL",
                "must be the e-mail address of the token's account",
            );
        }
        let token = config.api_token.expose_secret().trim();
        if token.is_empty() {
            return refuse(
                "CONFLUENCE_API_TOKEN",
                "is empty; make a token at id.atlassian.com",
            );
        }
        let Some(per_second) = NonZeroU32::new(config.max_requests_per_second) else {
            return refuse("CONFLUENCE_MAX_REQUESTS_PER_SECOND", "must be at least 1");
        };
        if config.max_concurrent_requests == 0 {
            return refuse("CONFLUENCE_MAX_CONCURRENT_REQUESTS", "must be at least 1");
        }
        let basic = STANDARD.encode(format!("{}:{token}", config.email.trim()));
        let mut authorization = HeaderValue::try_from(format!("Basic {basic}")).map_err(|_| {
            ConfigError::Client("the credentials cannot be put into a header".to_owned())
        })?;
        authorization.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, authorization),
            (ACCEPT, HeaderValue::from_static("application/json")),
        ]);
        let http = http_client(config)?
            .default_headers(headers)
            .build()
            .map_err(|error| ConfigError::Client(root_cause(&error)))?;
        let ceiling = usize::try_from(config.max_concurrent_requests).unwrap_or(usize::MAX);
        Ok(Self {
            http,
            site,
            gate: RateGate::new(per_second, ceiling, config.retry.patience),
            policy: config.retry,
            max_bytes: config.max_answer_bytes,
            trails: Mutex::default(),
        })
    }

    /// One value.
    pub async fn value<T: DeserializeOwned>(&self, call: &Call) -> Result<T, SourceError> {
        self.exchange(call, None, |raw| parse(call, &raw)).await
    }

    /// One answer of a walk, with the guard against walks that never end.
    pub async fn page<T: DeserializeOwned>(
        &self,
        call: &Call,
        cursor: Option<&Cursor>,
    ) -> Result<Page<T>, SourceError> {
        let (list, next) = self
            .exchange(call, cursor, |raw| {
                let list: List<T> = parse(call, &raw)?;
                let headers = raw
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
        let items: Vec<T> = list.results.into_iter().flatten().collect();
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
        self.exchange(call, None, |raw| {
            raw.headers
                .get("location")
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
                .ok_or_else(|| {
                    strange(call, format!("status {} without a place to go", raw.status))
                })
        })
        .await
    }

    async fn exchange<T>(
        &self,
        call: &Call,
        cursor: Option<&Cursor>,
        read: impl Fn(Raw) -> Result<T, Failure>,
    ) -> Result<T, SourceError> {
        let mut failures = 0;
        loop {
            let failure = match self.once(call, cursor).await.and_then(&read) {
                Ok(value) => {
                    self.gate.note(None);
                    return Ok(value);
                }
                Err(failure) => failure,
            };
            let (trouble, error, at_least) = match failure {
                Failure::Final(error) => return Err(self.told(error)),
                Failure::Doubtful(status, detail) => {
                    return Err(self.told(self.resolve(call, status, detail).await));
                }
                Failure::Passing {
                    trouble,
                    error,
                    at_least,
                } => (trouble, error, at_least),
            };
            failures += 1;
            tracing::debug!(what = call.what, failures, ?trouble, %error, "a request met passing trouble");
            self.gate.note(Some(error.to_string()));
            let heavy = trouble == Trouble::Heavy && call.items > 1;
            let allowed = if heavy {
                self.policy.retries_before_split
            } else {
                self.policy.retries
            };
            let wait = self.policy.backoff.wait(failures, luck(), at_least);
            if failures > allowed || wait > self.policy.patience {
                return Err(match (trouble, error) {
                    (Trouble::Limited, _) => SourceError::RateLimited {
                        what: call.what.clone(),
                        retry_after: wait,
                    },
                    (_, SourceError::Unavailable { what, detail }) if heavy => {
                        SourceError::TooLarge { what, detail }
                    }
                    (_, error) => error,
                });
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn told(&self, error: SourceError) -> SourceError {
        if matches!(
            error,
            SourceError::Unauthorized { .. }
                | SourceError::Withdrawn { .. }
                | SourceError::RateLimited { .. }
        ) {
            self.gate.note(Some(error.to_string()));
        }
        error
    }

    /// A 403 or 404 where no item was named: asks who we are, once, to tell bad credentials from a passing fault.
    async fn resolve(&self, call: &Call, status: u16, detail: String) -> SourceError {
        let who = Call::new(&USER_CURRENT, &[]);
        let known = match self
            .once(&who, None)
            .await
            .and_then(|raw| parse::<wire::CurrentUser>(&who, &raw))
        {
            Ok(user) => Some(user.known().is_some()),
            Err(Failure::Final(error @ SourceError::Unauthorized { .. })) => return error,
            Err(_) => None,
        };
        let what = call.what.clone();
        match (known, status) {
            (Some(false), _) => SourceError::Unauthorized {
                what,
                detail: nobody(self.site.gateway, &detail),
            },
            (Some(true), 403) => SourceError::Forbidden { what, detail },
            _ => SourceError::Unavailable { what, detail },
        }
    }

    /// One try: through the gate, to the end of the answer.
    async fn once(&self, call: &Call, cursor: Option<&Cursor>) -> Result<Raw, Failure> {
        let endpoint = call.endpoint.name;
        let recently_limited = self.gate.pushed_back_within(LIMITED_ECHO);
        let permit = self
            .gate
            .enter(endpoint)
            .await
            .map_err(|TooLong(retry_after)| {
                Failure::Final(SourceError::RateLimited {
                    what: call.what.clone(),
                    retry_after,
                })
            })?;
        let sent = self.send(call, cursor).await;
        let (outcome, result) = match sent {
            Err(failure) => {
                let outcome = match &failure {
                    Failure::Passing { .. } => Outcome::PushedBack,
                    _ => Outcome::Answered,
                };
                (outcome, Err(failure))
            }
            Ok(raw) => {
                let limits = LimitHeaders::read(&raw.headers, chrono::Utc::now());
                let asked = Asked {
                    endpoint: call.endpoint,
                    what: &call.what,
                    gateway: self.site.gateway,
                    cursor: cursor.is_some(),
                    recently_limited,
                };
                match classify(asked, raw.status, &raw.headers, &raw.body) {
                    Verdict::Good => {
                        if let Some(wait) = limits.exhausted() {
                            self.gate.pause(
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
                            Ok(raw),
                        )
                    }
                    // The one redirect that is an answer.
                    Verdict::Final(_)
                        if raw.status == 302 && call.endpoint == &crate::endpoint::DOWNLOAD =>
                    {
                        (Outcome::Answered, Ok(raw))
                    }
                    Verdict::Final(error) => (Outcome::Answered, Err(Failure::Final(error))),
                    Verdict::Doubtful(status, detail) => {
                        (Outcome::Answered, Err(Failure::Doubtful(status, detail)))
                    }
                    Verdict::Passing(trouble, error) => {
                        let at_least = self.heed(call, trouble, &limits);
                        (
                            Outcome::PushedBack,
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
                self.gate.pause(limits.scope(), endpoint, wait);
                wait
            }
            (_, _) if limits.retry_after.is_some() => {
                let wait = self
                    .policy
                    .pause(limits.retry_after.unwrap_or_default(), luck());
                self.gate.pause(Scope::Everything, endpoint, wait);
                wait
            }
            _ => Duration::ZERO,
        }
    }

    async fn send(&self, call: &Call, cursor: Option<&Cursor>) -> Result<Raw, Failure> {
        let mut request = self
            .http
            .request(call.method(), call.url(&self.site, cursor));
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let broken = |error: reqwest::Error| broken(call, &error);
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status();
        let bound = if status.is_success() {
            self.max_bytes
        } else {
            MAX_ERROR_BYTES
        };
        let expected = response
            .content_length()
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(0);
        let too_large = || SourceError::TooLarge {
            what: call.what.clone(),
            detail: format!("it has more than {} MiB", self.max_bytes >> 20),
        };
        if status.is_success() && expected > bound {
            return Err(too_large().into());
        }
        let mut body = Vec::with_capacity(expected.min(bound));
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > bound {
                if status.is_success() {
                    return Err(too_large().into());
                }
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Raw {
            status: status.as_u16(),
            headers: std::mem::take(response.headers_mut()),
            body,
        })
    }
}

fn broken(call: &Call, error: &reqwest::Error) -> Failure {
    if error.is_builder() {
        return Failure::Final(SourceError::Rejected {
            what: call.what.clone(),
            detail: root_cause(error),
        });
    }
    let (trouble, detail) = if error.is_connect() {
        let cause = root_cause(error);
        let remedy = if cause.contains("ertificate") {
            "; if a proxy re-signs traffic, set EXTRA_CA_FILE"
        } else {
            ""
        };
        (Trouble::Down, format!("no connection: {cause}{remedy}"))
    } else if error.is_timeout() {
        (Trouble::Heavy, "no answer in time".to_owned())
    } else {
        (
            Trouble::Strange,
            format!("the answer broke off: {}", root_cause(error)),
        )
    };
    let error = SourceError::Unavailable {
        what: call.what.clone(),
        detail,
    };
    Failure::Passing {
        trouble,
        error,
        at_least: Duration::ZERO,
    }
}

fn strange(call: &Call, detail: String) -> Failure {
    let error = SourceError::Unavailable {
        what: call.what.clone(),
        detail,
    };
    Failure::Passing {
        trouble: Trouble::Strange,
        error,
        at_least: Duration::ZERO,
    }
}

fn parse<T: DeserializeOwned>(call: &Call, raw: &Raw) -> Result<T, Failure> {
    serde_json::from_slice(&raw.body).map_err(|error| {
        let first = raw.body.iter().find(|byte| !byte.is_ascii_whitespace());
        let detail = match first {
            None => format!("status {} with an empty answer", raw.status),
            Some(b'<') => format!("status {} with HTML instead of JSON", raw.status),
            Some(_) => format!("status {} with broken JSON: {error}", raw.status),
        };
        strange(call, detail)
    })
}

/// The innermost cause of an error, which says more than its wrappers, and holds no address.
pub(crate) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.source();
    let mut told = None;
    while let Some(inner) = cause {
        told = Some(inner.to_string());
        cause = inner.source();
    }
    told.unwrap_or_else(|| {
        if error.is_builder() {
            "the request is not well formed".to_owned()
        } else {
            "unknown cause".to_owned()
        }
    })
}

fn luck() -> f64 {
    rand::random()
}
