//! PDF: what the pages show, read glyph by glyph and put together to text.
//!
//! `hayro-interpret` runs the drawing instructions of a page (fonts, encodings, nested forms) and tells where each glyph
//! stands and which character it is; [`layout`] makes lines, paragraphs and headings of that. Order is the order in
//! which the file draws, which for what office programs and browsers write is the order in which one reads.

mod bombs;
mod glyphs;
mod layout;

use std::sync::Arc;
use std::time::Instant;

use hayro_interpret::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};

use crate::{Found, Limits, Refusal, guarded, markup};

/// The text of the pages.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Found, Refusal> {
    bombs::check(bytes, limits)?;
    let began = Instant::now();
    let until = began + limits.max_time;
    // Pages that were read in full before a reader stopped, or time was up, are shown.
    let lines = std::sync::Mutex::new(Vec::new());
    let outcome = guarded::run(|| pages(bytes, limits, until, &lines));
    let lines = lines
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let read = lines.len();
    let too_slow = Instant::now() >= until;
    let cut = match outcome {
        Some(Ok(total)) if total > limits.max_pages => Some(format!(
            "it has {total} pages, and {} are read",
            limits.max_pages
        )),
        Some(Ok(_)) if !too_slow => None,
        Some(Err(refusal)) => return Err(refusal),
        _ if read == 0 && too_slow => {
            return Err(Refusal::TooSlow {
                seconds: limits.max_time.as_secs(),
            });
        }
        _ if read == 0 => return Err(damaged("a page of it breaks the reader")),
        _ if too_slow => Some(format!("reading page {} took too long", read + 1)),
        _ => Some(format!("its page {} cannot be read", read + 1)),
    };
    let html = layout::html(&lines);
    Ok(Found {
        markdown: markup::read(&html, limits)?.markdown,
        cut,
        pages: Some(read),
    })
}

/// Reads the pages, each into `done`, and gives their whole number.
fn pages(
    bytes: &[u8],
    limits: &Limits,
    until: Instant,
    done: &std::sync::Mutex<Vec<Vec<layout::Line>>>,
) -> Result<usize, Refusal> {
    let pdf = Pdf::new(Arc::new(bytes.to_vec()) as Arc<_>).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => Refusal::Encrypted,
        LoadPdfError::Decryption(_) => damaged("its encryption is unknown or broken"),
        LoadPdfError::Invalid => damaged("it has no pages that can be found"),
    })?;
    let mut text = 0;
    let cache = hayro_interpret::InterpreterCache::new();
    for page in pdf.pages().iter().take(limits.max_pages) {
        let lines = glyphs::lines(page, &pdf, &cache, until);
        text += lines.iter().map(|line| line.text.len()).sum::<usize>();
        let Ok(mut done) = done.lock() else { break };
        done.push(lines);
        if text > limits.max_text_bytes || Instant::now() >= until {
            break;
        }
    }
    Ok(pdf.pages().len())
}

fn damaged(detail: &str) -> Refusal {
    Refusal::Damaged {
        kind: "PDF",
        detail: detail.to_owned(),
    }
}
