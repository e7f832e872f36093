//! What the client has to be told.

use std::net::IpAddr;
use std::time::Duration;

use domain::backoff::Backoff;
use domain::ports::embedding::Recipe;
use domain::refusals::Pauses;
use secrecy::{ExposeSecret, SecretString};
use upstream::{Network, is_loopback};
use url::{Host, Url};

pub use upstream::ConfigError;

/// How trouble is met.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Timeouts {
    /// Tries of one request for passages, the first included.
    pub attempts: u32,
    /// Waits between tries.
    pub backoff: Backoff,
    /// How long passages wait in all for the endpoint to let them through.
    pub patience: Duration,
    /// How long a question waits for its vector.
    pub question: Duration,
    /// How long everything pauses after a 429 that does not say for how long.
    pub pauses: Pauses,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            attempts: 4,
            backoff: Backoff {
                base: Duration::from_millis(500),
                cap: Duration::from_secs(8),
            },
            patience: Duration::from_secs(120),
            question: Duration::from_millis(1_500),
            pauses: Pauses::default(),
        }
    }
}

/// Where the endpoint is and how to behave towards it.
#[derive(Clone, Debug)]
pub struct EmbeddingsConfig {
    /// The address below which `/embeddings` is, or that address itself, with its query (Azure's `api-version`).
    pub url: Url,
    /// The key; many endpoints of one's own have none.
    pub api_key: Option<SecretString>,
    /// Model, dimensions, prefixes.
    pub recipe: Recipe,
    /// Steady quota.
    pub max_requests_per_second: u32,
    /// Ceiling of the adaptive limit of requests in flight.
    pub max_concurrent_requests: usize,
    /// Passages of one request; some endpoints take no more than 32.
    pub batch: usize,
    /// The operator's proxy and certificate authority.
    pub network: Network,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long one request may take: a batch on a processor takes seconds.
    pub request_timeout: Duration,
    /// Retries and waits.
    pub timeouts: Timeouts,
}

impl EmbeddingsConfig {
    /// The usual settings for an endpoint and a model.
    #[must_use]
    pub fn new(url: Url, model: impl Into<String>) -> Self {
        Self {
            url,
            api_key: None,
            recipe: Recipe {
                model: model.into(),
                dimensions: None,
                question_prefix: String::new(),
                passage_prefix: String::new(),
            },
            max_requests_per_second: 20,
            // More would keep questions waiting at an endpoint that has one processor.
            max_concurrent_requests: 2,
            batch: 32,
            network: Network::default(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
            timeouts: Timeouts::default(),
        }
    }

    /// Checks what can be checked without a request.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        check_url(&self.url)?;
        let garbled = |key: &SecretString| {
            let key = key.expose_secret();
            key.trim().is_empty() || key.chars().any(|c| c.is_whitespace() || !c.is_ascii())
        };
        if self.api_key.as_ref().is_some_and(garbled) {
            return Err(ConfigError::new(
                "EMBEDDINGS_API_KEY",
                "is empty or holds characters that no key has; copy it again",
            ));
        }
        Ok(())
    }

    /// The address that is asked.
    pub(crate) fn endpoint(&self) -> Url {
        let mut url = self.url.clone();
        let path = url.path().trim_end_matches('/').to_owned();
        if path.ends_with("/embeddings") {
            url.set_path(&path);
        } else {
            url.set_path(&format!("{path}/embeddings"));
        }
        url
    }
}

/// Checks that pages and a key may be sent to an address.
///
/// # Errors
/// [`ConfigError`] of `EMBEDDINGS_URL`.
pub fn check_url(url: &Url) -> Result<(), ConfigError> {
    let refused = |cause| Err(ConfigError::new("EMBEDDINGS_URL", cause));
    if !url.has_host() || !matches!(url.scheme(), "http" | "https") {
        return refused("must be an address such as https://api.openai.com/v1");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused("must not hold credentials; EMBEDDINGS_API_KEY is the place for them");
    }
    if url.scheme() == "http" && !is_near(url) {
        return refused(
            "must begin with https://, or key and pages would travel openly (http:// is for this machine, for addresses of a private \
             network, and for names without a dot, as containers have them)",
        );
    }
    Ok(())
}

/// Whether an address leads to this machine or to a network that is the operator's own.
fn is_near(url: &Url) -> bool {
    let near = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    is_loopback(url)
        || match url.host() {
            Some(Host::Domain(name)) => {
                !name.contains('.')
                    || [".localhost", ".local", ".internal", ".svc"]
                        .iter()
                        .any(|end| name.ends_with(end))
            }
            Some(Host::Ipv4(ip)) => near(ip.into()),
            Some(Host::Ipv6(ip)) => near(ip.into()),
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> EmbeddingsConfig {
        EmbeddingsConfig::new(url.parse().unwrap(), "m")
    }

    #[test]
    fn texts_and_keys_never_travel_openly() {
        for (url, good) in [
            ("https://api.openai.com/v1", true),
            ("http://127.0.0.1:11434/v1", true),
            ("http://ollama:11434/v1", true),
            ("http://10.1.2.3/v1", true),
            ("http://tei.search.svc.cluster.local", true),
            ("http://host.docker.internal:8000", true),
            ("http://api.openai.com/v1", false),
            ("http://8.8.8.8/v1", false),
            ("ftp://127.0.0.1", false),
            ("data:text/plain,x", false),
            ("https://me:hush@api.openai.com/v1", false),
        ] {
            assert_eq!(config(url).check().is_ok(), good, "{url}");
        }
    }

    #[test]
    fn the_path_is_added_where_it_is_missing() {
        for (url, endpoint) in [
            (
                "https://api.openai.com/v1",
                "https://api.openai.com/v1/embeddings",
            ),
            (
                "https://api.openai.com/v1/",
                "https://api.openai.com/v1/embeddings",
            ),
            ("http://localhost:8080", "http://localhost:8080/embeddings"),
            (
                "https://x.openai.azure.com/openai/deployments/d/embeddings?api-version=2024-10-21",
                "https://x.openai.azure.com/openai/deployments/d/embeddings?api-version=2024-10-21",
            ),
        ] {
            assert_eq!(config(url).endpoint().as_str(), endpoint);
        }
    }

    #[test]
    fn a_broken_key_is_named_and_not_told() {
        for key in ["", " ", "sk-a b", "sk-ä", "sk-a\n"] {
            let config = EmbeddingsConfig {
                api_key: Some(key.to_owned().into()),
                ..config("https://api.openai.com/v1")
            };
            let error = config.check().unwrap_err().to_string();
            assert!(
                error.starts_with("EMBEDDINGS_API_KEY: ") && !error.contains("sk-"),
                "{error}"
            );
        }
    }
}
