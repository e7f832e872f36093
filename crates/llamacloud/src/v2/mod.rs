//! Index v2: a directory of files per index of ours and an index over it (`/api/v1/beta/directories`,
//! `/api/v1/indexes`, `/api/v1/retrieval`).
//!
//! The service takes files only, knows no update, and tells the state of a whole index only. So a page is one file (or
//! some, where it is long) under a `unique_id` of its revision; a new revision is uploaded before the old one is
//! deleted, and both reach searchers with the one sync that a run ends with.

mod directories;
mod files;
mod index_id;
mod parts;
mod retrieve;
mod sync;

pub(crate) use self::directories::DIRECTORIES;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::index::Remote;
use domain::ports::retrieval::BackendError;

use crate::answer::Failure;
use crate::http::Http;
use files::Files;
use index_id::Accepted;
use sync::Syncing;

/// `Remote::kind` of a directory with its index; the id is the directory's.
pub(crate) const KIND: &str = "directory_index";

/// The directories of one account.
pub(crate) struct Directories {
    http: Http,
    /// What this process knows of each directory, by its id.
    known: Mutex<HashMap<String, Arc<Known>>>,
}

/// What this process knows of one directory.
#[derive(Default)]
struct Known {
    /// Files and syncs; held while a batch or a look at the progress is under way.
    work: tokio::sync::Mutex<Work>,
    /// Which of the index's ids each operation takes.
    accepted: Mutex<Accepted>,
}

#[derive(Default)]
struct Work {
    files: Files,
    syncing: Syncing,
}

impl Directories {
    pub(crate) fn new(http: Http) -> Self {
        Self {
            http,
            known: Mutex::default(),
        }
    }

    fn known(&self, remote: &Remote) -> Arc<Known> {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(remote.id.clone()).or_default())
    }

    fn forget(&self, remote: &Remote) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&remote.id);
    }

    /// A failure of a call below a directory, where 404 means that the directory is gone.
    fn told(&self, remote: &Remote, failure: Failure) -> BackendError {
        if failure.is_not_found() {
            BackendError::ObjectGone {
                id: remote.id.clone(),
            }
        } else {
            failure.at(self.http.host())
        }
    }
}
