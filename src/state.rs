//! What every handler, tool and page works with. One value for the whole process, shared by the workers.

use std::sync::Arc;
use std::time::Instant;

use actors::{Backends, Engine};
use domain::ports::source::ContentSource;
use domain::ports::store::AdminStore;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::evaluations::Due;
use crate::http::auth::Authenticator;
use crate::http::fairness::Fairness;
use crate::http::hooks::Ahead;
use crate::questions::Questions;
use crate::settings::Settings;
use crate::watched::FileTrouble;

/// The running service, as handlers see it. Cheap to clone behind `web::Data`.
#[derive(Clone)]
pub struct AppState {
    /// The database.
    pub store: Arc<dyn AdminStore>,
    /// The sync engine.
    pub engine: Engine,
    /// Confluence, for what is asked of it while somebody waits (spaces, live search).
    pub source: Arc<dyn ContentSource>,
    /// The connection to Confluence by OAuth, where the settings have that.
    pub connection: Option<Arc<Connection>>,
    /// The engine's stores, for what somebody waits for: their limits are shared with its runs.
    pub backends: Backends,
    /// The settings.
    pub settings: Arc<Settings>,
    /// Who may.
    pub auth: Arc<Authenticator>,
    /// What each of them may take of what all share.
    pub fairness: Arc<Fairness>,
    /// Indexes of which Confluence told a change.
    pub polls_ahead: Ahead,
    /// Questions that found little, and who asked what.
    pub questions: Arc<Questions>,
    /// Says that an evaluation may be due.
    pub evaluation_due: Due,
    /// What is wrong with the file of indexes.
    pub file_trouble: FileTrouble,
    /// What is wrong with the file of people.
    pub people_trouble: FileTrouble,
    /// Fires when the service stops: every open stream ends on it, and readiness fails from then on.
    pub shutdown: CancellationToken,
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
    /// How others reach the service, without a slash at the end: links are made from it.
    pub base_url: Arc<str>,
    /// When the service was up.
    pub started: Instant,
}

impl AppState {
    /// The path under which others see this service, without a slash at the end: empty but behind a proxy that `PUBLIC_BASE_URL`
    /// names with one.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let public = self.settings.http.public_base_url.as_ref();
        public.map_or("", |url| url.path().trim_end_matches('/'))
    }
}
