//! What the service needs of the machine and of the network around it.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use der::{Decode as _, Reader as _, SliceReader, Tag};
use domain::ports::source::SourceHealth;
use futures_util::future::join_all;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::ExposeSecret as _;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use upstream::Broken;
use url::{Host, Url};

use super::{Finding, LONGEST, Outcome, within};
use crate::outgoing;
use crate::settings::{ConfluenceCredentials, EmbeddingsSettings, Settings};

/// Whether the service runs, and whether its address is free or its own.
pub(super) fn of_service(settings: &Settings) -> Vec<Finding> {
    let holder = metastore::lock_holder(&settings.database);
    let service = match &holder {
        Some(holder) => format!("runs: {holder}"),
        None => "does not run on this database".to_owned(),
    };
    let address = SocketAddr::new(settings.http.host, settings.http.port);
    let own =
        holder.and_then(|holder| holder.address?.parse::<Url>().ok()?.port_or_known_default());
    let port = if address.port() == 0 {
        Finding::good("port", "the system chooses one")
    } else if own == Some(address.port()) {
        Finding::good("port", format!("{address} is the service's own"))
    } else {
        match TcpListener::bind(address) {
            Ok(_) => Finding::good("port", format!("{address} is free")),
            Err(error) => {
                let said = format!(
                    "{address} cannot be listened at: {error}; stop the program that has it, or choose another API_PORT (API_HOST is an address of this machine)"
                );
                Finding::bad("port", said)
            }
        }
    };
    vec![Finding::good("service", service), port]
}

/// With less free, a sync may fail at any moment.
const LEAST_FREE: u64 = 100_000_000;

/// How a disk stands with so many bytes free, for a database of so many.
const fn disk_outcome(free: u64, database: u64) -> Outcome {
    if free < LEAST_FREE {
        Outcome::Failed
    } else if free < database.saturating_add(LEAST_FREE) {
        Outcome::Warning
    } else {
        Outcome::Ok
    }
}

/// The folder of a file, or the one above where it has to be made yet; and how many bytes are free there.
fn free_bytes(file: &Path) -> (PathBuf, std::io::Result<u64>) {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let folder = absolute.ancestors().skip(1).find(|folder| folder.is_dir());
    let folder = folder.unwrap_or(Path::new("/"));
    (folder.to_owned(), fs4::available_space(folder))
}

/// How many bytes are free on the fullest disk of the database and the embedded index; `None` where none can be looked at.
pub fn least_free(settings: &Settings) -> Option<u64> {
    let free = |file: PathBuf| free_bytes(&file).1.ok();
    settings.on_disk().into_iter().filter_map(free).min()
}

/// The disks of the database and of the embedded index.
pub(super) async fn of_disk(settings: &Settings) -> Vec<Finding> {
    let files = settings.on_disk();
    // A disk that hangs holds up one thread, and nobody else.
    let looked = spawn_blocking(move || {
        let disk_of = |file: &PathBuf| {
            let bytes = std::fs::metadata(file).map_or(0, |file| file.len());
            let (folder, free) = free_bytes(file);
            disk(&folder, free, bytes)
        };
        files.iter().map(disk_of).collect()
    });
    within("disk", async { looked.await.unwrap_or_default() }).await
}

/// What is said of a folder with so much free, for a database of so many bytes.
fn disk(folder: &Path, free: std::io::Result<u64>, bytes: u64) -> Finding {
    let free = match free {
        Ok(free) => free,
        Err(error) => {
            let said = format!(
                "{} cannot be looked at: {error}; check DATABASE_URL and EMBEDDED_INDEX_DIR",
                folder.display()
            );
            return Finding::bad("disk", said);
        }
    };
    let outcome = disk_outcome(free, bytes);
    let free = format!("{} MB are free at {}", free / 1_000_000, folder.display());
    let said = match outcome {
        Outcome::Ok => free,
        Outcome::Warning => format!(
            "{free}: too little for a dry run, a backup and an upgrade, each of which copies the database ({} MB); free some, or move it to a larger disk",
            bytes / 1_000_000
        ),
        Outcome::Failed => format!("{free}: syncs will fail; free some, or move the database"),
    };
    Finding::new("disk", outcome, said)
}

/// The addresses that requests go to, with the setting that names each.
fn addresses(settings: &Settings) -> Vec<(&'static str, Url)> {
    let mut all = Vec::new();
    if let Some(account) = &settings.confluence {
        all.push(("CONFLUENCE_BASE_URL", account.base_url.clone()));
        let app = match &account.credentials {
            ConfluenceCredentials::OAuth(app) => Some(app),
            ConfluenceCredentials::Basic { .. } => None,
        };
        if let Some(app) = app {
            let server = app.authorization_server.clone();
            let server = server.or_else(|| confluence::oauth::AUTHORIZATION_SERVER.parse().ok());
            all.extend(server.map(|url| ("CONFLUENCE_OAUTH_URL", url)));
        }
        if account.cloud_id.is_some() || app.is_some() {
            let gateway = account.gateway_url.clone();
            let gateway = gateway.or_else(|| confluence::GATEWAY.parse().ok());
            all.extend(gateway.map(|url| ("CONFLUENCE_GATEWAY_URL", url)));
        }
    }
    if let Some(account) = &settings.llamacloud {
        let host = account.base_url.clone();
        let host = host.or_else(|| llamacloud::config::US_HOST.parse().ok());
        all.extend(host.map(|url| ("LLAMA_CLOUD_BASE_URL", url)));
    }
    if let Some(EmbeddingsSettings::Endpoint(endpoint)) = &settings.embeddings {
        all.push(("EMBEDDINGS_URL", endpoint.url.clone()));
    }
    if let Some(oauth) = &settings.auth.oauth {
        all.push(("OAUTH_ISSUER", oauth.issuer.clone()));
    }
    if let Some(oidc) = &settings.auth.oidc {
        all.push(("OIDC_ISSUER", oidc.issuer.clone()));
    }
    all.extend(webhook(settings).map(|url| ("NOTIFY_WEBHOOK_URL", url)));
    if let Some(proxy) = &settings.network.proxy {
        // What goes through it is looked up there.
        all.retain(|(_, url)| url.scheme() != "https" || upstream::is_loopback(url));
        all.push(("HTTPS_PROXY", proxy.clone()));
    }
    all
}

fn webhook(settings: &Settings) -> Option<Url> {
    let notices = settings.notices.as_ref()?;
    notices.webhook_url.expose_secret().parse().ok()
}

/// Whether every host that the settings name can be found.
pub(super) async fn of_names(settings: &Settings) -> Vec<Finding> {
    let mut hosts: Vec<(&'static str, String)> = Vec::new();
    for (setting, url) in addresses(settings) {
        if let Some(Host::Domain(name)) = url.host()
            && !hosts.iter().any(|(_, known)| known == name)
        {
            hosts.push((setting, name.to_owned()));
        }
    }
    let found = join_all(hosts.iter().map(async |(setting, name)| {
        let why = match timeout(LONGEST, lookup_host((name.as_str(), 443))).await {
            Ok(Ok(_)) => return None,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no name server answered within {} s", LONGEST.as_secs()),
        };
        Some(format!("{name} ({setting}) is not found: {why}"))
    }));
    let lost: Vec<String> = found.await.into_iter().flatten().collect();
    let names: Vec<String> = hosts.into_iter().map(|(_, name)| name).collect();
    vec![if !lost.is_empty() {
        let said = format!(
            "{}; check how it is written, and the name server of this machine",
            lost.join("; ")
        );
        Finding::bad("names", said)
    } else if names.is_empty() {
        Finding::good("names", "the settings name addresses only")
    } else {
        Finding::good("names", format!("{} are found", names.join(", ")))
    }]
}

/// The proxy and the certificate authorities of the settings, where they name some.
pub(super) async fn of_network(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(proxy) = &settings.network.proxy {
        findings.push(of_proxy(proxy).await);
    }
    if let Some(pem) = &settings.network.extra_ca_pem {
        findings.push(of_certificates(pem, Utc::now()));
    }
    findings
}

async fn of_proxy(proxy: &Url) -> Finding {
    let host = proxy
        .host_str()
        .unwrap_or_default()
        .trim_matches(['[', ']']);
    let port = proxy.port_or_known_default().unwrap_or(3128);
    let why = match timeout(LONGEST, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => return Finding::good("proxy", format!("{host}:{port} takes connections")),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", LONGEST.as_secs()),
    };
    let said =
        format!("{host}:{port} takes no connection: {why}; check HTTPS_PROXY, and whether it runs");
    Finding::bad("proxy", said)
}

/// A certificate authority that ends sooner is to be replaced now.
const SOON: TimeDelta = TimeDelta::days(30);

/// Until when a certificate holds (`validity.notAfter` of RFC 5280, section 4.1); `None` for what is none.
fn ends_at(certificate: &CertificateDer<'_>) -> Option<DateTime<Utc>> {
    fn inner(of: AnyRef<'_>) -> Option<SliceReader<'_>> {
        SliceReader::new(of.value()).ok()
    }
    let mut fields = inner(AnyRef::from_der(certificate).ok()?)?;
    let mut signed = inner(AnyRef::decode(&mut fields).ok()?)?;
    // The version stands before the serial number, and may be left out.
    if signed.peek_tag().ok()? != Tag::Integer {
        AnyRef::decode(&mut signed).ok()?;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        AnyRef::decode(&mut signed).ok()?;
    }
    let mut validity = inner(AnyRef::decode(&mut signed).ok()?)?;
    AnyRef::decode(&mut validity).ok()?;
    let end = match validity.peek_tag().ok()? {
        Tag::UtcTime => UtcTime::decode(&mut validity).ok()?.to_unix_duration(),
        _ => GeneralizedTime::decode(&mut validity)
            .ok()?
            .to_unix_duration(),
    };
    DateTime::from_timestamp(i64::try_from(end.as_secs()).ok()?, 0)
}

fn of_certificates(pem: &[u8], now: DateTime<Utc>) -> Finding {
    let what = "certificates";
    let replace = "put its successor into EXTRA_CA_FILE";
    let ends: Option<Vec<DateTime<Utc>>> = CertificateDer::pem_slice_iter(pem)
        .map(|certificate| ends_at(&certificate.ok()?))
        .collect();
    let Some(first) = ends.as_ref().and_then(|ends| ends.iter().min()) else {
        let said = "EXTRA_CA_FILE holds no certificate that can be read; it has to be a PEM file of certificates";
        return Finding::bad(what, said);
    };
    let count = ends.as_ref().map_or(0, Vec::len);
    let day = first.format("%Y-%m-%d");
    if *first <= now {
        let said = format!(
            "of {count} in EXTRA_CA_FILE one ended on {day}: what it signed is refused; {replace}"
        );
        Finding::bad(what, said)
    } else if *first <= now + SOON {
        let said = format!("of {count} in EXTRA_CA_FILE one ends on {day}; {replace} by then");
        Finding::warning(what, said)
    } else {
        Finding::good(
            what,
            format!("{count} in EXTRA_CA_FILE; the first ends on {day}"),
        )
    }
}

/// A clock may be this far off: more shifts what counts as newest, and when what is retried.
const MAX_SKEW: TimeDelta = TimeDelta::minutes(2);

/// This machine's clock, by the one of Confluence.
pub(super) fn of_clock(source: &SourceHealth) -> Vec<Finding> {
    let Some(ahead) = source.clock_ahead else {
        return Vec::new();
    };
    let seconds = ahead.num_seconds();
    vec![if ahead.abs() > MAX_SKEW {
        let way = if seconds > 0 { "ahead of" } else { "behind" };
        let said = format!(
            "this machine's clock is {} s {way} Confluence's; set it right (NTP), or changes are told and found at wrong times",
            seconds.abs()
        );
        Finding::warning("clock", said)
    } else {
        Finding::good(
            "clock",
            format!("within {} s of Confluence's", seconds.abs().max(1)),
        )
    }]
}

/// What Confluence tells of its quota, where it does.
pub(super) fn of_quota(source: &SourceHealth) -> Option<Finding> {
    let what = "quota of Confluence";
    if let Some(until) = source.paused_until {
        let said = format!(
            "used up: requests wait until {}; nothing need be done, or lower CONFLUENCE_MAX_REQUESTS_PER_SECOND if that happens often",
            until.format("%H:%M:%S UTC")
        );
        return Some(Finding::warning(what, said));
    }
    let left = source.quota?;
    let said = format!(
        "{} points or requests are left until {}",
        left.remaining,
        left.refilled_at.format("%H:%M:%S UTC")
    );
    Some(Finding::good(what, said))
}

/// Whether the host of the webhook answers, where one is set. Nothing is sent to the webhook itself: that is what the test notice is for.
pub(super) async fn of_webhook(settings: &Settings) -> Vec<Finding> {
    let what = "webhook";
    let Some(mut url) = webhook(settings) else {
        return Vec::new();
    };
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    let host = url.host_str().unwrap_or_default().to_owned();
    let answered = match outgoing::client(&settings.network) {
        Ok(client) => {
            let asked = timeout(LONGEST, client.head(url).send()).await;
            asked.map_or_else(
                |_| Err(format!("no answer within {} s", LONGEST.as_secs())),
                |answer| answer.map_err(|error| Broken::from(error).detail),
            )
        }
        Err(error) => Err(error.to_string()),
    };
    vec![match answered {
        Ok(_) => {
            let said = format!(
                "{host} answers; whether it takes notices, a test notice shows (POST /api/notices/test)"
            );
            Finding::good(what, said)
        }
        Err(why) => {
            let said = format!(
                "{host} cannot be reached, so that notices will not arrive: {why}; check NOTIFY_WEBHOOK_URL"
            );
            Finding::bad(what, said)
        }
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_to_hold_a_second_database() {
        for (free, database, outcome) in [
            (0, 0, Outcome::Failed),
            (LEAST_FREE - 1, 0, Outcome::Failed),
            (LEAST_FREE, 0, Outcome::Ok),
            (LEAST_FREE + 4, 5, Outcome::Warning),
            (LEAST_FREE + 5, 5, Outcome::Ok),
            (LEAST_FREE, u64::MAX, Outcome::Warning),
        ] {
            assert_eq!(disk_outcome(free, database), outcome, "{free} {database}");
        }
    }

    /// Two authorities of ours, one of which ends after 2050, as the form of its date tells.
    const AUTHORITIES: &[u8] = include_bytes!("../../tests/it/authorities.pem");

    #[test]
    fn the_first_authority_to_end_counts() {
        let of = |pem: &[u8], day: &str| {
            let now = format!("{day}T00:00:00Z").parse().unwrap();
            of_certificates(pem, now)
        };
        for (day, outcome) in [
            ("2036-09-26", Outcome::Ok),
            ("2036-10-28", Outcome::Warning),
            ("2036-11-27", Outcome::Failed),
        ] {
            let found = of(AUTHORITIES, day);
            assert_eq!(found.outcome, outcome, "{day}: {found:?}");
            assert!(found.said.contains("2036-11-2"), "{found:?}");
        }
        let text = std::str::from_utf8(AUTHORITIES).unwrap();
        let second = text.rfind("-----BEGIN").unwrap();
        let found = of(&AUTHORITIES[second..], "2036-11-27");
        assert!(
            found.outcome == Outcome::Ok && found.said.contains("2126-"),
            "{found:?}"
        );
        let garbled = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        for pem in [&b""[..], b"no pem", garbled] {
            assert_eq!(of(pem, "2026-11-29").outcome, Outcome::Failed);
        }
    }

    #[test]
    fn a_clock_may_be_two_minutes_off() {
        for (seconds, outcome) in [
            (0, Outcome::Ok),
            (120, Outcome::Ok),
            (121, Outcome::Warning),
            (-120, Outcome::Ok),
            (-121, Outcome::Warning),
        ] {
            let source = SourceHealth {
                clock_ahead: Some(TimeDelta::seconds(seconds)),
                ..SourceHealth::default()
            };
            assert_eq!(of_clock(&source)[0].outcome, outcome, "{seconds}");
        }
        assert_eq!(of_clock(&SourceHealth::default()), []);
    }
}
