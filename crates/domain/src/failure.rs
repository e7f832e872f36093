//! Why a page or its document failed, as numbers tell it: few words that never change. What the error said beside is for people, and
//! stands with the page.

use crate::ports::source::SourceError;

/// The cause of a failure; a closed set, since metrics have a series for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailureCause {
    /// Confluence refuses the credentials, the account or the request.
    SourceRefused,
    /// Confluence does not give what it named.
    SourceMissing,
    /// Confluence does not answer, limits requests, or something else answers in its place.
    SourceUnavailable,
    /// Confluence's answer is too large.
    SourceTooLarge,
    /// The converter broke on the body.
    Unconverted,
    /// An attached file could not be read.
    FileUnread,
    /// The store refuses the document.
    StoreRefused,
    /// The store took the document, and failed with it.
    StoreFailed,
    /// The store took the document, and did not find it in time.
    StoreLate,
    /// The store does not answer about the document.
    StoreUnavailable,
}

impl FailureCause {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::SourceRefused,
        Self::SourceMissing,
        Self::SourceUnavailable,
        Self::SourceTooLarge,
        Self::Unconverted,
        Self::FileUnread,
        Self::StoreRefused,
        Self::StoreFailed,
        Self::StoreLate,
        Self::StoreUnavailable,
    ];

    /// The label of its series.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SourceRefused => "confluence_refused",
            Self::SourceMissing => "confluence_missing",
            Self::SourceUnavailable => "confluence_unavailable",
            Self::SourceTooLarge => "confluence_too_large",
            Self::Unconverted => "unconverted",
            Self::FileUnread => "file_unread",
            Self::StoreRefused => "store_refused",
            Self::StoreFailed => "store_failed",
            Self::StoreLate => "store_late",
            Self::StoreUnavailable => "store_unavailable",
        }
    }
}

impl From<&SourceError> for FailureCause {
    fn from(error: &SourceError) -> Self {
        match error {
            SourceError::Unauthorized { .. }
            | SourceError::LacksScope { .. }
            | SourceError::Forbidden { .. }
            | SourceError::Withdrawn { .. }
            | SourceError::Rejected { .. } => Self::SourceRefused,
            SourceError::NotFound { .. } => Self::SourceMissing,
            SourceError::TooLarge { .. } => Self::SourceTooLarge,
            SourceError::RateLimited { .. }
            | SourceError::NotConfluence { .. }
            | SourceError::Unavailable { .. }
            | SourceError::BadCursor { .. } => Self::SourceUnavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_cause_has_a_label_of_its_own() {
        let labels: BTreeSet<&str> = FailureCause::ALL.map(FailureCause::as_str).into();
        assert_eq!(labels.len(), FailureCause::ALL.len());
        let word = |label: &&str| label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(labels.iter().all(word), "{labels:?}");
    }

    #[test]
    fn errors_of_confluence_have_their_cause() {
        let what = || "pages".to_owned();
        let detail = || "503".to_owned();
        for (error, cause) in [
            (
                SourceError::NotFound { what: what() },
                FailureCause::SourceMissing,
            ),
            (
                SourceError::Unavailable {
                    what: what(),
                    detail: detail(),
                },
                FailureCause::SourceUnavailable,
            ),
            (
                SourceError::TooLarge {
                    what: what(),
                    detail: detail(),
                },
                FailureCause::SourceTooLarge,
            ),
            (
                SourceError::LacksScope {
                    what: what(),
                    scope: "read:page:confluence",
                },
                FailureCause::SourceRefused,
            ),
        ] {
            assert_eq!(FailureCause::from(&error), cause, "{error}");
        }
    }
}
