//! The running simulator and how it is built.

use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use super::service::EmbeddingsService;
use super::switches::Switches;
use crate::server::{Control, Server, locked};

/// A running endpoint. Dropping it frees its port. Log, counters and faults are reached through [`Control`].
pub struct EmbeddingsSim {
    service: Arc<EmbeddingsService>,
    control: Control,
    server: Server,
}

/// Builds an [`EmbeddingsSim`].
#[derive(Debug, Default)]
pub struct Builder {
    key: Option<String>,
    models: Vec<String>,
    synonyms: Vec<Vec<String>>,
    port: u16,
    switches: Switches,
}

impl Builder {
    /// The key that is asked for; none without.
    pub fn api_key(mut self, key: &str) -> Builder {
        self.key = Some(key.into());
        self
    }

    /// Serves this model too, beside [`EmbeddingsSim::MODEL`]; its words point elsewhere.
    pub fn model(mut self, name: &str) -> Builder {
        self.models.push(name.into());
        self
    }

    /// Words that mean the same, in lower case.
    pub fn synonyms(mut self, words: &[&str]) -> Builder {
        self.synonyms
            .push(words.iter().map(|&word| word.to_owned()).collect());
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
    pub async fn start(self) -> io::Result<EmbeddingsSim> {
        self.start_blocking()
    }

    /// Starts serving, without an async runtime.
    pub fn start_blocking(self) -> io::Result<EmbeddingsSim> {
        let mut models = vec![EmbeddingsSim::MODEL.to_owned()];
        models.extend(self.models);
        let service = Arc::new(EmbeddingsService {
            key: self.key,
            models,
            synonyms: self.synonyms,
            switches: Mutex::new(self.switches),
            buckets: Mutex::default(),
            texts: Mutex::default(),
        });
        let (listener, base_url) = Server::bind(self.port)?;
        let control = Control::default();
        let server = Server::start(listener, base_url, service.clone(), control.clone())?;
        Ok(EmbeddingsSim {
            service,
            control,
            server,
        })
    }
}

impl EmbeddingsSim {
    /// The model that is always served.
    pub const MODEL: &str = "sim-embedding";

    /// Describes a simulator to start.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The service's address, `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> &str {
        self.server.base_url()
    }

    /// What a client has to be told: `http://127.0.0.1:PORT/v1`.
    pub fn url(&self) -> String {
        format!("{}/v1", self.base_url())
    }

    /// Every text that was embedded, in order.
    pub fn texts(&self) -> Vec<String> {
        locked(&self.service.texts).clone()
    }

    /// Changes switches; the next request sees them.
    pub fn switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut locked(&self.service.switches));
    }
}

impl Deref for EmbeddingsSim {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}
