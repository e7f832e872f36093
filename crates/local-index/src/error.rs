//! What can go wrong with the file.

use std::path::PathBuf;

use domain::ports::retrieval::BackendError;

/// Why the embedded index cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum LocalIndexError {
    /// The file or its folder cannot be made or opened, or it is no index of ours.
    #[error("the embedded index at {path} cannot be opened: {detail}")]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        detail: String,
    },
    /// There is no file, and whoever only looks makes none.
    #[error("there is no embedded index {path}; the service makes it at its first start")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// An older release wrote the file, and whoever only looks does not change it.
    #[error(
        "the embedded index at {path} has format {found}; the next start of the service brings it to format {known}"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// The format found.
        found: i64,
        /// The format of this release.
        known: i64,
    },
    /// A newer release of this service wrote the file.
    #[error(
        "the embedded index at {path} has format {found}, this release knows up to {known}: use the newer release, or remove the file and sync again"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format found.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// A statement failed.
    #[error("the embedded index failed: {0}")]
    Database(#[from] diesel::result::Error),
    /// No connection was free in time.
    #[error("the embedded index is busy: {0}")]
    Busy(String),
    /// The collection is not there.
    #[error("the embedded index has no collection {0}")]
    NoCollection(String),
    /// The collection belongs to another index.
    #[error("the collection {0} belongs to another index")]
    NotOurs(String),
}

impl From<LocalIndexError> for BackendError {
    fn from(error: LocalIndexError) -> Self {
        match error {
            LocalIndexError::NoCollection(id) => Self::ObjectGone { id },
            LocalIndexError::NotOurs(name) => Self::NotOurs { name },
            other => Self::Unavailable {
                detail: other.to_string(),
            },
        }
    }
}
