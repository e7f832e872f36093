//! A server with both MCP transports over a small knowledge base, and a client that shows every byte of the wire.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer};
use async_trait::async_trait;
use domain::access::Asker;
use domain::audit::HandedOut;
use domain::page::{Page, Shown};
use domain::ports::store::Listed;
use domain::query::{Answer, ChangedPage, Neighbourhood, PageQuery, QueryTarget, RetrievalQuery};
use domain::{IndexId, PageId, SpaceKey, Timestamp};
use futures_util::StreamExt;
use governor::Quota;
use mcp_confluence::http::fairness::Fairness;
use mcp_confluence::mcp::caller::{Caller, Owner, Reader};
use mcp_confluence::mcp::handler::ConfluenceHandler;
use mcp_confluence::mcp::knowledge::{FoundPage, KnowledgeBase, Trouble};
use mcp_confluence::mcp::streamable::book::SessionBook;
use mcp_confluence::mcp::{Identify, Options, sse, streamable};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// As many at once as the product lets an owner ask; more come too slowly to be counted on.
const QUESTIONS: Quota = Quota::per_hour(NonZeroU32::new(200).unwrap());

/// The longest that anything here may take.
pub const SOON: Duration = Duration::from_secs(10);

/// Two indexes; a question "slow" takes until it is cancelled.
#[derive(Default)]
pub struct Small {
    /// Slow questions that were begun and not yet dropped.
    pub slow: Arc<AtomicUsize>,
}

pub fn index_id(number: u128) -> IndexId {
    IndexId(Uuid::from_u128(number))
}

fn index(number: u128, agent: &str) -> QueryTarget {
    let moment = "2026-11-20T08:00:00Z";
    let settings = json!({
        "name": agent, "agent_id": agent, "confluence_spaces": ["ENG"], "interval_minutes": 60, "enabled": true,
        "backend": "local", "include_blog_posts": false, "include_comments": false, "include_attachments": false,
        "labels": [], "exclude_labels": [], "root_page_ids": [], "restricted_pages": "skip"
    });
    let space = json!({
        "key": "ENG", "id": "1", "current_key": "ENG", "name": "Engineering", "url": "https://example.atlassian.net/wiki/spaces/ENG",
        "state": "current", "reason": null, "pages": 3, "last_sync_at": moment
    });
    QueryTarget {
        id: index_id(number),
        settings: serde_json::from_value(settings).unwrap(),
        remote: None,
        spaces: vec![serde_json::from_value(space).unwrap()],
        as_of: moment.parse().ok(),
        watermark: None,
    }
}

struct Count(Arc<AtomicUsize>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl KnowledgeBase for Small {
    fn asked_for(self: Arc<Self>, _: &Asker) -> Arc<dyn KnowledgeBase> {
        self
    }

    async fn indexes(&self, reader: &Reader) -> Result<Vec<QueryTarget>, Trouble> {
        let all = [index(1, "support"), index(2, "hr")];
        let readable = |i: &QueryTarget| reader.may_read(i.id);
        Ok(all.into_iter().filter(readable).collect())
    }

    async fn languages(&self, _: &QueryTarget) -> Vec<String> {
        Vec::new()
    }

    async fn search(&self, index: IndexId, query: RetrievalQuery) -> Result<Answer, Trouble> {
        if query.text == "slow" {
            self.slow.fetch_add(1, Ordering::SeqCst);
            let _count = Count(self.slow.clone());
            std::future::pending::<()>().await;
        }
        let page = json!({
            "id": "98312", "kind": "page", "title": format!("{} in {index}", query.text), "url": "https://example.atlassian.net/wiki/x/CIAB",
            "space_key": "ENG", "version": 3, "last_modified": "2026-11-02T08:00:00Z", "labels": [], "breadcrumb": [],
            "state": "searchable", "reason": null, "attempts": 0, "next_try_at": null, "section": null, "anchor": null
        });
        let answer = json!({
            "results": [{"text": format!("About {}", query.text), "score": 1.0, "page": page}],
            "as_of": "2026-11-20T08:00:00Z", "stale": false, "source": "index"
        });
        serde_json::from_value(answer).map_err(|e| Trouble(e.to_string()))
    }

    fn answered(&self, _: &[IndexId], _: &str, _: &Answer) {}

    fn handed_out(&self, _: &Caller, _: &HandedOut) {}

    async fn page(&self, _: IndexId, _: &PageQuery) -> Result<Option<FoundPage>, Trouble> {
        Ok(None)
    }

    async fn around(&self, _: IndexId, _: &PageId) -> Result<Neighbourhood, Trouble> {
        Ok(Neighbourhood::default())
    }

    async fn similar_titles(
        &self,
        _: IndexId,
        _: Option<&SpaceKey>,
        _: &str,
        _: usize,
    ) -> Result<Vec<Shown<Page>>, Trouble> {
        Ok(Vec::new())
    }

    async fn changes(
        &self,
        _: IndexId,
        _: Timestamp,
        _: Option<&SpaceKey>,
        _: usize,
    ) -> Result<Vec<ChangedPage>, Trouble> {
        Ok(Vec::new())
    }

    async fn pages(
        &self,
        _: IndexId,
        _: Option<&str>,
        _: usize,
    ) -> Result<Listed<Shown<Page>>, Trouble> {
        Ok(Listed {
            items: Vec::new(),
            next_cursor: None,
        })
    }

    fn now(&self) -> Timestamp {
        "2026-11-20T09:00:00Z".parse().unwrap()
    }
}

/// `Bearer admin` reads everything, `Bearer 2` the index number 2, `Bearer 2/other` is another token of the same; everyone
/// else is nobody.
fn identify() -> Identify {
    Arc::new(|request| {
        let header = request.headers().get("authorization")?.to_str().ok()?;
        let token = header.strip_prefix("Bearer ")?;
        let reader = match token.split('/').next()? {
            "admin" => Reader::Everything,
            number => Reader::Own([index_id(number.parse().ok()?)].into()),
        };
        Some(Caller::of(
            Owner::new(token),
            reader,
            Asker::Unnamed,
            request,
        ))
    })
}

/// A running server.
pub struct Server {
    pub base: String,
    pub legacy: sse::Server<ConfluenceHandler>,
    pub slow: Arc<AtomicUsize>,
    pub book: Arc<SessionBook>,
    pub shutdown: CancellationToken,
    pub handle: ServerHandle,
}

/// Starts a server whose graceful stop waits for 30 s, so that a stream which does not end by itself is seen.
pub fn start(change: impl FnOnce(&mut Options)) -> Server {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let shutdown = CancellationToken::new();
    let mut options = Options::new(shutdown.clone());
    change(&mut options);
    let book = options.book.clone();
    let kb = Small::default();
    let slow = kb.slow.clone();
    let handler = ConfluenceHandler::new(Arc::new(kb), Arc::new(Fairness::new(QUESTIONS)));
    let legacy = sse::Server::start(handler.clone(), identify(), options.clone());
    let streamable = streamable::Server::new(handler, identify(), options);
    let (first, second) = (legacy.clone(), streamable);
    let server = HttpServer::new(move || {
        let (first, second) = (first.clone(), second.clone());
        App::new().configure(move |config| {
            first.configure(config);
            second.configure(config);
        })
    })
    .workers(2)
    .h1_allow_half_closed(false)
    .tcp_nodelay(true)
    .shutdown_timeout(30)
    .disable_signals()
    .bind(("127.0.0.1", 0))
    .unwrap();
    let base = format!("http://{}", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Server {
        base,
        legacy,
        slow,
        book,
        shutdown,
        handle,
    }
}

impl Server {
    /// Waits until so many legacy sessions are open.
    pub async fn until_sessions(&self, wanted: usize) {
        let waited = tokio::time::timeout(SOON, async {
            while self.legacy.sessions().await != wanted {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        if waited.await.is_err() {
            panic!(
                "{} sessions are open, not {wanted}",
                self.legacy.sessions().await
            );
        }
    }
}

/// What came over a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    Comment(String),
    Event { name: String, data: String },
    End,
}

/// An event stream, read as it comes.
pub struct Stream {
    body: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<Vec<u8>>>>>,
    buffer: String,
}

impl Stream {
    pub fn of(response: reqwest::Response) -> Self {
        Self {
            body: Box::pin(
                response
                    .bytes_stream()
                    .map(|part| part.map(|bytes| bytes.to_vec())),
            ),
            buffer: String::new(),
        }
    }

    /// The next event or comment.
    pub async fn next(&mut self) -> Seen {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                if let Some(seen) = read(&block) {
                    return seen;
                }
                continue;
            }
            match tokio::time::timeout(SOON, self.body.next())
                .await
                .expect("nothing came over the stream")
            {
                Some(Ok(bytes)) => self
                    .buffer
                    .push_str(&String::from_utf8_lossy(&bytes).replace("\r\n", "\n")),
                _ => return Seen::End,
            }
        }
    }

    /// The next event, whatever comments come before it.
    pub async fn event(&mut self) -> (String, String) {
        loop {
            match self.next().await {
                Seen::Comment(_) => {}
                Seen::Event { name, data } => return (name, data),
                Seen::End => panic!("the stream ended"),
            }
        }
    }

    /// The next `message` event as JSON.
    pub async fn message(&mut self) -> Value {
        let (name, data) = self.event().await;
        assert_eq!(name, "message", "{data}");
        assert!(!data.contains('\n'));
        serde_json::from_str(&data).unwrap()
    }
}

fn read(block: &str) -> Option<Seen> {
    let (mut name, mut data, mut comment) = ("message".to_owned(), Vec::new(), None);
    for line in block.lines() {
        if let Some(text) = line.strip_prefix(':') {
            comment = Some(text.trim().to_owned());
        } else if let Some(text) = line.strip_prefix("event:") {
            name = text.trim().to_owned();
        } else if let Some(text) = line.strip_prefix("data:") {
            data.push(text.trim_start().to_owned());
        }
    }
    if data.is_empty() {
        comment.map(Seen::Comment)
    } else {
        Some(Seen::Event {
            name,
            data: data.join("\n"),
        })
    }
}

/// A client of the legacy transport.
pub struct Client {
    pub http: reqwest::Client,
    pub stream: Stream,
    pub endpoint: reqwest::Url,
    bearer: String,
}

/// A client that keeps no connections, so that dropping a stream closes its socket.
pub fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .pool_max_idle_per_host(0)
        .build()
        .unwrap()
}

impl Client {
    /// Opens a stream and reads the endpoint event, which has to be the first of all.
    pub async fn open(base: &str, query: &str, bearer: &str) -> Self {
        let http = http();
        let url: reqwest::Url = format!("{base}/mcp/sse{query}").parse().unwrap();
        let response = http
            .get(url.clone())
            .bearer_auth(bearer)
            .header("accept", "text/event-stream")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let mut stream = Stream::of(response);
        let (name, data) = stream.event().await;
        assert_eq!(name, "endpoint");
        assert!(!data.contains("://") && !data.starts_with('/'), "{data}");
        let endpoint = url.join(&data).unwrap();
        assert!(endpoint.path().ends_with("/messages"), "{endpoint}");
        Self {
            http,
            stream,
            endpoint,
            bearer: bearer.to_owned(),
        }
    }

    /// Posts a text; answers the status.
    pub async fn post(&self, body: impl Into<reqwest::Body>) -> u16 {
        let request = self
            .http
            .post(self.endpoint.clone())
            .bearer_auth(&self.bearer);
        let response = request
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap();
        response.status().as_u16()
    }

    /// Sends a request and reads its answer, which has to be the next message.
    pub async fn ask(&mut self, id: u64, method: &str, params: Value) -> Value {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        assert_eq!(self.post(message.to_string()).await, 202);
        let answer = self.stream.message().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// The handshake.
    pub async fn initialize(&mut self) -> Value {
        let answer = self.ask(0, "initialize", hello("2025-11-25")).await;
        let noted = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(self.post(noted.to_string()).await, 202);
        answer
    }

    /// Asks the search tool.
    pub async fn search(&mut self, id: u64, query: &str) -> Value {
        self.ask(
            id,
            "tools/call",
            json!({"name": "search_confluence", "arguments": {"query": query}}),
        )
        .await
    }
}

/// What LibreChat says first.
pub fn hello(version: &str) -> Value {
    json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "@librechat/api-client", "version": "1.2.3"}})
}
