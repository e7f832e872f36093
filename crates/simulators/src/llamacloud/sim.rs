//! The running simulator and how it is built.

use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::model::{State, TrueDocument, TrueFile};
use super::service::{LlamaCloudService, settle};
use super::switches::Switches;
use crate::server::{Clock, Control, Server, locked};

/// A running LlamaCloud. Dropping it frees its port. Log, counters and faults are reached through [`Control`].
pub struct LlamaCloudSim {
    service: Arc<LlamaCloudService>,
    control: Control,
    server: Server,
}

/// Builds a [`LlamaCloudSim`].
#[derive(Debug, Default)]
pub struct Builder {
    keys: Vec<String>,
    clock: Clock,
    port: u16,
    switches: Switches,
}

impl Builder {
    /// Adds an API key. Without any, `llx-sim-key` works.
    pub fn api_key(mut self, key: &str) -> Builder {
        self.keys.push(key.into());
        self
    }

    /// The clock that jobs run by.
    pub fn clock(mut self, clock: Clock) -> Builder {
        self.clock = clock;
        self
    }

    /// A fixed port on loopback; 0, the default, takes a free one.
    pub fn port(mut self, port: u16) -> Builder {
        self.port = port;
        self
    }

    /// Starts with these switches.
    pub fn switches(mut self, switches: Switches) -> Builder {
        self.switches = switches;
        self
    }

    /// Starts serving. Works under any async runtime. The error is a port that cannot be had.
    pub async fn start(self) -> io::Result<LlamaCloudSim> {
        self.start_blocking()
    }

    /// Starts serving, without an async runtime.
    pub fn start_blocking(self) -> io::Result<LlamaCloudSim> {
        let mut keys = self.keys;
        if keys.is_empty() {
            keys.push(LlamaCloudSim::KEY.into());
        }
        let state = State {
            project_id: Uuid::from_u128(0x6b1d_9c52_04a7_4c1f_8f3e_5a90_b1c2_d3e4),
            organization_id: Uuid::from_u128(0x0f3a_77e1_9d4b_4f6a_a2c8_11d2_e3f4_0516),
            ..State::default()
        };
        let service = Arc::new(LlamaCloudService {
            keys,
            clock: self.clock,
            state: Mutex::new(state),
            switches: Mutex::new(self.switches),
            buckets: Mutex::default(),
        });
        let (listener, base_url) = Server::bind(self.port)?;
        let control = Control::default();
        let server = Server::start(listener, base_url, service.clone(), control.clone())?;
        Ok(LlamaCloudSim {
            service,
            control,
            server,
        })
    }
}

impl LlamaCloudSim {
    /// The key that works when none was given.
    pub const KEY: &str = "llx-sim-key";

    /// Describes a simulator to start.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The service's address, `http://127.0.0.1:PORT`; paths begin with `/api`.
    pub fn base_url(&self) -> &str {
        self.server.base_url()
    }

    /// The id of the key's project.
    pub fn project_id(&self) -> String {
        locked(&self.service.state).project_id.to_string()
    }

    /// Method and template of every endpoint that is served.
    pub fn endpoints() -> Vec<(&'static str, &'static str)> {
        super::service::served().collect()
    }

    /// The clock that jobs run by.
    pub fn clock(&self) -> &Clock {
        &self.service.clock
    }

    /// Changes switches; the next request sees them.
    pub fn switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut locked(&self.service.switches));
    }

    fn settled<T>(&self, read: impl FnOnce(&State, &Switches) -> T) -> T {
        let switches = locked(&self.service.switches).clone();
        let mut state = locked(&self.service.state);
        settle(&mut state, self.service.clock.now(), &switches);
        read(&state, &switches)
    }

    /// Names of all pipelines.
    pub fn pipelines(&self) -> Vec<String> {
        self.settled(|state, _| state.pipelines.iter().map(|p| p.name.clone()).collect())
    }

    /// The documents of a pipeline (by name or id) that are not deleted, by id: what it should hold.
    /// Empty when there is no such pipeline.
    pub fn documents(&self, pipeline: &str) -> Vec<TrueDocument> {
        let now = self.service.clock.now();
        self.settled(|state, switches| {
            let found = state
                .pipelines
                .iter()
                .find(|p| p.name == pipeline || p.id.to_string() == pipeline);
            let documents = found.into_iter().flat_map(|p| p.documents.values());
            documents
                .filter(|d| d.deleted_at.is_none())
                .map(|d| TrueDocument {
                    id: d.id.clone(),
                    text: d.text.clone(),
                    metadata: d.metadata.clone(),
                    status: d.status(now, switches),
                    chunks: d.chunks.iter().map(|c| c.text.clone()).collect(),
                })
                .collect()
        })
    }

    /// Names of all directories that are not deleted (v2).
    pub fn directories(&self) -> Vec<String> {
        self.settled(|state, _| {
            state
                .directories
                .iter()
                .filter(|d| d.deleted_at.is_none())
                .map(|d| d.name.clone())
                .collect()
        })
    }

    /// The files of a directory (by name or id) that are not deleted (v2).
    pub fn directory_files(&self, directory: &str) -> Vec<TrueFile> {
        self.settled(|state, _| {
            let found = state
                .directories
                .iter()
                .find(|d| d.name == directory || d.id == directory);
            let files = found.into_iter().flat_map(|d| d.files.values());
            files
                .filter(|f| f.deleted_at.is_none())
                .map(|f| TrueFile {
                    id: f.id.clone(),
                    unique_id: f.unique_id.clone(),
                    display_name: f.display_name.clone(),
                    text: f.text.clone(),
                    metadata: f.metadata.clone(),
                })
                .collect()
        })
    }

    /// What an index (by name, or one of its ids) has searchable now (v2); `id` is the parsed file's.
    pub fn indexed_files(&self, index: &str) -> Vec<TrueFile> {
        self.settled(|state, _| {
            let found = state
                .indexes
                .iter()
                .find(|i| i.name == index || i.id == index || i.export_config_id == index);
            let files = found.into_iter().flat_map(|i| i.parsed.iter());
            files
                .map(|f| TrueFile {
                    id: f.id.clone(),
                    unique_id: f.source_id.clone(),
                    display_name: f.name.clone(),
                    text: f.text.clone(),
                    metadata: f.metadata.clone(),
                })
                .collect()
        })
    }
}

impl Deref for LlamaCloudSim {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}
