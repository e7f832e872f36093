//! The mass-deletion guard: more than a configured share disappearing at the source stops deletions until the
//! administrator has answered.

/// Indexes with fewer stored pages than this are not guarded: half of four pages is no catastrophe.
pub const GUARDED_FROM: i64 = 20;

/// What the guard says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Remove them.
    Proceed,
    /// Remove none; ask the administrator.
    Stop {
        /// How many would go.
        vanishing: i64,
        /// Of how many.
        stored: i64,
    },
}

/// Judges removals that the source suggests (not those that the administrator's own change of scope asks for).
/// `accepted`: the administrator has said yes to exceeding the share.
#[must_use]
pub const fn judge(stored: i64, vanishing: i64, max_percent: u32, accepted: bool) -> Verdict {
    if accepted || stored < GUARDED_FROM || vanishing * 100 <= stored * max_percent as i64 {
        Verdict::Proceed
    } else {
        Verdict::Stop { vanishing, stored }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_and_the_size_decide() {
        for (stored, vanishing, accepted, proceeds) in [
            (100, 30, false, true),
            (100, 31, false, false),
            (100, 100, true, true),
            (19, 19, false, true),
            (20, 7, false, false),
            (0, 0, false, true),
        ] {
            assert_eq!(
                judge(stored, vanishing, 30, accepted) == Verdict::Proceed,
                proceeds,
                "{vanishing} of {stored}"
            );
        }
    }
}
