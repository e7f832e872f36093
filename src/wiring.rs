//! Brings the parts together: database, Confluence, retrieval stores, engine, HTTP. The only place that knows which
//! adapter stands behind a port.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actors::{Backends, Engine, EngineError, EngineParts, EngineSettings, Failpoints};
use confluence::oauth::{OAuth, OAuthConfig};
use confluence::{ConfluenceClient, ConfluenceConfig, Credentials};
use domain::index::BackendKind;
use domain::ports::clock::SystemClock;
use domain::ports::embedding::Embedder;
use domain::ports::source::ContentSource;
use domain::ports::store::AdminStore;
use domain::refusals::Pauses;
use embeddings::{Embeddings, EmbeddingsConfig};
use llamacloud::{IndexApi, LlamaCloud, LlamaCloudConfig, Prices, Timeouts};
use local_index::{LocalIndex, LocalIndexError, LocalIndexOptions};
#[cfg(feature = "local-model")]
use local_model::{LocalModel, LocalModelConfig};
use metastore::{EngineLock, LocalKey, LockError, Metastore, OpenError};
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use upstream::ConfigError;

use crate::backups;
use crate::connection::{Connection, GrantVault};
use crate::evaluations;
use crate::http::auth::{Authenticator, new_secret};
use crate::http::{metrics, server};
use crate::indexes_file;
use crate::notify;
use crate::people_file;
use crate::questions::Questions;
use crate::reading::ChildReader;
use crate::settings::{
    ConfluenceCredentials, EmbeddingsFolder, EmbeddingsSettings, Settings, SettingsError, Trouble,
};
use crate::state::AppState;

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting that only shows itself as unusable when it is used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The database.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// Another process works on the same database.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The embedded index.
    #[error("{0}; EMBEDDED_INDEX_DIR names its folder, where it is not that of the database")]
    LocalIndex(#[from] LocalIndexError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The address.
    #[error(
        "cannot listen at {address}: {source}; is another program there? API_PORT chooses another port"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something that should not happen.
    #[error("the service cannot start: {0}")]
    Other(String),
}

/// Opens the database for a command that only looks or adds to it: one that is not there is not made.
///
/// # Errors
/// When there is none, it cannot be opened, or a newer version made it.
pub fn open_store(settings: &Settings) -> Result<Metastore, StartError> {
    let opened = Metastore::open_existing(&settings.database, settings.store_options());
    Ok(opened?)
}

/// Confluence as the settings have it: the client, and the connection by OAuth that it works with, where they have one. That is kept in
/// the database.
///
/// # Errors
/// When a setting is missing or cannot be used, or a connection is wanted and the database is not there.
pub fn confluence_client(
    settings: &Settings,
    store: Option<&Metastore>,
) -> Result<(ConfluenceClient, Option<Arc<Connection>>), StartError> {
    let account = settings.confluence.as_ref().ok_or_else(|| {
        unusable(
            "CONFLUENCE_BASE_URL",
            "CONFLUENCE_EMAIL and CONFLUENCE_API_TOKEN, or CONFLUENCE_OAUTH_CLIENT_ID, are required to talk to Confluence",
        )
    })?;
    let refused = |error: ConfigError| unusable(error.setting, &error.cause);
    let (credentials, connection) = match &account.credentials {
        ConfluenceCredentials::Basic { email, api_token } => {
            let (email, api_token) = (email.clone(), api_token.clone());
            (Credentials::Basic { email, api_token }, None)
        }
        ConfluenceCredentials::OAuth(app) => {
            let store = store.ok_or_else(|| {
                StartError::Other(
                    "the connection to Confluence is kept in the database, which is not there; start the service and connect".to_owned(),
                )
            })?;
            let config = OAuthConfig {
                client_id: app.client_id.clone(),
                client_secret: app.client_secret.clone(),
                scopes: app.scopes.clone(),
                authorization_server: app.authorization_server.clone(),
                base_url: account.base_url.clone(),
                cloud_id: account.cloud_id.clone(),
                gateway_url: account.gateway_url.clone(),
                network: settings.network.clone(),
            };
            let vault = Arc::new(GrantVault::new(store.clone(), app));
            let oauth = Arc::new(OAuth::new(config, vault.clone()).map_err(refused)?);
            let connection = Arc::new(Connection::new(oauth.clone(), vault));
            (Credentials::OAuth(oauth), Some(connection))
        }
    };
    let config = ConfluenceConfig {
        cloud_id: account.cloud_id.clone(),
        gateway_url: account.gateway_url.clone(),
        max_requests_per_second: account.max_requests_per_second,
        max_concurrent_requests: u32::try_from(account.max_concurrent_requests).unwrap_or(u32::MAX),
        max_points_per_hour: account.max_points_per_hour,
        network: settings.network.clone(),
        ..ConfluenceConfig::with(account.base_url.clone(), credentials)
    };
    let client = ConfluenceClient::new(&config).map_err(refused)?;
    Ok((client, connection))
}

/// The retrieval stores of the settings: the embedded one always, LlamaCloud where there is a key.
///
/// # Errors
/// When a setting or the file of the embedded index cannot be used.
async fn backends(settings: &Settings, store: &Metastore) -> Result<Backends, StartError> {
    let mut backends = Backends::new();
    let file = settings.embedded_index();
    let mut local = LocalIndex::open(file, local_index_options(settings))?;
    if let Some(embedder) = embedder(settings)? {
        local = local.with_embedder(embedder);
    }
    backends.insert(BackendKind::Local, Arc::new(local));
    if let Some(config) = llamacloud_config(settings)? {
        let name = offered_name(&config);
        let client =
            LlamaCloud::new(config).map_err(|error| unusable(error.setting, &error.cause))?;
        let client = remembering(client, store, name).await;
        backends.insert(BackendKind::LlamaCloud, Arc::new(client));
    }
    Ok(backends)
}

/// The embedded index of the settings, for a command that only looks: it is not made, and nothing in it changes.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn local_index_to_look_at(settings: &Settings) -> Result<LocalIndex, LocalIndexError> {
    let file = settings.embedded_index();
    LocalIndex::open_existing(&file, local_index_options(settings))
}

fn local_index_options(settings: &Settings) -> LocalIndexOptions {
    LocalIndexOptions {
        language: settings.search_language.clone(),
        decay_years: settings.rank_decay_years,
        ..LocalIndexOptions::default()
    }
}

/// What gives the embedded index its vectors, where the settings name an endpoint or a folder.
///
/// # Errors
/// When a setting cannot be used.
pub fn embedder(settings: &Settings) -> Result<Option<Arc<dyn Embedder>>, StartError> {
    let Some(embeddings) = &settings.embeddings else {
        return Ok(None);
    };
    let embedder: Arc<dyn Embedder> = match embeddings {
        EmbeddingsSettings::Endpoint(endpoint) => {
            let usual = EmbeddingsConfig::new(endpoint.url.clone(), endpoint.recipe.model.clone());
            let config = EmbeddingsConfig {
                api_key: endpoint.api_key.clone(),
                recipe: endpoint.recipe.clone(),
                network: settings.network.clone(),
                ..usual
            };
            let client =
                Embeddings::new(&config).map_err(|error| unusable(error.setting, &error.cause))?;
            Arc::new(client)
        }
        EmbeddingsSettings::Folder(folder) => local_model(folder)?,
    };
    Ok(Some(embedder))
}

#[cfg(feature = "local-model")]
fn local_model(folder: &EmbeddingsFolder) -> Result<Arc<dyn Embedder>, StartError> {
    let config = LocalModelConfig {
        folder: folder.folder.clone(),
        dimensions: folder.dimensions,
        question_prefix: folder.question_prefix.clone(),
        passage_prefix: folder.passage_prefix.clone(),
    };
    let model = LocalModel::open(&config)
        .map_err(|error| unusable("EMBEDDINGS_MODEL_DIR", &error.to_string()))?;
    Ok(Arc::new(model))
}

/// The settings refuse a folder before this.
#[cfg(not(feature = "local-model"))]
fn local_model(_: &EmbeddingsFolder) -> Result<Arc<dyn Embedder>, StartError> {
    Err(unusable(
        "EMBEDDINGS_MODEL_DIR",
        "needs a program that was built with --features local-model",
    ))
}

/// How LlamaCloud is asked; `None` without a key.
fn llamacloud_config(settings: &Settings) -> Result<Option<LlamaCloudConfig>, StartError> {
    let Some(account) = &settings.llamacloud else {
        return Ok(None);
    };
    let usual = LlamaCloudConfig::new(account.api_key.clone());
    let config = LlamaCloudConfig {
        base_url: account
            .base_url
            .clone()
            .unwrap_or_else(|| usual.base_url.clone()),
        project_id: account.project_id.clone(),
        index_api: account.index_api,
        openai_api_key: account.openai_api_key.clone(),
        max_requests_per_second: account.max_requests_per_second,
        max_requests_per_minute: account.max_requests_per_minute,
        max_concurrent_requests: account.max_concurrent_requests,
        timeouts: Timeouts {
            patience: settings.sync.upload_deadline,
            pauses: pauses(usual.timeouts.pauses),
            ..usual.timeouts
        },
        network: settings.network.clone(),
        prices: match &account.prices_file {
            Some(file) => prices(file)?,
            None => usual.prices.clone(),
        },
        ..usual
    };
    Ok(Some(config))
}

/// The LlamaCloud client of the settings, where there is a key.
///
/// # Errors
/// When a setting cannot be used.
pub fn llamacloud_client(settings: &Settings) -> Result<Option<LlamaCloud>, StartError> {
    let client = llamacloud_config(settings)?
        .map(LlamaCloud::new)
        .transpose();
    client.map_err(|error| unusable(error.setting, &error.cause))
}

/// Under which name it is remembered what an account offers.
fn offered_name(config: &LlamaCloudConfig) -> String {
    format!(
        "llamacloud_api {} {}",
        config.base_url.as_str(),
        config.project_id.as_deref().unwrap_or("")
    )
}

/// What the account offers is found out once for a host and project, and remembered over restarts.
async fn remembering(client: LlamaCloud, store: &Metastore, name: String) -> LlamaCloud {
    let store = store.clone();
    let found = match store.remembered(&name).await.ok().flatten().as_deref() {
        Some("v1") => Some(IndexApi::V1),
        Some("v2") => Some(IndexApi::V2),
        _ => None,
    };
    let told = Arc::new(move |found: IndexApi| {
        let word = if found == IndexApi::V2 { "v2" } else { "v1" };
        let (store, name) = (store.clone(), name.clone());
        tokio::spawn(async move {
            if let Err(error) = store.remember(&name, word).await {
                tracing::warn!(%error, "what LlamaCloud offers could not be remembered; it is asked again after a restart");
            }
        });
    });
    client.remembering(found, told)
}

fn prices(file: &Path) -> Result<Prices, StartError> {
    let unreadable = |why: String| unusable("LLAMA_CLOUD_PRICES_FILE", &why);
    let text = std::fs::read_to_string(file)
        .map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    Prices::read(&text).map_err(|error| unreadable(format!("is no price table: {error}")))
}

/// Says at the start what the LlamaCloud account offers, or what is wrong with it; nobody waits for it.
fn say_what_is_offered(backends: &Backends) {
    let Some(backend) = backends.get(&BackendKind::LlamaCloud).cloned() else {
        return;
    };
    actix_web::rt::spawn(async move {
        match backend.probe().await {
            Ok(said) => tracing::info!("{said}"),
            Err(error) => tracing::warn!(%error, "LlamaCloud does not answer as it should"),
        }
    });
}

fn unusable(variable: &str, message: &str) -> StartError {
    StartError::Settings(SettingsError(vec![Trouble::new(variable, message)]))
}

/// What an engine is started for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// To keep every index current: the service.
    Schedule,
    /// To carry out one order: a command.
    OneOrder,
}

/// Where a test lets the program die, as `place` or `place:hit`; no setting, and nothing in release builds.
fn failpoints() -> Failpoints {
    if !cfg!(debug_assertions) {
        return Failpoints::default();
    }
    let place = std::env::var("MCP_CONFLUENCE_FAILPOINT");
    place.map_or_else(|_| Failpoints::default(), |place| Failpoints::parse(&place))
}

/// The pauses for a plan that counts by the minute; shorter where a test says of how many milliseconds its minute is: no setting, and
/// nothing in release builds.
fn pauses(usual: Pauses) -> Pauses {
    let short = std::env::var("MCP_CONFLUENCE_MINUTE").ok();
    let short = short.filter(|_| cfg!(debug_assertions));
    let Some(minute) = short.and_then(|minute| minute.parse().ok()) else {
        return usual;
    };
    let minute = Duration::from_millis(minute);
    Pauses {
        burst: usual
            .burst
            .mul_f64(minute.as_secs_f64() / usual.minute.as_secs_f64()),
        minute,
    }
}

fn engine_settings(settings: &Settings, duty: Mode) -> EngineSettings {
    let usual = EngineSettings::default();
    let confluence = settings.confluence.as_ref();
    EngineSettings {
        check_interval: settings.sync.check_interval,
        quiet_hours: settings.sync.quiet_hours,
        sweep_interval: settings.sync.sweep_interval,
        max_delete_percent: settings.sync.max_delete_percent,
        upload_deadline: settings.sync.upload_deadline,
        retention: Duration::from_secs(u64::from(settings.sync.retention_days) * 24 * 60 * 60),
        fetchers: confluence.map_or(usual.fetchers, |c| c.max_concurrent_requests),
        requests_per_second: confluence
            .map_or(usual.requests_per_second, |c| c.max_requests_per_second),
        verify_on_read: settings.sync.verify_on_read,
        permissions_max_age: Duration::from_secs(
            u64::from(settings.sync.permissions_max_age_hours) * 60 * 60,
        ),
        unknown_people: settings.sync.unknown_people,
        rendered_pages_per_run: settings.sync.rendered_pages_per_run,
        skip_unneeded_facts: settings.sync.skip_unneeded_facts,
        audit_log: settings.sync.audit_log,
        failpoints: failpoints(),
        scheduled: duty == Mode::Schedule,
        // A command ends before anybody is told.
        notify: duty == Mode::Schedule && settings.notices.is_some(),
        on_change: settings.on_change,
        ..usual
    }
}

/// Ids mean something within their site only.
async fn name_site(store: &Metastore, settings: &Settings) -> Result<(), StartError> {
    let Some(account) = &settings.confluence else {
        return Ok(());
    };
    let site = account.base_url.as_str();
    let before = store.name_site(site).await;
    if let Some(before) = before.map_err(|error| StartError::Other(error.to_string()))? {
        tracing::warn!(
            before,
            site,
            "the database was filled from another address; if that is another site and not the same one renamed, use another DATABASE_URL"
        );
    }
    Ok(())
}

/// A running engine with its database, which no other engine may use meanwhile.
pub struct Running {
    /// The database.
    pub store: Metastore,
    /// Confluence, for what somebody waits for; the engine has a more patient client over the same limits.
    pub source: Arc<dyn ContentSource>,
    /// The connection to Confluence by OAuth, where the settings have that.
    pub connection: Option<Arc<Connection>>,
    /// The engine.
    pub engine: Engine,
    /// The engine's stores.
    pub backends: Backends,
    /// Released when dropped.
    pub lock: EngineLock,
    /// What the stores do by themselves.
    beside: Vec<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // What is done of it stands in rows.
        self.beside.iter().for_each(JoinHandle::abort);
    }
}

impl Running {
    /// Takes the lock of the database, opens it, makes it where there is none, and starts the engine on it.
    ///
    /// # Errors
    /// [`StartError::Locked`] names the process that has the database; others say what is wrong.
    pub async fn start(settings: &Settings, duty: Mode) -> Result<Self, StartError> {
        let opened = Metastore::open_locked(&settings.database, settings.store_options());
        let (store, lock) = opened.map_err(|error| match error {
            OpenError::Lock(error) => StartError::Locked(error),
            other => other.into(),
        })?;
        let (client, connection) = confluence_client(settings, Some(&store))?;
        name_site(&store, settings).await?;
        let source: Arc<dyn ContentSource> = Arc::new(client.for_waiting());
        let backends = backends(settings, &store).await?;
        let mut beside = Vec::new();
        if duty == Mode::Schedule {
            say_what_is_offered(&backends);
            let work = backends.values().filter_map(|backend| backend.background());
            beside.extend(work.map(tokio::spawn));
        }
        let engine = Engine::start(EngineParts {
            store: Arc::new(store.clone()),
            source: Arc::new(client),
            backends: backends.clone(),
            reader: Arc::new(ChildReader::new(settings.program.clone())),
            clock: Arc::new(SystemClock),
            settings: engine_settings(settings, duty),
        })
        .await?;
        Ok(Self {
            store,
            source,
            connection,
            engine,
            backends,
            lock,
            beside,
        })
    }

    /// Stops the engine and leaves the database whole.
    pub async fn stop(self, patience: Duration) {
        self.engine.drain(patience).await;
        self.close().await;
    }

    async fn close(self) {
        self.beside.iter().for_each(JoinHandle::abort);
        if let Err(error) = self.store.checkpoint_wal().await {
            tracing::warn!(%error, "the database's log could not be folded in; the next start will do it");
        }
    }
}

/// The running service: what `serve`, `demo` and the tests start.
pub struct App {
    /// What handlers see.
    pub state: AppState,
    /// Where it listens.
    pub address: SocketAddr,
    running: Running,
    server: ServerHandle,
    served: JoinHandle<std::io::Result<()>>,
}

/// Streams have ended by then, so this is for requests in flight and for the engine's work in hand.
const TIMEOUT: Duration = Duration::from_secs(5);

impl App {
    /// Starts everything on a listener that is bound already. To be called inside an actix system.
    ///
    /// # Errors
    /// Says what is wrong, and what would help.
    pub async fn start(settings: Settings, listener: TcpListener) -> Result<Self, StartError> {
        let address = listener
            .local_addr()
            .map_err(|error| StartError::Other(error.to_string()))?;
        let metrics = metrics::install().map_err(|error| StartError::Other(error.to_string()))?;
        let mut running = Running::start(&settings, Mode::Schedule).await?;
        let base_url = settings.base_url(address.port());
        let local_key = new_secret().secret;
        let store: Arc<dyn AdminStore> = Arc::new(running.store.clone());
        let questions = Questions::new(store.clone(), settings.questions_kept_days, settings.audit);
        let state = AppState {
            store,
            engine: running.engine.clone(),
            source: Arc::clone(&running.source),
            connection: running.connection.clone(),
            backends: running.backends.clone(),
            auth: Arc::new(Authenticator::new(&settings, &base_url, &local_key)),
            fairness: Arc::default(),
            settings: Arc::new(settings),
            polls_ahead: Default::default(),
            questions: Arc::new(questions),
            evaluation_due: Default::default(),
            file_trouble: Default::default(),
            people_trouble: Default::default(),
            shutdown: CancellationToken::new(),
            metrics,
            base_url: base_url.into(),
            started: Instant::now(),
        };
        let restored = state.auth.restore(state.store.as_ref()).await;
        restored.map_err(|error| {
            StartError::Other(format!("the web page's sessions cannot be read: {error}"))
        })?;
        actix_web::rt::spawn(metrics::follow(state.clone()));
        actix_web::rt::spawn(notify::deliver(state.clone()));
        actix_web::rt::spawn(evaluations::follow(state.clone()));
        let (questions, shutdown) = (state.questions.clone(), state.shutdown.clone());
        actix_web::rt::spawn(async move { questions.follow(shutdown).await });
        if let Some(file) = state.settings.indexes_file.clone() {
            actix_web::rt::spawn(indexes_file::follow(state.clone(), file));
        }
        let file = state.settings.people_file.clone();
        actix_web::rt::spawn(people_file::follow(state.clone(), file));
        if let Some(backups) = &state.settings.backups {
            let store = running.store.clone();
            actix_web::rt::spawn(backups::follow(
                store,
                backups.clone(),
                state.shutdown.clone(),
            ));
        }
        let preparing = state.clone();
        actix_web::rt::spawn(async move { preparing.auth.prepare().await });
        let watching = state.clone();
        actix_web::rt::spawn(async move {
            let store = watching.store.as_ref();
            watching.auth.watch(store, &watching.shutdown).await;
        });
        let server = server::start(listener, state.clone())
            .map_err(|source| StartError::Listen { address, source })?;
        let handle = server.handle();
        let served = actix_web::rt::spawn(server);
        let local_key = LocalKey::new(local_key.expose_secret().to_owned());
        running.lock.set_address(&local_url(address), local_key)?;
        Ok(Self {
            state,
            address,
            running,
            server: handle,
            served,
        })
    }

    /// Where this machine reaches it: `http://127.0.0.1:8001`.
    #[must_use]
    pub fn local_url(&self) -> String {
        local_url(self.address)
    }

    /// Resolves when the server ended by itself, which it should not, or when the database is another process's now.
    pub async fn ended(&mut self) {
        let served = tokio::select! {
            served = &mut self.served => served,
            () = self.running.lock.lost() => {
                tracing::error!("another process may work on the database now: this one stops");
                return;
            }
        };
        match served {
            Ok(Ok(())) => tracing::error!("the HTTP server ended"),
            Ok(Err(error)) => tracing::error!(%error, "the HTTP server ended"),
            Err(error) => tracing::error!(%error, "the HTTP server ended"),
        }
    }

    /// Stops in order: readiness fails and streams end; the engine settles what is in flight; open requests finish; the
    /// database is left whole. What is not done by then waits in rows. Takes less than ten seconds.
    pub async fn stop(self) {
        self.state.shutdown.cancel();
        self.running.engine.drain(TIMEOUT).await;
        let stopped = tokio::time::timeout(TIMEOUT, self.server.stop(true)).await;
        if stopped.is_err() {
            tracing::warn!("some requests did not finish in time");
        }
        self.state.questions.write_all().await;
        self.running.close().await;
    }
}

/// An address under which this machine reaches what listens at `address`.
fn local_url(address: SocketAddr) -> String {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    format!("http://{address}")
}

/// Binds the address of the settings.
///
/// # Errors
/// When the address is taken or is not one of this machine's.
pub fn listen(settings: &Settings) -> Result<TcpListener, StartError> {
    let address = SocketAddr::new(settings.http.host, settings.http.port);
    TcpListener::bind(address).map_err(|source| StartError::Listen { address, source })
}
