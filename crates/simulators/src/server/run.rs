//! A server on 127.0.0.1, on a thread and actix system of its own, so that any runtime (or none) can own it.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use chrono::Utc;
use futures_util::stream;
use tokio::sync::oneshot;

use super::control::{Control, Service};
use super::log::LoggedRequest;
use super::reply::{Delivery, Reply};
use super::request::Request;

/// A running server; dropping it stops it and frees its port.
pub(crate) struct Server {
    base_url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Shared {
    service: Arc<dyn Service>,
    control: Control,
}

/// The largest request body taken, 64 MiB.
const MAX_BODY: usize = 64 << 20;

impl Server {
    /// Takes a port on loopback: a free one, or the given one.
    pub(crate) fn bind(port: u16) -> io::Result<(TcpListener, String)> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let base_url = format!("http://127.0.0.1:{}", listener.local_addr()?.port());
        Ok((listener, base_url))
    }

    /// Serves on a bound listener. Connections made before the thread is up wait in the listener's queue.
    pub(crate) fn start(
        listener: TcpListener,
        base_url: String,
        service: Arc<dyn Service>,
        control: Control,
    ) -> io::Result<Server> {
        let shared = Shared { service, control };
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("simulator".into())
            .spawn(move || {
                let system = actix_rt::System::new();
                system.block_on(async move {
                    let server = HttpServer::new(move || {
                        App::new()
                            .app_data(web::Data::new(shared.clone()))
                            .app_data(web::PayloadConfig::new(MAX_BODY))
                            .default_service(web::to(handle))
                    })
                    .workers(2)
                    .keep_alive(Duration::from_secs(75))
                    .disable_signals()
                    .listen(listener);
                    let server = match server {
                        Ok(server) => server.run(),
                        Err(error) => {
                            let _ = ready.send(Err(error));
                            return;
                        }
                    };
                    let _ = ready.send(Ok(()));
                    let handle = server.handle();
                    let running = actix_rt::spawn(server);
                    let _ = stopped.await;
                    handle.stop(false).await;
                    let _ = running.await;
                });
            })?;
        match is_ready.recv() {
            Ok(Ok(())) => Ok(Server {
                base_url,
                stop: Some(stop),
                thread: Some(thread),
            }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::other(
                "the simulator's thread ended before it served",
            )),
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn handle(req: HttpRequest, body: Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let started = Instant::now();
    let at = Utc::now();
    let headers = req
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let request = Request::new(
        req.method().as_str(),
        req.uri().path(),
        req.uri().query().unwrap_or_default(),
        headers,
        body.to_vec(),
    );
    let service = shared.service.as_ref();
    let template = service.template(&request);
    let wait = service.latency();
    let (reply, fault) = shared.control.answer(service, &request, &template);
    let wait = wait + reply.delay;
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let (kind, data) = reply.rendered();
    shared.control.record(LoggedRequest {
        seq: 0,
        at,
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        template,
        status: if reply.delivery == Delivery::Reset {
            0
        } else {
            reply.status
        },
        ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        bytes: data.len(),
        fault: fault.map(|f| format!("{f:?}")),
        body: request.json(),
        content_type: request.header("content-type").map(str::to_owned),
    });
    to_http(&reply, kind, data)
}

fn to_http(reply: &Reply, kind: Option<String>, data: Vec<u8>) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in &reply.headers {
        response.append_header((name.as_str(), value.as_str()));
    }
    if let Some(kind) = kind {
        response.content_type(kind);
    }
    match reply.delivery {
        Delivery::Whole => response.body(data),
        Delivery::CutBody => {
            let half = Bytes::copy_from_slice(&data[..data.len() / 2]);
            response.force_close();
            response.body(Broken {
                size: data.len() as u64,
                first: Some(half),
            })
        }
        Delivery::Reset => {
            response.force_close();
            response.streaming(stream::iter([Err::<Bytes, _>(broken())]))
        }
    }
}

fn broken() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionReset,
        "the simulator cut this answer on purpose",
    )
}

/// Announces its full size, gives a first part, then fails: the client sees a body that ends too soon.
struct Broken {
    size: u64,
    first: Option<Bytes>,
}

impl MessageBody for Broken {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.size)
    }

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Bytes, io::Error>>> {
        std::task::Poll::Ready(Some(self.first.take().ok_or_else(broken)))
    }
}
