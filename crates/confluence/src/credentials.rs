//! What requests are let in with: an e-mail address and an API token, or access tokens by OAuth.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use upstream::{ConfigError, secret_header};

use crate::oauth::{AccessToken, NoAccess, OAuth};

/// Whose account it is, and how that is shown.
#[derive(Clone)]
pub enum Credentials {
    /// An API token, sent by Basic authentication only.
    Basic {
        /// Whose token it is.
        email: String,
        /// The token.
        api_token: SecretString,
    },
    /// An app that an administrator connected: short-lived access tokens, through the gateway.
    OAuth(Arc<OAuth>),
}

impl fmt::Debug for Credentials {
    /// Everything but the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { email, .. } => f
                .debug_struct("Basic")
                .field("email", email)
                .finish_non_exhaustive(),
            Self::OAuth(_) => f.debug_struct("OAuth").finish_non_exhaustive(),
        }
    }
}

/// The credentials as requests take them.
#[derive(Clone)]
pub(crate) enum Authorization {
    /// The same for every request.
    Fixed(HeaderValue),
    /// Of the access token that is good now.
    OAuth(Arc<OAuth>),
}

/// With what one request goes out.
#[derive(Clone)]
pub(crate) struct Access {
    pub header: HeaderValue,
    /// The site at the gateway, where it comes with the credentials.
    pub cloud_id: Option<Arc<str>>,
    token: Option<AccessToken>,
}

impl Authorization {
    /// Checks the credentials; asks nobody.
    pub fn of(credentials: &Credentials) -> Result<Self, ConfigError> {
        let refuse = |setting, cause: &str| Err(ConfigError::new(setting, cause));
        let (email, api_token) = match credentials {
            Credentials::OAuth(oauth) => return Ok(Self::OAuth(Arc::clone(oauth))),
            Credentials::Basic { email, api_token } => (email.trim(), api_token),
        };
        if email.is_empty() || email.contains(':') {
            return refuse(
                "CONFLUENCE_EMAIL",
                "must be the e-mail address of the token's account",
            );
        }
        let token = api_token.expose_secret().trim();
        if token.is_empty() {
            return refuse(
                "CONFLUENCE_API_TOKEN",
                "is empty; make a token at id.atlassian.com",
            );
        }
        let basic = STANDARD.encode(format!("{email}:{token}"));
        match secret_header(&format!("Basic {basic}")) {
            Ok(header) => Ok(Self::Fixed(header)),
            Err(_) => refuse("CONFLUENCE_API_TOKEN", "cannot stand in a header"),
        }
    }

    /// What the next request goes out with.
    pub async fn access(&self) -> Result<Access, NoAccess> {
        match self {
            Self::Fixed(header) => Ok(Access {
                header: header.clone(),
                cloud_id: None,
                token: None,
            }),
            Self::OAuth(oauth) => Access::by(oauth.access(None).await?),
        }
    }

    /// What a request that was answered 401 is sent again with; `None`: nothing else than it went out with.
    pub async fn instead_of(&self, refused: &Access) -> Result<Option<Access>, NoAccess> {
        let (Self::OAuth(oauth), Some(token)) = (self, &refused.token) else {
            return Ok(None);
        };
        let other = oauth.access(Some(token)).await?;
        if other.is(token) {
            return Ok(None);
        }
        Access::by(other).map(Some)
    }
}

impl Access {
    fn by(token: AccessToken) -> Result<Self, NoAccess> {
        let header = secret_header(&format!("Bearer {}", token.secret())).map_err(|_| {
            NoAccess::Passing("Atlassian's access token cannot stand in a header".to_owned())
        })?;
        Ok(Self {
            header,
            cloud_id: Some(token.cloud_id()),
            token: Some(token),
        })
    }
}
