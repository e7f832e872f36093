//! Making, finding and removing the pipeline of an index.

use domain::document::keys;
use domain::index::Remote;
use domain::ports::retrieval::{BackendError, StoreSpec};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{KIND, Pipelines};
use crate::answer::Failure;
use crate::call::Call;
use crate::mark;

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

fn to_remote(pipeline: &Value) -> Result<Remote, BackendError> {
    match (text(pipeline, "id"), text(pipeline, "name")) {
        (Some(id), Some(name)) => Ok(Remote {
            kind: KIND.to_owned(),
            id: id.to_owned(),
            name: name.to_owned(),
            extra: None,
        }),
        _ => Err(BackendError::Unavailable {
            detail: "an answer about a pipeline names no id".to_owned(),
        }),
    }
}

impl Pipelines {
    /// Finds the pipeline by the id we remember, else by its exact name and our mark; makes it where there is none.
    pub(crate) async fn ensure(
        &self,
        spec: &StoreSpec,
        known: Option<&Remote>,
    ) -> Result<Remote, BackendError> {
        if let Some(known) = known.filter(|remote| remote.kind == KIND)
            && let Some(pipeline) = self.get(known).await?
        {
            // Our own memory is proof enough where the mark was lost; another index's mark is proof of the contrary.
            return match mark::of_pipeline(&pipeline) {
                Some(other) if other != spec.index => Err(BackendError::NotOurs {
                    name: known.name.clone(),
                }),
                _ => self.named(spec, &pipeline).await,
            };
        }
        match self.by_name(&spec.name()).await? {
            Some(pipeline) if mark::of_pipeline(&pipeline) == Some(spec.index) => {
                to_remote(&pipeline)
            }
            Some(_) => Err(BackendError::NotOurs { name: spec.name() }),
            None => self.make(spec).await,
        }
    }

    async fn get(&self, remote: &Remote) -> Result<Option<Value>, BackendError> {
        match self.http.send(&self.below(Method::GET, remote, [])).await {
            Ok(pipeline) => Ok(Some(pipeline)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure.at(self.http.host())),
        }
    }

    /// The service matches names loosely; only the exact one counts.
    async fn by_name(&self, name: &str) -> Result<Option<Value>, BackendError> {
        let list = self
            .http
            .send_plain(&Call::new(Method::GET, ["v1", "pipelines"]).query("pipeline_name", name))
            .await?;
        let all = list.as_array().cloned().unwrap_or_default();
        Ok(all
            .into_iter()
            .find(|pipeline| text(pipeline, "name") == Some(name)))
    }

    /// Whether this generation is served to this account.
    pub(crate) async fn is_offered(&self) -> Result<bool, BackendError> {
        let call =
            Call::new(Method::GET, ["v1", "pipelines"]).query("pipeline_name", "confluence-");
        match self.http.send(&call).await {
            Ok(_) => Ok(true),
            Err(Failure::Refused {
                status: 404 | 405 | 410 | 501,
                ..
            }) => Ok(false),
            Err(failure) => Err(failure.at(self.http.host())),
        }
    }

    async fn make(&self, spec: &StoreSpec) -> Result<Remote, BackendError> {
        // An own embedding by its key; the service's managed one is asked for by leaving the field out.
        let mut body = json!({
            "name": spec.name(),
            "pipeline_type": "MANAGED",
            "transform_config": {"mode": "auto", "chunk_size": 1024, "chunk_overlap": 200},
            "sparse_model_config": {"model_type": "bm25"},
            "metadata_config": {"excluded_embed_metadata_keys": keys::NOT_EMBEDDED, "excluded_llm_metadata_keys": []},
            "preset_retrieval_parameters": {"search_filters": mark::preset_filters(spec.index)},
        });
        if let Some(key) = &self.openai_api_key {
            body["embedding_config"] = json!({
                "type": "OPENAI_EMBEDDING",
                "component": {"model_name": "text-embedding-3-small", "api_key": key.expose_secret()},
            });
        }
        let made = self
            .http
            .send(&Call::new(Method::PUT, ["v1", "pipelines"]).json(&body))
            .await;
        match made {
            Ok(pipeline) => {
                tracing::info!(name = spec.name(), "made a LlamaCloud pipeline");
                to_remote(&pipeline)
            }
            Err(Failure::Refused {
                status: 400,
                detail,
                ..
            }) if self.openai_api_key.is_some() => Err(BackendError::Rejected {
                detail: format!(
                    "{detail} (400). Check OPENAI_API_KEY, or leave it out to embed with the service's own key"
                ),
            }),
            // The list was answered, so it is neither the key nor the project.
            Err(Failure::Refused {
                status: 403,
                detail,
                ..
            }) => Err(BackendError::Unauthorized {
                host: self.http.host().to_owned(),
                detail: format!(
                    "{detail} (403). The account lists pipelines (v1) and may not make one: its plan may not include them. \
                     LLAMA_CLOUD_INDEX_API=v2 makes directories and indexes instead; or check the key's role"
                ),
            }),
            Err(failure) => Err(failure.at(self.http.host())),
        }
    }

    /// Follows a new agent id with the pipeline's name, unless somebody else has that name.
    async fn named(&self, spec: &StoreSpec, pipeline: &Value) -> Result<Remote, BackendError> {
        let name = spec.name();
        let remote = to_remote(pipeline)?;
        if remote.name == name {
            return Ok(remote);
        }
        if self.by_name(&name).await?.is_some() {
            return Err(BackendError::NotOurs { name });
        }
        let renamed = self
            .http
            .send_plain(
                &self
                    .below(Method::PUT, &remote, [])
                    .json(&json!({"name": name})),
            )
            .await?;
        to_remote(&renamed)
    }

    /// Removes the pipeline, if it is ours.
    pub(crate) async fn remove(
        &self,
        spec: &StoreSpec,
        remote: &Remote,
    ) -> Result<(), BackendError> {
        let Some(pipeline) = self.get(remote).await? else {
            return Ok(());
        };
        if mark::of_pipeline(&pipeline).is_some_and(|other| other != spec.index) {
            return Err(BackendError::NotOurs {
                name: remote.name.clone(),
            });
        }
        self.ingestion
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .remove(&remote.id);
        match self
            .http
            .send(&self.below(Method::DELETE, remote, []))
            .await
        {
            Err(failure) if !failure.is_not_found() => Err(failure.at(self.http.host())),
            _ => Ok(()),
        }
    }
}
