//! The HTTP client of every outside service, and what has to hold before credentials are sent with it.

use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderValue, InvalidHeaderValue};
use reqwest::{Client, ClientBuilder};
use url::{Host, Url};

use crate::Broken;

/// A setting that cannot be used. Names it, never a secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{setting}: {cause}")]
pub struct ConfigError {
    /// The setting.
    pub setting: &'static str,
    /// What is wrong, and the remedy.
    pub cause: String,
}

impl ConfigError {
    /// A setting and what is wrong with it.
    #[must_use]
    pub fn new(setting: &'static str, cause: impl Into<String>) -> Self {
        Self {
            setting,
            cause: cause.into(),
        }
    }
}

/// The operator's proxy and certificate authority, the same for every client.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// `HTTPS_PROXY`: for every https address but those of this machine. No other variable names a proxy.
    pub proxy: Option<Url>,
    /// `EXTRA_CA_FILE`: certificate authorities beside the system's, as PEM.
    pub extra_ca_pem: Option<Vec<u8>>,
}

impl fmt::Debug for Network {
    /// Of a proxy only its host: its address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("proxy", &self.proxy.as_ref().and_then(Url::host_str))
            .field("extra_ca", &self.extra_ca_pem.is_some())
            .finish()
    }
}

impl Network {
    /// A client with these time limits for opening a connection and for a request as a whole. It follows no redirects, which could
    /// lead credentials elsewhere. `adapt` adds what only this client needs.
    ///
    /// A TLS provider must be installed: `rustls::crypto::ring::default_provider().install_default()`.
    ///
    /// # Errors
    /// When the proxy or the certificates cannot be used.
    pub fn client(
        &self,
        connect: Duration,
        request: Duration,
        adapt: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Client, ConfigError> {
        let mut builder = Client::builder()
            .user_agent(concat!("mcp-confluence/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect)
            .timeout(request)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(url) = &self.proxy {
            let proxy = reqwest::Proxy::https(url.as_str())
                .map_err(|_| ConfigError::new("HTTPS_PROXY", "is no proxy address"))?;
            let this_machine = reqwest::NoProxy::from_string("localhost,127.0.0.1,::1");
            builder = builder.proxy(proxy.no_proxy(this_machine));
        }
        if let Some(pem) = &self.extra_ca_pem {
            let refuse = |cause: String| ConfigError::new("EXTRA_CA_FILE", cause);
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| refuse(format!("is no PEM file of certificates: {error}")))?;
            if certificates.is_empty() {
                return Err(refuse("holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        adapt(builder).build().map_err(|error| {
            let cause = Broken::from(error).detail;
            ConfigError::new(
                "EXTRA_CA_FILE",
                format!("no HTTP client can be made: {cause}"),
            )
        })
    }
}

/// A header's value that no log shows.
///
/// # Errors
/// When it holds characters that no header may hold.
pub fn secret_header(value: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut header = HeaderValue::from_str(value)?;
    header.set_sensitive(true);
    Ok(header)
}

/// Whether an address leads to this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Checks that credentials may be sent to an address: it has a host, and is https, or http on this machine.
///
/// # Errors
/// [`ConfigError`] of this setting.
pub fn check_address(setting: &'static str, url: &Url) -> Result<(), ConfigError> {
    let cause = match url.scheme() {
        _ if !url.has_host() => "has no host; write an address such as https://example.com",
        "https" => return Ok(()),
        "http" if is_loopback(url) => return Ok(()),
        _ => {
            "must begin with https:// (http:// is for loopback addresses only), or the credentials would travel openly"
        }
    };
    Err(ConfigError::new(setting, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_never_travel_openly() {
        for (url, good) in [
            ("https://x.atlassian.net", true),
            ("http://127.0.0.1:4000", true),
            ("http://localhost:4000/", true),
            ("http://[::1]:4000/", true),
            ("http://x.atlassian.net", false),
            ("http://localhost.example.com", false),
            ("ftp://127.0.0.1", false),
            ("data:text/plain,x", false),
        ] {
            let checked = check_address("SETTING", &url.parse().unwrap());
            assert_eq!(checked.is_ok(), good, "{url}");
        }
    }

    #[test]
    fn a_network_that_cannot_be_used_is_named_and_keeps_its_password() {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let network = |proxy: Option<&str>, pem: Option<&str>| Network {
            proxy: proxy.map(|url| url.parse().unwrap()),
            extra_ca_pem: pem.map(|text| text.as_bytes().to_vec()),
        };
        let client = |network: &Network| {
            network
                .client(Duration::ZERO, Duration::ZERO, |builder| builder)
                .map(drop)
        };
        let garbled = "-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n";
        for (network, setting) in [
            (network(None, Some("no pem")), "EXTRA_CA_FILE"),
            (network(None, Some("")), "EXTRA_CA_FILE"),
            (network(None, Some(garbled)), "EXTRA_CA_FILE"),
            (network(Some("data:hush"), None), "HTTPS_PROXY"),
        ] {
            let refused = client(&network).unwrap_err();
            assert_eq!(refused.setting, setting);
            assert!(!refused.to_string().contains("hush"), "{refused}");
        }
        let good = network(Some("http://me:hush@proxy.example:3128"), None);
        assert_eq!(client(&good), Ok(()));
        let shown = format!("{good:?}");
        assert!(
            shown.contains("proxy.example") && !shown.contains("hush"),
            "{shown}"
        );
    }

    #[test]
    fn a_secret_header_is_not_shown() {
        let header = secret_header("Bearer hush").unwrap();
        assert_eq!(header.as_bytes(), b"Bearer hush");
        assert!(!format!("{header:?}").contains("hush"));
        assert!(secret_header("Bearer hush\n").is_err());
    }
}
