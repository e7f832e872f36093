//! Reading requests so that everything wrong with them is said at once, by the name of the field.
//!
//! A body is a struct of [`Field`]s: a field of the wrong type does not stop the reading of the others. What was read goes
//! through a [`Check`], which ends in one 422 that names every bad field.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use domain::problem::FieldError;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::audit::Asked;
use super::problem::{ApiError, ApiResult};
use crate::mcp::text::clean;

/// Bytes that a JSON body may have.
pub const MAX_BODY: usize = 256 * 1024;
/// Items that a list answers at most, and when nobody says.
pub const MAX_LIMIT: usize = 500;
/// Items that a list answers when nobody says.
pub const DEFAULT_LIMIT: usize = 100;

/// What is wrong with a name that people read, if anything: it may stand in a log, on a terminal and in an agent's answer.
#[must_use]
pub fn wrong_name(name: &str, most: usize) -> Option<String> {
    let length = name.chars().count();
    if length == 0 || length > most {
        return Some(format!("must have 1 to {most} characters"));
    }
    let unseen = name.contains(char::is_control) || clean(name).removed > 0;
    unseen.then(|| "must hold no line breaks, control or invisible characters".to_owned())
}

/// Fields of a request that nothing knows.
pub type Unknown = BTreeMap<String, Value>;

/// One field of a JSON body as it came.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Field<T> {
    /// Not there.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// There, and not what it should be; in words.
    Bad(String),
    /// There.
    Value(T),
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Null => Self::Null,
            value => match serde_json::from_value(value) {
                Ok(value) => Self::Value(value),
                Err(error) => Self::Bad(plain(&error)),
            },
        })
    }
}

/// What is wrong with a value, in words for people: serde speaks of types of Rust. Its messages end in what was wanted, so that
/// the value itself, which stands before that, is not repeated.
fn plain(error: &serde_json::Error) -> String {
    let said = error.to_string();
    if let Some(field) = said.strip_prefix("missing field ") {
        return format!("must name {field}");
    }
    let Some((_, wanted)) = said.rsplit_once(", expected ") else {
        return said;
    };
    if said.starts_with("unknown field ") {
        return format!(
            "holds a field that is not known; known are {}",
            wanted.trim_start_matches("one of ")
        );
    }
    let words = match wanted {
        "a string" | "a borrowed string" | "string or map" => "text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or greater",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "a map" => "an object",
        wanted if wanted.starts_with("struct ") => "an object",
        wanted if wanted.contains("enum") => "one of the words that the description names",
        wanted => wanted,
    };
    format!("must be {words}")
}

/// Collects what is wrong with a request.
#[derive(Debug, Default)]
pub struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    /// Notes that a field is bad.
    pub fn fail(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
    }

    /// A field that must be there.
    pub fn required<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
        match field {
            Field::Absent => self.fail(name, "is required"),
            Field::Null => self.fail(name, "must not be null"),
            field => return self.optional(name, field),
        }
        None
    }

    /// A field that may be absent or null.
    pub fn optional<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
        match field {
            Field::Absent | Field::Null => None,
            Field::Bad(message) => {
                self.fail(name, message);
                None
            }
            Field::Value(value) => Some(value),
        }
    }

    /// Fields that nothing knows.
    pub fn unknown(&mut self, prefix: &str, unknown: &Unknown, known: &[&str]) {
        for name in unknown.keys() {
            let nearest = known
                .iter()
                .find(|candidate| strsim::jaro_winkler(candidate, name) > 0.85);
            let hint = nearest.map_or_else(
                || format!("is not known; known are {}", known.join(", ")),
                |nearest| format!("is not known; did you mean {nearest}?"),
            );
            self.fail(format!("{prefix}{name}"), hint);
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422 with everything that was noted.
    pub fn done(self) -> ApiResult<()> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(ApiError::fields(self.errors))
        }
    }
}

/// A JSON body that must be there.
pub struct Body<T>(pub T);

/// A JSON body that may be left out: then as if it were `{}`.
pub struct OptionalBody<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = ApiResult<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let bytes = read(payload).await?;
            check_type(&request)?;
            parse(&request, &bytes).map(Self)
        })
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for OptionalBody<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = ApiResult<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let bytes = read(payload).await?;
            if bytes.is_empty() {
                return parse(&request, b"{}").map(Self);
            }
            check_type(&request)?;
            parse(&request, &bytes).map(Self)
        })
    }
}

async fn read(mut payload: Payload) -> ApiResult<web::BytesMut> {
    let mut bytes = web::BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            ApiError::new(
                "bad_request",
                format!("The body could not be read: {error}."),
            )
        })?;
        if bytes.len() + chunk.len() > MAX_BODY {
            return Err(ApiError::new(
                "payload_too_large",
                format!("The body is larger than {} kB.", MAX_BODY / 1024),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn check_type(request: &HttpRequest) -> ApiResult<()> {
    let kind = request.content_type().to_ascii_lowercase();
    if kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")) {
        return Ok(());
    }
    let said = match request.headers().get(header::CONTENT_TYPE) {
        Some(_) => format!("The Content-Type is {kind}"),
        None => "There is no Content-Type".to_owned(),
    };
    Err(ApiError::new(
        "unsupported_media_type",
        format!("{said}; send application/json."),
    ))
}

/// Reads a body, and leaves it with its request for whoever keeps what was asked for.
fn parse<T: DeserializeOwned>(request: &HttpRequest, bytes: &[u8]) -> ApiResult<T> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        ApiError::new("malformed_json", format!("The body is not JSON: {error}."))
    })?;
    if !value.is_object() {
        return Err(ApiError::new(
            "invalid_field",
            "The body must be a JSON object.",
        ));
    }
    request.extensions_mut().insert(Asked::of(bytes));
    serde_json::from_value(value).map_err(|error| ApiError::new("invalid_field", plain(&error)))
}

/// The query string of a list, read field by field.
pub struct QueryString {
    values: BTreeMap<String, String>,
    known: Vec<&'static str>,
    check: Check,
}

impl QueryString {
    /// Reads the query string.
    ///
    /// # Errors
    /// 400 when it cannot be decoded.
    pub fn of(request: &HttpRequest) -> ApiResult<Self> {
        let values = web::Query::<BTreeMap<String, String>>::from_query(request.query_string())
            .map_err(|error| {
                ApiError::new(
                    "bad_request",
                    format!("The query string cannot be read: {error}."),
                )
            })?
            .into_inner();
        Ok(Self {
            values,
            known: Vec::new(),
            check: Check::default(),
        })
    }

    /// A parameter as text; an empty one is as if it were not there.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.values.remove(name).filter(|value| !value.is_empty())
    }

    /// A parameter that has to be there, as [`read`](Self::read).
    pub fn required<T>(
        &mut self,
        name: &'static str,
        wanted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if self.values.get(name).is_none_or(String::is_empty) {
            self.check.fail(name, "is required");
        }
        self.read(name, wanted, read)
    }

    /// A parameter read by `read`; `wanted` says what it must be.
    pub fn read<T>(
        &mut self,
        name: &'static str,
        wanted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            self.check.fail(name, format!("must be {wanted}"));
        }
        value
    }

    /// `limit`, 1 to [`MAX_LIMIT`].
    pub fn limit(&mut self) -> usize {
        self.read(
            "limit",
            &format!("a whole number from 1 to {MAX_LIMIT}"),
            |text| {
                text.parse()
                    .ok()
                    .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            },
        )
        .unwrap_or(DEFAULT_LIMIT)
    }

    /// Ends the reading; parameters that nothing asked for are errors.
    ///
    /// # Errors
    /// 422 with every bad parameter.
    pub fn done(mut self) -> ApiResult<()> {
        let unknown: Unknown = std::mem::take(&mut self.values)
            .into_keys()
            .map(|name| (name, Value::Null))
            .collect();
        self.check.unknown("", &unknown, &self.known);
        self.check.done()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[derive(Deserialize)]
    struct Sample {
        #[serde(default)]
        name: Field<String>,
        #[serde(default)]
        count: Field<u32>,
        #[serde(flatten)]
        unknown: Unknown,
    }

    fn complaints(json: &str) -> Vec<(String, String)> {
        let request = TestRequest::default().to_http_request();
        let sample: Sample = parse(&request, json.as_bytes()).unwrap();
        let mut check = Check::default();
        let _ = check.required("name", sample.name);
        let _ = check.optional("count", sample.count);
        check.unknown("", &sample.unknown, &["name", "count"]);
        match check.done() {
            Ok(()) => Vec::new(),
            Err(error) => error
                .problem
                .errors
                .into_iter()
                .map(|e| (e.field, e.message))
                .collect(),
        }
    }

    #[test]
    fn every_bad_field_is_named_at_once() {
        assert!(complaints(r#"{"name": "a", "count": null}"#).is_empty());
        let said = complaints(r#"{"count": "many", "naem": 1}"#);
        let fields: Vec<_> = said.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["name", "count", "naem"]);
        assert_eq!(said[2].1, "is not known; did you mean name?");
    }

    #[test]
    fn nothing_of_rust_is_said() {
        fn said<T: DeserializeOwned>(value: Value) -> String {
            match serde_json::from_value::<Field<T>>(value).unwrap() {
                Field::Bad(said) => said,
                _ => String::new(),
            }
        }
        use domain::index::{BackendKind, RestrictedPages};
        use domain::quiet::QuietHours;
        use serde_json::json;
        for (said, plain) in [
            (
                said::<u32>(json!("x, expected u32")),
                "must be a whole number, 0 or greater",
            ),
            (
                said::<u32>(json!(-1)),
                "must be a whole number, 0 or greater",
            ),
            (
                said::<u32>(json!(1.5)),
                "must be a whole number, 0 or greater",
            ),
            (said::<bool>(json!("yes")), "must be true or false"),
            (said::<String>(json!({})), "must be text"),
            (said::<Vec<String>>(json!("ENG")), "must be a list"),
            (said::<Vec<String>>(json!([1])), "must be text"),
            (
                said::<BackendKind>(json!("paper")),
                "must be `llamacloud` or `local`",
            ),
            (said::<RestrictedPages>(json!(1)), "must be text"),
            (
                said::<QuietHours>(json!(7)),
                "must be hours such as 22:00-06:00 Europe/Berlin, or from, to and time_zone",
            ),
            (
                said::<QuietHours>(json!({"to": "06:00"})),
                "must name `from`",
            ),
            (
                said::<QuietHours>(json!({"until": "06:00"})),
                "holds a field that is not known; known are `from`, `to`, `time_zone`",
            ),
            (
                said::<QuietHours>(json!("22-6")),
                "\"22\" is no time of day: write it as 22:00",
            ),
        ] {
            assert_eq!(said, plain);
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for (json, code) in [
            ("{", "malformed_json"),
            ("", "malformed_json"),
            ("[]", "invalid_field"),
        ] {
            let request = TestRequest::default().to_http_request();
            let error = parse::<Sample>(&request, json.as_bytes()).err().unwrap();
            assert_eq!(error.problem.code, code, "{json}");
        }
    }
}
