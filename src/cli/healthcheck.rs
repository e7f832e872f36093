//! `healthcheck`: asks the service of these settings whether it is ready.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::{CliError, CliResult, DONE};
use crate::settings::{Need, Settings, pairs};

pub(super) async fn run() -> CliResult {
    let (pairs, _) = pairs::from_environment(Path::new("."))?;
    let (settings, _) = Settings::from_pairs(&pairs, Need::Local)?;
    let host = match settings.http.host {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    let address = format!(
        "http://{}/health/ready",
        SocketAddr::new(host, settings.http.port)
    );
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .no_proxy()
        .build()
        .map_err(CliError::failed)?;
    let answer = client
        .get(&address)
        .send()
        .await
        .map_err(|error| CliError::failed(format!("nothing answers: {error}")))?;
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    if status.is_success() {
        super::print(&body);
        Ok(DONE)
    } else {
        Err(CliError::failed(format!(
            "{address} answers {status}: {body}"
        )))
    }
}
