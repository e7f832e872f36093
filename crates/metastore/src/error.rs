//! Errors of this crate, and how diesel's become the port's.

use std::path::PathBuf;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use domain::ports::store::StoreError;

use crate::lock::LockHolder;

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
    /// There is no file, and what is asked for makes none.
    #[error("there is no database {}; check DATABASE_URL, or start the service once, which makes it", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It would have to be brought up to date, which the service does and no command.
    #[error("the database {} was made by an older version; {}", path.display(), who_brings_it_up_to_date(holder.as_ref()))]
    Outdated {
        /// The file.
        path: PathBuf,
        /// Who works on it.
        holder: Option<LockHolder>,
    },
    /// The engine's lock cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file is there but SQLite cannot use it.
    #[error("the database file {} cannot be used: {detail}; if it is no SQLite database, name another file, else restore a backup", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the driver said.
        detail: String,
    },
    /// Other users may read it.
    #[error(transparent)]
    Exposed(#[from] private_files::Exposed),
    /// A newer version of the service made it.
    #[error("the database {} was made by a newer version (migration {migration}); run that version, or restore an older backup", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The first migration that is not known here.
        migration: String,
    },
    /// A migration failed; nothing of it stays.
    #[error("the database {} cannot be brought up to date: {detail}", path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// What failed.
        detail: String,
    },
}

/// Why the engine's lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{} is in use by {}; stop it first, or choose another DATABASE_URL", database.display(), describe(holder.as_ref()))]
    Held {
        /// The database.
        database: PathBuf,
        /// Who has it, as far as the lock file says.
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
