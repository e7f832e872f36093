//! What to do about an error: the one question that every caller of an adapter has.

use std::time::Duration;

use crate::part::Part;

/// The answer that each adapter's error gives to "what now?".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disposition {
    /// Passing trouble: try again, not before this long from now, with back-off above it.
    Retry {
        /// The least wait that the other side asked for; zero when it asked for none.
        after: Duration,
    },
    /// The request is too large: halve it and try again.
    Split,
    /// A walk's cursor is no good: begin that walk again.
    RestartWalk,
    /// This item cannot be had; record why and go on with the others.
    SkipItem,
    /// Nothing of this run can succeed (credentials, permissions, credits): end it and tell the administrator.
    FailRun,
    /// Our own fault or a broken machine: stop and tell.
    Fatal,
}

impl Disposition {
    /// A retry at the back-off's own pace.
    pub const RETRY: Self = Self::Retry {
        after: Duration::ZERO,
    };

    /// Whether nothing of a run can succeed when a request ended so, for its pages (`None`) or for an optional part of it: that
    /// fails alone, whoever refuses it.
    #[must_use]
    pub const fn ends_run(self, part: Option<Part>) -> bool {
        matches!((self, part), (Self::FailRun, None) | (Self::Fatal, _))
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::Retry { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_part_fails_alone() {
        let parts = [Part::Comments, Part::Files, Part::Rendered, Part::Names];
        for (disposition, pages, part) in [
            (Disposition::FailRun, true, false),
            (Disposition::Fatal, true, true),
            (Disposition::RETRY, false, false),
            (Disposition::SkipItem, false, false),
            (Disposition::Split, false, false),
            (Disposition::RestartWalk, false, false),
        ] {
            assert_eq!(disposition.ends_run(None), pages, "{disposition:?}");
            for of in parts {
                assert_eq!(
                    disposition.ends_run(Some(of)),
                    part,
                    "{disposition:?} {of:?}"
                );
            }
        }
    }
}
