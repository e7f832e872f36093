//! What each owner may take of what all share: requests under way, turns of tools, questions a second. Whoever is refused has
//! his share already; when there is nothing left for those who have none, the log and `/health` say so.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::share::{Refused, Share, Shares};
use governor::Quota;
use metrics::{counter, gauge};
use tokio::sync::Notify;

use super::limit::{Budgets, network};
use crate::mcp::caller::Owner;

/// Calls of tools, prompts and questions that work at once; one owner alone gets half of them.
const TURNS: usize = 128;
/// How long a call waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests under way at once, streams that are open included: as many as there may be connections.
pub const UNDER_WAY: usize = 16_384;
/// Requests of one owner under way at once.
const UNDER_WAY_EACH: usize = 1_000;
/// Calls a second that one owner may make, and as many at once four times over.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(50).expect("50 is not 0");
const BURST: NonZeroU32 = NonZeroU32::new(200).expect("200 is not 0");
/// A table that was full is told of for so long, and not logged more often than that.
const TOLD: Duration = Duration::from_secs(60);

/// Who is counted: an owner of credentials, or where none are asked for, an address.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Requester {
    /// Known.
    Owner(Owner),
    /// Unknown; of IPv6 a whole network is one.
    Client(IpAddr),
}

impl Requester {
    pub(super) fn client(address: IpAddr) -> Self {
        Self::Client(network(address))
    }
}

/// Something that is bounded for all together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Table {
    /// Calls at work.
    Turns,
    /// Requests under way.
    Requests,
    /// Connections.
    Connections,
    /// Sessions of Streamable HTTP.
    Sessions,
    /// Sessions of HTTP with SSE.
    Streams,
}

impl Table {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Turns => "turns",
            Self::Requests => "requests",
            Self::Connections => "connections",
            Self::Sessions => "sessions",
            Self::Streams => "streams",
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Turns => "calls at work",
            Self::Requests => "requests under way",
            Self::Connections => "connections",
            Self::Sessions => "MCP sessions",
            Self::Streams => "MCP sessions with SSE",
        }
    }
}

/// Which tables are full, or were a moment ago.
#[derive(Default, Debug)]
pub struct Full(Mutex<BTreeMap<Table, Instant>>);

impl Full {
    /// Somebody was refused, or something ended, since a table was full for all.
    pub fn note(&self, table: Table) {
        let mut full = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if full.get(&table).is_none_or(|since| since.elapsed() > TOLD) {
            tracing::warn!(
                table = table.as_str(),
                "there are as many {} as this service holds; some were refused or ended",
                table.what()
            );
            full.insert(table, Instant::now());
        }
    }

    /// What `/health` tells of it.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let full = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        full.iter()
            .filter(|(_, since)| since.elapsed() <= TOLD)
            .map(|(table, _)| {
                let what = table.what();
                format!("There are as many {what} as this service holds; some were refused or ended in the last minute.")
            })
            .collect()
    }
}

/// Counts what was refused, and says so when it was for want of anything to share.
pub(super) fn refused(full: &Full, table: Table, why: Refused) {
    let word = match why {
        Refused::OwnShare => "own_share",
        Refused::Full => "full",
    };
    counter!(REFUSED, "table" => table.as_str(), "why" => word).increment(1);
    if why == Refused::Full {
        full.note(table);
    }
}

/// The metric of what was refused.
pub(super) const REFUSED: &str = "mcp_confluence_refused_total";
/// The metric of calls at work.
pub(super) const AT_WORK: &str = "mcp_confluence_calls_at_work";
/// The metric of requests under way.
pub(super) const REQUESTS: &str = "mcp_confluence_requests_under_way";

/// The shares of all owners. One for the whole process.
pub struct Fairness {
    turns: Arc<Shares<Owner>>,
    freed: Arc<Notify>,
    under_way: Arc<Shares<Requester>>,
    rates: Budgets<Owner>,
    full: Arc<Full>,
}

impl Default for Fairness {
    fn default() -> Self {
        Self::new(Quota::per_second(PER_SECOND).allow_burst(BURST))
    }
}

/// A call's turn; dropped, the next has it.
pub struct Turn {
    share: Option<Share<Owner>>,
    freed: Arc<Notify>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.share = None;
        // Whose turn it is the shares decide, so all who wait look again.
        self.freed.notify_waiters();
    }
}

impl Fairness {
    /// With so many questions for each owner.
    #[must_use]
    pub fn new(rate: Quota) -> Self {
        Self {
            turns: Shares::new(TURNS, TURNS),
            freed: Arc::default(),
            under_way: Shares::new(UNDER_WAY, UNDER_WAY_EACH),
            rates: Budgets::new(rate),
            full: Arc::default(),
        }
    }

    /// Whether an owner may ask once more now. The administrator may always: his commands ask as fast as they are answered.
    pub fn may_ask(&self, owner: &Owner) -> bool {
        owner.is_admin() || self.rates.take(owner)
    }

    /// A turn for an owner, for which it waits a while; `None` when it did not come.
    pub async fn turn(&self, owner: &Owner) -> Option<Turn> {
        let waiting = async {
            loop {
                let mut freed = std::pin::pin!(self.freed.notified());
                freed.as_mut().enable();
                match self.turns.take(owner) {
                    Ok(share) => return share,
                    Err(_) => freed.await,
                }
            }
        };
        let share = match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(share) => share,
            // A last look, which also says why.
            Err(_) => self
                .turns
                .take(owner)
                .inspect_err(|why| refused(&self.full, Table::Turns, *why))
                .ok()?,
        };
        Some(Turn {
            share: Some(share),
            freed: Arc::clone(&self.freed),
        })
    }

    /// A place among the requests under way.
    pub(super) fn request(&self, who: &Requester) -> Result<Share<Requester>, Refused> {
        let place = self.under_way.take(who);
        place.inspect_err(|why| refused(&self.full, Table::Requests, *why))
    }

    /// Which tables are full.
    #[must_use]
    pub fn full(&self) -> &Arc<Full> {
        &self.full
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "gauges are floats; there are some thousand of these"
    )]
    pub(super) fn measure(&self) {
        gauge!(AT_WORK).set(self.turns.in_use() as f64);
        gauge!(REQUESTS).set(self.under_way.in_use() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn one_owner_leaves_turns_and_questions_to_the_others() {
        let fairness = Fairness::default();
        let (busy, other) = (Owner::new("token:1"), Owner::new("token:2"));
        let mut turns = Vec::new();
        for _ in 0..TURNS / 2 {
            turns.push(fairness.turn(&busy).await.unwrap());
        }
        let mut more = std::pin::pin!(fairness.turn(&busy));
        assert!(
            futures_util::poll!(more.as_mut()).is_pending(),
            "it has its share"
        );
        assert!(fairness.turn(&other).await.is_some());
        turns.pop();
        assert!(more.await.is_some());

        let asked = (0..1_000).filter(|_| fairness.may_ask(&busy)).count();
        assert!((200..1_000).contains(&asked), "{asked}");
        assert!(fairness.may_ask(&other));
        assert!(
            (0..1_000)
                .all(|_| fairness.may_ask(&Owner::from(&crate::http::auth::Principal::Admin)))
        );
    }

    #[test]
    fn requests_under_way_are_bounded_for_each_and_what_is_full_is_told() {
        let fairness = Fairness::default();
        let one = Requester::Owner(Owner::new("token:1"));
        let held: Vec<_> = std::iter::from_fn(|| fairness.request(&one).ok()).collect();
        assert_eq!(held.len(), UNDER_WAY_EACH);
        let client = |text: &str| Requester::client(text.parse().unwrap());
        assert!(fairness.request(&client("192.0.2.1")).is_ok());
        assert_eq!(client("2001:db8::1"), client("2001:db8::2"));
        assert_eq!(fairness.full().reasons(), [""; 0]);
        fairness.full().note(Table::Sessions);
        assert_eq!(fairness.full().reasons().len(), 1);
    }
}
