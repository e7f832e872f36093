//! Syncs: one at a time per index, each takes in what the directory holds when it begins. A document is searchable when
//! a sync that began after its upload has ended well.

use domain::DocumentId;
use domain::index::Remote;
use domain::ports::retrieval::{BackendError, IngestionReport};
use reqwest::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::index_id::Operation;
use super::{Directories, Work};
use crate::answer::Failure;
use crate::call::Call;

/// When an index was last synced and last exported, as its answer says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Moments {
    synced: Option<String>,
    exported: Option<String>,
}

/// An answer about an index, reduced to what matters here.
#[derive(Clone, PartialEq, Eq, Debug)]
struct State {
    moments: Moments,
    ready: bool,
    failed: Option<String>,
    in_progress: Option<bool>,
}

impl State {
    fn read(index: &Value) -> Self {
        let of = |name: &str| index.get(name).and_then(Value::as_str).map(str::to_owned);
        let metadata = |name: &str| {
            index
                .get("metadata")
                .and_then(|map| map.get(name))
                .and_then(Value::as_str)
        };
        let status = metadata("status");
        let failed = (status == Some("failed")).then(|| {
            metadata("error_message")
                .unwrap_or("the store says failed and no reason")
                .to_owned()
        });
        Self {
            moments: Moments {
                synced: of("last_synced_at"),
                exported: of("last_exported_at"),
            },
            ready: status == Some("ready"),
            failed,
            in_progress: index.get("sync_in_progress").and_then(Value::as_bool),
        }
    }

    /// Whether a sync that began at `before` is over, and well: a poll right after the start may still read what was.
    fn is_done_since(&self, before: &Moments) -> bool {
        let moved = |now: &Option<String>, then: &Option<String>| now.is_some() && now != then;
        self.ready
            && self.in_progress != Some(true)
            && moved(&self.moments.synced, &before.synced)
            && moved(&self.moments.exported, &before.exported)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
enum Phase {
    /// No sync of ours is under way.
    #[default]
    Idle,
    /// One is to be started as soon as the running one is over.
    Owed,
    /// Ours is running.
    Running { before: Moments, began: Instant },
}

/// Where the syncs of a directory stand. Syncs are numbered by this process.
#[derive(Debug, Default)]
pub(super) struct Syncing {
    phase: Phase,
    /// The number of the last sync that was begun.
    begun: u64,
    /// The number of the last sync that ended well.
    done: u64,
    /// A failed sync was begun again since the last commit.
    retried: bool,
}

impl Syncing {
    /// The number of the sync that will take in what is changed now.
    pub(super) fn next(&self) -> u64 {
        self.begun + 1
    }

    fn has_done(&self, since: u64) -> bool {
        self.done >= since
    }
}

impl Directories {
    /// Begins the one sync of a run; while another runs, it is owed and begun by [`progress`](Self::progress).
    pub(crate) async fn commit(&self, remote: &Remote) -> Result<(), BackendError> {
        let known = self.known(remote);
        let mut work = known.work.lock().await;
        work.syncing.retried = false;
        self.begin(remote, &mut work).await
    }

    async fn begin(&self, remote: &Remote, work: &mut Work) -> Result<(), BackendError> {
        let before = self.state(remote).await?;
        if before.in_progress == Some(true) {
            work.syncing.phase = Phase::Owed;
            return Ok(());
        }
        let sync =
            |id: &str| Call::new(Method::POST, ["v1", "indexes", id, "sync"]).busy_is_an_answer();
        match self.try_index(remote, Operation::Sync, sync).await {
            Ok(_) => {
                work.syncing.begun += 1;
                work.syncing.phase = Phase::Running {
                    before: before.moments,
                    began: Instant::now(),
                };
                Ok(())
            }
            Err(Failure::Refused {
                status: 409 | 429, ..
            }) => {
                work.syncing.phase = Phase::Owed;
                Ok(())
            }
            Err(failure) => Err(self.told(remote, failure)),
        }
    }

    async fn state(&self, remote: &Remote) -> Result<State, BackendError> {
        let get = |id: &str| {
            Call::new(Method::GET, ["v1", "indexes", id]).query("expand", "sync_in_progress")
        };
        Ok(State::read(
            &self.with_index(remote, Operation::Get, get).await?,
        ))
    }

    /// How far these uploads and deletions are: as far as the syncs are.
    pub(crate) async fn progress(
        &self,
        remote: &Remote,
        uploads: &[DocumentId],
        deletes: &[DocumentId],
    ) -> Result<IngestionReport, BackendError> {
        let mut report = IngestionReport::default();
        if uploads.is_empty() && deletes.is_empty() {
            return Ok(report);
        }
        let known = self.known(remote);
        let mut work = known.work.lock().await;
        let since = work.syncing.next();
        self.files(remote, &mut work.files, since).await?;
        let failure = if self.is_settled(&work, uploads, deletes) {
            None
        } else {
            self.look(remote, &mut work).await?
        };
        for id in uploads {
            match self.taken_in_by(&work, id) {
                None => report
                    .failed
                    .push((id.clone(), "it is not in the store".to_owned())),
                Some(since) if work.syncing.has_done(since) => report.searchable.push(id.clone()),
                Some(_) => match &failure {
                    Some(reason) => report.failed.push((id.clone(), reason.clone())),
                    None => report.working.push(id.clone()),
                },
            }
        }
        for id in deletes {
            if self.is_gone(&work, id) {
                work.files.removed.remove(id);
                report.gone.push(id.clone());
            } else {
                report.working.push(id.clone());
            }
        }
        Ok(report)
    }

    /// The sync by which all files of a document are searchable.
    fn taken_in_by(&self, work: &Work, id: &DocumentId) -> Option<u64> {
        work.files
            .by_document
            .as_ref()?
            .get(id)?
            .iter()
            .map(|file| file.since)
            .max()
    }

    fn is_gone(&self, work: &Work, id: &DocumentId) -> bool {
        // What this process did not take out went, at the latest, before its first sync.
        let since = work.files.removed.get(id).copied().unwrap_or(1);
        self.taken_in_by(work, id).is_none() && work.syncing.has_done(since)
    }

    fn is_settled(&self, work: &Work, uploads: &[DocumentId], deletes: &[DocumentId]) -> bool {
        uploads.iter().all(|id| {
            self.taken_in_by(work, id)
                .is_none_or(|since| work.syncing.has_done(since))
        }) && deletes.iter().all(|id| self.is_gone(work, id))
    }

    /// One look at the index, and one step: begins what is owed, notes what is over. Answers why the sync failed for
    /// good, if it did: twice since the last commit.
    async fn look(&self, remote: &Remote, work: &mut Work) -> Result<Option<String>, BackendError> {
        let Phase::Running { before, began } = work.syncing.phase.clone() else {
            self.begin(remote, work).await?;
            return Ok(None);
        };
        let state = self.state(remote).await?;
        if state.is_done_since(&before) {
            work.syncing.done = work.syncing.begun;
            work.syncing.phase = Phase::Idle;
            return Ok(None);
        }
        let settled =
            began.elapsed() >= self.http.timeouts().retry_grace && state.in_progress != Some(true);
        match state.failed.filter(|_| settled) {
            None => Ok(None),
            Some(reason) if work.syncing.retried => {
                work.syncing.phase = Phase::Idle;
                Ok(Some(format!("the sync of the index failed: {reason}")))
            }
            Some(_) => {
                work.syncing.retried = true;
                self.begin(remote, work).await?;
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn index(status: &str, at: Option<&str>, in_progress: Option<bool>) -> State {
        State::read(&json!({
            "metadata": {"status": status}, "last_synced_at": at, "last_exported_at": at, "sync_in_progress": in_progress,
        }))
    }

    #[test]
    fn a_sync_is_over_when_both_moments_moved_and_it_is_ready() {
        let before = index("ready", Some("1"), Some(false)).moments;
        for (state, done) in [
            (index("ready", Some("2"), Some(false)), true),
            (index("ready", Some("2"), None), true),
            (index("ready", Some("1"), None), false),
            (index("ready", Some("2"), Some(true)), false),
            (index("syncing", Some("2"), None), false),
            (index("telepathic", Some("2"), None), false),
            (
                State {
                    moments: Moments {
                        exported: Some("1".into()),
                        synced: Some("2".into()),
                    },
                    ..index("ready", None, None)
                },
                false,
            ),
        ] {
            assert_eq!(state.is_done_since(&before), done, "{state:?}");
        }
        assert!(
            index("ready", Some("1"), None).is_done_since(&Moments::default()),
            "the first one"
        );
    }
}
