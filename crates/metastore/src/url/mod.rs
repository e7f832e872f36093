//! `DATABASE_URL`: which database, chosen by scheme and never by trying.

#[cfg(feature = "postgres")]
mod server;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[cfg(feature = "postgres")]
pub use self::server::ServerUrl;
#[cfg(feature = "postgres")]
pub(crate) use self::server::Tls;

/// Where the database is. Showing it never shows a password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DatabaseUrl {
    /// A SQLite file.
    File(PathBuf),
    /// A database on a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Server(ServerUrl),
}

/// A database as messages name it: the path of its file, or its address without user and password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place(String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no database URL. Never repeats the text, which may hold a password.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlError {
    /// PostgreSQL, which this build cannot speak.
    #[error(
        "{scheme}:// needs a build with PostgreSQL support, which this one lacks; use sqlite:///./confluence_sync.db"
    )]
    NoPostgres {
        /// `postgres` or `postgresql`.
        scheme: String,
    },
    /// A scheme of no database that we know.
    #[error(
        "{scheme}:// is no database that is known here; use sqlite:///./file.db (relative) or sqlite:////folder/file.db (absolute)"
    )]
    UnknownScheme {
        /// What stands before `://`.
        scheme: String,
    },
    /// No scheme at all.
    #[error(
        "a database URL begins with its scheme: sqlite:///./file.db (relative) or sqlite:////folder/file.db (absolute)"
    )]
    NoScheme,
    /// A PostgreSQL URL that says not enough, or too much.
    #[error(
        "the PostgreSQL URL {problem}; use postgres://user@host:5432/database?sslmode=verify-full"
    )]
    BadServer {
        /// What is wrong with it.
        problem: String,
    },
    /// A SQLite URL without a usable file.
    #[error(
        "the SQLite URL {problem}; use sqlite:///./file.db (relative) or sqlite:////folder/file.db (absolute)"
    )]
    BadPath {
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl DatabaseUrl {
    /// Reads `sqlite:///./relative`, `sqlite:///relative`, `sqlite://relative`, `sqlite:////absolute` and, in a build with it,
    /// `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…`.
    ///
    /// # Errors
    /// Any other scheme, and SQLite in memory (each connection would see a database of its own).
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        if text.starts_with("sqlite::memory:") {
            return Err(UrlError::BadPath {
                problem: "asks for a database in memory, but what is kept there would not outlive the process",
            });
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::NoScheme)?;
        match scheme {
            "sqlite" => {}
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => return ServerUrl::parse(text).map(Self::Server),
            #[cfg(not(feature = "postgres"))]
            "postgres" | "postgresql" => {
                return Err(UrlError::NoPostgres {
                    scheme: scheme.to_owned(),
                });
            }
            other
                if other
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) =>
            {
                return Err(UrlError::UnknownScheme {
                    scheme: other.to_owned(),
                });
            }
            _ => return Err(UrlError::NoScheme),
        }
        let path = rest.strip_prefix('/').unwrap_or(rest);
        let problem = if path.is_empty() || path == "/" {
            Some("names no file")
        } else if path.ends_with('/') {
            Some("names a folder, not a file")
        } else if path.contains(":memory:") {
            Some(
                "asks for a database in memory, but what is kept there would not outlive the process",
            )
        } else if path.contains(['?', '#', '\0']) {
            Some("holds '?' or '#', and there are no options")
        } else {
            None
        };
        match problem {
            Some(problem) => Err(UrlError::BadPath { problem }),
            None => Ok(Self::of_file(path)),
        }
    }

    /// The URL of a SQLite file.
    #[must_use]
    pub fn of_file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into())
    }

    /// The SQLite file; `None` when the database is on a server.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            #[cfg(feature = "postgres")]
            Self::Server(_) => None,
        }
    }

    /// As messages name it.
    #[must_use]
    pub fn place(&self) -> Place {
        Place(match self {
            Self::File(path) => path.display().to_string(),
            #[cfg(feature = "postgres")]
            Self::Server(server) => server.to_string(),
        })
    }
}

impl FromStr for DatabaseUrl {
    type Err = UrlError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "sqlite:///{}", path.display()),
            #[cfg(feature = "postgres")]
            Self::Server(server) => server.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_finds_its_file() {
        for (text, path) in [
            ("sqlite:///./confluence_sync.db", "./confluence_sync.db"),
            ("sqlite:///data/a.db", "data/a.db"),
            ("sqlite:////var/lib/a.db", "/var/lib/a.db"),
            ("sqlite://a.db", "a.db"),
            ("sqlite://./a.db", "./a.db"),
            (" sqlite:///a b.db\n", "a b.db"),
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!(url.file(), Some(Path::new(path)), "{text}");
            assert_eq!(DatabaseUrl::parse(&url.to_string()).unwrap(), url, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_opened_says_why_and_never_repeats_a_password() {
        for (text, word) in [
            #[cfg(not(feature = "postgres"))]
            ("postgres://me:hunter2@db/x", "PostgreSQL support"),
            #[cfg(not(feature = "postgres"))]
            ("postgresql://me:hunter2@db/x", "PostgreSQL support"),
            ("mysql://me:hunter2@db/x", "mysql:// is no database"),
            ("host=db password=hunter2 ://", "begins with its scheme"),
            ("./a.db", "begins with its scheme"),
            ("", "begins with its scheme"),
            ("sqlite::memory:", "in memory"),
            ("sqlite:///:memory:", "in memory"),
            ("sqlite://", "names no file"),
            ("sqlite:///", "names no file"),
            ("sqlite:////", "names no file"),
            ("sqlite:///data/", "names a folder"),
            ("sqlite:///a.db?mode=ro", "no options"),
        ] {
            let error = DatabaseUrl::parse(text).unwrap_err();
            let message = error.to_string();
            assert!(message.contains(word), "{text}: {message}");
            assert!(!format!("{message}{error:?}").contains("hunter2"), "{text}");
        }
    }
}
