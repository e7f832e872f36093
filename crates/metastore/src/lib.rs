//! The database: indexes, runs, pages, holdings, checkpoints, bodies, events, tokens.
//!
//! [`Metastore`] is a cheap handle that implements `domain`'s `QueryStore`, `SyncStore` and `AdminStore` over SQLite or, with the feature
//! `postgres`, over PostgreSQL, with diesel.
//!
//! What it promises:
//! * Each method is one transaction on a blocking thread; it finishes even when its caller is dropped, and a panic in it
//!   becomes an error. The one writer waits behind a gate, and only then for other processes that write; readers never wait for it.
//!   Questions have readers of their own ([`QueryStore`](domain::ports::store::QueryStore)).
//! * Times are UTC with microseconds and come back as they went in.
//! * One engine per database: [`Metastore::open_locked`].
//!
//! Where things are: `ops` holds the statements by subject (functions over a connection, each with its rules), `rows` the
//! row types and their translation, `schema` the tables, `dialect` whatever one database says differently from the other,
//! `query_store`/`sync_store`/`admin_store` the traits, thin, `transfer` the way from a file to a server and back.
//!
//! It must not know the network, actors, or what the engine decides.

mod admin_store;
mod codec;
mod convert;
mod cursor;
mod dialect;
mod error;
mod handle;
mod lock;
mod maintenance;
mod migrate;
mod ops;
mod query_store;
mod rows;
mod schema;
mod sync_store;
#[cfg(feature = "postgres")]
mod transfer;
mod url;
mod views;

pub use cursor::is_bad_cursor;
pub use error::{LockError, OpenError};
pub use handle::{Metastore, MetastoreOptions, lock_holder};
pub use lock::{EngineLock, LocalKey, LockHolder, RefreshLock};
pub use maintenance::{BackupFacts, Restored, restore_backup, verify_backup};
#[cfg(feature = "postgres")]
pub use transfer::{Transferred, transfer};
#[cfg(feature = "postgres")]
pub use url::ServerUrl;
pub use url::{DatabaseUrl, Place, UrlError};

/// The number of items that a list gives when its `limit` is 0.
pub const DEFAULT_LIMIT: usize = 50;
/// The number of items that a list gives at most.
pub const MAX_LIMIT: usize = 1_000;
