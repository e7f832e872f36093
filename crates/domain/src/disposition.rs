//! What to do about an error: the one question that every caller of an adapter has.

use std::time::Duration;

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

    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::Retry { .. })
    }
}
