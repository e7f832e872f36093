//! Identifiers as types of their own, so that a page id cannot be passed where a space id is meant.
//!
//! Confluence ids are strings (v2 answers them so, attachments as `att123`); ours are UUIDs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::content::ContentKind;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id; version 7, so that ids sort by the time of their making.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

impl RunId {
    /// A new id that sorts behind `newest`, also when that was made by a clock that was ahead.
    #[must_use]
    pub fn after(newest: Option<Self>) -> Self {
        let new = Self::generate();
        match newest {
            Some(newest) if newest >= new => Self(Uuid::from_u128(newest.0.as_u128() + 1)),
            _ => new,
        }
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// Takes the text as it is.
            #[must_use]
            pub fn new(text: impl Into<Box<str>>) -> Self {
                Self(text.into())
            }
            /// The id as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), &self.0)
            }
        }
    };
}

uuid_id! {
    /// One of our indexes.
    IndexId
}
uuid_id! {
    /// One run of an index.
    RunId
}
uuid_id! {
    /// An agent token (the record, never the secret).
    TokenId
}
uuid_id! {
    /// One upload worker: whoever has claimed rows of holdings.
    WorkerId
}

/// The row of a store object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ObjectId(pub i64);

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
text_id! {
    /// A page, blog post, attachment or container (folder, whiteboard) of Confluence: `98312`, `att98400`.
    PageId
}
text_id! {
    /// The numeric id of a space as text; the identity of a space, since keys can be renamed.
    SpaceId
}
text_id! {
    /// The key of a space as people type it: `ENG`, `~712020abc` for a personal one. Not an identity.
    SpaceKey
}
text_id! {
    /// An Atlassian account id: `557058:…`.
    AccountId
}
text_id! {
    /// The id of a group of people: a UUID; its name can be changed.
    GroupId
}
text_id! {
    /// The id under which a page stands in a store: `confluence-<kind>-<page id>`, of `[A-Za-z0-9_-]` only, so that
    /// no encoding in paths ever matters.
    DocumentId
}

impl DocumentId {
    /// The one document id of a page.
    #[must_use]
    pub fn of(kind: ContentKind, page: &PageId) -> Self {
        let safe: String = page
            .as_str()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        Self::new(format!("confluence-{}-{safe}", kind.as_str()))
    }

    /// The page behind a document id of ours; `None` for anything we did not make.
    #[must_use]
    pub fn page(&self) -> Option<(ContentKind, PageId)> {
        let (kind, id) = self.as_str().strip_prefix("confluence-")?.split_once('-')?;
        Some((ContentKind::parse(kind)?, PageId::new(id)))
    }
}

/// The id by which an agent of LibreChat asks: 1 to 128 of `[A-Za-z0-9_-]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Debug)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct AgentId(String);

/// Why a text is no agent id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an agent id is 1 to 128 characters of A-Z, a-z, 0-9, '_' and '-'")]
pub struct InvalidAgentId;

impl AgentId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AgentId {
    type Err = InvalidAgentId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAgentId)
        }
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AgentId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_ids_lead_back_to_their_page() {
        let id = DocumentId::of(ContentKind::Page, &PageId::from("98312"));
        assert_eq!(id.as_str(), "confluence-page-98312");
        assert_eq!(id.page(), Some((ContentKind::Page, PageId::from("98312"))));
        assert_eq!(DocumentId::from("somebody-else").page(), None);
    }

    #[test]
    fn agent_ids_hold_only_what_a_url_takes() {
        for good in ["a", "agent_1-B", &"x".repeat(128)] {
            assert!(good.parse::<AgentId>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "ä", "a/b", &"x".repeat(129)] {
            assert!(bad.parse::<AgentId>().is_err(), "{bad}");
        }
    }
}
