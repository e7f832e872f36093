//! One HTTP exchange: a request goes out, an answer read within its bound comes back, or the reason why not.

use std::borrow::Cow;
use std::error::Error;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

use crate::nul::without_nul;

/// Requests that went out, by `service`, `endpoint` and `outcome`.
pub const REQUESTS: &str = "mcp_confluence_upstream_requests_total";
/// How long each took, to the end of its answer, in seconds, by `service` and `endpoint`.
pub const SECONDS: &str = "mcp_confluence_upstream_seconds";

/// Whom a request goes to, as the numbers name it: words of ours, no address and no id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The service.
    pub service: &'static str,
    /// What is asked of it.
    pub endpoint: Cow<'static, str>,
}

impl Target {
    /// A question to a service.
    pub fn new(service: &'static str, endpoint: impl Into<Cow<'static, str>>) -> Self {
        Self {
            service,
            endpoint: endpoint.into(),
        }
    }

    fn told(self, sent: &Result<Answer, Broken>, took: Duration) {
        let outcome = match sent {
            Ok(answer) => match answer.status.as_u16() {
                429 => "limited",
                status => ["1xx", "2xx", "3xx", "4xx", "5xx"]
                    .get(usize::from(status / 100).wrapping_sub(1))
                    .copied()
                    .unwrap_or("strange"),
            },
            Err(broken) => match broken.by {
                BrokenBy::Request => "not_sent",
                BrokenBy::Connection => "no_connection",
                BrokenBy::Time => "no_answer",
                BrokenBy::Break => "broken_off",
                BrokenBy::Length => "too_long",
            },
        };
        let (service, endpoint) = (self.service, self.endpoint);
        counter!(REQUESTS, "service" => service, "endpoint" => endpoint.clone(), "outcome" => outcome)
            .increment(1);
        histogram!(SECONDS, "service" => service, "endpoint" => endpoint).record(took);
    }
}

/// Bytes (after decompression) that are read of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Of a good answer (2xx); a longer one is [`BrokenBy::Length`].
    pub answer: usize,
    /// Of any other; the rest is left unread.
    pub error: usize,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; of a good answer all of it.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value that the body holds as JSON, without U+0000 in its texts; in words what it holds instead.
    ///
    /// # Errors
    /// When it is empty, HTML, broken JSON, or JSON of something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&without_nul(&self.body)).map_err(|error| {
            let status = self.status.as_u16();
            if self.body.iter().all(u8::is_ascii_whitespace) {
                format!("status {status} with an empty answer")
            } else if is_html(&self.body) {
                format!("status {status} with HTML instead of JSON")
            } else {
                format!("status {status} with broken JSON: {error}")
            }
        })
    }

    /// The answer if it is a good one.
    ///
    /// # Errors
    /// Its status in words.
    pub fn good(self) -> Result<Self, String> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(format!("status {}", self.status))
        }
    }
}

/// Whether a body is HTML or XML, whatever its content type says.
#[must_use]
pub fn is_html(body: &[u8]) -> bool {
    body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
}

/// Why an exchange gave no answer. The words name the innermost cause, which holds no address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Broken {
    /// What broke it.
    pub by: BrokenBy,
    /// In words.
    pub detail: String,
}

/// What broke an exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BrokenBy {
    /// The request itself: it cannot be sent as it is.
    Request,
    /// No connection; the service has not heard of the request.
    Connection,
    /// No answer in time.
    Time,
    /// The answer broke off.
    Break,
    /// The answer is good, but longer than its bound.
    Length,
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        let mut cause: Option<&dyn Error> = error.source();
        while let Some(inner) = cause.and_then(Error::source) {
            cause = Some(inner);
        }
        let cause = cause.map_or_else(|| "unknown cause".to_owned(), ToString::to_string);
        let (by, detail) = if error.is_builder() {
            (
                BrokenBy::Request,
                format!("the request is not well formed: {cause}"),
            )
        } else if error.is_connect() {
            let remedy = if cause.contains("ertificate") {
                "; if a proxy re-signs traffic, set EXTRA_CA_FILE"
            } else {
                ""
            };
            (
                BrokenBy::Connection,
                format!("no connection: {cause}{remedy}"),
            )
        } else if error.is_timeout() {
            (BrokenBy::Time, "no answer in time".to_owned())
        } else {
            (BrokenBy::Break, format!("the answer broke off: {cause}"))
        };
        Self { by, detail }
    }
}

/// Sends a request and reads its answer, whatever its status; how it went is counted.
///
/// # Errors
/// [`Broken`] when no answer came, or more of it than `bounds` allow.
pub async fn send(
    request: RequestBuilder,
    bounds: Bounds,
    target: Target,
) -> Result<Answer, Broken> {
    let began = Instant::now();
    let sent = exchange(request, bounds).await;
    target.told(&sent, began.elapsed());
    sent
}

async fn exchange(request: RequestBuilder, bounds: Bounds) -> Result<Answer, Broken> {
    let mut response = request.send().await?;
    let status = response.status();
    let bound = if status.is_success() {
        bounds.answer
    } else {
        bounds.error
    };
    let too_long = || Broken {
        by: BrokenBy::Length,
        detail: format!("the answer has more than {bound} bytes"),
    };
    let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if status.is_success() && announced > bound {
        return Err(too_long());
    }
    let mut body = Vec::with_capacity(announced.min(bound));
    while let Some(chunk) = response.chunk().await? {
        let room = bound - body.len();
        if chunk.len() > room {
            if status.is_success() {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk[..room]);
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        headers: std::mem::take(response.headers_mut()),
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Answer {
        Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn what_is_no_json_is_called_what_it_is() {
        assert_eq!(answer(" [1]").json::<Vec<u8>>(), Ok(vec![1]));
        let clean = answer(r#"["a\u0000"]"#).json::<Vec<String>>();
        assert_eq!(clean, Ok(vec!["a\u{fffd}".to_owned()]));
        for (body, words) in [
            (" \n", "status 200 with an empty answer"),
            ("\n<html>", "status 200 with HTML instead of JSON"),
            ("[1", "status 200 with broken JSON"),
            ("{}", "status 200 with broken JSON"),
        ] {
            let refused = answer(body).json::<Vec<u8>>().unwrap_err();
            assert!(refused.starts_with(words), "{refused}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_bound_and_no_further() {
        use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let bounds = Bounds {
            answer: 10,
            error: 4,
        };
        for (status, length, read) in [
            (200, 10, Ok(10)),
            (200, 11, Err(BrokenBy::Length)),
            (500, 4, Ok(4)),
            (500, 11, Ok(4)),
        ] {
            let server = MockServer::start().await;
            Mock::given(method("GET"))
                .respond_with(ResponseTemplate::new(status).set_body_string("x".repeat(length)))
                .mount(&server)
                .await;
            let sent = send(client.get(server.uri()), bounds, Target::new("test", "x")).await;
            let got = sent
                .map(|answer| answer.body.len())
                .map_err(|broken| broken.by);
            assert_eq!(got, read, "{status}, {length} bytes");
        }
    }

    #[tokio::test]
    async fn no_error_holds_the_address() {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        for (url, by) in [
            (
                format!("http://127.0.0.1:{port}/hush"),
                BrokenBy::Connection,
            ),
            ("hush".to_owned(), BrokenBy::Request),
        ] {
            let bounds = Bounds {
                answer: 0,
                error: 0,
            };
            let broken = send(client.get(url), bounds, Target::new("test", "x"))
                .await
                .unwrap_err();
            assert_eq!(broken.by, by, "{broken}");
            assert!(!format!("{broken:?}").contains("hush"), "{broken:?}");
        }
    }
}
