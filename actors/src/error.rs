//! Why the engine did not do what it was asked.

use std::time::Duration;

use domain::ports::retrieval::BackendError;
use domain::ports::source::SourceError;
use domain::ports::store::StoreError;
use domain::problem::Problem;
use domain::{IndexId, index::BackendKind};

/// Why the engine did not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no such index or run.
    #[error("there is no {what}")]
    NotFound {
        /// The thing, with its id.
        what: String,
    },
    /// The engine is stopping, or an actor does not answer in time.
    #[error("the engine cannot do it now: {detail}")]
    Busy {
        /// Which part, and why.
        detail: String,
    },
    /// So many questions to an index are under way that the rest of the room is left to others.
    #[error(
        "too many questions to index {index} are being answered already; ask again when some of them are answered"
    )]
    TooManyQuestions {
        /// The index.
        index: IndexId,
    },
    /// A panic ended the work: a bug.
    #[error("{what} met a fault of this program; its log says where")]
    Fault {
        /// What was being done.
        what: String,
    },
    /// The index names a backend that is not set up.
    #[error(
        "index {index} is kept in {backend}, which is not set up: set its credentials, or change the index's backend"
    )]
    BackendMissing {
        /// The index.
        index: IndexId,
        /// The backend it names.
        backend: BackendKind,
    },
    /// The answer could not be checked at the source, and `VERIFY_ON_READ=strict` forbids to give it unchecked.
    #[error(
        "the answer could not be checked at Confluence, and VERIFY_ON_READ=strict forbids to give it unchecked: {detail}"
    )]
    Unverified {
        /// Why it could not be checked.
        detail: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Confluence.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The retrieval store.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The engine's thread could not be started.
    #[error("the engine cannot start: {detail}")]
    Start {
        /// The cause.
        detail: String,
    },
}

impl EngineError {
    /// Whether what was asked about is not there, or no longer: an index may be deleted at any moment.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. } | Self::Store(StoreError::NotFound { .. })
        )
    }

    /// How long the other side asks for no requests, where that is the reason.
    #[must_use]
    pub const fn asks_to_wait(&self) -> Option<Duration> {
        match self {
            Self::Source(SourceError::RateLimited { retry_after, .. })
            | Self::Backend(BackendError::RateLimited { retry_after }) => Some(*retry_after),
            _ => None,
        }
    }

    /// The problem that REST, MCP and run records show.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem::new(self.code(), self.to_string())
    }

    /// The stable word among [`domain::problem::CODES`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } | Self::Store(StoreError::NotFound { .. }) => "not_found",
            Self::Busy { .. } | Self::TooManyQuestions { .. } => "engine_busy",
            Self::BackendMissing { .. } => "needs_settings",
            Self::Unverified { .. } => "confluence_unreachable",
            Self::Store(StoreError::Conflict { .. }) => "conflict",
            Self::Store(_) => "database_unavailable",
            Self::Source(error) => error.code(),
            Self::Backend(error) => error.code(),
            Self::Start { .. } | Self::Fault { .. } => "internal",
        }
    }
}
