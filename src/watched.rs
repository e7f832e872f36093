//! Files of the operator that are carried out at start and whenever they change (`INDEXES_FILE`, `PEOPLE_FILE`).
//!
//! While anything in a file is wrong, nothing of it is done: what was carried out before stays, and the log and `/health` say line and
//! remedy.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::ports::store::StoreError;
use tokio_util::sync::CancellationToken;

/// How often a file is looked at: also where it is a link that Kubernetes turns to another folder, of which no event tells.
const LOOK: Duration = Duration::from_secs(1);
/// After trouble that is not the file's, the next try waits so long.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Complaints that are told at once.
const TOLD: usize = 20;

/// What is wrong with a file now; nothing where nothing is.
#[derive(Clone, Default)]
pub struct FileTrouble(Arc<Mutex<Option<String>>>);

impl FileTrouble {
    /// In words.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.clone()
    }

    fn set(&self, trouble: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl fmt::Debug for FileTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileTrouble").field(&self.told()).finish()
    }
}

/// Something wrong with a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Complaint {
    /// The line, from 1; 0: none in particular.
    pub(crate) line: u64,
    /// What is wrong, and what would be right.
    pub(crate) message: String,
}

/// Why a file was not carried out.
pub(crate) enum NotDone {
    /// It is wrong: it has to be changed.
    Wrong(Vec<Complaint>),
    /// Confluence or the database cannot be asked: it is tried again.
    Later(String),
}

impl From<StoreError> for NotDone {
    fn from(error: StoreError) -> Self {
        Self::Later(error.to_string())
    }
}

/// Carries a file out at start and after every change, until the service stops. `setting` names it.
pub(crate) async fn follow(
    file: &Path,
    setting: &str,
    trouble: &FileTrouble,
    shutdown: &CancellationToken,
    carry_out: impl AsyncFn(&str) -> Result<(), NotDone>,
) {
    let mut done: Option<Result<String, String>> = None;
    loop {
        let text = tokio::fs::read_to_string(file).await;
        let text = text.map_err(|error| error.to_string());
        let mut pause = LOOK;
        if done.as_ref() != Some(&text) {
            let outcome = match &text {
                Ok(text) => carry_out(text).await,
                Err(error) => Err(NotDone::Wrong(vec![Complaint {
                    line: 0,
                    message: format!("cannot be read: {error}; make it, or leave {setting} out"),
                }])),
            };
            let told = match outcome {
                Ok(()) => {
                    done = Some(text);
                    None
                }
                Err(NotDone::Wrong(complaints)) => {
                    done = Some(text);
                    Some(told(file, &complaints))
                }
                Err(NotDone::Later(why)) => {
                    pause = TRY_AGAIN;
                    Some(format!(
                        "{} is not carried out yet: {why}; it is tried again in {} s",
                        file.display(),
                        TRY_AGAIN.as_secs()
                    ))
                }
            };
            if let Some(told) = &told {
                tracing::error!("{told}");
            }
            trouble.set(told);
        }
        if shutdown
            .run_until_cancelled(tokio::time::sleep(pause))
            .await
            .is_none()
        {
            return;
        }
    }
}

fn told(file: &Path, complaints: &[Complaint]) -> String {
    let first = complaints.iter().take(TOLD);
    let mut lines: Vec<String> = first
        .map(|complaint| match complaint.line {
            0 => format!("{}: {}", file.display(), complaint.message),
            line => format!("{}:{line}: {}", file.display(), complaint.message),
        })
        .collect();
    if let Some(more) = complaints.len().checked_sub(TOLD + 1) {
        lines.push(format!("{} more", more + 1));
    }
    format!("{}; nothing of the file is done", lines.join("; "))
}
