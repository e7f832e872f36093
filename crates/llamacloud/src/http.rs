//! One exchange with the service: through the rate limiter, with bounded retries, to a JSON value or a [`Failure`].

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use backon::Retryable as _;
use domain::ports::retrieval::BackendError;
use reqwest::ClientBuilder;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::Instant;
use upstream::probe::NO_ANSWER;
use upstream::{
    Answer, Bounds, Broken, BrokenBy, LimitScope, LimiterSettings, Outcome, RateLimiter, TooLong,
    secret_header, waits,
};
use url::Url;

use crate::answer::{self, Failure};
use crate::call::{Body, Call, Repeat, Upload};
use crate::config::{ConfigError, LlamaCloudConfig, Timeouts};

/// The rate limits are the account's, whatever is asked for.
const ACCOUNT: &str = "account";
/// Tries of a request that somebody waits for.
const URGENT_ATTEMPTS: u32 = 2;
/// The longest pause that such a request waits for.
const URGENT_PATIENCE: Duration = Duration::from_secs(1);
/// The longest answer to such a request. A hundred passages have a few hundred kilobytes, and what is read of an answer takes many times
/// its length in memory.
const MAX_PASSAGES_BYTES: usize = 4 << 20;

/// The client of one account. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Http(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    base: Url,
    host: String,
    project: Option<String>,
    key: SecretString,
    bounds: Bounds,
    timeouts: Timeouts,
    limiter: Arc<RateLimiter>,
}

/// A try that gave nothing.
struct Miss {
    failure: Box<Failure>,
    again: Again,
    /// The wait that the service asked for.
    at_least: Duration,
}

/// Whether a request may be sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Never,
    /// If twice is as good as once: nobody knows what became of it.
    IfRepeatable,
    /// It surely did nothing.
    Always,
}

impl Miss {
    fn new(failure: Failure, again: Again) -> Self {
        Self {
            failure: Box::new(failure),
            again,
            at_least: Duration::ZERO,
        }
    }
}

impl Http {
    pub(crate) fn new(config: &LlamaCloudConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let authorization = secret_header(&format!("Bearer {}", config.api_key.expose_secret()))
            .map_err(|_| {
                ConfigError::new(
                    "LLAMA_CLOUD_API_KEY",
                    "cannot stand in a header; copy it again",
                )
            })?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
        let with_headers = |builder: ClientBuilder| builder.default_headers(headers);
        let client =
            config
                .network
                .client(config.connect_timeout, config.request_timeout, with_headers)?;
        let project = config
            .project_id
            .as_deref()
            .map(str::trim)
            .filter(|id| !id.is_empty())
            .map(str::to_owned);
        Ok(Self(Arc::new(Inner {
            client,
            host: host_of(&config.base_url),
            base: config.base_url.clone(),
            project,
            key: config.api_key.clone(),
            // A refusal may quote all that it refuses.
            bounds: Bounds {
                answer: config.max_answer_bytes,
                error: config.max_answer_bytes,
            },
            timeouts: config.timeouts,
            limiter: RateLimiter::new(LimiterSettings {
                per_second: NonZeroU32::new(config.max_requests_per_second)
                    .unwrap_or(NonZeroU32::MIN),
                per_minute: config.max_requests_per_minute,
                pauses: config.timeouts.pauses,
                max_in_flight: config.max_concurrent_requests,
                patience: config.timeouts.patience,
                // Uploads of different sizes take different times.
                slow_factor: f64::INFINITY,
            }),
        })))
    }

    /// The host that is asked, with its port where it is not the usual one.
    pub(crate) fn host(&self) -> &str {
        &self.0.host
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.0.timeouts
    }

    pub(crate) fn requests(&self) -> u64 {
        self.0.limiter.health().requests
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.0.limiter.health().in_flight
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        self.0.limiter.health().trouble
    }

    /// Sends a request, again where that may help, and answers the JSON (null where there is none).
    pub(crate) async fn send(&self, call: &Call) -> Result<Value, Failure> {
        let Inner {
            limiter, timeouts, ..
        } = &*self.0;
        let tries = if call.urgent {
            URGENT_ATTEMPTS.min(timeouts.attempts)
        } else {
            timeouts.attempts
        };
        let (mut failures, mut limited_since) = (0, None);
        let result = (|| self.attempt(call))
            .retry(waits(timeouts.backoff))
            .when(|miss| match miss.again {
                Again::Never => false,
                Again::IfRepeatable => call.repeat == Repeat::Always,
                Again::Always => true,
            })
            .adjust(|miss, planned| {
                if !matches!(*miss.failure, Failure::Limited { .. }) {
                    failures += 1;
                    return (failures < tries).then_some(planned?.max(miss.at_least));
                }
                // A limit is no failure: it is waited for, as long as patience lasts.
                let since = *limited_since.get_or_insert_with(Instant::now);
                let lasts = since.elapsed() + miss.at_least <= timeouts.patience;
                (lasts && !call.urgent).then_some(miss.at_least)
            })
            .notify(|Miss { failure, .. }, wait| {
                let path = call.path.join("/");
                tracing::debug!(host = self.host(), path, ?failure, ?wait, "trying again");
            })
            .await
            .map_err(|miss| *miss.failure);
        match &result {
            Ok(_) => limiter.note(None),
            Err(failure) => self.note_failure(failure),
        }
        result
    }

    /// [`send`](Self::send), with errors as the port says them.
    pub(crate) async fn send_plain(&self, call: &Call) -> Result<Value, BackendError> {
        self.send(call)
            .await
            .map_err(|failure| failure.at(self.host()))
    }

    /// One try, whatever is answered: for those who want to see how the service answers. In words why nothing came, fit for a report.
    pub(crate) async fn look(&self, call: &Call) -> Result<Answer, String> {
        let inner = &*self.0;
        let request = inner.client.request(call.method.clone(), self.url(call));
        let request = match &call.body {
            Body::Json(bytes) => request
                .header(CONTENT_TYPE, "application/json")
                .body(bytes.clone()),
            Body::None | Body::Upload(_) => request,
        };
        let permit = inner.limiter.acquire(ACCOUNT).await;
        let permit = permit.map_err(|TooLong(wait)| {
            format!("the service limits requests for {} s", wait.as_secs())
        })?;
        let sent = upstream::send(request, inner.bounds, call.target()).await;
        permit.ended(match &sent {
            Ok(answer) if answer.status.as_u16() == 429 => Outcome::PushedBack,
            _ => Outcome::Answered,
        });
        sent.map_err(|_| NO_ANSWER.to_owned())
    }

    async fn attempt(&self, call: &Call) -> Result<Value, Miss> {
        let inner = &*self.0;
        let request = inner.client.request(call.method.clone(), self.url(call));
        let request = match &call.body {
            Body::None => request,
            Body::Json(bytes) => request
                .header(CONTENT_TYPE, "application/json")
                .body(bytes.clone()),
            Body::Upload(upload) => request.multipart(form(upload)),
        };
        let permit = if call.urgent {
            inner.limiter.acquire_urgent(ACCOUNT, URGENT_PATIENCE).await
        } else {
            inner.limiter.acquire(ACCOUNT).await
        };
        let permit = permit.map_err(|TooLong(retry_after)| {
            Miss::new(Failure::Limited { retry_after }, Again::Never)
        })?;
        let bounds = if call.urgent {
            Bounds {
                answer: inner.bounds.answer.min(MAX_PASSAGES_BYTES),
                error: inner.bounds.error.min(MAX_PASSAGES_BYTES),
            }
        } else {
            inner.bounds
        };
        let result = match upstream::send(request, bounds, call.target()).await {
            Ok(answer) => self.read(call, &answer),
            Err(broken) => Err(miss(broken)),
        };
        match result {
            Err(mut miss) if matches!(*miss.failure, Failure::Limited { .. }) => {
                if miss.at_least.is_zero() {
                    miss.at_least = inner.limiter.refused(permit);
                } else {
                    let wait = miss.at_least;
                    inner.limiter.pause(LimitScope::Everything, ACCOUNT, wait);
                    permit.ended(Outcome::PushedBack);
                }
                let retry_after = miss.at_least;
                miss.failure = Box::new(Failure::Limited { retry_after });
                Err(miss)
            }
            result => {
                permit.ended(match &result {
                    Err(miss) if miss.again != Again::Never => Outcome::PushedBack,
                    _ => Outcome::Answered,
                });
                result
            }
        }
    }

    fn read(&self, call: &Call, answer: &Answer) -> Result<Value, Miss> {
        let code = answer.status.as_u16();
        let status = Some(code);
        if answer.status.is_success() {
            if answer.body.iter().all(u8::is_ascii_whitespace) {
                return Ok(Value::Null);
            }
            return answer.json().map_err(|detail| {
                Miss::new(Failure::Broken { status, detail }, Again::IfRepeatable)
            });
        }
        let (detail, body) = answer::detail(code, &answer.body);
        let detail = detail.replace(self.0.key.expose_secret(), "[key]");
        let asked = upstream::retry_after(&answer.headers, chrono::Utc::now());
        let refused = Failure::Refused {
            status: code,
            detail: detail.clone(),
            body,
        };
        let broken = Failure::Broken { status, detail };
        let hopeless = code != 429
            && code < 500
            && answer
                .headers
                .get("x-should-retry")
                .is_some_and(|value| value == "false");
        let (failure, again) = match code {
            _ if hopeless => (refused, Again::Never),
            429 if !call.retries_limit => (refused, Again::Never),
            429 => {
                // A hint of no wait at all is none.
                let retry_after = asked.unwrap_or_default();
                (Failure::Limited { retry_after }, Again::Always)
            }
            503 => (broken, Again::Always),
            408 | 425 | 500.. => (broken, Again::IfRepeatable),
            409 if call.retries_conflict => (refused, Again::Always),
            300..=399 => {
                let detail = format!("status {code} leads elsewhere; check LLAMA_CLOUD_BASE_URL");
                (Failure::Broken { status, detail }, Again::Never)
            }
            _ => (refused, Again::Never),
        };
        Err(Miss {
            at_least: asked.unwrap_or_default(),
            ..Miss::new(failure, again)
        })
    }

    fn url(&self, call: &Call) -> Url {
        let mut url = self.0.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("api").extend(&call.path);
        }
        let project = self
            .0
            .project
            .iter()
            .filter(|_| call.takes_project)
            .map(|id| ("project_id", id));
        let pairs: Vec<(&str, &String)> = call
            .query
            .iter()
            .map(|(name, value)| (*name, value))
            .chain(project)
            .collect();
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        url
    }

    fn note_failure(&self, failure: &Failure) {
        // What concerns one object or one document is no trouble of the account.
        if !matches!(
            failure,
            Failure::Refused {
                status: 400 | 404 | 409 | 410 | 413 | 422,
                ..
            }
        ) {
            let told = failure.clone().at(self.host()).to_string();
            self.0.limiter.note(Some(told));
        }
    }
}

fn host_of(base: &Url) -> String {
    let host = base.host_str().unwrap_or_default();
    base.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn form(upload: &Upload) -> reqwest::multipart::Form {
    let part = reqwest::multipart::Part::bytes(upload.content.clone().into_bytes())
        .file_name(upload.file_name.clone());
    let mut form = reqwest::multipart::Form::new();
    for (name, value) in &upload.fields {
        form = form.text(*name, value.clone());
    }
    form.part("upload_file", part)
}

/// What a failed exchange means.
fn miss(Broken { by, detail }: Broken) -> Miss {
    let again = match by {
        BrokenBy::Request | BrokenBy::Length => Again::Never,
        BrokenBy::Connection => Again::Always,
        BrokenBy::Time | BrokenBy::Break => Again::IfRepeatable,
    };
    let status = None;
    Miss::new(Failure::Broken { status, detail }, again)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::id_segment;
    use reqwest::Method;

    fn http(base: &str, project: Option<&str>) -> Http {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        Http::new(&LlamaCloudConfig {
            base_url: base.parse().unwrap(),
            project_id: project.map(str::to_owned),
            ..LlamaCloudConfig::new("llx-k".into())
        })
        .unwrap()
    }

    #[test]
    fn addresses_are_built_from_segments_and_no_empty_project_is_sent() {
        let call = Call::new(Method::GET, ["v1", "pipelines"]).query("pipeline_name", "a b");
        for (base, project, expected) in [
            (
                "https://h.example",
                None,
                "https://h.example/api/v1/pipelines?pipeline_name=a+b",
            ),
            (
                "https://h.example/",
                Some(""),
                "https://h.example/api/v1/pipelines?pipeline_name=a+b",
            ),
            (
                "https://h.example/llama/",
                Some(" "),
                "https://h.example/llama/api/v1/pipelines?pipeline_name=a+b",
            ),
            (
                "https://h.example",
                Some("p1"),
                "https://h.example/api/v1/pipelines?pipeline_name=a+b&project_id=p1",
            ),
        ] {
            assert_eq!(http(base, project).url(&call).as_str(), expected);
        }
        let bare = Call::new(Method::POST, ["v1", "pipelines", "x", "force"]).without_project();
        assert_eq!(
            http("https://h.example", Some("p1")).url(&bare).as_str(),
            "https://h.example/api/v1/pipelines/x/force"
        );
    }

    #[test]
    fn odd_ids_are_encoded_twice_and_ours_not_at_all() {
        let url = |id: &str| {
            http("https://h.example", None)
                .url(&Call::new(Method::GET, ["d", &id_segment(id)]))
                .path()
                .to_owned()
        };
        assert_eq!(url("confluence-page-12"), "/api/d/confluence-page-12");
        assert_eq!(url("a b/c"), "/api/d/a%2520b%252Fc");
    }
}
