//! A simulated account with a backend in front of it.

use std::time::Duration;

use backend_conformance::Subject;
use backend_conformance::samples::Sample;
use domain::backoff::Backoff;
use domain::document::Document;
use domain::index::Remote;
use domain::ports::retrieval::{RetrievalBackend, StoreSpec};
use domain::refusals::Pauses;
use domain::{DocumentId, IndexId};
use llamacloud::{IndexApi, LlamaCloud, LlamaCloudConfig, Timeouts};
use simulators::llamacloud::{LlamaCloudSim, Switches};

pub const MS: Duration = Duration::from_millis(1);

pub struct Account {
    pub sim: LlamaCloudSim,
    pub backend: LlamaCloud,
    pub api: IndexApi,
}

/// Quick in everything, so that tests of retries take no time.
pub fn config(sim: &LlamaCloudSim, api: IndexApi) -> LlamaCloudConfig {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    LlamaCloudConfig {
        base_url: sim.base_url().parse().unwrap(),
        index_api: api,
        max_requests_per_second: 10_000,
        max_concurrent_requests: 8,
        timeouts: Timeouts {
            backoff: Backoff {
                base: MS,
                cap: 20 * MS,
            },
            retry_grace: 30 * MS,
            patience: 2000 * MS,
            pauses: Pauses {
                burst: 5 * MS,
                minute: 50 * MS,
            },
            ..Timeouts::default()
        },
        ..LlamaCloudConfig::new(LlamaCloudSim::KEY.to_owned().into())
    }
}

pub async fn account(api: IndexApi, switches: Switches) -> Account {
    let sim = LlamaCloudSim::builder()
        .switches(switches)
        .start()
        .await
        .unwrap();
    let backend = LlamaCloud::new(config(&sim, api)).unwrap();
    Account { sim, backend, api }
}

/// An index with its object made.
pub async fn index(account: &Account) -> (StoreSpec, Remote) {
    let spec = StoreSpec {
        index: IndexId::generate(),
        agent: "tester".parse().unwrap(),
    };
    let remote = account.backend.ensure(&spec, None).await.unwrap();
    (spec, remote)
}

pub fn pages(spec: &StoreSpec, count: usize) -> Vec<Document> {
    let numbers: Vec<String> = (0..count).map(|n| (500 + n).to_string()).collect();
    numbers
        .iter()
        .map(|id| {
            Sample::new(id, "Lantern", "The lantern hangs above the door.").document(spec.index)
        })
        .collect()
}

pub fn ids(documents: &[Document]) -> Vec<DocumentId> {
    documents
        .iter()
        .map(|document| document.id.clone())
        .collect()
}

/// A client that is not ours, as the dashboard or another program would be.
pub async fn post(sim: &LlamaCloudSim, path: &str, body: serde_json::Value) -> serde_json::Value {
    let request = reqwest::Client::new()
        .post(format!("{}{path}", sim.base_url()))
        .bearer_auth(LlamaCloudSim::KEY)
        .header("content-type", "application/json")
        .body(body.to_string());
    let bytes = request
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap()
        .bytes()
        .await
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

impl Subject for Account {
    type Backend = LlamaCloud;

    fn backend(&self) -> &LlamaCloud {
        &self.backend
    }

    async fn plant_foreign(&self, name: &str) {
        let path = if self.api == IndexApi::V2 {
            "/api/v1/beta/directories"
        } else {
            "/api/v1/pipelines"
        };
        post(&self.sim, path, serde_json::json!({"name": name})).await;
    }

    async fn fail_on(&self, id: &DocumentId) -> bool {
        if self.api == IndexApi::V2 {
            return false;
        }
        self.sim.switches(|switches| {
            switches.failing_documents.insert(id.as_str().to_owned());
        });
        true
    }

    async fn objects_named(&self, name: &str) -> usize {
        let names = if self.api == IndexApi::V2 {
            self.sim.directories()
        } else {
            self.sim.pipelines()
        };
        names.iter().filter(|other| *other == name).count()
    }
}
