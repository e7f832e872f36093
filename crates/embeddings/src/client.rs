//! The exchange with its retries, batches, and the port.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use backon::Retryable as _;
use domain::ports::embedding::{Embedded, Embedder, EmbedderHealth, EmbeddingError, Recipe};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use upstream::{
    Answer, Bounds, Broken, BrokenBy, Circuit, CircuitBreaker, LimitScope, LimiterSettings,
    Outcome, RateLimiter, Target, TooLong, secret_header, waits,
};
use url::Url;

use crate::config::{ConfigError, EmbeddingsConfig, Timeouts};
use crate::wire;

/// The rate limits are the endpoint's, whatever is asked for.
const ENDPOINT: &str = "embeddings";
/// The longest answer to a batch, and to a question: floats written out, with room for the largest models.
const MAX_BATCH_BYTES: usize = 16 << 20;
const MAX_QUESTION_BYTES: usize = 1 << 20;
/// What is read of a refusal.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// The longest pause that a question waits for.
const URGENT_PATIENCE: Duration = Duration::from_millis(300);
/// How often a text that is refused alone is halved.
const HALVED: u32 = 3;
/// Any endpoint takes this, if it takes anything.
const HARMLESS: &str = "test";
/// Azure's name for the key, beside the usual bearer.
const AZURE_KEY: HeaderName = HeaderName::from_static("api-key");

/// The client of one endpoint. Cheap to clone.
#[derive(Clone)]
pub struct Embeddings(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    endpoint: Url,
    host: String,
    key: Option<SecretString>,
    recipe: Recipe,
    /// Texts that one request holds; learned when more are refused.
    batch: AtomicUsize,
    in_flight: usize,
    timeouts: Timeouts,
    limiter: Arc<RateLimiter>,
    breaker: CircuitBreaker,
}

/// Why a try gave nothing.
#[derive(Debug)]
enum Failure {
    Limited(Duration),
    /// Refused as it is; the same again changes nothing.
    Refused {
        status: u16,
        detail: String,
    },
    /// Nobody knows why; the same again may help.
    Broken(String),
    Wrong(String),
}

/// Which request it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// Somebody waits.
    Question,
    Passages,
}

impl Embeddings {
    /// The client of a configuration. A TLS provider must be installed.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn new(config: &EmbeddingsConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let mut headers = HeaderMap::new();
        if let Some(key) = &config.api_key {
            let unusable = |_| {
                ConfigError::new(
                    "EMBEDDINGS_API_KEY",
                    "cannot stand in a header; copy it again",
                )
            };
            let key = key.expose_secret();
            let bearer = secret_header(&format!("Bearer {key}")).map_err(unusable)?;
            headers.insert(AUTHORIZATION, bearer);
            let is_azure = |host: &str| host.ends_with(".azure.com");
            if config.url.host_str().is_some_and(is_azure) {
                headers.insert(AZURE_KEY, secret_header(key).map_err(unusable)?);
            }
        }
        let client =
            config
                .network
                .client(config.connect_timeout, config.request_timeout, |builder| {
                    builder.default_headers(headers)
                })?;
        let endpoint = config.endpoint();
        let host = endpoint.host_str().unwrap_or_default();
        let host = endpoint
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(Self(Arc::new(Inner {
            client,
            endpoint,
            host,
            key: config.api_key.clone(),
            recipe: config.recipe.clone(),
            batch: AtomicUsize::new(config.batch.max(1)),
            in_flight: config.max_concurrent_requests.max(1),
            timeouts: config.timeouts,
            limiter: RateLimiter::new(LimiterSettings {
                per_second: NonZeroU32::new(config.max_requests_per_second)
                    .unwrap_or(NonZeroU32::MIN),
                per_minute: None,
                pauses: config.timeouts.pauses,
                max_in_flight: config.max_concurrent_requests,
                patience: config.timeouts.patience,
                // Batches of different sizes take different times.
                slow_factor: f64::INFINITY,
            }),
            breaker: CircuitBreaker::default(),
        })))
    }

    fn error(&self, failure: Failure) -> EmbeddingError {
        let host = self.0.host.clone();
        match failure {
            Failure::Limited(retry_after) => EmbeddingError::RateLimited { retry_after },
            Failure::Refused {
                status: 401 | 403,
                detail,
            } => EmbeddingError::Unauthorized { host, detail },
            Failure::Refused {
                status: 404,
                detail,
            } => EmbeddingError::Rejected {
                host,
                detail: format!(
                    "{detail}; check EMBEDDINGS_MODEL ({}) and EMBEDDINGS_URL",
                    self.0.recipe.model
                ),
            },
            Failure::Refused { detail, .. } => EmbeddingError::Rejected { host, detail },
            Failure::Broken(detail) => EmbeddingError::Unavailable { host, detail },
            Failure::Wrong(detail) => EmbeddingError::Wrong { host, detail },
        }
    }

    /// One try.
    async fn attempt(
        &self,
        recipe: &Recipe,
        texts: &[String],
        urgency: Urgency,
    ) -> Result<Vec<Vec<f32>>, Failure> {
        let inner = &*self.0;
        let body = wire::request(recipe, texts)
            .map_err(|error| Failure::Wrong(format!("the request cannot be written: {error}")))?;
        let request = inner
            .client
            .post(inner.endpoint.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let permit = match urgency {
            Urgency::Question => {
                inner
                    .limiter
                    .acquire_urgent(ENDPOINT, URGENT_PATIENCE)
                    .await
            }
            Urgency::Passages => inner.limiter.acquire(ENDPOINT).await,
        };
        let permit = permit.map_err(|TooLong(wait)| Failure::Limited(wait))?;
        let bounds = Bounds {
            answer: match urgency {
                Urgency::Question => MAX_QUESTION_BYTES,
                Urgency::Passages => MAX_BATCH_BYTES,
            },
            error: MAX_ERROR_BYTES,
        };
        let read = match upstream::send(request, bounds, Target::new("embeddings", ENDPOINT)).await
        {
            Ok(answer) => self.read(&answer, texts.len(), recipe),
            Err(broken) => Err(broken_by(broken)),
        };
        match read {
            Err(Failure::Limited(wait)) if wait.is_zero() => {
                Err(Failure::Limited(inner.limiter.refused(permit)))
            }
            Err(Failure::Limited(wait)) => {
                inner.limiter.pause(LimitScope::Everything, ENDPOINT, wait);
                permit.ended(Outcome::PushedBack);
                Err(Failure::Limited(wait))
            }
            read => {
                permit.ended(match &read {
                    Err(Failure::Broken(_)) => Outcome::PushedBack,
                    _ => Outcome::Answered,
                });
                read
            }
        }
    }

    fn read(
        &self,
        answer: &Answer,
        texts: usize,
        recipe: &Recipe,
    ) -> Result<Vec<Vec<f32>>, Failure> {
        let status = answer.status.as_u16();
        if answer.status.is_success() {
            return wire::vectors(&answer.body, texts, recipe).map_err(Failure::Wrong);
        }
        let key = self.0.key.as_ref().map(ExposeSecret::expose_secret);
        let detail = wire::detail(status, &answer.body, key);
        let asked = upstream::retry_after(&answer.headers, chrono::Utc::now());
        Err(match status {
            429 => Failure::Limited(asked.unwrap_or_default()),
            408 | 425 | 500.. => Failure::Broken(detail),
            300..=399 => Failure::Refused {
                status,
                detail: format!("{detail}, which leads elsewhere; check EMBEDDINGS_URL"),
            },
            _ => Failure::Refused { status, detail },
        })
    }

    /// A request for passages, again where that may help.
    async fn patiently(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Failure> {
        let Inner {
            timeouts,
            limiter,
            recipe,
            ..
        } = &*self.0;
        let (mut failures, mut limited_since) = (0, None);
        let result = (|| self.attempt(recipe, texts, Urgency::Passages))
            .retry(waits(timeouts.backoff))
            .when(|failure| matches!(failure, Failure::Limited(_) | Failure::Broken(_)))
            .adjust(|failure, planned| match failure {
                // A limit is no failure: it is waited for, as long as patience lasts.
                Failure::Limited(wait) => {
                    let since = *limited_since.get_or_insert_with(Instant::now);
                    (since.elapsed() + *wait <= timeouts.patience).then_some(*wait)
                }
                _ => {
                    failures += 1;
                    (failures < timeouts.attempts).then_some(planned?)
                }
            })
            .notify(|failure, wait| {
                tracing::debug!(host = self.0.host, ?failure, ?wait, "trying again");
            })
            .await;
        self.note(&result);
        match &result {
            // A refusal of this batch says nothing of the endpoint.
            Ok(_) | Err(Failure::Refused { .. }) => limiter.note(None),
            Err(_) => {}
        }
        result
    }

    fn note<T>(&self, result: &Result<T, Failure>) {
        let trouble = match result {
            Ok(_) => None,
            Err(Failure::Limited(wait)) => {
                Some(format!("limits requests for {} s", wait.as_secs()))
            }
            Err(
                Failure::Refused { detail, .. } | Failure::Broken(detail) | Failure::Wrong(detail),
            ) => Some(detail.clone()),
        };
        self.0.limiter.note(trouble);
    }

    /// The vectors of a batch. A batch that is refused is halved, as long as the endpoint takes anything at all.
    fn halving<'a>(
        &'a self,
        texts: &'a [String],
        first: bool,
    ) -> BoxFuture<'a, Result<Vec<Embedded>, Failure>> {
        Box::pin(async move {
            let (status, detail) = match self.patiently(texts).await {
                Ok(vectors) => return Ok(vectors.into_iter().map(Ok).collect()),
                Err(Failure::Refused { status, detail }) if is_of_the_texts(status) => {
                    (status, detail)
                }
                Err(failure) => return Err(failure),
            };
            if first && self.patiently(&[HARMLESS.to_owned()]).await.is_err() {
                return Err(Failure::Refused { status, detail });
            }
            if let [text] = texts {
                return Ok(vec![self.shortened(text, detail).await?]);
            }
            let (front, back) = texts.split_at(texts.len() / 2);
            let mut all = self.halving(front, false).await?;
            all.extend(self.halving(back, false).await?);
            if first && all.iter().all(Result::is_ok) {
                // Each text is taken, only so many of them are not.
                self.0.batch.fetch_min(front.len(), Ordering::Relaxed);
            }
            Ok(all)
        })
    }

    /// The vector of the beginning of a text that is too long as a whole.
    async fn shortened(&self, text: &str, mut why: String) -> Result<Embedded, Failure> {
        let mut end = text.len();
        for _ in 0..HALVED {
            end = text.floor_char_boundary(end / 2);
            match self.patiently(&[text[..end].to_owned()]).await {
                Ok(mut vectors) => return Ok(vectors.pop().ok_or(why)),
                Err(Failure::Refused { status, detail }) if is_of_the_texts(status) => why = detail,
                Err(failure) => return Err(failure),
            }
        }
        Ok(Err(why))
    }

    /// A question's vector within its deadline; the breaker hears of it.
    async fn in_time(&self, text: String, recipe: Recipe) -> Result<Vec<f32>, EmbeddingError> {
        let texts = [text];
        let asked = self.attempt(&recipe, &texts, Urgency::Question);
        let deadline = self.0.timeouts.question;
        let answered = match tokio::time::timeout(deadline, asked).await {
            Ok(answered) => answered,
            Err(_) => Err(Failure::Broken(format!(
                "no vector within {} ms",
                deadline.as_millis()
            ))),
        };
        self.0
            .breaker
            .ended(!matches!(answered, Err(Failure::Broken(_))));
        self.note(&answered);
        let vectors = answered.map_err(|failure| self.error(failure))?;
        vectors
            .into_iter()
            .next()
            .ok_or_else(|| self.error(Failure::Wrong("0 vectors for 1 texts".to_owned())))
    }
}

/// Whether a refusal may be about the texts, or how many they are.
fn is_of_the_texts(status: u16) -> bool {
    matches!(status, 400 | 413 | 422)
}

fn broken_by(broken: Broken) -> Failure {
    match broken.by {
        BrokenBy::Request | BrokenBy::Length => Failure::Wrong(broken.detail),
        BrokenBy::Connection | BrokenBy::Time | BrokenBy::Break => Failure::Broken(broken.detail),
    }
}

#[async_trait]
impl Embedder for Embeddings {
    fn recipe(&self) -> &Recipe {
        &self.0.recipe
    }

    fn batch(&self) -> u64 {
        self.0.batch.load(Ordering::Relaxed) as u64
    }

    async fn passages(&self, texts: &[String]) -> Result<Vec<Embedded>, EmbeddingError> {
        let prefix = &self.0.recipe.passage_prefix;
        let texts: Vec<String> = texts.iter().map(|text| format!("{prefix}{text}")).collect();
        let batch = self.0.batch.load(Ordering::Relaxed);
        let batches: Vec<_> = texts
            .chunks(batch)
            .map(|some| self.halving(some, true))
            .collect();
        let batches = stream::iter(batches).buffered(self.0.in_flight);
        let all: Vec<Result<Vec<Embedded>, Failure>> = batches.collect().await;
        let mut vectors = Vec::with_capacity(texts.len());
        for some in all {
            vectors.extend(some.map_err(|failure| self.error(failure))?);
        }
        Ok(vectors)
    }

    async fn question(&self, text: &str, recipe: &Recipe) -> Result<Vec<f32>, EmbeddingError> {
        let (text, recipe) = (format!("{}{text}", recipe.question_prefix), recipe.clone());
        let Circuit::Open { failures, probe } = self.0.breaker.state() else {
            return self.in_time(text, recipe).await;
        };
        if probe {
            let client = self.clone();
            tokio::spawn(async move { client.in_time(text, recipe).await });
        }
        Err(self.error(Failure::Broken(format!(
            "the last {failures} questions got no vector; it is asked again beside the coming ones"
        ))))
    }

    async fn probe(&self) -> Result<String, EmbeddingError> {
        let Inner { recipe, host, .. } = &*self.0;
        let texts = [HARMLESS.to_owned()];
        let asked = self.attempt(recipe, &texts, Urgency::Passages).await;
        let vectors = asked.map_err(|failure| self.error(failure))?;
        let dimensions = vectors.first().map_or(0, Vec::len);
        Ok(format!(
            "{host} answers with {} in {dimensions} dimensions",
            recipe.model
        ))
    }

    fn health(&self) -> EmbedderHealth {
        let health = self.0.limiter.health();
        EmbedderHealth {
            requests: health.requests,
            trouble: health.trouble,
        }
    }
}
