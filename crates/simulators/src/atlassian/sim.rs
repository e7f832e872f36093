//! The running simulator and how it is built.

use std::io;
use std::ops::Deref;
use std::sync::Arc;

use super::grants::Grants;
use super::service::AtlassianService;
use super::switches::Switches;
use crate::server::{Control, Server};

/// A running authorization server. Dropping it frees its port. Log, counters and faults are reached through [`Control`].
pub struct AtlassianSim {
    grants: Grants,
    control: Control,
    server: Server,
}

/// Builds an [`AtlassianSim`].
#[derive(Debug, Default)]
pub struct Builder {
    grants: Grants,
    port: u16,
}

impl Builder {
    /// What is granted reaches this site, too. Sites are told in the order in which they were added.
    pub fn site(self, cloud_id: &str, url: &str) -> Builder {
        self.grants.add_site(cloud_id, url);
        self
    }

    /// A fixed port on loopback; 0, the default, takes a free one.
    pub fn port(mut self, port: u16) -> Builder {
        self.port = port;
        self
    }

    /// Starts with these switches.
    pub fn switches(self, switches: Switches) -> Builder {
        self.grants.with(|grants| grants.switches = switches);
        self
    }

    /// Starts serving. Works under any async runtime. The error is a port that cannot be had.
    pub async fn start(self) -> io::Result<AtlassianSim> {
        self.start_blocking()
    }

    /// Starts serving, without an async runtime.
    pub fn start_blocking(self) -> io::Result<AtlassianSim> {
        let service = Arc::new(AtlassianService {
            client_id: AtlassianSim::CLIENT_ID.to_owned(),
            client_secret: AtlassianSim::CLIENT_SECRET.to_owned(),
            grants: self.grants.clone(),
        });
        let (listener, base_url) = Server::bind(self.port)?;
        let control = Control::default();
        let server = Server::start(listener, base_url, service, control.clone())?;
        Ok(AtlassianSim {
            grants: self.grants,
            control,
            server,
        })
    }
}

impl AtlassianSim {
    /// The app that is known.
    pub const CLIENT_ID: &str = "sim-app";
    /// Its secret.
    pub const CLIENT_SECRET: &str = "sim-app-secret";

    /// Describes a simulator to start.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Its address, `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> &str {
        self.server.base_url()
    }

    pub(crate) fn grants(&self) -> Grants {
        self.grants.clone()
    }

    /// Changes switches; the next request sees them.
    pub fn switches(&self, change: impl FnOnce(&mut Switches)) {
        self.grants.with(|grants| change(&mut grants.switches));
    }

    /// Every access token that was given ends now, whatever its own end.
    pub fn end_access_tokens(&self) {
        self.grants.with(|grants| grants.end_access());
    }

    /// Every refresh token that was given is good no longer: access was withdrawn.
    pub fn withdraw(&self) {
        self.grants.with(|grants| {
            grants.refresh.clear();
            grants.end_access();
        });
    }

    /// How often tokens were given for a refresh token.
    pub fn refreshes(&self) -> u64 {
        self.grants.with(|grants| grants.refreshes)
    }

    /// Every token that was given so far, living or not, as far as it is known still.
    pub fn tokens(&self) -> Vec<String> {
        self.grants.with(|grants| {
            let all = grants.access.keys().chain(grants.refresh.keys());
            all.cloned().collect()
        })
    }
}

impl Deref for AtlassianSim {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}
