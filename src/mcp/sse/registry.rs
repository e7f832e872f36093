//! Finds sessions by their id; one actor in the process, whatever worker a request reaches.

use std::collections::HashMap;

use actix::{Actor, Addr, Context, Handler, Message};
use uuid::Uuid;

use super::session::Session;

/// The open sessions.
pub struct Registry {
    sessions: HashMap<Uuid, Addr<Session>>,
    max: usize,
}

impl Registry {
    /// For at most so many sessions.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            sessions: HashMap::new(),
            max,
        }
    }

    fn told(&self) {
        metrics::gauge!("mcp_sse_sessions").set(self.sessions.len() as f64);
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
pub struct Enter(pub Uuid, pub Addr<Session>);

/// Which session has this id?
#[derive(Message)]
#[rtype(result = "Option<Addr<Session>>")]
pub struct Find(pub Uuid);

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

    fn handle(&mut self, Enter(id, session): Enter, _: &mut Self::Context) -> bool {
        // Checked here and not before, so that a burst of connections cannot pass the bound together.
        let room = self.sessions.len() < self.max && session.connected();
        if room {
            self.sessions.insert(id, session);
            self.told();
        }
        room
    }
}

impl Handler<Find> for Registry {
    type Result = Option<Addr<Session>>;

    fn handle(&mut self, Find(id): Find, _: &mut Self::Context) -> Self::Result {
        self.sessions.get(&id).cloned()
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
