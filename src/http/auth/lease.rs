//! For how long credentials are good: whatever is open or under way when they end, ends with them. One watcher asks the database
//! for all tokens in use at once; everything else is known here.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use domain::ports::store::AdminStore;
use domain::share::Share;
use domain::{IndexId, Timestamp, TokenId};
use futures_util::future::select_all;
use tokio_util::sync::CancellationToken;

use super::principal::Bearer;
use crate::http::fairness::Requester;

/// How often the tokens in use are looked up: a revoked one ends everything within about so long.
const LOOK: Duration = Duration::from_secs(2);

/// How long credentials are good.
#[derive(Clone, Default, Debug)]
pub(super) struct Lease {
    /// Each fires when what they rest on is taken back.
    taken_back: Vec<Arc<CancellationToken>>,
    /// When they are over by themselves.
    ends: Option<SystemTime>,
}

impl Lease {
    pub(super) fn until(ends: SystemTime) -> Self {
        Self {
            taken_back: Vec::new(),
            ends: Some(ends),
        }
    }

    pub(super) fn of(taken_back: CancellationToken, ends: SystemTime) -> Self {
        Self {
            taken_back: vec![Arc::new(taken_back)],
            ends: Some(ends),
        }
    }

    /// Good for as long as both are.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.taken_back.extend(other.taken_back);
        self.ends = self.ends.into_iter().chain(other.ends).min();
        self
    }

    /// Whether it never ends: the administrator's key is good for as long as the process lives.
    pub(super) const fn is_endless(&self) -> bool {
        self.taken_back.is_empty() && self.ends.is_none()
    }

    /// Resolves when the credentials are no longer good.
    pub(super) async fn ended(self) {
        let taken_back = async {
            if self.taken_back.is_empty() {
                return std::future::pending().await;
            }
            let each = self.taken_back.iter().map(|one| Box::pin(one.cancelled()));
            select_all(each).await;
        };
        let over = async {
            match self.ends {
                // By the wall clock, which a sleeping machine does not stop.
                Some(ends) => {
                    while let Ok(left) = ends.duration_since(SystemTime::now()) {
                        tokio::time::sleep(left.clamp(Duration::from_millis(10), LOOK)).await;
                    }
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = taken_back => {}
            () = over => {}
        }
    }
}

/// A token with the indexes that it had when it was presented.
type Known = (TokenId, Arc<[IndexId]>);

/// The tokens in use.
#[derive(Default)]
pub(super) struct Leases {
    used: Mutex<HashMap<Known, Weak<CancellationToken>>>,
}

impl Leases {
    /// For as long as the token is not revoked, has lost none of its indexes, and has not expired.
    pub(super) fn of_token(&self, bearer: &Bearer, expires_at: Option<Timestamp>) -> Lease {
        let mut used = self.used();
        let known = (bearer.token, Arc::clone(&bearer.indexes));
        let lease = used.get(&known).and_then(Weak::upgrade);
        let taken_back = lease.unwrap_or_else(|| {
            let new = Arc::new(CancellationToken::new());
            used.insert(known, Arc::downgrade(&new));
            new
        });
        Lease {
            taken_back: vec![taken_back],
            ends: expires_at.map(SystemTime::from),
        }
    }

    /// Looks after the tokens in use until the service stops.
    pub(super) async fn watch(&self, store: &dyn AdminStore, shutdown: &CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let used: Vec<Known> = {
                let mut used = self.used();
                used.retain(|_, lease| lease.strong_count() > 0);
                used.keys().cloned().collect()
            };
            if used.is_empty() {
                continue;
            }
            let ids: HashSet<TokenId> = used.iter().map(|(id, _)| *id).collect();
            match store.living_tokens(&Vec::from_iter(ids)).await {
                Ok(living) => {
                    let living: HashMap<TokenId, Vec<IndexId>> = living.into_iter().collect();
                    let has_all = |(id, indexes): &Known| {
                        let has = living.get(id);
                        has.is_some_and(|has| indexes.iter().all(|index| has.contains(index)))
                    };
                    for known in used.into_iter().filter(|known| !has_all(known)) {
                        let lease = self.used().remove(&known);
                        if let Some(lease) = lease.and_then(|lease| lease.upgrade()) {
                            tracing::info!(token = %known.0, "a token or one of its indexes was taken back; what it had open ends");
                            lease.cancel();
                        }
                    }
                }
                // Nobody is sent away because the database is busy.
                Err(error) => tracing::debug!(%error, "the tokens in use could not be looked up"),
            }
        }
    }

    fn used(&self) -> MutexGuard<'_, HashMap<Known, Weak<CancellationToken>>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of an answer, as it is while the lease lasts: a stream ends with it, and keeps its request's place for so long.
pub(super) fn bounded(body: BoxBody, lease: Lease, place: Option<Share<Requester>>) -> BoxBody {
    if body.size() != BodySize::Stream {
        return body;
    }
    let ended: Pin<Box<dyn Future<Output = ()>>> = if lease.is_endless() {
        Box::pin(std::future::pending())
    } else {
        Box::pin(lease.ended())
    };
    BoxBody::new(Leased {
        body,
        ended,
        _place: place,
    })
}

struct Leased {
    body: BoxBody,
    ended: Pin<Box<dyn Future<Output = ()>>>,
    _place: Option<Share<Requester>>,
}

impl MessageBody for Leased {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.ended.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_next(context)
    }
}
