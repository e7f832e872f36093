//! Every environment variable that the service reads, once: the struct that envy fills, the list of names, and which of
//! them are secrets. `config/.env.example` is compared with this list by a test.

use serde::Deserialize;

macro_rules! variables {
    ($($(#[doc = $doc:literal])* $name:ident),* $(,)?) => {
        /// The variables as text, as envy reads them: unset and empty are `None`.
        #[derive(Deserialize, Default, Clone)]
        pub(super) struct Raw {
            $($(#[doc = $doc])* pub(super) $name: Option<String>,)*
        }

        /// The names of all variables in lower case, in the order of the documentation.
        const LOWER_CASE_NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

variables! {
    confluence_base_url,
    confluence_email,
    confluence_api_token,
    confluence_oauth_client_id,
    confluence_oauth_client_secret,
    confluence_oauth_scopes,
    confluence_oauth_url,
    secrets_key,
    confluence_cloud_id,
    confluence_gateway_url,
    confluence_max_requests_per_second,
    confluence_max_concurrent_requests,
    confluence_max_points_per_hour,
    llama_cloud_api_key,
    llama_cloud_project_id,
    llama_cloud_base_url,
    llama_cloud_index_api,
    llama_cloud_max_requests_per_second,
    llama_cloud_max_requests_per_minute,
    llama_cloud_max_concurrent_requests,
    llama_cloud_prices_file,
    openai_api_key,
    retrieval_backend,
    api_host,
    api_port,
    public_base_url,
    allowed_hosts,
    allowed_origins,
    trusted_proxies,
    api_key,
    metrics_token,
    hook_secret,
    auth_disabled,
    oauth_issuer,
    oauth_audience,
    oauth_scope_required,
    oidc_issuer,
    oidc_name,
    oidc_client_id,
    oidc_client_secret,
    oidc_scopes,
    oidc_roles_claim,
    oidc_administrators,
    oidc_editors,
    oidc_readers,
    database_url,
    database_pool_size,
    embedded_index_dir,
    backup_schedule,
    backup_keep,
    indexes_file,
    people_file,
    default_sync_interval_minutes,
    sync_quiet_hours,
    sync_check_interval_seconds,
    sync_sweep_interval_minutes,
    sync_max_delete_percent,
    sync_upload_deadline_seconds,
    sync_retention_days,
    sync_rendered_pages_per_run,
    sync_skip_unneeded_facts,
    sync_audit_log,
    questions_kept_days,
    audit_questions,
    audit_questions_kept_days,
    verify_on_read,
    permissions_max_age_hours,
    unknown_people,
    notify_webhook_url,
    notify_form,
    notify_secret,
    search_language,
    rebuild_on_change,
    rank_decay_years,
    embeddings_url,
    embeddings_api_key,
    embeddings_model,
    embeddings_model_dir,
    embeddings_dimensions,
    embeddings_question_prefix,
    embeddings_passage_prefix,
    https_proxy,
    extra_ca_file,
    log_format,
    rust_log,
    otel_exporter_otlp_endpoint,
}

/// Variables whose value may instead stand in a file that `NAME_FILE` names; their values are never shown.
pub const SECRETS: &[&str] = &[
    "CONFLUENCE_API_TOKEN",
    "CONFLUENCE_OAUTH_CLIENT_SECRET",
    "SECRETS_KEY",
    "LLAMA_CLOUD_API_KEY",
    "OPENAI_API_KEY",
    "EMBEDDINGS_API_KEY",
    "API_KEY",
    "METRICS_TOKEN",
    "HOOK_SECRET",
    "OIDC_CLIENT_SECRET",
    "DATABASE_URL",
    "NOTIFY_WEBHOOK_URL",
    "NOTIFY_SECRET",
];

/// Prefixes under which an unknown variable is likely a mistake in writing.
pub const OUR_PREFIXES: &[&str] = &[
    "CONFLUENCE_",
    "LLAMA_CLOUD_",
    "SYNC_",
    "OAUTH_",
    "OIDC_",
    "API_",
    "AUDIT_",
    "EMBEDDINGS_",
];

/// The names of all variables, as people write them.
pub fn names() -> impl Iterator<Item = String> {
    LOWER_CASE_NAMES.iter().map(|name| name.to_uppercase())
}

/// The variables that an environment may hold for us: every name, and `NAME_FILE` for secrets.
pub(super) fn accepted_names() -> Vec<String> {
    let files = SECRETS.iter().map(|name| format!("{name}_FILE"));
    // Where the tests find documents that are not part of the project.
    let tests = [
        "CONFLUENCE_SPECS_DIR",
        "CONFLUENCE_CORPUS_DIR",
        "CONFLUENCE_CASES_DIR",
    ];
    // What other programs take from the same environment.
    let others = ["HTTP_PROXY", "NO_PROXY", "ALL_PROXY"];
    let more = tests.into_iter().chain(others).map(str::to_owned);
    names().chain(files).chain(more).collect()
}
