//! Advisory locks of a PostgreSQL server, each held by a connection of its own: the server releases it with the connection. Who has the
//! engine's is noted in the table `remembered`, which counts only while the lock is held.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::LockHolder;
use crate::dialect::postgres::{self, Failure, LockOf, runtime, within};
use crate::error::LockError;
use crate::url::{DatabaseUrl, ServerUrl};

/// Under this name the holder is remembered.
const NOTE: &str = "engine_lock";
/// How often the connection is tried, and how long its answer may take. A connection that was closed is noticed at once.
const EVERY: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(10);
/// Who gets tokens keeps others waiting for one request of it at most.
const REFRESH: Duration = Duration::from_secs(120);

/// A lock and the connection that holds it.
#[derive(Debug)]
pub(super) struct ServerLock {
    client: Arc<Client>,
    of: LockOf,
    server: ServerUrl,
    lost: watch::Receiver<bool>,
    watching: Option<JoinHandle<()>>,
}

impl ServerLock {
    pub(super) fn acquire(server: &ServerUrl) -> Result<Self, LockError> {
        let mut lock = Self::connect(server, LockOf::Engine)?;
        let ask = format!("SELECT pg_try_advisory_lock({})", LockOf::Engine.numbers());
        let mut looks = 0;
        // A few looks: the server notices a connection that was closed just now a little later.
        while !lock.yes(&ask)? {
            looks += 1;
            if looks > 5 {
                return Err(LockError::Held {
                    database: place(server),
                    holder: lock.noted(),
                });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        lock.watch_over();
        Ok(lock)
    }

    pub(super) fn refreshing(server: &ServerUrl) -> Result<Self, LockError> {
        let lock = Self::connect(server, LockOf::Refresh)?;
        let ask = format!("SELECT pg_advisory_lock({})", LockOf::Refresh.numbers());
        asked(server, REFRESH, lock.client.batch_execute(&ask))?;
        Ok(lock)
    }

    fn connect(server: &ServerUrl, of: LockOf) -> Result<Self, LockError> {
        let (client, over) = postgres::client(server).map_err(|detail| LockError::Unreachable {
            database: place(server),
            detail,
        })?;
        let (tell, lost) = watch::channel(false);
        // Only while the connection lives: it ends with its client.
        let driven = runtime().map(|runtime| {
            runtime.spawn(async move {
                over.await.ok();
                tell.send_replace(true);
            })
        });
        driven.map_err(|error| LockError::Unreachable {
            database: place(server),
            detail: error.to_string(),
        })?;
        Ok(Self {
            client: Arc::new(client),
            of,
            server: server.clone(),
            lost,
            watching: None,
        })
    }

    /// Asks now and then: a server that is gone without a word closes no connection.
    fn watch_over(&mut self) {
        let Ok(runtime) = runtime() else { return };
        let (tell, lost) = watch::channel(false);
        let (client, mut closed) = (self.client.clone(), self.lost.clone());
        self.lost = lost;
        self.watching = Some(runtime.spawn(async move {
            loop {
                let alive = async {
                    tokio::time::sleep(EVERY).await;
                    tokio::time::timeout(PATIENCE, client.simple_query("SELECT 1")).await
                };
                tokio::select! {
                    _ = closed.wait_for(|closed| *closed) => break,
                    answer = alive => if !matches!(answer, Ok(Ok(_))) { break },
                }
            }
            tracing::error!(
                "the connection that holds the engine's lock is lost; this process writes nothing more"
            );
            tell.send_replace(true);
        }));
    }

    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.lost.clone()
    }

    /// Notes who has the lock. In a database that has no tables yet there is nowhere to note it.
    pub(super) fn write(&self, holder: &str) -> Result<(), LockError> {
        if !self.yes("SELECT to_regclass('remembered') IS NOT NULL")? {
            return Ok(());
        }
        let put = "INSERT INTO remembered (name, value) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let values: [&(dyn ToSql + Sync); 2] = [&NOTE, &holder];
        asked(&self.server, PATIENCE, self.client.execute(put, &values))?;
        Ok(())
    }

    fn noted(&self) -> Option<LockHolder> {
        noted(&self.client)
    }

    fn yes(&self, question: &str) -> Result<bool, LockError> {
        let answer = async { self.client.query_one(question, &[]).await?.try_get(0) };
        asked(&self.server, PATIENCE, answer)
    }
}

impl Drop for ServerLock {
    fn drop(&mut self) {
        if let Some(watching) = self.watching.take() {
            watching.abort();
        }
        // Best effort, so that it is free at once: with the connection it goes anyway.
        let unlock = format!("SELECT pg_advisory_unlock({})", self.of.numbers());
        within(Duration::from_secs(2), self.client.batch_execute(&unlock));
    }
}

fn place(server: &ServerUrl) -> crate::url::Place {
    DatabaseUrl::Server(server.clone()).place()
}

/// What is answered, if anything is in time.
fn asked<T>(
    server: &ServerUrl,
    longest: Duration,
    question: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, LockError> {
    let why = match within(longest, question) {
        Some(Ok(value)) => return Ok(value),
        Some(Err(error)) => Failure::of(&error),
        None => Failure::silence(longest),
    };
    Err(LockError::Unreachable {
        database: place(server),
        detail: why.to_string(),
    })
}

fn noted(client: &Client) -> Option<LockHolder> {
    let ask = "SELECT value FROM remembered WHERE name = $1";
    let row = within(PATIENCE, client.query_opt(ask, &[&NOTE]))?.ok()??;
    serde_json::from_str(row.try_get(0).ok()?).ok()
}

/// Who is noted, if the lock is held.
pub(super) fn holder(server: &ServerUrl) -> Option<LockHolder> {
    let (client, _) = postgres::client(server).ok()?;
    let ask = format!(
        "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND (classid::bigint, objid::bigint) = ({}, hashtext(coalesce(current_schema()::text, ''))::bigint & 4294967295))",
        LockOf::Engine as i32
    );
    let row = within(PATIENCE, client.query_one(&ask, &[]))?.ok()?;
    let held: bool = row.try_get(0).ok()?;
    if held { noted(&client) } else { None }
}
