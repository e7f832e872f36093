//! One engine per database, and one process that gets tokens of Confluence: a lock on a file beside a SQLite file, an advisory lock of
//! a connection of its own on a PostgreSQL server. Either goes when its process ends, however it ends.

mod file;
#[cfg(feature = "postgres")]
mod server;

use std::fmt;
use std::future::Future;

use chrono::SubsecRound;
use domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::LockError;
use crate::url::DatabaseUrl;

use self::file::FileLock;
#[cfg(feature = "postgres")]
use self::server::ServerLock;

/// Who has the engine's lock.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LockHolder {
    /// The process id.
    pub pid: u32,
    /// Where it answers over HTTP, once it does: `http://127.0.0.1:8001`.
    pub address: Option<String>,
    /// What commands show it instead of the administrator's key; whoever can read it can read and write the database as well.
    #[serde(default)]
    pub local_key: Option<LocalKey>,
    /// When it took the lock.
    pub started_at: Timestamp,
}

/// A secret that whoever may read the database shares with the process that has its lock.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LocalKey(String);

impl LocalKey {
    /// Takes a random text.
    #[must_use]
    pub const fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalKey([REDACTED])")
    }
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)?;
        if let Some(address) = &self.address {
            write!(f, " at {address}")?;
        }
        write!(
            f,
            ", running since {}",
            self.started_at.format("%Y-%m-%d %H:%M:%S UTC")
        )
    }
}

/// The engine's lock; released when dropped, and when the process is killed.
#[derive(Debug)]
pub struct EngineLock {
    held: Held,
    holder: LockHolder,
}

#[derive(Debug)]
enum Held {
    File(FileLock),
    #[cfg(feature = "postgres")]
    Server(ServerLock),
}

impl EngineLock {
    /// Writes where this process answers, for the message that another one shows, and the key by which commands of the same
    /// user may ask it.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn set_address(&mut self, address: &str, key: LocalKey) -> Result<(), LockError> {
        self.holder.address = Some(address.to_owned());
        self.holder.local_key = Some(key);
        self.write()
    }

    /// What others are told of this process.
    #[must_use]
    pub const fn holder(&self) -> &LockHolder {
        &self.holder
    }

    /// Ends when the lock is lost, because the connection that holds it is: from then on another process may have it, and this one must
    /// stop. A lock on a file is never lost.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        let watched = self.fence();
        async move { watched.lost().await }
    }

    /// Whether the lock is lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.fence().is_lost()
    }

    /// What tells others whether the lock is still there.
    pub(crate) fn fence(&self) -> Fence {
        match &self.held {
            Held::File(_) => Fence(None),
            #[cfg(feature = "postgres")]
            Held::Server(lock) => Fence(Some(lock.watch())),
        }
    }

    /// Says to others who has it.
    pub(crate) fn write(&mut self) -> Result<(), LockError> {
        let text = serde_json::to_string(&self.holder).unwrap_or_default();
        match &mut self.held {
            Held::File(lock) => lock.write(&text),
            #[cfg(feature = "postgres")]
            Held::Server(lock) => lock.write(&text),
        }
    }
}

/// Tells whether an engine's lock is lost.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fence(Option<tokio::sync::watch::Receiver<bool>>);

impl Fence {
    pub(crate) fn is_lost(&self) -> bool {
        self.0.as_ref().is_some_and(|lost| *lost.borrow())
    }

    async fn lost(mut self) {
        // Whoever would tell of it is gone when the lock was given back: then there is nothing to wait for.
        let told = match &mut self.0 {
            Some(lost) => lost.wait_for(|lost| *lost).await.is_ok(),
            None => false,
        };
        if !told {
            std::future::pending().await
        }
    }
}

/// Held by the one process that gets new tokens of Confluence, for as long as that takes; released as the engine's lock is.
#[derive(Debug)]
pub struct RefreshLock {
    _held: Refreshing,
}

#[derive(Debug)]
#[allow(dead_code)] // Held, never read.
enum Refreshing {
    File(file::WaitedFor),
    #[cfg(feature = "postgres")]
    Server(ServerLock),
}

/// Waits until no process gets tokens: nobody does for longer than one request takes.
pub(crate) fn refreshing(url: &DatabaseUrl) -> Result<RefreshLock, LockError> {
    let held = match url {
        DatabaseUrl::File(path) => Refreshing::File(file::refreshing(path)?),
        #[cfg(feature = "postgres")]
        DatabaseUrl::Server(server) => Refreshing::Server(ServerLock::refreshing(server)?),
    };
    Ok(RefreshLock { _held: held })
}

/// Takes the lock, or says who has it.
pub(crate) fn acquire(url: &DatabaseUrl) -> Result<EngineLock, LockError> {
    let held = match url {
        DatabaseUrl::File(path) => Held::File(FileLock::acquire(path)?),
        #[cfg(feature = "postgres")]
        DatabaseUrl::Server(server) => Held::Server(ServerLock::acquire(server)?),
    };
    let mut lock = EngineLock {
        held,
        holder: LockHolder {
            pid: std::process::id(),
            address: None,
            local_key: None,
            started_at: chrono::Utc::now().trunc_subsecs(3),
        },
    };
    lock.write()?;
    Ok(lock)
}

/// Who has the lock now; `None` when nobody has, or when that cannot be found out.
pub(crate) fn holder(url: &DatabaseUrl) -> Option<LockHolder> {
    match url {
        DatabaseUrl::File(path) => file::holder(path),
        #[cfg(feature = "postgres")]
        DatabaseUrl::Server(server) => server::holder(server),
    }
}
