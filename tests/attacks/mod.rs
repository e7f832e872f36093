//! Attacks against the running program: a row of the table in `docs/SECURITY-TESTS.md` for each, with what was tried.
//!
//! [`ROWS`] names every attack and its right outcome; the tests of these modules, and those of others that belong to a row, tell
//! [`Tally`] what they tried. A row fails where one try of it passes. `ATTACKS=full` runs the heavy ones at their full length, and
//! `ATTACKS_TABLE=write` writes the numbers into the document.

mod between;
mod credentials;
mod files;
mod load;
mod peers;
mod private;
mod rows;
mod secrets;
mod sources;
mod table;
mod titles;
mod walls;
mod wire;

use std::fmt;

pub use rows::ROWS;

/// Whether the heavy attacks run at their full length.
pub fn in_full() -> bool {
    std::env::var("ATTACKS").is_ok_and(|length| length == "full")
}

/// One attack, tried in many ways.
pub struct Tally {
    id: &'static str,
    tried: usize,
    passed: Vec<String>,
}

impl Tally {
    /// Of the row of this name.
    pub fn of(id: &'static str) -> Self {
        assert!(ROWS.iter().any(|row| row.id == id), "{id} is no row");
        Self {
            id,
            tried: 0,
            passed: Vec::new(),
        }
    }

    /// One try: whether the wall held, and what was tried.
    pub fn held(&mut self, held: bool, what: impl fmt::Display) {
        self.tried += 1;
        if !held {
            self.passed.push(what.to_string());
        }
    }

    /// The row is done. `pid` is the process that was attacked, if there is one whose memory says something.
    pub fn end(self, pid: Option<u32>) {
        let peak = pid.map(peak);
        println!(
            "{}: {} tried, {} passed; the process held {} MB at most",
            self.id,
            self.tried,
            self.passed.len(),
            peak.map_or("-".to_owned(), |peak| peak.to_string())
        );
        let passed = &self.passed[..self.passed.len().min(20)];
        assert!(
            passed.is_empty(),
            "{}: {} of {} tries passed:\n{}",
            self.id,
            self.passed.len(),
            self.tried,
            passed.join("\n")
        );
        table::record(self.id, self.tried, peak);
    }
}

/// A row whose test has asserted everything itself: so many ways were tried, and every wall held.
pub fn all_held(id: &'static str, tried: usize, pid: Option<u32>) {
    let mut tally = Tally::of(id);
    tally.tried = tried;
    tally.end(pid);
}

/// The most memory that a process held at once, in MB.
pub fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    kilobytes.unwrap().parse::<u64>().unwrap() / 1024
}
