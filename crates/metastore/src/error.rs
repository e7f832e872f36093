//! Errors of this crate, and how diesel's become the port's.

use std::path::PathBuf;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use domain::ports::store::StoreError;

use crate::lock::LockHolder;
use crate::url::{DatabaseUrl, Place};

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or the file cannot be made or opened.
    #[error("the database file {} cannot be opened: {source}; check that the folder exists and may be written", path.display())]
    Inaccessible {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is nothing yet, and what is asked for makes nothing.
    #[error(
        "there is no database {database}; check DATABASE_URL, or start the service once, which makes it"
    )]
    Missing {
        /// The database.
        database: Place,
    },
    /// It would have to be brought up to date, which the service does and no command.
    #[error("the database {database} was made by an older version; {}", who_brings_it_up_to_date(holder.as_ref()))]
    Outdated {
        /// The database.
        database: Place,
        /// Who works on it.
        holder: Option<LockHolder>,
    },
    /// The engine's lock cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The server does not answer, lets nobody in, or has no such database.
    #[error(
        "the database {database} cannot be reached: {detail}; check DATABASE_URL, and that the server runs and lets this user in"
    )]
    Unreachable {
        /// The database.
        database: Place,
        /// What the driver said.
        detail: String,
    },
    /// The file is there but SQLite cannot use it.
    #[error(
        "the database file {database} cannot be used: {detail}; if it is no SQLite database, name another file, else restore a backup"
    )]
    Unusable {
        /// The database.
        database: Place,
        /// What the driver said.
        detail: String,
    },
    /// Other users may read it.
    #[error(transparent)]
    Exposed(#[from] private_files::Exposed),
    /// Not all of the other one is in it yet.
    #[error(
        "the database {database} is an unfinished copy of {of}; run `mcp-confluence copy` again, which goes on where it was"
    )]
    Unfinished {
        /// The database.
        database: Place,
        /// What it is a copy of.
        of: String,
    },
    /// A newer version of the service made it.
    #[error(
        "the database {database} was made by a newer version (migration {migration}); run that version, or restore an older backup"
    )]
    TooNew {
        /// The database.
        database: Place,
        /// The first migration that is not known here.
        migration: String,
    },
    /// A migration failed; nothing of it stays.
    #[error("the database {database} cannot be brought up to date: {detail}")]
    Migration {
        /// The database.
        database: Place,
        /// What failed.
        detail: String,
    },
}

impl OpenError {
    /// A database that does not let itself be used.
    pub(crate) fn unusable(url: &DatabaseUrl, detail: &dyn std::fmt::Display) -> Self {
        let (database, detail) = (url.place(), detail.to_string());
        match url.file() {
            Some(_) => Self::Unusable { database, detail },
            None => Self::Unreachable { database, detail },
        }
    }
}

/// Why the engine's lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{database} is in use by {}; stop it first, or choose another DATABASE_URL", describe(holder.as_ref()))]
    Held {
        /// The database.
        database: Place,
        /// Who has it, as far as that is noted.
        holder: Option<LockHolder>,
    },
    /// Other users may read the lock file, which holds a key.
    #[error(transparent)]
    Exposed(#[from] private_files::Exposed),
    /// The lock file cannot be made or locked.
    #[error("the lock file {} cannot be used: {source}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server that keeps the lock cannot be asked for it.
    #[error(
        "the lock of {database} cannot be had: {detail}; check DATABASE_URL, and that the server runs and lets this user in"
    )]
    Unreachable {
        /// The database.
        database: Place,
        /// What the driver said.
        detail: String,
    },
}

fn who_brings_it_up_to_date(holder: Option<&LockHolder>) -> String {
    match holder {
        Some(holder) => format!("{holder} works on it: restart that with this version first"),
        None => {
            "start the service with this version first: it brings it up to date, and keeps a copy"
                .to_owned()
        }
    }
}

pub(crate) fn describe(holder: Option<&LockHolder>) -> String {
    holder.map_or_else(|| "another process".to_owned(), ToString::to_string)
}

/// What stops a closure over a connection: an error of the port, or one of diesel's that is still to be translated.
#[derive(Debug)]
pub(crate) enum Fault {
    Store(StoreError),
    Diesel(DieselError),
}

/// The result of everything that works on a connection.
pub(crate) type Done<T> = Result<T, Fault>;

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<DieselError> for Fault {
    fn from(error: DieselError) -> Self {
        Self::Diesel(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error,
            Fault::Diesel(error) => translate(&error),
        }
    }
}

fn translate(error: &DieselError) -> StoreError {
    let detail = error.to_string();
    match error {
        DieselError::NotFound => StoreError::NotFound {
            what: "such row".to_owned(),
        },
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => StoreError::Conflict {
            what: format!("there is one like that already ({detail})"),
        },
        // The only foreign keys lead to `indexes` and to their objects.
        DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => {
            not_found("such index (it was deleted)")
        }
        DieselError::DatabaseError(
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::SerializationFailure,
            _,
        ) => StoreError::Busy { detail },
        _ if detail.contains("database is locked")
            || detail.contains("database table is locked") =>
        {
            StoreError::Busy { detail }
        }
        _ => StoreError::Failed { detail },
    }
}

pub(crate) fn not_found(what: impl Into<String>) -> StoreError {
    StoreError::NotFound { what: what.into() }
}

pub(crate) fn conflict(what: impl Into<String>) -> StoreError {
    StoreError::Conflict { what: what.into() }
}

pub(crate) fn failed(detail: impl Into<String>) -> StoreError {
    StoreError::Failed {
        detail: detail.into(),
    }
}
