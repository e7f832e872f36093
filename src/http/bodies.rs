//! What is taken of a request's body, whatever its path: nothing packed, since small ones unpack to large ones before anybody
//! asks who sends them; and nothing that is still coming after a while, since each body that comes to no end holds a connection.

use std::io;
use std::task::Poll;
use std::time::Duration;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::middleware::Next;
use futures_util::{StreamExt, stream};

use super::problem::ApiError;

/// A body must have come within this after its head.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Middleware: refuses packed bodies, and ends those that do not come to an end.
///
/// # Errors
/// Those of the inner service; a refusal is an answer.
pub async fn bound(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<BoxBody>>, actix_web::Error> {
    let encodings = request.headers().get_all(header::CONTENT_ENCODING);
    if encodings.into_iter().any(|encoding| encoding != "identity") {
        let refusal = ApiError::new(
            "unsupported_media_type",
            "The request has a Content-Encoding, and bodies are not unpacked: send it as it is.",
        );
        let response = request.into_response(refusal.response());
        return Ok(response.map_into_right_body());
    }
    match request.parts_mut().1.take() {
        Payload::None => {}
        payload => request.set_payload(in_time(payload)),
    }
    let response = next.call(request).await?;
    Ok(response.map_into_boxed_body().map_into_left_body())
}

fn in_time(mut body: Payload) -> Payload {
    let mut deadline = Box::pin(tokio::time::sleep(TIMEOUT));
    let bounded = stream::poll_fn(move |context| match body.poll_next_unpin(context) {
        Poll::Pending if deadline.as_mut().poll(context).is_ready() => {
            let late = io::Error::from(io::ErrorKind::TimedOut);
            Poll::Ready(Some(Err(PayloadError::Io(late))))
        }
        other => other,
    });
    Payload::Stream {
        payload: Box::pin(bounded),
    }
}
