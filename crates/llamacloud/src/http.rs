//! One exchange with the service: through the gate, with bounded retries, to a JSON value or a [`Failure`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::ports::retrieval::BackendError;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::answer::{self, Failure};
use crate::call::{Body, Call, Repeat, Upload};
use crate::config::{ConfigError, LlamaCloudConfig, Timeouts};
use crate::gate::Gate;

/// The client of one account. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Http(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    base: Url,
    host: String,
    project: Option<String>,
    key: SecretString,
    timeouts: Timeouts,
    gate: Arc<Gate>,
    requests: AtomicU64,
    trouble: Mutex<Option<String>>,
}

/// One try.
enum Tried {
    Answer(Value),
    Final(Failure),
    Again {
        failure: Failure,
        at_least: Option<Duration>,
        unheard: bool,
    },
}

impl Http {
    pub(crate) fn new(config: &LlamaCloudConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let bad = |setting, cause: String| ConfigError { setting, cause };
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {}", config.api_key.expose_secret())).map_err(
                |_| {
                    bad(
                        "LLAMA_CLOUD_API_KEY",
                        "cannot stand in a header; copy it again".to_owned(),
                    )
                },
            )?;
        authorization.set_sensitive(true);
        let mut builder = reqwest::Client::builder()
            .user_agent(&config.user_agent)
            .connect_timeout(config.timeouts.connect)
            .timeout(config.timeouts.request)
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(HeaderMap::from_iter([(
                reqwest::header::AUTHORIZATION,
                authorization,
            )]))
            .no_proxy();
        if let Some(url) = &config.proxy {
            let proxy = reqwest::Proxy::all(url.as_str())
                .map_err(|_| bad("HTTPS_PROXY", "is no proxy address".to_owned()))?;
            builder = builder
                .proxy(proxy.no_proxy(reqwest::NoProxy::from_string("localhost,127.0.0.1,::1")));
        }
        if let Some(pem) = &config.extra_ca_pem {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| {
                bad(
                    "EXTRA_CA_FILE",
                    format!("is no PEM file of certificates: {error}"),
                )
            })?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|error| {
            bad(
                "LLAMA_CLOUD_BASE_URL",
                format!("no HTTP client can be made: {error}"),
            )
        })?;
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
            timeouts: config.timeouts,
            gate: Gate::new(
                config.max_requests_per_second,
                config.max_concurrent_requests,
            ),
            requests: AtomicU64::new(0),
            trouble: Mutex::new(None),
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
        self.0.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        self.0
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sends a request, again where that may help, and answers the JSON (null where there is none).
    pub(crate) async fn send(&self, call: &Call) -> Result<Value, Failure> {
        let mut failures = 0;
        loop {
            let tried = self.attempt(call).await;
            let (failure, at_least, unheard) = match tried {
                Tried::Answer(value) => {
                    self.note(None);
                    return Ok(value);
                }
                Tried::Final(failure) => {
                    self.note_failure(&failure);
                    return Err(failure);
                }
                Tried::Again {
                    failure,
                    at_least,
                    unheard,
                } => (failure, at_least, unheard),
            };
            failures += 1;
            let timeouts = &self.0.timeouts;
            let may = unheard || call.repeat == Repeat::Always;
            if !may
                || failures >= timeouts.attempts
                || at_least.is_some_and(|wait| wait > timeouts.patience)
            {
                let failure = match (failure, at_least) {
                    (Failure::Limited { retry_after }, wait) => Failure::Limited {
                        retry_after: wait.unwrap_or(retry_after),
                    },
                    (other, _) => other,
                };
                self.note_failure(&failure);
                return Err(failure);
            }
            let wait =
                timeouts
                    .backoff
                    .wait(failures, rand::random(), at_least.unwrap_or_default());
            tracing::debug!(
                host = self.host(),
                path = call.path.join("/"),
                ?failure,
                ?wait,
                "trying again"
            );
            if matches!(failure, Failure::Limited { .. }) {
                self.0.gate.pause(wait);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// [`send`](Self::send), with errors as the port says them.
    pub(crate) async fn send_plain(&self, call: &Call) -> Result<Value, BackendError> {
        self.send(call)
            .await
            .map_err(|failure| failure.at(self.host()))
    }

    async fn attempt(&self, call: &Call) -> Tried {
        let inner = &*self.0;
        let mut request = inner.client.request(call.method.clone(), self.url(call));
        request = match &call.body {
            Body::None => request,
            Body::Json(bytes) => request
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(bytes.clone()),
            Body::Upload(upload) => request.multipart(form(upload)),
        };
        let permit = inner.gate.enter().await;
        inner.requests.fetch_add(1, Ordering::Relaxed);
        let exchange = async {
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, response.bytes().await?))
        };
        let tried = match exchange.await {
            Err(error) => broken(&error),
            Ok((status, headers, body)) => self.read(call, status, &headers, &body),
        };
        match &tried {
            Tried::Again { .. } => permit.pushed_back(),
            _ => permit.answered(),
        }
        tried
    }

    fn read(&self, call: &Call, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Tried {
        let code = status.as_u16();
        if status.is_success() {
            if body.iter().all(u8::is_ascii_whitespace) {
                return Tried::Answer(Value::Null);
            }
            return match serde_json::from_slice(body) {
                Ok(value) => Tried::Answer(value),
                Err(error) => {
                    let what = if answer::looks_like_html(body) {
                        "an HTML page".to_owned()
                    } else {
                        format!("cut JSON: {error}")
                    };
                    again(
                        Failure::Broken {
                            status: Some(code),
                            detail: format!("status {code} with {what}"),
                        },
                        None,
                        false,
                    )
                }
            };
        }
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (detail, body) = answer::detail(code, body);
        let detail = detail.replace(self.0.key.expose_secret(), "[key]");
        let at_least = answer::retry_after(
            header("retry-after-ms"),
            header("retry-after"),
            chrono::Utc::now(),
        );
        let refused = Failure::Refused {
            status: code,
            detail: detail.clone(),
            body,
        };
        if header("x-should-retry") == Some("false") && code != 429 && code < 500 {
            return Tried::Final(refused);
        }
        match code {
            429 if !call.retries_limit => Tried::Final(refused),
            429 => {
                // Without a hint: half a minute, the pace of the smallest plan.
                let retry_after = at_least.unwrap_or(Duration::from_secs(30));
                again(Failure::Limited { retry_after }, at_least, true)
            }
            503 => again(
                Failure::Broken {
                    status: Some(code),
                    detail,
                },
                at_least,
                true,
            ),
            500.. => again(
                Failure::Broken {
                    status: Some(code),
                    detail,
                },
                at_least,
                false,
            ),
            409 if call.retries_conflict => again(refused, at_least, true),
            408 | 425 => again(
                Failure::Broken {
                    status: Some(code),
                    detail,
                },
                at_least,
                false,
            ),
            300..=399 => Tried::Final(Failure::Broken {
                status: Some(code),
                detail: format!("status {code} leads elsewhere; check LLAMA_CLOUD_BASE_URL"),
            }),
            _ => Tried::Final(refused),
        }
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

    fn note(&self, trouble: Option<String>) {
        *self
            .0
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = trouble;
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
            self.note(Some(failure.clone().at(self.host()).to_string()));
        }
    }
}

fn again(failure: Failure, at_least: Option<Duration>, unheard: bool) -> Tried {
    Tried::Again {
        failure,
        at_least,
        unheard,
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

fn broken(error: &reqwest::Error) -> Tried {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let (detail, unheard) = if error.is_connect() {
        let remedy = if cause.to_string().contains("ertificate") {
            "; if a proxy re-signs traffic, set EXTRA_CA_FILE"
        } else {
            ""
        };
        (format!("no connection: {cause}{remedy}"), true)
    } else if error.is_timeout() {
        ("no answer in time".to_owned(), false)
    } else {
        (format!("the answer broke off: {cause}"), false)
    };
    again(
        Failure::Broken {
            status: None,
            detail,
        },
        None,
        unheard,
    )
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
