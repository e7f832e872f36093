//! What every answer has, whoever made it: headers that keep a browser from misreading and keeping it, and texts that are cleaned.
//! Whatever an answer says of this itself stays.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};

use crate::mcp::text::clean_json;
use crate::state::AppState;

/// Nothing in a page of ours comes from elsewhere, and none is shown inside another. The page that describes the API writes styles
/// into itself.
const DOCS: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                    connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";
/// What is no page needs nothing at all.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";
/// For a year browsers come back over https only.
const HSTS: &str = "max-age=31536000";

/// Middleware: sets the headers, and cleans JSON of what nobody sees.
///
/// # Errors
/// Those of the inner service.
pub async fn finish(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_https = request
        .app_data::<Data<AppState>>()
        .is_some_and(|state| state.base_url.starts_with("https://"));
    let mut response = next.call(request).await?.map_into_boxed_body();
    let path = response.request().path().to_owned();
    complete(response.headers_mut(), &path, is_https);
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/") && kind.contains("json"));
    if !is_json {
        return Ok(response);
    }
    Ok(response.map_body(|_, body| cleaned(body)))
}

/// Adds the headers that are not there.
fn complete(headers: &mut HeaderMap, path: &str, is_https: bool) {
    let is_docs = path == "/docs" || path.starts_with("/docs/");
    let mut add = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(header::REFERRER_POLICY, "no-referrer");
    add(
        header::CONTENT_SECURITY_POLICY,
        if is_docs { DOCS } else { NO_PAGE },
    );
    // What is told by credentials is for whoever has them; some of it is a secret.
    if ["/api", "/mcp", "/metrics"]
        .iter()
        .any(|closed| path.starts_with(closed))
    {
        add(header::CACHE_CONTROL, "no-store");
    }
    if is_https {
        add(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
}

fn cleaned(body: BoxBody) -> BoxBody {
    match body.try_into_bytes() {
        Ok(bytes) => match std::str::from_utf8(&bytes).map(clean_json) {
            Ok(std::borrow::Cow::Owned(text)) => BoxBody::new(Bytes::from(text)),
            _ => BoxBody::new(bytes),
        },
        // A stream; whoever writes it cleans what it writes.
        Err(body) => body,
    }
}
