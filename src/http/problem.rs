//! Every error leaves as RFC 9457 `application/problem+json`, those that actix makes itself included.

use std::fmt;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use actors::EngineError;
use domain::Disposition;
use domain::ports::retrieval::BackendError;
use domain::ports::source::SourceError;
use domain::ports::store::StoreError;
use domain::problem::{FieldError, Problem};

use super::span::shown;
use crate::state::AppState;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A problem on its way out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiError {
    /// What is said.
    pub problem: Box<Problem>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What handlers answer.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// A problem of one of [`domain::problem::CODES`].
    #[must_use]
    pub fn new(code: &str, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// 404 for a thing and its id.
    #[must_use]
    pub fn not_found(thing: &str, id: impl fmt::Display) -> Self {
        Self::new("not_found", format!("There is no {thing} {id}."))
    }

    /// 422 that names fields.
    #[must_use]
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Problem::fields(errors).into()
    }

    /// The same with a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The answer.
    #[must_use]
    pub fn response(&self) -> HttpResponse {
        let status =
            StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        response.content_type(PROBLEM_JSON);
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        // `json` would keep the content type set above, and serialising a problem cannot fail.
        let mut response = response.json(&*self.problem);
        response
            .extensions_mut()
            .insert(Problem::clone(&self.problem));
        response
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.problem.code, self.problem.detail)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        if problem.status >= 500 {
            tracing::warn!(
                code = problem.code,
                detail = problem.detail,
                "a request could not be served"
            );
        }
        Self {
            problem: Box::new(problem),
            headers: Vec::new(),
        }
    }
}

/// `Retry-After` for trouble that passes.
fn passing(error: ApiError, disposition: Disposition) -> ApiError {
    match disposition {
        Disposition::Retry { after } => {
            error.with_header(header::RETRY_AFTER, &after.as_secs().max(1).to_string())
        }
        _ => error,
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        EngineError::Store(error).into()
    }
}

impl From<SourceError> for ApiError {
    fn from(error: SourceError) -> Self {
        EngineError::Source(error).into()
    }
}

impl From<BackendError> for ApiError {
    fn from(error: BackendError) -> Self {
        EngineError::Backend(error).into()
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let disposition = match &error {
            EngineError::Busy { .. } | EngineError::TooManyQuestions { .. } => Disposition::RETRY,
            EngineError::Store(error) => error.disposition(),
            EngineError::Source(error) => error.disposition(),
            EngineError::Backend(error) => error.disposition(),
            _ => Disposition::SkipItem,
        };
        passing(error.problem().into(), disposition)
    }
}

/// The path leads nowhere.
///
/// # Errors
/// Always: 404.
pub async fn no_such_path(request: HttpRequest) -> ApiResult<HttpResponse> {
    Err(ApiError::new(
        "not_found",
        format!(
            "There is nothing at {}. GET /openapi.json lists every path.",
            shown(request.path())
        ),
    ))
}

/// A resource answers other methods: says which.
pub(super) fn no_such_method(request: &HttpRequest, allowed: &str) -> ApiError {
    ApiError::new(
        "method_not_allowed",
        format!(
            "{} takes {allowed}, not {}.",
            shown(request.path()),
            shown(request.method().as_str())
        ),
    )
    .with_header(header::ALLOW, allowed)
}

/// A problem whose type is found under the prefix by which others reach the service.
fn under(prefix: &str, mut problem: Problem) -> Vec<u8> {
    problem.kind = format!("{prefix}{}", problem.kind);
    // Serialising a problem cannot fail.
    serde_json::to_vec(&problem).unwrap_or_default()
}

/// Of an answer that is a page for people, whatever its status says.
pub(super) struct ForPeople;

/// Middleware: whatever error leaves without being a problem becomes one. MCP speaks its own language and is left alone, and so is what
/// somebody reads in a browser.
///
/// # Errors
/// Those of inner services that are no answer yet; ours answer by themselves.
pub async fn fill(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<BoxBody>>, actix_web::Error> {
    // No clone of the request may live meanwhile: routing needs it for itself.
    let mut response = next.call(request).await?.map_into_boxed_body();
    let prefix = response
        .request()
        .app_data::<web::Data<AppState>>()
        .map(|state| state.prefix().to_owned())
        .unwrap_or_default();
    let said = response.response_mut().extensions_mut().remove::<Problem>();
    if let Some(problem) = said.filter(|_| !prefix.is_empty()) {
        let body = web::Bytes::from(under(&prefix, problem));
        return Ok(response
            .map_body(|_, _| BoxBody::new(body))
            .map_into_left_body());
    }
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let speaks_for_itself = response.request().path().starts_with("/mcp")
        || response.response().extensions().contains::<ForPeople>()
        || response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(PROBLEM_JSON.as_bytes()));
    if !is_error || speaks_for_itself {
        return Ok(response.map_into_left_body());
    }
    let code = match status.as_u16() {
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        413 => "payload_too_large",
        415 => "unsupported_media_type",
        429 => "rate_limited",
        400..=499 => "bad_request",
        _ => "internal",
    };
    let failed = response.request();
    let (method, path) = (shown(failed.method().as_str()), shown(failed.path()));
    let detail = format!("{method} {path}: {status}");
    let mut problem = Problem::new(code, detail);
    problem.status = status.as_u16();
    problem.kind = format!("{prefix}{}", problem.kind);
    let replacement = ApiError::from(problem).response();
    let (request, _) = response.into_parts();
    Ok(ServiceResponse::new(request, replacement).map_into_right_body())
}

#[cfg(test)]
mod tests {
    use domain::IndexId;

    use super::*;

    #[test]
    fn a_question_beyond_the_share_of_its_index_learns_when_to_ask_again() {
        let index = IndexId::generate();
        let error = ApiError::from(EngineError::TooManyQuestions { index });
        assert_eq!(error.problem.code, "engine_busy");
        assert!(error.problem.detail.contains("ask again"), "{error}");
        let answer = error.response();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers().get(header::RETRY_AFTER).unwrap(), "1");
    }
}
