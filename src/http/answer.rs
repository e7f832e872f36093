//! What every answer has, whoever made it: headers that keep a browser from misreading and keeping it, texts that are cleaned, and
//! no more of a body at once than its reader takes. Whatever an answer says of this itself stays.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};

use crate::mcp::text::clean_json;
use crate::state::AppState;

/// Nothing in a page of ours comes from elsewhere, and none is shown inside another. The page that describes the API writes
/// styles into itself.
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
    Ok(response.map_body(|_, body| {
        let body = if is_json { cleaned(body) } else { body };
        in_parts(body)
    }))
}

/// Bytes of a body that its connection gets at once: the server copies what it gets into a buffer, so a reader that does not
/// read holds such a part, and not a copy of the whole.
pub(super) const PART: usize = 16 * 1024;

fn in_parts(body: BoxBody) -> BoxBody {
    match body.try_into_bytes() {
        Ok(bytes) if bytes.len() > PART => BoxBody::new(InParts {
            left: bytes,
            given: false,
        }),
        Ok(bytes) => BoxBody::new(bytes),
        Err(body) => body,
    }
}

/// Bytes that leave in parts, between which the other connections of the worker have their turn. The system takes megabytes for
/// a peer that reads nothing; written in one go to a thousand such peers, these keep everybody else waiting for seconds.
struct InParts {
    left: Bytes,
    /// Whether a part was given since the others had their turn.
    given: bool,
}

impl MessageBody for InParts {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.left.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let part = self.left.len().min(PART);
        if part == 0 {
            return Poll::Ready(None);
        }
        self.given = !self.given;
        if self.given {
            return Poll::Ready(Some(Ok(self.left.split_to(part))));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_large_body_leaves_in_parts_that_share_its_bytes() {
        static LARGE: [u8; 3 * PART + 1] = [7; 3 * PART + 1];
        let mut body = in_parts(BoxBody::new(Bytes::from_static(&LARGE)));
        assert_eq!(body.size(), BodySize::Sized(LARGE.len() as u64));
        let mut sizes = Vec::new();
        let next = async |body: &mut BoxBody| {
            std::future::poll_fn(|context| Pin::new(&mut *body).poll_next(context)).await
        };
        while let Some(part) = next(&mut body).await {
            let part = part.unwrap();
            assert!(LARGE.as_ptr_range().contains(&part.as_ptr()), "copied");
            sizes.push(part.len());
        }
        assert_eq!(sizes, [PART, PART, PART, 1]);
        let small = in_parts(BoxBody::new("small"));
        assert_eq!(small.try_into_bytes().unwrap(), "small");
    }

    #[test]
    fn between_two_parts_the_others_have_their_turn() {
        let mut body = in_parts(BoxBody::new(vec![7_u8; 2 * PART]));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut poll = || Pin::new(&mut body).poll_next(&mut context);
        assert!(matches!(poll(), Poll::Ready(Some(Ok(_)))));
        assert!(poll().is_pending());
        assert!(matches!(poll(), Poll::Ready(Some(Ok(_)))));
        assert!(matches!(poll(), Poll::Ready(None)));
    }
}
