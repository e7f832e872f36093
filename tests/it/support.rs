//! A service with a simulated Confluence, in process or as a program of its own, on ports that the system chose; and waiting with a
//! bound.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use mcp_confluence::App;
use mcp_confluence::settings::{Need, Pairs, Settings};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use simulators::confluence::{ConfluenceSim, Site};
use simulators::spec_check::Specs;
use test_database::Database;

use crate::process::{borrowed, listening, program, terminate};
use crate::world::Program;

/// Nothing here takes longer on a machine that is up to it at all.
pub const TIMEOUT: Duration = Duration::from_secs(40);

/// An HTTP client; installs the TLS provider first, without which building one panics.
pub fn client() -> Client {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .build()
        .unwrap()
}

/// A site of two spaces: `ENG` with a runbook and a labelled page, `OPS` with `pages` pages.
pub fn site(pages: usize) -> Site {
    let site = Site::new();
    site.add_space("ENG", "Engineering");
    site.add_space("OPS", "Operations");
    let handbook = site.create_page("ENG", None, "Handbook", "<p>Where everything begins.</p>");
    let runbook = site.create_page(
        "ENG",
        Some(handbook),
        "Rollback runbook",
        "<h2>When a release goes wrong</h2><p>Roll back the deployment with the falcon tool.</p>",
    );
    site.label(runbook, "runbook");
    for n in 0..pages {
        site.create_page(
            "OPS",
            None,
            &format!("Host {n}"),
            &format!("<p>Host number {n} is a zebra.</p>"),
        );
    }
    site
}

/// A running service.
pub struct Service {
    /// It runs in this process; or
    pub app: Option<App>,
    /// in its own.
    pub program: Option<Program>,
    pub sim: ConfluenceSim,
    pub base: String,
    pub http: Client,
    pub folder: Database,
    key: Option<String>,
}

/// What the settings of a service in `folder` against `sim` are, `extra` on top.
pub fn pairs(sim: &ConfluenceSim, folder: &Database, extra: &[(&str, &str)]) -> Pairs {
    let database: String = folder.url();
    let index = folder.path().to_string_lossy();
    let mut pairs: Pairs = [
        ("CONFLUENCE_BASE_URL", sim.base_url()),
        ("CONFLUENCE_EMAIL", ConfluenceSim::EMAIL),
        ("CONFLUENCE_API_TOKEN", ConfluenceSim::TOKEN),
        ("CONFLUENCE_MAX_REQUESTS_PER_SECOND", "1000"),
        ("DATABASE_URL", &database),
        // The working directory is all tests'.
        ("EMBEDDED_INDEX_DIR", &index),
        ("API_PORT", "0"),
        ("RUST_LOG", "warn"),
    ]
    .into_iter()
    .chain(extra.iter().copied())
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    if std::env::var_os("RUST_LOG").is_some() {
        pairs.insert("RUST_LOG".to_owned(), std::env::var("RUST_LOG").unwrap());
    }
    pairs
}

/// A simulated Confluence, a folder, and the settings of a program that a test starts there by itself.
pub async fn prepared(
    site: Site,
    extra: &[(&str, &str)],
) -> (ConfluenceSim, Database, Vec<(String, String)>) {
    let sim = ConfluenceSim::builder().site(site).start().await.unwrap();
    let folder = Database::new();
    let settings = pairs(&sim, &folder, extra).into_iter().collect();
    (sim, folder, settings)
}

pub async fn start(site: Site, extra: &[(&str, &str)]) -> Service {
    start_over(
        ConfluenceSim::builder().site(site).start().await.unwrap(),
        extra,
    )
    .await
}

/// Over a Confluence that is simulated already.
pub async fn start_over(sim: ConfluenceSim, extra: &[(&str, &str)]) -> Service {
    let http = client();
    let folder = Database::new();
    let (app, key) = run(&sim, &folder, extra).await;
    Service {
        base: app.local_url(),
        app: Some(app),
        program: None,
        sim,
        http,
        folder,
        key,
    }
}

/// The same as a program of its own, whose log is in the file `log` of its folder.
pub async fn start_program(site: Site, extra: &[(&str, &str)]) -> Service {
    let sim = ConfluenceSim::builder().site(site).start().await.unwrap();
    start_program_over(sim, extra).await
}

/// A program over a Confluence that is simulated already.
pub async fn start_program_over(sim: ConfluenceSim, extra: &[(&str, &str)]) -> Service {
    let folder = Database::new();
    let (program, key) = run_program(&sim, &folder, extra).await;
    Service {
        app: None,
        base: program.base.clone(),
        program: Some(program),
        sim,
        http: client(),
        folder,
        key,
    }
}

async fn run_program(
    sim: &ConfluenceSim,
    folder: &Database,
    extra: &[(&str, &str)],
) -> (Program, Option<String>) {
    let pairs = pairs(sim, folder, extra);
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.path().join("log"))
        .unwrap();
    let settings: Vec<_> = pairs.clone().into_iter().collect();
    let child = program(folder, &["serve"], &borrowed(&settings))
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut program = Program {
        child,
        base: String::new(),
    };
    until("the program listens", async || {
        if let Some(status) = program.child.try_wait().unwrap() {
            let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
            panic!("it ended with {status}: {log}");
        }
        let holder = listening(&pairs["DATABASE_URL"]).await;
        if holder["pid"] != program.child.id() {
            return None;
        }
        holder["address"]
            .as_str()
            .unwrap()
            .clone_into(&mut program.base);
        let health = client().get(format!("{}/health/live", program.base));
        health
            .send()
            .await
            .ok()?
            .status()
            .is_success()
            .then_some(())
    })
    .await;
    (program, pairs.get("API_KEY").cloned())
}

async fn run(
    sim: &ConfluenceSim,
    folder: &Database,
    extra: &[(&str, &str)],
) -> (App, Option<String>) {
    let pairs = pairs(sim, folder, extra);
    let (mut settings, _) = Settings::from_pairs(&pairs, Need::Serve).unwrap();
    // This process is the tests'.
    settings.program = env!("CARGO_BIN_EXE_mcp-confluence").into();
    mcp_confluence::telemetry::start(&settings.log);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (
        App::start(settings, listener).await.unwrap(),
        pairs.get("API_KEY").cloned(),
    )
}

impl Service {
    /// Stops the service and starts it again on the same database.
    pub async fn restart(&mut self, extra: &[(&str, &str)]) {
        if let Some(mut program) = self.program.take() {
            terminate(&mut program.child).await;
            return self.start_again(extra).await;
        }
        self.app.take().unwrap().stop().await;
        let (app, key) = run(&self.sim, &self.folder, extra).await;
        self.base = app.local_url();
        self.app = Some(app);
        self.key = key;
    }

    /// Starts a program in the place of one that died.
    pub async fn start_again(&mut self, extra: &[(&str, &str)]) {
        let (program, key) = run_program(&self.sim, &self.folder, extra).await;
        program.base.clone_into(&mut self.base);
        self.program = Some(program);
        self.key = key;
    }

    /// A request with the administrator's key, if there is one.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::DELETE, path)).await
    }

    /// Creates an index and waits until its first run is over.
    pub async fn synced_index(&self, agent: &str, spaces: &[&str]) -> Value {
        let index = self.index(agent, spaces).await;
        self.over(&index).await;
        self.get(&format!("/api/indexes/{}", id(&index))).await.1
    }

    /// A new agent token of an index; the path by which it is revoked goes before it.
    pub async fn new_token(&self, index: &Value) -> (String, String) {
        let tokens = format!("/api/indexes/{}/tokens", id(index));
        let (status, token) = self.post(&tokens, json!({})).await;
        assert_eq!(status, StatusCode::CREATED, "{token}");
        let path = format!("{tokens}/{}", id(&token));
        (path, token["token"].as_str().unwrap().to_owned())
    }

    pub async fn index(&self, agent: &str, spaces: &[&str]) -> Value {
        let body = json!({"name": format!("Index of {agent}"), "agent_id": agent, "confluence_spaces": spaces});
        let (status, index) = self.post("/api/indexes/", body).await;
        assert_eq!(status, StatusCode::CREATED, "{index}");
        index
    }

    /// Waits until the newest run of an index is over; answers it.
    pub async fn over(&self, index: &Value) -> Value {
        let path = format!("/api/indexes/{}", id(index));
        until("the run is over", async || {
            let (_, index) = self.get(&path).await;
            let run = index["last_run"].clone();
            (!run["finished_at"].is_null()).then_some(run)
        })
        .await
    }

    /// Orders a run by hand (it sweeps) and waits until it is over; answers it.
    pub async fn swept(&self, index: &Value) -> Value {
        let (status, run) = self
            .post(&format!("/api/indexes/{}/sync", id(index)), json!({}))
            .await;
        assert_eq!(status, StatusCode::ACCEPTED, "{run}");
        let path = format!("/api/runs/{}", id(&run));
        until("the run is over", async || {
            let (_, run) = self.get(&path).await;
            (!run["finished_at"].is_null()).then_some(run)
        })
        .await
    }

    /// The process of a program of its own.
    pub fn pid(&self) -> u32 {
        self.program.as_ref().unwrap().child.id()
    }

    /// What a program of its own has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub async fn stop(mut self) {
        if let Some(mut program) = self.program.take() {
            let status = terminate(&mut program.child).await;
            assert!(status.success(), "{status}: {}", self.log());
            return;
        }
        self.app.take().unwrap().stop().await;
    }
}

/// Every request that Confluence was sent is one of the official documents'.
pub fn assert_official(service: &Service) {
    let Some(specs) = Specs::from_env("the check of requests against the official documents")
    else {
        return;
    };
    let requests = service.sim.requests();
    let violations = specs.unwrap().check_requests(requests.iter());
    let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

pub fn id(of: &Value) -> &str {
    of["id"].as_str().unwrap()
}

pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    read(request.send().await.unwrap()).await
}

/// Status and body of an answer; an error has to be a problem.
pub async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let kind = response
        .headers()
        .get("content-type")
        .map(|kind| kind.to_str().unwrap().to_owned());
    let text = response.text().await.unwrap();
    if status.is_client_error() || status.is_server_error() {
        assert_eq!(
            kind.as_deref(),
            Some("application/problem+json"),
            "{status} {text}"
        );
    }
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

/// Waits for something with a bound; `what` names it when it does not come.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < TIMEOUT, "waited too long: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Checks the shape of a problem, and which one it is.
pub fn assert_problem(answer: &(StatusCode, Value), status: u16, code: &str) {
    let (got, body) = answer;
    assert_eq!(
        (got.as_u16(), body["code"].as_str()),
        (status, Some(code)),
        "{body}"
    );
    assert_eq!(body["status"], status);
    assert_eq!(body["type"], format!("/docs/problems#{code}"));
    assert!(
        !body["title"].as_str().unwrap().is_empty() && !body["detail"].as_str().unwrap().is_empty(),
        "{body}"
    );
    assert!(body["errors"].is_array());
}

/// The fields that a problem names.
pub fn fields(body: &Value) -> Vec<&str> {
    body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect()
}
