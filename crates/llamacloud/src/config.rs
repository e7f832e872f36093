//! What the client has to be told.

use std::num::NonZeroU32;
use std::time::Duration;

use domain::backoff::Backoff;
use domain::refusals::Pauses;
use secrecy::{ExposeSecret, SecretString};
use upstream::{Network, check_address};
use url::Url;

pub use upstream::ConfigError;

use crate::prices::Prices;

/// The host of the US region; keys of other regions need their own.
pub const US_HOST: &str = "https://api.cloud.llamaindex.ai";

/// Which generation of the index API a new index gets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum IndexApi {
    /// What the account offers: pipelines where they are served to it, else directories and indexes.
    #[default]
    Auto,
    /// Pipelines.
    V1,
    /// Directories and indexes.
    V2,
}

/// How trouble is met.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Timeouts {
    /// Tries of one request, the first included.
    pub attempts: u32,
    /// Waits between tries.
    pub backoff: Backoff,
    /// How long one request waits in all for the service to let it through; what needs longer is told to the caller.
    pub patience: Duration,
    /// How long a question to an index may take.
    pub search: Duration,
    /// How long everything pauses after a 429 that does not say for how long.
    pub pauses: Pauses,
    /// How long after a delete a pipeline that says `NOT_STARTED` has not begun with it rather than nothing to do.
    pub not_started: Duration,
    /// How long after asking for failed documents to be ingested again their old failure is not believed.
    pub retry_grace: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            attempts: 5,
            backoff: Backoff {
                base: Duration::from_millis(500),
                cap: Duration::from_secs(8),
            },
            patience: Duration::from_secs(900),
            search: Duration::from_secs(10),
            pauses: Pauses::default(),
            not_started: Duration::from_secs(60),
            retry_grace: Duration::from_secs(5),
        }
    }
}

/// Where LlamaCloud is and how to behave towards it.
#[derive(Clone, Debug)]
pub struct LlamaCloudConfig {
    /// The key, `llx-…`; sent as a bearer token only.
    pub api_key: SecretString,
    /// The region's host, or a self-hosted one. `http` only for loopback.
    pub base_url: Url,
    /// The project; the key's own when `None` or empty (it is never sent empty: that would select no project at all).
    pub project_id: Option<String>,
    /// Which generation a new index gets.
    pub index_api: IndexApi,
    /// For pipelines with an own embedding key; without it they embed with the service's.
    pub openai_api_key: Option<SecretString>,
    /// Steady quota.
    pub max_requests_per_second: u32,
    /// What the plan allows a minute, where that is known; else it is learned from refusals.
    pub max_requests_per_minute: Option<NonZeroU32>,
    /// Ceiling of the adaptive limit of requests in flight.
    pub max_concurrent_requests: usize,
    /// The operator's proxy and certificate authority.
    pub network: Network,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long one request may take as a whole.
    pub request_timeout: Duration,
    /// Bytes (after decompression) that are read of one answer.
    pub max_answer_bytes: usize,
    /// What things cost there.
    pub prices: Prices,
    /// Retries and waits.
    pub timeouts: Timeouts,
}

impl LlamaCloudConfig {
    /// The usual settings for a key of the US region.
    #[must_use]
    pub fn new(api_key: SecretString) -> Self {
        Self {
            api_key,
            base_url: US_HOST
                .parse()
                .unwrap_or_else(|_| unreachable!("the constant is an address")),
            project_id: None,
            index_api: IndexApi::Auto,
            openai_api_key: None,
            max_requests_per_second: 10,
            max_requests_per_minute: None,
            max_concurrent_requests: 4,
            network: Network::default(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
            max_answer_bytes: 64 << 20,
            prices: Prices::built_in(),
            timeouts: Timeouts::default(),
        }
    }

    /// Checks what can be checked without a request.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let key = self.api_key.expose_secret();
        if key.trim().is_empty()
            || key
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii())
        {
            return Err(ConfigError::new(
                "LLAMA_CLOUD_API_KEY",
                "is empty or holds characters that no key has; copy it again",
            ));
        }
        check_address("LLAMA_CLOUD_BASE_URL", &self.base_url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_never_travel_openly() {
        for (url, good) in [
            ("https://api.cloud.eu.llamaindex.ai", true),
            ("http://127.0.0.1:4000", true),
            ("http://localhost:4000/", true),
            ("http://[::1]:4000/", true),
            ("http://api.cloud.llamaindex.ai", false),
            ("ftp://127.0.0.1", false),
        ] {
            let config = LlamaCloudConfig {
                base_url: url.parse().unwrap(),
                ..LlamaCloudConfig::new("llx-a".into())
            };
            assert_eq!(config.check().is_ok(), good, "{url}");
        }
    }

    #[test]
    fn a_broken_key_is_named_and_not_told() {
        for key in ["", " ", "llx-a b", "llx-ä", "llx-a\n"] {
            let error = LlamaCloudConfig::new(key.to_owned().into())
                .check()
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("LLAMA_CLOUD_API_KEY: ") && !error.contains("llx-"),
                "{error}"
            );
        }
    }
}
