//! `postgres://…`: whom to call, and how much of TLS is asked for. The password is never shown.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::UrlError;

/// After so long without an answer to what was sent, or to a question whether it is there, the other side counts as gone.
const SILENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);

/// A database on a PostgreSQL server.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    config: Box<Config>,
    tls: Tls,
}

/// What `sslmode` asks for, in libpq's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Tls {
    /// `disable`.
    Never,
    /// `prefer` and `require` without a root: encrypted for whoever answers. ([`Config`] knows whether plain text will do as well.)
    Unverified,
    /// `verify-full`, and `require` with a root: the certificate is of that server, by the file's authorities or, without one, by those
    /// that the system trusts. So is `verify-ca` without a file: the world's authorities vouch for everybody.
    Verified(Option<PathBuf>),
    /// `verify-ca` with a file: the certificate is by its authorities, whatever name is in it.
    Signed(PathBuf),
}

impl ServerUrl {
    pub(super) fn parse(text: &str) -> Result<Self, UrlError> {
        let bad = |problem: &str| UrlError::BadServer {
            problem: problem.to_owned(),
        };
        let (address, options) = text.split_once('?').unwrap_or((text, ""));
        let (mut mode, mut root, mut rest) = (None, None, Vec::new());
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = percent_decode_str(value).decode_utf8_lossy();
            match name {
                "sslmode" => mode = Some(value.into_owned()),
                // `system` is libpq's word for those that the system trusts.
                "sslrootcert" => root = Some(value.into_owned()).filter(|root| root != "system"),
                _ => rest.push(option),
            }
        }
        let text = format!("{address}?{}", rest.join("&"));
        // What the parser says may hold a part of the URL, and so of a password.
        let mut config = Config::from_str(text.trim_end_matches('?'))
            .map(Box::new)
            .map_err(|_| bad("cannot be read, or has an option that is not known here"))?;
        if config.get_hosts().is_empty() {
            return Err(bad("names no host"));
        }
        let root = root.map(PathBuf::from);
        let tls = match (mode.as_deref().unwrap_or("prefer"), root) {
            ("disable", _) => Tls::Never,
            ("prefer" | "require", None) => Tls::Unverified,
            ("prefer", Some(_)) => {
                return Err(bad(
                    "names authorities (sslrootcert), which count only with sslmode=verify-full or verify-ca",
                ));
            }
            ("verify-ca", Some(root)) => Tls::Signed(root),
            ("require" | "verify-ca" | "verify-full", root) => Tls::Verified(root),
            _ => {
                return Err(bad(
                    "has an sslmode other than disable, prefer, require, verify-ca and verify-full",
                ));
            }
        };
        config.ssl_mode(match (&tls, mode.as_deref()) {
            (Tls::Never, _) => SslMode::Disable,
            (_, None | Some("prefer")) => SslMode::Prefer,
            _ => SslMode::Require,
        });
        if config.get_application_name().is_none() {
            config.application_name("mcp-confluence");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        config.keepalives_idle(SILENCE / 3);
        config.keepalives_interval(SILENCE / 6);
        config.keepalives_retries(4);
        Ok(Self { config, tls })
    }

    /// The same database, where unqualified names mean this schema.
    pub(crate) fn in_schema(&self, schema: &str) -> Self {
        let mut own = self.clone();
        let others = self.config.get_options().unwrap_or_default();
        own.config
            .options(format!("{others} -c search_path={schema}").trim_start());
        own
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// How long a call may take, to its end: to each of its addresses, and for what is said there.
    pub(crate) fn patience(&self) -> Duration {
        let each = self.config.get_connect_timeout().copied();
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(1);
        each.unwrap_or(CONNECT) * (hosts + 1)
    }

    pub(crate) const fn tls(&self) -> &Tls {
        &self.tls
    }

    fn host(&self) -> String {
        match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(folder)) => shown(folder),
            None => String::new(),
        }
    }
}

fn shown(folder: &Path) -> String {
    folder.display().to_string().replace('/', "%2F")
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}", self.host())?;
        if let Some(port) = self.config.get_ports().first() {
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerUrl").field(&self.to_string()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ServerUrl, UrlError> {
        ServerUrl::parse(text)
    }

    #[test]
    fn sslmode_means_what_libpq_means_by_it_or_more() {
        let verified = |root: Option<&str>| Tls::Verified(root.map(Into::into));
        for (options, tls, mode) in [
            ("", Tls::Unverified, SslMode::Prefer),
            ("?sslmode=disable", Tls::Never, SslMode::Disable),
            ("?sslmode=prefer", Tls::Unverified, SslMode::Prefer),
            ("?sslmode=require", Tls::Unverified, SslMode::Require),
            (
                "?sslmode=require&sslrootcert=%2Fca.pem",
                verified(Some("/ca.pem")),
                SslMode::Require,
            ),
            (
                "?sslrootcert=/ca.pem&application_name=x&sslmode=verify-full",
                verified(Some("/ca.pem")),
                SslMode::Require,
            ),
            (
                "?sslmode=verify-full&sslrootcert=system",
                verified(None),
                SslMode::Require,
            ),
            ("?sslmode=verify-ca", verified(None), SslMode::Require),
            (
                "?sslmode=verify-ca&sslrootcert=/ca.pem",
                Tls::Signed("/ca.pem".into()),
                SslMode::Require,
            ),
        ] {
            let url = parse(&format!("postgres://me@db.example/sync{options}")).unwrap();
            assert_eq!(
                (&url.tls, url.config.get_ssl_mode()),
                (&tls, mode),
                "{options}"
            );
        }
    }

    #[test]
    fn a_call_to_several_servers_may_take_as_long_as_each_of_them() {
        let patience = |text: &str| parse(text).unwrap().patience().as_secs();
        assert_eq!(patience("postgres://me@a/sync"), 20);
        let several = "postgres://me@a,b:5433/sync?target_session_attrs=read-write";
        assert_eq!(patience(several), 30);
        assert_eq!(patience("postgres://me@a/sync?connect_timeout=1"), 2);
    }

    #[test]
    fn no_message_shows_a_password() {
        for text in [
            "postgres:///sync?password=hunter2",
            "postgres://me:hunter2@db:port/sync",
            "postgres://me:hunter2@db/sync?sslmode=yes",
            "postgres://me:hunter2@db/sync?sslrootcert=/ca.pem",
            "postgres://me:hunter2@db/sync?hunter2=1",
        ] {
            let error = parse(text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("PostgreSQL URL"), "{shown}");
        }
        let url = parse("postgresql://me:hunter2@db.example:5433/sync?sslmode=disable").unwrap();
        assert_eq!(url.to_string(), "postgres://db.example:5433/sync");
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
