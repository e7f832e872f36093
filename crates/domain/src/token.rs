//! Agent tokens: read only, for one index, shown once, kept as a hash.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{IndexId, TokenId};

/// The record of a token; the secret itself is nowhere.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Token {
    /// The identity.
    pub id: TokenId,
    /// The one index that it reads.
    pub index_id: IndexId,
    /// A name for people.
    pub name: String,
    /// The first characters of the secret, to tell tokens apart.
    pub prefix: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it ends by itself; null when it does not.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Token {
    /// Whether it has ended by itself.
    #[must_use]
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}
