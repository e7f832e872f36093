//! Tokens: what programs and people show to be let in. Random, shown once, kept as a hash.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::access::Email;
use crate::{IndexId, Timestamp, TokenId};

/// What a token lets its bearer do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Role {
    /// Reads its indexes.
    Agent,
    /// Reads every index.
    Reader,
    /// Makes indexes; reads and changes those that it made or was given.
    Editor,
    /// Everything.
    Administrator,
}

impl Role {
    /// All of them, from the least to the most.
    pub const ALL: [Self; 4] = [Self::Agent, Self::Reader, Self::Editor, Self::Administrator];

    /// As REST and the database name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Reader => "reader",
            Self::Editor => "editor",
            Self::Administrator => "administrator",
        }
    }

    /// Reads what [`as_str`](Self::as_str) says.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether it sees its own indexes only, and no others.
    #[must_use]
    pub const fn has_own_indexes(self) -> bool {
        matches!(self, Self::Agent | Self::Editor)
    }

    /// Whether it may change anything at all.
    #[must_use]
    pub const fn may_change(self) -> bool {
        matches!(self, Self::Editor | Self::Administrator)
    }
}

/// The record of a token; the secret itself is nowhere.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Token {
    /// The identity.
    pub id: TokenId,
    /// What it lets its bearer do.
    pub role: Role,
    /// The indexes that an agent reads, or that an editor looks after; empty for those who see all.
    pub indexes: Vec<IndexId>,
    /// Whether it may say for whom it asks (`X-User-Email`): its word is taken for which person an answer is.
    pub speaks_for_others: bool,
    /// A name for people.
    pub name: String,
    /// The first characters of the secret, to tell tokens apart.
    pub prefix: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Who made it, for people; null where that was not noted.
    pub created_by: Option<String>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it ends by itself; null when it does not. Of somebody who signs in at an issuer: since when they are kept out.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whom an OpenID Connect issuer names, as the issuer's address, a bar and its `sub`; null of a token with a secret.
    pub subject: Option<String>,
    /// Their address, where the issuer vouches for it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub email: Option<Email>,
}

impl Token {
    /// Whether it has ended by itself.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Whether its bearer is an administrator now.
    #[must_use]
    pub fn may_administer(&self, now: Timestamp) -> bool {
        self.role == Role::Administrator && !self.has_expired(now)
    }

    /// Whether it is somebody who signs in at an issuer and whom an administrator keeps out.
    #[must_use]
    pub const fn is_kept_out(&self) -> bool {
        self.subject.is_some() && self.expires_at.is_some()
    }

    /// When it ends that is replaced now: after this time, unless it ends sooner by itself.
    #[must_use]
    pub fn ends_when_replaced(&self, now: Timestamp, after: TimeDelta) -> Timestamp {
        let replaced = now + after;
        self.expires_at.map_or(replaced, |end| end.min(replaced))
    }
}

/// A token to be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewToken {
    /// What it is to let its bearer do.
    pub role: Role,
    /// Its indexes: at least one for an agent, none for those who see all.
    pub indexes: Vec<IndexId>,
    /// Whether it may say for whom it asks.
    pub speaks_for_others: bool,
    /// A name for people.
    pub name: String,
    /// The first characters of the secret.
    pub prefix: String,
    /// What is kept instead of the secret.
    pub secret_hash: String,
    /// Who makes it, for people.
    pub created_by: Option<String>,
    /// When it ends by itself; `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// Somebody whom an OpenID Connect issuer names, as it does now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// As [`Token::subject`].
    pub subject: String,
    /// A name for people.
    pub name: String,
    /// The address that the issuer vouches for.
    pub email: Option<Email>,
    /// What they may do.
    pub role: Role,
}

impl Person {
    /// The identity that this issuer gives somebody.
    #[must_use]
    pub fn subject_of(issuer: &str, sub: &str) -> String {
        format!("{}|{sub}", issuer.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named_as_they_are_read() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("root"), None);
        let own: Vec<Role> = Role::ALL
            .into_iter()
            .filter(|r| r.has_own_indexes())
            .collect();
        let change: Vec<Role> = Role::ALL.into_iter().filter(|r| r.may_change()).collect();
        assert_eq!(own, [Role::Agent, Role::Editor]);
        assert_eq!(change, [Role::Editor, Role::Administrator]);
    }

    #[test]
    fn a_replaced_token_never_lasts_longer_than_it_would_have() {
        let now: Timestamp = "2026-03-01T08:00:00Z".parse().unwrap();
        let day = TimeDelta::days(1);
        let mut token = Token {
            id: TokenId::generate(),
            role: Role::Reader,
            indexes: Vec::new(),
            speaks_for_others: false,
            name: "n".to_owned(),
            prefix: "mcs_".to_owned(),
            created_at: now,
            created_by: None,
            last_used_at: None,
            expires_at: None,
            subject: None,
            email: None,
        };
        assert_eq!(token.ends_when_replaced(now, day), now + day);
        token.expires_at = Some(now + TimeDelta::hours(1));
        assert_eq!(
            token.ends_when_replaced(now, day),
            now + TimeDelta::hours(1)
        );
        assert!(token.has_expired(now + TimeDelta::hours(1)) && !token.has_expired(now));
        assert!(!token.may_administer(now));
        token.role = Role::Administrator;
        // Somebody whom an administrator keeps out has such an end too.
        assert!(token.may_administer(now) && !token.may_administer(now + TimeDelta::hours(1)));
    }
}
