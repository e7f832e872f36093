//! Random choices that a seed names, and many seeds side by side.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A small generator, so that a seed means the same for ever.
pub struct Luck(u64);

impl Luck {
    pub fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 0 up to, and without, this.
    pub fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % below.max(1)
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.next(times) == 0
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.next(from.len())].clone())
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|n| n.parse().ok())
}

/// Lives the sequences that `<NAME>_SEEDS` and `<NAME>_FROM` ask for, else the first `usual`, so many side by side. Names those
/// that failed, after all have ended.
pub fn each_seed(name: &str, usual: u64, side_by_side: usize, sequence: impl Fn(u64) + Sync) {
    let from = number(&format!("{name}_FROM")).unwrap_or(1);
    let seeds = from..from + number(&format!("{name}_SEEDS")).unwrap_or(usual);
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..side_by_side {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if !seeds.contains(&seed) {
                        return;
                    }
                    if catch_unwind(AssertUnwindSafe(|| sequence(seed))).is_err() {
                        eprintln!("{name}_FROM={seed} {name}_SEEDS=1 is a sequence that fails");
                        failed.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let (count, took) = (seeds.end - seeds.start, began.elapsed());
    eprintln!("{name}: {count} sequences in {:.1} s", took.as_secs_f64());
    let mut failed = failed.into_inner().unwrap();
    failed.sort_unstable();
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
}
