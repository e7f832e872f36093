//! What a test says of the requests to the simulated Confluence: what goes wrong with them, and what is counted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use domain::ports::source::SourceError;
use domain::ports::store::AdminStore;
use metastore::Metastore;
use simulators::confluence::ContentId;

/// What goes wrong with the next matching requests.
#[derive(Clone, Debug)]
pub enum Fault {
    Unavailable,
    TooLarge,
    BadCursor,
    NotFound,
    Forbidden,
    Unauthorized,
    Withdrawn,
    RateLimited(u64),
    Panic,
    /// An answer without items and without a next one, as if there were nothing.
    Empty,
}

impl Fault {
    pub(super) fn of(&self, what: String) -> SourceError {
        let detail = "a fault of the test".to_owned();
        match self {
            Self::Unavailable | Self::Empty => SourceError::Unavailable { what, detail },
            Self::TooLarge => SourceError::TooLarge { what, detail },
            Self::BadCursor => SourceError::BadCursor { what, detail },
            Self::NotFound => SourceError::NotFound { what },
            Self::Forbidden => SourceError::Forbidden { what, detail },
            Self::Unauthorized => SourceError::Unauthorized { what, detail },
            Self::Withdrawn => SourceError::Withdrawn { what },
            Self::RateLimited(seconds) => SourceError::RateLimited {
                what,
                retry_after: Duration::from_secs(*seconds),
            },
            Self::Panic => panic!("a bug in the source"),
        }
    }
}

/// What was asked, and what goes wrong with the answers.
#[derive(Default)]
pub struct Requests {
    /// Requests made, in words.
    pub log: Vec<String>,
    pub(super) faults: VecDeque<(String, usize, Fault)>,
    /// Rendered forms that the simulator does not know how to make.
    pub rendered: HashMap<ContentId, String>,
    /// Bodies of these cannot be had.
    pub poison: HashSet<ContentId>,
    /// A question by id that names one of these goes wrong.
    pub refused: HashMap<ContentId, Fault>,
    /// Search does not know these yet: pages, comments, files.
    pub lagging: HashSet<ContentId>,
    /// Folders that answer 404 although pages stand in them, and that search does not name.
    pub unseen: HashSet<ContentId>,
    /// Search does not name folders.
    pub folders_unnamed: bool,
    pub latency: Duration,
    /// Listings answer no more items at once than this, whatever is asked for.
    pub listing_limit: Option<usize>,
    /// Listings name a next answer behind the last, which leads to the beginning under a cursor never seen before.
    pub endless: bool,
    pub(super) turns: usize,
    /// Counts the bodies that are in memory, where a test wants that.
    pub in_flight: Option<InFlight>,
}

/// Bodies that were asked for or answered and are not written yet, all of one size.
pub struct InFlight {
    pub(super) store: Arc<Metastore>,
    pub(super) body: usize,
    /// Bodies that were there before.
    pub(super) before: i64,
    /// What the answers to the requests under way may have.
    pub(super) promised: usize,
    pub(super) answered: usize,
    /// The most at once.
    pub most: usize,
}

impl InFlight {
    pub async fn of(store: &Arc<Metastore>, body: usize) -> Self {
        Self {
            store: Arc::clone(store),
            body,
            before: store.disk_use().await.unwrap().bodies,
            promised: 0,
            answered: 0,
            most: 0,
        }
    }
}
