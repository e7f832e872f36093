//! What an administrator let the service do at Confluence by OAuth, as it is kept: nothing here is readable without the key of the
//! settings.

use std::fmt;

use crate::Timestamp;

/// A text that only the key of the settings opens.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// Tokens as they are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedTokens {
    /// What the next tokens are got for.
    pub refresh_token: Sealed,
    /// What requests show.
    pub access_token: Sealed,
    /// When they came.
    pub refreshed_at: Timestamp,
    /// When the access token ends.
    pub access_ends_at: Timestamp,
    /// What they are good for, with blanks between.
    pub scopes: String,
}

/// A connection to the site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The app that it was given to.
    pub client_id: String,
    /// The site at the gateway.
    pub cloud_id: String,
    /// The site, as Atlassian names it.
    pub site_url: String,
    /// Who connected, for people.
    pub granted_by: String,
    /// When.
    pub granted_at: Timestamp,
    /// The tokens that came last.
    pub tokens: SealedTokens,
    /// Why Atlassian gives no more, where it has said so.
    pub refused: Option<String>,
}
