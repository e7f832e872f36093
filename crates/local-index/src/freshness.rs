//! What age takes from a passage's score: pages that nobody touched for years count a little less. Pure.

/// What the oldest page counts, at the least: an old page that alone answers is still found before a new one that does not.
const LEAST: f32 = 0.8;
/// Seconds of a year.
const YEAR: f32 = 365.25 * 86_400.0;

/// Counts by age.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Decay {
    /// The time of day, seconds since 1970.
    pub now: i64,
    /// Up to so many years a page counts whole; of what it may lose it has lost half after as many more.
    pub years: u32,
}

impl Decay {
    /// What a page counts that was modified then (seconds since 1970): from 1 down to [`LEAST`].
    #[expect(
        clippy::cast_precision_loss,
        reason = "ages in seconds, years in single digits"
    )]
    pub(crate) fn weight(self, modified: i64) -> f32 {
        let age = self.now.saturating_sub(modified).max(0) as f32 / YEAR;
        let years = self.years.max(1) as f32;
        let over = (age / years - 1.0).max(0.0);
        LEAST + (1.0 - LEAST) * (-over).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn weight(age_in_years: f64, years: u32) -> f32 {
        let decay = Decay { now: NOW, years };
        #[expect(clippy::cast_possible_truncation, reason = "a moment")]
        decay.weight(NOW - (age_in_years * f64::from(YEAR)) as i64)
    }

    #[test]
    fn a_page_counts_whole_for_some_years_and_then_less_and_never_little() {
        for (age, years, expected) in [
            (0.0, 2, 1.0),
            (1.9, 2, 1.0),
            (4.0, 2, 0.9),
            (6.0, 2, 0.85),
            (2.0, 1, 0.9),
            (100.0, 1, 0.8),
            // What is said to come from the future.
            (-3.0, 1, 1.0),
        ] {
            let is = weight(age, years);
            assert!((is - expected).abs() < 0.001, "{age} {years}: {is}");
        }
        let falling: Vec<f32> = (0..40).map(|age| weight(f64::from(age), 3)).collect();
        assert!(falling.is_sorted_by(|a, b| a >= b) && falling.iter().all(|w| *w >= LEAST));
    }
}
