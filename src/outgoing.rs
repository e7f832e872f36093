//! The HTTP client for what the service itself sends out: the webhook, the issuer's keys. (Confluence and LlamaCloud have
//! clients of their own.)

use std::time::Duration;

use crate::settings::Settings;

/// No such message takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client that knows the operator's proxy and certificate authority.
///
/// # Errors
/// When one of them cannot be used; in words.
pub fn client(settings: &Settings) -> Result<reqwest::Client, String> {
    let unusable = |error: reqwest::Error| format!("the HTTP client cannot be made: {error}");
    let mut builder = reqwest::Client::builder()
        .timeout(PATIENCE)
        .user_agent(concat!("mcp-confluence/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = &settings.https_proxy {
        builder = builder.proxy(reqwest::Proxy::https(proxy.as_str()).map_err(unusable)?);
    }
    if let Some(file) = &settings.extra_ca_file {
        let pem = std::fs::read(file)
            .map_err(|error| format!("EXTRA_CA_FILE cannot be read: {error}"))?;
        for certificate in reqwest::Certificate::from_pem_bundle(&pem).map_err(unusable)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(unusable)
}
