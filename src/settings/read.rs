//! From text to types, with every problem collected.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use actors::VerifyOnRead;
use domain::access::{Email, UnknownPeople};
use domain::audit::KeptOfQuestions;
use domain::index::BackendKind;
use domain::moving::OnChange;
use domain::ports::embedding::Recipe;
use domain::quiet::{QuietHours, QuietHoursError};
use embeddings::config::check_url;
use ipnet::IpNet;
use llamacloud::IndexApi;
use metastore::{DatabaseUrl, MetastoreOptions};
use secrecy::SecretString;
use upstream::{Network, is_loopback};
use url::Url;

use super::pairs::{Pairs, resolve, unknown};
use super::reader::Reader;
use super::variables::Raw;
use super::{
    AuditSettings, AuthSettings, BackupSettings, ConfluenceCredentials, ConfluenceSettings,
    EmbeddingsEndpoint, EmbeddingsFolder, EmbeddingsSettings, HttpSettings, LlamaCloudSettings,
    LogFormat, LogSettings, Need, NoticeForm, NoticeSettings, OAuthAppSettings, OAuthSettings,
    OidcSettings, Settings, SettingsError, SyncSettings, Warning,
};
use crate::secrets::{KEY_FORM, SecretsKey};

/// The database when none is named.
const DEFAULT_DATABASE_URL: &str = "sqlite:///./confluence_sync.db";
/// As many connections as a PostgreSQL server takes from everybody when nothing is said.
const MAX_POOL_SIZE: u32 = 100;

pub(super) fn settings(
    pairs: &Pairs,
    need: Need,
) -> Result<(Settings, Vec<Warning>), SettingsError> {
    let mut reader = Reader::default();
    let resolved = resolve(pairs, &mut reader.troubles);
    for (variable, example) in EXAMPLES {
        if resolved.get(variable).is_some_and(|value| value == example) {
            reader.fail(
                variable,
                format!("is still the example's {example}: fill in your own, or delete the line"),
            );
        }
    }
    let mut warnings = unknown(pairs);
    let raw: Raw = match envy::from_iter(resolved) {
        Ok(raw) => raw,
        Err(_) => {
            // Text into text cannot fail; should envy change its mind, its message may hold a value.
            reader.fail("the environment", "cannot be read");
            Raw::default()
        }
    };

    let confluence = confluence(&raw, need, &mut reader);
    let llamacloud = llamacloud(&raw, &mut reader);
    let default_backend = default_backend(&raw, llamacloud.is_some(), &mut reader);
    let auth = auth(&raw, &mut reader, &mut warnings);
    let http = http(&raw, &mut reader);
    if need == Need::Serve && !http.host.is_loopback() && !auth.is_on() && !auth.disabled {
        reader.fail(
            "API_HOST",
            "is reachable from outside while none of API_KEY, OIDC_ISSUER and OAUTH_ISSUER is set: set one, listen on 127.0.0.1, \
             or set AUTH_DISABLED=true to leave the service open",
        );
    }
    if need == Need::Serve && !http.host.is_loopback() && !auth.is_on() && auth.disabled {
        warnings.push(Warning::new(
            "AUTH_DISABLED",
            "leaves the service open: whoever reaches API_HOST reads and changes everything; set API_KEY, OIDC_ISSUER or OAUTH_ISSUER unless only \
             those who may reach it",
        ));
    }
    if auth
        .oauth
        .as_ref()
        .is_some_and(|oauth| oauth.audience.is_none())
        && http.public_base_url.is_none()
    {
        reader.fail(
            "OAUTH_AUDIENCE",
            "is needed with OAUTH_ISSUER unless PUBLIC_BASE_URL is set: tokens for other services must be refused",
        );
    }
    if auth.oidc.is_some() {
        check_return_address("OIDC_ISSUER", need, &http, &mut reader);
    } else if raw.confluence_oauth_client_id.is_some() {
        check_return_address("CONFLUENCE_OAUTH_CLIENT_ID", need, &http, &mut reader);
    }
    let database = database(&raw, &mut reader);
    let pool = MetastoreOptions::LEAST..=MAX_POOL_SIZE;
    let pool_size = reader.number(
        "DATABASE_POOL_SIZE",
        &raw.database_pool_size,
        MetastoreOptions::USUAL,
        pool,
    );
    let backups = backups(&raw, &mut reader);
    if backups.is_some() && database.file().is_none() {
        reader.fail(
            "BACKUP_SCHEDULE",
            "is for SQLite; a database on a PostgreSQL server is backed up with pg_dump, or as that server is",
        );
    }
    let sync = sync(&raw, &mut reader);
    let kept = reader.number("QUESTIONS_KEPT_DAYS", &raw.questions_kept_days, 0, 0..=365);
    let audit = audit(&raw, &mut reader);
    let notices = notices(&raw, &mut reader);
    let log = log(&raw, &mut reader, &mut warnings);
    let search_language = raw
        .search_language
        .as_deref()
        .unwrap_or("auto")
        .to_ascii_lowercase();
    let is_list = |b: u8| b.is_ascii_lowercase() || matches!(b, b',' | b' ');
    if !search_language.bytes().all(is_list) {
        reader.fail(
            "SEARCH_LANGUAGE",
            "must be auto, or languages by their English names, joined by commas (english,german), or none (words as they stand)",
        );
    }
    let on_change = reader
        .one_of(
            "REBUILD_ON_CHANGE",
            &raw.rebuild_on_change,
            &[("ask", OnChange::Ask), ("yes", OnChange::Rebuild)],
        )
        .unwrap_or_default();
    let decay = reader.number("RANK_DECAY_YEARS", &raw.rank_decay_years, 0, 0..=50);
    let embeddings = embeddings(&raw, &mut reader);
    let proxy = reader.parsed::<Url>(
        "HTTPS_PROXY",
        &raw.https_proxy,
        "an address such as http://proxy:3128",
    );
    let extra_ca_pem = raw.extra_ca_file.as_deref().and_then(|file| {
        std::fs::read(file)
            .map_err(|error| {
                reader.fail("EXTRA_CA_FILE", format!("{file} cannot be read: {error}"));
            })
            .ok()
    });

    if !reader.troubles.is_empty() {
        return Err(SettingsError(reader.troubles));
    }
    let settings = Settings {
        confluence,
        llamacloud,
        default_backend,
        http,
        auth,
        database,
        database_pool_size: pool_size,
        embedded_index_dir: raw.embedded_index_dir.as_ref().map(PathBuf::from),
        backups,
        sync,
        questions_kept_days: (kept > 0).then_some(kept),
        audit,
        indexes_file: raw.indexes_file.as_ref().map(PathBuf::from),
        people_file: raw.people_file.as_ref().map(PathBuf::from),
        notices,
        search_language,
        on_change,
        rank_decay_years: (decay > 0).then_some(decay),
        embeddings,
        network: Network {
            proxy,
            extra_ca_pem,
        },
        log,
        program: own_program(),
    };
    Ok((settings, warnings))
}

/// What `config/.env.example` sets, for people to replace.
const EXAMPLES: [(&str, &str); 4] = [
    ("CONFLUENCE_BASE_URL", "https://your-domain.atlassian.net"),
    ("CONFLUENCE_EMAIL", "you@example.com"),
    ("CONFLUENCE_API_TOKEN", "your-confluence-api-token"),
    ("LLAMA_CLOUD_API_KEY", "your-llamacloud-api-key"),
];

/// On Linux by the name that leads there also after an upgrade has replaced the file.
fn own_program() -> PathBuf {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() {
        link
    } else {
        std::env::current_exe().unwrap_or(link)
    }
}

fn list(text: &Option<String>) -> Vec<String> {
    text.as_deref()
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

fn confluence(raw: &Raw, need: Need, reader: &mut Reader) -> Option<ConfluenceSettings> {
    let base_url = reader.service_url(
        "CONFLUENCE_BASE_URL",
        &raw.confluence_base_url,
        "https://your-domain.atlassian.net",
    );
    let gateway_url = reader.service_url(
        "CONFLUENCE_GATEWAY_URL",
        &raw.confluence_gateway_url,
        "https://api.atlassian.com",
    );
    let max_requests_per_second = reader.number(
        "CONFLUENCE_MAX_REQUESTS_PER_SECOND",
        &raw.confluence_max_requests_per_second,
        10,
        1..=1000,
    );
    let max_concurrent_requests = reader.number(
        "CONFLUENCE_MAX_CONCURRENT_REQUESTS",
        &raw.confluence_max_concurrent_requests,
        8,
        1..=256,
    );
    let points = reader.number(
        "CONFLUENCE_MAX_POINTS_PER_HOUR",
        &raw.confluence_max_points_per_hour,
        0,
        0..=100_000_000,
    );
    let by_oauth = raw.confluence_oauth_client_id.is_some();
    let required = [
        ("CONFLUENCE_BASE_URL", &raw.confluence_base_url, true),
        ("CONFLUENCE_EMAIL", &raw.confluence_email, !by_oauth),
        ("CONFLUENCE_API_TOKEN", &raw.confluence_api_token, !by_oauth),
    ];
    if need != Need::Local {
        for (variable, value, is_needed) in required {
            if is_needed && value.is_none() && !is_reported(variable, reader) {
                reader.fail(variable, "is required to talk to Confluence");
            }
        }
    }
    let app = oauth_app(raw, reader);
    let credentials = if by_oauth {
        ConfluenceCredentials::OAuth(Box::new(app?))
    } else {
        ConfluenceCredentials::Basic {
            email: raw.confluence_email.clone()?,
            api_token: SecretString::from(raw.confluence_api_token.clone()?),
        }
    };
    Some(ConfluenceSettings {
        base_url: base_url?,
        credentials,
        cloud_id: raw.confluence_cloud_id.clone(),
        gateway_url,
        max_requests_per_second,
        max_concurrent_requests,
        max_points_per_hour: (points > 0).then_some(points),
    })
}

/// Whether something is wrong with a variable already: a NAME_FILE that could not be read has been reported.
fn is_reported(variable: &str, reader: &Reader) -> bool {
    let mut troubles = reader.troubles.iter();
    troubles.any(|trouble| trouble.variable.starts_with(variable))
}

/// What an app asks for when nobody says: what every index needs, comments and files.
const DEFAULT_APP_SCOPES: &str = "read:space:confluence read:page:confluence read:content-details:confluence read:user:confluence \
                                  read:comment:confluence read:attachment:confluence";

fn oauth_app(raw: &Raw, reader: &mut Reader) -> Option<OAuthAppSettings> {
    let id = "CONFLUENCE_OAUTH_CLIENT_ID";
    let authorization_server = reader.service_url(
        "CONFLUENCE_OAUTH_URL",
        &raw.confluence_oauth_url,
        "https://auth.atlassian.com",
    );
    let key = raw.secrets_key.as_deref().map(SecretsKey::parse);
    if matches!(key, Some(None)) {
        reader.fail("SECRETS_KEY", KEY_FORM);
    }
    let secret = "CONFLUENCE_OAUTH_CLIENT_SECRET";
    let others = [
        (secret, &raw.confluence_oauth_client_secret),
        ("CONFLUENCE_OAUTH_SCOPES", &raw.confluence_oauth_scopes),
        ("CONFLUENCE_OAUTH_URL", &raw.confluence_oauth_url),
    ];
    let Some(client_id) = raw.confluence_oauth_client_id.clone() else {
        if let Some((name, _)) = others.iter().find(|(_, value)| value.is_some()) {
            reader.fail(id, format!("is required with {name}"));
        }
        return None;
    };
    if raw.confluence_email.is_some() || raw.confluence_api_token.is_some() {
        reader.fail(
            id,
            "cannot stand beside CONFLUENCE_EMAIL and CONFLUENCE_API_TOKEN: the service has one account, so remove the one or the other",
        );
    }
    if raw.confluence_oauth_client_secret.is_none() && !is_reported(secret, reader) {
        let why = format!(
            "is required with {id}: developer.atlassian.com shows it among the app's settings"
        );
        reader.fail(secret, why);
    }
    if key.is_none() && !is_reported("SECRETS_KEY", reader) {
        let why =
            format!("is required with {id}, whose tokens are encrypted with it; it {KEY_FORM}");
        reader.fail("SECRETS_KEY", why);
    }
    let scopes = raw.confluence_oauth_scopes.as_deref();
    let scopes = scopes.unwrap_or(DEFAULT_APP_SCOPES).split_whitespace();
    Some(OAuthAppSettings {
        client_id,
        client_secret: raw
            .confluence_oauth_client_secret
            .clone()
            .map(SecretString::from)?,
        scopes: scopes.collect::<Vec<_>>().join(" "),
        authorization_server,
        secrets_key: key??,
    })
}

fn llamacloud(raw: &Raw, reader: &mut Reader) -> Option<LlamaCloudSettings> {
    let base_url = reader.service_url(
        "LLAMA_CLOUD_BASE_URL",
        &raw.llama_cloud_base_url,
        "https://api.cloud.llamaindex.ai",
    );
    let index_api = reader
        .one_of(
            "LLAMA_CLOUD_INDEX_API",
            &raw.llama_cloud_index_api,
            &[
                ("auto", IndexApi::Auto),
                ("v1", IndexApi::V1),
                ("v2", IndexApi::V2),
            ],
        )
        .unwrap_or(IndexApi::Auto);
    let max_requests_per_second = reader.number(
        "LLAMA_CLOUD_MAX_REQUESTS_PER_SECOND",
        &raw.llama_cloud_max_requests_per_second,
        10,
        1..=1000,
    );
    let max_requests_per_minute = NonZeroU32::new(reader.number(
        "LLAMA_CLOUD_MAX_REQUESTS_PER_MINUTE",
        &raw.llama_cloud_max_requests_per_minute,
        0,
        0..=60_000,
    ));
    let max_concurrent_requests = reader.number(
        "LLAMA_CLOUD_MAX_CONCURRENT_REQUESTS",
        &raw.llama_cloud_max_concurrent_requests,
        4,
        1..=256,
    );
    Some(LlamaCloudSettings {
        api_key: SecretString::from(raw.llama_cloud_api_key.clone()?),
        project_id: raw.llama_cloud_project_id.clone(),
        base_url,
        index_api,
        openai_api_key: raw.openai_api_key.clone().map(SecretString::from),
        max_requests_per_second,
        max_requests_per_minute,
        max_concurrent_requests,
        prices_file: raw.llama_cloud_prices_file.as_ref().map(PathBuf::from),
    })
}

fn embeddings(raw: &Raw, reader: &mut Reader) -> Option<EmbeddingsSettings> {
    let dimensions = reader.number(
        "EMBEDDINGS_DIMENSIONS",
        &raw.embeddings_dimensions,
        0,
        8..=8_192,
    );
    let dimensions = Some(dimensions).filter(|dimensions| *dimensions > 0);
    // Values lose their blanks at the end.
    let prefix = |prefix: &Option<String>| {
        prefix
            .as_ref()
            .map_or_else(String::new, |prefix| format!("{prefix} "))
    };
    let question_prefix = prefix(&raw.embeddings_question_prefix);
    let passage_prefix = prefix(&raw.embeddings_passage_prefix);
    let of_endpoint = [
        ("EMBEDDINGS_API_KEY", &raw.embeddings_api_key),
        ("EMBEDDINGS_MODEL", &raw.embeddings_model),
    ];
    let of_both = [
        ("EMBEDDINGS_DIMENSIONS", &raw.embeddings_dimensions),
        (
            "EMBEDDINGS_QUESTION_PREFIX",
            &raw.embeddings_question_prefix,
        ),
        ("EMBEDDINGS_PASSAGE_PREFIX", &raw.embeddings_passage_prefix),
    ];
    let first_set = |some: &[(&'static str, &Option<String>)]| {
        let set = some.iter().find(|(_, value)| value.is_some());
        set.map(|(name, _)| *name)
    };
    let example = "an address such as https://api.openai.com/v1";
    let url = reader.parsed::<Url>("EMBEDDINGS_URL", &raw.embeddings_url, example);
    if let Some(Err(error)) = url.as_ref().map(check_url) {
        reader.fail("EMBEDDINGS_URL", error.cause);
    }
    match (&raw.embeddings_url, &raw.embeddings_model_dir) {
        (None, None) => {
            let set = first_set(&of_endpoint).or_else(|| first_set(&of_both));
            if let Some(name) = set {
                reader.fail("EMBEDDINGS_URL", format!("is required with {name}"));
            }
            None
        }
        (Some(_), Some(_)) => {
            reader.fail(
                "EMBEDDINGS_MODEL_DIR",
                "cannot stand beside EMBEDDINGS_URL: vectors come from one of the two, so remove the other",
            );
            None
        }
        (Some(_), None) => {
            if raw.embeddings_model.is_none() {
                reader.fail("EMBEDDINGS_MODEL", "is required with EMBEDDINGS_URL");
            }
            Some(EmbeddingsSettings::Endpoint(EmbeddingsEndpoint {
                url: url?,
                api_key: raw.embeddings_api_key.clone().map(SecretString::from),
                recipe: Recipe {
                    model: raw.embeddings_model.clone()?,
                    dimensions,
                    question_prefix,
                    passage_prefix,
                },
            }))
        }
        (None, Some(folder)) => {
            if !cfg!(feature = "local-model") {
                reader.fail(
                    "EMBEDDINGS_MODEL_DIR",
                    "needs a program that was built with --features local-model; or name an endpoint with EMBEDDINGS_URL",
                );
            }
            if let Some(name) = first_set(&of_endpoint) {
                reader.fail(
                    name,
                    "belongs to EMBEDDINGS_URL; the folder of EMBEDDINGS_MODEL_DIR says which model it holds",
                );
            }
            Some(EmbeddingsSettings::Folder(EmbeddingsFolder {
                folder: PathBuf::from(folder),
                dimensions,
                question_prefix,
                passage_prefix,
            }))
        }
    }
}

fn audit(raw: &Raw, reader: &mut Reader) -> AuditSettings {
    let questions = reader.one_of(
        "AUDIT_QUESTIONS",
        &raw.audit_questions,
        &[
            ("off", KeptOfQuestions::Nothing),
            ("pages", KeptOfQuestions::Pages),
            ("text", KeptOfQuestions::Text),
        ],
    );
    AuditSettings {
        questions: questions.unwrap_or_default(),
        kept_days: reader.number(
            "AUDIT_QUESTIONS_KEPT_DAYS",
            &raw.audit_questions_kept_days,
            30,
            1..=3650,
        ),
    }
}

fn default_backend(raw: &Raw, has_key: bool, reader: &mut Reader) -> BackendKind {
    let named = reader.one_of(
        "RETRIEVAL_BACKEND",
        &raw.retrieval_backend,
        &[
            ("auto", None),
            ("llamacloud", Some(BackendKind::LlamaCloud)),
            ("local", Some(BackendKind::Local)),
        ],
    );
    match named.flatten() {
        Some(BackendKind::LlamaCloud) if !has_key => {
            reader.fail(
                "LLAMA_CLOUD_API_KEY",
                "is required with RETRIEVAL_BACKEND=llamacloud",
            );
            BackendKind::LlamaCloud
        }
        Some(kind) => kind,
        None if has_key => BackendKind::LlamaCloud,
        None => BackendKind::Local,
    }
}

fn http(raw: &Raw, reader: &mut Reader) -> HttpSettings {
    let host_text = raw.api_host.as_deref().unwrap_or("127.0.0.1");
    let host = if host_text.eq_ignore_ascii_case("localhost") {
        IpAddr::from([127, 0, 0, 1])
    } else {
        host_text
            .trim_matches(['[', ']'])
            .parse()
            .unwrap_or_else(|_| {
                reader.fail(
                    "API_HOST",
                    "must be an IP address to listen at, such as 127.0.0.1 or 0.0.0.0",
                );
                IpAddr::from([127, 0, 0, 1])
            })
    };
    let public_base_url = reader
        .parsed::<Url>(
            "PUBLIC_BASE_URL",
            &raw.public_base_url,
            "an address such as https://confluence-sync.example.com",
        )
        .filter(|url| {
            let usable = matches!(url.scheme(), "http" | "https")
                && url.host_str().is_some()
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty();
            if !usable {
                reader.fail(
                    "PUBLIC_BASE_URL",
                    "must be an address such as https://confluence-sync.example.com",
                );
            }
            usable
        });
    let allowed_origins = list(&raw.allowed_origins);
    let is_origin = |entry: &String| {
        Url::parse(entry).is_ok_and(|url| url.origin().is_tuple() && url.path() == "/")
    };
    if !allowed_origins.iter().all(is_origin) {
        reader.fail(
            "ALLOWED_ORIGINS",
            "must be a list of origins such as https://chat.example.com, separated by commas",
        );
    }
    let trusted_proxies: Option<Vec<IpNet>> = list(&raw.trusted_proxies)
        .iter()
        .map(|entry| {
            let network = entry.parse::<IpNet>().ok();
            network.or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from))
        })
        .collect();
    if trusted_proxies.is_none() {
        reader.fail(
            "TRUSTED_PROXIES",
            "must be a list of addresses or networks such as 10.0.0.5, 172.16.0.0/12, separated by commas",
        );
    }
    HttpSettings {
        host,
        port: reader.number("API_PORT", &raw.api_port, 8001, 0..=u16::MAX),
        public_base_url,
        allowed_hosts: list(&raw.allowed_hosts)
            .into_iter()
            .map(|host| host.to_ascii_lowercase())
            .collect(),
        allowed_origins: allowed_origins
            .iter()
            .map(|origin| origin.trim_end_matches('/').to_ascii_lowercase())
            .collect(),
        trusted_proxies: trusted_proxies.unwrap_or_default(),
    }
}

fn auth(raw: &Raw, reader: &mut Reader, warnings: &mut Vec<Warning>) -> AuthSettings {
    let disabled = reader
        .one_of("AUTH_DISABLED", &raw.auth_disabled, TRUTH_WORDS)
        .unwrap_or(false);
    let issuer = reader.service_url("OAUTH_ISSUER", &raw.oauth_issuer, "https://idp.example.com");
    let scope_required = reader
        .one_of(
            "OAUTH_SCOPE_REQUIRED",
            &raw.oauth_scope_required,
            TRUTH_WORDS,
        )
        .unwrap_or(true);
    if raw.oauth_audience.is_some() && raw.oauth_issuer.is_none() {
        reader.fail("OAUTH_ISSUER", "is required with OAUTH_AUDIENCE");
    }
    match raw.api_key.as_deref().map(str::len) {
        Some(..8) => reader.fail(
            "API_KEY",
            "must have at least 8 characters; `openssl rand -hex 32` makes a good one",
        ),
        Some(8..16) => warnings.push(Warning::new(
            "API_KEY",
            "has fewer than 16 characters and may be guessed; `openssl rand -hex 32` makes a good one",
        )),
        _ => {}
    }
    long_enough("METRICS_TOKEN", &raw.metrics_token, reader);
    let oidc = oidc(raw, reader);
    long_enough("HOOK_SECRET", &raw.hook_secret, reader);
    AuthSettings {
        metrics_token: raw.metrics_token.clone().map(SecretString::from),
        hook_secret: raw.hook_secret.clone().map(SecretString::from),
        api_key: raw.api_key.clone().map(SecretString::from),
        disabled,
        oauth: issuer.map(|issuer| OAuthSettings {
            issuer,
            audience: raw.oauth_audience.clone(),
            scope_required,
        }),
        oidc,
    }
}

/// What an issuer is asked for when nobody says.
const DEFAULT_SCOPES: &str = "openid email profile";

fn oidc(raw: &Raw, reader: &mut Reader) -> Option<OidcSettings> {
    let issuer = reader.service_url("OIDC_ISSUER", &raw.oidc_issuer, "https://idp.example.com");
    let others = [
        ("OIDC_CLIENT_ID", &raw.oidc_client_id),
        ("OIDC_CLIENT_SECRET", &raw.oidc_client_secret),
        ("OIDC_NAME", &raw.oidc_name),
        ("OIDC_SCOPES", &raw.oidc_scopes),
        ("OIDC_ROLES_CLAIM", &raw.oidc_roles_claim),
        ("OIDC_ADMINISTRATORS", &raw.oidc_administrators),
        ("OIDC_EDITORS", &raw.oidc_editors),
        ("OIDC_READERS", &raw.oidc_readers),
    ];
    if raw.oidc_issuer.is_none() {
        if let Some((name, _)) = others.iter().find(|(_, value)| value.is_some()) {
            reader.fail("OIDC_ISSUER", format!("is required with {name}"));
        }
        return None;
    }
    if raw.oidc_client_id.is_none() {
        let why = "is required with OIDC_ISSUER: what this service is registered as there";
        reader.fail("OIDC_CLIENT_ID", why);
    }
    let scopes = raw.oidc_scopes.as_deref().unwrap_or(DEFAULT_SCOPES);
    let scopes: Vec<&str> = scopes.split_whitespace().collect();
    if !scopes.contains(&"openid") {
        let why = format!("must hold openid: words with blanks between, such as {DEFAULT_SCOPES}");
        reader.fail("OIDC_SCOPES", why);
    }
    let [administrators, editors, readers] = [
        ("OIDC_ADMINISTRATORS", &raw.oidc_administrators),
        ("OIDC_EDITORS", &raw.oidc_editors),
        ("OIDC_READERS", &raw.oidc_readers),
    ]
    .map(|(variable, text)| {
        let entries = list(text);
        if entries
            .iter()
            .any(|entry| entry.contains('@') && Email::parse(entry).is_none())
        {
            let why = "has an entry with an @ that is no address of e-mail";
            reader.fail(variable, why);
        }
        entries
    });
    if administrators.is_empty() && editors.is_empty() && readers.is_empty() {
        reader.fail(
            "OIDC_ADMINISTRATORS",
            "or OIDC_EDITORS or OIDC_READERS is required with OIDC_ISSUER: else nobody who signs in has a role; name groups, or \
             addresses of e-mail",
        );
    }
    let issuer = issuer?;
    let name = raw.oidc_name.as_deref().or(issuer.host_str());
    Some(OidcSettings {
        name: name.unwrap_or_default().to_owned(),
        client_id: raw.oidc_client_id.clone()?,
        client_secret: raw.oidc_client_secret.clone().map(SecretString::from),
        scopes: scopes.join(" "),
        roles_claim: raw
            .oidc_roles_claim
            .clone()
            .unwrap_or_else(|| "groups".to_owned()),
        administrators,
        editors,
        readers,
        issuer,
    })
}

/// Where people are sent back to from elsewhere: an address that only this service answers at, and that nobody on the way reads.
fn check_return_address(because: &str, need: Need, http: &HttpSettings, reader: &mut Reader) {
    match &http.public_base_url {
        None if need == Need::Serve && !http.host.is_loopback() => reader.fail(
            "PUBLIC_BASE_URL",
            format!("is required with {because}: people are sent back to an address below it"),
        ),
        Some(url) if url.scheme() == "http" && !is_loopback(url) => reader.fail(
            "PUBLIC_BASE_URL",
            format!(
                "must begin with https:// for {because} (http:// is for this machine only): people are sent back there"
            ),
        ),
        _ => {}
    }
}

fn database(raw: &Raw, reader: &mut Reader) -> DatabaseUrl {
    DatabaseUrl::parse(raw.database_url.as_deref().unwrap_or(DEFAULT_DATABASE_URL)).unwrap_or_else(
        |error| {
            reader.fail("DATABASE_URL", error.to_string());
            DatabaseUrl::of_file("")
        },
    )
}

fn backups(raw: &Raw, reader: &mut Reader) -> Option<BackupSettings> {
    let keep = reader.number("BACKUP_KEEP", &raw.backup_keep, 7, 1..=1000);
    let schedule = raw.backup_schedule.as_deref()?;
    let at = schedule.parse().map_err(|error: QuietHoursError| {
        reader.fail(
            "BACKUP_SCHEDULE",
            format!("must be a time of day such as 03:00 or 03:00 Europe/Berlin: {error}"),
        );
    });
    Some(BackupSettings { at: at.ok()?, keep })
}

fn sync(raw: &Raw, reader: &mut Reader) -> SyncSettings {
    let verify_words = [
        ("off", VerifyOnRead::Off),
        ("hits", VerifyOnRead::Hits),
        ("strict", VerifyOnRead::Strict),
    ];
    SyncSettings {
        default_interval_minutes: reader.number(
            "DEFAULT_SYNC_INTERVAL_MINUTES",
            &raw.default_sync_interval_minutes,
            60,
            1..=MAX_INTERVAL_MINUTES,
        ),
        quiet_hours: quiet_hours(raw, reader),
        check_interval: Duration::from_secs(reader.number(
            "SYNC_CHECK_INTERVAL_SECONDS",
            &raw.sync_check_interval_seconds,
            300,
            1..=86_400,
        )),
        sweep_interval: Duration::from_secs(
            60 * reader.number(
                "SYNC_SWEEP_INTERVAL_MINUTES",
                &raw.sync_sweep_interval_minutes,
                60,
                0..=u64::from(MAX_INTERVAL_MINUTES),
            ),
        ),
        max_delete_percent: reader.number(
            "SYNC_MAX_DELETE_PERCENT",
            &raw.sync_max_delete_percent,
            30,
            0..=100,
        ),
        upload_deadline: Duration::from_secs(reader.number(
            "SYNC_UPLOAD_DEADLINE_SECONDS",
            &raw.sync_upload_deadline_seconds,
            900,
            1..=86_400,
        )),
        rendered_pages_per_run: reader.number(
            "SYNC_RENDERED_PAGES_PER_RUN",
            &raw.sync_rendered_pages_per_run,
            0,
            0..=1_000_000,
        ),
        skip_unneeded_facts: reader
            .one_of(
                "SYNC_SKIP_UNNEEDED_FACTS",
                &raw.sync_skip_unneeded_facts,
                TRUTH_WORDS,
            )
            .unwrap_or(false),
        audit_log: reader
            .one_of("SYNC_AUDIT_LOG", &raw.sync_audit_log, TRUTH_WORDS)
            .unwrap_or(false),
        retention_days: reader.number(
            "SYNC_RETENTION_DAYS",
            &raw.sync_retention_days,
            90,
            1..=36_500,
        ),
        verify_on_read: reader
            .one_of("VERIFY_ON_READ", &raw.verify_on_read, &verify_words)
            .unwrap_or(VerifyOnRead::Off),
        permissions_max_age_hours: reader.number(
            "PERMISSIONS_MAX_AGE_HOURS",
            &raw.permissions_max_age_hours,
            24,
            1..=720,
        ),
        unknown_people: reader
            .one_of(
                "UNKNOWN_PEOPLE",
                &raw.unknown_people,
                &[
                    ("nothing", UnknownPeople::Nothing),
                    ("open", UnknownPeople::Open),
                ],
            )
            .unwrap_or_default(),
    }
}

fn notices(raw: &Raw, reader: &mut Reader) -> Option<NoticeSettings> {
    let webhook_url = reader
        .parsed::<Url>(
            "NOTIFY_WEBHOOK_URL",
            &raw.notify_webhook_url,
            "an http or https address",
        )
        .filter(|url| {
            let usable = matches!(url.scheme(), "http" | "https");
            if !usable {
                reader.fail("NOTIFY_WEBHOOK_URL", "must be an http or https address");
            }
            usable
        })
        .map(|url| SecretString::from(url.to_string()));
    let form = reader.one_of(
        "NOTIFY_FORM",
        &raw.notify_form,
        &[
            ("generic", NoticeForm::Generic),
            ("slack", NoticeForm::Slack),
            ("teams", NoticeForm::Teams),
        ],
    );
    let others = [
        ("NOTIFY_FORM", &raw.notify_form),
        ("NOTIFY_SECRET", &raw.notify_secret),
    ];
    if raw.notify_webhook_url.is_none()
        && let Some((name, _)) = others.iter().find(|(_, value)| value.is_some())
    {
        reader.fail("NOTIFY_WEBHOOK_URL", format!("is required with {name}"));
    }
    long_enough("NOTIFY_SECRET", &raw.notify_secret, reader);
    Some(NoticeSettings {
        webhook_url: webhook_url?,
        form: form.unwrap_or(NoticeForm::Generic),
        secret: raw.notify_secret.clone().map(SecretString::from),
    })
}

/// A secret that machines alone write may be as long as it should be.
fn long_enough(variable: &str, secret: &Option<String>, reader: &mut Reader) {
    if secret.as_ref().is_some_and(|secret| secret.len() < 16) {
        reader.fail(
            variable,
            "must have at least 16 characters; `openssl rand -hex 32` makes a good one",
        );
    }
}

fn quiet_hours(raw: &Raw, reader: &mut Reader) -> Option<QuietHours> {
    let text = raw.sync_quiet_hours.as_deref()?;
    text.parse()
        .map_err(|error: QuietHoursError| reader.fail("SYNC_QUIET_HOURS", error.to_string()))
        .ok()
}

/// How yes and no are written.
const TRUTH_WORDS: &[(&str, bool)] = &[("true", true), ("false", false), ("1", true), ("0", false)];

/// A year: longer intervals are a mistake in writing.
pub const MAX_INTERVAL_MINUTES: u32 = 525_600;

fn log(raw: &Raw, reader: &mut Reader, warnings: &mut Vec<Warning>) -> LogSettings {
    let otlp_endpoint = reader.parsed::<Url>(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        &raw.otel_exporter_otlp_endpoint,
        "an address such as http://collector:4318",
    );
    if otlp_endpoint.is_some() {
        warnings.push(Warning::new(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "this build sends no traces; logs and /metrics are there as ever",
        ));
    }
    let filter = raw.rust_log.clone().unwrap_or_else(|| "info".to_owned());
    if tracing_subscriber::EnvFilter::try_new(&filter).is_err() {
        reader.fail(
            "RUST_LOG",
            "must be a filter such as info or mcp_confluence=debug,info",
        );
    }
    let (filter, odd) = with_a_level(&filter);
    if let Some(odd) = odd {
        warnings.push(Warning::new(
            "RUST_LOG",
            format!("{odd} is no level (error, warn, info, debug, trace, off), so it is taken for the name of a module; info holds for the rest"),
        ));
    }
    LogSettings {
        format: reader
            .one_of(
                "LOG_FORMAT",
                &raw.log_format,
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
            )
            .unwrap_or(LogFormat::Text),
        filter,
        otlp_endpoint,
    }
}

/// The filter with a level for what it does not name: without one, a word that was meant as a level would silence everything. And
/// such a word, if there is one.
fn with_a_level(filter: &str) -> (String, Option<String>) {
    let is_level = |word: &str| {
        word.parse::<tracing_subscriber::filter::LevelFilter>()
            .is_ok()
    };
    let parts = || {
        filter
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
    };
    if parts().any(is_level) {
        return (filter.to_owned(), None);
    }
    let odd = parts().find(|part| !part.contains(['=', '[', ':']));
    (format!("info,{filter}"), odd.map(str::to_owned))
}

#[cfg(test)]
mod level_tests {
    use super::with_a_level;

    #[test]
    fn a_filter_has_a_level_for_what_it_does_not_name() {
        for (asked, filter, odd) in [
            ("info", "info", None),
            ("WARN,hyper=debug", "WARN,hyper=debug", None),
            ("hyper=debug", "info,hyper=debug", None),
            ("loud", "info,loud", Some("loud")),
            ("off", "off", None),
        ] {
            assert_eq!(
                with_a_level(asked),
                (filter.to_owned(), odd.map(str::to_owned))
            );
        }
    }
}
