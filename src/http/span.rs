//! The span of a request, and how much of its head is repeated. What a stranger wrote there is bounded before it is counted,
//! logged or answered: else one long method or path, sent often, fills memory and disk.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::{Error, HttpMessage, web};
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};

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

/// Makes the span that every line of the log about a request stands in: who asks (behind a trusted proxy: whom it names), for
/// what. The query is left out: it may name a session.
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let state = request.app_data::<web::Data<AppState>>();
        let proxies = state.map_or(&[][..], |state| &state.settings.http.trusted_proxies);
        let client = limit::client(request.request(), proxies);
        let agent = request.headers().get(header::USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok());
        let id = request.extensions().get::<RequestId>().copied();
        tracing::info_span!(
            "HTTP request",
            request_id = id.map(tracing::field::display),
            client = client.map(tracing::field::display),
            // Texts, so that the log quotes them.
            method = shown(request.method().as_str()),
            path = shown(request.path()),
            user_agent = agent.map(shown),
        )
    }

    fn on_request_end<B: MessageBody>(_: Span, _: &Result<ServiceResponse<B>, Error>) {}
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

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
            // Method and path twice, the user agent once, and what is ours.
            assert!(line.len() < 5 * SHOWN + 300, "{}: {line}", line.len());
            assert!(!line.contains('?'), "{line}");
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
