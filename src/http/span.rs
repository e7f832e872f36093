//! The span of a request, and how much of its head is repeated. What a stranger wrote there is bounded before it is counted,
//! logged or answered: else one long method or path, sent often, fills memory and disk.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use tracing::Span;
use tracing_actix_web::RootSpanBuilder;

use super::limit;
use crate::state::AppState;

/// Bytes of one field of a request that are repeated at most.
const SHOWN: usize = 200;

/// The beginning of a text that a client wrote, as much as is repeated of it.
pub(super) fn shown(text: &str) -> &str {
    &text[..text.floor_char_boundary(SHOWN)]
}

/// The name of a method that HTTP itself knows (RFC 9110, and `PATCH` of RFC 5789); `None` for whatever else a client makes
/// up.
pub(super) fn known_method(method: &Method) -> Option<&'static str> {
    Some(match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => return None,
    })
}

/// The name of a request, in each line of the log about it and in its answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestId(String);

/// The header with it.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Characters that one that a client or a proxy gives may have: an UUID has 36.
const MAX_ID: usize = 64;

impl RequestId {
    /// The one that came along, if it can stand in a log as it is, or a new one.
    fn of(request: &ServiceRequest) -> Self {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let given = request.headers().get(X_REQUEST_ID);
        let given = given.and_then(|id| id.to_str().ok());
        let given = given.filter(|id| (1..=MAX_ID).contains(&id.len()) && id.bytes().all(is_plain));
        Self(given.map_or_else(|| format!("{:016x}", rand::random::<u64>()), str::to_owned))
    }
}

/// Middleware, outside of the one that makes the span: gives the request its name, and tells whoever asks.
///
/// # Errors
/// Those of the inner service.
pub async fn name_request<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let id = RequestId::of(&request);
    request.extensions_mut().insert(id.clone());
    let mut response = next.call(request).await?;
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    Ok(response)
}

/// Makes the span that every line of the log about a request stands in: its name, and who asks (behind a trusted proxy: whom it
/// names).
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let state = request.app_data::<web::Data<AppState>>();
        let proxies = state.map_or(&[][..], |state| &state.settings.http.trusted_proxies);
        let client = limit::client(request.request(), proxies);
        let id = request.extensions().get::<RequestId>().cloned();
        // What else there is to say of a request stands in the one line about it: every line within repeats this.
        tracing::info_span!(
            "http",
            id = id.as_ref().map(|id| id.0.as_str()),
            client = client.map(tracing::field::display),
        )
    }

    fn on_request_end<B: MessageBody>(_: Span, _: &Result<ServiceResponse<B>, Error>) {}
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use actix_web::http::header;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, HttpResponse};
    use tracing_actix_web::TracingLogger;

    use super::*;
    use crate::http::{guard, metrics, problem};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[actix_web::test]
    async fn a_long_request_makes_a_short_line() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .compact()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let app = init_service(
            App::new()
                .default_service(web::to(HttpResponse::NotFound))
                .wrap(from_fn(guard::check))
                .wrap(from_fn(problem::fill))
                .wrap(from_fn(metrics::measure))
                .wrap(TracingLogger::<RequestSpan>::new()),
        )
        .await;
        let _logging = tracing::subscriber::set_default(subscriber);
        let long = "x".repeat(15_000);
        let made_up = Method::from_bytes(long.to_uppercase().as_bytes()).unwrap();
        for method in [Method::GET, made_up] {
            let request = TestRequest::with_uri(&format!("/{long}?{long}"))
                .method(method)
                .insert_header((header::USER_AGENT, long.as_str()))
                .insert_header((header::HOST, long.as_str()))
                .insert_header(("x-forwarded-for", long.as_str()))
                .insert_header(("forwarded", format!("for={long}")));
            let answer = call_service(&app, request.to_request()).await;
            assert!(answer.status().is_client_error());
            let body = read_body(answer).await;
            assert!(body.len() < 1_000, "{} bytes", body.len());
        }
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        for line in lines {
            // Method and path, and what is ours.
            assert!(line.len() < 2 * SHOWN + 200, "{}: {line}", line.len());
            assert!(!line.contains('?'), "{line}");
        }
    }

    #[actix_web::test]
    async fn a_request_has_one_name_in_the_log_and_in_its_answer() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = crate::telemetry::json(move || writer.clone());
        let app = init_service(
            App::new()
                .route("/api/indexes", web::get().to(HttpResponse::Ok))
                .wrap(from_fn(metrics::measure))
                .wrap(TracingLogger::<RequestSpan>::new())
                .wrap(from_fn(name_request)),
        )
        .await;
        let _logging = tracing::subscriber::set_default(subscriber);
        let long = "x".repeat(MAX_ID + 1);
        for (given, is_kept) in [
            ("from-the-proxy.1", true),
            ("", false),
            ("a b", false),
            (&long, false),
        ] {
            let request = TestRequest::with_uri("/api/indexes?secret=1")
                .peer_addr("203.0.113.100:52000".parse().unwrap())
                .insert_header((header::USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64)"))
                .insert_header((X_REQUEST_ID, given));
            let answer = call_service(&app, request.to_request()).await;
            let told = answer
                .headers()
                .get(X_REQUEST_ID)
                .unwrap()
                .to_str()
                .unwrap();
            assert_eq!(told == given, is_kept, "{told}");
            let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
            let line = text.lines().last().unwrap();
            assert!(line.contains(&format!("\"id\":\"{told}\"")), "{line}");
            assert!(line.len() < 250, "{} bytes: {line}", line.len());
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(shown("/short"), "/short");
        let umlauts = "ä".repeat(150);
        assert_eq!(shown(&umlauts), "ä".repeat(100));
        assert_eq!(shown(&format!("a{umlauts}")).len(), 199);
    }
}
