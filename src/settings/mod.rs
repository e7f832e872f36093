//! The settings: what the environment says, checked as a whole, as types.
//!
//! Promises: every problem is reported at once, by the name of the variable and never by its value; a secret is a
//! [`SecretString`] from the moment it is read. [`pairs`] brings the variables together, [`variables`] lists them, `read`
//! checks them. Files that they name are read; nothing is connected here.

mod env_file;
pub mod pairs;
mod read;
mod reader;
#[cfg(test)]
mod tests;
pub mod variables;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use actors::VerifyOnRead;
use domain::access::UnknownPeople;
use domain::audit::KeptOfQuestions;
use domain::daily::DailyAt;
use domain::index::BackendKind;
use domain::moving::OnChange;
use domain::ports::embedding::Recipe;
use domain::quiet::QuietHours;
use ipnet::IpNet;
use llamacloud::IndexApi;
use metastore::{DatabaseUrl, MetastoreOptions};
use secrecy::SecretString;
use upstream::Network;
use url::Url;

use crate::secrets::SecretsKey;

pub use pairs::Pairs;
pub use read::MAX_INTERVAL_MINUTES;

/// Something wrong with one variable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// Its name.
    pub variable: String,
    /// What is wrong, and what would be right; never the value.
    pub message: String,
}

impl Trouble {
    pub(crate) fn new(variable: &str, message: impl Into<String>) -> Self {
        Self {
            variable: variable.to_owned(),
            message: message.into(),
        }
    }
}

/// Something that is probably a mistake, but stops nothing.
pub type Warning = Trouble;

/// Everything that is wrong with the settings.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct SettingsError(pub Vec<Trouble>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these settings need a look:")?;
        for trouble in &self.0 {
            write!(f, "\n  {}: {}", trouble.variable, trouble.message)?;
        }
        Ok(())
    }
}

/// What a command needs of the settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// The database, the address of the service: no Confluence account.
    Local,
    /// An account too: the command talks to Confluence.
    Confluence,
    /// And the right to listen at the address: the command serves.
    Serve,
}

/// The Confluence account.
#[derive(Clone, Debug)]
pub struct ConfluenceSettings {
    /// The site, as it was written: `https://your-domain.atlassian.net`, or its address at the gateway.
    pub base_url: Url,
    /// The account.
    pub credentials: ConfluenceCredentials,
    /// When set, requests go through the gateway, as scoped tokens need; with OAuth they always do.
    pub cloud_id: Option<String>,
    /// Another host for the gateway.
    pub gateway_url: Option<Url>,
    /// Steady quota.
    pub max_requests_per_second: u32,
    /// Ceiling of the adaptive concurrency.
    pub max_concurrent_requests: usize,
    /// The share of the quota of points that the service may use an hour; `None`: all that there is.
    pub max_points_per_hour: Option<u64>,
}

/// How the service is let in at Confluence.
#[derive(Clone, Debug)]
pub enum ConfluenceCredentials {
    /// By an API token.
    Basic {
        /// The account.
        email: String,
        /// Its token.
        api_token: SecretString,
    },
    /// By OAuth, as an app that an administrator connects.
    OAuth(Box<OAuthAppSettings>),
}

/// An app that an administrator connects to the site.
#[derive(Clone, Debug)]
pub struct OAuthAppSettings {
    /// What Atlassian calls it.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// What it asks for, with blanks between.
    pub scopes: String,
    /// Another authorization server than Atlassian's.
    pub authorization_server: Option<Url>,
    /// What its tokens are sealed with.
    pub secrets_key: SecretsKey,
}

/// The LlamaCloud account.
#[derive(Clone, Debug)]
pub struct LlamaCloudSettings {
    /// The key.
    pub api_key: SecretString,
    /// The project; the key's own when none is named.
    pub project_id: Option<String>,
    /// The region's host; the US one when none is named.
    pub base_url: Option<Url>,
    /// Which generation.
    pub index_api: IndexApi,
    /// Only for creating a pipeline with an own embedding key.
    pub openai_api_key: Option<SecretString>,
    /// Steady quota.
    pub max_requests_per_second: u32,
    /// What the plan allows a minute; learned from refusals when not set.
    pub max_requests_per_minute: Option<NonZeroU32>,
    /// Ceiling of the adaptive concurrency.
    pub max_concurrent_requests: usize,
    /// A price table in place of the built-in one.
    pub prices_file: Option<PathBuf>,
}

/// What gives the embedded index its vectors.
#[derive(Clone, Debug)]
pub enum EmbeddingsSettings {
    /// An endpoint of OpenAI's form.
    Endpoint(EmbeddingsEndpoint),
    /// A model in a folder.
    Folder(EmbeddingsFolder),
}

/// An endpoint that gives vectors.
#[derive(Clone, Debug)]
pub struct EmbeddingsEndpoint {
    /// The address below which `/embeddings` is, or that one itself.
    pub url: Url,
    /// Its key, where it wants one.
    pub api_key: Option<SecretString>,
    /// Model, dimensions, prefixes.
    pub recipe: Recipe,
}

/// A folder with a model that gives vectors.
#[derive(Clone, Debug)]
pub struct EmbeddingsFolder {
    /// The folder.
    pub folder: PathBuf,
    /// Numbers that a vector must have, where that is said.
    pub dimensions: Option<u32>,
    /// What is put before a question.
    pub question_prefix: String,
    /// What is put before a passage.
    pub passage_prefix: String,
}

/// Where the service listens and what it answers to.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The address to listen at.
    pub host: IpAddr,
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// How others reach it; links and OpenAPI `servers` are made from it.
    pub public_base_url: Option<Url>,
    /// Host headers answered beside the derived ones; `*` for all.
    pub allowed_hosts: Vec<String>,
    /// Origins answered beside our own.
    pub allowed_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` says who asks; of all others it is not read.
    pub trusted_proxies: Vec<IpNet>,
}

/// OAuth 2.1, as a resource server.
#[derive(Clone, Debug)]
pub struct OAuthSettings {
    /// The authorization server.
    pub issuer: Url,
    /// The audience that a token must name; the public base URL when none is set.
    pub audience: Option<String>,
    /// Whether a token must have the scope `confluence:read`; issuers without scopes give out none that has it.
    pub scope_required: bool,
}

/// How people sign in to the web page at an OpenID Connect issuer.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// The issuer.
    pub issuer: Url,
    /// What the page calls it.
    pub name: String,
    /// What we are registered as.
    pub client_id: String,
    /// Our secret there; a public client has none.
    pub client_secret: Option<SecretString>,
    /// What is asked for, `openid` among it.
    pub scopes: String,
    /// The claim of the ID token that says what somebody may do, or the path to it.
    pub roles_claim: String,
    /// Who is an administrator: values of that claim, or addresses.
    pub administrators: Vec<String>,
    /// Who is an editor.
    pub editors: Vec<String>,
    /// Who is a reader.
    pub readers: Vec<String>,
}

/// Who may.
#[derive(Clone, Debug, Default)]
pub struct AuthSettings {
    /// The administrator's key.
    pub api_key: Option<SecretString>,
    /// What collectors read `/metrics` with, and nothing else.
    pub metrics_token: Option<SecretString>,
    /// What Confluence tells changes with, and nothing else.
    pub hook_secret: Option<SecretString>,
    /// The administrator takes it on himself that an open address is open.
    pub disabled: bool,
    /// OAuth, where it is on.
    pub oauth: Option<OAuthSettings>,
    /// Signing in at an issuer, where that is on.
    pub oidc: Option<OidcSettings>,
}

impl AuthSettings {
    /// Whether credentials are asked for.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.api_key.is_some() || self.oauth.is_some() || self.oidc.is_some()
    }
}

/// Backups that the service makes by itself.
#[derive(Clone, Debug)]
pub struct BackupSettings {
    /// When, every day.
    pub at: DailyAt,
    /// How many are kept.
    pub keep: usize,
}

/// What is kept of questions in the audit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditSettings {
    /// What of them.
    pub questions: KeptOfQuestions,
    /// For how many days.
    pub kept_days: u32,
}

/// How syncing goes about.
#[derive(Clone, Debug)]
pub struct SyncSettings {
    /// Minutes between runs of an index that names none.
    pub default_interval_minutes: u32,
    /// Hours in which no scheduled run starts, of an index that names none.
    pub quiet_hours: Option<QuietHours>,
    /// How often the scheduler looks.
    pub check_interval: Duration,
    /// A scheduled run whose last sweep is older sweeps.
    pub sweep_interval: Duration,
    /// The mass-deletion guard, percent.
    pub max_delete_percent: u32,
    /// Accepted but not searchable by then counts as failed.
    pub upload_deadline: Duration,
    /// How long runs, events and removed pages are kept, days.
    pub retention_days: u32,
    /// Rendered bodies that a run may ask for, one request each, where only Confluence can resolve a macro.
    pub rendered_pages_per_run: u32,
    /// Labels and restrictions are not read for indexes whose scope depends on neither.
    pub skip_unneeded_facts: bool,
    /// Polls ask the audit log for changed restrictions and permissions.
    pub audit_log: bool,
    /// Whether pages of an answer are looked up at the source.
    pub verify_on_read: VerifyOnRead,
    /// For how many hours what was read of permissions counts, for indexes that answer per person.
    pub permissions_max_age_hours: u32,
    /// What such an index shows to people of whom nothing is known.
    pub unknown_people: UnknownPeople,
}

/// How a notice looks on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoticeForm {
    /// The documented payload, for programs.
    Generic,
    /// An incoming webhook of Slack, or of what takes the same (Mattermost, Rocket.Chat).
    Slack,
    /// A workflow of Teams: an adaptive card.
    Teams,
}

/// Where failed, partial and waiting runs are told, and that it is over.
#[derive(Clone, Debug)]
pub struct NoticeSettings {
    /// The address, which may hold a secret.
    pub webhook_url: SecretString,
    /// In which form.
    pub form: NoticeForm,
    /// What they are signed with.
    pub secret: Option<SecretString>,
}

/// How logs look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Text or JSON.
    pub format: LogFormat,
    /// The filter, as `RUST_LOG` has it.
    pub filter: String,
    /// Where traces would go.
    pub otlp_endpoint: Option<Url>,
}

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Confluence account; there for every command that needs one.
    pub confluence: Option<ConfluenceSettings>,
    /// The LlamaCloud account.
    pub llamacloud: Option<LlamaCloudSettings>,
    /// The backend of indexes that name none.
    pub default_backend: BackendKind,
    /// Where to listen.
    pub http: HttpSettings,
    /// Who may.
    pub auth: AuthSettings,
    /// Which database.
    pub database: DatabaseUrl,
    /// How many connections to it there are at most.
    pub database_pool_size: u32,
    /// The folder of the embedded index; `None`: that of the database or, where that is on a server, the working directory.
    pub embedded_index_dir: Option<PathBuf>,
    /// Whether it is backed up.
    pub backups: Option<BackupSettings>,
    /// How syncing goes about.
    pub sync: SyncSettings,
    /// For how many days questions that found little are kept; `None`: none are.
    pub questions_kept_days: Option<u32>,
    /// What is kept of who asked what.
    pub audit: AuditSettings,
    /// Indexes as code.
    pub indexes_file: Option<PathBuf>,
    /// Whose addresses of e-mail are.
    pub people_file: Option<PathBuf>,
    /// Whom trouble is told.
    pub notices: Option<NoticeSettings>,
    /// Languages by whose stems the embedded index finds words.
    pub search_language: String,
    /// Whether an index is rebuilt when a setting asks for another store object than it has.
    pub on_change: OnChange,
    /// From how many years on without an edit a page counts less in the embedded index; `None`: age does not count.
    pub rank_decay_years: Option<u32>,
    /// By whose vectors it looks for meaning.
    pub embeddings: Option<EmbeddingsSettings>,
    /// Proxy and certificate authority for everything that goes out.
    pub network: Network,
    /// Logs and traces.
    pub log: LogSettings,
    /// This program, which starts itself to read attached files.
    pub program: PathBuf,
}

impl Settings {
    /// How the database is opened.
    #[must_use]
    pub fn store_options(&self) -> MetastoreOptions {
        MetastoreOptions {
            pool_size: self.database_pool_size,
            ..MetastoreOptions::default()
        }
    }

    /// The file of the embedded index: `confluence_sync.index.db` beside `confluence_sync.db`, and so called for a database on a server.
    #[must_use]
    pub fn embedded_index(&self) -> PathBuf {
        let usual = std::path::Path::new("confluence_sync.db");
        let beside = self.database.file().unwrap_or(usual);
        let file = beside.with_extension("index.db");
        match (&self.embedded_index_dir, file.file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => file,
        }
    }

    /// The files whose disks must not fill up: the database, where that is one, and the embedded index, where it lies elsewhere.
    #[must_use]
    pub fn on_disk(&self) -> Vec<PathBuf> {
        let (database, index) = (self.database.file(), self.embedded_index());
        let elsewhere = database.is_none_or(|file| file.parent() != index.parent());
        let database = database.map(std::path::Path::to_owned);
        database
            .into_iter()
            .chain(elsewhere.then_some(index))
            .collect()
    }

    /// Reads and checks pairs. Warnings come along; they stop nothing.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn from_pairs(pairs: &Pairs, need: Need) -> Result<(Self, Vec<Warning>), SettingsError> {
        read::settings(pairs, need)
    }

    /// How others reach the service: the public base URL, or one made from the address it listens at. No slash at the end.
    #[must_use]
    pub fn base_url(&self, bound_port: u16) -> String {
        match &self.http.public_base_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => {
                let host = match self.http.host {
                    host if host.is_unspecified() => "localhost".to_owned(),
                    IpAddr::V4(host) => host.to_string(),
                    IpAddr::V6(host) => format!("[{host}]"),
                };
                format!("http://{host}:{bound_port}")
            }
        }
    }
}
