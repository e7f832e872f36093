//! The HTTP server: middleware in order, workers, and how it stops.

use std::future::ready;
use std::net::TcpListener;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::middleware::{NormalizePath, TrailingSlash, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::{App, web};
use tracing_actix_web::TracingLogger;

use super::connection::Peers;
use super::span::{self, RequestSpan};
use super::{answer, audit, auth, bodies, guard, metrics, problem, routes};
use crate::state::AppState;

/// Connections get this long to finish once the server stops; streams have ended before.
const SHUTDOWN_SECONDS: u64 = 3;
/// Connections that are held at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 16_384;
/// Descriptors for files, databases, children and connections that go out.
const OTHER_DESCRIPTORS: usize = 256;
/// A request head must come within this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Idle connections are closed after this: longer than the pools of proxies, which would else race with us.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Starts to serve; the caller awaits or spawns what comes back.
///
/// # Errors
/// When the listener cannot be used.
pub fn start(listener: TcpListener, state: AppState) -> std::io::Result<Server> {
    let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(1, 4));
    let keeper = web::Data::new(guard::Gatekeeper::new(&state.settings));
    // Once for all workers: they share the sessions.
    let mcp = crate::mcp::configure(&state);
    let data = web::Data::new(state);
    let (each, full) = (connections(workers), data.fairness.full().clone());
    let peers = Peers::new(each * workers, &data.settings.http.trusted_proxies, full);
    let builder = ServerBuilder::new()
        .workers(workers)
        .max_concurrent_connections(each)
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_SECONDS);
    let stops = builder.graceful_shutdown_signal();
    let service = move || {
        let (mcp, peers, stops) = (mcp.clone(), peers.clone(), stops.clone());
        let app = App::new()
            .app_data(data.clone())
            .app_data(keeper.clone())
            .configure(move |config| super::configure(config, mcp))
            // From the inside out: who asks, how its body comes, is this method, host and origin answered, errors as problems,
            // what every answer has, numbers, the span, its name, one path for both spellings and a note of which it was. These two come
            // outermost: the path is rewritten in the request, which the span already holds on to.
            .wrap(from_fn(audit::record))
            .wrap(from_fn(auth::gate))
            .wrap(from_fn(bodies::bound))
            .wrap(from_fn(guard::check))
            .wrap(from_fn(problem::fill))
            .wrap(from_fn(answer::finish))
            .wrap(from_fn(metrics::measure))
            .wrap(TracingLogger::<RequestSpan>::new())
            .wrap(from_fn(span::name_request))
            .wrap(NormalizePath::new(TrailingSlash::Trim))
            .wrap(from_fn(routes::note_slash));
        let app = app.into_factory().map_err(|error| error.error_response());
        // As actix-web's own server builds it, over connections of ours.
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stops = stops.clone();
                async move { stops.notified().await }
            })
            .client_request_timeout(HEAD_TIMEOUT)
            .keep_alive(KEEP_ALIVE)
            // A peer that is gone is noticed at once, not at the next write.
            .h1_allow_half_closed(false)
            // A reader that does not read holds one part of its answer, not two.
            .h1_write_buffer_size(answer::PART)
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(move |stream: TcpStream| {
            let taken = peers.take_up(stream);
            let taken = taken.map(|(connection, peer)| (connection, Protocol::Http1, peer));
            ready(taken.map_err(DispatchError::Io))
        })
        .and_then(http)
    };
    Ok(builder.listen("http", listener, service)?.run())
}

/// Connections that one worker may hold: what descriptors there are, less what the rest of the service needs.
fn connections(workers: usize) -> usize {
    #[cfg(unix)]
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let descriptors = None;
    let most = descriptors.and_then(|most| usize::try_from(most).ok());
    let most = most.unwrap_or(usize::MAX).saturating_sub(OTHER_DESCRIPTORS);
    (most / workers).clamp(1, MAX_CONNECTIONS / workers)
}
