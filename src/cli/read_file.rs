//! `read-file`: one attached file in, its text out, in bounds that hold whatever the file is. Started by the service for each file
//! (see [`crate::reading`]), not by people.

use std::io::{BufRead, Read, Write};

use attachment_text::{Limits, extract};
use domain::ports::reader::{MAX_MEMORY_BYTES, MAX_TIME};

use super::FAILED;
use crate::reading::{NO_TEXT, TEXT, Told};

pub(super) fn run() -> u8 {
    if let Err(error) = keep_within_bounds() {
        eprintln!("no bounds for reading a file could be set: {error}");
        return FAILED;
    }
    match read() {
        Ok((code, text)) => {
            let mut out = std::io::stdout().lock();
            match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
                Ok(()) => code,
                Err(_) => FAILED,
            }
        }
        Err(error) => {
            eprintln!("{error}");
            FAILED
        }
    }
}

fn read() -> std::io::Result<(u8, String)> {
    let mut input = std::io::stdin().lock();
    let mut told = Vec::new();
    input.read_until(b'\n', &mut told)?;
    let told: Told = serde_json::from_slice(&told)?;
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    let text = extract(&told.media_type, &told.name, &bytes, &Limits::default());
    Ok(match text {
        Ok(extracted) => (TEXT, extracted.markdown),
        Err(refusal) => (NO_TEXT, refusal.to_string()),
    })
}

/// Memory, and time for the case that nobody is left to end this process; no core, which would hold the file's text; and where the
/// machine as a whole runs out of memory, this process is the one to end.
#[cfg(unix)]
fn keep_within_bounds() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let bounds = [
        (Resource::As, MAX_MEMORY_BYTES),
        (Resource::Cpu, MAX_TIME.as_secs() + 1),
        (Resource::Core, 0),
    ];
    for (resource, most) in bounds {
        // Whoever started us may have been stricter.
        let most = getrlimit(resource)
            .maximum
            .map_or(most, |max| max.min(most));
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)?;
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", "1000") {
        eprintln!("/proc/self/oom_score_adj: {error}");
    }
    Ok(())
}

/// Only time is bounded, from outside.
#[cfg(not(unix))]
fn keep_within_bounds() -> std::io::Result<()> {
    Ok(())
}
