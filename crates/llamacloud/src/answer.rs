//! What an answer means. Pure; lenient, since the service's answers drift without notice.

use std::time::Duration;

use domain::ports::retrieval::BackendError;
use serde_json::Value;

/// Why a call gave nothing, after its retries.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Failure {
    /// The service answered with an error about this request.
    Refused {
        /// Status.
        status: u16,
        /// In words.
        detail: String,
        /// The body, if it was JSON.
        body: Value,
    },
    /// 429 to the end, or a longer wait than is kept.
    Limited {
        /// From now.
        retry_after: Duration,
    },
    /// No connection, no answer in time, 5xx, HTML, a cut answer.
    Broken {
        /// The last status, where there was one.
        status: Option<u16>,
        /// The last cause.
        detail: String,
    },
}

impl Failure {
    /// The thing asked for is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                status: 404 | 410,
                ..
            }
        )
    }

    /// As the port says it, for a call about no object in particular.
    pub(crate) fn at(self, host: &str) -> BackendError {
        match self {
            Self::Refused {
                status: 401,
                detail,
                ..
            } => BackendError::Unauthorized {
                host: host.to_owned(),
                detail: format!(
                    "{detail} (401). Check LLAMA_CLOUD_API_KEY: it may be mistyped or expired, or be a key of another \
                     region, which needs its own LLAMA_CLOUD_BASE_URL (US https://api.cloud.llamaindex.ai, EU \
                     https://api.cloud.eu.llamaindex.ai)"
                ),
            },
            Self::Refused {
                status: 403,
                detail,
                ..
            } => BackendError::Unauthorized {
                host: host.to_owned(),
                detail: format!(
                    "{detail} (403). The key may not use this project, or the plan does not include this: check \
                     LLAMA_CLOUD_PROJECT_ID, the key's role and the plan"
                ),
            },
            Self::Refused {
                status: 402,
                detail,
                ..
            } => BackendError::NoCredits { detail },
            Self::Refused {
                status: 413,
                detail,
                ..
            } => BackendError::TooLarge { detail },
            Self::Refused { status, detail, .. } => BackendError::Rejected {
                detail: format!("{detail} ({status})"),
            },
            Self::Limited { retry_after } => BackendError::RateLimited { retry_after },
            Self::Broken { detail, .. } => BackendError::Unavailable {
                detail: format!("{host}: {detail}"),
            },
        }
    }
}

/// An error's cause in words: FastAPI's `detail` as text, as a list of field errors, or as an object; else the status.
pub(crate) fn detail(status: u16, body: &[u8]) -> (String, Value) {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let told = match value
        .get("detail")
        .or_else(|| value.get("message"))
        .or_else(|| value.get("error"))
    {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => list.iter().map(field_error).collect::<Vec<_>>().join("; "),
        Some(other) if !other.is_null() => other
            .get("message")
            .and_then(Value::as_str)
            .map_or_else(|| other.to_string(), str::to_owned),
        _ if upstream::is_html(body) => {
            format!("an HTML page instead of an answer, status {status}")
        }
        _ => format!("status {status} without a reason"),
    };
    (shortened(told), value)
}

fn field_error(error: &Value) -> String {
    let place: Vec<String> =
        error
            .get("loc")
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |loc| {
                loc.iter()
                    .map(|part| {
                        part.as_str()
                            .map_or_else(|| part.to_string(), str::to_owned)
                    })
                    .collect()
            });
    let message = error
        .get("msg")
        .and_then(Value::as_str)
        .map_or_else(|| error.to_string(), str::to_owned);
    if place.is_empty() {
        message
    } else {
        format!("{}: {message}", place.join("."))
    }
}

fn shortened(mut text: String) -> String {
    const MOST: usize = 400;
    if text.len() > MOST {
        let end = (0..=MOST)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Positions in the array of a request's body that a 422 complains about.
pub(crate) fn blamed_items(body: &Value) -> Vec<(usize, String)> {
    let errors = body.get("detail").and_then(Value::as_array);
    let blamed = |error: &Value| {
        let loc = error.get("loc")?.as_array()?;
        let at = loc
            .get(1)
            .filter(|_| loc.first() == Some(&Value::from("body")))?
            .as_u64()?;
        Some((usize::try_from(at).ok()?, field_error(error)))
    };
    errors
        .map(|list| list.iter().filter_map(blamed).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_an_error_is_told_in_words() {
        for (body, told) in [
            (r#"{"detail":"Document not found"}"#, "Document not found"),
            (
                r#"{"detail":[{"loc":["body",3,"text"],"msg":"Field required","type":"missing"}]}"#,
                "body.3.text: Field required",
            ),
            (
                r#"{"detail":{"directory_id":"dir-1","message":"taken"}}"#,
                "taken",
            ),
            (
                r#"{"detail":{"directory_id":"dir-1"}}"#,
                r#"{"directory_id":"dir-1"}"#,
            ),
            (r#"{"message":"slow down"}"#, "slow down"),
            (
                "<html><body>Bad gateway</body></html>",
                "an HTML page instead of an answer, status 502",
            ),
            ("", "status 502 without a reason"),
        ] {
            assert_eq!(detail(502, body.as_bytes()).0, told);
        }
        assert!(
            detail(
                400,
                format!(r#"{{"detail":"{}"}}"#, "ä".repeat(5000)).as_bytes()
            )
            .0
            .len()
                < 450
        );
    }

    #[test]
    fn blamed_items_are_positions_in_the_array() {
        let body = serde_json::json!({"detail": [
            {"loc": ["body", 3, "text"], "msg": "Field required"},
            {"loc": ["query", 1], "msg": "no"},
            {"loc": ["body", "name"], "msg": "no"},
        ]});
        assert_eq!(
            blamed_items(&body),
            [(3, "body.3.text: Field required".to_owned())]
        );
        assert_eq!(blamed_items(&Value::Null), []);
    }

    #[test]
    fn a_401_names_host_and_region() {
        let refused = Failure::Refused {
            status: 401,
            detail: "Invalid API Key".into(),
            body: Value::Null,
        };
        let told = refused.at("api.cloud.llamaindex.ai").to_string();
        assert!(
            told.contains("at api.cloud.llamaindex.ai") && told.contains("another region"),
            "{told}"
        );
    }
}
