//! The HTTP client for what the service itself sends out: the webhook, the issuer's keys. (Confluence and LlamaCloud have
//! clients of their own.)

use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::Policy;
use upstream::{ConfigError, Network};

/// No such message takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Redirects followed at most.
const MAX_HOPS: usize = 10;

/// A client that knows the operator's proxy and certificate authority. A redirect is followed at the host that was asked only: what
/// the operator named is whom we send to, and whose answer we take.
///
/// # Errors
/// When one of them cannot be used.
pub fn client(network: &Network) -> Result<reqwest::Client, ConfigError> {
    network.client(TIMEOUT, TIMEOUT, |builder| {
        builder.redirect(Policy::custom(|attempt| {
            let stays = |first: &Url| stays(first, attempt.url());
            if attempt.previous().len() > MAX_HOPS || !attempt.previous().first().is_some_and(stays)
            {
                attempt.stop()
            } else {
                attempt.follow()
            }
        }))
    })
}

/// Whether an address is at the same place as the first, or at the same name with https.
fn stays(first: &Url, next: &Url) -> bool {
    first.origin() == next.origin() || (first.host() == next.host() && next.scheme() == "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_at_the_host_that_was_asked() {
        let stays =
            |first: &str, next: &str| stays(&first.parse().unwrap(), &next.parse().unwrap());
        assert!(stays("https://a.example/x", "https://a.example/y"));
        assert!(stays("http://a.example/x", "https://a.example/x"));
        for (first, next) in [
            ("https://a.example/x", "https://b.example/x"),
            ("https://a.example/x", "http://a.example/x"),
            ("http://127.0.0.1:1/x", "http://127.0.0.1:2/x"),
        ] {
            assert!(!stays(first, next), "{first} {next}");
        }
    }
}
