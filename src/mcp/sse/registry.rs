//! Finds sessions by their id, for who opened them; one actor in the process, whatever worker a request reaches. Each owner has
//! its share of them: the session that was used the longest time ago ends for another.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::session::Session;
use crate::http::fairness::{Full, Table};
use crate::mcp::PER_OWNER;
use crate::mcp::caller::Owner;

/// The open sessions.
pub struct Registry {
    sessions: HashMap<Uuid, Open>,
    next: u64,
    max: usize,
    full: Arc<Full>,
}

struct Open {
    session: Addr<Session>,
    owner: Owner,
    /// Ends it.
    ct: CancellationToken,
    /// The higher, the later it was used.
    used: u64,
}

impl Registry {
    /// For at most so many sessions.
    #[must_use]
    pub fn new(max: usize, full: Arc<Full>) -> Self {
        Self {
            sessions: HashMap::new(),
            next: 0,
            max,
            full,
        }
    }

    /// Ends the session of an owner that was used the longest time ago, if the owner has its share.
    fn make_room(&mut self, owner: &Owner) {
        let own = self
            .sessions
            .iter()
            .filter(|(_, open)| open.owner == *owner);
        if own.clone().count() < PER_OWNER {
            return;
        }
        let idlest = own.min_by_key(|(_, open)| open.used).map(|(id, _)| *id);
        if let Some(open) = idlest.and_then(|id| self.sessions.remove(&id)) {
            tracing::debug!(session = ?idlest, "session ends: its owner has too many");
            open.ct.cancel();
        }
    }

    fn told(&self) {
        metrics::gauge!(super::SESSIONS).set(self.sessions.len() as f64);
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(1024);
    }
}

/// A session has opened; the answer says whether there is room for it.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct Enter {
    /// Its id.
    pub id: Uuid,
    /// The session.
    pub session: Addr<Session>,
    /// Who opened it.
    pub owner: Owner,
    /// Ends it.
    pub ct: CancellationToken,
}

/// Which session of this owner, who uses it now, has this id? Somebody else's does not exist.
#[derive(Message)]
#[rtype(result = "Option<Addr<Session>>")]
pub struct Find(pub Uuid, pub Owner);

/// A session has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Leave(pub Uuid);

/// How many are open?
#[derive(Message)]
#[rtype(result = "usize")]
pub struct Count;

impl Handler<Enter> for Registry {
    type Result = bool;

    fn handle(&mut self, enter: Enter, _: &mut Self::Context) -> bool {
        let Enter {
            id,
            session,
            owner,
            ct,
        } = enter;
        if !session.connected() {
            return false;
        }
        self.make_room(&owner);
        // Checked here and not before, so that a burst of connections cannot pass the bound together.
        if self.sessions.len() >= self.max {
            self.full.note(Table::Streams);
            return false;
        }
        self.next += 1;
        let used = self.next;
        self.sessions.insert(
            id,
            Open {
                session,
                owner,
                ct,
                used,
            },
        );
        self.told();
        true
    }
}

impl Handler<Find> for Registry {
    type Result = Option<Addr<Session>>;

    fn handle(&mut self, Find(id, owner): Find, _: &mut Self::Context) -> Self::Result {
        let open = self
            .sessions
            .get_mut(&id)
            .filter(|open| open.owner == owner)?;
        self.next += 1;
        open.used = self.next;
        Some(open.session.clone())
    }
}

impl Handler<Leave> for Registry {
    type Result = ();

    fn handle(&mut self, Leave(id): Leave, _: &mut Self::Context) {
        self.sessions.remove(&id);
        self.told();
    }
}

impl Handler<Count> for Registry {
    type Result = usize;

    fn handle(&mut self, _: Count, _: &mut Self::Context) -> usize {
        self.sessions.len()
    }
}
