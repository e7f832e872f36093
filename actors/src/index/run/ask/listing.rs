//! A listing by search, answer by answer: where it stands, when it begins again, when it ends. Labels and restrictions, comments and
//! files are all listed so.

use domain::Disposition;
use domain::change::Repeats;
use domain::ports::source::{Batch, Cursor, SourceError};

use crate::stop::RunError;

/// A walk whose cursor is refused is begun again so often.
const RESTARTS: u32 = 2;

/// How often a walk began again.
#[derive(Default)]
pub(crate) struct Restarts(u32);

impl Restarts {
    /// Whether the walk may begin again after this error; it has, then.
    pub(crate) fn allows(&mut self, error: &SourceError) -> bool {
        let may = error.disposition() == Disposition::RestartWalk && self.0 < RESTARTS;
        self.0 += u32::from(may);
        may
    }
}

/// One listing under way.
pub(crate) struct Listing {
    /// In words.
    what: String,
    cursor: Option<Cursor>,
    restarts: Restarts,
    repeats: Repeats,
    over: bool,
}

impl Listing {
    /// A listing that begins.
    pub(crate) fn of(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            cursor: None,
            restarts: Restarts::default(),
            repeats: Repeats::default(),
            over: false,
        }
    }

    /// The items of the next answer; `None` when it is over. Where Confluence refuses the cursor, it begins again.
    pub(crate) async fn next<T>(
        &mut self,
        ask: impl AsyncFn(Option<&Cursor>) -> Result<Batch<T>, RunError>,
    ) -> Result<Option<Vec<T>>, RunError> {
        if self.over {
            return Ok(None);
        }
        loop {
            match ask(self.cursor.as_ref()).await {
                Ok(answer) => {
                    // Search was seen to name a next answer behind an empty one: that is its end.
                    self.over = answer.next.is_none()
                        || answer.items.is_empty()
                        || answer.next == self.cursor;
                    self.cursor = answer.next;
                    return Ok(Some(answer.items));
                }
                Err(failure) => {
                    let error = failure.recoverable()?;
                    if !self.restarts.allows(&error) {
                        return Err(RunError::Source(error));
                    }
                    self.cursor = None;
                }
            }
        }
    }

    /// An answer had so many items, of which so many were new among all that were named so far. A listing that names the same again
    /// and again has no end: an error.
    pub(crate) fn named(&mut self, items: usize, new: usize, named: usize) -> Result<(), RunError> {
        if self.repeats.take(items, new, named) {
            return Ok(());
        }
        Err(RunError::Source(SourceError::endless(self.what.clone())))
    }
}
