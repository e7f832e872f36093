//! The Confluence Cloud client: REST v2 for content, v1 for what v2 lacks (CQL, restrictions, groups, who we are), behind
//! [`domain::ports::source::ContentSource`].
//!
//! * **Promises**: every request is one of the official documents ([`endpoint`]); every request passes one rate limiter
//!   ([`upstream::RateLimiter`]) and is bounded in time, bytes and retries ([`transport`], [`http`]); whatever is not the answer asked for is an error
//!   with a cause and a remedy ([`classify`]), never data and never a silent gap.
//! * **Layers**, from the wire up: [`config`], [`credentials`], [`oauth`], [`call`] and [`cursor`] (what is sent), [`limits`] and [`retry`] (when),
//!   [`classify`] and [`wire`] (what came), [`content`], [`facts`], [`restrictions`], [`permissions`], [`audit`], [`search`], [`comments`] and [`attachments`]
//!   (what it means), [`client`] (the port).
//! * It must not know the engine, the database or Markdown. Secrets stay in [`ConfluenceConfig`], in the vault of [`oauth`] and in a
//!   header marked sensitive; they are in no error and no log.
#![warn(missing_docs)]
#![allow(rustdoc::private_intra_doc_links)]

mod access;
mod attachments;
mod audit;
mod call;
mod classify;
mod client;
mod comments;
mod config;
mod content;
mod cql;
mod credentials;
mod cursor;
mod endpoint;
mod facts;
mod http;
mod limits;
pub mod oauth;
mod permissions;
mod points;
pub mod probe;
mod restrictions;
mod retry;
mod search;
mod searched;
mod transport;
mod wire;

pub use client::ConfluenceClient;
pub use config::{ConfluenceConfig, GATEWAY};
pub use credentials::Credentials;
pub use retry::RetryPolicy;
pub use upstream::ConfigError;
