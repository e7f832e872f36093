//! Named places where a test lets the engine die, to prove that its rows survive it. Nothing happens in release builds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use domain::PageId;

/// Every place, in the order of a run; the kill tests go through all of them.
pub const FAILPOINTS: &[&str] = &[
    "after_run_started",
    "after_object_made",
    "after_listing_answer",
    "after_page_saved",
    "after_checkpoint",
    "after_files_recorded",
    "after_comments_saved",
    "after_comments_folded",
    "after_facts_recorded",
    "after_holdings_written",
    "before_upload",
    "after_upload_before_ack",
    "after_ack",
    "before_comments_watermark",
    "before_attachments_watermark",
    "after_file_settled",
    "after_files_followed",
    "after_removals_written",
    "before_run_finished",
];

/// Every place of a run that moves an index to another store object.
pub const MOVE_FAILPOINTS: &[&str] = &[
    "after_run_started",
    "before_upload",
    "after_upload_before_ack",
    "after_ack",
    "before_take_over",
    "after_take_over",
    "before_run_finished",
];

/// Stands for every hit.
const ALWAYS: u32 = u32::MAX;

/// What happens at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailAction {
    /// The task panics, as a bug would make it.
    Panic,
    /// The process dies at once, as `kill -9` would make it.
    Abort,
}

/// At which place to die; nowhere by default.
#[derive(Clone, Debug, Default)]
pub struct Failpoints(Option<Arc<Armed>>);

#[derive(Debug)]
struct Armed {
    place: String,
    action: FailAction,
    hits_left: AtomicU32,
}

impl PartialEq for Failpoints {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_none() && other.0.is_none()
    }
}
impl Eq for Failpoints {}

impl Failpoints {
    /// Dies at the `hit`-th time (1 for the first) that `place` is passed.
    #[must_use]
    pub fn at(place: &str, action: FailAction, hit: u32) -> Self {
        Self(Some(Arc::new(Armed {
            place: place.to_owned(),
            action,
            hits_left: AtomicU32::new(hit),
        })))
    }

    /// Dies each time that `place` is passed.
    #[must_use]
    pub fn always(place: &str, action: FailAction) -> Self {
        Self::at(place, action, ALWAYS)
    }

    /// Reads `place` or `place:hit` as an environment variable has it; dies by abort.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (place, hit) = text.split_once(':').unwrap_or((text, "1"));
        Self::at(place, FailAction::Abort, hit.parse().unwrap_or(1))
    }

    /// Passes the place of one page or file, named `place/id`.
    pub(crate) fn fail_point_of(&self, place: &str, id: &PageId) {
        if self.0.is_some() {
            self.fail_point(&format!("{place}/{id}"));
        }
    }

    /// Passes a place.
    pub(crate) fn fail_point(&self, place: &str) {
        if !cfg!(debug_assertions) {
            return;
        }
        let Some(armed) = &self.0 else { return };
        if armed.place != place {
            return;
        }
        let hits = armed
            .hits_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| match left {
                ALWAYS => Some(ALWAYS),
                left => left.checked_sub(1),
            });
        if matches!(hits, Ok(1 | ALWAYS)) {
            match armed.action {
                FailAction::Panic => std::panic::panic_any(format!("failpoint {place}")),
                FailAction::Abort => std::process::abort(),
            }
        }
    }
}
