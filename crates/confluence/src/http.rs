//! One HTTP exchange: a request as data goes out, an answer read within its bound comes back, or the reason why not.

use std::error::Error as _;
use std::time::Duration;

use domain::ports::source::{Cursor, SourceError};
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::classify::Trouble;
use crate::config::{ConfigError, ConfluenceConfig, Site};

/// Bytes read of an error's body.
const MAX_ERROR_BYTES: usize = 64 << 10;

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

/// An answer, read.
pub(crate) struct Raw {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Why one try gave nothing.
pub(crate) enum Failure {
    Final(SourceError),
    Passing {
        trouble: Trouble,
        error: SourceError,
        at_least: Duration,
    },
    Doubtful(u16, SourceError),
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::Final(error)
    }
}

/// Sends one request and reads its answer.
pub(crate) async fn send(
    http: &reqwest::Client,
    site: &Site,
    max_bytes: usize,
    call: &Call,
    cursor: Option<&Cursor>,
) -> Result<Raw, Failure> {
    let mut request = http.request(call.method(), call.url(site, cursor));
    if let Some(body) = &call.body {
        request = request.json(body);
    }
    let broken = |error: reqwest::Error| broken(call, &error);
    let mut response = request.send().await.map_err(broken)?;
    let status = response.status();
    let bound = if status.is_success() {
        max_bytes
    } else {
        MAX_ERROR_BYTES
    };
    let (body, whole) = read_bounded(&mut response, bound).await.map_err(broken)?;
    if status.is_success() && !whole {
        return Err(Failure::Final(SourceError::TooLarge {
            what: call.what.clone(),
            detail: format!("it has more than {max_bytes} bytes"),
        }));
    }
    Ok(Raw {
        status: status.as_u16(),
        headers: std::mem::take(response.headers_mut()),
        body,
    })
}

/// Reads a body, at most `bound` bytes of it, and says whether that was all. What announces to be longer is not read.
pub(crate) async fn read_bounded(
    response: &mut reqwest::Response,
    bound: usize,
) -> reqwest::Result<(Vec<u8>, bool)> {
    let announced = response
        .content_length()
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(0);
    if announced > bound && response.status().is_success() {
        return Ok((Vec::new(), false));
    }
    let mut body = Vec::with_capacity(announced.min(bound));
    while let Some(chunk) = response.chunk().await? {
        let room = bound - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok((body, false));
        }
    }
    Ok((body, true))
}

/// What a failed exchange means.
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

/// Passing trouble of the kind where something else than the answer came.
pub(crate) fn strange(call: &Call, detail: String) -> Failure {
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

/// The value of an answer; whatever cannot be read as one is trouble, and said to be what it is.
pub(crate) fn parse<T: DeserializeOwned>(call: &Call, raw: &Raw) -> Result<T, Failure> {
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
