//! The HTTP client for what the service itself sends out: the webhook, the issuer's keys. (Confluence and LlamaCloud have
//! clients of their own.)

use std::time::Duration;

use reqwest::redirect::Policy;
use upstream::{ConfigError, Network};

/// No such message takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Redirects followed at most.
const MAX_HOPS: usize = 10;

/// A client that knows the operator's proxy and certificate authority.
///
/// # Errors
/// When one of them cannot be used.
pub fn client(network: &Network) -> Result<reqwest::Client, ConfigError> {
    network.client(TIMEOUT, TIMEOUT, |builder| {
        builder.redirect(Policy::limited(MAX_HOPS))
    })
}
