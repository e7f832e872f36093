//! Answers to questions: passages of an index, the text of a page, lists of pages, recent changes.
//!
//! A question is one message ([`Ask`](pool)) to one of a few [`AnswerActor`](pool)s, which stand on threads of their own: no run
//! can hold it up, since neither the scheduler nor an index actor is on its way. The [`Engine`](crate::Engine) owns the pool.
//!
//! What it promises:
//! * **Nothing hidden leaves.** Every page of an answer is judged by its row and by the settings of its index as both stand when
//!   the store or Confluence has answered, in one read ([`quotable`]); on request also at the source ([`verify`]).
//! * **Each person is answered with what that person may read** where the index says so: the rows that say who may read what are read
//!   with those of the pages ([`viewer`]).
//! * **Nothing is remembered between questions**, so nothing has to be told when an index changes: each question reads the row of
//!   its index. An index that is deleted in the middle of a question has no rows to judge by, so the answer is "not found".
//! * **Work is bounded.** So many questions are under way at once ([`domain::share`]), each for so long ([`pool`]); whoever comes beyond
//!   that is told to ask again. A question whose asker went away is given up.
//! * **A panic ends one question**, and no actor.
//!
//! It must not know runs, uploads, or what else the engine does; it reads the database and changes nothing there.

mod changes;
mod live;
mod pages;
mod pool;
mod quotable;
mod search;
mod surroundings;
mod verify;
mod viewer;

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use domain::Timestamp;
use domain::access::{Strangers, UnknownPeople};
use domain::index::BackendKind;
use domain::ports::clock::Clock;
use domain::ports::retrieval::RetrievalBackend;
use domain::ports::source::ContentSource;
use domain::ports::store::QueryStore;

use crate::{Backends, EngineParts, VerifyOnRead};

pub(crate) use changes::RecentChanges;
pub(crate) use pages::{ListPages, LookAround, ReadPage};
pub(crate) use pool::AnswerPool;
pub(crate) use search::{Fallback, Search};
pub(crate) use viewer::{Explain, Look, MayRead};

/// Where answers come from.
pub(crate) struct Sources {
    store: Arc<dyn QueryStore>,
    confluence: Arc<dyn ContentSource>,
    backends: Backends,
    clock: Arc<dyn Clock>,
    verify_on_read: VerifyOnRead,
    permissions_max_age: TimeDelta,
    unknown_people: UnknownPeople,
    checks: verify::Checks,
    /// Who asked and is not known: what the people who look after the service want to hear of.
    strangers: Arc<Mutex<Strangers>>,
}

impl Sources {
    pub(crate) fn of(parts: &EngineParts, strangers: &Arc<Mutex<Strangers>>) -> Self {
        Self {
            store: Arc::clone(&parts.store) as Arc<dyn QueryStore>,
            confluence: Arc::clone(&parts.source),
            backends: parts.backends.clone(),
            clock: Arc::clone(&parts.clock),
            verify_on_read: parts.settings.verify_on_read,
            permissions_max_age: TimeDelta::from_std(parts.settings.permissions_max_age)
                .unwrap_or(TimeDelta::MAX),
            unknown_people: parts.settings.unknown_people,
            checks: verify::Checks::default(),
            strangers: Arc::clone(strangers),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn backend(&self, kind: BackendKind) -> Option<Arc<dyn RetrievalBackend>> {
        self.backends.get(&kind).cloned()
    }
}
