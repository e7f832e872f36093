//! Whoever carries out orders of the command line: an engine of our own, or, where a service has the database, that
//! service over HTTP.

use std::time::Duration;

use actors::SyncOrder;
use domain::index::Index;
use domain::page::Page;
use domain::ports::store::{AdminStore, QueryStore};
use domain::problem::Problem;
use domain::query::{Answer, PageQuery, RetrievalQuery};
use domain::run::Run;
use domain::{AgentId, IndexId, PageId, RunId};
use metastore::{LocalKey, LockError, LockHolder, Metastore};
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::{Host, Url};

use super::{CliError, Which};
use crate::settings::Settings;
use crate::wiring::{Mode, Running, StartError, open_store};

/// Who carries out orders.
pub(super) enum EngineOrService {
    /// An engine of our own.
    Own(Box<Running>),
    /// The service that has the database.
    Service(Service),
}

/// A service over HTTP.
pub(super) struct Service {
    client: reqwest::Client,
    address: String,
    key: Option<String>,
}

impl EngineOrService {
    /// Starts an engine, or finds the service that has the database already.
    pub(super) async fn find(settings: &Settings) -> Result<Self, CliError> {
        match Running::start(settings, Mode::OneOrder).await {
            Ok(running) => Ok(Self::Own(Box::new(running))),
            Err(StartError::Locked(LockError::Held { database, holder })) => match holder {
                Some(LockHolder {
                    address: Some(address),
                    local_key,
                    ..
                }) => {
                    eprintln!("The service at {address} has the database: it takes the order.");
                    Ok(Self::Service(Service::new(address, local_key, settings)?))
                }
                holder => Err(LockError::Held { database, holder })
                    .map_err(|error| CliError::from(StartError::Locked(error))),
            },
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn sync(&self, index: IndexId, order: SyncOrder) -> Result<Run, CliError> {
        match self {
            Self::Own(running) => running
                .engine
                .sync(index, order)
                .await
                .map_err(CliError::failed),
            Self::Service(service) => {
                let mut body = json!({"dry_run": order.dry_run});
                if let Some(full) = order.full {
                    body["full"] = json!(full);
                }
                service
                    .post(&format!("/api/indexes/{index}/sync"), &body)
                    .await
            }
        }
    }

    /// Fills an index's store anew. The run that is answered may be another one, which the rebuild follows.
    pub(super) async fn rebuild(&self, index: &Index) -> Result<Run, CliError> {
        match self {
            Self::Own(running) => {
                let moving = index.moving.as_ref();
                let backend = moving.map_or(index.settings.backend, |moving| moving.backend);
                let engine = &running.engine;
                let begun = engine.move_index(index.id, backend).await;
                begun.map_err(CliError::failed)?.ok_or_else(|| {
                    let agent = &index.settings.agent_id;
                    CliError::failed(format!(
                        "the index of {agent} has no store object yet: sync it first"
                    ))
                })
            }
            Self::Service(service) => {
                let path = format!("/api/indexes/{}/sync", index.id);
                service.post(&path, &json!({"rebuild": true})).await
            }
        }
    }

    /// The open or newest run of an index.
    pub(super) async fn newest_run(&self, index: IndexId) -> Result<Option<Run>, CliError> {
        match self {
            Self::Own(running) => Ok(running.store.index(index).await?.last_run),
            Self::Service(service) => {
                let shown: serde_json::Value =
                    service.get(&format!("/api/indexes/{index}")).await?;
                serde_json::from_value(shown["last_run"].clone()).map_err(CliError::failed)
            }
        }
    }

    /// The run with its newest counters.
    pub(super) async fn run(&self, index: IndexId, run: RunId) -> Result<Run, CliError> {
        match self {
            Self::Own(running) => match running.engine.hub().live_run(index) {
                Some(live) if live.id == run => Ok(live),
                _ => Ok(running.store.run(run).await?),
            },
            Self::Service(service) => service.get(&format!("/api/runs/{run}")).await,
        }
    }

    pub(super) async fn cancel(&self, run: &Run) -> Result<(), CliError> {
        match self {
            Self::Own(running) => {
                running.store.request_cancel(run.id).await?;
                running
                    .engine
                    .cancel(run.id)
                    .await
                    .map_err(CliError::failed)
            }
            Self::Service(service) => service
                .post::<Run>(&format!("/api/runs/{}/cancel", run.id), &json!({}))
                .await
                .map(drop),
        }
    }

    pub(super) async fn query(
        &self,
        index: &Index,
        query: RetrievalQuery,
    ) -> Result<Answer, CliError> {
        match self {
            Self::Own(running) => running
                .engine
                .search(index.id, query)
                .await
                .map_err(CliError::failed),
            Self::Service(service) => {
                let path = format!("/api/indexes/agent/{}/query", index.settings.agent_id);
                service
                    .post(&path, &json!({"query": query.text, "top_k": query.top_k}))
                    .await
            }
        }
    }

    /// A page with its Markdown, if an answer may quote it.
    pub(super) async fn markdown(
        &self,
        index: IndexId,
        page: &PageId,
    ) -> Result<Option<(Page, String)>, CliError> {
        match self {
            Self::Own(running) => {
                let asked = running
                    .engine
                    .read_page(index, PageQuery::Id(page.clone()))
                    .await;
                let text = asked.map_err(CliError::failed)?;
                Ok(text.map(|text| (text.page.into_inner(), text.markdown)))
            }
            Self::Service(service) => {
                #[derive(serde::Deserialize)]
                struct Text {
                    page: Page,
                    markdown: String,
                }
                let path = format!("/api/indexes/{index}/pages/{page}/markdown");
                let text: Option<Text> = service.find(&path).await?;
                Ok(text.map(|text| (text.page, text.markdown)))
            }
        }
    }

    /// Ends an engine of our own; a service goes on.
    pub(super) async fn stop(self) {
        if let Self::Own(running) = self {
            running.stop(Duration::from_secs(5)).await;
        }
    }
}

impl Service {
    /// The service that runs on the database of these settings.
    pub(super) fn of(settings: &Settings) -> Result<Self, CliError> {
        let holder = open_store(settings)?.read_lock_holder();
        match holder {
            Some(LockHolder {
                address: Some(address),
                local_key,
                ..
            }) => Self::new(address, local_key, settings),
            _ => Err(CliError::failed(format!(
                "no service runs on {}: start it (`mcp-confluence serve`), and say this again",
                settings.database
            ))),
        }
    }

    /// The key in the lock file is this very service's; it takes it from this machine's own addresses only.
    fn new(
        address: String,
        local_key: Option<LocalKey>,
        settings: &Settings,
    ) -> Result<Self, CliError> {
        let is_local = Url::parse(&address).is_ok_and(|url| match url.host() {
            Some(Host::Ipv4(host)) => host.is_loopback(),
            Some(Host::Ipv6(host)) => host.is_loopback(),
            _ => false,
        });
        let local_key = local_key.filter(|_| is_local);
        let configured = || {
            let key = settings.auth.api_key.as_ref();
            key.map(|key| key.expose_secret().to_owned())
        };
        Ok(Self {
            client: reqwest::Client::builder()
                .timeout(Duration::from_secs(60))
                .no_proxy()
                .build()
                .map_err(CliError::failed)?,
            address,
            key: local_key
                .map(|key| key.expose().to_owned())
                .or_else(configured),
        })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.send(self.client.get(format!("{}{path}", self.address)))
            .await
    }

    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, CliError> {
        let request = self.client.patch(format!("{}{path}", self.address));
        self.send(request.json(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<(), CliError> {
        let request = self.client.delete(format!("{}{path}", self.address));
        Ok(self.answer(request).await?.map(drop)?)
    }

    /// What is there, if it is.
    async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, CliError> {
        let request = self.client.get(format!("{}{path}", self.address));
        match self.answer(request).await? {
            Err(refused) if refused.status == StatusCode::NOT_FOUND => Ok(None),
            answered => read(&answered?).map(Some),
        }
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, CliError> {
        self.send(
            self.client
                .post(format!("{}{path}", self.address))
                .json(body),
        )
        .await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<T, CliError> {
        read(&self.answer(request).await??)
    }

    /// The text of an answer, or how the service refuses.
    async fn answer(
        &self,
        mut request: reqwest::RequestBuilder,
    ) -> Result<Result<String, Refused>, CliError> {
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let unreachable = |error: reqwest::Error| {
            CliError::failed(format!(
                "the service at {} does not answer: {error}",
                self.address
            ))
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let text = answer.text().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(Ok(text));
        }
        let said = serde_json::from_str::<Problem>(&text).map_or(text, |problem| problem.detail);
        let hint = if status == StatusCode::UNAUTHORIZED {
            " (API_KEY must be the running service's)"
        } else {
            ""
        };
        Ok(Err(Refused {
            status,
            said: format!(
                "the service at {} answers {status}: {said}{hint}",
                self.address
            ),
        }))
    }
}

/// An answer that is none.
struct Refused {
    status: StatusCode,
    said: String,
}

impl From<Refused> for CliError {
    fn from(refused: Refused) -> Self {
        Self::failed(refused.said)
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, CliError> {
    serde_json::from_str(text)
        .map_err(|error| CliError::failed(format!("the service's answer cannot be read: {error}")))
}

/// The indexes that a command is about: the one named, or all.
pub(super) async fn indexes(store: &Metastore, which: &Which) -> Result<Vec<Index>, CliError> {
    if let Some(agent) = &which.agent {
        let id: AgentId = agent
            .parse()
            .map_err(|error| CliError::usage(format!("--agent: {error}")))?;
        let index = store.index_id_of_agent(&id).await?;
        return Ok(vec![store.index(index).await?]);
    }
    if let Some(index) = &which.index {
        let id: IndexId = index
            .parse()
            .map_err(|_| CliError::usage(format!("--index: {index} is no id of an index")))?;
        return Ok(vec![store.index(id).await?]);
    }
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let listed = store.indexes(cursor.as_deref(), 500).await?;
        all.extend(listed.items);
        match listed.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}
